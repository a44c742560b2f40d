/** Reactors that break, in a running node, and what it costs the others. */
import { afterEach, describe, expect, test } from '@jest/globals';
import { fromCallback, fromPromise, setup, type AnyActorLogic, type InspectionEvent } from 'xstate';
import { reactor, type Reactor, type ReactorContext } from '../../actors/reactor.ts';
import type { CreateNodeOptions } from '../../actors/assembly.ts';
import type { Channel } from '../../actors/channel.ts';
import { Cast, condemn } from '../support/crashes.ts';
import { counting, listening, nodes, numbered, settle, updatesOf } from '../support/nodes.ts';

const never = (): Promise<void> => new Promise(() => undefined);
const channels = { faulty: numbered(0x11) };
const minutes = 60_000;
const world = { stop: (): Promise<void> => Promise.resolve() };
afterEach(() => world.stop());

/** A node with a faulty reactor beside a steady one, and a peer that sends both of them a number every 100 ms. */
async function run(faulty: Reactor, forMs: number, more: CreateNodeOptions = {}) {
  const { clock, start, stop } = nodes();
  world.stop = stop;
  const steady = listening('steady', 0x10);
  const speaker = counting({ steady: numbered(0x10), ...channels }, 100);
  const node = await start({ ...more, reactors: [faulty, steady.reactor] });
  const updates = updatesOf(node);
  const peer = await start({ persistentPeers: [...node.addresses], reactors: [speaker.reactor] });
  await settle(20);
  await clock.advanceAsync(forMs);
  return { node, peer, steady, speaker, updates, clock };
}

/** Nothing was lost: the link stands, and the other reactor has heard every number, in order. */
function expectUnharmed({ node, peer, steady, speaker, updates }: Awaited<ReturnType<typeof run>>, atLeast: number): void {
  expect(updates).toEqual(['up']);
  expect([node.status().peers.up, peer.status().peers.up]).toEqual([1, 1]);
  expect(speaker.sent.steady).toBeGreaterThanOrEqual(atLeast);
  expect(steady.heard).toEqual(Array.from({ length: speaker.sent.steady! }, (_, n) => n));
}

