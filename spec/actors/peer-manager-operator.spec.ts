import { describe, expect, test } from '@jest/globals';
import { formatNodeAddress } from '../../proto/address.ts';
import { TroupeError } from '../../proto/errors.ts';
import type { PeerEvent } from '../../actors/peer-manager.ts';
import { memoryStore } from '../../actors/stores/memory.ts';
import { addressOf, digitOf, idOf, managers, never, watch } from '../support/manager.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const start = managers();

describe('the operator', () => {
  test('dials a peer now, whatever held it back, and learns that it is up', async () => {
    const h = start();
    await h.add('a');
    await h.tryDialNext();
    h.failed('a');
    const dialing = watch(h.manager.peers.dial(idOf('a')));
    expect(digitOf(await h.tryDialNext())).toBe('a');
    const { link } = h.dialed('a');
    expect(await dialing()).toBe('waiting');
    h.manager.ready(idOf('a'), link);
    expect(await dialing()).toBeUndefined();
    await h.manager.peers.dial(idOf('a'));
  });

  test('has a peer dialed although nothing can be written', async () => {
    const store = memoryStore();
    const h = start({ store: { ...store, flush: () => Promise.reject(new TroupeError('ERR_STORE_FAILED')) } });
    await h.manager.add(addressOf('a'), { kind: 'host' }).catch(() => undefined);
    const dialing = watch(h.manager.peers.dial(idOf('a')));
    await h.tryDialNext();
    h.manager.ready(idOf('a'), h.dialed('a').link);
    expect(await dialing()).toBeUndefined();
  });

  test('dials every address once, and learns why it came to nothing', async () => {
    const h = start();
    await h.add('a');
    await h.add('a', 5);
    const dialing = watch(h.manager.peers.dial(idOf('a')));
    for (let n = 0; n < 2; n++) {
      expect(await dialing()).toBe('waiting');
      h.manager.dialFailed((await h.tryDialNext())!, new TroupeError('ERR_DIAL_TIMEOUT'));
    }
    expect(await dialing()).toBe('ERR_DIAL_TIMEOUT');
  });

  test('learns at once of a dial that cannot be', async () => {
    const h = start({ slots: { outbound: 1 } });
    const codeOf = async (id: string): Promise<unknown> => watch(h.manager.peers.dial(id))();
    expect(await codeOf('nonsense')).toBe('ERR_NODE_ID_INVALID');
    expect(await codeOf(idOf('5'))).toBe('ERR_PEER_SELF');
    expect(await codeOf(idOf('a'))).toBe('ERR_PEER_UNKNOWN');
    await h.add('b');
    await h.tryDialNext();
    await h.add('c');
    expect(await codeOf(idOf('c'))).toBe('ERR_SLOTS_FULL');
    await h.manager.peers.ban(idOf('c'), { forMs: 1_000, reason: 'x' });
    expect(await codeOf(idOf('c'))).toBe('ERR_PEER_BANNED');
  });

  test('learns of a connection that was rejected before it was up', async () => {
    const h = start();
    await h.add('a');
    const dialing = watch(h.manager.peers.dial(idOf('a')));
    await h.tryDialNext();
    const { link } = h.dialed('a');
    h.manager.disconnected(idOf('a'), link, 'rejected');
    expect(await dialing()).toBe('waiting');
    h.clock.advance(2_000);
    expect(await dialing()).toBe('ERR_PEER_REJECTED');
  });

  test('disconnects a persistent peer and holds it until he dials or the node restarts', async () => {
    const h = start({ persistent: [addressOf('a')] });
    await h.tryDialNext();
    const { link } = h.dialed('a');
    h.manager.ready(idOf('a'), link);
    const gone = watch(h.manager.peers.disconnect(idOf('a'), 'maintenance'));
    expect(await h.tryEvictNext()).toEqual({ id: idOf('a'), link, reason: 'operator' });
    expect(await gone()).toBe('waiting');
    h.manager.disconnected(idOf('a'), link, 'operator');
    expect(await gone()).toBeUndefined();
    h.clock.advance(3_600_000);
    expect(await h.tryDialNext()).toBeUndefined();
    expect(h.accepted('a')).toMatchObject({ verdict: 'refuse', error: { code: 'ERR_PEER_HELD' } });
    expect(h.manager.peers.explain(idOf('a'))).toMatchObject({
      sentence: expect.stringContaining('held'),
      facts: { lastReason: 'operator: maintenance' },
    });
    const dialing = h.manager.peers.dial(idOf('a'));
    expect(digitOf(await h.tryDialNext())).toBe('a');
    h.manager.ready(idOf('a'), h.dialed('a').link);
    await dialing;
  });

  test('a held peer is free again after a restart', async () => {
    const h = start({ persistent: [addressOf('a')] });
    await h.manager.peers.disconnect(idOf('a'));
    expect(await h.tryDialNext()).toBeUndefined();
    h.restart();
    expect(digitOf(await h.tryDialNext())).toBe('a');
  });

  test('disconnects an ordinary peer, which is then left alone for a while', async () => {
    const h = start();
    await h.add('a');
    const link = h.up('a');
    const gone = h.manager.peers.disconnect(idOf('a'));
    h.manager.disconnected(idOf('a'), link, 'operator');
    await gone;
    h.clock.advance(60_000);
    expect(await h.tryDialNext()).toBeUndefined();
    h.clock.advance(1_800_000);
    expect(digitOf(await h.tryDialNext())).toBe('a');
    await expect(h.manager.peers.disconnect(idOf('b'))).rejects.toMatchObject({ code: 'ERR_PEER_UNKNOWN' });
  });

  test('bans a peer, known or not, and the ban is on disk', async () => {
    const h = start();
    const link = h.up('a');
    await h.manager.peers.ban(idOf('a'), { forMs: 60_000, reason: 'spam' });
    await h.manager.peers.ban(idOf('b'), { forMs: 60_000, reason: 'spam' });
    expect(await h.tryEvictNext()).toEqual({ id: idOf('a'), link, reason: 'banned' });
    h.manager.disconnected(idOf('a'), link, 'banned');
    expect(h.manager.counts()).toMatchObject({ known: 2, banned: 2 });
    h.restart();
    expect(h.accepted('a')).toMatchObject({ verdict: 'refuse', reason: 'banned', error: { code: 'ERR_PEER_BANNED' } });
    expect(h.manager.peers.explain(idOf('b')).sentence).toBe('Banned for another 60 s: spam.');
    h.clock.advance(60_000);
    expect(h.accepted('a')).toMatchObject({ verdict: 'route' });
    expect(h.manager.counts()).toMatchObject({ banned: 0 });
  });

  test.each([0, -1, 1.5, NaN, Infinity, 366 * 86_400_000])('does not ban for %p ms', async (forMs) => {
    await expect(start().manager.peers.ban(idOf('a'), { forMs, reason: '' })).rejects.toMatchObject({ code: 'ERR_OPTION_INVALID' });
  });

  test('removes a peer for good, disconnecting it first', async () => {
    const h = start();
    await h.add('a');
    await h.add('b');
    const link = h.up('a');
    const gone = watch(h.manager.peers.remove(idOf('a')));
    await h.manager.peers.remove(idOf('b'));
    expect(await h.tryEvictNext()).toEqual({ id: idOf('a'), link, reason: 'operator' });
    expect(await gone()).toBe('waiting');
    h.manager.disconnected(idOf('a'), link, 'operator');
    expect(await gone()).toBeUndefined();
    expect([h.manager.peers.list(), h.store.load()]).toEqual([[], []]);
    await expect(h.manager.peers.remove(idOf('a'))).rejects.toMatchObject({ code: 'ERR_PEER_UNKNOWN' });
  });

  test('removes a persistent peer until he dials it or the node restarts', async () => {
    const h = start({ persistent: [addressOf('a')] });
    await h.manager.peers.remove(idOf('a'));
    expect(h.store.load()).toEqual([]);
    expect(await h.tryDialNext()).toBeUndefined();
    const dialing = watch(h.manager.peers.dial(idOf('a')));
    expect(digitOf(await h.tryDialNext())).toBe('a');
    h.failed('a');
    expect(await dialing()).toBe('ERR_DIAL_FAILED');
  });

  test('asks about a peer and gets one sentence', async () => {
    const h = start({ slots: { outbound: 1 } });
    const sentence = (digit: string): string => h.manager.peers.explain(idOf(digit)).sentence;
    expect(sentence('5')).toBe('This is our own id.');
    expect(sentence('a')).toMatch(/not known/);
    await h.add('a');
    await h.add('b');
    expect(sentence('a')).toMatch(/^Due: /);
    await h.tryDialNext();
    expect(sentence('a')).toBe(`Being dialed at ${formatNodeAddress(addressOf('a'))}.`);
    expect(sentence('b')).toMatch(/all outbound slots are taken: 1 used/);
    const { link } = h.dialed('a');
    expect(sentence('a')).toMatch(/not up yet/);
    h.manager.ready(idOf('a'), link);
    h.clock.advance(20_000);
    expect(sentence('a')).toBe('Up for 20 s, outbound.');
    h.manager.disconnected(idOf('a'), link, 'reset');
    expect(sentence('a')).toBe('Cooling down after it disconnected (reset); to be dialed in 2 s at the earliest.');
    h.up('c');
    h.manager.report(idOf('c'), 'protocolViolation', 'x');
    expect(sentence('c')).toBe('Connected (inbound) and to be disconnected: misbehaved.');
    await h.manager.evictNext(never);
    expect(sentence('c')).toBe('Connected (inbound) and being disconnected.');
    expect(() => h.manager.peers.explain('nonsense')).toThrow(expect.objectContaining({ code: 'ERR_NODE_ID_INVALID' }));
  });
});

