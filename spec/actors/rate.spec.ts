import { afterEach, describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { RoutedChannel, type ChannelOptions } from '../../actors/channel.ts';
import { Counters } from '../../actors/metrics.ts';
import { ReceiveRates, type ReceiveRate } from '../../actors/rate.ts';
import { bytes } from '../../proto/codec.ts';
import { nodeKeyFromSeed, type NodeId } from '../../proto/identity.ts';
import { pair, stopAll, talk, world } from '../support/router.ts';
import { VirtualClock, settle } from '../support/virtual-clock.ts';

afterEach(stopAll);

const peers = [1, 2, 3, 4, 5].map((seed) => nodeKeyFromSeed(new Uint8Array(32).fill(seed)).id);
const [alice, bob] = peers as [NodeId, NodeId];
const signal = new AbortController().signal;

/** A channel that nobody limits but its rate. */
function rig(receiveRate: ReceiveRate) {
  const clock = new VirtualClock();
  const counters = new Counters();
  const reports: string[] = [];
  const channel = new RoutedChannel<Uint8Array>(
    { ...talk, receiveRate },
    {
      clock,
      counters,
      log: pino({ level: 'silent' }),
      mailbox: { queue: 'fifo', maxBytes: 1e6, maxMessages: 1_000, peerShare: 100, stallMs: 1_000 },
      route: () => true,
      routeAll: () => 0,
      weightOf: () => 1,
      introducedAt: () => 0,
      report: (from, behaviour) => void reports.push(`${from} ${behaviour}`),
      withdraw: () => undefined,
    },
  );
  const from = (peer: NodeId, first = 0, under = signal) => channel.deliver(peer, peers.indexOf(peer), Uint8Array.of(first), under);
  return { channel, clock, counters, reports, from };
}

describe('what a channel takes', () => {
  test('is its burst, then its rate, of each peer by itself; the rest is dropped and counted', () => {
    const { channel, clock, counters, from } = rig({ messages: 2, burst: 4 });
    const taken = new Map<NodeId, number>();
    for (let second = 0; second < 3; second++) {
      peers.forEach((peer, index) => {
        for (let sent = 0; sent <= index; sent++) {
          const before = channel.waiting;
          void from(peer);
          if (channel.waiting > before) taken.set(peer, (taken.get(peer) ?? 0) + 1);
        }
      });
      clock.advance(1_000);
    }
    // Those that keep to two a second lose nothing. The others get their burst of 4 and what two seconds add.
    expect([...taken.values()]).toEqual([3, 6, 8, 8, 8]);
    expect(Object.fromEntries(counters.drops)).toEqual({ rateLimited: 9 - 8 + (12 - 8) + (15 - 8) });
  });

  test('has a burst of ten seconds unless it says otherwise, and of one message at least', () => {
    for (const [messages, expected] of [
      [3, 30],
      [0.01, 1],
    ] as const) {
      const { channel, from } = rig({ messages });
      for (let sent = 0; sent < 50; sent++) void from(alice);
      expect(channel.waiting).toBe(expected);
    }
  });

  test('blames who is over it only if asked to, and once a second however much comes', () => {
    const silent = rig({ messages: 1, burst: 1 });
    const { clock, counters, reports, from } = rig({ messages: 1, burst: 1, over: 'report' });
    for (let sent = 0; sent < 5; sent++) {
      void silent.from(alice);
      void from(alice);
    }
    expect([silent.reports, reports]).toEqual([[], [`${alice} flooding`]]);
    clock.advance(1_000);
    for (let sent = 0; sent < 5; sent++) void from(alice);
    void from(bob);
    expect(reports).toEqual([`${alice} flooding`, `${alice} flooding`]);
    expect(counters.drops.get('rateLimited')).toBe(8);
  });

  test('waits, if it says so, until each message has its time, in order and without loss', async () => {
    const { channel, clock, counters, from } = rig({ messages: 10, burst: 1, over: 'wait' });
    void (async () => {
      for (const first of [1, 2, 3]) await from(alice, first);
    })();
    const waiting: number[] = [];
    for (let at = 0; at <= 200; at += 100) {
      await settle();
      waiting.push(channel.waiting);
      await clock.advanceAsync(100);
    }
    expect(waiting).toEqual([1, 2, 3]);
    const reader = channel[Symbol.asyncIterator]();
    for (const first of [1, 2, 3]) expect((await reader.next()).value).toMatchObject({ message: Uint8Array.of(first) });
    expect(counters.drops.size).toBe(0);
  });

  test('lets go of a link that ends while it waits, and of a channel that is closed', async () => {
    const { channel, clock, counters, from } = rig({ messages: 1, burst: 1, over: 'wait' });
    const link = new AbortController();
    void from(alice);
    const waiting = from(alice, 1, link.signal) as Promise<void>;
    link.abort(new Error('over'));
    await expect(waiting).rejects.toThrow('over');
    const late = from(alice, 2) as Promise<void>;
    await channel.close();
    await clock.advanceAsync(10_000);
    await late;
    expect(Object.fromEntries(counters.drops)).toEqual({ linkClosed: 1, mailboxClosed: 1, withdrawn: 1 });
    expect(clock.pending).toBe(0);
  });

  test('does not count the answer to a request, but whatever else comes meanwhile', async () => {
    const { channel, counters, from } = rig({ messages: 1, burst: 1 });
    void from(alice);
    const answer = channel.request({ to: alice, message: Uint8Array.of(0), timeoutMs: 100, match: ([first]) => first === 7 });
    void from(alice, 1);
    void from(alice, 7);
    expect(await answer).toEqual(Uint8Array.of(7));
    expect(Object.fromEntries(counters.drops)).toEqual({ rateLimited: 1 });
  });
});

describe('what piled up while the process stood still', () => {
  /** A channel with a rate, and peers that came up with it, whose process stands still when told to: time goes on, timers do not. */
  function stopping(receiveRate: ReceiveRate) {
    const made = rig(receiveRate);
    const now = made.clock.now.bind(made.clock);
    let lostMs = 0;
    made.clock.now = () => now() + lostMs;
    return { ...made, standStill: (ms: number) => (lostMs += ms) };
  }
  const takenOf = (channel: RoutedChannel<Uint8Array>, send: () => void, times: number): number => {
    const before = channel.waiting;
    for (let sent = 0; sent < times; sent++) send();
    return channel.waiting - before;
  };

  test('is within the rate as far as it can have been sent meanwhile, whether a look came first or not', () => {
    for (const looked of [false, true]) {
      const { channel, clock, reports, from, standStill } = stopping({ messages: 2, burst: 4, over: 'report' });
      clock.advance(5_000);
      void from(bob);
      standStill(30_000);
      if (looked) clock.advance(1_000);
      // A burst, and what its rate allows in the time since the last look.
      const allowed = 4 + 2 * (looked ? 31 : 30);
      expect(takenOf(channel, () => void from(alice), allowed)).toBe(allowed);
      expect(takenOf(channel, () => void from(bob), allowed)).toBe(allowed - 1);
      expect(reports).toEqual([`${bob} flooding`]);
      expect(takenOf(channel, () => void from(alice), 5)).toBe(0);
      expect(reports).toEqual([`${bob} flooding`, `${alice} flooding`]);
    }
  });

  test('has ten seconds to be read; then the burst is the most again', () => {
    const { channel, clock, reports, from, standStill } = stopping({ messages: 2, burst: 4, over: 'report' });
    void from(alice);
    standStill(30_000);
    clock.advance(10_400);
    expect(takenOf(channel, () => void from(alice), 10)).toBe(10);
    clock.advance(100);
    expect(takenOf(channel, () => void from(alice), 10)).toBe(4);
    expect(reports).toEqual([`${alice} flooding`]);
  });

  test('in a moment too short for a look is within the burst, however short a time that makes up for', () => {
    const { channel, clock, reports, from, standStill } = stopping({ messages: 100, burst: 20, over: 'report' });
    for (let sent = 0; sent < 100; sent++) {
      clock.advance(10);
      void from(alice);
    }
    standStill(600);
    expect(takenOf(channel, () => void from(alice), 60)).toBe(60);
    expect(reports).toEqual([]);
  });

  test('gives nothing to those who came up only afterwards', () => {
    const clock = new VirtualClock();
    const now = clock.now.bind(clock);
    let lostMs = 0;
    clock.now = () => now() + lostMs;
    const rates = new ReceiveRates({ messages: 2, burst: 4 }, clock, (id) => (id === bob ? 31_000 : undefined));
    lostMs = 30_000;
    clock.advance(1_000);
    for (const peer of [alice, bob])
      expect(Array.from({ length: 5 }, () => rates.count(peer) > 0)).toEqual([false, false, false, false, true]);
    rates.close();
  });
});

describe('the memory of rates', () => {
  test('outlives a reconnect, and ends when a peer has sent nothing for a minute', () => {
    const clock = new VirtualClock();
    const rates = new ReceiveRates({ messages: 0.001, burst: 1 }, clock, () => 0);
    expect([rates.count(alice), rates.count(alice) > 0]).toEqual([0, true]);
    clock.advance(40_000);
    void rates.count(bob);
    clock.advance(20_000);
    expect(rates.size).toBe(1);
    expect(rates.count(alice)).toBe(0);
    clock.advance(120_000);
    expect(rates.size).toBe(0);
    rates.close();
    expect(clock.pending).toBe(0);
  });

  test('has an end, however many ids come', () => {
    const clock = new VirtualClock();
    const rates = new ReceiveRates({ messages: 1 }, clock, () => 0);
    for (let peer = 0; peer < 10_100; peer++) void rates.count(`${peer}` as NodeId);
    expect(rates.size).toBe(10_000);
    rates.close();
    expect([rates.size, clock.pending]).toEqual([0, 0]);
  });
});

describe('what a channel sends', () => {
  const limited = (sendRate: ChannelOptions<Uint8Array>['sendRate']) => ({ ...talk, id: 0x20, sendRate: sendRate! });

  async function rated(sendRate: ChannelOptions<Uint8Array>['sendRate']) {
    const w = world();
    const [a, b, c] = [await w.host(), await w.host(), await w.host()];
    const [channel, atB, atC] = [a, b, c].map(({ router }) => router.openChannel(limited(sendRate)));
    const free = a.router.openChannel(talk);
    const freeAtB = b.router.openChannel(talk);
    await w.connect(a, b);
    await w.connect(a, c);
    const waiting = (at: unknown): number => (at as { waiting: number }).waiting;
    return { ...w, a, b, c, channel: channel!, free, arrived: () => [waiting(atB), waiting(atC)], freeAtB: () => waiting(freeAtB) };
  }

  test('waits in the queue of the peer for its time; other channels and peers do not wait with it', async () => {
    const { a, b, channel, clock, free, arrived, freeAtB } = await rated({ messages: 2, burst: 2 });
    for (let sent = 0; sent < 5; sent++) expect(await channel.send({ to: b.key.id, message: Uint8Array.of(sent) })).toBe(true);
    await free.send({ to: b.key.id, message: Uint8Array.of(9) });
    await settle(10);
    expect([arrived(), freeAtB()]).toEqual([[2, 0], 1]);
    expect(a.router.link(b.key.id)?.queued.messages).toBe(3);
    expect(await channel.broadcast(Uint8Array.of(7))).toBe(2);
    await settle(10);
    expect(arrived()).toEqual([2, 1]);
    await clock.advanceAsync(500);
    expect(arrived()).toEqual([3, 1]);
    await clock.advanceAsync(1_500);
    expect([arrived(), a.counters.drops.size]).toEqual([[6, 1], 0]);
    expect(clock.pending).toBe(0);
  });

  test('is dropped, if it says so, with false for the sender and the reason counted', async () => {
    const { a, b, c, channel, clock, arrived } = await rated({ messages: 1, burst: 2, over: 'drop' });
    const sent: boolean[] = [];
    for (let each = 0; each < 3; each++) sent.push(await channel.send({ to: b.key.id, message: Uint8Array.of(each) }));
    expect(sent).toEqual([true, true, false]);
    // A broadcast goes to whoever is within the rate.
    expect(await channel.broadcast(Uint8Array.of(7))).toBe(1);
    await settle(10);
    expect(arrived()).toEqual([2, 1]);
    await clock.advanceAsync(1_000);
    expect(await channel.send({ to: b.key.id, message: Uint8Array.of(8) })).toBe(true);
    expect(a.router.link(b.key.id)?.drops).toEqual(new Map([[0x20, new Map([['rateLimited', 2]])]]));
    expect(a.router.link(c.key.id)?.drops).toEqual(new Map());
  });

  test('that is flushed at a stop is not held back', async () => {
    const { a, b, channel, arrived, clock } = await rated({ messages: 1, burst: 1 });
    for (let sent = 0; sent < 4; sent++) void channel.send({ to: b.key.id, message: Uint8Array.of(sent) });
    const drained = a.router.drain(new AbortController().signal);
    await settle(10);
    expect(arrived()[0]).toBe(4);
    await clock.advanceAsync(3_000);
    await drained;
    expect(clock.pending).toBe(0);
  });
});

test('a rate that is no rate is refused when the channel is opened', async () => {
  const { a } = await pair();
  for (const rate of [{ messages: 0 }, { messages: -1 }, { messages: NaN }, { messages: Infinity }, { messages: 1, burst: 0.5 }]) {
    expect(() => a.router.openChannel({ id: 0x30, type: bytes, priority: 1, maxMessageBytes: 1, receiveRate: rate })).toThrow(
      expect.objectContaining({ code: 'ERR_OPTION_INVALID' }),
    );
    expect(() => a.router.openChannel({ id: 0x30, type: bytes, priority: 1, maxMessageBytes: 1, sendRate: rate })).toThrow(
      expect.objectContaining({ code: 'ERR_OPTION_INVALID' }),
    );
  }
});
