import { afterEach, describe, expect, test } from '@jest/globals';
import { formatNodeAddress, parseNodeAddress, type NodeAddress } from '../../proto/address.ts';
import { TroupeError } from '../../proto/errors.ts';
import type { PeerEvent } from '../../actors/peer-manager.ts';
import { memoryStore } from '../../actors/stores/memory.ts';
import { ManagerHarness, addressOf, idOf, type ManagerChanges } from '../support/manager.ts';
import { VirtualClock, settle } from '../support/virtual-clock.ts';

const made: ManagerHarness[] = [];
function start(changes: ManagerChanges = {}): ManagerHarness {
  const harness = new ManagerHarness(changes);
  made.push(harness);
  return harness;
}
afterEach(() => {
  for (const harness of made.splice(0)) {
    harness.stop();
    expect(harness.clock.pending).toBe(0);
  }
});

const digitOf = (address: NodeAddress | undefined): string | undefined => address?.nodeId[0];
const never = new AbortController().signal;

/** A promise whose outcome can be looked at: its value, `code` of its rejection, or 'waiting'. */
function watch<T>(promise: Promise<T>): () => Promise<unknown> {
  let outcome: unknown = 'waiting';
  promise.then(
    (value) => (outcome = value),
    (error: unknown) => (outcome = error instanceof TroupeError ? error.code : error),
  );
  return async () => {
    await settle(1);
    return outcome;
  };
}

describe('adding an address', () => {
  test('makes a peer known; a second address of it is added, a known one is not', async () => {
    const h = start();
    expect(await h.add('a')).toBe(true);
    expect(await h.add('a', 5)).toBe(true);
    expect(await h.add('a')).toBe(false);
    expect(await h.add('b')).toBe(true);
    expect(h.manager.peers.list().map((each) => [each.id[0], each.addresses.length, each.state])).toEqual([
      ['a', 2, 'known'],
      ['b', 1, 'known'],
    ]);
  });

  test('that is no address, or our own, is an error; from a stranger our own is nothing', async () => {
    const h = start();
    await expect(h.manager.peers.add('nonsense')).rejects.toMatchObject({ code: 'ERR_ADDRESS_INVALID' });
    await expect(h.manager.add({ ...addressOf('a'), port: 70_000 }, { kind: 'host' })).rejects.toMatchObject({
      code: 'ERR_ADDRESS_INVALID',
    });
    await expect(h.manager.peers.add(formatNodeAddress(addressOf('5')))).rejects.toMatchObject({ code: 'ERR_PEER_SELF' });
    expect(await h.manager.add(addressOf('5'), { kind: 'gossip', from: idOf('a') })).toBe(false);
  });

  test('resolves once it is durable, and rejects when it cannot be', async () => {
    let finish = (_: Error | undefined): void => undefined;
    const store = memoryStore();
    const h = start({
      store: { ...store, put: () => new Promise((resolve, reject) => (finish = (error) => (error ? reject(error) : resolve()))) },
    });
    const added = watch(h.add('a'));
    expect(await added()).toBe('waiting');
    finish(undefined);
    expect(await added()).toBe(true);
    const failed = watch(h.add('b'));
    finish(new TroupeError('ERR_STORE_FAILED'));
    expect(await failed()).toBe('ERR_STORE_FAILED');
  });

  test('beyond the size of the store forgets the peers worth least, here and on disk', async () => {
    const h = start({ storeOptions: { maxPeers: 3 }, slots: { inbound: 1, outbound: 2, upgrade: 1 } });
    for (const digit of 'abcd') await h.add(digit);
    expect(h.manager.peers.list()).toHaveLength(3);
    expect(h.store.load()).toHaveLength(3);
  });

  test('never pushes out persistent, dialing or connected peers', async () => {
    const h = start({ storeOptions: { maxPeers: 3 }, slots: { inbound: 1, outbound: 2, upgrade: 1 }, persistent: [addressOf('a')] });
    h.up('b');
    await h.add('c');
    await h.tryDialNext();
    await h.tryDialNext();
    for (const digit of 'def') expect(await h.add(digit)).toBe(false);
    expect(
      h.manager.peers
        .list()
        .map((each) => each.id[0])
        .join(''),
    ).toBe('abc');
  });

  test('by gossip is limited for each source, and by what the source can reach', async () => {
    const h = start({ storeOptions: { maxPeers: 100 } });
    h.up('a', { remoteIp: '9.9.9.9' });
    let taken = 0;
    for (let n = 0; n < 40; n++) {
      const address = parseNodeAddress(`mconn://${n.toString(16).padStart(40, '0')}@8.8.8.${n}:26656`);
      if (await h.manager.add(address, { kind: 'gossip', from: idOf('a') })) taken += 1;
    }
    expect(taken).toBe(5);
    const lan = parseNodeAddress(`mconn://${idOf('d')}@10.0.0.1:26656`);
    expect(await h.manager.add(lan, { kind: 'gossip', from: idOf('b') })).toBe(false);
    expect(await h.manager.add(addressOf('d'), { kind: 'gossip', from: idOf('b') })).toBe(true);
  });

  test('of a peer that said it itself from that host is its own word, from elsewhere only hearsay', async () => {
    const h = start();
    h.up('a', { remoteIp: '1.2.3.4' });
    h.up('b', { remoteIp: '1.2.3.4' });
    expect(await h.manager.add(addressOf('a', 4), { kind: 'self', from: idOf('a') })).toBe(true);
    expect(await h.manager.add(addressOf('b', 9), { kind: 'self', from: idOf('b') })).toBe(true);
    expect(h.manager.advertise(idOf('f'), 10, '8.8.8.8').map(digitOf)).toEqual(['a']);
  });
});

