/** The fifo queue: oldest first among the lanes that may move, order within a lane always. */
import type { DropReason } from '../../proto/errors.ts';
import type { DropPolicy } from '../channel.ts';
import type { Entry, PutResult, Queue, QueueLimits } from '../queue.ts';

type Waiting<T> = { entry: Entry<T>; order: number; resolve: (result: PutResult) => void; settle: () => void };
type Lane<T> = { id: number; entries: Held<T>[]; head: number; bytes: number };
type Held<T> = { entry: Entry<T>; order: number };

/** Called for each message that the queue drops after it had taken it. */
export type OnDrop<T> = (entry: Entry<T>, reason: DropReason) => void;

/** Bytes that many queues share; beyond `max` none of them has room. */
export class SharedBudget {
  readonly max: number;
  #held = 0;
  readonly #holds = new Map<object, { bytes: number; count: number }>();
  readonly #waiters = new Set<() => void>();

  constructor(max: number) {
    this.max = max;
  }

  get held(): number {
    return this.#held;
  }

  hasRoom(token: object, bytes: number): boolean {
    return this.#holds.has(token) || this.#held === 0 || this.#held + bytes <= this.max;
  }

  /** Counts a message once, however many queues hold it. */
  hold(token: object, bytes: number): void {
    const known = this.#holds.get(token);
    if (known) {
      known.count++;
      return;
    }
    this.#holds.set(token, { bytes, count: 1 });
    this.#held += bytes;
  }

