/** What every peer store must do, whatever it keeps its rows in. */
import { describe, expect, test } from '@jest/globals';
import { parseNodeId } from '../../proto/identity.ts';
import type { PeerRow, PeerStore } from '../../actors/peer-store.ts';

/** A row with something in every field. */
export function rowOf(digit: string, changes: Partial<PeerRow> = {}): PeerRow {
  const id = parseNodeId(digit.repeat(40).slice(0, 40));
  return {
    id,
    addresses: [
      {
        address: `mconn://${id}@1.2.3.4:26656`,
        lastSuccess: 1_700_000_000_000,
        lastFailure: 1_600_000_000_000,
        failures: 2,
        notBefore: 5,
        source: 'host',
      },
      { address: `memory:${id}`, lastSuccess: 0, lastFailure: 0, failures: 0, notBefore: 0, source: `gossip:${'1'.repeat(40)}` },
      { address: `mconn://${id}@[2001:db8::1]:80/a%20path`, lastSuccess: 0, lastFailure: 0, failures: 0, notBefore: 0, source: 'self' },
    ],
    score: -7,
    scoreEpoch: 78_700,
    strikes: 1,
    bannedUntil: 3,
    lastConnected: 4,
    lastDisconnected: 5,
    inactiveUntil: 6,
    dampedUntil: 7,
    displacedAt: 8,
    anchoredAt: 10,
    lastReason: 'reset: gone',
    reports: [{ at: 9, behaviour: 'malformed', reason: 'not a message', times: 3 }],
    ...changes,
  };
}

/** A store that can be opened again on what an earlier one left, time for it to commit, and time in which even a peer that was just written has its turn. */
export type StoreWorld = Readonly<{ make(): PeerStore; commit(): Promise<void>; settle(): Promise<void>; end(): void }>;

const byId = (a: PeerRow, b: PeerRow): number => (a.id < b.id ? -1 : 1);
const sorted = (rows: readonly PeerRow[]): readonly PeerRow[] => [...rows].sort(byId);

