import { expect, test } from '@jest/globals';
import { SharedBudget, fifoQueue } from '../../../actors/queues/fifo.ts';
import { queueContract } from '../../contracts/queue.ts';

queueContract('fifo', (limits, onDrop) => fifoQueue(limits, { onDrop }));

const limits = { maxBytes: 1_000, maxMessages: 100 };

test('the oldest message of the lanes that may move comes first', () => {
  const queue = fifoQueue<{ serial: number }>(limits);
  for (const [serial, lane] of [[0, 1], [1, 2], [2, 1], [3, 2]] as const) void queue.put({ lane, bytes: 1, item: { serial } }, 'wait');
  expect(queue.take((lane) => lane === 2)?.item.serial).toBe(1);
  expect(queue.take()?.item.serial).toBe(0);
  expect(queue.take()?.item.serial).toBe(2);
});

test('a shared budget counts a broadcast once and lets the next writer in when the last queue has let it go', async () => {
  const budget = new SharedBudget(100);
  const one = fifoQueue<object>(limits, { budget });
  const two = fifoQueue<object>(limits, { budget });
  const broadcast = {};
  void one.put({ lane: 0, bytes: 80, item: broadcast }, 'newest');
  void two.put({ lane: 0, bytes: 80, item: broadcast }, 'newest');
  expect(budget.held).toBe(80);
  const waiting = two.put({ lane: 1, bytes: 30, item: {} }, 'wait');
  one.take();
  expect(budget.held).toBe(80);
  two.take();
  expect(await waiting).toBe(true);
  expect(budget.held).toBe(30);
  two.close();
  expect(budget.held).toBe(0);
});
