/** A reactor made of handlers, as an actor over fake channels. */
import { describe, expect, test } from '@jest/globals';
import { bytes } from '../../proto/codec.ts';
import type { Behaviour } from '../../actors/channel.ts';
import { PeerFault, reactor, type ReactorHandlers } from '../../actors/reactor.ts';
import { peerId, runReactor, surroundings } from '../support/reactor-context.ts';
import { settle } from '../support/virtual-clock.ts';

const one = { id: 0x01, type: bytes, priority: 1, maxMessageBytes: 100 };
const two = { ...one, id: 0x02 };
type Channels = { one: typeof one; two: typeof two };
const a = peerId(1);
const b = peerId(2);
const message = (n: number): Uint8Array => Uint8Array.of(n);

async function start(handlers: Partial<ReactorHandlers<Channels>>, extra: object = {}) {
  const made = reactor<Channels>({ name: 'test', channels: { one, two }, ...handlers });
  const around = surroundings(made);
  const running = runReactor(made, { ...around.input, ...extra });
  await settle();
  return { ...around, ...running, one: around.channels['one']!, two: around.channels['two']! };
}

describe('a reactor', () => {
  test('carries its name and its channels', () => {
    expect(reactor({ name: 'mine', channels: { one } })).toMatchObject({ name: 'mine', channels: { one: { id: 1 } } });
  });

  test('starts with onStart, and reads nothing before that is done', async () => {
    const seen: string[] = [];
    let finish = (): void => undefined;
    const { one: channel, clock } = await start({
      onStart: () => new Promise<void>((resolve) => (finish = resolve)),
      onMessage: () => void seen.push('message'),
      every: [[10, () => void seen.push('tick')]],
    });
    channel.deliver(a, message(1));
    await clock.advanceAsync(100);
    expect(seen).toEqual([]);
    finish();
    await settle();
    expect(seen).toEqual(['message']);
    await clock.advanceAsync(10);
    expect(seen).toEqual(['message', 'tick']);
  });

  test('keeps the order of a channel, and takes the next message when its handler is done', async () => {
    const seen: string[] = [];
    const release: (() => void)[] = [];
    const { one: channel } = await start({
      onMessage: async ({ from, message: [n], channel: name }) => {
        seen.push(`${name} ${Number(from)} ${n}`);
        await new Promise<void>((resolve) => release.push(resolve));
      },
    });
    for (let n = 0; n < 4; n++) channel.deliver(n % 2 ? a : b, message(n));
    await settle();
    expect(seen).toEqual(['one 2 0']);
    expect(channel.mailbox.items).toHaveLength(3);
    for (let n = 0; n < 3; n++) {
      release.splice(0).forEach((next) => next());
      await settle();
    }
    expect(seen).toEqual(['one 2 0', 'one 1 1', 'one 2 2', 'one 1 3']);
  });

  test('a slow handler of one channel does not hold up another channel', async () => {
    const seen: string[] = [];
    const { one: first, two: second } = await start({
      onMessage: ({ channel }) => {
        seen.push(channel);
        return channel === 'one' ? new Promise<void>(() => undefined) : undefined;
      },
    });
    first.deliver(a, message(1));
    second.deliver(a, message(2));
    second.deliver(a, message(3));
    await settle();
    expect(seen).toEqual(['one', 'two', 'two']);
  });

  test('hears of peers in their order, without the mark at the end of the snapshot', async () => {
    const seen: string[] = [];
    const { peers } = await start({ onPeerUpdate: ({ id, status }) => void seen.push(`${status} ${Number(id)}`) });
    peers.up(a);
    peers.feed.push({ snapshotEnd: true });
    peers.up(b);
    peers.down(a);
    await settle();
    expect(seen).toEqual(['up 1', 'up 2', 'down 1']);
  });

  test('a peer is up before its first message and down after its last', async () => {
    const seen: string[] = [];
    const { peers, one: channel } = await start({
      onMessage: async ({ message: [n] }) => {
        seen.push(`begin ${n}`);
        await settle(1);
        seen.push(`end ${n}`);
      },
      onPeerUpdate: async ({ status }) => {
        await settle(1);
        seen.push(status);
      },
    });
    for (let life = 0; life < 3; life++) {
      peers.up(a);
      channel.deliver(a, message(life));
      // The router sends a down once the mailboxes are empty of the peer; the handler may still be busy.
      while (channel.mailbox.items.length > 0) await settle(1);
      peers.down(a);
    }
    await settle(20);
    expect(seen).toEqual([0, 1, 2].flatMap((n) => ['up', `begin ${n}`, `end ${n}`, 'down']));
  });

  test('a message that was taken when its peer goes down is heard before the down', async () => {
    const seen: string[] = [];
    const { peers, one: channel } = await start({
      onMessage: () => void seen.push('message'),
      onPeerUpdate: ({ status }) => void seen.push(status),
    });
    peers.up(a);
    await settle();
    channel.deliver(a, message(1));
    peers.down(a);
    await settle();
    expect(seen).toEqual(['up', 'message', 'down']);
  });

  test('a message of a peer that never comes up is dropped and logged', async () => {
    const seen: unknown[] = [];
    const {
      one: channel,
      clock,
      lines,
    } = await start({ onMessage: (incoming) => void seen.push(incoming), onPeerUpdate: () => undefined });
    channel.deliver(a, message(1));
    await clock.advanceAsync(1_000);
    expect(seen).toEqual([]);
    expect(lines).toContainEqual(expect.objectContaining({ msg: 'message of a peer that is not up', from: a, channel: 'one' }));
  });

  test('without a handler for messages the channels are left to onStart', async () => {
    const seen: unknown[] = [];
    const { one: channel } = await start({
      onStart: async ({ channels }) => {
        const { value } = await channels.one[Symbol.asyncIterator]().next();
        seen.push(value);
      },
    });
    expect(channel.mailbox.readers).toBe(1);
    channel.deliver(a, message(1));
    await settle();
    expect(seen).toEqual([{ from: a, message: message(1) }]);
  });

  test('timers run side by side, each at its own pace', async () => {
    const ticks: string[] = [];
    const { clock } = await start({
      every: [
        [10, () => void ticks.push('fast')],
        [25, () => new Promise<void>(() => ticks.push('hangs'))],
      ],
    });
    await clock.advanceAsync(60);
    expect(ticks).toEqual(['fast', 'fast', 'hangs', 'fast', 'fast', 'fast', 'fast']);
  });
});

