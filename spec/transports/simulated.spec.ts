import { describe, expect, test } from '@jest/globals';
import { sleep } from '../../transports/clock.ts';
import { seededRandom, VirtualClock } from '../../transports/simulated.ts';

describe('the virtual clock', () => {
  test('stands still until told to move, and wall time moves with it', () => {
    const clock = new VirtualClock(1_000);
    expect([clock.now(), clock.wallNow()]).toEqual([0, 1_000]);
    clock.advance(250);
    expect([clock.now(), clock.wallNow()]).toEqual([250, 1_250]);
  });

  test('fires timers in the order of their moments, at their moments; those of one moment in the order they were set', () => {
    const clock = new VirtualClock();
    const fired: string[] = [];
    const set = (name: string, ms: number): unknown => clock.setTimeout(() => fired.push(`${name}@${clock.now()}`), ms);
    set('c', 30);
    set('a', 10);
    set('b1', 20);
    set('b2', 20);
    expect(clock.nextAt).toBe(10);
    clock.advance(19);
    expect(fired).toEqual(['a@10']);
    clock.advance(11);
    expect(fired).toEqual(['a@10', 'b1@20', 'b2@20', 'c@30']);
    expect([clock.pending, clock.nextAt]).toEqual([0, undefined]);
  });

  test('fires timers set by timers when they fall into the same move', () => {
    const clock = new VirtualClock();
    const fired: number[] = [];
    const tick = (): void => {
      fired.push(clock.now());
      clock.setTimeout(tick, 10);
    };
    clock.setTimeout(tick, 10);
    clock.advance(35);
    expect(fired).toEqual([10, 20, 30]);
    expect(clock.pending).toBe(1);
  });

  test('forgets a cleared timer, once, and takes it calmly when it has fired or is none', () => {
    const clock = new VirtualClock();
    let fired = 0;
    const first = clock.setTimeout(() => fired++, 1);
    const second = clock.setTimeout(() => fired++, 2);
    clock.clearTimeout(first);
    clock.clearTimeout(first);
    clock.clearTimeout(undefined);
    expect(clock.pending).toBe(1);
    clock.advance(5);
    clock.clearTimeout(second);
    expect([fired, clock.pending]).toEqual([1, 0]);
  });

  test('keeps the order with many timers, many of them cleared', () => {
    const clock = new VirtualClock();
    const random = seededRandom(3);
    const fired: number[] = [];
    const expected: number[] = [];
    for (let index = 0; index < 5_000; index++) {
      const ms = Math.floor(random() * 1_000);
      const handle = clock.setTimeout(() => fired.push(ms), ms);
      if (random() < 0.7) clock.clearTimeout(handle);
      else expected.push(ms);
    }
    expect(clock.pending).toBe(expected.length);
    clock.advance(1_000);
    expect(fired).toEqual(expected.sort((a, b) => a - b));
  });

  test('lets promises run between timers when told to move asynchronously', async () => {
    const clock = new VirtualClock();
    const woken: number[] = [];
    void (async () => {
      for (let index = 0; index < 3; index++) {
        await sleep(clock, 10, new AbortController().signal);
        woken.push(clock.now());
      }
    })();
    await clock.advanceAsync(30);
    expect(woken).toEqual([10, 20, 30]);
  });
});

describe('seeded chance', () => {
  test('repeats for a seed, differs for another, and stays within [0, 1)', () => {
    const draw = (seed: number): readonly number[] => {
      const random = seededRandom(seed);
      return Array.from({ length: 1_000 }, () => random());
    };
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
    expect(draw(5).every((value) => value >= 0 && value < 1)).toBe(true);
    expect(draw(1)[0]).toBeCloseTo(0.6270739405881613, 12);
  });
});
