import { expect, test } from '@jest/globals';
import { byEviction, worstOf, type Standing } from '../../../machines/policy/evict.ts';

const standing = (id: string, changes: Partial<Standing> = {}): Standing => ({ id, score: 0, crowd: 1, since: 100, ...changes });

test.each<[string, Standing, Standing]>([
  ['a negative score goes before a crowded network', standing('a', { score: -1 }), standing('b', { crowd: 9 })],
  ['of two negative ones the one in the more crowded network goes', standing('a', { score: -1, crowd: 2 }), standing('b', { score: -9 })],
  ['a crowded network goes before a low score', standing('a', { crowd: 2, score: 90 }), standing('b', { score: 0 })],
  ['a low score goes before a young connection', standing('a', { since: 1 }), standing('b', { score: 1, since: 900 })],
  ['a young connection goes before an old one', standing('b', { since: 101 }), standing('a')],
  ['of equals the lower id goes', standing('a'), standing('b')],
])('%s', (_, first, second) => {
  expect(byEviction(first, second)).toBeLessThan(0);
  expect(byEviction(second, first)).toBeGreaterThan(0);
  expect(worstOf([second, first])).toBe(first);
  expect(worstOf([first, second])).toBe(first);
});

test('of nobody nobody goes', () => {
  expect(worstOf([])).toBeUndefined();
});
