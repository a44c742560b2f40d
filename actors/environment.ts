/** Time and chance as the operating system gives them: the only place that reads real clocks and dice. */
import { randomInt } from 'node:crypto';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Clock, Random, TimerHandle } from '../transports/clock.ts';
import type { Sockets } from '../transports/mconn/transport.ts';
import type { Lookup } from '../transports/resolve.ts';
import type { Load } from './pressure.ts';

/** What a node takes from outside itself. Each part can be replaced by itself; with all of them replaced a run is repeatable. */
export type Environment = Readonly<{
  clock: Clock;
  random: Random;
  /** Looks names up; the system's DNS servers if left out. */
  resolve?: Lookup;
  /** What the mconn transport connects and listens with; `node:net` if left out. */
  sockets?: Sockets;
  /** Makes what tells of the load of the process, for one node; without it no load is seen, nor the delay of the event loop measured. */
  load?: () => Load;
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

/** Time between two looks at the event loop; a delay is what lies between them beyond that. */
const lookEveryMs = 20;

/** The load of this process. */
export function realLoad(): Load {
  const recorder = monitorEventLoopDelay({ resolution: lookEveryMs });
  return {
    start: () => void recorder.enable(),
    stop: () => void recorder.disable(),
    loopDelayMs() {
      const longest = recorder.count === 0 ? 0 : recorder.max / 1e6 - lookEveryMs;
      recorder.reset();
      return Math.max(0, longest);
    },
    rssBytes: () => process.memoryUsage.rss(),
  };
}

/** The environment of a node outside tests. */
export function realEnvironment(): Environment & { clock: CountingClock } {
  return { clock: realClock(), random: realRandom, load: realLoad };
}

/** The environment of a node: what is given, else the real part. Who replaces time is shown no real load either. */
export function environmentOf(given: Partial<Environment> = {}): Environment {
  return { ...(given.clock ? { random: realRandom } : realEnvironment()), ...given } as Environment;
}
