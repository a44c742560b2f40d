import { describe, expect, test } from '@jest/globals';
import { formatNodeAddress, parseNodeAddress, type NodeAddress } from '../../proto/address.ts';
import { TroupeError } from '../../proto/errors.ts';
import { parseNodeId, type NodeId } from '../../proto/identity.ts';
import { blankRow, type PeerRow } from '../../machines/peer-row.ts';
import { memoryStore } from '../../actors/stores/memory.ts';
import { addressOf, digitOf, idOf, managers, never, watch, type ManagerHarness } from '../support/manager.ts';

const start = managers();
const idNumber = (n: number): NodeId => parseNodeId(n.toString(16).padStart(40, '0'));
const at = (n: number, host: string, port = 26_656): NodeAddress => parseNodeAddress(`mconn://${idNumber(n)}@${host}:${port}`);
const failed = (h: ManagerHarness, address: NodeAddress): void => h.manager.dialFailed(address, new TroupeError('ERR_DIAL_FAILED'));

/** Connects and is up. */
function up(h: ManagerHarness, address: NodeAddress): string {
  const link = h.link();
  const { verdict } = h.manager.dialed(address, { id: address.nodeId, link, ours: false, channels: [], remoteIp: address.host });
  expect(verdict).toBe('route');
  h.manager.ready(address.nodeId, link);
  return link;
}

/** Hands out as many as there are now. */
async function dialAll(h: ManagerHarness): Promise<readonly NodeAddress[]> {
  const all: NodeAddress[] = [];
  for (let next = await h.tryDialNext(); next; next = await h.tryDialNext()) all.push(next);
  return all;
}

describe('outbound peers of one network', () => {
  test('are at most two, those being dialed included, and others are dialed past them', async () => {
    const h = start();
    for (let n = 1; n <= 5; n++) await h.manager.add(at(n, `50.1.${n}.1`), { kind: 'host' });
    await h.manager.add(at(9, '50.2.0.1'), { kind: 'host' });
    const hosts = (await dialAll(h)).map(({ host }) => host).sort();
    expect(hosts).toHaveLength(3);
    expect(hosts.filter((host) => host.startsWith('50.1.'))).toHaveLength(2);
    expect(hosts).toContain('50.2.0.1');
    expect(h.manager.peers.explain(idNumber(5)).sentence).toMatch(/its network has its share of outbound peers/);
  });

  test('make room for the next when one of them goes, whether it failed or had been up', async () => {
    const h = start();
    for (let n = 1; n <= 4; n++) await h.manager.add(at(n, `50.1.${n}.1`), { kind: 'host' });
    const [first, second] = await dialAll(h);
    const link = up(h, first!);
    const next = watch(h.manager.dialNext(never).then(({ nodeId }) => nodeId));
    expect(await next()).toBe('waiting');
    h.manager.disconnected(first!.nodeId, link, 'reset');
    expect(await next()).not.toBe('waiting');
    const another = watch(h.manager.dialNext(never).then(({ nodeId }) => nodeId));
    expect(await another()).toBe('waiting');
    failed(h, second!);
    expect(await another()).not.toBe('waiting');
  });

  test.each([
    ['2600:1:1::1', '2600:1:2::1', '2600:1:3::1', 2],
    ['10.1.0.1', '10.1.0.2', '10.1.0.3', 3],
    ['127.0.0.1', '127.0.0.2', '127.0.0.3', 3],
  ])('%s, %s and %s: %i of them', async (...args) => {
    const hosts = args.slice(0, 3) as string[];
    const h = start();
    for (const [n, host] of hosts.entries()) {
      const text = host.includes(':') ? `[${host}]` : host;
      await h.manager.add(at(n, text), { kind: 'host' });
    }
    expect(await dialAll(h)).toHaveLength(args[3]);
  });

  test('are not limited when they are persistent, and these leave the others their share', async () => {
    const persistent = [1, 2, 3].map((n) => at(n, `50.1.${n}.1`));
    const h = start({ persistent });
    for (let n = 4; n <= 6; n++) await h.manager.add(at(n, `50.1.${n}.1`), { kind: 'host' });
    expect(await dialAll(h)).toHaveLength(5);
  });

  test('do not limit who connects to us', async () => {
    const h = start();
    for (let n = 1; n <= 2; n++) await h.manager.add(at(n, `50.1.${n}.1`), { kind: 'host' });
    for (const address of await dialAll(h)) up(h, address);
    expect(h.accepted('a', { remoteIp: '50.1.9.9' })).toMatchObject({ verdict: 'route' });
  });

  test('a peer with an address in another network is dialed there', async () => {
    const h = start();
    for (let n = 1; n <= 2; n++) await h.manager.add(at(n, `50.1.${n}.1`), { kind: 'host' });
    await dialAll(h);
    await h.manager.add(at(3, '50.1.3.1'), { kind: 'host' });
    expect(await h.tryDialNext()).toBeUndefined();
    await h.manager.add(at(3, '60.1.3.1'), { kind: 'host' });
    expect(await h.tryDialNext()).toMatchObject({ host: '60.1.3.1' });
  });
});

