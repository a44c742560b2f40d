/** The disk of one simulated node: what a store has acknowledged on it outlives the process that wrote it. */
import type { PeerStore } from '../actors/peer-store.ts';
import { memoryStore } from '../actors/stores/memory.ts';

/** Rows that a crash leaves as they are. */
export class Disk {
  readonly #rows: PeerStore = memoryStore();
  #mounted: object | undefined;

  constructor() {
    this.#rows.open();
  }

  /** A store for the next process. What an earlier one still writes is lost, as is what is written once `unmount` was called. */
  mount(): PeerStore {
    const rows = this.#rows;
    const mine = {};
    this.#mounted = mine;
    const whenMine = (run: () => Promise<void>): Promise<void> => (this.#mounted === mine ? run() : Promise.resolve());
    return {
      state: 'memory',
      skipped: 0,
      open: () => undefined,
      load: () => rows.load(),
      put: (row) => whenMine(() => rows.put(row)),
      delete: (id) => whenMine(() => rows.delete(id)),
      flush: () => Promise.resolve(),
      close: () => Promise.resolve(),
    };
  }

  /** The process is gone. */
  unmount(): void {
    this.#mounted = undefined;
  }

  /** How many peers it holds. */
  get size(): number {
    return this.#rows.load().length;
  }
}
