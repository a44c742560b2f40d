import { describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { RoutedChannel, type ChannelDeps, type ChannelOptions, type DropPolicy } from '../../actors/channel.ts';
import { Counters } from '../../actors/metrics.ts';
import { bytes } from '../../proto/codec.ts';
import { generateNodeKey } from '../../proto/identity.ts';
import type { QueuePolicy } from '../../proto/options.ts';
import { VirtualClock, settle } from '../support/virtual-clock.ts';

const alice = generateNodeKey().id;
const bob = generateNodeKey().id;
const signal = new AbortController().signal;

/** A channel whose mailbox takes four messages, two a peer. Alice is a peer that the operator named. */
function rig(options: Partial<ChannelOptions<Uint8Array>> = {}, deps: Partial<ChannelDeps> = {}, queue: QueuePolicy = 'wdrr') {
  const counters = new Counters();
  const policies: DropPolicy[] = [];
  for (const peer of [alice, bob]) counters.followPeer(peer);
  const channel = new RoutedChannel<Uint8Array>(
    { id: 0x77, type: bytes, priority: 1, maxMessageBytes: 10, ...options },
    {
      clock: new VirtualClock(),
      counters,
      log: pino({ level: 'silent' }),
      mailbox: { queue, maxBytes: 100, maxMessages: 4, peerShare: 50, stallMs: 1_000 },
      route: () => true,
      routeAll: (_message, policy) => policies.push(policy),
      weightOf: (from) => (from === alice ? 2 : 1),
      introducedAt: () => 0,
      report: () => undefined,
      withdraw: () => undefined,
      ...deps,
    },
  );
  const from = (peer: typeof alice, first: number) => channel.deliver(peer, peer === alice ? 0 : 1, Uint8Array.of(first), signal);
  const read = async (count: number): Promise<number[]> => {
    const reader = channel[Symbol.asyncIterator]();
    const seen: number[] = [];
    while (seen.length < count) seen.push(((await reader.next()).value as { message: Uint8Array }).message[0]!);
    await reader.return?.();
    return seen;
  };
  return { channel, counters, policies, from, read };
}

const table = (drops: ReadonlyMap<number, ReadonlyMap<string, number>>) =>
  Object.fromEntries([...drops].map(([id, counts]) => [id, Object.fromEntries(counts)]));

describe('every drop is counted with its channel, its peer and its reason', () => {
  test('on the way out', async () => {
    const { channel, counters } = rig({}, { route: (to) => (to === alice ? 'queueFull' : true) });
    expect(await channel.send({ to: alice, message: Uint8Array.of(1) })).toBe(false);
    expect(await channel.send({ to: bob, message: Uint8Array.of(1) })).toBe(true);
    expect(table(counters.channelDrops)).toEqual({ 0x77: { queueFull: 1 } });
    expect([table(counters.peerDrops(alice)), table(counters.peerDrops(bob))]).toEqual([{ 0x77: { queueFull: 1 } }, {}]);
  });

  test('on the way in', async () => {
    const { channel, counters, from } = rig({ drop: 'newest' });
    for (const first of [1, 2, 3]) void from(alice, first);
    void from(bob, 4);
    channel.forget(bob, 1);
    await channel.close();
    void from(bob, 5);
    expect(table(counters.channelDrops)).toEqual({ 0x77: { mailboxFull: 1, peerDown: 1, mailboxClosed: 2, withdrawn: 1 } });
    expect(table(counters.peerDrops(alice))).toEqual({ 0x77: { mailboxFull: 1, mailboxClosed: 2 } });
    expect(table(counters.peerDrops(bob))).toEqual({ 0x77: { peerDown: 1, withdrawn: 1 } });
    expect([...counters.drops.values()].reduce((sum, count) => sum + count, 0)).toBe(5);
  });
});

describe('a full mailbox', () => {
  test('with newest drops what comes and does not hold up the link', async () => {
    const { from, read, counters } = rig({ drop: 'newest' });
    for (const first of [1, 2, 3, 4]) expect(from(alice, first)).toBeUndefined();
    expect(await read(2)).toEqual([1, 2]);
    expect(counters.drops.get('mailboxFull')).toBe(2);
  });

  test('with oldest keeps the latest of each peer', async () => {
    const { from, read, counters } = rig({ drop: 'oldest' });
    void from(bob, 9);
    for (const first of [1, 2, 3, 4]) expect(from(alice, first)).toBeUndefined();
    expect((await read(3)).sort()).toEqual([3, 4, 9]);
    expect(table(counters.peerDrops(alice))).toEqual({ 0x77: { mailboxFull: 2 } });
    expect(table(counters.peerDrops(bob))).toEqual({});
  });

  test('by default makes the link wait', async () => {
    const { from, read, counters } = rig();
    for (const first of [1, 2]) void from(alice, first);
    let through = false;
    const waiting = Promise.resolve(from(alice, 3)).then(() => (through = true));
    await settle();
    expect(through).toBe(false);
    expect(await read(3)).toEqual([1, 2, 3]);
    await waiting;
    expect(counters.drops.size).toBe(0);
  });
});

describe('whose message is read next', () => {
  const order = async (options: Partial<ChannelOptions<Uint8Array>>, queue?: QueuePolicy): Promise<number[]> => {
    const { from, read } = rig(options, {}, queue);
    for (const first of [1, 2]) void from(bob, first);
    for (const first of [11, 12]) void from(alice, first);
    return read(4);
  };

  test('is what the channel says, or else the option of the node', async () => {
    expect(await order({ queue: 'fifo' })).toEqual([1, 2, 11, 12]);
    expect(await order({ queue: 'priority' })).toEqual([11, 12, 1, 2]);
    expect(await order({}, 'fifo')).toEqual([1, 2, 11, 12]);
    expect(await order({}, 'priority')).toEqual([11, 12, 1, 2]);
    expect(await order({ queue: 'fifo' }, 'priority')).toEqual([1, 2, 11, 12]);
  });

  test('is by turns with wdrr, and a named peer gets two for one', async () => {
    expect(await order({ queue: 'wdrr' })).toEqual([1, 11, 12, 2]);
  });
});

test('a broadcast never waits: it displaces the oldest if the channel says so, and is dropped otherwise', async () => {
  for (const [drop, expected] of [
    [undefined, 'newest'],
    ['wait', 'newest'],
    ['newest', 'newest'],
    ['oldest', 'oldest'],
  ] as const) {
    const { channel, policies } = rig(drop ? { drop } : {});
    await channel.broadcast(Uint8Array.of(1));
    expect(policies).toEqual([expected]);
  }
});