describe('dialNext', () => {
  test('gives an address, marks its peer dialing, and gives it once', async () => {
    const h = start();
    await h.add('a');
    await h.add('a', 5);
    expect(digitOf(await h.tryDialNext())).toBe('a');
    expect(h.stateOf('a')).toBe('dialing');
    expect(await h.tryDialNext()).toBeUndefined();
  });

  test('waits, and rejects with exactly the reason of its signal', async () => {
    const h = start();
    const abort = new AbortController();
    const next = h.manager.dialNext(abort.signal);
    const reason = new Error('enough');
    abort.abort(reason);
    await expect(next).rejects.toBe(reason);
    await expect(h.manager.dialNext(abort.signal)).rejects.toBe(reason);
    await h.add('a');
    expect(h.stateOf('a')).toBe('known');
  });

  test('wakes when an address is added', async () => {
    const h = start();
    const next = watch(h.manager.dialNext(never).then(digitOf));
    expect(await next()).toBe('waiting');
    await h.add('a');
    expect(await next()).toBe('a');
  });

  test('wakes when a failed dial frees a slot', async () => {
    const h = start({ slots: { outbound: 1 } });
    await h.add('a');
    await h.tryDialNext();
    await h.add('b');
    const next = watch(h.manager.dialNext(never).then(digitOf));
    expect(await next()).toBe('waiting');
    h.failed('a');
    expect(await next()).toBe('b');
  });

  test('wakes at the moment a back-off ends, and not before', async () => {
    const h = start({ random: () => 0.5 });
    await h.add('a');
    await h.tryDialNext();
    h.failed('a');
    const next = watch(h.manager.dialNext(never).then(digitOf));
    h.clock.advance(124);
    expect(await next()).toBe('waiting');
    h.clock.advance(1);
    expect(await next()).toBe('a');
  });

  test('doubles the back-off of an address that keeps failing, and never gives up', async () => {
    const h = start({ random: () => 0.999_999 });
    await h.add('a');
    const waits: number[] = [];
    for (let n = 0; n < 16; n++) {
      const next = h.manager.dialNext(never);
      await settle(1);
      h.clock.advance(2_000_000);
      await next;
      h.failed('a');
      const row = h.store.load()[0]!.addresses[0]!;
      waits.push(row.notBefore - row.lastFailure);
    }
    expect(waits.slice(0, 5)).toEqual([250, 500, 1_000, 2_000, 4_000]);
    expect(waits.slice(-2)).toEqual([1_799_999, 1_799_999]);
  });

  test('wakes when a peer has disconnected and cooled down', async () => {
    const h = start();
    await h.add('a');
    const link = h.up('a');
    const next = watch(h.manager.dialNext(never).then(digitOf));
    h.manager.disconnected(idOf('a'), link, 'reset');
    h.clock.advance(1_999);
    expect(await next()).toBe('waiting');
    h.clock.advance(1);
    expect(await next()).toBe('a');
  });

  test('gives persistent peers first, and the best of the rest', async () => {
    const h = start({ persistent: [addressOf('d')] });
    for (const digit of 'abc') await h.add(digit);
    h.manager.report(idOf('b'), 'useful', 'knew something');
    h.manager.report(idOf('a'), 'unhelpful', 'knew nothing');
    expect([digitOf(await h.tryDialNext()), digitOf(await h.tryDialNext())]).toEqual(['d', 'b']);
  });

  test('keeps to the outbound slots, which inbound peers never take', async () => {
    const h = start({ slots: { outbound: 2, inbound: 3 } });
    for (const digit of 'abc') await h.add(digit);
    for (const digit of 'def') h.up(digit);
    const [first, second] = [await h.tryDialNext(), await h.tryDialNext()];
    expect(await h.tryDialNext()).toBeUndefined();
    h.dialed(digitOf(first)!);
    expect(await h.tryDialNext()).toBeUndefined();
    h.manager.dialFailed(second!, new TroupeError('ERR_DIAL_FAILED'));
    expect(await h.tryDialNext()).toBeDefined();
  });

  test('sets slots aside for persistent peers, so that others cannot keep them out', async () => {
    const h = start({ slots: { outbound: 2 }, persistent: [addressOf('e')] });
    await h.tryDialNext();
    h.failed('e');
    for (const digit of 'ab') await h.add(digit);
    expect(digitOf(await h.tryDialNext())).toBeDefined();
    expect(await h.tryDialNext()).toBeUndefined();
    h.clock.advance(60_000);
    expect(digitOf(await h.tryDialNext())).toBe('e');
  });

  test('serves those who wait in order, each with another peer', async () => {
    const h = start();
    const waiting = [h.manager.dialNext(never), h.manager.dialNext(never)];
    await h.add('a');
    await h.add('b');
    expect((await Promise.all(waiting)).map(digitOf)).toEqual(['a', 'b']);
  });

  test('does not miss a peer whose back-off and whose slot come at the same moment', async () => {
    const h = start({ slots: { outbound: 1 }, random: () => 0.5 });
    await h.add('a');
    await h.tryDialNext();
    h.failed('a');
    const next = watch(h.manager.dialNext(never).then(digitOf));
    h.clock.advance(100_000);
    expect(await next()).toBe('a');
  });

  test('the thirtieth day of a ban and failures without number wait their time', async () => {
    const h = start();
    await h.add('a');
    await h.manager.peers.ban(idOf('a'), { forMs: 30 * 86_400_000, reason: 'spam' });
    const next = watch(h.manager.dialNext(never).then(digitOf));
    h.clock.advance(30 * 86_400_000 - 1);
    expect(await next()).toBe('waiting');
    h.clock.advance(1);
    expect(await next()).toBe('a');
  });
});

