/** The contract's rules on the end of a connection. */
import { expect, test } from '@jest/globals';
import { TroupeError } from '../../../proto/errors.ts';
import { expectCode, live, pattern, receive, staysPending, type TransportBench } from '../../support/transport-bench.ts';

const ending = ['ERR_CONNECTION_CLOSED', 'ERR_CONNECTION_RESET'] as const;

export function closingRules(bench: () => TransportBench): void {
  test('closing one end makes sending and receiving fail at both, now and later', async () => {
    const { near, far } = await bench().open();
    const waits = [near.receiveMessage(live()), far.receiveMessage(live())];
    await near.close();
    for (const wait of waits) await expectCode(() => wait, ...ending);
    expect(await near.ended).toBeUndefined();
    expect(ending).toContain(((await far.ended) as TroupeError).code);
    for (const end of [near, far, near, far]) {
      await expectCode(() => end.receiveMessage(live()), ...ending);
      await expectCode(() => end.sendMessage({ channelId: 0x01, bytes: pattern(1) }, live()), ...ending);
    }
  });

  test('closing again, or at both ends at once, or after the remote did, is fine', async () => {
    const { near, far } = await bench().open();
    await Promise.all([near.close(), far.close(), near.close(), near.close({ flush: true })]);
    await Promise.all([near.close(), far.close()]);
    await Promise.all([near.ended, far.ended]);
  });

  test('closing before the handshake ends both ends', async () => {
    const { near, far } = await bench().ends();
    await far.close();
    expect(await far.ended).toBeUndefined();
    await near.close();
    await near.ended;
  });

  test('a reason given to close is what later calls fail with', async () => {
    const { near } = await bench().open();
    const reason = new TroupeError('ERR_PEER_BANNED');
    await near.close({ reason });
    await expectCode(() => near.receiveMessage(live()), 'ERR_PEER_BANNED');
    expect(await near.ended).toBeUndefined();
  });

  test('with flush, everything handed over arrives before the end', async () => {
    const { near, far } = await bench().open();
    const large = near.sendMessage({ channelId: 0x01, bytes: pattern(1_000_000) }, live());
    const small = near.sendMessage({ channelId: 0x77, bytes: pattern(10) }, live());
    const closing = near.close({ flush: true });
    const received = await receive(far, 2);
    await closing;
    await Promise.allSettled([large, small]);
    expect(received.map(({ bytes }) => bytes.length).sort((a, b) => a - b)).toEqual([10, 1_000_000]);
    await expectCode(() => far.receiveMessage(live()), 'ERR_CONNECTION_CLOSED');
    expect(await far.ended).toMatchObject({ code: 'ERR_CONNECTION_CLOSED' });
    expect(await near.ended).toBeUndefined();
  });

  test('with flush, what has been flushed can still be read a while after the close', async () => {
    const { near, far } = await bench().open();
    for (let size = 1; size <= 5; size++) await near.sendMessage({ channelId: 0x01, bytes: pattern(size) }, live());
    await near.close({ flush: true });
    expect((await receive(far, 5)).map(({ bytes }) => bytes.length)).toEqual([1, 2, 3, 4, 5]);
    await expectCode(() => far.receiveMessage(live()), 'ERR_CONNECTION_CLOSED');
  });

  test('while it flushes, nothing more is taken', async () => {
    const { near, far } = await bench().open();
    await near.sendMessage({ channelId: 0x01, bytes: pattern(3) }, live());
    const closing = near.close({ flush: true });
    await expectCode(() => near.sendMessage({ channelId: 0x77, bytes: pattern(1) }, live()), 'ERR_CONNECTION_CLOSED');
    await closing;
    expect((await receive(far, 1))[0]!.bytes.length).toBe(3);
    await expectCode(() => far.receiveMessage(live()), 'ERR_CONNECTION_CLOSED');
  });

  test('a flush that gets nowhere ends when its signal aborts', async () => {
    const { near } = await bench().open();
    const { maxBufferedBytes } = bench().rig;
    for (let total = 0; total < maxBufferedBytes; total += 1_000_000) {
      const taken = near.sendMessage({ channelId: 0x01, bytes: pattern(1_000_000) }, live());
      taken?.catch(() => undefined);
      if (taken && (await staysPending(taken, 100))) break;
    }
    const stop = new AbortController();
    const closing = near.close({ flush: true, signal: stop.signal });
    expect(await staysPending(closing)).toBe(true);
    stop.abort(new Error('enough'));
    await closing;
    expect(await near.ended).toBeUndefined();
  });

  test('a plain close cuts a flush short', async () => {
    const { near } = await bench().open();
    const { maxBufferedBytes } = bench().rig;
    for (let total = 0; total < maxBufferedBytes; total += 1_000_000) {
      const taken = near.sendMessage({ channelId: 0x01, bytes: pattern(1_000_000) }, live());
      taken?.catch(() => undefined);
      if (taken && (await staysPending(taken, 100))) break;
    }
    const flushing = near.close({ flush: true });
    expect(await staysPending(flushing)).toBe(true);
    await near.close();
    await flushing;
    expect(await near.ended).toBeUndefined();
  });

  test('the status can be read after the end', async () => {
    const { near } = await bench().open();
    await near.close();
    expect(near.status().messagesSent).toBe(0);
  });
}
