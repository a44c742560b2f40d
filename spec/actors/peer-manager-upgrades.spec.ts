import { describe, expect, test } from '@jest/globals';
import { formatNodeAddress } from '../../proto/address.ts';
import { TroupeError } from '../../proto/errors.ts';
import { blankRow, type PeerRow } from '../../machines/peer-row.ts';
import { epochOf } from '../../machines/policy/score.ts';
import type { ManagerContext } from '../../machines/peer-manager-context.ts';
import { memoryStore } from '../../actors/stores/memory.ts';
import { addressOf, digitOf, idOf, managers, type ManagerChanges, type ManagerHarness } from '../support/manager.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const start = managers();
const epoch = epochOf(new VirtualClock().wallNow());

const rowOf = (digit: string, score: number): PeerRow => ({
  ...blankRow(idOf(digit)),
  score,
  scoreEpoch: epoch,
  addresses: [{ address: formatNodeAddress(addressOf(digit)), lastSuccess: 0, lastFailure: 0, failures: 0, notBefore: 0, source: 'host' }],
});

/** A manager with few slots that knows peers with these scores. */
function known(scores: Readonly<Record<string, number>>, changes: ManagerChanges = {}): ManagerHarness {
  const store = memoryStore(Object.entries(scores).map(([digit, score]) => rowOf(digit, score)));
  return start({ store, ...changes, slots: { outbound: 1, inbound: 1, ...changes.slots } });
}

/** The next peer to dial, as its digit; it must be one of those expected. */
const dialNext = async (h: ManagerHarness): Promise<string | undefined> => digitOf(await h.tryDialNext());
const evicted = async (h: ManagerHarness): Promise<string | undefined> => {
  const eviction = await h.tryEvictNext();
  expect(eviction?.reason ?? 'displaced').toBe('displaced');
  return eviction?.id[0];
};
const contextOf = (h: ManagerHarness): ManagerContext => (h.actor.getSnapshot() as { context: ManagerContext }).context;
const claimsOf = (h: ManagerHarness): string[] => contextOf(h).claims.map(({ candidate, victim }) => `${candidate[0]}>${victim[0]}`);

/** Dials the best peers that are known, in their order, until as many are connected. */
async function connected(h: ManagerHarness, ...digits: string[]): Promise<Record<string, string>> {
  const links: Record<string, string> = {};
  for (const digit of digits) {
    await h.add(digit);
    expect(await dialNext(h)).toBe(digit);
    const { link, verdict } = h.dialed(digit);
    expect(verdict).toBe('route');
    h.manager.ready(idOf(digit), link);
    links[digit] = link;
  }
  return links;
}

const tell = (h: ManagerHarness, digit: string, ...behaviours: ('useful' | 'unhelpful' | 'malformed')[]): void => {
  for (const behaviour of behaviours) h.manager.report(idOf(digit), behaviour, 'x');
};
const useful = (times: number): 'useful'[] => Array.from({ length: times }, () => 'useful');

