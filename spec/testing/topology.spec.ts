import { expect, test } from '@jest/globals';
import { acquaintancesOf } from '../../testing/topology.ts';

const all = (shape: Parameters<typeof acquaintancesOf>[0], count: number) =>
  Array.from({ length: count }, (_, index) => acquaintancesOf(shape)(index, count));

test.each([
  ['mesh', [[], [0], [0, 1], [0, 1, 2]]],
  ['ring', [[1], [2], [3], [0]]],
  ['line', [[], [0], [1], [2]]],
  ['star', [[], [0], [0], [0]]],
] as const)('a %s is who knows whom', (shape, known) => {
  expect(all(shape, 4)).toEqual(known);
});

test('a ring of one knows nobody, nothing said is nobody, and a function is taken at its word', () => {
  expect([all('ring', 1), all(undefined, 2), all((index) => [index + 5], 2)]).toEqual([[[]], [[], []], [[5], [6]]]);
});