describe('hearsay', () => {
  const gossip = { kind: 'gossip', from: idOf('f') } as const;

  test('fills at most a tenth of the store from one network, whoever tells it', async () => {
    const h = start({ storeOptions: { maxPeers: 100 } });
    let taken = 0;
    for (let n = 0; n < 40; n++) {
      const from = idNumber(1_000 + n);
      if (await h.manager.add(at(n, `50.1.${n}.1`), { kind: 'gossip', from })) taken += 1;
    }
    expect(taken).toBe(10);
    expect(await h.manager.add(at(90, '50.2.0.1'), gossip)).toBe(true);
    expect(await h.manager.add(at(91, '50.1.200.1'), { kind: 'host' })).toBe(true);
  });

  test('about one host is kept four times at most while it is untried, and told again once it was tried', async () => {
    const h = start();
    const taken: boolean[] = [];
    for (let n = 0; n < 6; n++)
      taken.push(await h.manager.add(at(n, '50.1.1.1', 2_000 + n), { kind: 'gossip', from: idNumber(1_000 + n) }));
    expect(taken).toEqual([true, true, true, true, false, false]);
    failed(h, (await h.tryDialNext())!);
    expect(await h.manager.add(at(9, '50.1.1.1', 2_009), gossip)).toBe(true);
  });

  test('makes us knock at one host at most once a minute, however many ids and ports it names', async () => {
    const h = start();
    for (let n = 0; n < 4; n++) await h.manager.add(at(n, '50.1.1.1', 2_000 + n), { kind: 'gossip', from: idNumber(1_000 + n) });
    await h.manager.add(at(8, '60.1.1.1'), gossip);
    const first = await dialAll(h);
    expect(first.map(({ host }) => host).sort()).toEqual(['50.1.1.1', '60.1.1.1']);
    for (const address of first) failed(h, address);
    h.clock.advance(59_999);
    expect((await dialAll(h)).filter(({ host }) => host === '50.1.1.1')).toEqual([]);
    h.clock.advance(1);
    expect((await dialAll(h)).filter(({ host }) => host === '50.1.1.1')).toHaveLength(1);
  });

  test('about a private host, and what the operator says, is dialed as it comes', async () => {
    const h = start({ slots: { outboundPerGroup: 9 } });
    for (let n = 0; n < 3; n++) await h.manager.add(at(n, '50.1.1.1', 2_000 + n), { kind: 'host' });
    expect(await dialAll(h)).toHaveLength(3);
  });

  test('of one id with ten thousand hosts comes to one address and one dial', async () => {
    const h = start();
    for (let n = 0; n < 10_000; n++) await h.manager.add(at(1, `50.${n >> 8}.${n & 255}.1`), gossip);
    expect(h.manager.peers.list()).toMatchObject([{ addresses: { length: 1 } }]);
    expect(await dialAll(h)).toHaveLength(1);
  });

  test('that mostly fails costs whoever told it a point for each further failure, and nothing more is taken from it', async () => {
    const h = start({ storeOptions: { maxPeers: 10_000 }, slots: { outbound: 30 } });
    const link = h.up('f', { remoteIp: '9.9.9.9' });
    const score = (): number => h.manager.peers.list().find(({ id }) => id === idOf('f'))!.score;
    for (let n = 0; n < 26; n++) expect(await h.manager.add(at(n, `${60 + n}.1.1.1`), gossip)).toBe(true);
    const dials = await dialAll(h);
    expect(dials).toHaveLength(26);
    for (const address of dials.slice(0, 20)) failed(h, address);
    expect(score()).toBe(0);
    expect(await h.manager.add(at(50, '99.1.1.1'), gossip)).toBe(false);
    for (const address of dials.slice(20, 25)) failed(h, address);
    expect(score()).toBe(-5);
    expect(h.manager.peers.explain(idOf('f')).facts['reports']).toMatchObject([{ behaviour: 'misleading' }, {}, {}, {}, {}]);
    expect(await h.manager.add(at(51, '99.2.1.1'), { kind: 'gossip', from: idOf('e') })).toBe(true);
    h.manager.disconnected(idOf('f'), link, 'reset');
  });

  test('that mostly works, or failed by our own fault, costs nobody anything', async () => {
    const h = start({ storeOptions: { maxPeers: 10_000 }, slots: { outbound: 60, inbound: 40 } });
    h.up('f', { remoteIp: '9.9.9.9' });
    for (let n = 0; n < 50; n++) await h.manager.add(at(n, `${60 + n}.1.1.1`), gossip);
    const dials = await dialAll(h);
    for (const [n, address] of dials.entries()) {
      if (n % 2 === 0) up(h, address);
      else if (n % 4 === 1) failed(h, address);
      else h.manager.dialFailed(address, new TroupeError('ERR_PEER_FILTERED'));
    }
    expect(h.manager.peers.list().find(({ id }) => id === idOf('f'))).toMatchObject({ score: 0 });
    expect(await h.manager.add(at(99, '190.1.1.1'), gossip)).toBe(true);
  });
});

