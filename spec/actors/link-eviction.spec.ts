import { afterEach, describe, expect, test } from '@jest/globals';
import { Link } from '../../actors/link.ts';
import type { Admission } from '../../actors/peer-manager.ts';
import { TroupeError } from '../../proto/errors.ts';
import { nodeKeyFromSeed } from '../../proto/identity.ts';
import { hello, pair, stopAll, talk, world, type Host } from '../support/router.ts';
import { settle } from '../support/virtual-clock.ts';

afterEach(stopAll);

/** Everything that an eviction may leave behind. */
const left = ({ router }: Host, peer: Host) => [router.linkCount, router.link(peer.key.id)];
const nothing = [0, undefined];

/** Two routers that are about to connect, both with a channel. */
async function apart() {
  const w = world();
  const [a, b] = [await w.host(), await w.host()];
  for (const { router } of [a, b]) router.openChannel(talk);
  return { ...w, a, b };
}

describe('an eviction reaches the link in every gap:', () => {
  test('before its actor has begun', () => {
    const parts = { handle: '1', slot: 0, connection: { direction: 'inbound' }, queue: {}, rates: {}, address: undefined };
    const link = new Link(parts as never);
    link.close('banned');
    link.close('displaced');
    const orders: string[] = [];
    link.obey((reason) => orders.push(reason));
    expect(orders).toEqual(['banned']);
  });

  test('while it shakes hands, when the router itself ends it', async () => {
    const { a, network } = await apart();
    const stranger = nodeKeyFromSeed(new Uint8Array(32).fill(77)).id;
    const silent = await network.transport(stranger).dial(a.transport.endpoints()[0]!, new AbortController().signal);
    await settle(10);
    expect(a.router.linkCount).toBe(1);
    await a.router.drain(new AbortController().signal);
    expect(a.router.linkCount).toBe(0);
    expect(await silent.ended).toBeInstanceOf(TroupeError);
    expect(a.manager.heard).toEqual([]);
  });

  test('in the very call in which it was admitted', async () => {
    const { a, b, connect } = await apart();
    b.manager.admission = (arrival): Admission => {
      b.manager.evict(arrival, 'displaced');
      return { verdict: 'route' };
    };
    await connect(a, b);
    expect(b.manager.heard.at(0)).toBe('route');
    expect(b.manager.heard.at(-1)).toBe('down displaced');
    expect(left(b, a)).toEqual(nothing);
  });

  test('in the very call in which it came up', async () => {
    const { a, b, connect } = await apart();
    b.manager.ready = () => {
      b.manager.heard.push('up');
      b.manager.evict(b.manager.arrivals[0]!, 'displaced');
      return 0;
    };
    await connect(a, b);
    expect(b.manager.heard).toEqual(['route', 'up', 'down displaced']);
    expect(left(b, a)).toEqual(nothing);
  });

  test('while it is held beside an older one, which stays', async () => {
    const { a, b, connect } = await pair();
    b.manager.admission = () => ({ verdict: 'hold', older: b.manager.arrivals[0]!.link });
    await connect(a, b);
    b.manager.evict(b.manager.arrivals[1]!, 'banned');
    await settle(10);
    expect(b.manager.heard).toEqual(['route', 'up', 'hold', 'down banned']);
    expect(b.router.linkCount).toBe(1);
    expect(b.router.link(a.key.id)).toBeDefined();
  });

  test('while it waits for the one it replaces to be over', async () => {
    const { a, b, channels, connect, clock } = await pair();
    // The older one is not over before its last message is read, or the flush time has passed.
    await channels.a.send({ to: b.key.id, message: hello });
    await settle(10);
    b.manager.admission = () => ({ verdict: 'route', replaces: b.manager.arrivals[0]!.link });
    await connect(a, b);
    expect(b.manager.heard).toEqual(['route', 'up', 'route']);
    b.manager.evict(b.manager.arrivals[1]!, 'banned');
    await settle(10);
    expect(b.manager.heard).toEqual(['route', 'up', 'route', 'down banned']);
    await clock.advanceAsync(3_000);
    expect(b.manager.heard).toEqual(['route', 'up', 'route', 'down banned', 'down duplicate']);
    expect(left(b, a)).toEqual(nothing);
  });

  test('while it closes: its first reason stays, and it is reported once', async () => {
    const { a, b } = await pair();
    b.manager.evict(b.manager.arrivals[0]!, 'displaced');
    b.manager.evict(b.manager.arrivals[0]!, 'banned');
    await settle(10);
    b.manager.evict(b.manager.arrivals[0]!, 'banned');
    await settle(10);
    expect(b.manager.heard).toEqual(['route', 'up', 'down displaced']);
    expect(Object.fromEntries(b.counters.disconnects)).toEqual({ displaced: 1 });
    expect(left(b, a)).toEqual(nothing);
  });

  test('when both ends evict at once', async () => {
    const { a, b } = await pair();
    a.manager.evict(a.manager.arrivals[0]!, 'displaced');
    b.manager.evict(b.manager.arrivals[0]!, 'banned');
    await settle(10);
    expect([a.manager.heard.at(-1), b.manager.heard.at(-1)]).toEqual(['down displaced', 'down banned']);
    expect([left(a, b), left(b, a)]).toEqual([nothing, nothing]);
  });

  test('of a link that is gone it changes nothing', async () => {
    const { a, b, connect } = await pair();
    const [gone] = b.manager.arrivals;
    b.manager.evict(gone!, 'displaced');
    await settle(10);
    b.manager.evict(gone!, 'displaced');
    await connect(a, b);
    expect(b.router.linkCount).toBe(1);
    expect(b.manager.heard).toEqual(['route', 'up', 'down displaced', 'route', 'up']);
  });
});

test('what waits for an evicted peer is dropped and counted, and its senders go on', async () => {
  const { a, b, channels } = await pair({ bufferMessages: 1, peerQueue: { maxMessages: 2 }, mailbox: { maxMessages: 1 } });
  const sent = Array.from({ length: 8 }, () => channels.a.send({ to: b.key.id, message: hello }));
  await settle(10);
  a.manager.evict(a.manager.arrivals[0]!, 'operator');
  const taken = (await Promise.all(sent)).filter(Boolean).length;
  await settle(10);
  const [dropped] = [...a.counters.drops.values()];
  expect([...a.counters.drops.keys()]).toEqual(['linkClosed']);
  expect(taken + dropped!).toBeGreaterThanOrEqual(8);
  expect(left(a, b)).toEqual(nothing);
});
