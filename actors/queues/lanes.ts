/** What all queues have in common: lanes, accounting, limits and waiting writers. A policy adds the choice of the next lane and nothing else. */
import type { DropReason } from '../../proto/errors.ts';
import type { DropPolicy } from '../channel.ts';
import type { Entry, OnDrop, PutResult, Queue, QueueLimits } from '../queue.ts';
import type { SharedBudget } from './budget.ts';

type Held<T> = { readonly entry: Entry<T>; readonly order: number; next: Held<T> | undefined };
type Waiting<T> = { readonly entry: Entry<T>; readonly order: number; readonly settle: (result: PutResult) => void };

/** A lane as policies see it. */
export type Lane<T = unknown> = {
  readonly id: number;
  /** What the lane counts for among the others, from 1; asked anew each time it gets its first message. */
  weight: number;
  size: number;
  bytes: number;
  /** Its oldest message; there is one whenever a policy is asked. */
  head: Held<T> | undefined;
  tail: Held<T> | undefined;
  /** Writers that wait for room, oldest first. */
  readonly waiting: Waiting<T>[];
  /** Bytes that a policy owes the lane; gone when nothing is left to send. */
  credit: number;
};

/** A policy: the order of lanes, out of the queue and into it. */
export interface LaneOrder {
  /** Whether the first message of `a` leaves before that of `b`. */
  leavesBefore(a: Lane, b: Lane): boolean;
  /** Whether the next message of `a` is let in before that of `b` when both want the same room. A lane in which no writer waits came last. */
  entersBefore(a: Lane, b: Lane): boolean;
  /** The lane was chosen among those that `accepts` allows, and its first message is about to leave. */
  leaving?(lane: Lane, lanes: readonly Lane[], accepts: ((lane: number) => boolean) | undefined): void;
}

/** What a queue needs besides its limits. */
export type QueueOptions<T> = Readonly<{
  budget?: SharedBudget;
  /** What a budget counts once; the item itself if left out. */
  tokenOf?: (item: T) => object;
  /** Weight of the lane of a message, a whole number from 1; 1 if left out. */
  weightOf?: (entry: Entry<T>) => number;
  onDrop?: OnDrop<T>;
  /** The reason for a drop when there is no room; `queueFull` if left out. */
  fullReason?: DropReason;
}>;

/** When the first writer that waits for a lane came. */
export function waitingSince(lane: Lane): number {
  return lane.waiting[0]?.order ?? Infinity;
}

/** A queue whose lanes take turns by an order. */
export class LaneQueue<T extends object> implements Queue<T> {
  readonly #order: LaneOrder;
  readonly #limits: Required<QueueLimits>;
  /** How many times the free room a lane may hold. */
  readonly #freeTimes: number;
  readonly #budget: SharedBudget | undefined;
  readonly #tokenOf: (item: T) => object;
  readonly #weightOf: ((entry: Entry<T>) => number) | undefined;
  readonly #onDrop: OnDrop<T> | undefined;
  readonly #fullReason: DropReason;
  readonly #lanes = new Map<number, Lane<T>>();
  /** Lanes with messages; few at a time, so a scan beats an ordered structure. */
  readonly #active: Lane<T>[] = [];
  /** Lanes with writers that wait. */
  readonly #crowded = new Set<Lane<T>>();
  #size = 0;
  #bytes = 0;
  #serial = 0;
  #closed = false;
  #wake: (() => void) | undefined;

  constructor(order: LaneOrder, limits: QueueLimits, options: QueueOptions<T>) {
    this.#order = order;
    this.#limits = { laneMaxBytes: limits.maxBytes, laneMaxMessages: limits.maxMessages, laneShare: 100, ...limits };
    this.#freeTimes = this.#limits.laneShare / (100 - this.#limits.laneShare);
    this.#budget = options.budget;
    this.#tokenOf = options.tokenOf ?? ((item) => item);
    this.#weightOf = options.weightOf;
    this.#onDrop = options.onDrop;
    this.#fullReason = options.fullReason ?? 'queueFull';
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
    return this.#lanes.get(lane)?.size ?? 0;
  }

  laneBytes(lane: number): number {
    return this.#lanes.get(lane)?.bytes ?? 0;
  }

