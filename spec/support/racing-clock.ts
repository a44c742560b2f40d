/** A clock without time: its timers fire one by one, in whatever order a test chooses. Given to a memory network, it makes every order of deliveries possible. */
import type { Clock, TimerHandle } from '../../transports/clock.ts';

/** What is set this far ahead is a deadline, not a delivery: without time it never passes. */
const deadlineMs = 5_000;

type Timer = Readonly<{ at: number; run: () => void }>;

/** See the module. What a timer sets off at once sees the moment for which it was set; everything else sees the start. */
export class RacingClock implements Clock {
  readonly #waiting: Timer[] = [];
  #now = 0;

  /** How many timers could fire next. */
  get size(): number {
    return this.#waiting.length;
  }

  now(): number {
    return this.#now;
  }

  wallNow(): number {
    return this.#now;
  }

  setTimeout(run: () => void, ms: number): TimerHandle {
    const timer: Timer = { at: this.#now + ms, run };
    if (ms < deadlineMs) this.#waiting.push(timer);
    return timer;
  }

  clearTimeout(handle: TimerHandle): void {
    const index = this.#waiting.indexOf(handle as Timer);
    if (index >= 0) this.#waiting.splice(index, 1);
  }

  /** Fires the timer at this place among those that wait. */
  fire(index: number): void {
    const [timer] = this.#waiting.splice(index, 1);
    if (!timer) return;
    this.#now = timer.at;
    try {
      timer.run();
    } finally {
      this.#now = 0;
    }
  }
}