describe('node, links and other reactors lose nothing by a reactor', () => {
  test('that never reads for two minutes: its mailbox fills, what finds no room is dropped and counted', async () => {
    const outcome = await run(reactor({ name: 'faulty', channels }), 2 * minutes);
    expectUnharmed(outcome, 1_190);
    const { node, speaker } = outcome;
    expect(node.status()).toMatchObject({ isolated: [], restarts: {} });
    expect(speaker.sent.faulty! - node.status().drops.mailboxFull!).toBe(256);
  });

  test('whose handler never returns: the watchdog restarts it again and again, and never isolates it', async () => {
    const reasons: string[] = [];
    let handled = 0;
    const hanging = reactor({
      name: 'faulty',
      channels,
      onMessage: (_, { signal }) => {
        handled++;
        signal.addEventListener('abort', () => reasons.push((signal.reason as Error).message));
        return never();
      },
    });
    const outcome = await run(hanging, 2 * minutes);
    expectUnharmed(outcome, 1_190);
    // Found by one look, given up three looks later: at 40, 80 and 120 s.
    expect(outcome.node.status()).toMatchObject({ isolated: [], restarts: { faulty: 2 } });
    expect([handled, reasons]).toEqual([3, new Array(3).fill('reactor faulty has ended')]);
  });

  test('that throws on start: six starts within 30 s, none in the five minutes after', async () => {
    const startedAt: number[] = [];
    const isolated: string[] = [];
    const failing = reactor({
      name: 'faulty',
      channels,
      onStart: (context) => {
        startedAt.push(context.clock.now());
        throw new Error('broke at start');
      },
    });
    const outcome = await run(failing, 5 * minutes + 30_000);
    expectUnharmed(outcome, 3_290);
    const { node, peer } = outcome;
    expect(startedAt).toHaveLength(6);
    expect(startedAt.at(-1)! - startedAt[0]!).toBeLessThan(30_000);
    expect(node.status()).toMatchObject({ isolated: ['faulty'], restarts: { faulty: 5 } });
    // Its channel is withdrawn from the handshakes that follow, and its peer stays connected.
    expect(isolated).toEqual([]);
    await peer.peers.disconnect(node.nodeId);
    const again = peer.peers.dial(node.nodeId);
    await outcome.clock.advanceAsync(5_000);
    await again;
    expect(peer.peers.list()[0]?.channels).toEqual([0x10]);
  });

  test('that throws on every tenth message: each is counted, the reactor goes on', async () => {
    const heard: number[] = [];
    const failing = reactor({
      name: 'faulty',
      channels,
      onMessage: ({ message }) => {
        heard.push(message);
        if (message % 10 === 9) throw new Error('broke on a message');
      },
    });
    const outcome = await run(failing, 2 * minutes);
    expectUnharmed(outcome, 1_190);
    const sent = outcome.speaker.sent.faulty!;
    expect(heard).toEqual(Array.from({ length: sent }, (_, n) => n));
    expect(outcome.node.status()).toMatchObject({ isolated: [], restarts: {}, caught: { faulty: Math.floor(sent / 10) } });
  });

  test('that throws in a timer: restarted five times, then isolated', async () => {
    const failing = reactor({
      name: 'faulty',
      channels,
      every: [
        [
          100,
          () => {
            throw new Error('broke in a timer');
          },
        ],
      ],
    });
    const outcome = await run(failing, 2 * minutes);
    expectUnharmed(outcome, 1_190);
    expect(outcome.node.status()).toMatchObject({ isolated: ['faulty'], restarts: { faulty: 5 } });
  });

  test('whose timer never returns: restarted by the watchdog', async () => {
    const outcome = await run(reactor({ name: 'faulty', channels, every: [[100, never]] }), 2 * minutes);
    expectUnharmed(outcome, 1_190);
    expect(outcome.node.status()).toMatchObject({ isolated: [], restarts: { faulty: 2 } });
  });

  test('whose start never returns: restarted by the watchdog', async () => {
    const outcome = await run(reactor({ name: 'faulty', channels, onStart: never, onMessage: () => undefined }), 2 * minutes);
    expectUnharmed(outcome, 1_190);
    expect(outcome.node.status().restarts).toEqual({ faulty: 2 });
  });
});

describe('a reactor that lives is left alone by the watchdog:', () => {
  test('one that says so during long work', async () => {
    let handled = 0;
    const patient = reactor({
      name: 'faulty',
      channels,
      onMessage: async (_, { alive, clock }) => {
        handled++;
        for (let i = 0; i < 12; i++) {
          await new Promise<void>((resolve) => clock.setTimeout(resolve, 9_000));
          alive();
        }
      },
    });
    const outcome = await run(patient, 5 * minutes);
    expect(outcome.node.status().restarts).toEqual({});
    expect(handled).toBe(3);
  });

  test('one that waits for room in the queue of a peer', async () => {
    const answering = reactor({
      name: 'faulty',
      channels,
      onMessage: async ({ from }, context) => {
        await context.channels.faulty.send({ to: from, message: 1 });
      },
    });
    const { clock, start, stop, net } = nodes();
    world.stop = stop;
    const speaker = counting(channels, 10);
    const node = await start({ reactors: [answering], peerQueue: { maxMessages: 2 } });
    const peer = await start({ persistentPeers: [...node.addresses], reactors: [speaker.reactor] });
    await settle(20);
    await clock.advanceAsync(1_000);
    net.pause(peer.nodeId);
    await clock.advanceAsync(2 * minutes);
    expect(node.status().restarts).toEqual({});
    net.resume(peer.nodeId);
  });

  test('one whose onStart reads the channel itself, for ever', async () => {
    const heard: number[] = [];
    const reading = reactor({
      name: 'faulty',
      channels,
      onStart: async (context) => {
        for await (const { message } of context.channels.faulty) heard.push(message);
      },
    });
    const outcome = await run(reading, 2 * minutes);
    expectUnharmed(outcome, 1_190);
    expect(heard).toHaveLength(outcome.speaker.sent.faulty!);
    expect(outcome.node.status().restarts).toEqual({});
  });

  test('one that only sends, whatever it is sent', async () => {
    const outcome = await run(reactor({ name: 'faulty', channels, every: [[1_000, () => undefined]] }), 2 * minutes);
    expect(outcome.node.status().restarts).toEqual({});
  });
});