describe('an outbound upgrade', () => {
  test('hands out a peer ten points better than a connected one, and asks that one to leave once the better is connected', async () => {
    const h = start({ slots: { outbound: 1 } });
    await connected(h, 'a');
    await h.add('b');
    tell(h, 'b', ...useful(9));
    expect(await dialNext(h)).toBeUndefined();
    tell(h, 'b', 'useful');
    expect(await dialNext(h)).toBe('b');
    expect(claimsOf(h)).toEqual(['b>a']);
    expect(await evicted(h)).toBeUndefined();
    expect(h.dialed('b')).toMatchObject({ verdict: 'route' });
    expect(claimsOf(h)).toEqual([]);
    expect(await evicted(h)).toBe('a');
    expect(await evicted(h)).toBeUndefined();
    expect(contextOf(h).usage).toEqual({ inbound: 0, outbound: 2 });
  });

  test('claims a victim once: others look for another, or wait', async () => {
    const h = known({ b: 20, c: 20 }, { slots: { outbound: 1, upgrade: 2 } });
    expect(await dialNext(h)).toBe('b');
    h.manager.dialFailed(addressOf('b'), new TroupeError('ERR_DIAL_FAILED'));
    h.manager.dialFailed(addressOf('b'), new TroupeError('ERR_DIAL_FAILED'));
    expect(await dialNext(h)).toBe('c');
    h.manager.dialFailed(addressOf('c'), new TroupeError('ERR_DIAL_FAILED'));
    await connected(h, 'a');
    h.clock.advance(10_000);
    const first = await dialNext(h);
    expect('bc').toContain(first);
    expect(await dialNext(h)).toBeUndefined();
    h.failed(first!);
    expect(claimsOf(h)).toEqual([]);
    expect(await dialNext(h)).toBe(first === 'b' ? 'c' : 'b');
  });

  test('keeps to the upgrade slots', async () => {
    const h = start({ slots: { outbound: 3, upgrade: 2 } });
    await connected(h, 'a', 'b', 'c');
    for (const digit of 'def') {
      await h.add(digit);
      tell(h, digit, ...useful(15));
    }
    const handed = [await dialNext(h), await dialNext(h), await dialNext(h)];
    expect(handed.filter((each) => each !== undefined)).toHaveLength(2);
    expect(new Set(claimsOf(h).map((claim) => claim[2])).size).toBe(2);
    expect(contextOf(h).usage.outbound).toBe(5);
    h.dialed(handed[0]!);
    expect(await dialNext(h)).toBeUndefined();
    expect(contextOf(h).usage.outbound).toBe(5);
  });

  test('never takes the place of persistent, unconditional or inbound peers', async () => {
    const h = known({ d: 80 }, { slots: { outbound: 2 }, persistent: [addressOf('a')], unconditionalIds: [idOf('b')] });
    expect(await dialNext(h)).toBe('a');
    h.manager.ready(idOf('a'), h.dialed('a').link);
    expect(await dialNext(h)).toBe('d');
    h.manager.ready(idOf('d'), h.dialed('d').link);
    tell(h, 'a', 'malformed');
    h.up('b');
    h.up('c');
    for (const digit of 'ef') {
      await h.add(digit);
      tell(h, digit, ...useful(20));
    }
    expect(await dialNext(h)).toBeUndefined();
    tell(h, 'd', 'malformed');
    expect(await dialNext(h)).toBeDefined();
    expect(claimsOf(h)[0]?.[2]).toBe('d');
  });

  test('takes the place of the first in the order of eviction: a negative score, then the most crowded network, then the lowest score', async () => {
    const h = start({ slots: { outbound: 4, upgrade: 4 } });
    await connected(h, 'a', 'b', 'c', 'd');
    tell(h, 'a', ...useful(3));
    tell(h, 'b', ...useful(2));
    tell(h, 'c', 'unhelpful');
    tell(h, 'd', ...useful(4));
    // Another connection from the network of b.
    h.up('0', { remoteIp: addressOf('b', 77).host });
    for (const digit of 'ef12') {
      await h.add(digit);
      tell(h, digit, ...useful(20));
      await dialNext(h);
    }
    expect(claimsOf(h).map((claim) => claim[2])).toEqual(['c', 'b', 'a', 'd']);
  });

  test('spares an equally good or hardly worse peer, however crowded its network', async () => {
    const h = known({ e: 20 }, { slots: { outbound: 2 } });
    expect(await dialNext(h)).toBe('e');
    h.failed('e');
    await connected(h, 'a', 'b');
    tell(h, 'a', ...useful(15));
    h.up('0', { remoteIp: addressOf('a', 9).host });
    h.clock.advance(10_000);
    expect(await dialNext(h)).toBe('e');
    expect(claimsOf(h)).toEqual(['e>b']);
  });

  test('chooses again when the dial is through: one that has become even worse leaves instead', async () => {
    const h = known({ c: 30 }, { slots: { outbound: 2 } });
    expect(await dialNext(h)).toBe('c');
    h.failed('c');
    await connected(h, 'a', 'b');
    tell(h, 'a', ...useful(9));
    h.clock.advance(10_000);
    expect(await dialNext(h)).toBe('c');
    expect(claimsOf(h)).toEqual(['c>b']);
    tell(h, 'a', 'malformed');
    h.dialed('c');
    expect(await evicted(h)).toBe('a');
    expect(await evicted(h)).toBeUndefined();
  });

  test('evicts nobody when a slot came free meanwhile', async () => {
    const h = known({ c: 30 }, { slots: { outbound: 2 } });
    expect(await dialNext(h)).toBe('c');
    h.failed('c');
    const links = await connected(h, 'a', 'b');
    h.clock.advance(10_000);
    expect(await dialNext(h)).toBe('c');
    h.manager.disconnected(idOf('b'), links['b']!, 'reset');
    expect(h.dialed('c')).toMatchObject({ verdict: 'route' });
    expect(await evicted(h)).toBeUndefined();
    expect(h.stateOf('a')).toBe('up');
  });

  test('is refused when everybody has become too good for it, and is not dialed again at once', async () => {
    const h = known({ c: 15 });
    expect(await dialNext(h)).toBe('c');
    h.failed('c');
    await connected(h, 'a');
    h.clock.advance(10_000);
    expect(await dialNext(h)).toBe('c');
    tell(h, 'a', ...useful(6));
    expect(h.dialed('c')).toMatchObject({ verdict: 'refuse', reason: 'full', error: { code: 'ERR_SLOTS_FULL' } });
    expect([claimsOf(h), await evicted(h), h.stateOf('a')]).toEqual([[], undefined, 'up']);
    tell(h, 'a', 'malformed');
    expect(await dialNext(h)).toBeUndefined();
    h.clock.advance(2_000);
    expect(await dialNext(h)).toBe('c');
  });

  test('takes a slot that came free if it is through first; the next one still needs its victim', async () => {
    const h = known({ c: 30, e: 30 }, { slots: { outbound: 2 } });
    for (const digit of 'ce') {
      expect(await dialNext(h)).toBe(digit);
      h.failed(digit);
    }
    const links = await connected(h, 'a', 'b');
    h.clock.advance(10_000);
    expect([await dialNext(h), await dialNext(h)].sort()).toEqual(['c', 'e']);
    expect(claimsOf(h)).toHaveLength(2);
    h.manager.disconnected(idOf('b'), links['b']!, 'reset');
    expect(claimsOf(h)).toHaveLength(1);
    expect(h.dialed('c')).toMatchObject({ verdict: 'route' });
    expect(await evicted(h)).toBeUndefined();
    expect(h.dialed('e')).toMatchObject({ verdict: 'route' });
    expect(await evicted(h)).toBe('a');
  });

  test('needs no victim when one who misbehaved is leaving anyway', async () => {
    const h = known({ c: 30 }, { slots: { outbound: 1 } });
    expect(await dialNext(h)).toBe('c');
    h.failed('c');
    const { a } = await connected(h, 'a');
    h.clock.advance(10_000);
    expect(await dialNext(h)).toBe('c');
    h.manager.report(idOf('a'), 'protocolViolation', 'x');
    expect(claimsOf(h)).toEqual([]);
    expect(h.dialed('c')).toMatchObject({ verdict: 'route' });
    expect(await h.tryEvictNext()).toMatchObject({ link: a, reason: 'misbehaved' });
    expect(await evicted(h)).toBeUndefined();
  });

  test('frees its victim when the candidate connects to us instead and its own dial is refused', async () => {
    const h = known({ c: 30 }, { own: '5' });
    expect(await dialNext(h)).toBe('c');
    h.failed('c');
    await connected(h, 'a');
    h.clock.advance(10_000);
    expect(await dialNext(h)).toBe('c');
    h.up('c', { ours: true });
    expect(claimsOf(h)).toEqual(['c>a']);
    // Both run this runtime and ours is the lower id, so the dialed connection is the one kept.
    expect(h.dialed('c', { ours: true })).toMatchObject({ verdict: 'route' });
    expect(claimsOf(h)).toEqual([]);
    expect(await evicted(h)).toBe('a');
  });

  test('a router that starts anew leaves no claim behind', async () => {
    const h = known({ c: 30 });
    expect(await dialNext(h)).toBe('c');
    h.failed('c');
    await connected(h, 'a');
    h.clock.advance(10_000);
    expect(await dialNext(h)).toBe('c');
    h.manager.routerRestarted();
    expect(claimsOf(h)).toEqual([]);
    expect(contextOf(h).usage).toEqual({ inbound: 0, outbound: 0 });
  });
});

