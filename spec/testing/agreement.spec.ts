import { describe, expect, test } from '@jest/globals';
import type { NodeId } from '../../proto/identity.ts';
import { componentsOf, disagreements, pairOf } from '../../testing/agreement.ts';
import type { SimulatedNode } from '../../testing/simulated-node.ts';

const id = (index: number): NodeId => String(index).padStart(40, '0') as NodeId;
const node = (index: number, up: readonly number[], rest: Partial<Pick<SimulatedNode, 'persistent' | 'isRunning'>> = {}): SimulatedNode =>
  ({
    index,
    id: id(index),
    up: new Map(up.map((other) => [id(other), []])),
    persistent: [],
    isRunning: true,
    ...rest,
  }) as unknown as SimulatedNode;
const joined = (...pairs: readonly (readonly [number, number, number?])[]): Map<string, number> =>
  new Map(pairs.map(([a, b, count = 1]) => [pairOf(id(a), id(b)), count]));

describe('nodes disagree', () => {
  test('not when each is up with who is up with it, in one connection', () => {
    expect(disagreements([node(0, [1, 2], { persistent: [1] }), node(1, [0]), node(2, [0])], joined([0, 1], [2, 0]))).toEqual([]);
  });

  test.each([
    [
      'one thinks it is up with the other',
      [node(0, [1]), node(1, [])],
      joined([0, 1]),
      ['node 0 is up with node 1, which is not up with it'],
    ],
    [
      'one is up with who is down',
      [node(0, [1]), node(1, [0], { isRunning: false })],
      joined(),
      [`node 0 is up with ${id(1)}, which is not up with it`],
    ],
    ['two connections join them', [node(0, [1]), node(1, [0])], joined([0, 1, 2]), ['2 connections join nodes 0 and 1']],
    ['no connection joins them', [node(0, [1]), node(1, [0])], joined(), ['0 connections join nodes 0 and 1']],
    [
      'a persistent peer is not up',
      [node(0, [], { persistent: [1, 2] }), node(1, []), node(2, [], { isRunning: false })],
      joined(),
      ['node 0 is not up with its persistent peer 1'],
    ],
  ])('when %s', (_, nodes, links, problems) => {
    expect(disagreements(nodes, links)).toEqual(problems);
  });
});

test('the parts of a network are counted over nodes that run', () => {
  expect(componentsOf([])).toBe(0);
  expect(componentsOf([node(0, [1]), node(1, [0, 2]), node(2, [1]), node(3, [4]), node(4, [3]), node(5, [])])).toBe(3);
  expect(componentsOf([node(0, [1]), node(1, [0, 2], { isRunning: false }), node(2, [1])])).toBe(2);
});
