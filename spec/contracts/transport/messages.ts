/** The contract's rules on messages. */
import { expect, test } from '@jest/globals';
import type { Connection, Message } from '../../../transports/transport.ts';
import {
  channels,
  expectCode,
  failureOf,
  live,
  pattern,
  receive,
  sendAll,
  staysPending,
  type TransportBench,
} from '../../support/transport-bench.ts';

const sizes = [1, 2, 1_000, 1_023, 1_024, 1_025, 1_410, 4_096, 65_536, 300_000, 5, 1];

function messagesOf(channelId: number, salt: number): readonly Message[] {
  return sizes.map((size, index) => ({ channelId, bytes: pattern(channelId === 0xff ? Math.min(size, 1_000) : size, salt + index) }));
}

async function exchange(from: Connection, to: Connection, salt: number): Promise<void> {
  const sent = channels.map(({ id }) => messagesOf(id, salt + id));
  const [received] = await Promise.all([receive(to, sent.flat().length), ...sent.map((messages) => sendAll(from, messages))]);
  channels.forEach(({ id }, index) => {
    const onChannel = received.filter((message) => message.channelId === id);
    expect(onChannel.map(({ bytes }) => Buffer.from(bytes).toString('base64'))).toEqual(
      sent[index]!.map(({ bytes }) => Buffer.from(bytes).toString('base64')),
    );
  });
}

export function messageRules(bench: () => TransportBench): void {
  test('arrive whole, in order within their channel and with its id, on several channels and both ways at once', async () => {
    const { near, far } = await bench().open();
    await Promise.all([exchange(near, far, 0), exchange(far, near, 7)]);
    expect(near.status()).toMatchObject({ messagesSent: 36, messagesReceived: 36 });
  });

  test('may be empty', async () => {
    const { near, far } = await bench().open();
    await sendAll(
      near,
      [0, 3, 0].map((length) => ({ channelId: 0x01, bytes: pattern(length) })),
    );
    const received = await receive(far, 3);
    expect(received.map(({ bytes }) => bytes.length)).toEqual([0, 3, 0]);
  });

  test('may be as large as their channel allows, and not larger: that fails here, and harms nothing', async () => {
    const { near, far } = await bench().open();
    await expectCode(() => near.sendMessage({ channelId: 0xff, bytes: pattern(1_001) }, live()), 'ERR_SEND_TOO_LARGE');
    await sendAll(near, [{ channelId: 0xff, bytes: pattern(1_000) }]);
    const [received] = await receive(far, 1);
    expect(Buffer.from(received!.bytes).equals(pattern(1_000))).toBe(true);
  });

  test('on a channel that the connection does not have fail here, and harm nothing', async () => {
    const { near, far } = await bench().open();
    for (const channelId of [0x02, 256, 0x0101, -1, 1.5]) {
      await expectCode(() => near.sendMessage({ channelId, bytes: pattern(1) }, live()), 'ERR_CHANNEL_UNKNOWN');
    }
    await sendAll(near, [{ channelId: 0x01, bytes: pattern(9) }]);
    expect((await receive(far, 1))[0]!.channelId).toBe(0x01);
  });

  test('on a channel that the receiver does not have end the connection there', async () => {
    const { near, far } = await bench().open({}, { channels: channels.slice(1) });
    await sendAll(near, [{ channelId: 0x01, bytes: pattern(9) }]);
    await expectCode(() => receive(far, 1), 'ERR_CHANNEL_UNKNOWN');
    expect(await far.ended).toMatchObject({ code: 'ERR_CHANNEL_UNKNOWN' });
    await expectCode(() => receive(near, 1), 'ERR_CONNECTION_CLOSED', 'ERR_CONNECTION_RESET');
  });

  test('larger than the receiver allows end the connection there', async () => {
    const { near, far } = await bench().open({}, { channels: channels.map((channel) => ({ ...channel, maxMessageBytes: 1_000 })) });
    await sendAll(near, [{ channelId: 0x01, bytes: pattern(1_000) }]);
    await receive(far, 1);
    await near.sendMessage({ channelId: 0x01, bytes: pattern(1_001) }, live());
    await expectCode(() => receive(far, 1), 'ERR_MESSAGE_TOO_LARGE');
    expect(await far.ended).toMatchObject({ code: 'ERR_MESSAGE_TOO_LARGE' });
  });

  test('belong to whoever received them: changing one changes no other', async () => {
    const { near, far } = await bench().open();
    const bytes = pattern(50_000);
    await sendAll(near, [{ channelId: 0x01, bytes }]);
    const [first] = await receive(far, 1);
    first!.bytes.fill(0);
    expect(Buffer.from(bytes).equals(pattern(50_000))).toBe(true);
    await sendAll(near, [{ channelId: 0x77, bytes }]);
    const [second] = await receive(far, 1);
    expect(Buffer.from(second!.bytes).equals(pattern(50_000))).toBe(true);
    expect(first!.bytes.every((byte) => byte === 0)).toBe(true);
  });

  test('can be waited for: a cancelled wait rejects with exactly the reason and loses nothing', async () => {
    const { near, far } = await bench().open();
    const reason = new Error('enough');
    const stop = new AbortController();
    const waiting = Promise.resolve(far.receiveMessage(stop.signal));
    expect(await staysPending(waiting)).toBe(true);
    stop.abort(reason);
    expect(await failureOf(() => waiting)).toBe(reason);
    expect(await failureOf(() => far.receiveMessage(AbortSignal.abort(reason)))).toBe(reason);
    await sendAll(
      near,
      [1, 2].map((size) => ({ channelId: 0x01, bytes: pattern(size) })),
    );
    expect((await receive(far, 2)).map(({ bytes }) => bytes.length)).toEqual([1, 2]);
  });

  test('have one reader at a time', async () => {
    const { near, far } = await bench().open();
    const first = Promise.resolve(far.receiveMessage(live()));
    await expectCode(() => far.receiveMessage(live()), 'ERR_INTERNAL');
    await sendAll(near, [{ channelId: 0x01, bytes: pattern(3) }]);
    expect((await first).bytes.length).toBe(3);
  });

  test('need not flow for the remote to show that it lives: a ping is answered while nobody reads', async () => {
    const { near } = await bench().open();
    if (!near.ping) return;
    await near.sendMessage({ channelId: 0x01, bytes: pattern(9) }, live());
    const roundTripMs = await near.ping(live());
    expect(roundTripMs).toBeGreaterThanOrEqual(0);
    expect(near.status().roundTripMs).toBe(roundTripMs);
    const reason = new Error('enough');
    expect(await failureOf(() => near.ping!(AbortSignal.abort(reason)))).toBe(reason);
    await near.close();
    await expectCode(() => near.ping!(live()), 'ERR_CONNECTION_CLOSED');
  });
}
