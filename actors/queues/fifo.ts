/** The fifo queue: oldest first among the lanes that may move. It knows no weights, so writers that wait get room in the order they came. */
import type { Queue, QueueLimits } from '../queue.ts';
import { LaneQueue, waitingSince, type LaneOrder, type QueueOptions } from './lanes.ts';

const byAge: LaneOrder = {
  leavesBefore: (a, b) => a.head!.order < b.head!.order,
  entersBefore: (a, b) => waitingSince(a) < waitingSince(b),
};

/** Makes a fifo queue. */
export function fifoQueue<T extends object>(limits: QueueLimits, { weightOf: _, ...options }: QueueOptions<T> = {}): Queue<T> {
  return new LaneQueue<T>(byAge, limits, options);
}
