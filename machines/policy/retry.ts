/** When a peer may be dialed again. Pure functions over rows; chance is an argument. */
import type { DialerOptions } from '../../proto/options.ts';
import type { AddressRow, PeerClass, PeerRow } from '../peer-row.ts';
import { shortText } from '../peer-row.ts';
import { epochOf } from './score.ts';

/** The part of the dialer's options that decides about time. */
export type RetryOptions = Pick<DialerOptions, 'minRetryMs' | 'maxRetryMs' | 'maxRetryPersistentMs' | 'cooldownMs'>;

/** Longest back-off of a persistent peer that rejected us. */
const maxRejectedMs = 30_000;
const mostFailures = 1_000_000;
/** How long a peer of another network or block version is left alone: only an upgrade of one of us changes that. */
export const incompatibleMs = 86_400_000;

/** Longest back-off of a peer, in milliseconds. */
export function retryCap(options: RetryOptions, peerClass: PeerClass, rejected: boolean): number {
  if (peerClass !== 'persistent') return options.maxRetryMs;
  return rejected ? Math.min(maxRejectedMs, options.maxRetryPersistentMs) : options.maxRetryPersistentMs;
}

/** Exponential back-off with full jitter: a `roll` in [0, 1) of a span that doubles with each failure up to the cap; at least 1 ms. */
export function retryDelay(options: RetryOptions, failures: number, capMs: number, roll: number): number {
  // 2^31 times a millisecond is beyond every cap, so larger exponents say nothing new.
  const span = Math.min(capMs, options.minRetryMs * 2 ** Math.min(Math.max(failures, 1) - 1, 31));
  return Math.max(1, Math.ceil(roll * span));
}

/** What a failed dial leaves on a row. An address the row does not have changes nothing. */
export function withFailure(
  row: PeerRow,
  failure: Readonly<{ address: string; failures: number; capMs: number; options: RetryOptions; reason: string; now: number; roll: number }>,
): PeerRow {
  const { now, options } = failure;
  if (!row.addresses.some((each) => each.address === failure.address)) return row;
  const failures = Math.min(failure.failures, mostFailures);
  const addresses = row.addresses.map((each) =>
    each.address === failure.address
      ? { ...each, failures, lastFailure: now, notBefore: now + retryDelay(options, failures, failure.capMs, failure.roll) }
      : each,
  );
  return { ...row, addresses, lastReason: shortText(failure.reason) };
}

/** What a successful dial leaves: the address is verified, its failures are over. */
export function withSuccess(row: PeerRow, address: string, now: number): PeerRow {
  const addresses = row.addresses.map((each) =>
    each.address === address ? { ...each, failures: 0, notBefore: 0, lastSuccess: now } : each,
  );
  return { ...row, addresses, lastConnected: now };
}

/** A row that nothing but a ban keeps from being dialed at once. */
export function withoutBackoff(row: PeerRow): PeerRow {
  return {
    ...row,
    inactiveUntil: 0,
    dampedUntil: 0,
    displacedAt: 0,
    lastDisconnected: 0,
    addresses: row.addresses.map((each) => ({ ...each, notBefore: 0 })),
  };
}

/** The time before which none of a resting peer's addresses may be dialed. */
export function restingUntil(row: PeerRow, cooldownMs: number): number {
  const cool = row.lastDisconnected > 0 ? row.lastDisconnected + cooldownMs : 0;
  return Math.max(cool, row.inactiveUntil, row.dampedUntil, row.bannedUntil);
}

/** The earliest time at which a resting peer may be dialed; Infinity without an address. */
export function dialableAt(row: PeerRow, cooldownMs: number): number {
  let earliest = Infinity;
  for (const each of row.addresses) earliest = Math.min(earliest, each.notBefore);
  return Math.max(earliest, restingUntil(row, cooldownMs));
}

/** The address to dial: of those that are due the last to have worked, then the one that failed least, then the one that failed longest ago. */
export function dueAddress(row: PeerRow, now: number): AddressRow | undefined {
  let best: AddressRow | undefined;
  for (const each of row.addresses) {
    if (each.notBefore > now) continue;
    if (!best || compareAddresses(each, best) < 0) best = each;
  }
  return best;
}

/** Best to dial first. */
export function compareAddresses(a: AddressRow, b: AddressRow): number {
  return (
    b.lastSuccess - a.lastSuccess ||
    a.failures - b.failures ||
    a.lastFailure - b.lastFailure ||
    (a.address < b.address ? -1 : a.address > b.address ? 1 : 0)
  );
}

const yearMs = 365 * 86_400_000;
/** Longest time that a peer which connected too often is left alone. */
const longestDampMs = 86_400_000;
/** Longest ban that an operator may set, and the latest end of one that is believed when read. */
export const longestBanMs = yearMs;

/** A stored row with no time in the future that a clock set back could have left there: what happened, happened by now; what is awaited, is awaited no longer than ever allowed. */
export function clamped(row: PeerRow, options: RetryOptions, now: number): PeerRow {
  const past = (time: number): number => Math.min(time, now);
  const cap = Math.max(options.maxRetryMs, options.maxRetryPersistentMs);
  let latest = Math.max(row.lastConnected, row.lastDisconnected, row.displacedAt, row.anchoredAt);
  let awaited = 0;
  for (const each of row.addresses) {
    latest = Math.max(latest, each.lastSuccess, each.lastFailure);
    awaited = Math.max(awaited, each.notBefore);
  }
  for (const each of row.reports) latest = Math.max(latest, each.at);
  // Nearly always so, and then no copy is made of what may be a hundred thousand rows.
  const isHeldBackRightly =
    row.dampedUntil <= now + longestDampMs &&
    row.inactiveUntil <= now + Math.max(cap, incompatibleMs) &&
    row.bannedUntil <= now + longestBanMs;
  const bannedUntil = Math.min(row.bannedUntil, now + longestBanMs);
  // A ban sets the score as of its end.
  const scoreEpoch = Math.min(row.scoreEpoch, epochOf(Math.max(now, bannedUntil)));
  if (latest <= now && awaited <= now + cap && isHeldBackRightly && scoreEpoch === row.scoreEpoch) return row;
  const addresses = row.addresses.map((each) => ({
    ...each,
    lastSuccess: past(each.lastSuccess),
    lastFailure: past(each.lastFailure),
    notBefore: Math.min(each.notBefore, now + cap),
  }));
  return {
    ...row,
    addresses,
    lastConnected: past(row.lastConnected),
    lastDisconnected: past(row.lastDisconnected),
    inactiveUntil: Math.min(row.inactiveUntil, now + Math.max(cap, incompatibleMs)),
    dampedUntil: Math.min(row.dampedUntil, now + longestDampMs),
    displacedAt: past(row.displacedAt),
    anchoredAt: past(row.anchoredAt),
    bannedUntil,
    scoreEpoch,
    reports: row.reports.map((each) => ({ ...each, at: past(each.at) })),
  };
}
