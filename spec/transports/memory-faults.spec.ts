import { describe, expect, test } from '@jest/globals';
import { parseEndpoint } from '../../proto/endpoint.ts';
import type { MemoryEvent } from '../../transports/memory.ts';
import { a, b, c, connect, drain, during, label, world } from '../support/memory-world.ts';
import { expectCode, failureOf, handshakeOf, live, pattern, receive, sendAll, staysPending } from '../support/transport-bench.ts';

const message = (size: number, channelId = 0x01) => ({ channelId, bytes: pattern(size) });
const at = (key: { id: string }) => parseEndpoint(`memory:${key.id}`);

describe('a way cut in one direction', () => {
  test('holds what goes that way and lets the other through, until it heals', async () => {
    const { clock, network } = world({ latencyMs: 5 });
    const { near, far } = await connect(network, clock);
    network.cut([a.id], [b.id]);
    await sendAll(near, [message(1)]);
    await sendAll(far, [message(2)]);
    await clock.advanceAsync(1_000);
    expect((await receive(near, 1))[0]!.bytes.length).toBe(2);
    const receiving = Promise.resolve(far.receiveMessage(live()));
    expect(await staysPending(receiving)).toBe(true);
    network.heal();
    expect((await receiving).bytes.length).toBe(1);
  });

  test('that lasts ends the connection at the end that hears nothing, after its silence; the other hears of it', async () => {
    const { clock, network } = world({ latencyMs: 5, silenceMs: 1_000 });
    const { near, far } = await connect(network, clock);
    network.cut([a.id], [b.id]);
    await clock.advanceAsync(999);
    expect(await staysPending(far.ended)).toBe(true);
    await clock.advanceAsync(1);
    expect(await far.ended).toMatchObject({ code: 'ERR_CONNECTION_SILENT' });
    expect(await staysPending(near.ended)).toBe(true);
    await clock.advanceAsync(5);
    expect(await near.ended).toMatchObject({ code: 'ERR_CONNECTION_SILENT' });
    expect(clock.pending).toBe(0);
  });

  test('lets no dial through, whichever of its ways it needs', async () => {
    const { clock, network } = world({ latencyMs: 5 });
    await network.transport(b.id).listen(at(b));
    const dial = () => network.transport(a.id).dial(at(b), live());
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      network.cut([from.id], [to.id]);
      const dialing = dial();
      await clock.advanceAsync(1_000);
      expect(await staysPending(dialing)).toBe(true);
      network.heal();
      await during(clock, dialing);
    }
  });
});

describe('a frozen node', () => {
  test('hears nothing and is heard of by nobody; all goes on when it thaws in time', async () => {
    const { clock, network } = world({ latencyMs: 5, silenceMs: 1_000 });
    const { near, far } = await connect(network, clock);
    const receiving = Promise.resolve(far.receiveMessage(live()));
    network.freeze(b.id);
    await sendAll(near, [message(1)]);
    const pong = near.ping!(live());
    await clock.advanceAsync(900);
    expect(await staysPending(Promise.race([receiving, pong]))).toBe(true);
    network.thaw(b.id);
    expect((await receiving).bytes.length).toBe(1);
    await during(clock, pong);
    await clock.advanceAsync(10_000);
    expect(await staysPending(Promise.race([near.ended, far.ended]))).toBe(true);
  });

  test('is given up by its remote after the silence, and hears of it only when it thaws', async () => {
    const { clock, network } = world({ silenceMs: 1_000 });
    const { near, far } = await connect(network, clock);
    network.freeze(b.id);
    await clock.advanceAsync(1_000);
    expect(await near.ended).toMatchObject({ code: 'ERR_CONNECTION_SILENT' });
    expect(await staysPending(far.ended)).toBe(true);
    network.thaw(b.id);
    expect(await far.ended).toMatchObject({ code: 'ERR_CONNECTION_SILENT' });
  });

  test('accepts nobody: who dials it is connected and not greeted, and is accepted after the thaw', async () => {
    const { clock, network } = world();
    const listener = network.transport(b.id);
    await listener.listen(at(b));
    const accepting = listener.accept(live());
    network.freeze(b.id);
    const near = await network.transport(a.id).dial(at(b), live());
    expect(await staysPending(accepting)).toBe(true);
    const greeted = failureOf(() => near.handshake(handshakeOf(a), live()));
    await clock.advanceAsync(10_000);
    expect(await greeted).toMatchObject({ code: 'ERR_HANDSHAKE_TIMEOUT' });
    const second = await network.transport(c.id).dial(at(b), live());
    network.thaw(b.id);
    const far = (await accepting)!;
    const [remote] = await Promise.all([far.handshake(handshakeOf(b), live()), second.handshake(handshakeOf(c), live())]);
    expect(remote.nodeId).toBe(c.id);
  });

  test('finishes no dial of its own before it thaws', async () => {
    const { clock, network } = world({ latencyMs: 5 });
    await network.transport(b.id).listen(at(b));
    const dialing = network.transport(a.id).dial(at(b), live());
    await clock.advanceAsync(5);
    network.freeze(a.id);
    await clock.advanceAsync(1_000);
    expect(await staysPending(dialing)).toBe(true);
    network.thaw(a.id);
    expect((await dialing).direction).toBe('outbound');
  });
});

