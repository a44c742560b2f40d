/** The weighted deficit round robin queue: while lanes have messages, each gets a share of the bytes in proportion to its weight, and none starves. */
import type { Queue, QueueLimits } from '../queue.ts';
import { LaneQueue, waitingSince, type Lane, type LaneOrder, type QueueOptions } from './lanes.ts';

/** An empty message costs something too, else a lane of them would never give up its turn. */
const cost = (lane: Lane): number => Math.max(1, lane.head!.entry.bytes);

/** In each round a lane is credited one byte for each unit of its weight. This many rounds from now its first message is paid for. */
const roundsLeft = (lane: Lane): number => Math.max(0, Math.ceil((cost(lane) - lane.credit) / lane.weight));

/**
 * Rounds in which nobody can pay are not walked but counted, so a choice costs one look at each lane, whatever the sizes, and an idle queue costs
 * nothing. With so small a quantum no lane gets more than a message ahead of its share.
 */
const byShare: LaneOrder = {
  leavesBefore(a, b) {
    const difference = roundsLeft(a) - roundsLeft(b);
    return difference < 0 || (difference === 0 && a.head!.order < b.head!.order);
  },
  /** Room goes to whoever holds least of it for its weight; by age, a lane that sends little would keep its share of the room and nothing of its turns. */
  entersBefore(a, b) {
    const difference = a.bytes * b.weight - b.bytes * a.weight;
    return difference < 0 || (difference === 0 && waitingSince(a) < waitingSince(b));
  },
  leaving(lane, lanes, accepts) {
    const rounds = roundsLeft(lane);
    if (rounds > 0) {
      for (const each of lanes) if (!accepts || accepts(each.id)) each.credit += rounds * each.weight;
    }
    lane.credit -= cost(lane);
  },
};

/** Makes a weighted deficit round robin queue. Limit its lanes: one that may fill the whole leaves others nothing to take their turns with. */
export function wdrrQueue<T extends object>(limits: QueueLimits, options: QueueOptions<T> = {}): Queue<T> {
  return new LaneQueue<T>(byShare, limits, options);
}
