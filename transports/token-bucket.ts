/** A token bucket on a clock that its user reads: rates of bytes, of cost units, of handshakes. It waits for nothing itself. */

/** Fills at `rate` tokens a second up to `burst`. Taking may leave a debt, which is paid before the next taking. */
export class TokenBucket {
  readonly #rate: number;
  readonly #burst: number;
  #tokens: number;
  #at: number;

  /** Full at `now`, in milliseconds. */
  constructor(rate: number, burst: number, now: number) {
    this.#rate = rate;
    this.#burst = burst;
    this.#tokens = burst;
    this.#at = now;
  }

  /**
   * Tokens at hand; negative while there is a debt. What has come in since `unreadSince` is above the burst: it may stand for takings that were due
   * meanwhile. It is gone as soon as time passes without it.
   */
  available(now: number, unreadSince = now): number {
    this.#fill(unreadSince, this.#burst);
    this.#fill(now, Infinity);
    return this.#tokens;
  }

  /** Takes tokens that may not be there yet. */
  take(tokens: number): void {
    this.#tokens -= tokens;
  }

  /** Milliseconds, at least 1, until `tokens` (no more than the burst) will be at hand. */
  waitMs(tokens: number, now: number): number {
    return Math.max(1, Math.ceil(((Math.min(tokens, this.#burst) - this.available(now)) * 1_000) / this.#rate));
  }

  #fill(until: number, most: number): void {
    if (until <= this.#at) return;
    this.#tokens = Math.min(most, this.#tokens + ((until - this.#at) * this.#rate) / 1_000);
    this.#at = until;
  }

  /** Whether it is full again, so that a new one would be no different. */
  isFull(now: number): boolean {
    return this.available(now) >= this.#burst;
  }
}

/** Counts events in a sliding window: whether more than `limit` of them fall into any `windowMs`. Holds `limit` numbers once there was one. */
export class SlidingCount {
  readonly #limit: number;
  readonly #windowMs: number;
  #times: Float64Array | undefined;
  #count = 0;

  constructor(limit: number, windowMs: number) {
    this.#limit = limit;
    this.#windowMs = windowMs;
  }

  /** Counts one event; false when it is one too many. */
  admit(now: number): boolean {
    this.#times ??= new Float64Array(this.#limit);
    const slot = this.#count % this.#limit;
    const exceeded = this.#count >= this.#limit && now - this.#times[slot]! < this.#windowMs;
    this.#times[slot] = now;
    this.#count++;
    return !exceeded;
  }
}
