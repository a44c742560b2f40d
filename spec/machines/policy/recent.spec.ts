import { expect, test } from '@jest/globals';
import { forgotten, nothingRecent, recalled, remembered, since, type Recent } from '../../../machines/policy/recent.ts';
import { sizeOf } from '../../../machines/policy/tree.ts';

const limit = 3;
const put = (recent: Recent<number>, key: string, now: number, value = now): Recent<number> =>
  remembered(recent, key, value, { now, limit });

test('remembers the latest of each key', () => {
  const recent = put(put(put(nothingRecent, 'a', 1), 'b', 2), 'a', 3, 30);
  expect([recalled(recent, 'a'), recalled(recent, 'b'), recalled(recent, 'c')]).toEqual([30, 2, undefined]);
  expect(sizeOf(recent.byTime)).toBe(2);
});

test('of more keys than it may hold the one remembered for longest goes', () => {
  const recent = ['a', 'b', 'c', 'a', 'd'].reduce<Recent<number>>((sum, key, index) => put(sum, key, index), nothingRecent);
  expect(['a', 'b', 'c', 'd'].map((key) => recalled(recent, key))).toEqual([3, undefined, 2, 4]);
});

test('what is older than a moment is forgotten', () => {
  const recent = since(put(put(put(nothingRecent, 'a', 1), 'b', 2), 'c', 3), 2);
  expect(['a', 'b', 'c'].map((key) => recalled(recent, key))).toEqual([undefined, 2, 3]);
  expect(recalled(forgotten(recent, 'b'), 'b')).toBeUndefined();
});

test('keys of the same moment are kept apart', () => {
  const recent = put(put(nothingRecent, 'b', 1), 'a', 1, 5);
  expect([recalled(recent, 'a'), recalled(recent, 'b')]).toEqual([5, 1]);
});
