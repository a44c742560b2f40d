/** Time and chance as the operating system gives them: the only place that reads real clocks and dice. */
import { randomInt } from 'node:crypto';
import type { Clock, Random, TimerHandle } from '../transports/clock.ts';

/** What a node takes from outside itself; each part can be replaced, which makes a run repeatable. */
export type Environment = Readonly<{
  clock: Clock;
  random: Random;
}>;

/** A clock over Node's timers that knows how many of its timers are pending. */
export interface CountingClock extends Clock {
  readonly pending: number;
}

const longestTimerMs = 2_147_483_647;

/** The real clock. Timers are clamped to 2^31 - 1 ms, above which Node would fire at once. */
export function realClock(): CountingClock {
  const timers = new Set<NodeJS.Timeout>();
  return {
    get pending() {
      return timers.size;
    },
    now: () => performance.now(),
    wallNow: () => Date.now(),
    setTimeout(run, ms) {
      const timer = setTimeout(
        () => {
          timers.delete(timer);
          run();
        },
        Math.min(Math.max(ms, 0), longestTimerMs),
      );
      timers.add(timer);
      return timer;
    },
    clearTimeout(handle: TimerHandle) {
      timers.delete(handle as NodeJS.Timeout);
      clearTimeout(handle as NodeJS.Timeout);
    },
  };
}

/** Chance from the operating system: fine for jitter and sampling, never used for keys. */
export const realRandom: Random = () => randomInt(2 ** 47) / 2 ** 47;

/** The environment of a node outside tests. */
export function realEnvironment(): Environment & { clock: CountingClock } {
  return { clock: realClock(), random: realRandom };
}