describe('a connection that has shaken hands', () => {
  test('with ourselves is refused', () => {
    const h = start();
    expect(h.accepted('5')).toMatchObject({ verdict: 'refuse', reason: 'self', error: { code: 'ERR_PEER_SELF' } });
    expect(h.dialed('5')).toMatchObject({ verdict: 'refuse', reason: 'self' });
  });

  test('with a peer nobody knows is refused when we dialed, welcome when it did', () => {
    const h = start();
    expect(h.dialed('a')).toMatchObject({ verdict: 'refuse', error: { code: 'ERR_PEER_UNKNOWN' } });
    expect(h.accepted('a')).toMatchObject({ verdict: 'route' });
    expect(h.stateOf('a')).toBe('connected');
  });

  test('finds a free inbound slot or is refused', () => {
    const h = start({ slots: { inbound: 2 } });
    h.up('a');
    h.up('b');
    expect(h.accepted('c')).toMatchObject({ verdict: 'refuse', reason: 'full', error: { code: 'ERR_SLOTS_FULL' } });
    expect(h.manager.peers.list()).toHaveLength(2);
  });

  test('with an unconditional or a persistent peer needs no inbound slot', () => {
    const h = start({ slots: { inbound: 1 }, unconditionalIds: [idOf('b')], persistent: [addressOf('c')] });
    h.up('a');
    h.up('b');
    h.up('c');
    expect(h.accepted('d')).toMatchObject({ verdict: 'refuse', reason: 'full' });
    expect(h.manager.counts()).toMatchObject({ connected: 3, up: 3 });
  });

  test('from an address or network that has its share is refused, unless it is loopback', () => {
    const h = start();
    h.up('a', { remoteIp: '9.9.9.9' });
    h.up('b', { remoteIp: '::ffff:9.9.9.9' });
    expect(h.accepted('c', { remoteIp: '9.9.9.9' })).toMatchObject({ verdict: 'refuse', reason: 'full' });
    const net = start();
    for (const [n, digit] of [...'abcd0123'].entries()) net.up(digit, { remoteIp: `9.9.9.${n}` });
    expect(net.accepted('e', { remoteIp: '9.9.9.77' })).toMatchObject({ verdict: 'refuse', reason: 'full' });
    const local = start();
    for (const digit of 'abcd') local.up(digit, { remoteIp: '127.0.0.1' });
  });

  test('that was dialed is refused to be a second one only by the rules for two', async () => {
    const h = start({ own: '5' });
    await h.add('a');
    await h.tryDialNext();
    const inbound = h.up('a', { ours: true });
    // Ours is the lower id, so the one that we dialed is kept.
    expect(h.dialed('a', { ours: true })).toMatchObject({ verdict: 'route', replaces: inbound });
  });

  test('takes the slot that it was dialed for', async () => {
    const h = start({ slots: { outbound: 1 } });
    await h.add('a');
    await h.tryDialNext();
    expect(h.dialed('a')).toMatchObject({ verdict: 'route' });
  });
});