describe('a crash', () => {
  test('ends the dials of the node, and nothing leaves it any more', async () => {
    const { clock, network } = world({ latencyMs: 5 });
    await network.transport(b.id).listen(at(b));
    const [early, cut] = [network.transport(a.id), network.transport(a.id)];
    const dialing = failureOf(() => early.dial(at(b), live()));
    network.crash(a.id);
    await clock.advanceAsync(5);
    expect(await dialing).toMatchObject({ code: 'ERR_DIAL_FAILED' });
    await expectCode(() => cut.dial(at(b), live()), 'ERR_DIAL_FAILED');
    const next = network.transport(a.id);
    network.partition([[a.id], [b.id]]);
    const waiting = failureOf(() => next.dial(at(b), live()));
    await clock.advanceAsync(5);
    network.crash(a.id);
    expect(await waiting).toMatchObject({ code: 'ERR_DIAL_FAILED' });
    expect(network.counts()).toMatchObject({ connections: 0 });
  });
});

describe('a remote that takes nothing', () => {
  test('ends the connection once a message has waited for room so long, and not while some of it is taken', async () => {
    const { clock, network } = world({ bufferMessages: 2, stallMs: 1_000 });
    const { near, far } = await connect(network, clock);
    await sendAll(near, [message(1), message(2)]);
    const third = near.sendMessage(message(3), live()) as Promise<void>;
    await clock.advanceAsync(900);
    const fourth = near.sendMessage(message(4, 0x77), live()) as Promise<void>;
    await receive(far, 1);
    await third;
    await clock.advanceAsync(999);
    expect(await staysPending(fourth)).toBe(true);
    await clock.advanceAsync(1);
    await expectCode(() => fourth, 'ERR_CONNECTION_STALLED');
    expect(await near.ended).toMatchObject({ code: 'ERR_CONNECTION_STALLED' });
    expect(await far.ended).toMatchObject({ code: 'ERR_CONNECTION_CLOSED' });
    expect(clock.pending).toBe(0);
  });

  test('ends nothing while nothing waits', async () => {
    const { clock, network } = world({ bufferMessages: 2, stallMs: 1_000 });
    const { near } = await connect(network, clock);
    await sendAll(near, [message(1), message(2)]);
    await clock.advanceAsync(60_000);
    expect(await staysPending(near.ended)).toBe(true);
  });
});

describe('a throttled node', () => {
  test('reads so many bytes a second from each connection, until it resumes', async () => {
    const { clock, network } = world();
    const { near, far } = await connect(network, clock);
    network.throttle(b.id, 100);
    for (const size of [50, 100, 10]) await near.sendMessage(message(size), live());
    const times: number[] = [];
    const reading = (async () => {
      for (let count = 0; count < 3; count++) {
        await far.receiveMessage(live());
        times.push(clock.now());
      }
    })();
    await clock.advanceAsync(1_000);
    expect(times).toEqual([0, 500]);
    network.resume(b.id);
    await reading;
    expect(times).toEqual([0, 500, 1_000]);
    expect(() => network.throttle(b.id, 0)).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID' }));
  });
});

describe('a change of conditions', () => {
  test('is felt by what is sent from then on', async () => {
    const { clock, network } = world({ latencyMs: 10 });
    const { near, far } = await connect(network, clock);
    const took = async (): Promise<number> => {
      const began = clock.now();
      await near.sendMessage(message(100), live());
      await during(clock, Promise.resolve(far.receiveMessage(live())));
      return clock.now() - began;
    };
    expect(await took()).toBe(10);
    network.change({ latencyMs: 200 });
    expect(await took()).toBe(200);
    network.change({ latencyMs: 50 }, b.id);
    expect(await took()).toBe(50);
    network.change({ bytesPerSecond: 1_000 });
    expect(await took()).toBe(150);
  });

  test('to a rate makes one message after the other wait for the wire', async () => {
    const { clock, network } = world({ bytesPerSecond: 100 });
    const { near, far } = await connect(network, clock);
    for (let count = 0; count < 3; count++) void near.sendMessage(message(50), live());
    const times: number[] = [];
    for (let count = 0; count < 3; count++) {
      await during(clock, Promise.resolve(far.receiveMessage(live())));
      times.push(clock.now());
    }
    expect(times).toEqual([500, 1_000, 1_500]);
  });

  test('to duplicates delivers each message twice, in order, and no more than the buffer at once', async () => {
    const { clock, network } = world({ duplicate: 1 });
    const { near, far } = await connect(network, clock);
    await sendAll(near, [message(1), message(2)]);
    expect((await drain(clock, far)).map(label)).toEqual(['1:1', '1:1', '1:2', '1:2']);
  });
});

describe('what happens on a memory network', () => {
  test('is told as it happens: dials and their ends, greetings, messages taken and lost, and the end of each end', async () => {
    const events: string[] = [];
    const name = (id: string): string => ['a', 'b', 'c'].find((_, index) => [a, b, c][index]!.id === id)!;
    const onEvent = (event: MemoryEvent): void => {
      const [one, other] = 'at' in event ? [event.at, event.remote] : [event.from, event.to];
      const rest = 'code' in event ? event.code : 'bytes' in event ? event.bytes.length : 'direction' in event ? event.direction : '';
      events.push(`${event.type} ${name(one)}${name(other)} ${rest}`.trim());
    };
    const { clock, network } = world({ onEvent, loss: 0 });
    const { near, far } = await connect(network, clock);
    await expectCode(() => network.transport(a.id).dial(at(c), live()), 'ERR_DIAL_FAILED');
    await sendAll(near, [message(3)]);
    await receive(far, 1);
    network.change({ loss: 1 });
    await sendAll(far, [message(4)]);
    await near.close();
    await far.ended;
    expect(events.map((event) => event.replace(/ (in|out)bound$/, ''))).toEqual([
      'dial ab',
      'connected ab',
      'greeted ba',
      'greeted ab',
      'dial ac',
      'dialFailed ac ERR_DIAL_FAILED',
      'delivered ab 3',
      'lost ba 4',
      'ended ba ERR_CONNECTION_CLOSED',
      'ended ab',
    ]);
  });
});
