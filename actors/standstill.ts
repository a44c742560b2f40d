/** Standstill: whether this process has just stood still, so that what came in meanwhile lies closer together than it was sent, or seems late. */

/** What came in while we stood still has been read after this time: sockets, and the queues of those who send, hold seconds' worth of it. */
const longestCatchUpMs = 10_000;
/** Nobody goes on sending for longer than this to a process that takes nothing. */
const longestMs = 60_000;

/** Told of a tick that should come at even times; one that is late shows that nothing else was done in time either. */
export class Standstill {
  readonly #everyMs: number;
  readonly #toleranceMs: number;
  #tickedAt: number;
  /** The last one that was noticed, and until when what came in during it is still being read. */
  #beganAt = -Infinity;
  #caughtUpAt = -Infinity;

  /** `toleranceMs` is what a tick may be late. */
  constructor(everyMs: number, toleranceMs: number, now: number) {
    this.#everyMs = everyMs;
    this.#toleranceMs = toleranceMs;
    this.#tickedAt = now;
  }

  tick(now: number): void {
    if (this.#isOverdue(now)) this.#ended(now);
    this.#tickedAt = now;
  }

  /** Whether times measured now say little: a tick is overdue, or what came in while one was is still being read. */
  isFelt(now: number): boolean {
    return now < this.#caughtUpAt || this.#isOverdue(now);
  }

  /**
   * When something that is read now was sent, as early as it can have been: now, unless we have stood still and it may have waited for us since. No
   * earlier than `notBefore`, as when its sender came; a time after `now` says that it came too soon for that. Who sends much spends the time in
   * which we stood still, and no more, for it has really passed.
   */
  sentAt(now: number, notBefore: number): number {
    return Math.max(notBefore, this.#since(now));
  }

  #since(now: number): number {
    if (now < this.#caughtUpAt) return this.#beganAt;
    return this.#isOverdue(now) ? Math.max(this.#tickedAt, now - longestMs) : now;
  }

  #isOverdue(now: number): boolean {
    return now > this.#tickedAt + this.#everyMs + this.#toleranceMs;
  }

  /** Catching up takes no longer than what it follows. A hiccup meanwhile prolongs nothing, so that nobody who causes one after the other gains by it. */
  #ended(now: number): void {
    const caughtUpAt = now + Math.min(longestCatchUpMs, now - this.#tickedAt);
    if (caughtUpAt <= this.#caughtUpAt) return;
    this.#beganAt = Math.max(this.#tickedAt, now - longestMs);
    this.#caughtUpAt = caughtUpAt;
  }
}
