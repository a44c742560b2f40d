/** The clock of one simulated process. While the process stands still its timers wait, and time goes on without it. */
import type { VirtualClock } from '../transports/simulated.ts';
import type { Clock, TimerHandle } from '../transports/clock.ts';

type Timer = { run: (() => void) | undefined; handle: TimerHandle };

/** See the module. */
export class ProcessClock implements Clock {
  readonly #base: VirtualClock;
  /** Due while frozen, in the order they became due. */
  #overdue: Timer[] = [];
  #isFrozen = false;
  #pending = 0;

  constructor(base: VirtualClock) {
    this.#base = base;
  }

  /** Timers of this process that are set. */
  get pending(): number {
    return this.#pending;
  }

  now(): number {
    return this.#base.now();
  }

  wallNow(): number {
    return this.#base.wallNow();
  }

  setTimeout(run: () => void, ms: number): TimerHandle {
    const timer: Timer = { run, handle: undefined };
    this.#pending++;
    timer.handle = this.#base.setTimeout(() => this.#fire(timer), ms);
    return timer;
  }

  clearTimeout(handle: TimerHandle): void {
    const timer = handle as Timer | undefined;
    if (!timer?.run) return;
    timer.run = undefined;
    this.#pending--;
    this.#base.clearTimeout(timer.handle);
  }

  get isFrozen(): boolean {
    return this.#isFrozen;
  }

  /** Holds back every timer, as SIGSTOP does. */
  freeze(): void {
    this.#isFrozen = true;
  }

  /** Lets what has become due meanwhile run at once, in order. */
  thaw(): void {
    this.#isFrozen = false;
    for (const timer of this.#overdue.splice(0)) timer.handle = this.#base.setTimeout(() => this.#fire(timer), 0);
  }

  #fire(timer: Timer): void {
    const { run } = timer;
    if (!run) return;
    if (this.#isFrozen) {
      this.#overdue.push(timer);
      return;
    }
    timer.run = undefined;
    this.#pending--;
    run();
  }
}
