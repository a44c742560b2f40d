/** What every queue must do, whatever its policy: order within a lane, limits, drops, release of everybody who waits, no starvation by size. */
import { describe, expect, test } from '@jest/globals';
import type { Queue } from '../../actors/queue.ts';
import { SharedBudget } from '../../actors/queues/budget.ts';
import { settle } from '../support/virtual-clock.ts';
import { queueAccounting } from './queue-accounting.ts';
import { queueRig, type Item, type MakeQueue } from './queue-rig.ts';

export function queueContract(name: string, make: MakeQueue): void {
  const { build, entry, serials, outcome } = queueRig(make);

  describe(`${name}: messages`, () => {
    test('what goes in comes out, in order, and leaves nothing behind', () => {
      const { queue } = build();
      for (const serial of [1, 2, 3]) expect(queue.put(entry(serial), 'wait')).toBe(true);
      expect([queue.size, queue.bytes, queue.laneSize(1), queue.laneBytes(1)]).toEqual([3, 30, 3, 30]);
      expect(serials(queue)).toEqual([1, 2, 3]);
      expect([queue.size, queue.bytes, queue.laneSize(1), queue.laneBytes(1)]).toEqual([0, 0, 0, 0]);
    });

    test('only lanes that are accepted give something', () => {
      const { queue } = build();
      void queue.put(entry(0, 10, 1), 'wait');
      void queue.put(entry(1, 10, 2), 'wait');
      expect(queue.take(() => false)).toBeUndefined();
      expect(queue.take((lane) => lane === 2)?.item.serial).toBe(1);
      expect(queue.take((lane) => lane === 2)).toBeUndefined();
      expect(queue.size).toBe(1);
    });

    test('a reader is woken once for each time it asked', () => {
      const { queue } = build();
      let woken = 0;
      queue.onAdded(() => woken++);
      void queue.put(entry(0), 'wait');
      void queue.put(entry(1), 'wait');
      expect(woken).toBe(1);
    });

    test('an idle queue, and one with writers that wait, keeps no timer and runs nothing', async () => {
      const kinds = ['Timeout', 'Immediate', 'TickObject', 'Microtask'];
      const running = (): number => process.getActiveResourcesInfo().filter((kind) => kinds.includes(kind)).length;
      const before = running();
      const { queue } = build({ maxMessages: 1 }, { budget: new SharedBudget(5, 1) });
      let woken = 0;
      void queue.put(entry(0), 'wait');
      const waiting = outcome(queue.put(entry(1), 'wait'));
      queue.onAdded(() => woken++);
      await settle();
      expect(running()).toBeLessThanOrEqual(before);
      expect([woken, waiting.now]).toEqual([0, 'waiting']);
      queue.close();
    });
  });

  describe(`${name}: room`, () => {
    test('a writer waits while there is none and goes on when there is', async () => {
      const { queue } = build();
      for (let serial = 0; serial < 10; serial++) void queue.put(entry(serial), 'wait');
      const waiting = outcome(queue.put(entry(10), 'wait'));
      await settle();
      expect(waiting.now).toBe('waiting');
      expect(queue.take()?.item.serial).toBe(0);
      await settle();
      expect(waiting.now).toBe(true);
      expect(serials(queue)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    });

    test('later writers of a lane never overtake one that waits', async () => {
      const { queue } = build({ maxBytes: 30 });
      void queue.put(entry(0, 25), 'wait');
      const big = queue.put(entry(1, 25), 'wait');
      const small = queue.put(entry(2, 1), 'wait');
      expect(queue.put(entry(3, 1), 'newest')).toBe('queueFull');
      expect(queue.put(entry(4, 1), 'oldest')).toBe('queueFull');
      expect(queue.take()?.item.serial).toBe(0);
      expect(await Promise.all([big, small])).toEqual([true, true]);
      expect(serials(queue)).toEqual([1, 2]);
    });

    test('a lane that waits for its own room holds back no other lane', async () => {
      const { queue } = build({ laneMaxMessages: 1 });
      void queue.put(entry(0, 10, 1), 'wait');
      const waiting = queue.put(entry(1, 10, 1), 'wait');
      expect(queue.put(entry(2, 10, 2), 'wait')).toBe(true);
      queue.take((lane) => lane === 1);
      expect(await waiting).toBe(true);
    });

    test('a large message is not kept out by small ones that come after it', async () => {
      const { queue } = build();
      for (let serial = 0; serial < 10; serial++) void queue.put(entry(serial, 10, 2), 'wait');
      const large = outcome(queue.put(entry(10, 90, 1), 'wait'));
      const small = Array.from({ length: 20 }, (_, index) => outcome(queue.put(entry(11 + index, 10, 2), 'wait')));
      for (let taken = 0; taken < 9; taken++) {
        expect(queue.take()?.item.lane).toBe(2);
        if (taken < 8) for (const lane of [2, 3]) expect(queue.put(entry(100 + taken, 10, lane), 'newest')).toBe('queueFull');
      }
      await settle();
      expect(large.now).toBe(true);
      expect(small.map(({ now }) => now)).toEqual(small.map(() => 'waiting'));
      queue.close();
    });

    test('a message larger than the limit enters alone', () => {
      const { queue } = build();
      expect(queue.put(entry(0, 1_000), 'newest')).toBe(true);
      expect(queue.put(entry(1, 1), 'newest')).toBe('queueFull');
      queue.take();
      void queue.put(entry(2, 1), 'newest');
      expect(queue.put(entry(3, 1_000), 'newest')).toBe('queueFull');
    });

    test('by its share a lane fills a part of the whole, several get equal parts, and one that was quiet still finds room', () => {
      const { queue } = build({ maxBytes: 1_200, maxMessages: 1_000, laneShare: 50 });
      const fill = (lane: number): number => {
        while (queue.put(entry(0, 10, lane), 'newest') === true);
        return queue.laneBytes(lane);
      };
      expect(fill(1)).toBe(600);
      for (let take = 0; take < 200; take++) {
        for (const lane of [1, 2, 3]) fill(lane);
        queue.take();
      }
      for (const lane of [1, 2, 3]) expect(Math.abs(queue.laneBytes(lane) - 300)).toBeLessThanOrEqual(10);
      expect(queue.put(entry(0, 250, 4), 'newest')).toBe(true);
    });
  });

  describe(`${name}: drops`, () => {
    test('newest drops the new message, oldest makes room by dropping the oldest of its lane', () => {
      const { queue, dropped } = build({ maxMessages: 2 });
      void queue.put(entry(0), 'newest');
      void queue.put(entry(1), 'newest');
      expect(queue.put(entry(2), 'newest')).toBe('queueFull');
      expect(queue.put(entry(3), 'oldest')).toBe(true);
      expect(dropped.map(({ entry: { item }, reason }) => [item.serial, reason])).toEqual([[0, 'queueFull']]);
      expect(serials(queue)).toEqual([1, 3]);
    });

    test('oldest drops no more than it needs, and nothing if that would not help', () => {
      const { queue, dropped } = build();
      for (const serial of [0, 1, 2]) void queue.put(entry(serial, 10, 1), 'wait');
      void queue.put(entry(3, 60, 2), 'wait');
      expect(queue.put(entry(4, 50, 1), 'oldest')).toBe('queueFull');
      expect(dropped).toEqual([]);
      expect(queue.put(entry(5, 25, 1), 'oldest')).toBe(true);
      expect(dropped.map(({ entry: { item } }) => item.serial)).toEqual([0, 1]);
    });

    test('what oldest frees beyond its need goes to those who wait', async () => {
      const { queue } = build();
      void queue.put(entry(0, 60, 1), 'wait');
      void queue.put(entry(1, 40, 2), 'wait');
      const waiting = outcome(queue.put(entry(2, 30, 3), 'wait'));
      expect(queue.put(entry(3, 10, 1), 'oldest')).toBe(true);
      await settle();
      expect([waiting.now, queue.bytes]).toEqual([true, 80]);
    });

    test('oldest makes room in a shared budget too, where dropping a message that others hold makes none', () => {
      const budget = new SharedBudget(100, 10);
      const [one, two] = [build({}, { budget }), build({}, { budget })];
      const broadcast = entry(0, 60);
      void one.queue.put(broadcast, 'wait');
      void two.queue.put(broadcast, 'wait');
      expect(one.queue.put(entry(1, 50), 'oldest')).toBe('queueFull');
      two.queue.take();
      expect(one.queue.put(entry(2, 50), 'oldest')).toBe(true);
      expect([one.dropped.map(({ entry: { item } }) => item.serial), budget.bytes]).toEqual([[0], 50]);
    });

    test('the reason for a drop for want of room is the one the queue was made with', () => {
      const { queue, dropped } = build({ maxMessages: 1 }, { fullReason: 'mailboxFull' });
      void queue.put(entry(0), 'wait');
      expect(queue.put(entry(1), 'newest')).toBe('mailboxFull');
      expect(queue.put(entry(2), 'oldest')).toBe(true);
      expect(dropped.map(({ reason }) => reason)).toEqual(['mailboxFull']);
    });
  });

  describe(`${name}: release`, () => {
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

    test('an abort of the one that goes first lets in those behind it', async () => {
      const { queue } = build();
      for (const lane of [2, 3]) void queue.put(entry(lane, 45, lane), 'wait');
      const stop = new AbortController();
      const large = queue.put(entry(0, 90, 1), 'wait', stop.signal);
      const small = outcome(queue.put(entry(1, 10, 1), 'wait'));
      await settle();
      expect(small.now).toBe('waiting');
      stop.abort(new Error('enough'));
      await expect(large).rejects.toThrow('enough');
      await settle();
      expect(small.now).toBe(true);
    });

    test('closing drops what is held, releases writers and reader, and takes nothing more', async () => {
      const { queue, dropped } = build({ maxMessages: 1 });
      void queue.put(entry(0), 'wait');
      const waiting = [1, 2].map((lane) => Promise.resolve(queue.put(entry(lane, 10, lane), 'wait')));
      let woken = 0;
      queue.onAdded(() => woken++);
      queue.close('shutdown');
      queue.close();
      expect(await Promise.all(waiting)).toEqual(['shutdown', 'shutdown']);
      expect(dropped.map(({ reason }) => reason)).toEqual(['shutdown']);
      expect([woken, queue.size, queue.bytes, queue.closed]).toEqual([1, 0, 0, true]);
      expect(queue.put(entry(3), 'wait')).toBe('linkClosed');
      expect(queue.take()).toBeUndefined();
    });

    test('writers of one lane can be released alone: what it holds stays, and what they waited for goes to others', async () => {
      const { queue, dropped } = build({ maxMessages: 2 });
      void queue.put(entry(0, 10, 1), 'wait');
      void queue.put(entry(1, 10, 2), 'wait');
      const released = [2, 3].map((serial) => Promise.resolve(queue.put(entry(serial, 10, 1), 'wait')));
      const other = outcome(queue.put(entry(4, 10, 2), 'wait'));
      queue.releaseWriters(1, 'withdrawn');
      queue.releaseWriters(9, 'withdrawn');
      expect(await Promise.all(released)).toEqual(['withdrawn', 'withdrawn']);
      expect([queue.size, dropped]).toEqual([2, []]);
      expect(queue.take((lane) => lane === 1)?.item.serial).toBe(0);
      await settle();
      expect(other.now).toBe(true);
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

    test('the room of a removed lane goes to those who wait', async () => {
      const { queue } = build();
      void queue.put(entry(0, 100, 1), 'wait');
      const waiting = outcome(queue.put(entry(1, 10, 2), 'wait'));
      queue.removeLane(1, 'peerDown');
      await settle();
      expect(waiting.now).toBe(true);
    });
  });

  describe(`${name}: a budget that queues share`, () => {
    test('counts a broadcast once and lets the next writer in when the last queue has let it go', async () => {
      const budget = new SharedBudget(100, 10);
      const [one, two] = [build({}, { budget }).queue, build({}, { budget }).queue];
      const broadcast = entry(0, 80);
      void one.put(broadcast, 'newest');
      void two.put(broadcast, 'newest');
      expect([budget.bytes, budget.messages]).toEqual([80, 1]);
      const waiting = two.put(entry(1, 30, 2), 'wait');
      one.take();
      expect(budget.bytes).toBe(80);
      two.take();
      expect(await waiting).toBe(true);
      expect(budget.bytes).toBe(30);
      two.close();
      expect([budget.bytes, budget.messages]).toEqual([0, 0]);
    });

    test('goes on counting what a reader has taken over, until that is done with it', async () => {
      const budget = new SharedBudget(100, 10);
      const [one, two] = [build({}, { budget }).queue, build({}, { budget }).queue];
      void one.put(entry(0, 80), 'newest');
      const waiting = two.put(entry(1, 30), 'wait');
      const held = one.takeOver()!;
      expect([one.size, budget.bytes, two.size]).toEqual([0, 80, 0]);
      one.close();
      one.done(held);
      expect(await waiting).toBe(true);
      expect(budget.bytes).toBe(30);
    });

    test('limits messages as well as bytes, and a message larger than it enters when nothing else is held', () => {
      const budget = new SharedBudget(100, 2);
      const [one, two] = [build({}, { budget }).queue, build({}, { budget }).queue];
      expect([one.put(entry(0, 1), 'newest'), two.put(entry(1, 1), 'newest')]).toEqual([true, true]);
      expect(two.put(entry(2, 1), 'newest')).toBe('queueFull');
      one.take();
      two.take();
      expect(one.put(entry(3, 1_000), 'newest')).toBe(true);
      expect(two.put(entry(4, 1), 'newest')).toBe('queueFull');
    });

    test('hands out room by turns: a queue with many writers keeps no other queue out, and a large message is not passed', async () => {
      const budget = new SharedBudget(100, 10);
      const [full, greedy, modest] = [0, 1, 2].map(() => build({}, { budget }).queue) as [Queue<Item>, Queue<Item>, Queue<Item>];
      for (let serial = 0; serial < 10; serial++) void full.put(entry(serial), 'wait');
      for (let serial = 10; serial < 20; serial++) void greedy.put(entry(serial), 'wait');
      const large = outcome(modest.put(entry(20, 30), 'wait'));
      expect(full.put(entry(21), 'newest')).toBe('queueFull');
      full.take();
      expect([greedy.size, modest.size]).toEqual([1, 0]);
      for (let taken = 0; taken < 2; taken++) full.take();
      expect([greedy.size, modest.size]).toEqual([1, 0]);
      expect(full.put(entry(22, 1, 2), 'newest')).toBe('queueFull');
      full.take();
      await settle();
      expect([greedy.size, modest.size, large.now]).toEqual([1, 1, true]);
      for (const queue of [full, modest, greedy]) queue.close();
      expect([budget.bytes, budget.messages]).toEqual([0, 0]);
    });

    test('is not kept by writers that have gone', async () => {
      const budget = new SharedBudget(10, 10);
      const [full, gone, other] = [0, 1, 2].map(() => build({}, { budget }).queue) as [Queue<Item>, Queue<Item>, Queue<Item>];
      void full.put(entry(0, 5), 'wait');
      const stop = new AbortController();
      const aborted = Promise.resolve(gone.put(entry(1, 10), 'wait', stop.signal)).catch(() => 'aborted');
      expect(other.put(entry(2, 1), 'newest')).toBe('queueFull');
      stop.abort();
      expect(await aborted).toBe('aborted');
      expect(other.put(entry(3, 1), 'newest')).toBe(true);
      const closed = outcome(gone.put(entry(4, 10), 'wait'));
      gone.close();
      await settle();
      expect(closed.now).toBe('linkClosed');
      expect(other.put(entry(5, 1), 'newest')).toBe(true);
    });
  });

  queueAccounting(name, make);
}