describe('ready', () => {
  test('brings the peer up once, with its channels', async () => {
    const h = start();
    const updates = h.manager.peers.updates()[Symbol.asyncIterator]();
    expect((await updates.next()).value).toEqual({ snapshotEnd: true });
    const { link } = h.accepted('a', { channels: [66] });
    expect(h.stateOf('a')).toBe('connected');
    h.manager.ready(idOf('a'), link);
    h.manager.ready(idOf('a'), link);
    expect((await updates.next()).value).toEqual({ id: idOf('a'), status: 'up', channels: [66] });
    h.manager.disconnected(idOf('a'), link, 'remoteClosed');
    expect((await updates.next()).value).toEqual({ id: idOf('a'), status: 'down', channels: [], reason: 'remoteClosed' });
    await updates.return!();
  });

  test('of a peer that is not connected, or of another link, does nothing', async () => {
    const h = start();
    await h.add('a');
    h.manager.ready(idOf('a'), 'stranger');
    h.manager.ready(idOf('b'), 'stranger');
    h.accepted('c');
    h.manager.ready(idOf('c'), 'stranger');
    expect(h.manager.counts()).toMatchObject({ known: 2, up: 0 });
  });
});

describe('evictNext', () => {
  test('gives each link that has to go once, with the reason', async () => {
    const h = start();
    const link = h.up('a');
    expect(await h.tryEvictNext()).toBeUndefined();
    h.manager.report(idOf('a'), 'protocolViolation', 'broke the rules');
    expect(await h.tryEvictNext()).toEqual({ id: idOf('a'), link, reason: 'misbehaved' });
    h.manager.report(idOf('a'), 'protocolViolation', 'again');
    expect(await h.tryEvictNext()).toBeUndefined();
    expect(h.stateOf('a')).toBe('evicting');
    h.manager.disconnected(idOf('a'), link, 'misbehaved');
    expect(h.stateOf('a')).toBe('banned');
  });

  test('wakes when there is one, and rejects with the reason of its signal', async () => {
    const h = start();
    const link = h.up('a');
    const next = watch(h.manager.evictNext(never));
    h.manager.report(idOf('a'), 'fatal', 'enough');
    expect(await next()).toEqual({ id: idOf('a'), link, reason: 'banned' });
    const abort = new AbortController();
    const waiting = h.manager.evictNext(abort.signal);
    abort.abort(new Error('stop'));
    await expect(waiting).rejects.toThrow('stop');
  });

  test('leaves out links that have ended meanwhile', async () => {
    const h = start();
    const [a, b] = [h.up('a'), h.up('b')];
    for (const digit of 'ab') h.manager.report(idOf(digit), 'protocolViolation', 'x');
    h.manager.disconnected(idOf('a'), a, 'reset');
    expect(await h.tryEvictNext()).toMatchObject({ link: b });
  });
});