  release(token: object): void {
    const known = this.#holds.get(token);
    if (!known || --known.count > 0) return;
    this.#holds.delete(token);
    this.#held -= known.bytes;
    for (const wake of [...this.#waiters]) wake();
  }

  /** Registers a queue that has writers waiting for room. */
  onRoom(wake: () => void): () => void {
    this.#waiters.add(wake);
    return () => this.#waiters.delete(wake);
  }
}

/** Makes a fifo queue. `tokenOf` names what a shared budget counts once, by default the item itself. */
export function fifoQueue<T extends object>(
  limits: QueueLimits,
  options: { budget?: SharedBudget; tokenOf?: (item: T) => object; onDrop?: OnDrop<T> } = {},
): Queue<T> {
  return new FifoQueue<T>(limits, options.budget, options.tokenOf ?? ((item) => item), options.onDrop ?? (() => undefined));
}

class FifoQueue<T extends object> implements Queue<T> {
  readonly #limits: QueueLimits;
  readonly #budget: SharedBudget | undefined;
  readonly #tokenOf: (item: T) => object;
  readonly #onDrop: OnDrop<T>;
  /** Lanes with messages; few at a time, so a scan beats an ordered structure. */
  readonly #lanes = new Map<number, Lane<T>>();
  /** Writers that wait, by lane, oldest first: only the first of a lane is ever looked at. */
  readonly #waiting = new Map<number, Waiting<T>[]>();
  #size = 0;
  #bytes = 0;
  #order = 0;
  #closed = false;
  #wake: (() => void) | undefined;
  #forgetBudget: (() => void) | undefined;

  constructor(limits: QueueLimits, budget: SharedBudget | undefined, tokenOf: (item: T) => object, onDrop: OnDrop<T>) {
    this.#limits = limits;
    this.#budget = budget;
    this.#tokenOf = tokenOf;
    this.#onDrop = onDrop;
  }

  get size(): number {
    return this.#size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get closed(): boolean {
    return this.#closed;
  }

  laneSize(lane: number): number {
    const found = this.#lanes.get(lane);
    return found ? found.entries.length - found.head : 0;
  }

  put(entry: Entry<T>, policy: DropPolicy, signal?: AbortSignal): PutResult | Promise<PutResult> {
    if (this.#closed) return 'linkClosed';
    if (signal?.aborted) return Promise.reject(signal.reason as Error);
    // A writer that waits for the same lane goes first, so that the lane keeps its order.
    if (!this.#waiting.has(entry.lane) && this.#hasRoom(entry)) {
      this.#add(entry);
      return true;
    }
    if (policy === 'wait') return this.#wait(entry, signal);
    if (policy === 'newest' || this.#waiting.has(entry.lane)) return 'queueFull';
    return this.#displace(entry);
  }

  take(accepts?: (lane: number) => boolean): Entry<T> | undefined {
    let best: Lane<T> | undefined;
    for (const lane of this.#lanes.values()) {
      if (accepts && !accepts(lane.id)) continue;
      if (!best || lane.entries[lane.head]!.order < best.entries[best.head]!.order) best = lane;
    }
    if (!best) return undefined;
    const entry = this.#shift(best);
    if (this.#waiting.size > 0) this.#admitWaiting();
    return entry;
  }

  onAdded(wake: (() => void) | undefined): void {
    this.#wake = wake;
  }

  removeLane(lane: number, reason: DropReason): void {
    const found = this.#lanes.get(lane);
    while (found && found.head < found.entries.length) this.#onDrop(this.#shift(found), reason);
    for (const waiting of [...(this.#waiting.get(lane) ?? [])]) this.#release(waiting, reason);
    this.#admitWaiting();
  }

  close(reason: DropReason = 'linkClosed'): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const lane of [...this.#lanes.values()]) {
      while (lane.head < lane.entries.length) this.#onDrop(this.#shift(lane), reason);
    }
    for (const lane of [...this.#waiting.values()]) for (const waiting of [...lane]) this.#release(waiting, reason);
    this.#forgetBudget?.();
    this.#notify();
  }

  #hasRoom({ lane, bytes, item }: Entry<T>): boolean {
    const { maxBytes, maxMessages, laneMaxBytes = maxBytes, laneMaxMessages = maxMessages } = this.#limits;
    const own = this.#lanes.get(lane);
    const laneFits = !own || (own.bytes + bytes <= laneMaxBytes && own.entries.length - own.head < laneMaxMessages);
    const allFits = this.#size === 0 || (this.#bytes + bytes <= maxBytes && this.#size < maxMessages);
    return laneFits && allFits && (this.#budget?.hasRoom(this.#tokenOf(item), bytes) ?? true);
  }

  #add(entry: Entry<T>): void {
    let lane = this.#lanes.get(entry.lane);
    if (!lane) {
      lane = { id: entry.lane, entries: [], head: 0, bytes: 0 };
      this.#lanes.set(entry.lane, lane);
    }
    lane.entries.push({ entry, order: this.#order++ });
    lane.bytes += entry.bytes;
    this.#size++;
    this.#bytes += entry.bytes;
    this.#budget?.hold(this.#tokenOf(entry.item), entry.bytes);
    this.#notify();
  }

  #shift(lane: Lane<T>): Entry<T> {
    const { entry } = lane.entries[lane.head]!;
    lane.entries[lane.head++] = undefined as never;
    lane.bytes -= entry.bytes;
    this.#size--;
    this.#bytes -= entry.bytes;
    this.#budget?.release(this.#tokenOf(entry.item));
    if (lane.head === lane.entries.length) this.#lanes.delete(lane.id);
    else if (lane.head > 64 && lane.head * 2 > lane.entries.length) {
      lane.entries.splice(0, lane.head);
      lane.head = 0;
    }
    return entry;
  }

  /** Drops the oldest of the same lane until the new one fits; if even an empty lane does not help, the new one is dropped. */
  #displace(entry: Entry<T>): PutResult {
    const lane = this.#lanes.get(entry.lane);
    while (lane && lane.head < lane.entries.length && !this.#hasRoom(entry)) this.#onDrop(this.#shift(lane), 'queueFull');
    if (!this.#hasRoom(entry)) return 'queueFull';
    this.#add(entry);
    return true;
  }

  #wait(entry: Entry<T>, signal: AbortSignal | undefined): Promise<PutResult> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#forget(waiting);
        reject(signal!.reason as Error);
      };
      const waiting: Waiting<T> = { entry, order: this.#order++, resolve, settle: () => signal?.removeEventListener('abort', onAbort) };
      signal?.addEventListener('abort', onAbort, { once: true });
      const lane = this.#waiting.get(entry.lane);
      if (lane) lane.push(waiting);
      else this.#waiting.set(entry.lane, [waiting]);
      this.#forgetBudget ??= this.#budget?.onRoom(() => this.#admitWaiting());
    });
  }

  /** Lets in writers that have room now, oldest first; one that has none holds back only its own lane. */
  #admitWaiting(): void {
    const heldBack = new Set<number>();
    while (!this.#closed) {
      let first: Waiting<T> | undefined;
      for (const [lane, [head]] of this.#waiting) {
        if (head && !heldBack.has(lane) && (!first || head.order < first.order)) first = head;
      }
      if (!first) return;
      if (!this.#hasRoom(first.entry)) {
        heldBack.add(first.entry.lane);
        continue;
      }
      this.#forget(first);
      this.#add(first.entry);
      first.resolve(true);
    }
  }

  #release(waiting: Waiting<T>, reason: DropReason): void {
    this.#forget(waiting);
    waiting.resolve(reason);
  }

  #forget(waiting: Waiting<T>): void {
    waiting.settle();
    const lane = this.#waiting.get(waiting.entry.lane);
    if (!lane) return;
    const index = lane[0] === waiting ? 0 : lane.indexOf(waiting);
    if (index >= 0) lane.splice(index, 1);
    if (lane.length === 0) this.#waiting.delete(waiting.entry.lane);
    if (this.#waiting.size === 0) {
      this.#forgetBudget?.();
      this.#forgetBudget = undefined;
    }
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
