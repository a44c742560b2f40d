import fc from 'fast-check';
import { expect, test } from '@jest/globals';
import {
  advanced,
  awakened,
  bestToDial,
  bookOf,
  emptyBook,
  nextChangeAt,
  ordinaryToDial,
  persistentToDial,
  released,
  rested,
  rowOf as find,
  shareOf,
  surplus,
  tellableSample,
  withRow,
  without,
  type BookRules,
  type PeerBook,
} from '../../machines/peer-book.ts';
import { blankRow, type AddressRow, type PeerRow } from '../../machines/peer-row.ts';
import { busied, targetShape } from '../../machines/peer-targets.ts';
import { first, itemsOf } from '../../machines/policy/tree.ts';
import { idOf } from '../support/manager.ts';

const now = 1_000_000;
const rules: BookRules = {
  cooldownMs: 100,
  persistent: new Set([idOf('f')]),
  unconditional: new Set(),
  outboundPerGroup: 2,
  loopbackIsPublic: false,
  maxPeers: 4,
};
const rowOf = (digit: string, changes: Partial<PeerRow> = {}, address: Partial<AddressRow> = {}): PeerRow => ({
  ...blankRow(idOf(digit)),
  addresses: [{ address: digit, lastSuccess: 0, lastFailure: 0, failures: 0, notBefore: 0, source: 'host', ...address }],
  ...changes,
});
const put = (book: PeerBook, row: PeerRow, at = now): PeerBook => rested(book, row, { held: false, now: at });
const booked = (...rows: readonly PeerRow[]): PeerBook => rows.reduce((book, row) => put(book, row), emptyBook(rules));
const next = (book: PeerBook): string | undefined => (persistentToDial(book) ?? ordinaryToDial(book, 0, 0))?.row.id[0];
const digits = (rows: Iterable<PeerRow>): string => [...rows].map((row) => row.id[0]).join('');

test('the next to dial is persistent, else the best that is due', () => {
  const book = booked(rowOf('a'), rowOf('b', { score: 5 }), rowOf('c', { score: 9 }, { notBefore: now + 1 }), rowOf('f', { score: -80 }));
  expect(next(book)).toBe('f');
  expect(next(awakened(book, idOf('f')))).toBe('b');
});

test('who waits is due at its time, not before, and the book says when', () => {
  const book = booked(rowOf('a', {}, { notBefore: now + 5 }), rowOf('b', { lastDisconnected: now - 90 }));
  expect(nextChangeAt(book)).toBe(now + 5);
  expect(next(advanced(book, now + 4))).toBeUndefined();
  expect(next(advanced(book, now + 5))).toBe('a');
  expect(nextChangeAt(advanced(book, now + 5))).toBe(now + 10);
  expect(nextChangeAt(advanced(book, now + 10))).toBe(Infinity);
});

test('who is banned is not due, is counted, and is free when the ban ends', () => {
  const book = booked(rowOf('a', { bannedUntil: now + 7 }));
  expect(digits(itemsOf(book.bans))).toBe('a');
  const later = advanced(book, now + 7);
  expect(digits(itemsOf(later.bans))).toBe('');
  expect(next(later)).toBe('a');
});

test('who is held is neither due nor waiting', () => {
  const book = rested(emptyBook(rules), rowOf('f'), { held: true, now });
  expect([next(book), nextChangeAt(book)]).toEqual([undefined, Infinity]);
  expect(find(book, idOf('f'))).toBeDefined();
});

test('too many peers: the one worth least goes, never a persistent or live one', () => {
  const reached = { lastSuccess: 1 };
  const full = booked(rowOf('a', {}, reached), rowOf('b', { score: -3 }), rowOf('f', { score: -90 }), rowOf('c', {}, reached), rowOf('d'));
  expect(surplus(full)?.id[0]).toBe('b');
  expect(surplus(awakened(full, idOf('b')))?.id[0]).toBe('d');
  expect(surplus(['a', 'b', 'c', 'd'].reduce((book, digit) => awakened(book, idOf(digit)), full))).toBeUndefined();
  expect(surplus(without(full, idOf('b')))).toBeUndefined();
});

test('banned peers stay, up to a quarter of the book', () => {
  const until = (ms: number) => ({ bannedUntil: now + ms });
  const one = booked(rowOf('a', until(5)), rowOf('b'), rowOf('c'), rowOf('d'), rowOf('e'));
  expect(surplus(one)?.id[0]).toBe('e');
  const two = booked(rowOf('a', until(5)), rowOf('b', until(3)), rowOf('c'), rowOf('d'), rowOf('e'));
  expect(surplus(two)?.id[0]).toBe('b');
});

test('targets are made in the shape in which a zero takes no memory of its own', () => {
  expect(Object.keys(first(booked(rowOf('a')).targets.due)!)).toEqual(Object.keys(targetShape));
});

test('a book made at once has the addresses of one peer in their order too', () => {
  const [worse, better] = [rowOf('a', {}, { failures: 2 }), rowOf('b', {}, { failures: 1 })].map(({ addresses }) => addresses[0]!);
  const row = { ...rowOf('a'), addresses: [worse!, better!] };
  expect(bestToDial(bookOf(rules, [row], now))?.address).toBe(better);
});

