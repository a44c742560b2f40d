import { describe, expect, test } from '@jest/globals';
import { Liveness } from '../../../transports/mconn/liveness.ts';
import { Waits } from '../../../transports/mconn/waits.ts';
import { VirtualClock } from '../../../transports/simulated.ts';
import { fastLink } from '../../support/mconn-halves.ts';

const live = new AbortController().signal;
const code = (name: string): unknown => [expect.objectContaining({ code: name })];

function make() {
  const clock = new VirtualClock();
  const seen = { pings: [] as number[], pongs: [] as number[], failures: [] as unknown[] };
  /** What the receiver would say. */
  const heard = { at: 0, pausedMs: 0 };
  const waits = new Waits();
  const liveness: Liveness = new Liveness({
    ...{ clock, options: fastLink(), waits },
    sendPing: () => seen.pings.push(clock.now()),
    sendPong: () => seen.pongs.push(clock.now()),
    readingNow: () => clock.now() - heard.pausedMs,
    heardAt: () => heard.at,
    fail: (error) => {
      seen.failures.push(error);
      liveness.close();
    },
  });
  return { liveness, clock, seen, heard, waits };
}

describe('liveness', () => {
  test('pings every minute, whatever else is going on', async () => {
    const { liveness, clock, seen, heard } = make();
    for (let second = 1; second <= 240; second++) {
      await clock.advanceAsync(1_000);
      heard.at = clock.now();
      liveness.ponged();
    }
    expect(seen.pings).toEqual([60_000, 120_000, 180_000, 240_000]);
    liveness.close();
    expect(clock.pending).toBe(0);
  });

  test('drops a remote that says nothing at all 45 s after the first ping', async () => {
    const { clock, seen } = make();
    await clock.advanceAsync(104_999);
    expect(seen.failures).toEqual([]);
    await clock.advanceAsync(1);
    expect(seen.failures).toEqual(code('ERR_CONNECTION_SILENT'));
  });

  test('keeps a remote that answers no ping but sends data, until it has been silent for 90 s', async () => {
    const { clock, seen, heard } = make();
    for (let second = 0; second < 300; second++) {
      heard.at = clock.now();
      await clock.advanceAsync(1_000);
    }
    expect(seen.failures).toEqual([]);
    await clock.advanceAsync(88_999);
    expect(seen.failures).toEqual([]);
    await clock.advanceAsync(1);
    expect(seen.failures).toEqual(code('ERR_CONNECTION_SILENT'));
  });

  test('keeps a remote that sends nothing but pongs', async () => {
    const { liveness, clock, seen } = make();
    for (let second = 1; second <= 600; second++) {
      await clock.advanceAsync(1_000);
      if (second % 60 === 30) liveness.ponged();
    }
    expect(seen.failures).toEqual([]);
    expect(liveness.roundTripMs).toBe(30_000);
  });

  test('ignores pongs that nobody asked for: they prove nothing', async () => {
    const { liveness, clock, seen } = make();
    for (let pong = 0; pong < 5; pong++) liveness.ponged();
    expect(liveness.roundTripMs).toBeUndefined();
    await clock.advanceAsync(105_000);
    expect(seen.failures).toEqual(code('ERR_CONNECTION_SILENT'));
  });

  test('does not judge by time in which we left the socket unread', async () => {
    const { clock, seen, heard } = make();
    for (let second = 0; second < 200; second++) {
      await clock.advanceAsync(1_000);
      heard.pausedMs += 1_000;
    }
    expect(seen.failures).toEqual([]);
    await clock.advanceAsync(89_000);
    expect(seen.failures).toEqual([]);
    await clock.advanceAsync(1_000);
    expect(seen.failures).toEqual(code('ERR_CONNECTION_SILENT'));
  });

  test('reads what has come in before it judges, after the process itself stood still', async () => {
    const { clock, seen, heard } = make();
    await clock.advanceAsync(60_000);
    setImmediate(() => (heard.at = clock.now()));
    clock.advance(600_000);
    await clock.advanceAsync(0);
    expect(seen.failures).toEqual([]);
  });

  test('answers the first ping at once and later ones at most once a second, one pong for all that wait', async () => {
    const { liveness, clock, seen } = make();
    liveness.pinged();
    expect(seen.pongs).toEqual([0]);
    for (let ping = 0; ping < 20; ping++) liveness.pinged();
    await clock.advanceAsync(500);
    liveness.pinged();
    await clock.advanceAsync(5_000);
    expect(seen.pongs).toEqual([0, 1_000]);
    liveness.pinged();
    expect(seen.pongs).toEqual([0, 1_000, 5_500]);
    liveness.close();
  });

  test('measures the round trip on demand, together for all who ask', async () => {
    const { liveness, clock, seen } = make();
    const first = liveness.ping(live);
    await clock.advanceAsync(10);
    const second = liveness.ping(live);
    await clock.advanceAsync(5);
    liveness.ponged();
    expect([await first, await second, liveness.roundTripMs]).toEqual([15, 15, 15]);
    expect(seen.pings).toEqual([0]);
    liveness.close();
  });

  test('never asks so often that a peer that counts pings would drop us', async () => {
    const { liveness, clock, seen } = make();
    for (let ask = 0; ask < 100; ask++) {
      const trip = liveness.ping(live);
      await clock.advanceAsync(1);
      for (let waited = 0; seen.pings.at(-1) !== clock.now() && waited < 3_000; waited += 100) await clock.advanceAsync(100);
      await clock.advanceAsync(1);
      liveness.ponged();
      await trip;
    }
    seen.pings.forEach((at, index) => expect(at - (seen.pings[index - 30] ?? -Infinity)).toBeGreaterThan(60_000));
    liveness.close();
  });

  test('rejects with exactly the reason of the signal, and still takes the pong that comes later', async () => {
    const { liveness, clock } = make();
    const stop = new AbortController();
    const trip = liveness.ping(stop.signal);
    stop.abort('enough');
    await expect(trip).rejects.toBe('enough');
    await clock.advanceAsync(7);
    liveness.ponged();
    expect(liveness.roundTripMs).toBe(7);
    liveness.close();
  });
});
