import { afterEach, describe, expect, test } from '@jest/globals';
import type { Envelope } from '../../actors/channel.ts';
import { nodeKeyFromSeed, type NodeId } from '../../proto/identity.ts';
import { hello, other, pair, stopAll, talk, world, type Host } from '../support/router.ts';
import { settle } from '../support/virtual-clock.ts';

afterEach(stopAll);

/** Routers that are all linked with each other, with `talk` and `other` open on all of them. */
async function mesh(size: number) {
  const { host, connect, clock, network } = world();
  const hosts: Host[] = [];
  while (hosts.length < size) hosts.push(await host());
  const [talks, others] = [talk, other].map((options) => hosts.map(({ router }) => router.openChannel(options)));
  for (const [index, from] of hosts.entries()) for (const to of hosts.slice(index + 1)) await connect(from, to);
  return { clock, network, host, connect, hosts, talks: talks!, others: others! };
}

const ids = (hosts: readonly Host[]): NodeId[] => hosts.map(({ key }) => key.id).sort();

test('eight routers, each linked with each: a message comes back from each of seven, and so does a broadcast, once', async () => {
  const { hosts, talks, others } = await mesh(8);
  const [asker, ...echoes] = talks;
  for (const channel of echoes) {
    const echo = async (): Promise<void> => {
      for await (const { from, message } of channel) await channel.send({ to: from, message: Uint8Array.from(message).reverse() });
    };
    void echo();
  }
  const reader = asker![Symbol.asyncIterator]();
  const answers = async (): Promise<NodeId[]> => {
    const from: NodeId[] = [];
    while (from.length < 7) {
      const answer = (await reader.next()).value as Envelope<Uint8Array>;
      expect(answer.message).toEqual(Uint8Array.from(hello).reverse());
      from.push(answer.from);
    }
    return from.sort();
  };
  for (const { key } of hosts.slice(1)) expect(await asker!.send({ to: key.id, message: hello })).toBe(true);
  expect(await answers()).toEqual(ids(hosts.slice(1)));
  expect(await asker!.broadcast(hello)).toBe(7);
  expect(await answers()).toEqual(ids(hosts.slice(1)));
  await settle(10);
  expect([...talks, ...others].map(({ waiting }) => waiting)).toEqual(Array.from({ length: 16 }, () => 0));
  expect(hosts.flatMap(({ counters }) => [...counters.drops])).toEqual([]);
});

test('a broadcast reaches those that are left when a peer has gone', async () => {
  const { hosts, talks } = await mesh(4);
  const [first] = hosts;
  expect(await talks[0]!.broadcast(hello)).toBe(3);
  first!.manager.evict(first!.manager.arrivals[1]!, 'operator');
  await settle(10);
  expect(await talks[0]!.broadcast(hello)).toBe(2);
  await settle(10);
  expect(talks.map(({ waiting }) => waiting)).toEqual([0, 2, 1, 2]);
});

test('three that connect and say nothing hold up nobody', async () => {
  const { hosts, host, connect, network } = await mesh(1);
  const [at] = hosts;
  for (const seed of [101, 102, 103])
    await network
      .transport(nodeKeyFromSeed(new Uint8Array(32).fill(seed)).id)
      .dial(at!.transport.endpoints()[0]!, new AbortController().signal);
  await settle(10);
  expect(at!.router.linkCount).toBe(3);
  const late = await host();
  late.router.openChannel(talk);
  await connect(late, at!);
  expect(at!.manager.heard).toEqual(['route', 'up']);
});

describe('of two transports with the same protocol', () => {
  test('the first one dials', async () => {
    const dialed: string[] = [];
    const { host, connect } = world();
    const first = {
      protocols: ['memory'],
      endpoints: () => [],
      dial: () => Promise.reject(new Error(`not here: ${dialed.push('first')}`)),
      close: () => Promise.resolve(),
    };
    const second = { ...first, dial: () => Promise.reject(new Error(`not here: ${dialed.push('second')}`)) };
    const [a, b] = [await host({}, { transports: [first, second] } as object), await host()];
    await connect(a, b);
    expect(dialed).toEqual(['first']);
    expect(a.manager.heard).toEqual(['dialFailed ERR_DIAL_FAILED']);
  });
});

test('a channel that closes while senders wait lets them end, and refuses those that come later', async () => {
  const { b, channels, clock } = await pair({ bufferMessages: 1, peerQueue: { maxMessages: 2 }, mailbox: { maxMessages: 1 } });
  const sent = Array.from({ length: 8 }, () => channels.a.send({ to: b.key.id, message: hello }).catch((error: unknown) => error));
  await settle(10);
  await channels.a.close();
  const closed = expect.objectContaining({ code: 'ERR_CHANNEL_CLOSED' });
  await expect(channels.a.send({ to: b.key.id, message: hello })).rejects.toEqual(closed);
  const became = await Promise.all(sent);
  const taken = became.filter((each) => each === true);
  expect(taken.length).toBeGreaterThan(0);
  expect(became).toEqual([...taken, ...became.slice(taken.length).map(() => closed)]);
  const reader = channels.b[Symbol.asyncIterator]();
  for (const _ of taken) expect((await reader.next()).value).toMatchObject({ message: hello });
  expect(clock.pending).toBe(0);
});
