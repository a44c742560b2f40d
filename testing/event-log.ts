/** What happened in a simulation, in order, with the virtual time: the latest events, and one hash over all of them. */
import { createHash } from 'node:crypto';

/** One thing that happened. */
export type SimulationEvent = Readonly<{
  /** Virtual milliseconds since the simulation began. */
  atMs: number;
  /** What: `up`, `down`, `delivered`, `lost`, `dial`, `dialFailed`, `ended`, `drop`, `disconnect`, `rejection`, `restart`, or the name of a fault. */
  type: string;
  /** The node it happened to or, for a message, at; none for what concerns the whole network. */
  node?: number | undefined;
  /** The other node: who came up, was dialed, sent. An id where it is no node of the simulation. */
  peer?: number | string | undefined;
  /** Reason, error code, channel and digest of a message, or the arguments of a fault. */
  detail?: string | undefined;
}>;

/** Lines hashed in one go. */
const batch = 512;

/** The event log of one simulation. The same seed and the same calls give the same hash. */
export class EventLog {
  readonly #kept: number;
  readonly #events: SimulationEvent[] = [];
  readonly #counts = new Map<string, number>();
  readonly #hash = createHash('sha256');
  #waiting = '';
  #count = 0;

  /** `kept` is how many of the latest events can be read; the hash is over all. */
  constructor(kept: number) {
    this.#kept = kept;
  }

  /** How many events there were. */
  get count(): number {
    return this.#count;
  }

  /** SHA-256 over the lines of all events so far, in hex. */
  get hash(): string {
    this.#flush();
    return this.#hash.copy().digest('hex');
  }

  /** How many events of a type there were. */
  countOf(type: string): number {
    return this.#counts.get(type) ?? 0;
  }

  /** The latest events, oldest first. */
  get events(): readonly SimulationEvent[] {
    return this.#events.slice(-this.#kept);
  }

  add(event: SimulationEvent): void {
    this.#waiting += `${formatEvent(event)}\n`;
    this.#counts.set(event.type, this.countOf(event.type) + 1);
    if (++this.#count % batch === 0) this.#flush();
    this.#events.push(event);
    if (this.#events.length >= 2 * this.#kept) this.#events.splice(0, this.#events.length - this.#kept);
  }

  #flush(): void {
    this.#hash.update(this.#waiting);
    this.#waiting = '';
  }
}

/** The line of an event, as it is hashed: time in milliseconds with three decimals, type, node, peer, detail. */
export function formatEvent({ atMs, type, node, peer, detail }: SimulationEvent): string {
  return `${atMs.toFixed(3)} ${type} ${node ?? '-'} ${peer ?? '-'} ${detail ?? ''}`.trimEnd();
}
