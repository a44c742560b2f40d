/** Loops that a signal ends. */
import { describe, expect, test } from '@jest/globals';
import { each, repeat } from '../../actors/loops.ts';
import type { Clock } from '../../transports/clock.ts';
import { settle, VirtualClock } from '../support/virtual-clock.ts';

/** Numbers from a list, then a wait that only `return` knows of. */
function source(numbers: number[], end: 'done' | 'wait' | 'fail') {
  const calls = { returned: 0 };
  const iterable: AsyncIterable<number> = {
    [Symbol.asyncIterator]: () => ({
      next: async () => {
        const value = numbers.shift();
        if (value !== undefined) return { done: false, value };
        if (end === 'fail') throw new Error('source failed');
        return end === 'done' ? { done: true, value: undefined } : new Promise<never>(() => undefined);
      },
      return: async () => {
        calls.returned++;
        return { done: true, value: undefined };
      },
    }),
  };
  return { iterable, calls };
}

describe('each', () => {
  test('handles items in order, the next after the one before is done', async () => {
    const { iterable, calls } = source([1, 2, 3], 'done');
    const seen: string[] = [];
    await each(iterable, { signal: new AbortController().signal, clock: new VirtualClock() }, async (item) => {
      seen.push(`begin ${item}`);
      await settle(1);
      seen.push(`end ${item}`);
    });
    expect(seen).toEqual(['begin 1', 'end 1', 'begin 2', 'end 2', 'begin 3', 'end 3']);
    expect(calls.returned).toBe(0);
  });

  test('ends at once when the signal aborts while it waits, and tells the source', async () => {
    const { iterable, calls } = source([1], 'wait');
    const stop = new AbortController();
    const running = each(iterable, { signal: stop.signal, clock: new VirtualClock() }, () => undefined);
    await settle();
    stop.abort();
    await running;
    expect(calls.returned).toBe(1);
  });

  test('handles nothing after an abort', async () => {
    const { iterable } = source([1, 2, 3], 'wait');
    const stop = new AbortController();
    const seen: number[] = [];
    await each(iterable, { signal: stop.signal, clock: new VirtualClock() }, (item) => {
      seen.push(item);
      if (item === 2) stop.abort();
    });
    expect(seen).toEqual([1, 2]);
    await each(source([1], 'wait').iterable, { signal: stop.signal, clock: new VirtualClock() }, (item) => void seen.push(item));
    expect(seen).toEqual([1, 2]);
  });

  test('fails with what the source or the handler throws, and then tells the source', async () => {
    const inputs = { signal: new AbortController().signal, clock: new VirtualClock() };
    await expect(each(source([], 'fail').iterable, inputs, () => undefined)).rejects.toThrow('source failed');
    const { iterable, calls } = source([1], 'wait');
    const failing = each(iterable, inputs, () => {
      throw new Error('handler failed');
    });
    await expect(failing).rejects.toThrow('handler failed');
    expect(calls.returned).toBe(1);
  });

  test('other work gets its turn once five milliseconds are used up', async () => {
    const clock = new VirtualClock();
    const order: string[] = [];
    setImmediate(() => order.push('other work'));
    await each(source([1, 2, 3], 'done').iterable, { signal: new AbortController().signal, clock }, (item) => {
      order.push(`item ${item}`);
      clock.advance(2.5);
    });
    expect(order).toEqual(['item 1', 'item 2', 'other work', 'item 3']);
  });
});

describe('repeat', () => {
  test('runs first after its time, then regularly, and ends with the signal and its timer', async () => {
    const clock = new VirtualClock();
    const stop = new AbortController();
    const at: number[] = [];
    const running = repeat(clock, 100, stop.signal, () => void at.push(clock.now()));
    await clock.advanceAsync(350);
    expect(at).toEqual([100, 200, 300]);
    stop.abort(new Error('stopped'));
    await expect(running).rejects.toThrow('stopped');
    expect(clock.pending).toBe(0);
  });

  test('never overlaps itself, and skips what it missed', async () => {
    const clock = new VirtualClock();
    const stop = new AbortController();
    const at: number[] = [];
    const running = repeat(clock, 100, stop.signal, async () => {
      at.push(clock.now());
      if (at.length === 1) await new Promise<void>((resolve) => clock.setTimeout(resolve, 250));
    });
    await clock.advanceAsync(600);
    expect(at).toEqual([100, 350, 450, 550]);
    stop.abort();
    await expect(running).rejects.toBeDefined();
  });

  test('ticks once for all that it missed while nothing ran', async () => {
    const clock = new VirtualClock();
    let behindMs = 0;
    const late: Clock = {
      now: () => clock.now() + behindMs,
      wallNow: () => clock.wallNow(),
      setTimeout: (run, ms) => clock.setTimeout(run, ms),
      clearTimeout: (handle) => clock.clearTimeout(handle),
    };
    const stop = new AbortController();
    const at: number[] = [];
    const running = repeat(late, 100, stop.signal, () => void at.push(late.now()));
    await clock.advanceAsync(150);
    behindMs = 1_000;
    await clock.advanceAsync(200);
    expect(at).toEqual([100, 1_200, 1_300]);
    stop.abort();
    await expect(running).rejects.toBeDefined();
  });

  test('fails with what the tick throws', async () => {
    const clock = new VirtualClock();
    const running = repeat(clock, 1, new AbortController().signal, () => {
      throw new Error('tick failed');
    });
    const failed = expect(running).rejects.toThrow('tick failed');
    await clock.advanceAsync(1);
    await failed;
  });
});
