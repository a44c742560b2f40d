import { describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { RoutedChannel, type ChannelDeps, type ChannelOptions, type Outgoing } from '../../actors/channel.ts';
import { Counters } from '../../actors/metrics.ts';
import { bytes } from '../../proto/codec.ts';
import { generateNodeKey } from '../../proto/identity.ts';
import type { PutResult } from '../../actors/queue.ts';
import { VirtualClock, settle } from '../support/virtual-clock.ts';

const alice = generateNodeKey().id;
const bob = generateNodeKey().id;
const signal = new AbortController().signal;
const hello = Uint8Array.from([1, 2, 3]);

function rig(options: Partial<ChannelOptions<Uint8Array>> = {}, deps: Partial<ChannelDeps> = {}) {
  const clock = new VirtualClock();
  const counters = new Counters();
  const sent: { to: string; message: Outgoing }[] = [];
  const reports: string[] = [];
  const channel = new RoutedChannel<Uint8Array>(
    { id: 0x77, type: bytes, priority: 1, maxMessageBytes: 10, ...options },
    {
      clock,
      counters,
      log: pino({ level: 'silent' }),
      mailbox: { queue: 'wdrr', maxBytes: 100, maxMessages: 4, peerShare: 50, stallMs: 1_000 },
      route: (to, message): PutResult => (sent.push({ to, message }), true),
      routeAll: (message) => sent.push({ to: 'all', message }),
      weightOf: () => 1,
      introducedAt: () => 0,
      report: (from, behaviour) => void reports.push(`${from} ${behaviour}`),
      withdraw: () => undefined,
      ...deps,
    },
  );
  return { channel, clock, counters, sent, reports };
}

describe('sending', () => {
  test('a message is encoded and handed to the peer it is for', async () => {
    const { channel, sent } = rig();
    expect(await channel.send({ to: alice, message: hello })).toBe(true);
    expect(sent).toEqual([{ to: alice, message: { channelId: 0x77, bytes: hello } }]);
  });

  test('a message that policy drops is false, and its reason is counted', async () => {
    const { channel, counters } = rig({}, { route: () => 'channelNotListed' });
    expect(await channel.send({ to: alice, message: hello })).toBe(false);
    expect(Object.fromEntries(counters.drops)).toEqual({ channelNotListed: 1 });
  });

  test('a message above the capacity is refused before it reaches anybody', async () => {
    const { channel, sent } = rig();
    await expect(channel.send({ to: alice, message: new Uint8Array(11) })).rejects.toMatchObject({ code: 'ERR_SEND_TOO_LARGE' });
    await expect(channel.broadcast(new Uint8Array(11))).rejects.toMatchObject({ code: 'ERR_SEND_TOO_LARGE' });
    expect(sent).toEqual([]);
  });

  test('after its close a channel refuses to send', async () => {
    const { channel } = rig();
    await channel.close();
    await expect(channel.send({ to: alice, message: hello })).rejects.toMatchObject({ code: 'ERR_CHANNEL_CLOSED' });
  });
});

describe('reading', () => {
  test('messages come out in the order they came in, with their sender', async () => {
    const { channel } = rig();
    void channel.deliver(alice, 0, Uint8Array.of(1), signal);
    void channel.deliver(bob, 1, Uint8Array.of(2), signal);
    const reader = channel[Symbol.asyncIterator]();
    expect((await reader.next()).value).toEqual({ from: alice, message: Uint8Array.of(1) });
    expect((await reader.next()).value).toEqual({ from: bob, message: Uint8Array.of(2) });
  });

  test('a second reader is refused, and a reader that left makes room for another', async () => {
    const { channel } = rig();
    const reader = channel[Symbol.asyncIterator]();
    expect(() => channel[Symbol.asyncIterator]()).toThrow(expect.objectContaining({ code: 'ERR_CHANNEL_READ_TWICE' }));
    const waiting = reader.next();
    await reader.return?.();
    expect((await waiting).done).toBe(true);
    const next = channel[Symbol.asyncIterator]();
    void channel.deliver(alice, 0, hello, signal);
    expect((await reader.next()).done).toBe(true);
    expect((await next.next()).value).toEqual({ from: alice, message: hello });
  });

  test('closing ends a reader that waits', async () => {
    const { channel } = rig();
    const next = channel[Symbol.asyncIterator]().next();
    await channel.close();
    expect((await next).done).toBe(true);
  });

  test('a message that does not decode is dropped, counted and reported', () => {
    const broken = {
      encode: (message: Uint8Array) => message,
      decode: () => {
        throw new Error('no');
      },
    };
    const { channel, counters, reports } = rig({ type: broken });
    void channel.deliver(alice, 0, hello, signal);
    expect(Object.fromEntries(counters.drops)).toEqual({ malformed: 1 });
    expect(reports).toEqual([`${alice} malformed`]);
    expect(channel.waiting).toBe(0);
  });
});

describe('a mailbox that is not read', () => {
  test('makes one link wait at its share, while another still gets in', async () => {
    const { channel } = rig();
    for (const _ of [1, 2]) expect(channel.deliver(alice, 0, hello, signal)).toBeUndefined();
    let through = false;
    const waiting = Promise.resolve(channel.deliver(alice, 0, hello, signal)).then(() => (through = true));
    await settle();
    expect(through).toBe(false);
    expect(channel.deliver(bob, 1, hello, signal)).toBeUndefined();
    await channel[Symbol.asyncIterator]().next();
    await waiting;
    expect(channel.waiting).toBe(3);
  });

  test('drops after the stall time, until its reader comes back', async () => {
    const { channel, clock, counters } = rig();
    for (const _ of [1, 2]) void channel.deliver(alice, 0, hello, signal);
    const waiting = channel.deliver(alice, 0, hello, signal);
    await clock.advanceAsync(1_000);
    await waiting;
    expect(Object.fromEntries(counters.drops)).toEqual({ mailboxFull: 1 });
    expect(channel.deliver(alice, 0, hello, signal)).toBeUndefined();
    expect(counters.drops.get('mailboxFull')).toBe(2);
    await channel[Symbol.asyncIterator]().next();
    expect(channel.deliver(alice, 0, hello, signal)).toBeUndefined();
    expect(counters.drops.get('mailboxFull')).toBe(2);
    expect(clock.pending).toBe(0);
  });

  test('does not hold up a link that ends', async () => {
    const { channel, clock, counters } = rig();
    const link = new AbortController();
    for (const _ of [1, 2]) void channel.deliver(alice, 0, hello, link.signal);
    const waiting = channel.deliver(alice, 0, hello, link.signal) as Promise<void>;
    const reason = new Error('over');
    link.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    channel.forget(alice, 0);
    expect(channel.waiting).toBe(0);
    expect(Object.fromEntries(counters.drops)).toEqual({ linkClosed: 1, peerDown: 2 });
    expect(clock.pending).toBe(0);
  });
});

describe('requests', () => {
  test('the next message of that peer is the answer and does not reach the reader', async () => {
    const { channel, clock } = rig();
    const answer = channel.request({ to: alice, message: hello, timeoutMs: 100 });
    void channel.deliver(bob, 1, Uint8Array.of(9), signal);
    void channel.deliver(alice, 0, Uint8Array.of(7), signal);
    expect(await answer).toEqual(Uint8Array.of(7));
    expect(channel.waiting).toBe(1);
    expect(clock.pending).toBe(0);
  });

  test('match lets other messages pass by', async () => {
    const { channel } = rig();
    const answer = channel.request({ to: alice, message: hello, timeoutMs: 100, match: ([first]) => first === 7 });
    void channel.deliver(alice, 0, Uint8Array.of(1), signal);
    void channel.deliver(alice, 0, Uint8Array.of(7), signal);
    expect(await answer).toEqual(Uint8Array.of(7));
    expect(channel.waiting).toBe(1);
  });

  test('one is open a peer; it ends with its deadline, its peer or its channel', async () => {
    const { channel, clock } = rig();
    const first = channel.request({ to: alice, message: hello, timeoutMs: 100 });
    await expect(channel.request({ to: alice, message: hello, timeoutMs: 100 })).rejects.toMatchObject({ code: 'ERR_REQUEST_PENDING' });
    clock.advance(100);
    await expect(first).rejects.toMatchObject({ code: 'ERR_REQUEST_TIMEOUT' });
    const second = channel.request({ to: alice, message: hello, timeoutMs: 100 });
    channel.forget(alice, 0);
    await expect(second).rejects.toMatchObject({ code: 'ERR_REQUEST_FAILED' });
    const third = channel.request({ to: alice, message: hello, timeoutMs: 100 });
    await channel.close();
    await expect(third).rejects.toMatchObject({ code: 'ERR_CHANNEL_CLOSED' });
    expect(clock.pending).toBe(0);
  });

  test('one that cannot be sent fails at once', async () => {
    const { channel } = rig({}, { route: () => 'peerDown' });
    await expect(channel.request({ to: alice, message: hello, timeoutMs: 100 })).rejects.toMatchObject({ code: 'ERR_REQUEST_FAILED' });
  });
});
