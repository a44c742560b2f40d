/**
 * Every known peer, with the indexes that make each question about them a walk down a tree: who is due next, who is best, who is worth least.
 * Immutable, like the rows in it. A peer is either at rest, then it is in the indexes, or live, then only its row is here.
 */
import type { NodeId } from '../proto/identity.ts';
import type { AddressRow, PeerRow } from './peer-row.ts';
import {
  filed,
  filedAtOnce,
  nextTargetAt,
  noTargets,
  ordinaryTarget,
  slotlessTarget,
  targetsAt,
  slotless,
  targetsOfAll,
  unfiled,
  type Target,
  type TargetRules,
  type Targets,
} from './peer-targets.ts';
import { isTellable } from './policy/advertise.ts';
import { groupOf, groupOfAddress, hostOf, isCountedHost } from './policy/place.ts';
import { isBanned } from './policy/score.ts';
import { byBanEnd, byId, byWorth, worthNumbers } from './policy/select.ts';
import { countOf, counted, Counts, type Tally } from './policy/tally.ts';
import { find, first, fromSorted, insert, itemsOf, last, nth, remove, sizeOf, sortedBy, type Tree } from './policy/tree.ts';

/** What the indexes depend on besides the rows; fixed for the life of a manager. */
export type BookRules = TargetRules & Readonly<{ maxPeers: number }>;

/** How much of the book is taken by whom, and where. */
type Shares = Readonly<{
  /** Unverified addresses by who told us of them. */
  sources: Tally;
  /** Addresses that neither operator nor host added, by network. */
  groups: Tally;
  /** Hearsay that was never dialed, by host. */
  hosts: Tally;
}>;

export type PeerBook = Readonly<{
  rules: BookRules;
  /** Every peer by id. */
  rows: Tree<PeerRow>;
  /** Whom to dial of those at rest. */
  targets: Targets;
  /** At rest and free to be forgotten, worth most first. */
  loose: Tree<PeerRow>;
  /** At rest and banned, soonest to be free first. */
  bans: Tree<PeerRow>;
  /** Peers with an address that may be told to others. */
  tellable: Tree<PeerRow>;
  shares: Shares;
}>;

const noShares: Shares = { sources: undefined, groups: undefined, hosts: undefined };

export function emptyBook(rules: BookRules): PeerBook {
  const none = undefined;
  return { rules, rows: none, targets: noTargets(rules), loose: none, bans: none, tellable: none, shares: noShares };
}

/** A book of many resting peers at once: sorting once costs a fraction of adding them one by one. */
export function bookOf(rules: BookRules, rows: readonly PeerRow[], now: number): PeerBook {
  const { persistent } = rules;
  // Nearly always in order already, since a table is read in the order of its keys. What is sorted from here on leaves equals in that order.
  const inOrder = [...rows].sort(byId);
  const targets = targetsOfAll(rules, inOrder);
  const loose = inOrder.filter((row) => !isBanned(row, now) && !persistent.has(row.id));
  return {
    rules,
    rows: fromSorted(inOrder),
    targets: filedAtOnce(rules, targets, now),
    loose: fromSorted(sortedBy(loose, worthNumbers)),
    bans: fromSorted(inOrder.filter((row) => isBanned(row, now)).sort(byBanEnd)),
    tellable: fromSorted(inOrder.filter((row) => row.addresses.some(isTellable))),
    shares: sharesOf(rules, targets),
  };
}

export function rowOf(book: PeerBook, id: NodeId): PeerRow | undefined {
  return find(book.rows, (row) => (id < row.id ? -1 : id > row.id ? 1 : 0));
}

/** How many unverified addresses a source has given us that we still keep. */
export const shareOf = (book: PeerBook, source: string): number => countOf(book.shares.sources, source);

/** How many addresses in the network of a host others have given us; 0 for a host to which no limit applies. */
export function groupShareOf({ shares, rules }: PeerBook, host: string): number {
  const group = groupOf(host, rules.loopbackIsPublic);
  return group === '' ? 0 : countOf(shares.groups, group);
}

/** How many addresses of a host we only know by hearsay and have never dialed; 0 for a host to which no limit applies. */
export const hostShareOf = (book: PeerBook, host: string): number => countOf(book.shares.hosts, host);

/** Hearsay is what others told us and no connection has confirmed. */
export const isHearsay = ({ source, lastSuccess }: AddressRow): boolean => source.startsWith('gossip:') && lastSuccess === 0;

/** Under which names an address counts for the shares; empty where it does not. */
function shareKeysOf({ loopbackIsPublic }: BookRules, address: AddressRow, group = ''): Readonly<Record<keyof Shares, string>> {
  if (address.source === 'operator' || address.source === 'host') return { groups: '', sources: '', hosts: '' };
  const groups = group === '' || group === slotless ? groupOfAddress(address.address, loopbackIsPublic) : group;
  if (!isHearsay(address)) return { groups, sources: '', hosts: '' };
  const host = address.failures === 0 ? hostOf(address.address) : '';
  return { groups, sources: address.source, hosts: isCountedHost(host, loopbackIsPublic) ? host : '' };
}

/** The shares of many addresses at once; what targets know of their networks is not worked out again. */
function sharesOf(rules: BookRules, targets: readonly Target[]): Shares {
  const [sources, groups, hosts] = [new Counts(), new Counts(), new Counts()];
  for (const { address, group } of targets) {
    const keys = shareKeysOf(rules, address, group);
    sources.add(keys.sources);
    groups.add(keys.groups);
    hosts.add(keys.hosts);
  }
  return { sources: sources.tally(), groups: groups.tally(), hosts: hosts.tally() };
}

