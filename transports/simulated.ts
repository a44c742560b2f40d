/** Time and chance for tests and simulations: a clock that moves only when told to, and dice that repeat. Not the real ones, which the host supplies. */
import type { Clock, Random, TimerHandle } from './clock.ts';

type Timer = { readonly at: number; readonly order: number; run: (() => void) | undefined };

/** A `Clock` that moves only when told to, timer by timer: those due at one moment run in the order in which they were set. */
export class VirtualClock implements Clock {
  readonly #wallStart: number;
  /** A binary heap, soonest first. Cancelled timers stay in it, without `run`, until they surface or are the majority. */
  #heap: Timer[] = [];
  #cancelled = 0;
  #now = 0;
  #order = 0;

  /** `wallStart` is the wall-clock time at which it starts, in milliseconds since 1970. */
  constructor(wallStart = 1_700_000_000_000) {
    this.#wallStart = wallStart;
  }

  /** How many timers are set and have neither fired nor been cleared. */
  get pending(): number {
    return this.#heap.length - this.#cancelled;
  }

  /** When the next timer is due, in milliseconds of `now()`; undefined when none is set. */
  get nextAt(): number | undefined {
    return this.#peek()?.at;
  }

  now(): number {
    return this.#now;
  }

  wallNow(): number {
    return this.#wallStart + this.#now;
  }

  setTimeout(run: () => void, ms: number): TimerHandle {
    const timer: Timer = { at: this.#now + Math.max(0, ms), order: this.#order++, run };
    this.#heap.push(timer);
    this.#rise(this.#heap.length - 1);
    return timer;
  }

  clearTimeout(handle: TimerHandle): void {
    const timer = handle as Timer | undefined;
    if (!timer?.run) return;
    timer.run = undefined;
    this.#cancelled++;
    if (this.#cancelled > 64 && this.#cancelled * 2 > this.#heap.length) this.#compact();
  }

  /** Moves time on by `ms`, firing each timer at its own moment. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (let due = this.#due(end); due; due = this.#due(end)) due();
    this.#now = Math.max(this.#now, end);
  }

  /** As `advance`, letting promises and I/O callbacks run before each timer and at the end. */
  async advanceAsync(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    for (let due = this.#due(end); due; due = this.#due(end)) {
      due();
      await settle();
    }
    this.#now = Math.max(this.#now, end);
  }

  /** Takes the next timer that is due by `end`, with the clock set to its moment. */
  #due(end: number): (() => void) | undefined {
    const next = this.#peek();
    if (!next || next.at > end) return undefined;
    this.#pop();
    this.#now = Math.max(this.#now, next.at);
    const run = next.run;
    next.run = undefined;
    return run;
  }

  #peek(): Timer | undefined {
    for (let top = this.#heap[0]; top; top = this.#heap[0]) {
      if (top.run) return top;
      this.#pop();
      this.#cancelled--;
    }
    return undefined;
  }

  #pop(): void {
    const last = this.#heap.pop();
    if (!last || this.#heap.length === 0) return;
    this.#heap[0] = last;
    this.#sink(0);
  }

  #compact(): void {
    this.#heap = this.#heap.filter((timer) => timer.run).sort((a, b) => (before(a, b) ? -1 : 1));
    this.#cancelled = 0;
  }

  #rise(index: number): void {
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!this.#swapIfBefore(index, parent)) return;
      index = parent;
    }
  }

  #sink(index: number): void {
    for (;;) {
      const left = 2 * index + 1;
      if (left >= this.#heap.length) return;
      const right = left + 1;
      const child = right < this.#heap.length && before(this.#heap[right]!, this.#heap[left]!) ? right : left;
      if (!this.#swapIfBefore(child, index)) return;
      index = child;
    }
  }

  #swapIfBefore(lower: number, upper: number): boolean {
    const a = this.#heap[lower]!;
    const b = this.#heap[upper]!;
    if (!before(a, b)) return false;
    this.#heap[lower] = b;
    this.#heap[upper] = a;
    return true;
  }
}

function before(a: Timer, b: Timer): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** Lets everything that is already due in this process run: promises, then `turns` turns of the event loop. */
export async function settle(turns = 3): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Chance that repeats: the same seed (a 32-bit integer) gives the same numbers everywhere. Mulberry32; not for keys. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
