/** Whom to dial next and whom to forget first. Orders over rows, so that an index kept in them never needs sorting. */
import type { PeerRow } from '../peer-row.ts';
import { scoreRank } from './score.ts';

const byId = (a: PeerRow, b: PeerRow): number => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);

/** When a peer was last reached, 0 for never. */
export function lastSuccessOf(row: PeerRow): number {
  let latest = 0;
  for (const each of row.addresses) latest = Math.max(latest, each.lastSuccess);
  return latest;
}

/** When a dial to the peer last failed, 0 for never. */
export function lastFailureOf(row: PeerRow): number {
  let latest = 0;
  for (const each of row.addresses) latest = Math.max(latest, each.lastFailure);
  return latest;
}

function failuresOf(row: PeerRow): number {
  let fewest = Infinity;
  for (const each of row.addresses) fewest = Math.min(fewest, each.failures);
  return fewest;
}

/** Best to dial first among those of one score: last success, then oldest failure, then id. */
export function byReach(a: PeerRow, b: PeerRow): number {
  return lastSuccessOf(b) - lastSuccessOf(a) || lastFailureOf(a) - lastFailureOf(b) || byId(a, b);
}

/** Best to dial first: score, then last success, then oldest failure, then id. */
export function byPromise(a: PeerRow, b: PeerRow): number {
  return scoreRank(b) - scoreRank(a) || byReach(a, b);
}

/** What keeping a row is worth, worked out once where a row is compared with many. */
export type Worth = Readonly<{ row: PeerRow; rank: number; reached: number; failures: number }>;

export function worthOf(row: PeerRow): Worth {
  return { row, rank: scoreRank(row), reached: lastSuccessOf(row), failures: failuresOf(row) };
}

/**
 * Worth keeping first. Peers once reached come before those never reached, so that strangers do not displace friends that fail for a moment;
 * then score, fewest failures, last success, id.
 */
export function compareWorth(a: Worth, b: Worth): number {
  if (a.reached > 0 !== b.reached > 0) return a.reached > 0 ? -1 : 1;
  return b.rank - a.rank || a.failures - b.failures || b.reached - a.reached || byId(a.row, b.row);
}

/** The same for rows. */
export const byWorth = (a: PeerRow, b: PeerRow): number => compareWorth(worthOf(a), worthOf(b));

/** Soonest to be unbanned first. */
export function byBanEnd(a: PeerRow, b: PeerRow): number {
  return a.bannedUntil - b.bannedUntil || byId(a, b);
}

export { byId };

/** Which of `size` ranked candidates to take: two picks in three the first, one in three any of them by chance. */
export function pickIndex(picks: number, roll: number, size: number): number {
  return picks % 3 === 2 ? Math.min(size - 1, Math.floor(roll * size)) : 0;
}
