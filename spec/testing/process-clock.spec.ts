import { describe, expect, test } from '@jest/globals';
import { ProcessClock } from '../../testing/process-clock.ts';
import { VirtualClock } from '../../transports/simulated.ts';

function rig() {
  const base = new VirtualClock();
  const clock = new ProcessClock(base);
  const fired: string[] = [];
  const set = (name: string, ms: number): unknown => clock.setTimeout(() => fired.push(`${name} ${clock.now()}`), ms);
  return { base, clock, fired, set };
}

describe('the clock of a process', () => {
  test('is the clock it runs on', () => {
    const { base, clock, fired, set } = rig();
    set('a', 10);
    clock.clearTimeout(set('b', 5));
    expect([clock.pending, base.pending]).toEqual([1, 1]);
    base.advance(20);
    expect(fired).toEqual(['a 10']);
    expect([clock.now(), clock.wallNow(), clock.pending]).toEqual([20, base.wallNow(), 0]);
  });

  test('goes on while the process stands still; its timers wait, then run in the order in which they were due', () => {
    const { base, clock, fired, set } = rig();
    for (const [name, ms] of [
      ['late', 50],
      ['b', 20],
      ['a', 10],
    ] as const)
      set(name, ms);
    clock.freeze();
    base.advance(30);
    expect([fired, clock.isFrozen, clock.pending]).toEqual([[], true, 3]);
    clock.thaw();
    expect(fired).toEqual([]);
    base.advance(30);
    expect(fired).toEqual(['a 30', 'b 30', 'late 50']);
  });

  test('forgets a timer that is cleared before, while or after it waits', () => {
    const { base, clock, fired, set } = rig();
    const [before, overdue, after] = [set('before', 5), set('overdue', 5), set('after', 5)];
    clock.clearTimeout(before);
    clock.freeze();
    base.advance(10);
    clock.clearTimeout(overdue);
    clock.thaw();
    clock.clearTimeout(after);
    clock.clearTimeout(after);
    base.advance(10);
    expect([fired, clock.pending, base.pending]).toEqual([[], 0, 0]);
  });

  test('stands still again before what was due has run', () => {
    const { base, clock, fired, set } = rig();
    set('a', 5);
    clock.freeze();
    base.advance(10);
    clock.thaw();
    clock.freeze();
    base.advance(10);
    expect(fired).toEqual([]);
    clock.thaw();
    base.advance(0);
    expect(fired).toEqual(['a 20']);
  });
});
