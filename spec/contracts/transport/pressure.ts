/** The contract's rules on a receiver that is slower than its sender. */
import { expect, test } from '@jest/globals';
import { TroupeError } from '../../../proto/errors.ts';
import type { Connection } from '../../../transports/transport.ts';
import {
  channels,
  expectCode,
  failureOf,
  live,
  pattern,
  receive,
  staysPending,
  type TransportBench,
} from '../../support/transport-bench.ts';

const chunk = 65_536;

/** Sends on one channel until the connection takes no more, or gives up beyond `limit` bytes. The messages are numbered by their salt. */
async function fill(connection: Connection, limit: number, signal = live()): Promise<{ count: number; waiting: Promise<void> }> {
  for (let count = 1; count * chunk <= limit + 2 * chunk; count++) {
    const taken = connection.sendMessage({ channelId: 0x01, bytes: pattern(chunk, count) }, signal);
    if (!taken) continue;
    taken.catch(() => undefined);
    if (await staysPending(taken, 100)) return { count, waiting: taken };
  }
  throw new Error(`a receiver that reads nothing did not stop the sender within ${limit} bytes`);
}

export function pressureRules(bench: () => TransportBench): void {
  test('a receiver that reads nothing stops the sender within a bound, and loses nothing once it reads', async () => {
    const { near, far } = await bench().open();
    const { count, waiting } = await fill(near, bench().rig.maxBufferedBytes);
    expect(await staysPending(waiting, 200)).toBe(true);
    const received = await receive(far, count);
    await waiting;
    received.forEach(({ bytes }, index) => expect(Buffer.from(bytes).equals(pattern(chunk, index + 1))).toBe(true));
    await near.sendMessage({ channelId: 0x01, bytes: pattern(1) }, live());
    expect((await receive(far, 1))[0]!.bytes.length).toBe(1);
  });

  test('it holds one message a channel: another one before that has gone is an error, and is not sent', async () => {
    const { near, far } = await bench().open();
    const { count, waiting } = await fill(near, bench().rig.maxBufferedBytes);
    await expectCode(() => near.sendMessage({ channelId: 0x01, bytes: pattern(7) }, live()), 'ERR_INTERNAL');
    const other = near.sendMessage({ channelId: 0x77, bytes: pattern(9) }, live());
    expect(other).toBeInstanceOf(Promise);
    const received = await receive(far, count + 1);
    await Promise.all([waiting, other]);
    expect(received.filter(({ bytes }) => bytes.length === 7)).toEqual([]);
    expect(received.filter(({ channelId }) => channelId === 0x77)).toHaveLength(1);
  });

  test('a cancelled wait for room rejects with exactly the reason; the message was handed over and goes its way', async () => {
    const { near, far } = await bench().open();
    const stop = new AbortController();
    const reason = new Error('enough');
    const { count, waiting } = await fill(near, bench().rig.maxBufferedBytes, stop.signal);
    stop.abort(reason);
    expect(await failureOf(() => waiting)).toBe(reason);
    expect(await receive(far, count)).toHaveLength(count);
  });

  test('one way being full leaves the other way free', async () => {
    const { near, far } = await bench().open();
    await fill(near, bench().rig.maxBufferedBytes);
    for (const { id } of channels) await far.sendMessage({ channelId: id, bytes: pattern(100, id) }, live());
    expect((await receive(near, channels.length)).map(({ channelId }) => channelId).sort()).toEqual(channels.map(({ id }) => id).sort());
  });

  test('closing fails who waits for room, with the reason given', async () => {
    const { near } = await bench().open();
    const { waiting } = await fill(near, bench().rig.maxBufferedBytes);
    const reason = new TroupeError('ERR_PEER_BANNED');
    await near.close({ reason });
    expect(await failureOf(() => waiting)).toBe(reason);
  });

  test('the remote closing fails who waits for room', async () => {
    const { near, far } = await bench().open();
    const { waiting } = await fill(near, bench().rig.maxBufferedBytes);
    await far.close();
    await expectCode(() => waiting, 'ERR_CONNECTION_CLOSED', 'ERR_CONNECTION_RESET');
    await near.ended;
  });
}
