import { expect, test } from '@jest/globals';
import { Standstill } from '../../actors/standstill.ts';

/** Ticks every second from 0, and may be 200 ms late. */
const standstill = () => new Standstill(1_000, 200, 0);

test('ticks in time, or a little late, show none', () => {
  const still = standstill();
  for (const now of [1_000, 2_050, 3_250]) {
    still.tick(now);
    expect(still.isFelt(now)).toBe(false);
  }
  expect(still.isFelt(4_450)).toBe(false);
});

/** Ticks in time from one time to another. */
function tickOn(still: Standstill, from: number, until: number): void {
  for (let now = from; now <= until; now += 1_000) still.tick(now);
}

test('an overdue tick shows one, before it comes and for as long again, but at most for ten seconds', () => {
  for (const [tickAt, untilMs] of [
    [1_300, 1_300],
    [6_000, 6_000],
    [60_000, 10_000],
  ] as const) {
    const still = standstill();
    expect(still.isFelt(1_201)).toBe(true);
    tickOn(still, tickAt, tickAt + untilMs);
    expect([still.isFelt(tickAt + untilMs - 1), still.isFelt(tickAt + untilMs)]).toEqual([true, false]);
  }
});

test('what is read then may have been sent since the last tick in time, and after it only now', () => {
  const still = standstill();
  tickOn(still, 1_000, 3_000);
  expect([still.sentAt(4_200, -Infinity), still.sentAt(4_201, -Infinity)]).toEqual([4_200, 3_000]);
  still.tick(9_000);
  expect([still.sentAt(9_000, -Infinity), still.sentAt(9_500, 7_000), still.sentAt(9_500, 9_600)]).toEqual([3_000, 7_000, 9_600]);
  tickOn(still, 10_000, 15_000);
  expect([still.sentAt(14_999, -Infinity), still.sentAt(15_000, -Infinity)]).toEqual([3_000, 15_000]);
});

test('a minute is the most that counts', () => {
  const still = standstill();
  expect(still.sentAt(3_600_000, -Infinity)).toBe(3_540_000);
  still.tick(3_600_000);
  expect(still.sentAt(3_600_500, -Infinity)).toBe(3_540_000);
});

test('hiccups while it catches up prolong nothing', () => {
  const still = standstill();
  still.tick(6_000);
  const since: number[] = [];
  for (let now = 7_300; now < 14_000; now += 1_300) {
    still.tick(now);
    since.push(still.sentAt(now, -Infinity));
  }
  // From 12,000 on only the last hiccup counts.
  expect(since).toEqual([0, 0, 0, 9_900, 11_200, 12_500]);
});