describe('disconnected', () => {
  test('of a peer or link that is not known changes nothing', () => {
    const h = start();
    h.manager.disconnected(idOf('a'), 'x', 'reset');
    const link = h.up('b');
    h.manager.disconnected(idOf('b'), 'another', 'reset');
    expect(h.stateOf('b')).toBe('up');
    h.manager.disconnected(idOf('b'), link, 'reset');
    expect(h.manager.peers.list()).toEqual([]);
  });

  test('leaves a dial that is under way alone', async () => {
    const h = start();
    await h.add('a');
    await h.tryDialNext();
    const link = h.up('a');
    h.manager.disconnected(idOf('a'), link, 'reset');
    expect(h.stateOf('a')).toBe('dialing');
    expect(h.dialed('a')).toMatchObject({ verdict: 'route' });
  });

  test('after a rejection backs the peer off, unless it comes up within two seconds', async () => {
    const h = start({ random: () => 0.5, persistent: [addressOf('a')] });
    await h.tryDialNext();
    const { link } = h.dialed('a');
    h.manager.ready(idOf('a'), link);
    h.manager.disconnected(idOf('a'), link, 'rejected');
    expect(await h.tryDialNext()).toBeUndefined();
    h.clock.advance(2_000);
    expect(h.store.load()[0]).toMatchObject({ lastReason: 'rejected', addresses: [{ failures: 1 }] });
    expect(await h.tryDialNext()).toBeUndefined();
    h.clock.advance(125);
    expect(digitOf(await h.tryDialNext())).toBe('a');
    const again = h.dialed('a');
    h.manager.disconnected(idOf('a'), again.link, 'rejected');
    h.up('a');
    h.clock.advance(5_000);
    expect(h.store.load()[0]).toMatchObject({ addresses: [{ failures: 0 }] });
  });
});

