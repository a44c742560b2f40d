/** Time and chance as inputs: the one interface through which anything here waits, measures or rolls dice. */
import { TroupeError, type ErrorCode } from '../proto/errors.ts';

/** What a timer function returns; opaque, passed back to cancel it. */
export type TimerHandle = unknown;

/** A source of time. The real one is made in `actors/node.ts`, a virtual one in `testing.ts`. */
export interface Clock {
  /** Monotonic milliseconds, for intervals and deadlines. */
  now(): number;
  /** Wall-clock milliseconds since 1970, for what is stored or shown. */
  wallNow(): number;
  /** Calls `run` once after `ms` milliseconds (at most 2^31 - 1). */
  setTimeout(run: () => void, ms: number): TimerHandle;
  clearTimeout(handle: TimerHandle): void;
}

/** A source of chance: a number in [0, 1). Keys and nonces never come from here. */
export type Random = () => number;

/** Resolves after `ms` milliseconds; rejects with the signal's reason when it aborts first. */
export function sleep(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason as Error);
    const onAbort = (): void => {
      clock.clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = clock.setTimeout(() => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    signal.addEventListener('abort', onAbort, { once: true });
  });
}

/** Runs `work` under a signal that aborts with `code` after `ms` milliseconds, or with the outer signal; clears the timer whatever happens. */
export async function withDeadline<T>(
  clock: Clock,
  ms: number,
  code: ErrorCode,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const deadline = new AbortController();
  const onAbort = (): void => deadline.abort(signal?.reason);
  const timer = clock.setTimeout(() => deadline.abort(new TroupeError(code, `${ms} ms`)), ms);
  if (signal?.aborted) onAbort();
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    return await work(deadline.signal);
  } finally {
    clock.clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}
