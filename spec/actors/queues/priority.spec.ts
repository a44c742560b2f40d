import { expect, test } from '@jest/globals';
import type { Queue } from '../../../actors/queue.ts';
import { priorityQueue } from '../../../actors/queues/priority.ts';
import { queueContract } from '../../contracts/queue.ts';

queueContract('priority', priorityQueue);

type Item = { serial: number };
const limits = { maxBytes: 1_000, maxMessages: 100 };
const weights: Readonly<Record<number, number>> = { 1: 1, 2: 5, 3: 5 };
const weightOf = ({ lane }: { lane: number }): number => weights[lane] ?? 1;
const put = (queue: Queue<Item>, serial: number, lane: number, bytes = 1) => queue.put({ lane, bytes, item: { serial } }, 'wait');
const serials = (queue: Queue<Item>): number[] => {
  const taken: number[] = [];
  for (let next = queue.take(); next; next = queue.take()) taken.push(next.item.serial);
  return taken;
};

test('the greatest weight goes first, of equals the oldest, and a lane keeps its order', () => {
  const queue = priorityQueue<Item>(limits, { weightOf });
  for (const [serial, lane] of [
    [0, 1],
    [1, 2],
    [2, 3],
    [3, 1],
    [4, 3],
    [5, 2],
  ] as const)
    void put(queue, serial, lane);
  expect(serials(queue)).toEqual([1, 2, 4, 5, 0, 3]);
});

test('an urgent message passes any number of others, whenever it comes', () => {
  const queue = priorityQueue<Item>(limits, { weightOf });
  for (let serial = 0; serial < 50; serial++) void put(queue, serial, 1);
  expect(queue.take()?.item.serial).toBe(0);
  void put(queue, 100, 2);
  expect(queue.take()?.item.serial).toBe(100);
  expect(queue.take()?.item.serial).toBe(1);
});

test('when the queue is full, the urgent writer gets the next room, though others have waited longer', async () => {
  const queue = priorityQueue<Item>({ maxBytes: 1_000, maxMessages: 2 }, { weightOf });
  for (const serial of [0, 1]) void put(queue, serial, 1);
  const bulk = put(queue, 2, 1);
  const urgent = put(queue, 3, 2);
  expect(queue.take()?.item.serial).toBe(0);
  expect(await urgent).toBe(true);
  expect([queue.take()?.item.serial, queue.take()?.item.serial]).toEqual([3, 1]);
  expect(await bulk).toBe(true);
});

test('a lane that cannot move does not hold up those below it', () => {
  const queue = priorityQueue<Item>(limits, { weightOf });
  void put(queue, 0, 2);
  void put(queue, 1, 1);
  expect(queue.take((lane) => lane !== 2)?.item.serial).toBe(1);
});
