import { describe, expect, test } from '@jest/globals';
import { Waits } from '../../../transports/mconn/waits.ts';

/** A signal that counts its listeners. */
function counted(): Readonly<{ stop: AbortController; listeners: () => number }> {
  const stop = new AbortController();
  let count = 0;
  const { signal } = stop;
  const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    count++;
    add(...args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    count--;
    remove(...args);
  };
  return { stop, listeners: () => count };
}

describe('waits', () => {
  test('end with a value, an error, or exactly the reason of their signal', async () => {
    const waits = new Waits();
    const stop = new AbortController();
    const [one, two, three] = [waits.add<number>(stop.signal), waits.add(stop.signal), waits.add(stop.signal)];
    one.settle(1);
    two.fail('no');
    const reason = { any: 'thing' };
    stop.abort(reason);
    expect(await Promise.allSettled([one.promise, two.promise, three.promise])).toEqual([
      { status: 'fulfilled', value: 1 },
      { status: 'rejected', reason: 'no' },
      { status: 'rejected', reason },
    ]);
    expect([one, two, three].map(({ pending }) => pending)).toEqual([false, false, false]);
    await expect(waits.add(stop.signal).promise).rejects.toBe(reason);
  });

  test('put one listener on a signal however often it is used, and none once closed', () => {
    const waits = new Waits();
    const { stop, listeners } = counted();
    for (let turn = 0; turn < 100; turn++) waits.add<void>(stop.signal).settle();
    const left = waits.add<void>(stop.signal);
    expect(listeners()).toBe(1);
    waits.close(new Error('over'));
    expect([listeners(), left.pending]).toEqual([0, false]);
  });

  test('let go of a signal that nobody waits under once another is used', () => {
    const waits = new Waits();
    const [one, two, three] = [counted(), counted(), counted()];
    const held = waits.add<void>(one.stop.signal);
    waits.add<void>(two.stop.signal).settle();
    waits.add<void>(three.stop.signal).settle();
    expect([one.listeners(), two.listeners(), three.listeners()]).toEqual([1, 0, 1]);
    held.settle();
    waits.add<void>(three.stop.signal).settle();
    waits.add<void>(two.stop.signal);
    expect([one.listeners(), two.listeners(), three.listeners()]).toEqual([0, 1, 0]);
    waits.close(undefined);
  });

  test('end nobody else when one signal aborts', () => {
    const waits = new Waits();
    const [one, two] = [new AbortController(), new AbortController()];
    const [first, second] = [waits.add<void>(one.signal), waits.add<void>(two.signal)];
    one.abort();
    expect([first.pending, second.pending]).toEqual([false, true]);
  });
});
