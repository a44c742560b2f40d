import { describe, expect, test } from '@jest/globals';
import { sleep, withDeadline } from '../../transports/clock.ts';
import { VirtualClock } from '../../transports/simulated.ts';
import { failureOf, live, staysPending } from '../support/transport-bench.ts';

const reason = new Error('enough');

describe('sleeping', () => {
  test('lasts as long as it says', async () => {
    const clock = new VirtualClock();
    const sleeping = sleep(clock, 10, live());
    clock.advance(9);
    expect(await staysPending(sleeping)).toBe(true);
    clock.advance(1);
    await sleeping;
  });

  test('ends with exactly the reason of its signal, and leaves no timer', async () => {
    const clock = new VirtualClock();
    const stop = new AbortController();
    const sleeping = failureOf(() => sleep(clock, 10, stop.signal));
    stop.abort(reason);
    expect(await sleeping).toBe(reason);
    expect(await failureOf(() => sleep(clock, 10, AbortSignal.abort(reason)))).toBe(reason);
    expect(clock.pending).toBe(0);
  });
});

describe('a deadline', () => {
  const untilAborted = (signal: AbortSignal): Promise<never> =>
    new Promise((_, reject) => {
      if (signal.aborted) reject(signal.reason as Error);
      signal.addEventListener('abort', () => reject(signal.reason as Error));
    });

  test('aborts its work with the code given', async () => {
    const clock = new VirtualClock();
    const failure = failureOf(() => withDeadline(clock, 10, 'ERR_DIAL_TIMEOUT', live(), untilAborted));
    clock.advance(9);
    expect(await staysPending(failure)).toBe(true);
    clock.advance(1);
    expect(await failure).toMatchObject({ code: 'ERR_DIAL_TIMEOUT' });
  });

  test('hands on what its work gives, and leaves no timer', async () => {
    const clock = new VirtualClock();
    expect(await withDeadline(clock, 10, 'ERR_DIAL_TIMEOUT', undefined, () => Promise.resolve(5))).toBe(5);
    expect(await failureOf(() => withDeadline(clock, 10, 'ERR_DIAL_TIMEOUT', live(), () => Promise.reject(reason)))).toBe(reason);
    expect(clock.pending).toBe(0);
  });

  test('passes on the abort of the outer signal, before and during the work', async () => {
    const clock = new VirtualClock();
    const stop = new AbortController();
    const failure = failureOf(() => withDeadline(clock, 10, 'ERR_DIAL_TIMEOUT', stop.signal, untilAborted));
    stop.abort(reason);
    expect(await failure).toBe(reason);
    expect(await failureOf(() => withDeadline(clock, 10, 'ERR_DIAL_TIMEOUT', AbortSignal.abort(reason), untilAborted))).toBe(reason);
    expect(clock.pending).toBe(0);
  });
});