describe('what a reactor survives', () => {
  test('a throw on every tenth of 10,000 messages costs those messages and nothing else', async () => {
    let handled = 0;
    let caught = 0;
    const { one: channel, outcome } = await start(
      {
        onMessage: ({ message: [n] }) => {
          if (n === 9) throw new Error('our bug');
          handled++;
        },
      },
      { onCaught: () => caught++ },
    );
    for (let n = 0; n < 10_000; n++) channel.deliver(a, message(n % 10));
    while (channel.mailbox.items.length > 0) await settle();
    expect([handled, caught, channel.reports, outcome]).toEqual([9_000, 1_000, [], {}]);
  });

  test('a throw in onMessage is logged with its stack and scores nothing', async () => {
    const { one: channel, lines } = await start({ onMessage: () => Promise.reject(new Error('our bug')) });
    channel.deliver(a, message(1));
    await settle();
    const [line] = lines;
    expect(line).toMatchObject({ level: 50, msg: 'message handler failed', from: a, channel: 'one', err: { message: 'our bug' } });
    expect(channel.reports).toEqual([]);
  });

  test.each<[Behaviour]>([['malformed'], ['protocolViolation'], ['unhelpful']])(
    'a PeerFault of %s is reported against the sender, on its channel',
    async (behaviour) => {
      let caught = 0;
      const {
        one: first,
        two: second,
        outcome,
      } = await start(
        {
          onMessage: () => {
            throw new PeerFault(behaviour, 'said something wrong');
          },
        },
        { onCaught: () => caught++ },
      );
      second.deliver(b, message(1));
      await settle();
      expect(second.reports).toEqual([{ from: b, behaviour, reason: 'said something wrong' }]);
      expect([first.reports, caught, outcome]).toEqual([[], 0, {}]);
    },
  );
});

