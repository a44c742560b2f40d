import { afterEach, expect, test } from '@jest/globals';
import { nodeKeyFromSeed } from '../../proto/identity.ts';
import { nodeAddressOf } from '../../proto/address.ts';
import type { Transport } from '../../transports/transport.ts';
import { hello, pair, stopAll, talk, world } from '../support/router.ts';
import { settle } from '../support/virtual-clock.ts';

afterEach(stopAll);

test('messages and payload bytes are counted by channel, both ways, whether the reader waited for them or they for the reader', async () => {
  const { a, b, channels } = await pair();
  const reader = channels.b[Symbol.asyncIterator]();
  await channels.a.send({ to: b.key.id, message: new Uint8Array(10) });
  await reader.next();
  const waiting = reader.next();
  await settle();
  await channels.a.broadcast(new Uint8Array(20));
  await waiting;
  expect(a.traffic.look().channels).toEqual([{ id: talk.id, messagesSent: 2, bytesSent: 30, messagesReceived: 0, bytesReceived: 0 }]);
  expect(b.traffic.look().channels).toEqual([{ id: talk.id, messagesSent: 0, bytesSent: 0, messagesReceived: 2, bytesReceived: 30 }]);
  expect(b.traffic.look().totals).toMatchObject({ messagesReceived: 2, messagesSent: 0 });
});

test('what is flushed at the end is counted, what is dropped is not', async () => {
  const { a, b, channels } = await pair();
  expect(await channels.other.send({ to: b.key.id, message: hello })).toBe(false);
  for (let i = 0; i < 5; i++) void channels.a.send({ to: b.key.id, message: hello });
  const drained = a.router.drain(new AbortController().signal);
  const reader = channels.b[Symbol.asyncIterator]();
  for (let i = 0; i < 5; i++) await reader.next();
  await drained;
  expect(a.traffic.look().channels).toMatchObject([{ id: talk.id, messagesSent: 5, bytesSent: 15 }]);
});

test('connections count as opened, and live until they have ended; the remote is known once hands are shaken', async () => {
  const { a, b, connect, host } = await pair();
  expect(a.traffic.look()).toMatchObject({ opened: { inbound: 0, outbound: 1 }, connections: [{ remote: b.key.id }] });
  expect(b.traffic.look()).toMatchObject({ opened: { inbound: 1, outbound: 0 }, connections: [{ remote: a.key.id }] });
  expect(Object.fromEntries(a.traffic.look().dials)).toEqual({ connected: 1 });
  a.manager.evict(a.manager.arrivals[0]!, 'operator');
  await settle(10);
  expect([a.traffic.look().connections, b.traffic.look().connections]).toEqual([[], []]);
  const nobody = nodeKeyFromSeed(new Uint8Array(32).fill(99)).id;
  a.manager.dial(nodeAddressOf({ protocol: 'memory', ip: '', port: 0, path: nobody }, nobody));
  await connect(a, await host());
  expect(Object.fromEntries(a.traffic.look().dials)).toEqual({ connected: 2, failed: 1 });
});

test('a handshake is timed when it succeeds, and counted by its reason when it fails', async () => {
  const { host, connect, clock } = world();
  const b = await host();
  // Whatever it dials, it reaches b.
  const astray = (transport: Transport): Transport => ({
    protocols: transport.protocols,
    endpoints: () => transport.endpoints(),
    listen: (endpoint) => transport.listen(endpoint),
    accept: (signal) => transport.accept(signal),
    dial: (_, signal) => transport.dial(b.transport.endpoints()[0]!, signal),
    close: () => transport.close(),
  });
  const a = await host({}, { wrap: astray });
  const took: unknown[] = [];
  a.traffic.onHandshake = (...args) => took.push(args);
  await connect(a, b);
  expect(took).toEqual([['outbound', 0]]);
  const wrong = nodeKeyFromSeed(new Uint8Array(32).fill(99)).id;
  a.manager.dial(nodeAddressOf({ protocol: 'memory', ip: '', port: 0, path: wrong }, wrong));
  await settle(10);
  expect(a.traffic.look().handshakeFailures.outbound).toEqual(new Map([['wrongId', 1]]));
  expect(took).toHaveLength(1);
  expect(clock.pending).toBe(0);
});

test('a handshake that our own stop cuts short counts as cancelled', async () => {
  const { host, network } = world();
  const a = await host();
  const stranger = nodeKeyFromSeed(new Uint8Array(32).fill(77)).id;
  await network.transport(stranger).dial(a.transport.endpoints()[0]!, new AbortController().signal);
  await settle(10);
  expect(a.traffic.look()).toMatchObject({ opened: { inbound: 1 }, connections: [{ remote: undefined }] });
  a.actor.stop();
  await settle(10);
  expect(a.traffic.look().handshakeFailures.inbound).toEqual(new Map([['cancelled', 1]]));
});
