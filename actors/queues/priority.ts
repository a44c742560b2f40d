/** The strict priority queue: a lane of greater weight always goes first, among equals the oldest message. Lanes of less weight may starve. */
import type { Queue, QueueLimits } from '../queue.ts';
import { LaneQueue, waitingSince, type LaneOrder, type QueueOptions } from './lanes.ts';

const byWeight: LaneOrder = {
  leavesBefore: (a, b) => a.weight > b.weight || (a.weight === b.weight && a.head!.order < b.head!.order),
  entersBefore: (a, b) => a.weight > b.weight || (a.weight === b.weight && waitingSince(a) < waitingSince(b)),
};

/** Makes a strict priority queue. */
export function priorityQueue<T extends object>(limits: QueueLimits, options: QueueOptions<T> = {}): Queue<T> {
  return new LaneQueue<T>(byWeight, limits, options);
}
