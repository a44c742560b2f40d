/** How late the event loop has been lately: two recorders that are emptied in turn, so that what is read is never older than a minute and hardly ever younger than half of one. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Clock, TimerHandle } from '../transports/clock.ts';

/** What records: Node's histogram of the nanoseconds from each look to the next. */
export interface DelayRecorder {
  readonly count: number;
  readonly max: number;
  percentile(percentile: number): number;
  enable(): unknown;
  disable(): unknown;
  reset(): void;
}

/** Time between two looks; what they are late is what lies between them beyond that. */
const lookEveryMs = 10;
/** What happened longer ago than this is not shown. */
export const loopDelayWindowMs = 60_000;

/** Event-loop delay over the last half to one minute, in milliseconds. */
export class LoopDelay {
  readonly #clock: Clock;
  readonly #makeRecorder: () => DelayRecorder;
  /** The one to read, and the one that is read after the next turn. */
  #recorders: readonly [DelayRecorder, DelayRecorder] | undefined;
  #timer: TimerHandle;

  constructor(clock: Clock, makeRecorder: () => DelayRecorder = () => monitorEventLoopDelay({ resolution: lookEveryMs })) {
    this.#clock = clock;
    this.#makeRecorder = makeRecorder;
  }

  /** Begins to record. Idempotent. */
  start(): void {
    if (this.#recorders) return;
    this.#recorders = [this.#makeRecorder(), this.#makeRecorder()];
    for (const recorder of this.#recorders) recorder.enable();
    this.#arm();
  }

  stop(): void {
    this.#clock.clearTimeout(this.#timer);
    for (const recorder of this.#recorders ?? []) recorder.disable();
    this.#recorders = undefined;
  }

  /** Zeros while nothing is recorded. */
  read(): Readonly<{ p50: number; p99: number; max: number }> {
    const recorder = this.#recorders?.[0];
    if (!recorder || recorder.count === 0) return { p50: 0, p99: 0, max: 0 };
    return { p50: lateness(recorder.percentile(50)), p99: lateness(recorder.percentile(99)), max: lateness(recorder.max) };
  }

  #arm(): void {
    this.#timer = this.#clock.setTimeout(() => this.#turn(), loopDelayWindowMs / 2);
  }

  #turn(): void {
    if (!this.#recorders) return;
    const [old, young] = this.#recorders;
    old.reset();
    this.#recorders = [young, old];
    this.#arm();
  }
}

function lateness(nanoseconds: number): number {
  return Math.max(0, Math.round(nanoseconds / 1e4 - lookEveryMs * 100) / 100);
}