describe('what fails a reactor', () => {
  const broken = (): never => {
    throw new Error('broken');
  };

  test.each<[string, Partial<ReactorHandlers<Channels>>]>([
    ['onStart', { onStart: broken }],
    ['a timer', { every: [[5, broken]] }],
    ['onPeerUpdate', { onPeerUpdate: broken }],
  ])('a throw in %s fails its actor, which then leaves nothing behind', async (_, handlers) => {
    let signal: AbortSignal | undefined;
    const {
      outcome,
      clock,
      peers,
      one: channel,
    } = await start({
      onMessage: () => undefined,
      onPeerUpdate: () => undefined,
      ...handlers,
      onStart: async (context) => {
        signal = context.signal;
        await handlers.onStart?.(context);
      },
    });
    peers.up(a);
    await clock.advanceAsync(5);
    expect(outcome.error).toMatchObject({ message: 'broken' });
    expect([signal?.aborted, clock.pending, channel.mailbox.readers, peers.feed.readers]).toEqual([true, 0, 0, 0]);
  });

  test('a channel that cannot be read fails its actor', async () => {
    const made = reactor({ name: 'test', channels: { one }, onMessage: () => undefined });
    const { input, channels } = surroundings(made);
    channels['one']![Symbol.asyncIterator] = broken;
    const { outcome } = runReactor(made, input);
    await settle();
    expect(outcome.error).toMatchObject({ message: 'broken' });
  });

  test('a channel that is closed ends its loop, not the reactor', async () => {
    const seen: string[] = [];
    const { one: first, two: second, outcome } = await start({ onMessage: ({ channel }) => void seen.push(channel) });
    await first.close();
    second.deliver(a, message(1));
    await settle();
    expect([seen, outcome]).toEqual([['two'], {}]);
  });
});

describe('stopping a reactor', () => {
  test.each(['its actor', 'its signal'])('through %s ends loops and timers and aborts the signal of its handlers', async (how) => {
    let signal: AbortSignal | undefined;
    const reasons: unknown[] = [];
    const {
      actor,
      stop,
      clock,
      peers,
      one: channel,
      outcome,
      lines,
    } = await start({
      onStart: (context) => void (signal = context.signal),
      onMessage: ({ from }, context) =>
        new Promise((_, reject) =>
          context.signal.addEventListener('abort', () => {
            reasons.push(from);
            reject(new Error('stopped in the middle'));
          }),
        ),
      onPeerUpdate: () => undefined,
      every: [[1_000, () => undefined]],
    });
    peers.up(a);
    channel.deliver(a, message(1));
    channel.deliver(a, message(2));
    await settle();
    if (how === 'its actor') actor.stop();
    else stop.abort();
    await settle();
    expect(signal?.aborted).toBe(true);
    expect([reasons, channel.mailbox.items.length]).toEqual([[a], 1]);
    expect([clock.pending, channel.mailbox.readers, peers.feed.readers]).toEqual([0, 0, 0]);
    expect([outcome.error, lines]).toEqual([undefined, []]);
  });

  test('a reactor started again over the same channels reads on', async () => {
    const seen: number[] = [];
    const made = reactor({ name: 'test', channels: { one }, onMessage: ({ message: [n] }) => void seen.push(n!) });
    const { input, channels } = surroundings(made);
    const first = runReactor(made, input);
    await settle();
    first.actor.stop();
    await settle();
    channels['one']!.deliver(a, message(1));
    runReactor(made, input);
    await settle();
    expect(seen).toEqual([1]);
  });
});
