/** The queue policies by the names that options give them. */
import type { QueuePolicy } from '../../proto/options.ts';
import type { Queue, QueueLimits } from '../queue.ts';
import { fifoQueue } from './fifo.ts';
import type { QueueOptions } from './lanes.ts';
import { priorityQueue } from './priority.ts';
import { wdrrQueue } from './wdrr.ts';

const makers = { fifo: fifoQueue, priority: priorityQueue, wdrr: wdrrQueue } as const satisfies Record<QueuePolicy, unknown>;

/** Makes a queue of the named policy. */
export function makeQueue<T extends object>(policy: QueuePolicy, limits: QueueLimits, options: QueueOptions<T> = {}): Queue<T> {
  return makers[policy](limits, options);
}
