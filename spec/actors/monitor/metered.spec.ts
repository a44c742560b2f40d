import { describe, expect, test } from '@jest/globals';
import { metered } from '../../../actors/monitor/metered.ts';
import { Traffic } from '../../../actors/monitor/traffic.ts';
import { parseEndpoint } from '../../../proto/endpoint.ts';
import { TroupeError } from '../../../proto/errors.ts';
import { memoryNetwork } from '../../../transports/memory.ts';
import { seededRandom, settle, VirtualClock } from '../../../transports/simulated.ts';
import type { Connection, Transport } from '../../../transports/transport.ts';
import { transportContract } from '../../contracts/transport.ts';
import { failureOf, handshakeOf, keyOf, live, receive } from '../../support/transport-bench.ts';

const [a, b] = [keyOf('a'), keyOf('b')];

transportContract('metered memory', 'local', () => {
  const clock = new VirtualClock();
  const network = memoryNetwork({ clock, random: seededRandom(1) });
  return {
    clock,
    transport: (key) => metered(network.transport(key.id), new Traffic(), clock),
    listenOn: (key) => parseEndpoint(`memory:${key.id}`),
    maxBufferedBytes: 1_200_000,
  };
});

/** Two metered nodes that are connected and have not shaken hands. */
async function ends() {
  const clock = new VirtualClock();
  const network = memoryNetwork({ clock, random: seededRandom(1) });
  const [ours, theirs] = [new Traffic(), new Traffic()];
  const [dialer, listener] = [metered(network.transport(a.id), ours, clock), metered(network.transport(b.id), theirs, clock)];
  await listener.listen(parseEndpoint(`memory:${b.id}`));
  const [near, far] = await Promise.all([dialer.dial(listener.endpoints()[0]!, live()), listener.accept(live())]);
  return { clock, ours, theirs, dialer, listener, near, far: far! };
}

const shake = (near: Connection, far: Connection): Promise<unknown> =>
  Promise.all([near.handshake(handshakeOf(a, { expectedId: b.id }), live()), far.handshake(handshakeOf(b), live())]);

