/** Restarts as arithmetic: whom, when, and how many at worst. */
import { describe, expect, test } from '@jest/globals';
import { charge, mostRestarts, nestedRestarts, restartDelay, restartSet } from '../../../machines/policy/restart.ts';
import { parseOptions, supervisionOptions } from '../../../proto/options.ts';

const defaults = parseOptions(supervisionOptions, {});

test.each([
  ['one_for_one', 'b', ['b']],
  ['one_for_all', 'b', ['a', 'b', 'c']],
  ['rest_for_one', 'b', ['b', 'c']],
  ['rest_for_one', 'somebody else', ['somebody else']],
] as const)('%s restarts after a fault of %s: %j', (strategy, failed, expected) => {
  expect(restartSet(strategy, ['a', 'b', 'c'], failed)).toEqual(expected);
});

test('the delay doubles with each failure, up to its longest, and jitter takes at most a quarter off', () => {
  const delays = (chance: number): number[] => [1, 2, 3, 8, 9, 100].map((failures) => restartDelay(defaults, failures, chance));
  expect(delays(0)).toEqual([250, 500, 1_000, 30_000, 30_000, 30_000]);
  expect(delays(1)).toEqual([188, 375, 750, 22_500, 22_500, 22_500]);
  expect(restartDelay({ ...defaults, minBackoffMs: 1 }, 1, 1)).toBe(1);
});

test('failures count for as long as the window lasts', () => {
  expect(charge(defaults, [0, 10, 20, 29_999], 30_000)).toEqual({ history: [10, 20, 29_999, 30_000], exceeded: false });
  expect(charge(defaults, [1, 2, 3, 4, 5], 6).exceeded).toBe(true);
});

describe('nested supervisors', () => {
  test('make at most 30 restarts of one child within 30 s with the defaults', () => {
    expect(nestedRestarts(defaults)).toBe(28);
  });

  test.each([
    [{ maxRestarts: 1 }, 3],
    [{ maxRestarts: 1_000 }, 7],
    [{ withinMs: 3_600_000 }, 28],
  ])('make with %j %i', (more, expected) => {
    expect(nestedRestarts({ ...defaults, ...more })).toBe(expected);
  });

  test.each([{ minBackoffMs: 1 }, { withinMs: 1_000 }, { maxRestarts: 1_000, maxBackoffMs: 250 }])('make too many with %j', (more) => {
    expect(nestedRestarts({ ...defaults, ...more })).toBeGreaterThan(mostRestarts);
  });
});
