/** What the contract suite of queues is written with. */
import type { DropReason } from '../../proto/errors.ts';
import type { Entry, PutResult, Queue, QueueLimits } from '../../actors/queue.ts';
import type { QueueOptions } from '../../actors/queues/lanes.ts';

export type Item = Readonly<{ lane: number; serial: number }>;
export type MakeQueue = (limits: QueueLimits, options: QueueOptions<Item>) => Queue<Item>;
type Dropped = { entry: Entry<Item>; reason: DropReason };

/** Queues of ten messages and 100 bytes, unless told otherwise, and short words for what tests do with them. */
export function queueRig(make: MakeQueue) {
  const build = (limits: Partial<QueueLimits> = {}, options: QueueOptions<Item> = {}): { queue: Queue<Item>; dropped: Dropped[] } => {
    const dropped: Dropped[] = [];
    const onDrop = (entry: Entry<Item>, reason: DropReason): unknown => dropped.push({ entry, reason });
    const queue = make({ maxBytes: 100, maxMessages: 10, ...limits }, { onDrop, ...options });
    return { queue, dropped };
  };
  const entry = (serial: number, bytes = 10, lane = 1): Entry<Item> => ({ lane, bytes, item: { lane, serial } });
  const serials = (queue: Queue<Item>): number[] => {
    const taken: number[] = [];
    for (let next = queue.take(); next; next = queue.take()) taken.push(next.item.serial);
    return taken;
  };
  /** What became of a put so far. */
  const outcome = (result: PutResult | Promise<PutResult>): { now: PutResult | 'waiting' } => {
    const seen: { now: PutResult | 'waiting' } = { now: 'waiting' };
    void Promise.resolve(result).then((settled) => (seen.now = settled));
    return seen;
  };
  return { build, entry, serials, outcome };
}