describe('what a remote sends never isolates a reactor, however often:', () => {
  const strict = { supervision: { maxRestarts: 1, withinMs: 3_600_000 } };

  test('a handler that hangs on each message', async () => {
    const { node } = await run(reactor({ name: 'faulty', channels, onMessage: never }), 20 * minutes, strict);
    expect(node.status().isolated).toEqual([]);
    expect(node.status().restarts.faulty).toBeGreaterThan(10);
  });

  test('bare logic that throws on each message', async () => {
    const logic = fromPromise<void, ReactorContext<typeof channels>>(async ({ input }) => {
      for await (const { message } of input.channels.faulty) throw new Error(`broke on ${message}`);
    });
    const outcome = await run({ name: 'faulty', channels, logic }, 10 * minutes, strict);
    expectUnharmed(outcome, 5_990);
    expect(outcome.node.status().isolated).toEqual([]);
    expect(outcome.node.status().restarts.faulty).toBeGreaterThan(10);
  });

  test('onPeerUpdate that throws whenever a peer comes up', async () => {
    const { clock, start, stop } = nodes();
    world.stop = stop;
    const failing = reactor({
      name: 'faulty',
      channels,
      onPeerUpdate: ({ status }) => {
        if (status === 'up') throw new Error('broke on an update');
      },
    });
    const node = await start({ reactors: [failing], ...strict });
    const peer = await start({ reactors: [listening('other', 0x11).reactor] });
    await peer.peers.add(node.addresses[0]!);
    for (let i = 0; i < 10; i++) {
      const dialed = peer.peers.dial(node.nodeId).catch(() => undefined);
      await clock.advanceAsync(5_000);
      await dialed;
      await peer.peers.disconnect(node.nodeId).catch(() => undefined);
      await clock.advanceAsync(60_000);
    }
    expect(node.status().isolated).toEqual([]);
    expect(node.status().restarts.faulty).toBeGreaterThan(2);
  });
});

describe('bare logic', () => {
  type Input = ReactorContext<typeof channels>;
  const read = async (channel: Channel<number>, heard: number[]): Promise<void> => {
    for await (const { message } of channel) heard.push(message);
  };
  const kinds: Readonly<Record<string, (heard: number[], seen: Input[]) => AnyActorLogic>> = {
    'a promise': (heard, seen) => fromPromise<void, Input>(({ input }) => (seen.push(input), read(input.channels.faulty, heard))),
    'a callback': (heard, seen) =>
      fromCallback<{ type: 'never' }, Input>(({ input }) => {
        seen.push(input);
        void read(input.channels.faulty, heard);
      }),
    'a machine': (heard, seen) =>
      setup({
        types: { input: {} as Input, context: {} as Input },
        actors: { read: fromPromise<void, Channel<number>>(({ input }) => read(input, heard)) },
      }).createMachine({
        context: ({ input }) => (seen.push(input), input),
        invoke: { src: 'read', input: ({ context }) => context.channels.faulty },
      }),
  };

  test.each(Object.keys(kinds))('as %s is given channels, peers, signal and log, and hears every message', async (kind) => {
    const heard: number[] = [];
    const seen: Input[] = [];
    const outcome = await run({ name: 'faulty', channels, logic: kinds[kind]!(heard, seen) }, minutes);
    expectUnharmed(outcome, 590);
    expect(heard).toEqual(Array.from({ length: outcome.speaker.sent.faulty! }, (_, n) => n));
    expect(seen).toHaveLength(1);
    expect(Object.keys(seen[0]!)).toEqual(expect.arrayContaining(['channels', 'peers', 'signal', 'log', 'clock', 'random', 'alive']));
    await world.stop();
    expect(seen[0]!.signal.aborted).toBe(true);
  });

  const broken: Readonly<Record<string, AnyActorLogic>> = {
    'a promise': fromPromise(() => Promise.reject(new Error('broke'))),
    'a callback': fromCallback(() => {
      throw new Error('broke');
    }),
    'a machine': setup({}).createMachine({
      entry: () => {
        throw new Error('broke');
      },
    }),
  };

  test.each(Object.keys(broken))('as %s that fails at its start is isolated like any other', async (kind) => {
    const outcome = await run({ name: 'faulty', channels, logic: broken[kind]! }, 2 * minutes);
    expectUnharmed(outcome, 1_190);
    expect(outcome.node.status()).toMatchObject({ isolated: ['faulty'], restarts: { faulty: 5 } });
  });

  test('that takes a message and never the next is restarted by the watchdog', async () => {
    const logic = fromPromise<void, Input>(async ({ input }) => {
      for await (const _ of input.channels.faulty) await never();
    });
    const outcome = await run({ name: 'faulty', channels, logic }, 2 * minutes);
    expectUnharmed(outcome, 1_190);
    expect(outcome.node.status().restarts).toEqual({ faulty: 2 });
  });
});

