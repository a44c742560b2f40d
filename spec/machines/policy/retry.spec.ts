import fc from 'fast-check';
import { describe, expect, test } from '@jest/globals';
import { blankRow, type AddressRow, type PeerRow } from '../../../machines/peer-row.ts';
import {
  clamped,
  dialableAt,
  dueAddress,
  incompatibleMs,
  longestBanMs,
  retryCap,
  retryDelay,
  withFailure,
  withSuccess,
  withoutBackoff,
} from '../../../machines/policy/retry.ts';
import { idOf } from '../../support/manager.ts';

const now = 1_700_000_000_000;
const options = { minRetryMs: 250, maxRetryMs: 1_800_000, maxRetryPersistentMs: 30_000, cooldownMs: 2_000 };
const address = (name: string, changes: Partial<AddressRow> = {}): AddressRow => ({
  address: name,
  lastSuccess: 0,
  lastFailure: 0,
  failures: 0,
  notBefore: 0,
  source: 'host',
  ...changes,
});
const rowOf = (...addresses: readonly AddressRow[]): PeerRow => ({ ...blankRow(idOf('a')), addresses });

test('the span of the back-off doubles with each failure up to the cap, and chance decides within it', () => {
  const longest = (failures: number): number => retryDelay(options, failures, options.maxRetryMs, 0.999_999_999);
  expect([1, 2, 3, 4, 13, 14, 100, 2 ** 32 - 1].map(longest)).toEqual([250, 500, 1_000, 2_000, 1_024_000, 1_800_000, 1_800_000, 1_800_000]);
  expect(retryDelay(options, 4, options.maxRetryMs, 0.25)).toBe(500);
});

test('a delay is never zero, and at the cap there is still chance in it', () => {
  expect(retryDelay(options, 1, options.maxRetryMs, 0)).toBe(1);
  expect(retryDelay(options, 100, options.maxRetryMs, 0.5)).toBe(900_000);
});

test('delays are whole and within bounds for any failures and roll', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 2 ** 32 - 1 }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (failures, roll) => {
        const delay = retryDelay(options, failures, options.maxRetryMs, roll);
        expect(Number.isInteger(delay) && delay >= 1 && delay <= options.maxRetryMs).toBe(true);
      },
    ),
  );
});

test('persistent peers are tried again sooner, rejected ones within thirty seconds', () => {
  const slow = { ...options, maxRetryPersistentMs: 300_000 };
  expect(retryCap(slow, 'ordinary', false)).toBe(1_800_000);
  expect(retryCap(slow, 'persistent', false)).toBe(300_000);
  expect(retryCap(slow, 'persistent', true)).toBe(30_000);
});

test('a failure is counted on its address alone', () => {
  const row = withFailure(rowOf(address('x'), address('y')), {
    address: 'x',
    failures: 3,
    capMs: 1e6,
    options,
    reason: 'ERR_DIAL_TIMEOUT',
    now,
    roll: 0.5,
  });
  expect(row.addresses).toEqual([address('x', { failures: 3, lastFailure: now, notBefore: now + 500 }), address('y')]);
  expect(row.lastReason).toBe('ERR_DIAL_TIMEOUT');
});

test('a failure of an address that is not known changes nothing', () => {
  const row = rowOf(address('x'));
  expect(withFailure(row, { address: 'z', failures: 1, capMs: 1, options, reason: '', now, roll: 0 })).toBe(row);
});

test('a success ends the failures of its address', () => {
  const row = withSuccess(rowOf(address('x', { failures: 9, notBefore: now + 5 }), address('y', { failures: 2 })), 'x', now);
  expect(row).toMatchObject({
    lastConnected: now,
    addresses: [
      { failures: 0, notBefore: 0, lastSuccess: now },
      { failures: 2, lastSuccess: 0 },
    ],
  });
});

describe('a peer may be dialed', () => {
  const at = (row: PeerRow): number => dialableAt(row, options.cooldownMs);
  test.each<[string, PeerRow, number]>([
    ['never without an address', rowOf(), Infinity],
    ['at once when fresh', rowOf(address('x')), 0],
    ['when its first address is due', rowOf(address('x', { notBefore: 9 }), address('y', { notBefore: 7 })), 7],
    ['only after the cool-down', { ...rowOf(address('x')), lastDisconnected: now }, now + 2_000],
    ['only after its pause', { ...rowOf(address('x')), inactiveUntil: 8 }, 8],
    ['only after its ban', { ...rowOf(address('x', { notBefore: 5 })), inactiveUntil: 6, bannedUntil: 11 }, 11],
  ])('%s', (_, row, expected) => {
    expect(at(row)).toBe(expected);
  });

  test('at once when the operator lifts what holds it back', () => {
    const row = { ...rowOf(address('x', { notBefore: now + 5, failures: 3 })), lastDisconnected: now, inactiveUntil: now + 9 };
    expect(at(withoutBackoff(row))).toBe(0);
    expect(withoutBackoff(row).addresses[0]).toMatchObject({ failures: 3 });
  });
});

test('of the addresses that are due the last to have worked is dialed, then the one with fewest failures, then the oldest failure', () => {
  const pick = (...addresses: readonly AddressRow[]): string | undefined => dueAddress(rowOf(...addresses), now)?.address;
  expect(pick(address('x'), address('y', { lastSuccess: 1 }))).toBe('y');
  expect(pick(address('x', { failures: 2 }), address('y', { failures: 1 }))).toBe('y');
  expect(pick(address('x', { failures: 1, lastFailure: 5 }), address('y', { failures: 1, lastFailure: 4 }))).toBe('y');
  expect(pick(address('x', { lastSuccess: 9, notBefore: now + 1 }), address('y', { failures: 7 }))).toBe('y');
  expect(pick(address('x', { notBefore: now + 1 }))).toBeUndefined();
});

describe('times that a wrong clock wrote', () => {
  test.each([86_400_000, 10 * longestBanMs])('%i ms ahead are set right when a row is read', (ahead) => {
    const later = now + ahead;
    const row: PeerRow = {
      ...rowOf(address('x', { lastSuccess: later, lastFailure: later, notBefore: later })),
      lastConnected: later,
      lastDisconnected: later,
      inactiveUntil: later,
      bannedUntil: now + 2 * longestBanMs,
      reports: [{ at: later, behaviour: 'useful', reason: '', times: 1 }],
    };
    const read = clamped(row, options, now);
    expect(read.addresses[0]).toMatchObject({ lastSuccess: now, lastFailure: now });
    expect([read.lastConnected, read.lastDisconnected, read.reports[0]?.at]).toEqual([now, now, now]);
    expect(read.bannedUntil).toBe(now + longestBanMs);
    expect(read.inactiveUntil).toBeLessThanOrEqual(now + incompatibleMs);
    expect(dialableAt({ ...read, bannedUntil: 0, inactiveUntil: 0 }, options.cooldownMs)).toBeLessThanOrEqual(now + options.maxRetryMs);
  });

  test('in the past change nothing, and no copy is made', () => {
    const row = { ...rowOf(address('x', { notBefore: now + 5 })), lastConnected: now };
    expect(clamped(row, options, now)).toBe(row);
  });
});
