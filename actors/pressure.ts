/** Pressure: how loaded this process is, looked at again and again. Under it nobody is accepted; when memory runs out, the worst peers are let go. */
import { fromPromise } from 'xstate';
import type { Logger } from 'pino';
import { TroupeError } from '../proto/errors.ts';
import type { PressureOptions } from '../proto/options.ts';
import type { Clock } from '../transports/clock.ts';
import { waitFor, type Waiter } from '../transports/waiter.ts';
import { repeat } from './loops.ts';

/** What a process tells of its load. A simulation has none, so that a run stays a function of its seed. */
export interface Load {
  /** Begins to watch the event loop; idempotent, as is `stop`. */
  start(): void;
  stop(): void;
  /** Longest delay of the event loop since this was last asked, in milliseconds. */
  loopDelayMs(): number;
  /** Resident memory of the process. */
  rssBytes(): number;
}

/** How much memory there is left: enough, so little that nobody new is accepted, or so little that peers have to go. */
export type Memory = 'enough' | 'short' | 'spent';

/** One peer is let go in this time, so that what the last one held can be given back first. */
const shedIntervalMs = 1_000;

/** The load of one node's process as of the last look. */
export class Pressure {
  readonly #options: PressureOptions;
  readonly #load: Load;
  /** What the process had before the node began is its host's. */
  readonly #baseBytes: number;
  readonly #waiting = new Set<Readonly<{ isOver: () => boolean; waiter: Waiter<void> }>>();
  #isDelayed = false;
  #memory: Memory = 'enough';

  /** @throws TroupeError `ERR_OPTION_INVALID` when the hard limit is below the soft one. */
  constructor(options: PressureOptions, load: Load) {
    if (options.hardBytes < options.softBytes)
      throw new TroupeError('ERR_OPTION_INVALID', 'pressure.hardBytes must not be below softBytes');
    this.#options = options;
    this.#load = load;
    this.#baseBytes = load.rssBytes();
  }

  /** Watches for as long as there is somebody who looks. */
  async watched(work: () => Promise<void>): Promise<void> {
    this.#load.start();
    try {
      await work();
    } finally {
      this.#load.stop();
    }
  }

  /** Whether the event loop was held up. */
  get isDelayed(): boolean {
    return this.#isDelayed;
  }

  get memory(): Memory {
    return this.#memory;
  }

  /** Reads the load and releases whoever waited for what is over. */
  look(): void {
    const { maxLoopDelayMs, softBytes, hardBytes } = this.#options;
    const bytes = this.#load.rssBytes() - this.#baseBytes;
    this.#isDelayed = this.#load.loopDelayMs() > maxLoopDelayMs;
    this.#memory = bytes > hardBytes ? 'spent' : bytes > softBytes ? 'short' : 'enough';
    for (const each of [...this.#waiting]) {
      if (!each.isOver() && each.waiter.waiting) continue;
      this.#waiting.delete(each);
      each.waiter.settle();
    }
  }

  /** Nothing when the event loop keeps up, else a promise that resolves when it does again. */
  keptUp(signal: AbortSignal): void | Promise<void> {
    if (this.#isDelayed) return this.#until(() => !this.#isDelayed, signal);
  }

  /** Nothing unless memory is spent, else a promise that resolves when it is not. */
  recovered(signal: AbortSignal): void | Promise<void> {
    if (this.#memory === 'spent') return this.#until(() => this.#memory !== 'spent', signal);
  }

  #until(isOver: () => boolean, signal: AbortSignal): Promise<void> {
    return waitFor<void>(signal, (waiter) => this.#waiting.add({ isOver, waiter }));
  }
}

export type PressureDeps = Readonly<{
  pressure: Pressure;
  clock: Clock;
  options: PressureOptions;
  log: Logger;
  /** Lets the worst peer go, if there is one to spare. */
  shed(): void;
}>;

/** Looks until it is stopped. */
export const pressureLogic = ({ pressure, clock, options, log, shed }: PressureDeps) =>
  fromPromise<void>(async ({ signal }) => {
    let shedAt = -Infinity;
    const look = (): void => {
      const before = pressure.memory;
      pressure.look();
      if (pressure.memory !== before) log.warn({ memory: pressure.memory, before }, 'memory');
      if (pressure.memory !== 'spent' || clock.now() - shedAt < shedIntervalMs) return;
      shedAt = clock.now();
      shed();
    };
    await pressure.watched(() => repeat(clock, options.lookMs, signal, look));
  });