describe('what is kept over a restart', () => {
  test('addresses, failures, successes, scores, bans and cool-downs', async () => {
    const h = start();
    for (const digit of 'abc') await h.add(digit);
    await h.tryDialNext();
    h.failed('a');
    const link = h.up('b');
    h.manager.report(idOf('b'), 'malformed', 'x');
    h.manager.disconnected(idOf('b'), link, 'reset');
    await h.manager.peers.ban(idOf('c'), { forMs: 5_000, reason: 'x' });
    const before = h.manager.peers.list();
    const rows = h.store.load();
    h.restart();
    expect(h.manager.peers.list()).toEqual(before);
    expect(h.store.load()).toEqual(rows);
    expect(await h.tryDialNext()).toBeUndefined();
  });

  test('a peer that was dialed, at once; a stranger only after a minute up', async () => {
    const h = start();
    await h.add('a');
    await h.tryDialNext();
    h.manager.ready(idOf('a'), h.dialed('a').link);
    expect(h.store.load()[0]).toMatchObject({ addresses: [{ lastSuccess: h.clock.wallNow() }] });
    h.up('b');
    expect(h.store.load()).toHaveLength(1);
    h.clock.advance(60_000);
    expect(h.store.load()).toHaveLength(2);
  });

  test('strangers that come and go leave nothing behind', () => {
    const h = start();
    for (let n = 0; n < 100; n++) {
      const id = n.toString(16).padStart(40, '0') as ReturnType<typeof idOf>;
      h.manager.accepted({ id, link: `l${n}`, ours: false, channels: [] });
      h.manager.ready(id, `l${n}`);
      h.manager.disconnected(id, `l${n}`, 'reset');
    }
    expect([h.manager.peers.list(), h.store.load()]).toEqual([[], []]);
  });

  test('our own id, which another key left in the store, is forgotten', async () => {
    const store = memoryStore();
    const h = start({ store });
    await h.add('a');
    await h.add('b');
    h.stop();
    const other = start({ store, own: 'a' });
    expect(other.manager.peers.list().map((each) => each.id[0])).toEqual(['b']);
    expect(store.load()).toHaveLength(1);
  });

  test('configured addresses, persistent or not', () => {
    const h = start({ persistent: [addressOf('a')], bootstrap: [addressOf('b'), addressOf('b', 5)] });
    expect(h.manager.peers.list().map((each) => [each.id[0], each.class, each.addresses.length])).toEqual([
      ['a', 'persistent', 1],
      ['b', 'ordinary', 2],
    ]);
    expect(h.store.load()).toHaveLength(2);
  });

  test.each([-10, -1, 1, 10])('a wall clock set by %i years in between blocks nobody', async (years) => {
    const store = memoryStore();
    const first = start({ store });
    await first.add('a');
    await first.tryDialNext();
    first.failed('a');
    first.stop();
    const h = start({ store, clock: new VirtualClock(1_700_000_000_000 + years * 365 * 86_400_000) });
    const next = watch(h.manager.dialNext(never).then(digitOf));
    h.clock.advance(1_800_000);
    expect(await next()).toBe('a');
  });
});

