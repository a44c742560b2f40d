/** What every queue must do, whatever its policy: order within a lane, exact accounting, release of everybody who waits. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { DropReason } from '../../proto/errors.ts';
import type { Entry, Queue, QueueLimits } from '../../actors/queue.ts';
import { settle } from '../support/virtual-clock.ts';

export type Item = Readonly<{ lane: number; serial: number }>;
type Dropped = { entry: Entry<Item>; reason: DropReason };
export type MakeQueue = (limits: QueueLimits, onDrop: (entry: Entry<Item>, reason: DropReason) => void) => Queue<Item>;

const seed = Number(process.env.SEED ?? 4_711);

export function queueContract(name: string, make: MakeQueue): void {
  const build = (limits: Partial<QueueLimits> = {}): { queue: Queue<Item>; dropped: Dropped[] } => {
    const dropped: Dropped[] = [];
    const queue = make({ maxBytes: 100, maxMessages: 10, ...limits }, (entry, reason) => dropped.push({ entry, reason }));
    return { queue, dropped };
  };
  const entry = (serial: number, bytes = 10, lane = 1): Entry<Item> => ({ lane, bytes, item: { lane, serial } });
  const serials = (queue: Queue<Item>): number[] => {
    const taken: number[] = [];
    for (let next = queue.take(); next; next = queue.take()) taken.push(next.item.serial);
    return taken;
  };

  describe(`${name}: queue contract`, () => {
    test('what goes in comes out, in order, and leaves nothing behind', () => {
      const { queue } = build();
      for (const serial of [1, 2, 3]) expect(queue.put(entry(serial), 'wait')).toBe(true);
      expect([queue.size, queue.bytes]).toEqual([3, 30]);
      expect(serials(queue)).toEqual([1, 2, 3]);
      expect([queue.size, queue.bytes]).toEqual([0, 0]);
    });

    test('a writer waits while there is no room and goes on when there is', async () => {
      const { queue } = build();
      for (let serial = 0; serial < 10; serial++) void queue.put(entry(serial), 'wait');
      let done = false;
      const waiting = Promise.resolve(queue.put(entry(10), 'wait')).then((result) => ((done = true), result));
      await settle();
      expect(done).toBe(false);
      expect(queue.take()?.item.serial).toBe(0);
      expect(await waiting).toBe(true);
      expect(serials(queue)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    });

    test('later writers of a lane never overtake one that waits', async () => {
      const { queue } = build({ maxBytes: 30 });
      void queue.put(entry(0, 25), 'wait');
      const big = queue.put(entry(1, 25), 'wait');
      const small = queue.put(entry(2, 1), 'wait');
      expect(queue.take()?.item.serial).toBe(0);
      expect(await Promise.all([big, small])).toEqual([true, true]);
      expect(serials(queue)).toEqual([1, 2]);
    });

    test('a lane that waits holds back no other lane that has room', async () => {
      const { queue } = build({ laneMaxMessages: 1 });
      void queue.put(entry(0, 10, 1), 'wait');
      const waiting = queue.put(entry(1, 10, 1), 'wait');
      expect(queue.put(entry(2, 10, 2), 'wait')).toBe(true);
      queue.take((lane) => lane === 1);
      expect(await waiting).toBe(true);
    });

    test('newest drops the new message, oldest makes room by dropping the oldest of its lane', () => {
      const { queue, dropped } = build({ maxMessages: 2 });
      void queue.put(entry(0), 'newest');
      void queue.put(entry(1), 'newest');
      expect(queue.put(entry(2), 'newest')).toBe('queueFull');
      expect(queue.put(entry(3), 'oldest')).toBe(true);
      expect(dropped.map(({ entry: { item }, reason }) => [item.serial, reason])).toEqual([[0, 'queueFull']]);
      expect(serials(queue)).toEqual([1, 3]);
    });

    test('a message larger than the limit enters alone', () => {
      const { queue } = build();
      expect(queue.put(entry(0, 1_000), 'newest')).toBe(true);
      expect(queue.put(entry(1, 1), 'newest')).toBe('queueFull');
      queue.take();
      void queue.put(entry(2, 1), 'newest');
      expect(queue.put(entry(3, 1_000), 'newest')).toBe('queueFull');
    });

    test('an abort releases a waiting writer with exactly its reason and takes nothing', async () => {
      const { queue } = build({ maxMessages: 1 });
      void queue.put(entry(0), 'wait');
      const stop = new AbortController();
      const waiting = queue.put(entry(1), 'wait', stop.signal);
      const reason = new Error('enough');
      stop.abort(reason);
      await expect(waiting).rejects.toBe(reason);
      expect(serials(queue)).toEqual([0]);
      await expect(queue.put(entry(2), 'wait', stop.signal)).rejects.toBe(reason);
    });

    test('closing drops what is held, releases writers and reader, and takes nothing more', async () => {
      const { queue, dropped } = build({ maxMessages: 1 });
      void queue.put(entry(0), 'wait');
      const waiting = queue.put(entry(1), 'wait');
      let woken = 0;
      queue.onAdded(() => woken++);
      queue.close('shutdown');
      queue.close();
      expect(await waiting).toBe('shutdown');
      expect(dropped.map(({ reason }) => reason)).toEqual(['shutdown']);
      expect([woken, queue.size, queue.bytes, queue.closed]).toEqual([1, 0, 0, true]);
      expect(queue.put(entry(2), 'wait')).toBe('linkClosed');
      expect(queue.take()).toBeUndefined();
    });

    test('removing a lane drops its messages and releases its writers, and leaves the others', async () => {
      const { queue, dropped } = build({ laneMaxMessages: 1 });
      void queue.put(entry(0, 10, 1), 'wait');
      const waiting = queue.put(entry(1, 10, 1), 'wait');
      void queue.put(entry(2, 10, 2), 'wait');
      queue.removeLane(1, 'peerDown');
      expect(await waiting).toBe('peerDown');
      expect(dropped.map(({ entry: { item } }) => item.serial)).toEqual([0]);
      expect(serials(queue)).toEqual([2]);
    });

    test('a reader is woken once for each time it asked', () => {
      const { queue } = build();
      let woken = 0;
      queue.onAdded(() => woken++);
      void queue.put(entry(0), 'wait');
      void queue.put(entry(1), 'wait');
      expect(woken).toBe(1);
    });

    test('any run of puts and takes accounts for every byte and keeps every lane in order', async () => {
      const step = fc.oneof(
        fc.record({
          kind: fc.constant('put' as const),
          lane: fc.integer({ min: 0, max: 3 }),
          bytes: fc.integer({ min: 0, max: 60 }),
          policy: fc.constantFrom('wait' as const, 'newest' as const, 'oldest' as const),
        }),
        fc.record({ kind: fc.constant('take' as const), lane: fc.integer({ min: 0, max: 3 }) }),
        fc.record({ kind: fc.constant('remove' as const), lane: fc.integer({ min: 0, max: 3 }) }),
      );
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
          const { queue, dropped } = build({ laneMaxBytes: 60, laneMaxMessages: 4 });
          let serial = 0;
          let put = 0;
          const out: Entry<Item>[] = [];
          const refused: Promise<void>[] = [];
          let refusedBytes = 0;
          for (const each of steps) {
            if (each.kind === 'put') {
              const one = entry(serial++, each.bytes, each.lane);
              put += one.bytes;
              refused.push(
                Promise.resolve(queue.put(one, each.policy)).then((result) => void (result !== true && (refusedBytes += one.bytes))),
              );
            } else if (each.kind === 'take') {
              const one = queue.take((lane) => lane === each.lane);
              if (one) out.push(one);
            } else queue.removeLane(each.lane, 'peerDown');
          }
          for (let next = queue.take(); next; next = queue.take()) out.push(next);
          expect([queue.size, queue.bytes]).toEqual([0, 0]);
          queue.close();
          await Promise.all(refused);
          const bytes = (entries: readonly Entry<Item>[]): number => entries.reduce((sum, each) => sum + each.bytes, 0);
          expect(bytes(out) + bytes(dropped.map((each) => each.entry)) + refusedBytes).toBe(put);
          for (const lane of [0, 1, 2, 3]) {
            const inLane = out.filter((each) => each.lane === lane).map((each) => each.item.serial);
            expect(inLane).toEqual([...inLane].sort((a, b) => a - b));
          }
        }),
        { seed, numRuns: 300 },
      );
    });
  });
}
