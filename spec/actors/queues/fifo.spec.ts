import { expect, test } from '@jest/globals';
import { fifoQueue } from '../../../actors/queues/fifo.ts';
import { queueContract } from '../../contracts/queue.ts';

queueContract('fifo', fifoQueue);

const limits = { maxBytes: 1_000, maxMessages: 100 };

test('the oldest message of the lanes that may move comes first, whatever the lanes weigh', () => {
  const queue = fifoQueue<{ serial: number }>(limits, { weightOf: ({ lane }) => lane });
  for (const [serial, lane] of [
    [0, 1],
    [1, 2],
    [2, 1],
    [3, 2],
  ] as const)
    void queue.put({ lane, bytes: 1, item: { serial } }, 'wait');
  expect(queue.take((lane) => lane === 2)?.item.serial).toBe(1);
  expect(queue.take()?.item.serial).toBe(0);
  expect(queue.take()?.item.serial).toBe(2);
});