describe('a held connection', () => {
  const held = async () => {
    const h = start({ own: 'e' });
    await h.add('a');
    await h.tryDialNext();
    const older = h.up('a');
    const { link, ...admission } = h.dialed('a');
    expect(admission).toEqual({ verdict: 'hold', older });
    return { h, older, link };
  };

  test('waits eight seconds for a ruling', async () => {
    const { h, link } = await held();
    const ruling = watch(h.manager.settled(link, never));
    h.clock.advance(7_999);
    expect(await ruling()).toBe('waiting');
    h.clock.advance(1);
    expect(await ruling()).toMatchObject({ verdict: 'refuse', reason: 'duplicate', error: { code: 'ERR_PEER_DUPLICATE' } });
    expect(h.stateOf('a')).toBe('up');
  });

  test('is routed when the older one ends', async () => {
    const { h, older, link } = await held();
    const ruling = watch(h.manager.settled(link, never));
    h.manager.disconnected(idOf('a'), older, 'remoteClosed');
    expect(await ruling()).toEqual({ verdict: 'route' });
    h.manager.ready(idOf('a'), link);
    expect(h.stateOf('a')).toBe('up');
  });

  test('hears a ruling that was made before it asked', async () => {
    const { h, older, link } = await held();
    h.manager.disconnected(idOf('a'), older, 'remoteClosed');
    expect(await h.manager.settled(link, never)).toEqual({ verdict: 'route' });
  });

  test('that ends by itself is forgotten', async () => {
    const { h, link } = await held();
    h.manager.disconnected(idOf('a'), link, 'remoteClosed');
    expect(await h.manager.settled(link, never)).toMatchObject({ verdict: 'refuse' });
    h.clock.advance(10_000);
    expect(h.stateOf('a')).toBe('up');
  });

  test('takes a slot', async () => {
    const h = start({ own: 'e', slots: { outbound: 1 } });
    await h.add('a');
    await h.add('b');
    await h.tryDialNext();
    h.up('a');
    const { link } = h.dialed('a');
    expect(await h.tryDialNext()).toBeUndefined();
    h.manager.disconnected(idOf('a'), link, 'remoteClosed');
    expect(digitOf(await h.tryDialNext())).toBe('b');
  });

  test('stops waiting with its signal', async () => {
    const { h, link } = await held();
    const abort = new AbortController();
    const waiting = h.manager.settled(link, abort.signal);
    abort.abort(new Error('stop'));
    await expect(waiting).rejects.toThrow('stop');
  });
});

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
    expect(sentence('c')).toMatch(/being disconnected/);
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
    h.manager.routerRestarted();
    expect(['a', 'c'].map((digit) => h.stateOf(digit))).toEqual(['known', undefined]);
    h.manager.disconnected(idOf('c'), link, 'reset');
    h.clock.advance(10_000);
    expect(h.manager.counts()).toMatchObject({ dialing: 0, connected: 0 });
  });

  test('while nothing runs questions fail and reports are lost', async () => {
    const h = start();
    h.stop();
    made.length = 0;
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

describe('the options together', () => {
  test.each<[string, ManagerChanges, string]>([
    [
      'more persistent peers than outbound slots',
      { slots: { outbound: 1 }, persistent: [addressOf('a'), addressOf('b')] },
      'ERR_OPTION_INVALID',
    ],
    ['a persistent address twice', { persistent: [addressOf('a'), addressOf('a')] }, 'ERR_OPTION_INVALID'],
    ['more inbound slots than stored peers', { slots: { inbound: 30 }, storeOptions: { maxPeers: 20 } }, 'ERR_OPTION_INVALID'],
    [
      'more outbound and upgrade slots than stored peers',
      { slots: { inbound: 1, outbound: 18 }, storeOptions: { maxPeers: 20 } },
      'ERR_OPTION_INVALID',
    ],
    ['a longest back-off below the shortest', { dialer: { minRetryMs: 7_000, maxRetryMs: 5_000 } }, 'ERR_OPTION_INVALID'],
    ['a longest persistent back-off below the shortest', { dialer: { minRetryMs: 31_000 } }, 'ERR_OPTION_INVALID'],
    ['our own id among the persistent peers', { persistent: [addressOf('5')] }, 'ERR_PEER_SELF'],
    ['our own id among the bootstrap peers', { bootstrap: [addressOf('5')] }, 'ERR_PEER_SELF'],
  ])('refuse %s', (_, changes, code) => {
    expect(() => start(changes)).toThrow(expect.objectContaining({ code }));
  });

  test('refuse everything that is wrong at once', () => {
    expect(() =>
      start({ slots: { outbound: 1 }, persistent: [addressOf('a'), addressOf('b')], dialer: { minRetryMs: 7_000, maxRetryMs: 5_000 } }),
    ).toThrow(/persistentPeers.*maxRetryMs/);
  });

  test('accept as many persistent peers as slots, and a longest back-off that is the shortest', () => {
    start({
      slots: { outbound: 2 },
      persistent: [addressOf('a'), addressOf('b'), addressOf('b', 9)],
      dialer: { minRetryMs: 500, maxRetryMs: 500 },
    });
  });
});

describe('advertise', () => {
  test('tells what was reached, our own address first, to who can use it', async () => {
    const own = parseNodeAddress(`mconn://${idOf('5')}@9.9.9.9:26656`);
    const h = start({ selfAddress: () => own, privateIds: [idOf('c')] });
    for (const digit of 'abc') {
      await h.add(digit);
      await h.tryDialNext();
      h.dialed(digit);
    }
    await h.add('d');
    const told = (asker: string, limit = 10): string => h.manager.advertise(idOf(asker), limit, '8.8.8.8').map(digitOf).join('');
    expect([...told('f')].sort().join('')).toBe('5ab');
    expect(told('f')[0]).toBe('5');
    expect(told('a')).toBe('5b');
    expect(told('f', 2)).toHaveLength(2);
    expect(told('f', 0)).toBe('');
  });
});