describe('a metered transport counts', () => {
  test('messages and payload bytes by channel, whether the reader waited for them or they for the reader', async () => {
    const { ours, theirs, near, far } = await ends();
    await shake(near, far);
    await near.sendMessage({ channelId: 0x77, bytes: new Uint8Array(10) }, live());
    await settle();
    await receive(far, 1);
    const waiting = far.receiveMessage(live());
    expect(waiting).toBeInstanceOf(Promise);
    await near.sendMessage({ channelId: 0x77, bytes: new Uint8Array(20) }, live());
    await near.sendMessage({ channelId: 0x01, bytes: new Uint8Array(5) }, live());
    await waiting;
    await receive(far, 1);
    expect(ours.look().channels).toMatchObject([
      { id: 0x01, messagesSent: 1, bytesSent: 5, messagesReceived: 0 },
      { id: 0x77, messagesSent: 2, bytesSent: 30, messagesReceived: 0 },
    ]);
    expect(theirs.look().channels).toMatchObject([
      { id: 0x01, messagesReceived: 1, bytesReceived: 5 },
      { id: 0x77, messagesReceived: 2, bytesReceived: 30 },
    ]);
    expect(theirs.look().totals).toMatchObject({ messagesReceived: 3, messagesSent: 0 });
    await near.close();
  });

  test('a message that was refused is not counted', async () => {
    const { ours, near, far } = await ends();
    await shake(near, far);
    expect(await failureOf(() => near.sendMessage({ channelId: 0x20, bytes: new Uint8Array(1) }, live()))).toMatchObject({
      code: 'ERR_CHANNEL_UNKNOWN',
    });
    expect(ours.look().channels).toEqual([]);
    await near.close();
  });

  test('connections and dials, live until they have ended', async () => {
    const { ours, theirs, near, far } = await ends();
    expect(ours.look()).toMatchObject({ opened: { inbound: 0, outbound: 1 }, connections: [{ connection: near, remote: undefined }] });
    expect(ours.look().dials).toEqual(new Map([['connected', 1]]));
    await shake(near, far);
    expect(theirs.look()).toMatchObject({ opened: { inbound: 1, outbound: 0 }, connections: [{ connection: far, remote: a.id }] });
    await near.close();
    await far.ended;
    await settle();
    expect([ours.look().connections, theirs.look().connections]).toEqual([[], []]);
  });

  test('how long a handshake took, and why one failed', async () => {
    const { clock, ours, near, far } = await ends();
    const took: unknown[] = [];
    ours.onHandshake = (...args) => took.push(args);
    const wrong = near.handshake(handshakeOf(a, { expectedId: a.id }), live());
    await settle();
    clock.advance(40);
    const theirHandshake = far.handshake(handshakeOf(b), live());
    expect(await failureOf(() => wrong)).toMatchObject({ code: 'ERR_HANDSHAKE_WRONG_ID' });
    await theirHandshake.catch(() => undefined);
    expect(took).toEqual([]);
    expect(ours.look().handshakeFailures.outbound).toEqual(new Map([['wrongId', 1]]));

    const good = await ends();
    good.theirs.onHandshake = (...args) => took.push(args);
    const inbound = good.far.handshake(handshakeOf(b), live());
    await settle();
    good.clock.advance(40);
    await Promise.all([inbound, good.near.handshake(handshakeOf(a), live())]);
    expect(took).toEqual([['inbound', 0.04]]);
    expect(good.theirs.look().handshakeFailures.inbound.size).toBe(0);
    await Promise.all([near.close(), good.near.close()]);
  });

  test('a handshake and a dial that we gave up as cancelled', async () => {
    const { theirs, far, near, ours, dialer, listener } = await ends();
    const stop = new AbortController();
    const shaking = far.handshake(handshakeOf(b), stop.signal);
    stop.abort(new TroupeError('ERR_NODE_STATE'));
    expect(await failureOf(() => shaking)).toBe(stop.signal.reason);
    expect(theirs.look().handshakeFailures.inbound).toEqual(new Map([['cancelled', 1]]));
    expect(await failureOf(() => dialer.dial(listener.endpoints()[0]!, stop.signal))).toBe(stop.signal.reason);
    await listener.close();
    await failureOf(() => dialer.dial(parseEndpoint(`memory:${b.id}`), live()));
    expect(Object.fromEntries(ours.look().dials)).toEqual({ connected: 1, cancelled: 1, failed: 1 });
    await near.close();
  });
});

test('what a transport and its connections cannot do, their metered selves cannot either', async () => {
  const bare = { direction: 'outbound', ended: new Promise(() => undefined) } as unknown as Connection;
  const transport = { protocols: ['x'], dial: () => Promise.resolve(bare) } as unknown as Transport;
  const counted = metered(transport, new Traffic(), new VirtualClock());
  expect(counted.status).toBeUndefined();
  expect((await counted.dial({ protocol: 'x', ip: '', port: 0, path: '' }, live())).ping).toBeUndefined();
  const able = { ...transport, status: () => ({ queued: 3 }), dial: () => Promise.resolve({ ...bare, ping: () => Promise.resolve(7) }) };
  const both = metered(able, new Traffic(), new VirtualClock());
  expect(both.status?.()).toEqual({ queued: 3 });
  expect(await (await both.dial({ protocol: 'x', ip: '', port: 0, path: '' }, live())).ping?.(live())).toBe(7);
});

test('the promise of the next message is the transport’s own, so that counting delays no reader', async () => {
  const next = new Promise<never>(() => undefined);
  const bare = { direction: 'outbound', ended: next, receiveMessage: () => next } as unknown as Connection;
  const transport = { protocols: ['x'], dial: () => Promise.resolve(bare) } as unknown as Transport;
  const connection = await metered(transport, new Traffic(), new VirtualClock()).dial({ protocol: 'x', ip: '', port: 0, path: '' }, live());
  expect(connection.receiveMessage(live())).toBe(next);
});