describe('whoever made room', () => {
  const displacedA = async () => {
    const h = known({ c: 30 });
    expect(await dialNext(h)).toBe('c');
    h.failed('c');
    const { a } = await connected(h, 'a');
    tell(h, 'a', ...useful(20));
    h.clock.advance(10_000);
    expect(await dialNext(h)).toBe('c');
    const { link: c } = h.dialed('c');
    expect(await evicted(h)).toBe('a');
    h.manager.disconnected(idOf('a'), a!, 'displaced');
    return { h, c };
  };

  test('loses no score, and is not dialed again until there is a slot, however bad those connected become', async () => {
    const { h, c } = await displacedA();
    expect(h.manager.peers.list().find((each) => each.id === idOf('a'))).toMatchObject({ score: 20, lastReason: 'displaced' });
    h.clock.advance(60_000);
    tell(h, 'c', 'malformed', 'malformed');
    expect(await dialNext(h)).toBeUndefined();
    expect(h.manager.peers.explain(idOf('a')).sentence).toBe(
      'It made room for a better peer 60 s ago; it is dialed again once a slot is free.',
    );
    h.manager.disconnected(idOf('c'), c, 'reset');
    expect(await dialNext(h)).toBe('a');
  });

  test('waits for a slot over a restart too, and has one then', async () => {
    const { h } = await displacedA();
    expect(h.store.load().find(({ id }) => id === idOf('a'))).toMatchObject({ displacedAt: h.clock.wallNow() });
    h.restart();
    h.clock.advance(2_000);
    expect(await dialNext(h)).toBe('c');
    expect(await dialNext(h)).toBeUndefined();
  });

  test('may come back by itself', async () => {
    const { h } = await displacedA();
    expect(h.accepted('a')).toMatchObject({ verdict: 'route' });
    expect(h.store.load().find(({ id }) => id === idOf('a'))).toMatchObject({ displacedAt: 0 });
  });
});