function tallied(rules: BookRules, shares: Shares, row: PeerRow, change: 1 | -1): Shares {
  let { sources, groups, hosts } = shares;
  for (const address of row.addresses) {
    const keys = shareKeysOf(rules, address);
    groups = counted(groups, keys.groups, change);
    sources = counted(sources, keys.sources, change);
    hosts = counted(hosts, keys.hosts, change);
  }
  return sources === shares.sources && groups === shares.groups && hosts === shares.hosts ? shares : { sources, groups, hosts };
}

/** Puts a row in place of what was known, without touching the indexes of resting peers: the row of a live peer. */
export function withRow(book: PeerBook, row: PeerRow): PeerBook {
  const old = rowOf(book, row.id);
  if (old === row) return book;
  const rows = insert(book.rows, row, byId);
  // Only addresses count for shares and can be told; most changes are of other facts.
  if (old?.addresses === row.addresses)
    return { ...book, rows, tellable: find(book.tellable, sideOf(row)) ? insert(book.tellable, row, byId) : book.tellable };
  const shares = tallied(book.rules, old ? tallied(book.rules, book.shares, old, -1) : book.shares, row, 1);
  const tellable = row.addresses.some(isTellable) ? insert(book.tellable, row, byId) : remove(book.tellable, row, byId);
  return { ...book, rows, shares, tellable };
}

const sideOf =
  ({ id }: PeerRow) =>
  (row: PeerRow): number =>
    id < row.id ? -1 : id > row.id ? 1 : 0;

/** Takes a peer out of the indexes of resting peers, since it goes live or changes; none is removed that is not there. */
export function awakened(book: PeerBook, id: NodeId): PeerBook {
  const row = rowOf(book, id);
  if (!row) return book;
  return { ...book, targets: unfiled(book.targets, row), loose: remove(book.loose, row, byWorth), bans: remove(book.bans, row, byBanEnd) };
}

/** Puts a peer to rest with this row; a held one is not to be dialed at all. */
export function rested(book: PeerBook, row: PeerRow, facts: Readonly<{ held: boolean; now: number }>): PeerBook {
  const next = withRow(awakened(book, row.id), row);
  const isBannedNow = isBanned(row, facts.now);
  return {
    ...next,
    targets: facts.held ? next.targets : filed(targetsAt(next.targets, facts.now), row),
    loose: isBannedNow || book.rules.persistent.has(row.id) ? next.loose : insert(next.loose, row, byWorth),
    bans: isBannedNow ? insert(next.bans, row, byBanEnd) : next.bans,
  };
}

/** Forgets a peer. */
export function without(book: PeerBook, id: NodeId): PeerBook {
  const row = rowOf(book, id);
  if (!row) return book;
  const next = awakened(book, id);
  const shares = tallied(book.rules, next.shares, row, -1);
  return { ...next, shares, rows: remove(next.rows, row, byId), tellable: remove(next.tellable, row, byId) };
}

/** The book at a later time: whoever has become due is due, whose ban has ended is free. Each peer moves once, whatever the number of looks. */
export function advanced(book: PeerBook, now: number): PeerBook {
  let next = book;
  for (let row = first(next.bans); row && !isBanned(row, now); row = first(next.bans)) {
    const bans = remove(next.bans, row, byBanEnd);
    next = { ...next, bans, loose: next.rules.persistent.has(row.id) ? next.loose : insert(next.loose, row, byWorth) };
  }
  const targets = targetsAt(next.targets, now);
  return targets === next.targets ? next : { ...next, targets };
}

/** When `advanced` has something to do next; Infinity for never. */
export function nextChangeAt(book: PeerBook): number {
  return Math.min(nextTargetAt(book.targets), first(book.bans)?.bannedUntil ?? Infinity);
}

/** The address of a persistent peer that is due. */
export const persistentToDial = ({ targets }: PeerBook): Target | undefined => first(targets.persistent);

/** An address of any other that is due: the best, or every third time one by chance. */
export const ordinaryToDial = ({ targets }: PeerBook, picks: number, roll: number): Target | undefined =>
  ordinaryTarget(targets, picks, roll);

/** An address of an unconditional peer that is due. */
export const unconditionalToDial = ({ targets }: PeerBook): Target | undefined => slotlessTarget(targets);

/** The best address of an ordinary peer that is due and did not have to make room since it was last dialed. */
export const bestToDial = ({ targets }: PeerBook): Target | undefined => first(targets.heads);

/** Those that had to make room are due like all others, now that there is some. */
export function released(book: PeerBook, now: number): PeerBook {
  return [...itemsOf(book.targets.displaced)].reduce(
    (next, { row }) => rested(next, { ...row, displacedAt: 0 }, { held: false, now }),
    book,
  );
}

/** Whom to forget so that the book fits its limit: the one worth least; banned peers only beyond a quarter of the book. Undefined when it fits, or all are needed. */
export function surplus(book: PeerBook): PeerRow | undefined {
  const { maxPeers } = book.rules;
  if (sizeOf(book.rows) <= maxPeers) return undefined;
  if (sizeOf(book.bans) > Math.max(1, Math.floor(maxPeers / 4))) return first(book.bans);
  return last(book.loose);
}

/** Rows to choose addresses to tell from: all that have some, or `most` of them drawn without replacement. */
export function tellableSample(book: PeerBook, most: number, random: () => number): readonly PeerRow[] {
  const size = sizeOf(book.tellable);
  if (size <= most) return [...itemsOf(book.tellable)];
  const drawn = new Set<number>();
  // Floyd's draw: one roll an item, whatever the dice.
  for (let bound = size - most; bound < size; bound++) {
    const position = Math.floor(random() * (bound + 1));
    drawn.add(drawn.has(position) ? bound : position);
  }
  return [...drawn].map((position) => nth(book.tellable, position)!);
}
