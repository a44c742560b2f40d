import { expect, test } from '@jest/globals';
import { awakened, bookOf, ordinaryToDial, rested, type BookRules } from '../../machines/peer-book.ts';
import { blankRow, type PeerRow } from '../../machines/peer-row.ts';
import { find, fromSorted, insert, remove } from '../../machines/policy/tree.ts';
import { parseNodeId } from '../../proto/identity.ts';

const now = 1_000_000;
const [few, many] = [1_000, 100_000];

/** Comparisons that it takes at most to find, to put in and to take out one of so many items. */
function comparisons(size: number): number {
  let count = 0;
  const order = (a: number, b: number): number => (count++, a - b);
  const tree = fromSorted(Array.from({ length: size }, (_, n) => 2 * n));
  let most = 0;
  for (let n = 0; n < 200; n++) {
    const item = 2 * Math.floor((n * size) / 200);
    count = 0;
    find(tree, (other) => order(item, other));
    insert(tree, item + 1, order);
    remove(tree, item, order);
    most = Math.max(most, count);
  }
  return most;
}

test('in a set of 100,000 an item is found, put in and taken out with at most twice the comparisons of a set of 1,000', () => {
  expect(comparisons(few)).toBeGreaterThan(10);
  expect(comparisons(many)).toBeLessThanOrEqual(2 * comparisons(few));
});

/** Readings of rows that it takes on average to choose the next peer, take it out of the indexes and put it back after a failed dial. */
function readings(size: number): number {
  let count = 0;
  const watched = (n: number): PeerRow => {
    const id = parseNodeId(((n * 2_654_435_761) % 2 ** 32).toString(16).padStart(8, '0').repeat(5));
    const address = `mconn://${id}@${1 + (n % 9)}.${(n >> 8) & 255}.${n & 255}.9:26656`;
    const times = { lastSuccess: 0, lastFailure: n, failures: 0, notBefore: 0 };
    const row: PeerRow = { ...blankRow(id), score: n % 60, scoreEpoch: 1, addresses: [{ address, ...times, source: 'host' }] };
    return new Proxy(row, { get: (target, key, receiver) => (count++, Reflect.get(target, key, receiver) as unknown) });
  };
  const rules: BookRules = {
    cooldownMs: 100,
    persistent: new Set(),
    unconditional: new Set(),
    outboundPerGroup: 2,
    loopbackIsPublic: false,
    maxPeers: size,
  };
  let book = bookOf(
    rules,
    Array.from({ length: size }, (_, n) => watched(n)),
    now,
  );
  const rounds = 300;
  count = 0;
  for (let round = 0; round < rounds; round++) {
    const { row } = ordinaryToDial(book, round % 3, ((round * 7) % rounds) / rounds)!;
    book = rested(awakened(book, row.id), row, { held: false, now });
  }
  return count / rounds;
}

test('choosing the next of 100,000 known peers, and filing it again, takes at most twice the readings that it takes with 1,000', () => {
  const [least, most] = [readings(few), readings(many)];
  expect(least).toBeGreaterThan(10);
  expect(most).toBeLessThanOrEqual(2 * least);
});
