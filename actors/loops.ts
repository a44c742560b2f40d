/** Loops that last until a signal ends them: over a source of items, and over time. */
import { sleep, type Clock } from '../transports/clock.ts';

/** Longest run of items without a turn for other work, in milliseconds. */
const sliceMs = 5;

/** Handles one item after the other until the source or the signal ends it, even while it waits for an item. Rejects with what source or handler throws. */
export async function each<T>(
  source: AsyncIterable<T>,
  { signal, clock }: Readonly<{ signal: AbortSignal; clock: Clock }>,
  handle: (item: T) => void | Promise<void>,
): Promise<void> {
  const iterator = source[Symbol.asyncIterator]();
  const isOver = (): boolean => signal.aborted;
  let end: () => void = () => undefined;
  const onAbort = (): void => end();
  signal.addEventListener('abort', onAbort, { once: true });
  let exhausted = false;
  try {
    for (let since = clock.now(); !isOver();) {
      // Not a race with one long-lived promise, which would keep a reaction for every item as long as it lives.
      const result = await new Promise<IteratorResult<T, unknown> | undefined>((resolve, reject) => {
        end = () => resolve(undefined);
        iterator.next().then(resolve, reject);
      });
      exhausted = result?.done === true;
      if (!result || result.done || isOver()) return;
      await handle(result.value);
      if (clock.now() - since < sliceMs) continue;
      await new Promise((resolve) => setImmediate(resolve));
      since = clock.now();
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    // Not awaited: an iterator that is asked to end while it waits for its source may answer only then.
    if (!exhausted) iterator.return?.().catch(() => undefined);
  }
}

/** Runs `tick` every `ms` milliseconds, first after that time, never overlapping; what it missed is skipped. Rejects with the signal's reason, or what `tick` throws. */
export async function repeat(clock: Clock, ms: number, signal: AbortSignal, tick: () => void | Promise<void>): Promise<void> {
  for (let due = clock.now() + ms; ;) {
    await sleep(clock, Math.max(0, due - clock.now()), signal);
    const began = clock.now();
    await tick();
    // Woken late by a whole turn or more, it counts from then: one tick for all that were missed.
    due = Math.max((began - due >= ms ? began : due) + ms, clock.now());
  }
}