test('a reactor that is restarted a thousand times leaves nothing behind each time', async () => {
  const { clock, net, start, stop } = nodes();
  world.stop = stop;
  const cast = new Cast();
  let starts = 0;
  const aborted = new Set<AbortSignal>();
  const restless = reactor({
    name: 'faulty',
    channels,
    onStart: ({ signal }) => {
      starts++;
      signal.addEventListener('abort', () => aborted.add(signal));
    },
    onMessage: () => undefined,
    onPeerUpdate: () => undefined,
    every: [[60_000, () => undefined]],
  });
  const node = await start({ reactors: [restless], inspect: cast.inspect });
  await settle(10);
  const before = { actors: node.status().actors, timers: clock.pending, net: net.counts() };
  for (let i = 0; i < 1_000; i++) {
    condemn(cast, /^faulty$/);
    await clock.advanceAsync(7_000);
  }
  expect([starts, aborted.size]).toEqual([1_001, 1_000]);
  expect({ actors: node.status().actors, timers: clock.pending, net: net.counts() }).toEqual(before);
  expect(node.status()).toMatchObject({ isolated: [], restarts: { faulty: 1_000 } });
});

test('messages are events to nobody: a flood of them passes without one', async () => {
  const { clock, start, stop } = nodes();
  world.stop = stop;
  const events: string[] = [];
  const inspect = (event: InspectionEvent): void => {
    if (event.type === '@xstate.event') events.push(event.event.type);
  };
  const steady = listening('steady', 0x10);
  const speaker = counting({ steady: numbered(0x10) }, 1);
  const node = await start({ reactors: [steady.reactor], inspect });
  await start({ persistentPeers: [...node.addresses], reactors: [speaker.reactor] });
  await clock.advanceAsync(1_000);
  events.length = 0;
  await clock.advanceAsync(8_000);
  expect(steady.heard.length).toBeGreaterThan(8_000);
  expect(events.filter((type) => !/^(watchdog|supervisor|xstate)\./.test(type))).toEqual([]);
  expect(events.length).toBeLessThan(20);
});

test('a crash loop of an essential reactor ends the node with the reason', async () => {
  const { clock, start, stop } = nodes();
  world.stop = stop;
  const failing = reactor({ name: 'vital', channels, essential: true, onStart: () => Promise.reject(new Error('broke at start')) });
  const node = await start({ reactors: [failing] });
  await clock.advanceAsync(5 * minutes);
  expect(await node.ended).toMatchObject({ code: 'ERR_SUPERVISOR_GAVE_UP' });
});