describe('a restart', () => {
  test('ends all waits, takes everybody down, and starts over', async () => {
    const h = start();
    await h.add('a');
    h.up('a');
    const updates = h.manager.peers.updates()[Symbol.asyncIterator]();
    await updates.next();
    await updates.next();
    const waits = [h.manager.evictNext(never), h.manager.dialNext(never)].map((each) => watch<unknown>(each));
    h.restart();
    for (const wait of waits) expect(await wait()).toBe('ERR_NODE_STATE');
    expect((await updates.next()).value).toMatchObject({ id: idOf('a'), status: 'down', reason: 'restart' });
    expect(h.manager.counts()).toMatchObject({ known: 1, connected: 0 });
    expect(h.accepted('a')).toMatchObject({ verdict: 'route' });
    await updates.return!();
  });

  test('of the router alone ends its dials and links', async () => {
    const h = start();
    await h.add('a');
    await h.add('b');
    await h.tryDialNext();
    const link = h.up('c');
    const next = watch(h.manager.evictNext(never));
    h.manager.routerRestarted();
    expect(await next()).toBe('ERR_NODE_STATE');
    expect(['a', 'c'].map((digit) => h.stateOf(digit))).toEqual(['known', undefined]);
    h.manager.disconnected(idOf('c'), link, 'reset');
    h.clock.advance(10_000);
    expect(h.manager.counts()).toMatchObject({ dialing: 0, connected: 0 });
  });

  test('on a store that cannot be read fails, and the next one that can starts', async () => {
    let isBroken = false;
    const store = memoryStore();
    const load = () => {
      if (isBroken) throw new TroupeError('ERR_STORE_CLOSED');
      return store.load();
    };
    const h = start({ store: { ...store, load } });
    await h.add('a');
    isBroken = true;
    h.restart();
    expect(() => h.accepted('b')).toThrow(expect.objectContaining({ code: 'ERR_NODE_STATE' }));
    isBroken = false;
    h.restart();
    expect(h.stateOf('a')).toBe('known');
  });

  test('while nothing runs questions fail and reports are lost', async () => {
    const h = start();
    h.stop();
    expect(() => h.accepted('a')).toThrow(expect.objectContaining({ code: 'ERR_NODE_STATE' }));
    await expect(h.manager.dialNext(never)).rejects.toMatchObject({ code: 'ERR_NODE_STATE' });
    await expect(h.add('a')).rejects.toMatchObject({ code: 'ERR_NODE_STATE' });
    expect(() => h.manager.peers.explain(idOf('a'))).toThrow(expect.objectContaining({ code: 'ERR_NODE_STATE' }));
    h.manager.report(idOf('a'), 'fatal', 'x');
    h.manager.disconnected(idOf('a'), 'l', 'reset');
    expect(h.manager.peers.list()).toEqual([]);
    expect(h.manager.counts()).toEqual({ known: 0, dialing: 0, connected: 0, up: 0, banned: 0 });
    expect(h.manager.advertise(idOf('a'), 5)).toEqual([]);
    const events: PeerEvent[] = [];
    for await (const event of h.manager.peers.updates()) events.push(event);
    expect(events).toEqual([]);
  });
});