/** Runs the suite against the stores of one kind; each test has a world of its own. */
export function peerStoreContract(name: string, world: () => StoreWorld): void {
  const inWorld = (run: (store: PeerStore, world: StoreWorld) => Promise<void>) => async (): Promise<void> => {
    const own = world();
    const store = own.make();
    store.open();
    try {
      await run(store, own);
    } finally {
      await store.close();
      own.end();
    }
  };
  const committed = async (own: StoreWorld, ...written: readonly Promise<void>[]): Promise<void> => {
    const all = Promise.all(written);
    await own.settle();
    await all;
  };

  describe(`a peer store: ${name}`, () => {
    test(
      'is empty at first',
      inWorld(async (store) => {
        expect(store.load()).toEqual([]);
        expect(store.skipped).toBe(0);
      }),
    );

    test(
      'gives back what was put, field by field',
      inWorld(async (store, own) => {
        await committed(own, store.put(rowOf('a')), store.put(rowOf('b', { addresses: [], reports: [] })));
        expect(sorted(store.load())).toEqual([rowOf('a'), rowOf('b', { addresses: [], reports: [] })]);
      }),
    );

    test(
      'shows a row as soon as it is put, before it is durable',
      inWorld(async (store, own) => {
        const written = store.put(rowOf('a'));
        expect(store.load()).toEqual([rowOf('a')]);
        await committed(own, written);
      }),
    );

    test(
      'keeps the last of several rows of one peer',
      inWorld(async (store, own) => {
        await committed(own, store.put(rowOf('a')), store.put(rowOf('a', { score: 3 })), store.put(rowOf('a', { score: 4 })));
        await store.close();
        store.open();
        expect(store.load()).toEqual([rowOf('a', { score: 4 })]);
      }),
    );

    test(
      'deletes, and does not mind deleting what is not there',
      inWorld(async (store, own) => {
        await committed(own, store.put(rowOf('a')), store.put(rowOf('b')));
        await committed(own, store.delete(rowOf('a').id), store.delete(rowOf('c').id));
        await store.close();
        store.open();
        expect(store.load()).toEqual([rowOf('b')]);
      }),
    );

    test(
      'a row put after its deletion is there',
      inWorld(async (store, own) => {
        await committed(own, store.put(rowOf('a')), store.delete(rowOf('a').id), store.put(rowOf('a', { score: 1 })));
        await store.close();
        store.open();
        expect(store.load()).toEqual([rowOf('a', { score: 1 })]);
      }),
    );

    test(
      'keeps its rows over close and open, even those that were not awaited',
      inWorld(async (store) => {
        const written = [store.put(rowOf('a')), store.put(rowOf('b'))];
        await store.close();
        await Promise.all(written);
        store.open();
        expect(sorted(store.load())).toEqual([rowOf('a'), rowOf('b')]);
      }),
    );

    test(
      'flush waits for what was put, and for nothing when nothing waits',
      inWorld(async (store, own) => {
        await store.flush();
        let isWritten = false;
        const written = store.put(rowOf('a')).then(() => (isWritten = true));
        const flushed = store.flush().then(() => expect(isWritten).toBe(true));
        await own.commit();
        await Promise.all([written, flushed]);
      }),
    );

    test(
      'takes a thousand rows at once',
      inWorld(async (store, own) => {
        const rows = Array.from({ length: 1_000 }, (_, n) => rowOf(n.toString(16).padStart(8, '0')));
        const written = Promise.all(rows.map((row) => store.put(row)));
        await own.settle();
        await written;
        await store.close();
        store.open();
        expect(store.load()).toHaveLength(1_000);
      }),
    );

    test(
      'a peer that is written again and again is durable in the end, as it was last',
      inWorld(async (store, own) => {
        await committed(own, store.put(rowOf('a')));
        const again = [1, 2, 3].map((score) => store.put(rowOf('a', { score })));
        await own.settle();
        await Promise.all(again);
        await store.close();
        store.open();
        expect(store.load()).toEqual([rowOf('a', { score: 3 })]);
      }),
    );

    test(
      'flush hurries the peers that it names, the last row of each, and a deletion as well',
      inWorld(async (store, own) => {
        await committed(own, store.put(rowOf('a')), store.put(rowOf('b')), store.put(rowOf('c')));
        const again = [store.put(rowOf('a', { score: 3 })), store.put(rowOf('b', { score: 4 })), store.delete(rowOf('c').id)];
        const flushed = store.flush([rowOf('a').id, rowOf('c').id, rowOf('d').id]);
        await own.commit();
        await Promise.all([flushed, again[0], again[2]]);
        await store.close();
        await again[1];
        store.open();
        expect(sorted(store.load())).toEqual([rowOf('a', { score: 3 }), rowOf('b', { score: 4 })]);
      }),
    );

    test(
      'what a caller does to the list it was given changes nothing in the store',
      inWorld(async (store, own) => {
        await committed(own, store.put(rowOf('a')));
        (store.load() as PeerRow[]).pop();
        expect(store.load()).toEqual([rowOf('a')]);
      }),
    );

    test(
      'keeps every number that a row may have',
      inWorld(async (store, own) => {
        const most = 8_640_000_000_000_000;
        const edge = rowOf('a', { score: -100, strikes: 16, bannedUntil: most, lastConnected: most, inactiveUntil: most, lastReason: '' });
        const plain = rowOf('b', { score: 100, scoreEpoch: 0, strikes: 0, bannedUntil: 0, lastReason: '😀'.repeat(40) });
        await committed(own, store.put(edge), store.put(plain));
        await store.close();
        store.open();
        expect(sorted(store.load())).toEqual([edge, plain]);
      }),
    );

    test(
      'refuses everything while it is closed, and closes and opens twice without harm',
      inWorld(async (store) => {
        await store.close();
        await store.close();
        expect(() => store.load()).toThrow(expect.objectContaining({ code: 'ERR_STORE_CLOSED' }));
        await expect(store.put(rowOf('a'))).rejects.toMatchObject({ code: 'ERR_STORE_CLOSED' });
        await expect(store.delete(rowOf('a').id)).rejects.toMatchObject({ code: 'ERR_STORE_CLOSED' });
        await expect(store.flush()).rejects.toMatchObject({ code: 'ERR_STORE_CLOSED' });
        store.open();
        store.open();
        expect(store.load()).toEqual([]);
      }),
    );
  });
}
