import fc from 'fast-check';
import { expect, test } from '@jest/globals';
import { countOf, counted, Counts, type Tally } from '../../../machines/policy/tally.ts';
import { sizeOf } from '../../../machines/policy/tree.ts';

test('counts each key, forgets what has come to nothing, and never counts the empty key', () => {
  const steps = fc.array(fc.tuple(fc.constantFrom('', 'a', 'b', 'c'), fc.integer({ min: -2, max: 3 })), { maxLength: 30 });
  fc.assert(
    fc.property(steps, (changes) => {
      const expected = new Map<string, number>();
      let tally: Tally = undefined;
      for (const [key, change] of changes) {
        tally = counted(tally, key, change);
        if (key !== '') expected.set(key, Math.max(0, (expected.get(key) ?? 0) + change));
      }
      for (const key of ['', 'a', 'b', 'c']) expect(countOf(tally, key)).toBe(expected.get(key) ?? 0);
      expect(sizeOf(tally)).toBe([...expected.values()].filter((count) => count > 0).length);
    }),
  );
});

test('an earlier tally stays as it was', () => {
  const one = counted(undefined, 'a', 1);
  counted(one, 'a', 5);
  expect(countOf(one, 'a')).toBe(1);
});

test('what is counted at once is what is counted one by one', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('', 'a', 'b', 'c')), (keys) => {
      const counts = new Counts();
      for (const key of keys) counts.add(key);
      const oneByOne = keys.reduce<Tally>((tally, key) => counted(tally, key, 1), undefined);
      expect(counts.tally()).toEqual(oneByOne);
    }),
  );
});
