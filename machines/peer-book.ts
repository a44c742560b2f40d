/**
 * Every known peer, with the indexes that make each question about them a walk down a tree: who is due next, who is best, who is worth least.
 * Immutable, like the rows in it. A peer is either at rest, then it is in the indexes, or live, then only its row is here.
 */
import type { NodeId } from '../proto/identity.ts';
import type { PeerRow } from './peer-row.ts';
import { isTellable } from './policy/advertise.ts';
import { dialableAt } from './policy/retry.ts';
import { isBanned } from './policy/score.ts';
import { byBanEnd, byId, byPromise, byWorth, pickIndex } from './policy/select.ts';
import { find, first, fromSorted, insert, itemsOf, last, nth, remove, sizeOf, type Order, type Tree } from './policy/tree.ts';

/** What the indexes depend on besides the rows; fixed for the life of a manager. */
export type BookRules = Readonly<{
  cooldownMs: number;
  /** Dialed before all others and never forgotten. */
  persistent: ReadonlySet<NodeId>;
  maxPeers: number;
}>;

type Share = Readonly<{ source: string; count: number }>;

export type PeerBook = Readonly<{
  rules: BookRules;
  /** Every peer by id. */
  rows: Tree<PeerRow>;
  /** At rest and not yet to be dialed, by the time they may. */
  waiting: Tree<PeerRow>;
  /** At rest and due: persistent ones, and the others, best first. */
  duePersistent: Tree<PeerRow>;
  due: Tree<PeerRow>;
  /** At rest and free to be forgotten, worth most first. */
  loose: Tree<PeerRow>;
  /** At rest and banned, soonest to be free first. */
  bans: Tree<PeerRow>;
  /** Peers with an address that may be told to others. */
  tellable: Tree<PeerRow>;
  /** Unverified addresses by who told us of them. */
  shares: Tree<Share>;
}>;

const byShare: Order<Share> = (a, b) => (a.source < b.source ? -1 : a.source > b.source ? 1 : 0);
const byTime =
  (cooldownMs: number): Order<PeerRow> =>
  (a, b) => {
    const [x, y] = [dialableAt(a, cooldownMs), dialableAt(b, cooldownMs)];
    return x < y ? -1 : x > y ? 1 : byId(a, b);
  };

export function emptyBook(rules: BookRules): PeerBook {
  const none = undefined;
  return { rules, rows: none, waiting: none, duePersistent: none, due: none, loose: none, bans: none, tellable: none, shares: none };
}

/** A book of many resting peers at once: sorting once costs a fraction of adding them one by one. */
export function bookOf(rules: BookRules, rows: readonly PeerRow[], now: number): PeerBook {
  const { cooldownMs, persistent } = rules;
  const tree = (order: Order<PeerRow>, keep: (row: PeerRow) => boolean): Tree<PeerRow> => fromSorted(rows.filter(keep).sort(order));
  const at = (row: PeerRow): number => dialableAt(row, cooldownMs);
  const book: PeerBook = {
    rules,
    rows: tree(byId, () => true),
    waiting: tree(byTime(cooldownMs), (row) => at(row) > now && at(row) < Infinity),
    duePersistent: tree(byPromise, (row) => at(row) <= now && persistent.has(row.id)),
    due: tree(byPromise, (row) => at(row) <= now && !persistent.has(row.id)),
    loose: tree(byWorth, (row) => !isBanned(row, now) && !persistent.has(row.id)),
    bans: tree(byBanEnd, (row) => isBanned(row, now)),
    tellable: tree(byId, (row) => row.addresses.some(isTellable)),
    shares: undefined,
  };
  return rows.reduce((sum, row) => counted(sum, row, 1), book);
}

export function rowOf(book: PeerBook, id: NodeId): PeerRow | undefined {
  return find(book.rows, (row) => (id < row.id ? -1 : id > row.id ? 1 : 0));
}

/** How many unverified addresses a source has given us that we still keep. */
export function shareOf(book: PeerBook, source: string): number {
  return find(book.shares, (share) => (source < share.source ? -1 : source > share.source ? 1 : 0))?.count ?? 0;
}

function counted(book: PeerBook, row: PeerRow, change: 1 | -1): PeerBook {
  let { shares } = book;
  for (const { source, lastSuccess } of row.addresses) {
    if (lastSuccess > 0 || !source.startsWith('gossip:')) continue;
    const count = shareOf({ ...book, shares }, source) + change;
    shares = count > 0 ? insert(shares, { source, count }, byShare) : remove(shares, { source, count }, byShare);
  }
  return shares === book.shares ? book : { ...book, shares };
}