describe('a peer of several addresses', () => {
  test('is tried at three of them in one round of a minute', async () => {
    const h = start();
    for (let host = 1; host <= 4; host++) await h.add('a', host);
    const tried: string[] = [];
    for (let n = 0; n < 3; n++) {
      const address = (await h.tryDialNext())!;
      tried.push(formatNodeAddress(address));
      failed(h, address);
    }
    expect(new Set(tried).size).toBe(3);
    h.clock.advance(59_000);
    expect(await h.tryDialNext()).toBeUndefined();
    h.clock.advance(1_000);
    expect(await h.tryDialNext()).toBeDefined();
  });
});

describe('a peer that connects again and again', () => {
  const flap = (h: ManagerHarness, digit: string, times: number, everyMs: number): void => {
    for (let n = 0; n < times; n++) {
      const link = h.up(digit);
      h.clock.advance(everyMs);
      h.manager.disconnected(idOf(digit), link, 'remoteClosed');
    }
  };

  test('is refused the fifth time within a minute, and neither accepted nor dialed for ten minutes', async () => {
    const h = start();
    await h.add('a');
    flap(h, 'a', 4, 100);
    expect(h.accepted('a')).toMatchObject({ verdict: 'refuse', reason: 'flapping', error: { code: 'ERR_PEER_FLAPPING' } });
    expect(h.manager.peers.explain(idOf('a')).sentence).toMatch(/^Left alone for a while, since it connected too often/);
    h.clock.advance(599_999);
    expect(h.accepted('a')).toMatchObject({ verdict: 'refuse', reason: 'flapping' });
    expect(await h.tryDialNext()).toBeUndefined();
    h.clock.advance(1);
    expect(digitOf(await h.tryDialNext())).toBe('a');
  });

  test('is remembered over a restart, stranger or not', () => {
    const h = start();
    flap(h, 'a', 4, 100);
    expect(h.accepted('a')).toMatchObject({ reason: 'flapping' });
    h.restart();
    expect(h.accepted('a')).toMatchObject({ reason: 'flapping' });
    h.clock.advance(600_000);
    expect(h.accepted('a')).toMatchObject({ verdict: 'route' });
  });

  test('but less often than five times a minute is welcome', () => {
    const h = start();
    flap(h, 'a', 8, 15_001);
    expect(h.accepted('a')).toMatchObject({ verdict: 'route' });
  });

  test('is let in whatever it does when it is persistent or unconditional', () => {
    const h = start({ persistent: [addressOf('a')], unconditionalIds: [idOf('b')] });
    for (const digit of 'ab') {
      flap(h, digit, 6, 100);
      expect(h.accepted(digit)).toMatchObject({ verdict: 'route' });
    }
  });

  test('is let in when the operator dials it', async () => {
    const h = start();
    await h.add('a');
    flap(h, 'a', 4, 100);
    h.accepted('a');
    h.clock.advance(60_000);
    const dialing = watch(h.manager.peers.dial(idOf('a')));
    expect(digitOf(await h.tryDialNext())).toBe('a');
    h.manager.ready(idOf('a'), h.dialed('a').link);
    expect(await dialing()).toBeUndefined();
  });

  test('does not lose its failed dials by being accepted', async () => {
    const h = start();
    await h.add('a');
    await h.tryDialNext();
    h.failed('a');
    flap(h, 'a', 1, 100);
    expect(h.store.load()[0]).toMatchObject({ addresses: [{ failures: 1 }] });
  });
});