describe('an inbound upgrade', () => {
  test('admits a better peer and asks the worst to leave in the same step; an equal one is refused', async () => {
    const h = known({ b: 10, c: 10, d: 40 }, { slots: { inbound: 1, upgrade: 1 } });
    h.up('a');
    expect(h.accepted('e')).toMatchObject({ verdict: 'refuse', reason: 'full' });
    expect(h.accepted('b')).toMatchObject({ verdict: 'route' });
    // The only one who could leave is leaving, and the upgrade slot is taken.
    expect(h.accepted('c')).toMatchObject({ verdict: 'refuse', reason: 'full' });
    expect(h.accepted('d')).toMatchObject({ verdict: 'refuse', reason: 'full' });
    expect(await evicted(h)).toBe('a');
    expect(contextOf(h).usage).toEqual({ inbound: 2, outbound: 0 });
  });

  test('finds the next one once the upgrade slot is free again', async () => {
    const h = known({ b: 10, c: 10, d: 40 }, { slots: { inbound: 1, upgrade: 1 } });
    const a = h.up('a');
    h.up('b');
    h.manager.disconnected(idOf('a'), a, 'displaced');
    expect(h.accepted('c')).toMatchObject({ verdict: 'refuse', reason: 'full' });
    expect(h.accepted('d')).toMatchObject({ verdict: 'route' });
    expect(await evicted(h)).toBe('b');
  });

  test('never takes an outbound slot, nor an outbound peer', async () => {
    const h = known({ b: 90 }, { slots: { inbound: 1, outbound: 2 } });
    await connected(h, 'b');
    await connected(h, 'a');
    h.up('0');
    tell(h, '0', ...useful(15));
    expect(h.accepted('c')).toMatchObject({ verdict: 'refuse', reason: 'full' });
    expect(contextOf(h).usage).toEqual({ inbound: 1, outbound: 2 });
  });

  test('a stranger takes the place of a peer with a negative score of ten or more', async () => {
    const h = start({ slots: { inbound: 2 } });
    h.up('a');
    h.up('b');
    tell(h, 'b', 'unhelpful', 'unhelpful', 'unhelpful', 'unhelpful');
    expect(h.accepted('c')).toMatchObject({ verdict: 'refuse' });
    tell(h, 'b', 'unhelpful');
    expect(h.accepted('c')).toMatchObject({ verdict: 'route' });
    expect(await evicted(h)).toBe('b');
  });

  test('gives nothing to one from a network that has its share', async () => {
    const h = known({ b: 90 }, { slots: { inbound: 1, perIp: 1 } });
    h.up('a', { remoteIp: '9.9.9.9' });
    expect(h.accepted('b', { remoteIp: '9.9.9.9' })).toMatchObject({ verdict: 'refuse', reason: 'full' });
    expect(await evicted(h)).toBeUndefined();
  });

  test('a held connection of the one that leaves is refused with the same reason', async () => {
    const h = known({ c: 30, a: 0 }, { slots: { outbound: 1, inbound: 1 }, own: 'e' });
    expect(await dialNext(h)).toBe('c');
    h.failed('c');
    expect(await dialNext(h)).toBe('a');
    const older = h.up('a');
    const { link, verdict } = h.dialed('a');
    expect(verdict).toBe('hold');
    const ruling = h.manager.settled(link, new AbortController().signal);
    expect(h.accepted('c')).toMatchObject({ verdict: 'route' });
    expect(await h.tryEvictNext()).toMatchObject({ link: older, reason: 'displaced' });
    expect(await ruling).toMatchObject({ verdict: 'refuse', reason: 'displaced', error: { code: 'ERR_SLOTS_FULL' } });
  });
});

