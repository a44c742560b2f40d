import { expect, test } from '@jest/globals';
import { Introductions } from '../../actors/introductions.ts';
import { parseNodeId } from '../../proto/identity.ts';
import { settle, VirtualClock } from '../support/virtual-clock.ts';

const [one, other] = ['a', 'b'].map((digit) => parseNodeId(digit.repeat(40)));
const live = (): AbortSignal => new AbortController().signal;

/** Asks for so many turns of a peer, and notes when each comes. */
async function turns(introductions: Introductions, clock: VirtualClock, count: number): Promise<readonly number[]> {
  const began = clock.now();
  const times: number[] = [];
  for (let each = 0; each < count; each++) {
    const turn = introductions.turn(one!, live());
    if (turn) void turn.then(() => times.push(clock.now() - began));
    else times.push(0);
  }
  await clock.advanceAsync(10_000);
  return times;
}

test('the first NodeInfo to a peer leaves at once, and others a tenth of a second apart', async () => {
  const clock = new VirtualClock();
  expect(await turns(new Introductions(clock), clock, 3)).toEqual([0, 100, 200]);
});

test('other peers do not wait for it, nor does the same one later', async () => {
  const clock = new VirtualClock();
  const introductions = new Introductions(clock);
  expect(introductions.turn(one!, live())).toBeUndefined();
  expect(introductions.turn(other!, live())).toBeUndefined();
  await clock.advanceAsync(100);
  expect(introductions.turn(one!, live())).toBeUndefined();
});

test('nobody waits for longer than a second, since Go peers would not', async () => {
  const clock = new VirtualClock();
  const times = await turns(new Introductions(clock), clock, 30);
  expect(times).toHaveLength(30);
  expect(Math.max(...times)).toBe(1_000);
});

test('a wait ends with the connection that waits', async () => {
  const clock = new VirtualClock();
  const introductions = new Introductions(clock);
  void introductions.turn(one!, live());
  const stop = new AbortController();
  const turn = introductions.turn(one!, stop.signal);
  const reason = new Error('gone');
  stop.abort(reason);
  await expect(turn).rejects.toBe(reason);
  expect(clock.pending).toBe(0);
});

test('peers are forgotten once they would not have to wait', async () => {
  const clock = new VirtualClock();
  const introductions = new Introductions(clock);
  for (let each = 0; each < 500; each++) void introductions.turn(parseNodeId(each.toString(16).padStart(40, '0')), live());
  expect(introductions.size).toBe(500);
  await clock.advanceAsync(100);
  void introductions.turn(one!, live());
  expect(introductions.size).toBe(1);
  await settle();
});