  put(entry: Entry<T>, policy: DropPolicy, signal?: AbortSignal): PutResult | Promise<PutResult> {
    if (this.#closed) return 'linkClosed';
    if (signal?.aborted) return Promise.reject(signal.reason as Error);
    const lane = this.#lanes.get(entry.lane) ?? this.#open(entry.lane);
    if (this.#weightOf && lane.size === 0 && lane.waiting.length === 0) lane.weight = this.#weightOf(entry);
    const isFirst = this.#crowded.size === 0 || this.#isNext(lane);
    if (isFirst && this.#laneFits(lane, entry) && this.#wholeFits(entry) && this.#budgetFits(entry)) {
      this.#add(lane, entry);
      return true;
    }
    if (policy === 'wait') return this.#wait(lane, entry, signal);
    // A writer that waits for the same lane goes first, so that the lane keeps its order.
    if (policy === 'newest' || lane.waiting.length > 0) return this.#fullReason;
    return this.#displace(lane, entry);
  }

  take(accepts?: (lane: number) => boolean): Entry<T> | undefined {
    const entry = this.takeOver(accepts);
    if (entry) this.done(entry);
    return entry;
  }

  takeOver(accepts?: (lane: number) => boolean): Entry<T> | undefined {
    const lane = this.#next(accepts);
    if (!lane) return undefined;
    this.#order.leaving?.(lane, this.#active, accepts);
    const entry = this.#shift(lane);
    if (this.#crowded.size > 0) this.#admit();
    if (lane.size === 0) lane.credit = 0;
    return entry;
  }

  done(entry: Entry<T>): void {
    this.#budget?.release(this.#tokenOf(entry.item));
    if (this.#crowded.size > 0) this.#admit();
  }

  onAdded(wake: (() => void) | undefined): void {
    this.#wake = wake;
  }

  releaseWriters(id: number, reason: DropReason): void {
    const lane = this.#lanes.get(id);
    if (!lane || lane.waiting.length === 0) return;
    this.#release(lane, reason);
    this.#admit();
  }

  removeLane(id: number, reason: DropReason): void {
    const lane = this.#lanes.get(id);
    if (!lane) return;
    this.#lanes.delete(id);
    this.#empty(lane, reason);
    this.#admit();
  }

  close(reason: DropReason = 'linkClosed'): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const lane of this.#lanes.values()) this.#empty(lane, reason);
    this.#lanes.clear();
    this.#budget?.leave(this.#turn);
    this.#notify();
  }

  #open(id: number): Lane<T> {
    const lane: Lane<T> = { id, weight: 1, size: 0, bytes: 0, head: undefined, tail: undefined, waiting: [], credit: 0 };
    this.#lanes.set(id, lane);
    return lane;
  }

  #next(accepts: ((lane: number) => boolean) | undefined): Lane<T> | undefined {
    const order = this.#order;
    let best: Lane<T> | undefined;
    for (const lane of this.#active) {
      if (accepts && !accepts(lane.id)) continue;
      if (!best || order.leavesBefore(lane, best)) best = lane;
    }
    return best;
  }

  /** Whether a newcomer to this lane passes nobody: no writer of the lane, and none that by the policy is to get the next room of the whole. */
  #isNext(lane: Lane<T>): boolean {
    if (lane.waiting.length > 0) return false;
    for (const other of this.#crowded) {
      if (this.#laneFits(other, other.waiting[0]!.entry) && !this.#order.entersBefore(lane, other)) return false;
    }
    return true;
  }

  #laneFits(lane: Lane<T>, { bytes }: Entry<T>, lessBytes = 0, lessMessages = 0): boolean {
    if (lane.size === lessMessages) return true;
    const { maxBytes, maxMessages, laneMaxBytes, laneMaxMessages } = this.#limits;
    const newSize = lane.size - lessMessages + 1;
    const newBytes = lane.bytes - lessBytes + bytes;
    if (newBytes > laneMaxBytes || newSize > laneMaxMessages) return false;
    if (this.#freeTimes === Infinity) return true;
    const freeBytes = maxBytes - (this.#bytes - lessBytes + bytes);
    const freeMessages = maxMessages - (this.#size - lessMessages + 1);
    return newBytes <= this.#freeTimes * freeBytes && newSize <= this.#freeTimes * freeMessages;
  }

  #wholeFits({ bytes }: Entry<T>, lessBytes = 0, lessMessages = 0): boolean {
    const { maxBytes, maxMessages } = this.#limits;
    const size = this.#size - lessMessages;
    return size === 0 || (this.#bytes - lessBytes + bytes <= maxBytes && size < maxMessages);
  }

  #budgetFits({ bytes, item }: Entry<T>, lessBytes = 0, lessMessages = 0): boolean {
    return this.#budget?.hasRoom(this.#tokenOf(item), bytes, this.#turn, lessBytes, lessMessages) ?? true;
  }

  #add(lane: Lane<T>, entry: Entry<T>): void {
    const held: Held<T> = { entry, order: this.#serial++, next: undefined };
    if (lane.tail) lane.tail.next = held;
    else {
      lane.head = held;
      this.#active.push(lane);
    }
    lane.tail = held;
    lane.size++;
    lane.bytes += entry.bytes;
    this.#size++;
    this.#bytes += entry.bytes;
    this.#budget?.hold(this.#tokenOf(entry.item), entry.bytes);
    if (this.#wake) this.#notify();
  }

  /** Takes the first message out of its lane; the budget still counts it. */
  #shift(lane: Lane<T>): Entry<T> {
    const { entry, next } = lane.head!;
    lane.head = next;
    if (!next) {
      lane.tail = undefined;
      const last = this.#active.pop()!;
      if (last !== lane) this.#active[this.#active.indexOf(lane)] = last;
    }
    lane.size--;
    lane.bytes -= entry.bytes;
    this.#size--;
    this.#bytes -= entry.bytes;
    return entry;
  }

  #drop(entry: Entry<T>, reason: DropReason): void {
    this.#budget?.release(this.#tokenOf(entry.item));
    this.#onDrop?.(entry, reason);
  }

  /** Drops as many of the oldest of the lane as the new one needs, or, if all of them would not do, the new one. */
  #displace(lane: Lane<T>, entry: Entry<T>): PutResult {
    let bytes = 0;
    let messages = 0;
    let sharedBytes = 0;
    let sharedMessages = 0;
    for (let held = lane.head; held; held = held.next) {
      bytes += held.entry.bytes;
      messages++;
      if (this.#budget?.isHeldOnce(this.#tokenOf(held.entry.item))) {
        sharedBytes += held.entry.bytes;
        sharedMessages++;
      }
      if (!this.#laneFits(lane, entry, bytes, messages) || !this.#wholeFits(entry, bytes, messages)) continue;
      if (!this.#budgetFits(entry, sharedBytes, sharedMessages)) continue;
      // The new one is in before anybody who waits hears of the room.
      const dropped = Array.from({ length: messages }, () => this.#shift(lane));
      this.#add(lane, entry);
      for (const each of dropped) this.#drop(each, this.#fullReason);
      if (this.#crowded.size > 0) this.#admit();
      return true;
    }
    return this.#fullReason;
  }

  #wait(lane: Lane<T>, entry: Entry<T>, signal: AbortSignal | undefined): Promise<PutResult> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#forget(lane, waiting);
        reject(signal!.reason as Error);
        // What it waited for may be room for somebody else.
        this.#admit();
      };
      const waiting: Waiting<T> = {
        entry,
        order: this.#serial++,
        settle: (result) => {
          signal?.removeEventListener('abort', onAbort);
          resolve(result);
        },
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      lane.waiting.push(waiting);
      this.#crowded.add(lane);
      if (this.#budget) this.#admit();
    });
  }

  /** Lets in writers that have room now. One that its lane keeps waiting holds back its lane alone; one that needs room of the whole is not passed. */
  #admit(): void {
    while (this.#turn());
  }

  readonly #turn = (): boolean => {
    let best: Lane<T> | undefined;
    for (const lane of this.#crowded) {
      if (this.#laneFits(lane, lane.waiting[0]!.entry) && (!best || this.#order.entersBefore(lane, best))) best = lane;
    }
    const first = best?.waiting[0];
    if (!best || !first || !this.#wholeFits(first.entry)) {
      this.#budget?.leave(this.#turn);
      return false;
    }
    if (!this.#budgetFits(first.entry)) {
      this.#budget?.join(this.#turn);
      return false;
    }
    this.#forget(best, first);
    this.#add(best, first.entry);
    first.settle(true);
    return true;
  };

  #forget(lane: Lane<T>, waiting: Waiting<T>): void {
    const index = lane.waiting[0] === waiting ? 0 : lane.waiting.indexOf(waiting);
    if (index >= 0) lane.waiting.splice(index, 1);
    if (lane.waiting.length === 0) this.#crowded.delete(lane);
  }

  #release(lane: Lane<T>, reason: DropReason): void {
    this.#crowded.delete(lane);
    for (const waiting of lane.waiting.splice(0)) waiting.settle(reason);
  }

  /** Drops what a lane holds and releases its writers. */
  #empty(lane: Lane<T>, reason: DropReason): void {
    this.#release(lane, reason);
    while (lane.head) this.#drop(this.#shift(lane), reason);
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