describe('after a restart', () => {
  const rowOf = (digit: string, changes: Partial<PeerRow>): PeerRow => ({
    ...blankRow(idOf(digit)),
    addresses: [
      { address: formatNodeAddress(addressOf(digit)), lastSuccess: 0, lastFailure: 0, failures: 0, notBefore: 0, source: 'host' },
    ],
    ...changes,
  });

  test('the last two good outbound peers are dialed first, after the persistent ones', async () => {
    const store = memoryStore([
      rowOf('a', { score: 90, scoreEpoch: 78_703 }),
      rowOf('b', { anchoredAt: 300 }),
      rowOf('c', { anchoredAt: 100 }),
      rowOf('d', { anchoredAt: 200 }),
    ]);
    const h = start({ store, persistent: [addressOf('e')] });
    expect((await dialAll(h)).map(digitOf).slice(0, 3).join('')).toBe('ebd');
  });

  test('each of the two is dialed first once only', async () => {
    const store = memoryStore([rowOf('a', { score: 90, scoreEpoch: 78_703 }), rowOf('b', { anchoredAt: 300 })]);
    const h = start({ store, slots: { outbound: 1 } });
    expect(digitOf(await h.tryDialNext())).toBe('b');
    h.failed('b');
    h.clock.advance(10_000);
    expect(digitOf(await h.tryDialNext())).toBe('a');
  });

  test('a peer is one of them after a minute up without blame, on a connection that we made', async () => {
    const h = start();
    for (const digit of 'abc') await h.add(digit);
    const anchors = (): string =>
      h.store
        .load()
        .filter(({ anchoredAt }) => anchoredAt > 0)
        .map(({ id }) => id[0])
        .join('');
    for (const address of await dialAll(h)) up(h, address);
    h.up('d');
    h.manager.report(idOf('c'), 'unhelpful', 'x');
    h.clock.advance(59_999);
    expect(anchors()).toBe('');
    h.clock.advance(1);
    expect(anchors()).toBe('ab');
    h.restart();
    h.clock.advance(2_000);
    expect((await dialAll(h)).map(digitOf).slice(0, 2).sort().join('')).toBe('ab');
  });

  test('one that stays, and one that ends well, is one of the last', async () => {
    const h = start();
    await h.add('a');
    const [address] = await dialAll(h);
    const link = up(h, address!);
    const anchoredAt = (): number => h.store.load()[0]!.anchoredAt;
    h.clock.advance(3_600_000);
    expect(anchoredAt()).toBe(h.clock.wallNow());
    h.clock.advance(1_000);
    h.manager.disconnected(idOf('a'), link, 'shutdown');
    expect(anchoredAt()).toBe(h.clock.wallNow());
  });
});
