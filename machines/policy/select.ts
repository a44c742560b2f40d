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

/** What `byWorth` compares, in its order, smallest first; ids come after. */
export const worthNumbers: readonly ((row: PeerRow) => number)[] = [
  (row) => (lastSuccessOf(row) > 0 ? 0 : 1),
  (row) => -scoreRank(row),
  failuresOf,
  (row) => -lastSuccessOf(row),
];

/**
 * Worth keeping first. Peers once reached come before those never reached, so that strangers do not displace friends that fail for a moment;
 * then score, fewest failures, last success, id.
 */
export function byWorth(a: PeerRow, b: PeerRow): number {
  for (const numberOf of worthNumbers) {
    const side = numberOf(a) - numberOf(b);
    if (side < 0 || side > 0) return side;
  }
  return byId(a, b);
}

/** Soonest to be unbanned first. */
export function byBanEnd(a: PeerRow, b: PeerRow): number {
  return a.bannedUntil - b.bannedUntil || byId(a, b);
}

export { byId };

/** Which of `size` ranked candidates to take: two picks in three the first, one in three any of them by chance. */
export function pickIndex(picks: number, roll: number, size: number): number {
  return picks % 3 === 2 ? Math.min(size - 1, Math.floor(roll * size)) : 0;
}
