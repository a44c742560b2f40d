import { describe, expect, test } from '@jest/globals';
import { SlidingCount, TokenBucket } from '../../transports/token-bucket.ts';

describe('a token bucket', () => {
  test('is full at first, fills at its rate and never above its burst', () => {
    const bucket = new TokenBucket(10, 20, 1_000);
    expect([bucket.available(1_000), bucket.isFull(1_000)]).toEqual([20, true]);
    bucket.take(15);
    expect([bucket.available(1_000), bucket.available(1_500), bucket.isFull(1_500)]).toEqual([5, 10, false]);
    expect([bucket.available(60_000), bucket.isFull(60_000)]).toEqual([20, true]);
  });

  test('lets a debt be made, which is paid first', () => {
    const bucket = new TokenBucket(1_000, 1_000, 0);
    bucket.take(3_000);
    expect([bucket.available(0), bucket.available(1_000), bucket.available(2_000)]).toEqual([-2_000, -1_000, 0]);
    expect([bucket.waitMs(0, 2_000), bucket.waitMs(10, 2_000), bucket.waitMs(1_000_000, 2_000)]).toEqual([1, 10, 1_000]);
  });

  test('is not fooled by a clock that stands still', () => {
    const bucket = new TokenBucket(5, 5, 0);
    bucket.take(5);
    for (let call = 0; call < 10; call++) expect(bucket.available(0)).toBe(0);
  });
});

describe('a sliding count', () => {
  test('admits as many events as its limit in any window, and again when the window has moved on', () => {
    const count = new SlidingCount(3, 1_000);
    expect([0, 0, 500].map((now) => count.admit(now))).toEqual([true, true, true]);
    expect(count.admit(999)).toBe(false);
    const steady = new SlidingCount(3, 1_000);
    expect(Array.from({ length: 20 }, (_, index) => steady.admit(index * 334)).every(Boolean)).toBe(true);
    const hasty = new SlidingCount(3, 1_000);
    expect([0, 333, 666, 999].map((now) => hasty.admit(now))).toEqual([true, true, true, false]);
  });
});
