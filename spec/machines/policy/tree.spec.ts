import fc from 'fast-check';
import { expect, test } from '@jest/globals';
import { find, first, fromSorted, insert, itemsOf, last, nth, remove, sizeOf, type Tree } from '../../../machines/policy/tree.ts';

const order = (a: number, b: number): number => a - b;
const operations = fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 60 })), { maxLength: 300 });

function depthOf(tree: Tree<number>): number {
  return tree ? 1 + Math.max(depthOf(tree.left), depthOf(tree.right)) : 0;
}

test('a tree holds what a set would hold, in order, and leaves its older versions alone', () => {
  fc.assert(
    fc.property(operations, (steps) => {
      const set = new Set<number>();
      let tree: Tree<number>;
      for (const [isIn, item] of steps) {
        const before = tree;
        const held = [...itemsOf(before)];
        tree = isIn ? insert(tree, item, order) : remove(tree, item, order);
        if (isIn) set.add(item);
        else set.delete(item);
        expect([...itemsOf(before)]).toEqual(held);
      }
      const items = [...set].sort(order);
      expect([...itemsOf(tree)]).toEqual(items);
      expect(sizeOf(tree)).toBe(items.length);
      expect([first(tree), last(tree)]).toEqual([items[0], items.at(-1)]);
      expect(items.map((_, at) => nth(tree, at))).toEqual(items);
      expect([nth(tree, -1), nth(tree, items.length)]).toEqual([undefined, undefined]);
      expect(items.map((item) => find(tree, (other) => item - other))).toEqual(items);
      expect(find(tree, (other) => 61 - other)).toBeUndefined();
    }),
  );
});

test('a tree stays as flat as its balance promises, whatever the order of insertion', () => {
  for (const step of [1, -1, 7_919]) {
    let tree: Tree<number>;
    for (let n = 0; n < 10_000; n++) tree = insert(tree, (((n * step) % 10_007) + 10_007) % 10_007, order);
    expect(depthOf(tree)).toBeLessThanOrEqual(28);
  }
});

test('removing what is not there gives the same tree back', () => {
  const tree = fromSorted([1, 2, 3]);
  expect(remove(tree, 9, order)).toBe(tree);
});

test('a tree of sorted items is as flat as can be', () => {
  const items = Array.from({ length: 1_023 }, (_, n) => n);
  const tree = fromSorted(items);
  expect([...itemsOf(tree)]).toEqual(items);
  expect(depthOf(tree)).toBe(10);
});