describe('a peer whose actor fails', () => {
  test('is buried: its link is closed, it is down, and the manager and all others go on', async () => {
    const h = start();
    await h.add('a');
    const link = h.up('a');
    h.up('b');
    const bad = { id: idOf('a'), link: 'bad', channels: [] };
    Object.defineProperty(bad, 'ours', {
      get: () => {
        throw new Error('a bug');
      },
    });
    expect(() => h.manager.accepted(bad as never)).toThrow(expect.objectContaining({ code: 'ERR_INTERNAL' }));
    expect(h.manager.counts()).toMatchObject({ known: 2, connected: 1, up: 1 });
    expect(await h.tryEvictNext()).toMatchObject({ id: idOf('a'), link, reason: 'internal' });
    const updates = h.manager.peers.updates()[Symbol.asyncIterator]();
    expect([(await updates.next()).value, (await updates.next()).value]).toEqual([
      { id: idOf('b'), status: 'up', channels: [1] },
      { snapshotEnd: true },
    ]);
    await updates.return!();
    h.manager.disconnected(idOf('a'), link, 'internal');
    const next = watch(h.manager.dialNext(never).then(digitOf));
    h.clock.advance(2_000);
    expect(await next()).toBe('a');
    expect(h.dialed('a')).toMatchObject({ verdict: 'route' });
  });
});
