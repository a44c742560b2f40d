import { describe, expect, test } from '@jest/globals';
import { addressOf, digitOf, idOf, managers, never, watch } from '../support/manager.ts';

const start = managers();

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
    for (const [n, digit] of Array.from('abcd0123').entries()) net.up(digit, { remoteIp: `9.9.9.${n}` });
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

  test('that ends while it waits learns that it is not kept', async () => {
    const { h, link } = await held();
    const ruling = watch(h.manager.settled(link, never));
    h.manager.disconnected(idOf('a'), link, 'remoteClosed');
    expect(await ruling()).toMatchObject({ verdict: 'refuse', reason: 'duplicate' });
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
