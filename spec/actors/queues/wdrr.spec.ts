import { describe, expect, test } from '@jest/globals';
import type { DropPolicy } from '../../../actors/channel.ts';
import type { Queue } from '../../../actors/queue.ts';
import { wdrrQueue } from '../../../actors/queues/wdrr.ts';
import { queueContract } from '../../contracts/queue.ts';
import { seededRandom } from '../../support/random.ts';

queueContract('wdrr', wdrrQueue);

type Item = { serial: number };
const weightOf = ({ lane }: { lane: number }): number => lane;

/** Writers that always have another message, one a lane; lanes are named by their weight. Returns the bytes taken of each lane. */
async function saturate(queue: Queue<Item>, sizes: Readonly<Record<number, () => number>>, takes: number, policy: DropPolicy = 'wait') {
  const weights = Object.keys(sizes).map(Number);
  const taken = new Map(weights.map((weight) => [weight, 0]));
  const gaps = new Map(weights.map((weight) => [weight, { since: 0, longest: 0 }]));
  const next = new Map(weights.map((weight) => [weight, sizes[weight]!()]));
  const waiting = new Set<number>();
  let serial = 0;
  const write = (lane: number): void => {
    while (!waiting.has(lane)) {
      const result = queue.put({ lane, bytes: next.get(lane)!, item: { serial: serial++ } }, policy);
      if (result === true) next.set(lane, sizes[lane]!());
      else if (typeof result === 'string') return;
      else {
        waiting.add(lane);
        next.set(lane, sizes[lane]!());
        void result.then(() => waiting.delete(lane));
      }
    }
  };
  for (let take = 0; take < takes; take++) {
    for (const weight of weights) write(weight);
    const entry = queue.take()!;
    taken.set(entry.lane, taken.get(entry.lane)! + entry.bytes);
    for (const [weight, gap] of gaps) {
      gap.since = weight === entry.lane ? 0 : gap.since + entry.bytes;
      gap.longest = Math.max(gap.longest, gap.since);
    }
    await Promise.resolve();
  }
  return { taken, longestGap: (weight: number) => gaps.get(weight)!.longest };
}

function expectShares(taken: ReadonlyMap<number, number>): void {
  const bytes = [...taken.values()].reduce((sum, each) => sum + each, 0);
  const weights = [...taken.keys()].reduce((sum, each) => sum + each, 0);
  for (const [weight, each] of taken) expect(Math.abs(each / bytes / (weight / weights) - 1)).toBeLessThan(0.05);
}

const random = seededRandom(11);
const always = (bytes: number) => () => bytes;
const between = (least: number, most: number) => () => least + Math.floor(random() * (most - least));

describe('under saturation the shares are in proportion to the weights, within 5 %', () => {
  test.each([
    ['equal sizes', { 1: always(100), 2: always(100), 4: always(100) }],
    ['the greatest weight has the smallest messages', { 1: always(2_000), 2: always(700), 4: always(50) }],
    ['the least weight has the smallest messages', { 1: always(50), 2: always(700), 4: always(2_000) }],
    ['sizes by chance', { 1: between(0, 4_000), 2: between(0, 4_000), 3: between(1, 50), 18: between(2_000, 9_000) }],
  ])('%s', async (_name, sizes: Readonly<Record<number, () => number>>) => {
    for (const limits of [
      { maxBytes: 100_000, maxMessages: 1_000, laneShare: 50 },
      { maxBytes: 100_000, maxMessages: 1_000, laneShare: 75 },
      { maxBytes: 100_000, maxMessages: 1_000, laneMaxBytes: 25_000 },
      { maxBytes: 1_000_000_000, maxMessages: 400, laneShare: 50 },
    ]) {
      const { taken } = await saturate(wdrrQueue<Item>(limits, { weightOf }), sizes, 8_000);
      expectShares(taken);
    }
  });

  test('though nobody waits and what finds no room is dropped', async () => {
    const queue = wdrrQueue<Item>({ maxBytes: 100_000, maxMessages: 1_000, laneShare: 50 }, { weightOf });
    const { taken } = await saturate(queue, { 1: always(100), 2: always(200), 4: always(1_000) }, 8_000, 'newest');
    expectShares(taken);
  });

  test('though the queue holds two messages in all', async () => {
    const queue = wdrrQueue<Item>({ maxBytes: 1_000_000, maxMessages: 2 }, { weightOf });
    const { taken } = await saturate(queue, { 1: always(100), 1000: always(100) }, 5_000);
    expect(taken.get(1)).toBeGreaterThan(0);
  });
});

test('the least weight waits for no more than a round of the others', async () => {
  const queue = wdrrQueue<Item>({ maxBytes: 100_000, maxMessages: 1_000 }, { weightOf });
  const { longestGap } = await saturate(queue, { 1: always(1_000), 10: always(1_000), 100: always(1_000) }, 8_000);
  expect(longestGap(1)).toBeLessThanOrEqual(110 * 1_000);
});

test('what a lane did not use while it had nothing to send is not saved up', () => {
  const queue = wdrrQueue<Item>({ maxBytes: 1e6, maxMessages: 1_000 }, { weightOf });
  const put = (lane: number) => queue.put({ lane, bytes: 100, item: { serial: 0 } }, 'wait');
  for (let turn = 0; turn < 200; turn++) {
    void put(1);
    queue.take();
  }
  for (let turn = 0; turn < 20; turn++) for (const lane of [1, 3]) void put(lane);
  const first = Array.from({ length: 8 }, () => queue.take()!.lane);
  expect(first.filter((lane) => lane === 1)).toHaveLength(2);
});

test('nor is what it had earned for a message that was dropped', () => {
  const queue = wdrrQueue<Item>({ maxBytes: 1e6, maxMessages: 1_000, laneMaxMessages: 20 }, {});
  const put = (lane: number, bytes: number, policy: DropPolicy = 'wait') => queue.put({ lane, bytes, item: { serial: 0 } }, policy);
  void put(1, 1_000);
  for (let serial = 0; serial < 19; serial++) void put(1, 10);
  for (let serial = 0; serial < 20; serial++) void put(2, 100);
  for (let take = 0; take < 9; take++) expect(queue.take()!.lane).toBe(2);
  expect(put(1, 10, 'oldest')).toBe(true);
  for (let take = 0; take < 20; take++) expect(queue.take((lane) => lane === 1)!.bytes).toBe(10);
  void put(1, 100);
  expect(queue.take()!.lane).toBe(2);
});

test('empty messages cost something, so a flood of them does not take every turn', () => {
  const queue = wdrrQueue<Item>({ maxBytes: 1e6, maxMessages: 1_000 }, { weightOf });
  for (let serial = 0; serial < 500; serial++) void queue.put({ lane: 2, bytes: 0, item: { serial } }, 'wait');
  void queue.put({ lane: 1, bytes: 50, item: { serial: 500 } }, 'wait');
  const order = Array.from({ length: 200 }, () => queue.take()!.lane);
  expect(order).toContain(1);
});

test('of several lanes only those that may move earn their next turn', () => {
  const queue = wdrrQueue<Item>({ maxBytes: 1e6, maxMessages: 1_000 }, { weightOf });
  for (let serial = 0; serial < 100; serial++) for (const lane of [1, 2, 3]) void queue.put({ lane, bytes: 100, item: { serial } }, 'wait');
  for (let take = 0; take < 30; take++) expect(queue.take((lane) => lane < 3)!.lane).toBeLessThan(3);
  const lanes = Array.from({ length: 30 }, () => queue.take()!.lane);
  expect(lanes.filter((lane) => lane === 3).length).toBe(15);
});
