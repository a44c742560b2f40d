import { expect, test } from '@jest/globals';
import { waitFor, type Waiter } from '../../transports/waiter.ts';
import { failureOf, live } from '../support/transport-bench.ts';

function begin(signal?: AbortSignal): { promise: Promise<number>; waiter: Waiter<number> | undefined } {
  let begun: Waiter<number> | undefined;
  const promise = waitFor<number>(signal, (waiter) => (begun = waiter));
  return { promise, waiter: begun };
}

test('a waiter resolves with what it is settled with, once, and knows at once that nobody waits any more', async () => {
  const { promise, waiter } = begin();
  expect(waiter!.waiting).toBe(true);
  waiter!.settle(1);
  expect(waiter!.waiting).toBe(false);
  waiter!.settle(2);
  waiter!.fail(new Error('late'));
  expect(await promise).toBe(1);
});

test('a waiter that fails rejects with that error', async () => {
  const error = new Error('broken');
  const { promise, waiter } = begin(live());
  waiter!.fail(error);
  expect(await failureOf(() => promise)).toBe(error);
});

test('an abort rejects with exactly the reason, and nobody waits from that moment on', async () => {
  const stop = new AbortController();
  const reason = new Error('enough');
  const { promise, waiter } = begin(stop.signal);
  stop.abort(reason);
  expect(waiter!.waiting).toBe(false);
  waiter!.settle(1);
  expect(await failureOf(() => promise)).toBe(reason);
});

test('a signal that has aborted already begins nothing', async () => {
  const reason = new Error('enough');
  const { promise, waiter } = begin(AbortSignal.abort(reason));
  expect(await failureOf(() => promise)).toBe(reason);
  expect(waiter).toBeUndefined();
});
