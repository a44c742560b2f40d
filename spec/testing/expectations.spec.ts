import { describe, expect, test } from '@jest/globals';
import { expectNext, show, type NextExpected } from '../../testing/expectations.ts';

/** Things that happen one a millisecond from now on, and what is expected of them. */
async function outcome(happening: readonly number[], expected: readonly number[], options: Partial<NextExpected<number, number>> = {}) {
  const unread: number[] = [];
  let tookMs = 0;
  const until = async (isDone: () => boolean, withinMs: number): Promise<boolean> => {
    for (; !isDone() && tookMs < withinMs; tookMs++) if (happening[tookMs] !== undefined) unread.push(happening[tookMs]!);
    return isDone();
  };
  const failure = await expectNext({ unread, expected, matches: (a, b) => a === b, what: 'numbers', until, ...options }).catch(
    (error: unknown) => (error as Error).message,
  );
  return { failure, unread, tookMs };
}

describe('an expectation', () => {
  test('is met as soon as all of it has happened, and takes it', async () => {
    expect(await outcome([1, 2, 3], [1, 2])).toEqual({ failure: undefined, unread: [], tookMs: 2 });
    expect(await outcome([2, 1, 3], [1, 2], { order: 'any' })).toEqual({ failure: undefined, unread: [], tookMs: 2 });
    expect(await outcome([], [])).toEqual({ failure: undefined, unread: [], tookMs: 0 });
  });

  test('fails as soon as it cannot be met, and leaves what happened', async () => {
    const inOrder = await outcome([1, 3, 2], [1, 2]);
    expect(inOrder).toMatchObject({ unread: [1, 3], tookMs: 2 });
    expect(inOrder.failure).toMatch(/numbers: expected 2 in order: 1, 2; saw 1, 3$/);
    expect(await outcome([2, 3], [1, 2], { order: 'any' })).toMatchObject({ unread: [2, 3], tookMs: 2 });
    expect((await outcome([1, 1], [1, 2], { order: 'any' })).failure).toMatch(/in any order/);
  });

  test('fails when its time is over, a second if none is given', async () => {
    expect(await outcome([1], [1, 2])).toMatchObject({ unread: [1], tookMs: 1_000 });
    const early = await outcome([], [1], { withinMs: 20 });
    expect(early.tookMs).toBe(20);
    expect(early.failure).toMatch(/expected 1 in order within 20 ms: 1; saw nothing$/);
  });

  test('shows what it is told to show', async () => {
    expect((await outcome([7], [1], { shown: (each) => ({ seen: each }) })).failure).toMatch(/saw {"seen":7}$/);
    expect([show(undefined), show({ a: 1n, b: Uint8Array.of(1, 255), c: () => true })]).toEqual([
      'nothing',
      '{"a":"1","b":"01ff","c":"(a condition)"}',
    ]);
  });
});
