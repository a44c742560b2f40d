import { afterEach, describe, expect, test } from '@jest/globals';
import { parseEndpoint } from '../proto/endpoint.ts';
import { memoryNetwork, mconnTransport, seededRandom, VirtualClock, type TestMconnOptions } from '../testing.ts';
import type { Connection, Transport } from '../transports/transport.ts';
import { expectCode, handshakeOf, keyOf, live, pattern, receive } from './support/transport-bench.ts';

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
});

async function pair(options: TestMconnOptions): Promise<{ near: Connection; far: Connection }> {
  const listener: Transport = mconnTransport(options);
  open.push(listener);
  await listener.listen(parseEndpoint('mconn://127.0.0.1:0'));
  const [near, far] = await Promise.all([mconnTransport(options).dial(listener.endpoints()[0]!, live()), listener.accept(live())]);
  open.push(near, far!);
  await Promise.all([near.handshake(handshakeOf(keyOf('a')), live()), far!.handshake(handshakeOf(keyOf('b')), live())]);
  return { near, far: far! };
}

describe('troupe/testing', () => {
  test('has an mconn transport that needs nothing to be said', async () => {
    const { near, far } = await pair({});
    await near.sendMessage({ channelId: 0x01, bytes: pattern(5) }, live());
    expect((await receive(far, 1))[0]!.bytes).toEqual(pattern(5));
  });

  test('has an mconn transport whose connections end, with a code, when their nonces do', async () => {
    const { near, far } = await pair({ clock: new VirtualClock(), nonceStart: 2n ** 64n - 20n });
    await near.sendMessage({ channelId: 0x01, bytes: pattern(5) }, live());
    expect((await receive(far, 1))[0]!.bytes).toEqual(pattern(5));
    await expectCode(async () => {
      for (let count = 0; count < 100; count++) await near.sendMessage({ channelId: 0x01, bytes: pattern(1_000) }, live());
      await near.receiveMessage(live());
    }, 'ERR_NONCE_EXHAUSTED');
    expect(await near.ended).toMatchObject({ code: 'ERR_NONCE_EXHAUSTED' });
    await expectCode(() => receive(far, 100), 'ERR_CONNECTION_CLOSED', 'ERR_CONNECTION_RESET');
  });

  test('refuses options that a node would refuse', () => {
    expect(() => mconnTransport({ link: { sendRate: 0 } })).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID' }));
  });

  test('has a network in memory on a clock and a seed', async () => {
    const network = memoryNetwork({ clock: new VirtualClock(), random: seededRandom(1) });
    const listener = network.transport(keyOf('b').id);
    open.push(listener);
    await listener.listen(parseEndpoint(`memory:${keyOf('b').id}`));
    const near = await network.transport(keyOf('a').id).dial(parseEndpoint(`memory:${keyOf('b').id}`), live());
    expect(near.remoteEndpoint.path).toBe(keyOf('b').id);
    await near.close();
  });
});
