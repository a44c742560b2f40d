import { expect, test } from '@jest/globals';
import { pino } from 'pino';
import { RoutedChannel, type ChannelOptions } from '../../actors/channel.ts';
import { Counters } from '../../actors/metrics.ts';
import type { PutResult } from '../../actors/queue.ts';
import { bytes } from '../../proto/codec.ts';
import { nodeKeyFromSeed, type NodeId } from '../../proto/identity.ts';
import { VirtualClock, settle } from '../support/virtual-clock.ts';

const [alice, bob] = [1, 2].map((seed) => nodeKeyFromSeed(new Uint8Array(32).fill(seed)).id) as [NodeId, NodeId];

/** A channel with room for four messages, two of one peer, and a reader that is asked for what it reads. */
function rig(options: Partial<ChannelOptions<Uint8Array>> = {}) {
  const clock = new VirtualClock();
  const counters = new Counters();
  const reports: string[] = [];
  const channel = new RoutedChannel<Uint8Array>(
    { id: 0x77, type: bytes, priority: 1, maxMessageBytes: 10, ...options },
    {
      clock,
      counters,
      log: pino({ level: 'silent' }),
      mailbox: { queue: 'wdrr', maxBytes: 100, maxMessages: 4, peerShare: 50, stallMs: 1_000 },
      route: (): PutResult => true,
      routeAll: () => 0,
      weightOf: () => 1,
      introducedAt: () => 0,
      report: (_, behaviour) => void reports.push(behaviour),
      withdraw: () => undefined,
    },
  );
  const reader = channel[Symbol.asyncIterator]();
  const read = async (): Promise<readonly [NodeId, number]> => {
    const { from, message } = (await reader.next()).value as { from: NodeId; message: Uint8Array };
    return [from, message[0]!];
  };
  const from = (peer: NodeId, first: number) =>
    channel.deliver(peer, peer === alice ? 0 : 1, Uint8Array.of(first), new AbortController().signal);
  return { channel, clock, counters, reports, read, from };
}

test('a slow reader that goes on reading loses nothing, however long a message waits for room', async () => {
  const { clock, counters, from, read } = rig();
  for (const first of [0, 1]) void from(alice, first);
  let through = 0;
  const waiting = Array.from({ length: 20 }, (_, index) => Promise.resolve(from(alice, index + 2)).then(() => through++));
  for (let first = 0; first < 22; first++) {
    await clock.advanceAsync(900);
    expect(through).toBe(Math.min(20, first));
    expect(await read()).toEqual([alice, first]);
    await settle();
  }
  await Promise.all(waiting);
  expect([clock.now() >= 18_000, counters.drops.size, clock.pending]).toEqual([true, 0, 0]);
});

test('a peer that floods a channel does not keep an honest one from being read', async () => {
  const { counters, from, read } = rig({ drop: 'newest' });
  const heard: number[] = [];
  for (let round = 0; round < 100; round++) {
    for (let flood = 0; flood < 50; flood++) void from(alice, 0);
    void from(bob, round);
    for (const each of [await read(), await read()]) if (each[0] === bob) heard.push(each[1]);
  }
  expect(heard).toEqual(Array.from({ length: 100 }, (_, round) => round));
  expect([counters.peerDrops(bob).size, counters.drops.get('mailboxFull')! > 4_000]).toEqual([0, true]);
});

test('what comes after the deadline of a request is read like any message, and nobody is blamed for it', async () => {
  const { channel, clock, counters, from, read, reports } = rig();
  const asked = channel.request({ to: alice, message: Uint8Array.of(1), timeoutMs: 100 });
  clock.advance(100);
  await expect(asked).rejects.toMatchObject({ code: 'ERR_REQUEST_TIMEOUT' });
  void from(alice, 9);
  expect(await read()).toEqual([alice, 9]);
  expect([reports, counters.drops.size]).toEqual([[], 0]);
});
