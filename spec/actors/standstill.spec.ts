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

test('an overdue tick shows one, before it comes and for a moment after', () => {
  const still = standstill();
  expect(still.isFelt(1_201)).toBe(true);
  still.tick(6_000);
  expect([still.isFelt(6_000), still.isFelt(6_199), still.isFelt(6_200)]).toEqual([true, true, false]);
  still.tick(7_000);
  expect(still.isFelt(7_000)).toBe(false);
});
