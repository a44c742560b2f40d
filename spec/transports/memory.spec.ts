import { describe, expect, test } from '@jest/globals';
import { parseEndpoint } from '../../proto/endpoint.ts';
import type { NodeId } from '../../proto/identity.ts';
import { memoryNetwork, type MemoryNetwork, type MemoryNetworkOptions } from '../../transports/memory.ts';
import { seededRandom, VirtualClock } from '../../transports/simulated.ts';
import type { Connection } from '../../transports/transport.ts';
import { transportContract } from '../contracts/transport.ts';
import { a, b, c, connect, drain, during, label, world } from '../support/memory-world.ts';
import { expectCode, failureOf, handshakeOf, live, pattern, receive, sendAll, staysPending } from '../support/transport-bench.ts';

/** A clock that goes on to its next timer whenever the process has nothing else to do; deadlines, which are far off, it leaves alone. */
class RestlessClock extends VirtualClock {
  override setTimeout(run: () => void, ms: number): unknown {
    setImmediate(() => setImmediate(() => this.#hurry()));
    return super.setTimeout(run, ms);
  }

  #hurry(): void {
    const waitMs = (this.nextAt ?? Infinity) - this.now();
    if (waitMs < 1_000) this.advance(Math.max(0, waitMs));
  }
}

function rigOf(clock: VirtualClock, options: Partial<MemoryNetworkOptions>) {
  const network = memoryNetwork({ clock, random: seededRandom(1), ...options });
  return {
    clock,
    transport: (key: { id: NodeId }) => network.transport(key.id),
    listenOn: (key: { id: NodeId }) => parseEndpoint(`memory:${key.id}`),
    maxBufferedBytes: 1_200_000,
  };
}

transportContract('memory', 'local', () => rigOf(new VirtualClock(), {}));
transportContract('delayed and reordering memory', 'local', () =>
  rigOf(new RestlessClock(), { latencyMs: 20, jitterMs: 30, reorder: 0.5 }),
);

describe('a memory network', () => {
  test('without latency needs no timer at all', async () => {
    const { clock, network } = world();
    const { near, far } = await connect(network, clock);
    await sendAll(near, [{ channelId: 0x01, bytes: pattern(3) }]);
    expect((await receive(far, 1))[0]!.bytes.length).toBe(3);
    await near.close();
    await far.ended;
    expect([clock.pending, clock.now()]).toEqual([0, 0]);
  });

  test('with latency takes one way for a message and a round trip for a dial and a ping', async () => {
    const { clock, network } = world({ latencyMs: 50 });
    const listener = network.transport(b.id);
    await listener.listen(parseEndpoint(`memory:${b.id}`));
    const near = await during(clock, network.transport(a.id).dial(parseEndpoint(`memory:${b.id}`), live()));
    expect(clock.now()).toBe(100);
    const far = (await listener.accept(live()))!;
    await during(clock, Promise.all([near.handshake(handshakeOf(a), live()), far.handshake(handshakeOf(b), live())]));
    expect(clock.now()).toBe(150);
    void near.sendMessage({ channelId: 0x01, bytes: pattern(1) }, live());
    const receiving = Promise.resolve(far.receiveMessage(live()));
    await clock.advanceAsync(49);
    expect(await staysPending(receiving)).toBe(true);
    await clock.advanceAsync(1);
    await receiving;
    expect(await during(clock, near.ping!(live()))).toBe(100);
    await during(clock, Promise.all([near.close(), far.ended]));
    expect(clock.pending).toBe(0);
  });

  test('gives the same deliveries at the same times for the same seed, and others for another', async () => {
    const run = async (seed: number): Promise<string> => {
      const { clock, network } = world({ latencyMs: 10, jitterMs: 40, loss: 0.1, reorder: 0.3 }, seed);
      const { near, far } = await connect(network, clock);
      const log: string[] = [];
      const reading = (async () => {
        for (;;) log.push(`${clock.now()} ${label(await far.receiveMessage(live()))}`);
      })().catch(() => undefined);
      for (let index = 1; index <= 200; index++) {
        void near.sendMessage({ channelId: index % 2 ? 0x01 : 0x77, bytes: pattern(index) }, live());
        await clock.advanceAsync(3);
      }
      await clock.advanceAsync(1_000);
      await near.close();
      await clock.advanceAsync(1_000);
      await reading;
      return log.join('\n');
    };
    const first = await run(7);
    expect(first.split('\n').length).toBeGreaterThan(100);
    expect(await run(7)).toBe(first);
    expect(await run(8)).not.toBe(first);
  });

  test('loses messages by the chance given, never twice and never out of order, and counts them', async () => {
    const { clock, network } = world({ loss: 0.25, bufferMessages: 10_000 });
    const { near, far } = await connect(network, clock);
    for (let size = 1; size <= 1_000; size++) await near.sendMessage({ channelId: 0x01, bytes: Buffer.alloc(size) }, live());
    const sizes = (await drain(clock, far)).map(({ bytes }) => bytes.length);
    expect(sizes).toEqual([...new Set(sizes)].sort((x, y) => x - y));
    const { sent, delivered, lost } = network.counts();
    expect([sent, delivered + lost, delivered]).toEqual([1_000, 1_000, sizes.length]);
    expect(lost).toBeGreaterThan(200);
    expect(lost).toBeLessThan(300);
  });

  test('reorders across channels and never within one', async () => {
    const { clock, network } = world({ latencyMs: 10, jitterMs: 10, reorder: 0.5 });
    const { near, far } = await connect(network, clock);
    const sent: string[] = [];
    for (let index = 1; index <= 60; index++) {
      const message = { channelId: index % 2 ? 0x01 : 0x77, bytes: pattern(index) };
      sent.push(label(message));
      void near.sendMessage(message, live());
    }
    const received = (await drain(clock, far)).map(label);
    expect(received).not.toEqual(sent);
    for (const channel of ['1:', '119:']) {
      const of = (labels: readonly string[]): readonly string[] => labels.filter((text) => text.startsWith(channel));
      expect(of(received)).toEqual(of(sent));
    }
  });

  test('with jitter alone keeps the order of everything', async () => {
    const { clock, network } = world({ latencyMs: 10, jitterMs: 100 });
    const { near, far } = await connect(network, clock);
    const sent: string[] = [];
    for (let index = 1; index <= 60; index++) {
      const message = { channelId: index % 2 ? 0x01 : 0x77, bytes: pattern(index) };
      sent.push(label(message));
      void near.sendMessage(message, live());
    }
    expect((await drain(clock, far)).map(label)).toEqual(sent);
  });

  test.each<[object]>([
    [{ loss: 1.5 }],
    [{ loss: NaN }],
    [{ latencyMs: -1 }],
    [{ jitterMs: Infinity }],
    [{ bufferMessages: 0 }],
    [{ bufferBytes: 0.5 }],
    [{ silenceMs: 0 }],
    [{ latency: 5 }],
  ])('refuses options that make no sense: %j', (options) => {
    expect(() => world(options)).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID' }));
  });
});

describe('a partition', () => {
  const dialB = (network: MemoryNetwork, signal = live()): Promise<Connection> =>
    network.transport(c.id).dial(parseEndpoint(`memory:${b.id}`), signal);

  test('holds what is sent across it until it heals, then everything goes on in order', async () => {
    const { clock, network } = world({ latencyMs: 5, bufferMessages: 4 });
    const { near, far } = await connect(network, clock);
    await near.sendMessage({ channelId: 0x01, bytes: pattern(1) }, live());
    network.partition([[a.id], [b.id]]);
    for (let size = 2; size <= 4; size++) await near.sendMessage({ channelId: 0x01, bytes: pattern(size) }, live());
    const stuck = near.sendMessage({ channelId: 0x01, bytes: pattern(5) }, live()) as Promise<void>;
    const receiving = Promise.resolve(far.receiveMessage(live()));
    await clock.advanceAsync(9_999);
    expect(await staysPending(receiving)).toBe(true);
    expect(await staysPending(stuck)).toBe(true);
    network.heal();
    expect((await receiving).bytes.length).toBe(1);
    expect((await drain(clock, far)).map(label)).toEqual(['1:2', '1:3', '1:4', '1:5']);
  });

  test('makes dials across it wait: they go on when it heals, or end with their signal', async () => {
    const { clock, network } = world();
    await connect(network, clock);
    network.partition([[a.id, b.id], [c.id]]);
    const reason = new Error('enough');
    const stop = new AbortController();
    const given = dialB(network, stop.signal);
    const patient = dialB(network);
    expect(await staysPending(given)).toBe(true);
    stop.abort(reason);
    expect(await failureOf(() => given)).toBe(reason);
    network.heal();
    expect((await patient).direction).toBe('outbound');
  });

  test('leaves nodes of one group alone, and puts nodes of no group into one of their own', async () => {
    const { clock, network } = world();
    const { near, far } = await connect(network, clock);
    network.partition([[c.id]]);
    await sendAll(near, [{ channelId: 0x01, bytes: pattern(1) }]);
    expect(await receive(far, 1)).toHaveLength(1);
    network.partition([[a.id]]);
    await sendAll(near, [{ channelId: 0x01, bytes: pattern(1) }]);
    const receiving = Promise.resolve(far.receiveMessage(live()));
    expect(await staysPending(receiving)).toBe(true);
    network.heal();
    await receiving;
    expect(() => network.partition([[a.id], [b.id, a.id]])).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID' }));
  });

  test('that lasts ends the connections across it as silent, at both ends, each counted from its own cut', async () => {
    const { clock, network } = world({ silenceMs: 1_000 });
    const first = await connect(network, clock, a, b);
    const second = await connect(network, clock, a, c);
    network.partition([[b.id]]);
    await clock.advanceAsync(600);
    network.partition([[b.id], [c.id]]);
    await clock.advanceAsync(399);
    expect(network.counts().connections).toBe(4);
    await clock.advanceAsync(1);
    for (const end of [first.near, first.far]) expect(await end.ended).toMatchObject({ code: 'ERR_CONNECTION_SILENT' });
    expect(network.counts().connections).toBe(2);
    await clock.advanceAsync(600);
    for (const end of [second.near, second.far]) expect(await end.ended).toMatchObject({ code: 'ERR_CONNECTION_SILENT' });
    expect(clock.pending).toBe(0);
  });

  test('that heals in time ends nothing', async () => {
    const { clock, network } = world({ silenceMs: 1_000 });
    const { near, far } = await connect(network, clock);
    network.partition([[b.id]]);
    await clock.advanceAsync(999);
    network.heal();
    expect(clock.pending).toBe(0);
    network.partition([[b.id]]);
    await clock.advanceAsync(999);
    network.heal();
    await sendAll(near, [{ channelId: 0x01, bytes: pattern(1) }]);
    expect(await receive(far, 1)).toHaveLength(1);
  });
});

describe('a crash', () => {
  test('resets every connection of the node, stops its listening, and lets it come back', async () => {
    const { clock, network } = world({ latencyMs: 5 });
    const first = await connect(network, clock, a, b);
    const second = await connect(network, clock, b, c);
    const waits = [first.near.receiveMessage(live()), second.far.receiveMessage(live())];
    network.crash(b.id);
    expect(await first.far.ended).toMatchObject({ code: 'ERR_CONNECTION_RESET' });
    expect(await second.near.ended).toMatchObject({ code: 'ERR_CONNECTION_RESET' });
    expect(network.counts()).toMatchObject({ connections: 2, listening: 1 });
    const failures = waits.map((wait) => failureOf(() => wait));
    await clock.advanceAsync(5);
    for (const failure of failures) expect(await failure).toMatchObject({ code: 'ERR_CONNECTION_RESET' });
    expect(await first.near.ended).toMatchObject({ code: 'ERR_CONNECTION_RESET' });
    expect(network.counts().connections).toBe(0);
    await during(
      clock,
      expectCode(() => network.transport(a.id).dial(parseEndpoint(`memory:${b.id}`), live()), 'ERR_DIAL_FAILED'),
    );
    const again = await connect(network, clock, a, b);
    expect(again.far.direction).toBe('inbound');
  });

  test('is no news on the far side of a partition', async () => {
    const { clock, network } = world({ silenceMs: 1_000 });
    const { near } = await connect(network, clock);
    network.partition([[b.id]]);
    network.crash(b.id);
    expect(await staysPending(near.ended)).toBe(true);
    network.heal();
    expect(await near.ended).toMatchObject({ code: 'ERR_CONNECTION_RESET' });
    expect(clock.pending).toBe(0);
  });

  test('ends a waiting accept, and the connections that nobody accepted', async () => {
    const { network } = world();
    const listener = network.transport(b.id);
    await listener.listen(parseEndpoint(`memory:${b.id}`));
    const near = await network.transport(a.id).dial(parseEndpoint(`memory:${b.id}`), live());
    network.crash(b.id);
    expect(await near.ended).toMatchObject({ code: 'ERR_CONNECTION_RESET' });
    expect(await listener.accept(live())).toBeUndefined();
    expect(network.counts()).toMatchObject({ connections: 0, listening: 0 });
  });
});

describe('a paused node', () => {
  test('reads nothing and answers no ping; its senders wait, and all goes on when it resumes', async () => {
    const { clock, network } = world({ bufferMessages: 2 });
    const { near, far } = await connect(network, clock);
    const receiving = Promise.resolve(far.receiveMessage(live()));
    network.pause(b.id);
    await sendAll(
      near,
      [1, 2].map((size) => ({ channelId: 0x01, bytes: pattern(size) })),
    );
    const third = near.sendMessage({ channelId: 0x01, bytes: pattern(3) }, live()) as Promise<void>;
    const pong = near.ping!(live());
    expect(await staysPending(Promise.race([receiving, third, pong]))).toBe(true);
    network.resume(b.id);
    expect((await receiving).bytes.length).toBe(1);
    await Promise.all([third, pong]);
    expect((await receive(far, 2)).map(({ bytes }) => bytes.length)).toEqual([2, 3]);
  });

  test('does not answer a handshake either', async () => {
    const { network } = world();
    const listener = network.transport(b.id);
    await listener.listen(parseEndpoint(`memory:${b.id}`));
    const [near, far] = await Promise.all([network.transport(a.id).dial(parseEndpoint(`memory:${b.id}`), live()), listener.accept(live())]);
    network.pause(b.id);
    const handshakes = Promise.all([near.handshake(handshakeOf(a), live()), far!.handshake(handshakeOf(b), live())]);
    expect(await staysPending(handshakes)).toBe(true);
    network.resume(b.id);
    expect((await handshakes)[1].nodeId).toBe(a.id);
  });
});

describe('a listener', () => {
  test('that accepts nobody lets 128 connections wait and refuses the next; those that ended make room', async () => {
    const { network } = world();
    const listener = network.transport(b.id);
    await listener.listen(parseEndpoint(`memory:${b.id}`));
    const dialer = network.transport(a.id);
    const dial = (): Promise<Connection> => dialer.dial(parseEndpoint(`memory:${b.id}`), live());
    const waiting: Connection[] = [];
    for (let count = 0; count < 128; count++) waiting.push(await dial());
    await expectCode(dial, 'ERR_DIAL_FAILED');
    expect(network.counts().connections).toBe(256);
    await waiting[0]!.close();
    await dial();
    await listener.close();
    expect(network.counts()).toMatchObject({ connections: 0, listening: 0 });
  });
});