describe('forty hostile inbound peers from two networks', () => {
  test('cannot push out honest ones, whatever they do to look better', async () => {
    const h = start({ slots: { inbound: 40, perNet: 8, perIp: 2 }, storeOptions: { maxPeers: 500 } });
    const honest = Array.from({ length: 20 }, (_, n) => n);
    const id = (kind: string, n: number) => `${kind}${n.toString(16).padStart(39, '0')}` as ReturnType<typeof idOf>;
    const links = new Map<string, string>();
    const accept = (peer: ReturnType<typeof idOf>, remoteIp: string): boolean => {
      const link = h.link();
      const isIn = h.manager.accepted({ id: peer, link, remoteIp, ours: false, channels: [] }).verdict === 'route';
      if (isIn) {
        h.manager.ready(peer, link);
        links.set(peer, link);
      }
      return isIn;
    };
    for (const n of honest) expect(accept(id('a', n), `${30 + n}.1.1.1`)).toBe(true);
    let hostile = 0;
    for (let n = 0; n < 40; n++) {
      const peer = id('b', n);
      h.manager.report(peer, 'useful', 'x');
      if (accept(peer, `${200 + (n % 2)}.1.1.${n}`)) hostile += 1;
      h.manager.report(peer, 'useful', 'x');
      for (let eviction = await h.tryEvictNext(); eviction; eviction = await h.tryEvictNext()) {
        h.manager.disconnected(eviction.id, eviction.link, eviction.reason);
        links.delete(eviction.id);
      }
    }
    expect(hostile).toBe(16);
    expect(honest.filter((n) => links.has(id('a', n))).length).toBeGreaterThanOrEqual(15);
  });
});
