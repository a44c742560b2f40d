import fc from 'fast-check';
import { expect, test } from '@jest/globals';
import {
  find,
  first,
  fromSorted,
  insert,
  itemsFrom,
  itemsOf,
  last,
  nth,
  remove,
  sizeOf,
  sortedBy,
  type Tree,
} from '../../../machines/policy/tree.ts';

const order = (a: number, b: number): number => a - b;
const operations = fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 200 })), { maxLength: 600 });

/** Looks that it takes to find the item that takes most. */
function depthOf(tree: Tree<number>): number {
  let most = 0;
  for (const item of itemsOf(tree)) {
    let looks = 0;
    find(tree, (other) => (looks++, item - other));
    most = Math.max(most, looks);
  }
  return most;
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
      expect(find(tree, (other) => 201 - other)).toBeUndefined();
      for (const from of [-1, 30, 61, 200])
        expect([...itemsFrom(tree, (item) => item > from)]).toEqual(items.filter((item) => item > from));
    }),
  );
});

test('a tree stays as flat as its balance promises, whatever the order of insertion and removal', () => {
  for (const step of [1, -1, 7_919]) {
    const at = (n: number): number => (((n * step) % 10_007) + 10_007) % 10_007;
    let tree: Tree<number>;
    for (let n = 0; n < 10_000; n++) tree = insert(tree, at(n), order);
    expect(depthOf(tree)).toBeLessThanOrEqual(28);
    // From one end only, which is what unbalances most.
    for (let n = 0; n < 9_000; n++) tree = remove(tree, step === 7_919 ? n : at(n), order);
    expect(depthOf(tree)).toBeLessThanOrEqual(21);
    for (let n = 0; n < 4_000; n++) tree = insert(tree, 20_000 + n, order);
    expect(depthOf(tree)).toBeLessThanOrEqual(25);
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
  expect(depthOf(tree)).toBeLessThanOrEqual(12);
});

test('the items from some point on cost a walk to it, not those before it', () => {
  const tree = fromSorted(Array.from({ length: 100_000 }, (_, n) => n));
  let looks = 0;
  const rest = itemsFrom(tree, (item) => (looks++, item >= 99_000));
  expect(rest.next().value).toBe(99_000);
  expect([...rest]).toHaveLength(999);
  expect(looks).toBeLessThan(20);
});

test('sorted by several numbers, infinite ones too, equal ones stay as they were', () => {
  const number = fc.constantFrom(-Infinity, -1, 0, 0.5, 1_700_000_000_000, Infinity);
  fc.assert(
    fc.property(fc.array(fc.tuple(number, number)), (items) => {
      const expected = [...items].sort(([a, b], [c, d]) => (a === c ? (b === d ? 0 : b < d ? -1 : 1) : a < c ? -1 : 1));
      const sorted = sortedBy(items, [([one]) => one, ([, two]) => two]);
      expect(sorted.every((item, at) => item === expected[at])).toBe(true);
      expect(sorted).toHaveLength(items.length);
    }),
  );
});