test('unverified addresses are counted by who told us of them', () => {
  const source = `gossip:${idOf('9')}`;
  const book = booked(rowOf('a', {}, { source }), rowOf('b', {}, { source }), rowOf('c', {}, { source, lastSuccess: 1 }), rowOf('d'));
  expect(shareOf(book, source)).toBe(2);
  expect(shareOf(put(book, rowOf('a', {}, { source, lastSuccess: 1 })), source)).toBe(1);
  expect(shareOf(without(without(book, idOf('a')), idOf('b')), source)).toBe(0);
});

test('a sample of who may be told is drawn without repetition, whatever the dice', () => {
  const many = { ...rules, maxPeers: 1_000 };
  const book = Array.from({ length: 200 }, (_, n) => rowOf(n.toString(16).padStart(8, '0'), {}, { lastSuccess: 1 })).reduce(
    (sum, row) => put(sum, row),
    emptyBook(many),
  );
  for (const roll of [0, 0.5, 0.999_999]) expect(new Set(tellableSample(book, 50, () => roll)).size).toBe(50);
  expect(tellableSample(book, 500, () => 0)).toHaveLength(200);
  expect(tellableSample(booked(rowOf('a')), 5, () => 0)).toEqual([]);
});

/** The indexes as they follow from the rows. */
function indexesOf({ rows, targets, loose, bans, tellable, shares }: PeerBook): unknown {
  const { waiting, persistent, due, displaced, groups, heads } = targets;
  const trees = [rows, waiting, persistent, due, displaced, heads, loose, bans, tellable, shares.sources, shares.groups, shares.hosts];
  return [
    ...trees.map((tree) => [...itemsOf<unknown>(tree)]),
    [...itemsOf(groups)].map(({ name, targets: ours }) => [name, ...itemsOf(ours)]),
  ];
}

const nets = ['20.1', '20.2', '10.1'];
const anyAddress = fc
  .record({
    net: fc.constantFrom(...nets),
    host: fc.integer({ min: 1, max: 2 }),
    notBefore: fc.constantFrom(0, now + 3, now + 30),
    lastSuccess: fc.constantFrom(0, now - 9),
    failures: fc.integer({ min: 0, max: 1 }),
    source: fc.constantFrom('host', 'self', `gossip:${idOf('9')}`),
  })
  .map(({ net, host, ...changes }) => ({ ...changes, lastFailure: 0, address: `mconn://x@${net}.0.${host}:1` }));
const anyRow = fc
  .record({
    digit: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
    score: fc.integer({ min: -60, max: 100 }),
    bannedUntil: fc.constantFrom(0, now - 1, now + 20),
    dampedUntil: fc.constantFrom(0, now + 10),
    lastDisconnected: fc.constantFrom(0, now - 50, now),
    displacedAt: fc.constantFrom(0, now - 60),
    addresses: fc.uniqueArray(anyAddress, { minLength: 1, maxLength: 3, selector: (each) => each.address }),
  })
  .map(({ digit, ...changes }) => rowOf(digit, changes));
const step = fc.oneof(
  fc.record({ do: fc.constant('rest' as const), row: anyRow }),
  fc.record({ do: fc.constant('live' as const), row: anyRow }),
  fc.record({ do: fc.constant('forget' as const), row: anyRow }),
  fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 40 }) }),
  fc.record({ do: fc.constant('connect' as const), net: fc.constantFrom(...nets) }),
  fc.record({ do: fc.constant('disconnect' as const), net: fc.constantFrom(...nets) }),
  fc.record({ do: fc.constant('release' as const) }),
);

const groupOfNet = (net: string): string => (net === '10.1' ? '' : `${net}.0.0/16`);
const busy = (book: PeerBook, group: string, change: number): PeerBook => ({ ...book, targets: busied(book.targets, group, change) });

test('after any changes the indexes are those of a fresh book of the same rows', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      let book = emptyBook(rules);
      let at = now;
      const connected = new Map<string, number>();
      for (const each of steps) {
        if (each.do === 'wait') book = advanced(book, (at += each.ms));
        else if (each.do === 'rest') book = put(book, each.row, at);
        else if (each.do === 'live') book = withRow(awakened(book, each.row.id), each.row);
        else if (each.do === 'forget') book = without(book, each.row.id);
        else if (each.do === 'release') book = released(book, at);
        else {
          const group = groupOfNet(each.net);
          const change = each.do === 'connect' ? 1 : (connected.get(group) ?? 0) > 0 ? -1 : 0;
          connected.set(group, (connected.get(group) ?? 0) + change);
          book = busy(book, group, change);
        }
      }
      // Those that are live come to rest, so that both books hold the same.
      const rows = [...itemsOf(book.rows)];
      const all = rows.reduce((sum, row) => put(sum, row, at), book);
      const fresh = [...connected].reduce((sum, [group, count]) => busy(sum, group, count), bookOf(rules, rows, at));
      expect(indexesOf(all)).toEqual(indexesOf(fresh));
      // Whoever is dialed next is in a network with room, if anybody is.
      const open = [...itemsOf(all.targets.due)].filter(
        ({ group }) => group === '' || (connected.get(group) ?? 0) < rules.outboundPerGroup,
      );
      expect(ordinaryToDial(all, 0, 0)).toEqual(open[0]);
      expect(bestToDial(all)).toEqual(open[0]);
    }),
  );
});