/** Puts a row in place of what was known, without touching the indexes of resting peers: the row of a live peer. */
export function withRow(book: PeerBook, row: PeerRow): PeerBook {
  const old = rowOf(book, row.id);
  if (old === row) return book;
  const next = counted(old ? counted(book, old, -1) : book, row, 1);
  const tellable = row.addresses.some(isTellable) ? insert(next.tellable, row, byId) : remove(next.tellable, row, byId);
  return { ...next, rows: insert(next.rows, row, byId), tellable };
}

/** Takes a resting peer out of the indexes, since it goes live or its row changes. Its row stays. */
export function awakened(book: PeerBook, id: NodeId): PeerBook {
  const row = rowOf(book, id);
  if (!row) return book;
  return {
    ...book,
    waiting: remove(book.waiting, row, byTime(book.rules.cooldownMs)),
    duePersistent: remove(book.duePersistent, row, byPromise),
    due: remove(book.due, row, byPromise),
    loose: remove(book.loose, row, byWorth),
    bans: remove(book.bans, row, byBanEnd),
  };
}

/** Puts a peer to rest with this row; a held one is not to be dialed at all. */
export function rested(book: PeerBook, row: PeerRow, facts: Readonly<{ held: boolean; now: number }>): PeerBook {
  const { cooldownMs, persistent } = book.rules;
  const next = withRow(awakened(book, row.id), row);
  const at = facts.held ? Infinity : dialableAt(row, cooldownMs);
  const isPersistent = persistent.has(row.id);
  const isBannedNow = isBanned(row, facts.now);
  return {
    ...next,
    waiting: at > facts.now && at < Infinity ? insert(next.waiting, row, byTime(cooldownMs)) : next.waiting,
    duePersistent: at <= facts.now && isPersistent ? insert(next.duePersistent, row, byPromise) : next.duePersistent,
    due: at <= facts.now && !isPersistent ? insert(next.due, row, byPromise) : next.due,
    loose: isBannedNow || isPersistent ? next.loose : insert(next.loose, row, byWorth),
    bans: isBannedNow ? insert(next.bans, row, byBanEnd) : next.bans,
  };
}

/** Forgets a peer. */
export function without(book: PeerBook, id: NodeId): PeerBook {
  const row = rowOf(book, id);
  if (!row) return book;
  const next = counted(awakened(book, id), row, -1);
  return { ...next, rows: remove(next.rows, row, byId), tellable: remove(next.tellable, row, byId) };
}

/** The book at a later time: whoever has become due is due, whose ban has ended is free. Each peer moves once, whatever the number of looks. */
export function advanced(book: PeerBook, now: number): PeerBook {
  let next = book;
  for (let row = first(next.bans); row && !isBanned(row, now); row = first(next.bans)) {
    const bans = remove(next.bans, row, byBanEnd);
    next = { ...next, bans, loose: next.rules.persistent.has(row.id) ? next.loose : insert(next.loose, row, byWorth) };
  }
  const { cooldownMs, persistent } = book.rules;
  for (let row = first(next.waiting); row && dialableAt(row, cooldownMs) <= now; row = first(next.waiting)) {
    const waiting = remove(next.waiting, row, byTime(cooldownMs));
    next = persistent.has(row.id)
      ? { ...next, waiting, duePersistent: insert(next.duePersistent, row, byPromise) }
      : { ...next, waiting, due: insert(next.due, row, byPromise) };
  }
  return next;
}

/** When `advanced` has something to do next; Infinity for never. */
export function nextChangeAt(book: PeerBook): number {
  const waiting = first(book.waiting);
  const ban = first(book.bans);
  return Math.min(waiting ? dialableAt(waiting, book.rules.cooldownMs) : Infinity, ban ? ban.bannedUntil : Infinity);
}

/** The peer to dial next: persistent first; of the rest by rank, or every third time by chance. */
export function nextToDial(book: PeerBook, facts: Readonly<{ hasRoom: boolean; picks: number; roll: number }>): PeerRow | undefined {
  const persistent = first(book.duePersistent);
  if (persistent || !facts.hasRoom) return persistent;
  return nth(book.due, pickIndex(facts.picks, facts.roll, sizeOf(book.due)));
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
