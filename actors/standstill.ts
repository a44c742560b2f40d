/** Standstill: whether this process has just stood still, so that what came in meanwhile lies closer together than it was sent, or seems late. */

/** Told of a tick that should come at even times; one that is late shows that nothing else was done in time either. */
export class Standstill {
  readonly #everyMs: number;
  readonly #toleranceMs: number;
  #dueAt: number;
  #overAt = -Infinity;

  /** `toleranceMs` is what a tick may be late, and how long afterwards what had piled up is still coming in. */
  constructor(everyMs: number, toleranceMs: number, now: number) {
    this.#everyMs = everyMs;
    this.#toleranceMs = toleranceMs;
    this.#dueAt = now + everyMs;
  }

  tick(now: number): void {
    if (now > this.#dueAt + this.#toleranceMs) this.#overAt = now + this.#toleranceMs;
    this.#dueAt = now + this.#everyMs;
  }

  /** Whether times measured now say little: a tick is overdue, or was so a moment ago. */
  isFelt(now: number): boolean {
    return now < this.#overAt || now > this.#dueAt + this.#toleranceMs;
  }
}
