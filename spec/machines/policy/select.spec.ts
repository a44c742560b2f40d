import { expect, test } from '@jest/globals';
import { blankRow, type AddressRow, type PeerRow } from '../../../machines/peer-row.ts';
import { byBanEnd, byPromise, byWorth, pickIndex } from '../../../machines/policy/select.ts';
import { idOf } from '../../support/manager.ts';

const rowOf = (digit: string, changes: Partial<PeerRow> = {}, address: Partial<AddressRow> = {}): PeerRow => ({
  ...blankRow(idOf(digit)),
  addresses: [{ address: digit, lastSuccess: 0, lastFailure: 0, failures: 0, notBefore: 0, source: 'host', ...address }],
  ...changes,
});
const order = (compare: (a: PeerRow, b: PeerRow) => number, ...rows: readonly PeerRow[]): string =>
  [...rows]
    .sort(compare)
    .map((row) => row.id[0])
    .join('');

test('the best to dial has the best score, then the latest success, then the oldest failure, then the lowest id', () => {
  expect(order(byPromise, rowOf('a', { score: -1 }), rowOf('b'), rowOf('c', { score: 1 }))).toBe('cba');
  expect(order(byPromise, rowOf('a', {}, { lastSuccess: 1 }), rowOf('b', {}, { lastSuccess: 2 }), rowOf('c'))).toBe('bac');
  expect(order(byPromise, rowOf('a', {}, { lastFailure: 2 }), rowOf('b', {}, { lastFailure: 1 }), rowOf('c'))).toBe('cba');
  expect(order(byPromise, rowOf('b'), rowOf('a'))).toBe('ab');
});

test('worth keeping are those once reached before strangers, whatever their score', () => {
  const friend = rowOf('a', { score: -20 }, { lastSuccess: 5, failures: 3 });
  expect(order(byWorth, rowOf('b', { score: 5 }), friend, rowOf('c', {}, { failures: 1 }), rowOf('d'))).toBe('abdc');
});

test('being left alone changes neither who is better to dial nor who is worth keeping', () => {
  for (const alone of [{ inactiveUntil: 9 }, { dampedUntil: 9 }, { displacedAt: 9 }]) {
    expect(order(byPromise, rowOf('a', alone), rowOf('b'))).toBe('ab');
    expect(order(byWorth, rowOf('a', alone), rowOf('b'))).toBe('ab');
  }
});

test('bans end in order', () => {
  expect(order(byBanEnd, rowOf('a', { bannedUntil: 9 }), rowOf('b', { bannedUntil: 3 }))).toBe('ba');
});

test('two picks in three are the best, one is any by chance', () => {
  expect([0, 1, 2, 3, 4, 5].map((picks) => pickIndex(picks % 3, 0.75, 8))).toEqual([0, 0, 6, 0, 0, 6]);
  expect(pickIndex(2, 0.999_999, 8)).toBe(7);
  expect(pickIndex(2, 0, 8)).toBe(0);
});
