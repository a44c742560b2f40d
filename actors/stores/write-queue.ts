/** Changes on their way to the disk: the latest of each peer, in order, no peer more than once in `spacingMs` unless hurried. Knows neither disk nor clock. */
import type { NodeId } from '../../proto/identity.ts';
import type { PeerRow } from '../peer-store.ts';

/** One change that is not on disk: the row to write, or undefined to delete it. */
export type Change = Readonly<{ id: NodeId; row: PeerRow | undefined }>;

type Waiting = {
  readonly id: NodeId;
  row: PeerRow | undefined;
  /** It began as the first row of its peer, so there is nothing on disk to delete. */
  readonly isNew: boolean;
  /** Whoever waits for it, once somebody does. */
  waiter: Waiter | undefined;
};
type Waiter = Readonly<{ promise: Promise<void>; resolve(): void; reject(error: Error): void }>;

function makeWaiter(): Waiter {
  let resolve: () => void = () => undefined;
  let reject: (error: Error) => void = () => undefined;
  const promise = new Promise<void>((resolved, rejected) => {
    resolve = resolved;
    reject = rejected;
  });
  return { promise, resolve, reject };
}

/** Holds at most one change for each peer that is stored or was; times are milliseconds on a clock that does not go back. */
export class WriteQueue {
  readonly #spacingMs: number;
  /** To be written with the next commit, oldest first. */
  readonly #ready = new Map<NodeId, Waiting>();
  /** Of peers written a moment ago: their turn comes again when the spacing is over. */
  readonly #held = new Map<NodeId, Waiting>();
  /** When a peer was last written, oldest first; nothing older than the spacing. */
  readonly #writtenAt = new Map<NodeId, number>();

  constructor(spacingMs: number) {
    this.#spacingMs = spacingMs;
  }

  get size(): number {
    return this.#ready.size + this.#held.size;
  }

  has(id: NodeId): boolean {
    return this.#ready.has(id) || this.#held.has(id);
  }

  /** Takes a change in, in place of an earlier one of its peer. `isNew` says that no row of the peer is known. */
  put({ id, row }: Change, facts: Readonly<{ isNew: boolean; now: number }>): void {
    this.#release(facts.now);
    const known = this.#ready.get(id) ?? this.#held.get(id);
    const change: Waiting = known ?? { id, row, isNew: facts.isNew && row !== undefined, waiter: undefined };
    change.row = row;
    const isHeld = this.#writtenAt.has(id) && !this.#ready.has(id);
    const turn = isHeld ? this.#held : this.#ready;
    if (isNothing(change)) turn.delete(id);
    else turn.set(id, change);
  }

  /** Kept once the change of this peer, or a later one, is on disk; rejects when the disk fails. */
  written(id: NodeId): Promise<void> {
    const change = this.#ready.get(id) ?? this.#held.get(id);
    if (!change) return Promise.resolve();
    change.waiter ??= makeWaiter();
    return change.waiter.promise;
  }

  /** Adds a change that nobody waits for, unless there is one of its peer. */
  restore(change: Change): void {
    if (!this.has(change.id)) this.#ready.set(change.id, { ...change, isNew: false, waiter: undefined });
  }

  /** Makes what waits of these peers, or of all, due now. */
  hurry(ids: readonly NodeId[] = [...this.#held.keys()]): void {
    for (const id of ids) {
      const change = this.#held.get(id);
      if (!change) continue;
      this.#held.delete(id);
      this.#ready.set(id, change);
    }
  }

  /** Kept once what is due now of these peers, or of all, is on disk; rejects when the disk fails. */
  async settled(ids?: readonly NodeId[]): Promise<void> {
    // What is due is written in order, so the last of all speaks for the others.
    const awaited = ids ?? [...this.#ready.keys()].slice(-1);
    await Promise.all(awaited.map((id) => this.written(id)));
  }

  /** When something is due: 0 for at once, Infinity for never. */
  dueAt(): number {
    if (this.#ready.size > 0) return 0;
    const [oldest = 0] = this.#writtenAt.values();
    return this.#held.size > 0 ? oldest + this.#spacingMs : Infinity;
  }

  /** What is due, oldest first. It stays until it is `done`. */
  *due(now: number): Generator<Change> {
    this.#release(now);
    yield* this.#ready.values();
  }

  /** These are on disk. */
  done(changes: readonly Change[], now: number): void {
    for (const { id } of changes) {
      this.#ready.get(id)?.waiter?.resolve();
      this.#ready.delete(id);
      this.#writtenAt.delete(id);
      this.#writtenAt.set(id, now);
    }
  }

  /** The disk fails: whoever waits hears of it, the changes stay. */
  fail(error: Error): void {
    for (const changes of [this.#ready, this.#held]) {
      for (const [id, change] of changes) {
        change.waiter?.reject(error);
        change.waiter = undefined;
        if (isNothing(change)) changes.delete(id);
      }
    }
  }

  /** Lets go of those whose spacing is over. */
  #release(now: number): void {
    for (const [id, at] of this.#writtenAt) {
      if (now - at < this.#spacingMs) return;
      this.#writtenAt.delete(id);
      const change = this.#held.get(id);
      if (!change) continue;
      this.#held.delete(id);
      this.#ready.set(id, change);
    }
  }
}

/** A row that came and went while nobody waited for it: so a long outage costs no more than what is known. */
const isNothing = ({ isNew, row, waiter }: Waiting): boolean => isNew && !row && !waiter;
