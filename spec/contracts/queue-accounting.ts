/** The books of a queue, for any run of what can be done to it: what came in went out, was dropped or refused, exactly, and no limit was passed. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Entry } from '../../actors/queue.ts';
import { SharedBudget } from '../../actors/queues/budget.ts';
import { queueRig, type Item, type MakeQueue } from './queue-rig.ts';

const seed = Number(process.env.SEED ?? 4_711);
const lanes = [0, 1, 2, 3];

export function queueAccounting(name: string, make: MakeQueue): void {
  const { build, entry } = queueRig(make);
  test(`${name}: any run of puts, takes, aborts and removals accounts for every byte, keeps every limit and every lane in order`, async () => {
    const lane = fc.constantFrom(...lanes);
    const step = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({
          kind: fc.constant('put' as const),
          lane,
          bytes: fc.integer({ min: 0, max: 130 }),
          policy: fc.constantFrom('wait' as const, 'newest' as const, 'oldest' as const),
        }),
      },
      { weight: 4, arbitrary: fc.record({ kind: fc.constant('take' as const), lane }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('takeAny' as const) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove' as const), lane }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('abort' as const), which: fc.nat(20) }) },
      // Somebody else uses the budget.
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('others' as const), bytes: fc.integer({ min: 0, max: 150 }) }) },
    );
    const shape = fc.record({ laneShare: fc.constantFrom(100, 50, 25), laneMaxMessages: fc.constantFrom(4, 10), budgeted: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(shape, fc.array(step, { maxLength: 80 }), async ({ laneShare, laneMaxMessages, budgeted }, steps) => {
        const budget = new SharedBudget(150, 8);
        const limits = { maxBytes: 100, maxMessages: 10, laneMaxBytes: 60, laneMaxMessages, laneShare };
        const { queue, dropped } = build(limits, { weightOf: (each) => each.lane + 1, ...(budgeted && { budget }) });
        const others = build({ maxBytes: 1e6 }, { budget }).queue;
        const put: Entry<Item>[] = [];
        const out: Entry<Item>[] = [];
        const refused: Entry<Item>[] = [];
        const pending: Promise<unknown>[] = [];
        const stops: AbortController[] = [];
        const broken: string[] = [];
        const must = (rule: string, holds: boolean): void => {
          if (!holds) broken.push(rule);
        };
        const sum = (of: (lane: number) => number): number => lanes.reduce((total, each) => total + of(each), 0);
        const check = (): void => {
          must(
            'the lanes add up',
            sum((each) => queue.laneBytes(each)) === queue.bytes && sum((each) => queue.laneSize(each)) === queue.size,
          );
          must('the limits hold', queue.size <= limits.maxMessages && (queue.size <= 1 || queue.bytes <= limits.maxBytes));
          for (const each of lanes) {
            const size = queue.laneSize(each);
            must('the limits of a lane hold', size <= laneMaxMessages && (size <= 1 || queue.laneBytes(each) <= limits.laneMaxBytes));
          }
          must('the budget counts all', budget.messages === (budgeted ? queue.size : 0) + others.size);
          must('the budget counts every byte', budget.bytes === (budgeted ? queue.bytes : 0) + others.bytes);
          must('the budget holds', budget.messages <= budget.maxMessages && (budget.messages <= 1 || budget.bytes <= budget.maxBytes));
        };
        for (const [serial, each] of steps.entries()) {
          if (each.kind === 'put') {
            const one = entry(serial, each.bytes, each.lane);
            const stop = new AbortController();
            stops.push(stop);
            put.push(one);
            const result = Promise.resolve(queue.put(one, each.policy, stop.signal));
            pending.push(result.catch(() => 'aborted').then((became) => became === true || refused.push(one)));
          } else if (each.kind === 'take' || each.kind === 'takeAny') {
            const one = each.kind === 'take' ? queue.take((candidate) => candidate === each.lane) : queue.take();
            if (one) out.push(one);
          } else if (each.kind === 'remove') queue.removeLane(each.lane, 'peerDown');
          else if (each.kind === 'abort') stops[each.which]?.abort();
          else if (others.put(entry(serial, each.bytes), 'newest') !== true) others.take();
          check();
        }
        others.close();
        for (let next = queue.take(); next; next = queue.take()) out.push(next);
        check();
        expect(broken).toEqual([]);
        expect([queue.size, queue.bytes]).toEqual([0, 0]);
        queue.close();
        await Promise.all(pending);
        const gone = [...out, ...dropped.map((each) => each.entry).filter((each) => put.includes(each)), ...refused];
        expect(gone.length).toBe(put.length);
        expect(new Set(gone)).toEqual(new Set(put));
        expect([budget.bytes, budget.messages]).toEqual([0, 0]);
        for (const each of lanes) {
          const inLane = out.filter(({ item }) => item.lane === each).map(({ item }) => item.serial);
          expect(inLane).toEqual([...inLane].sort((a, b) => a - b));
        }
      }),
      { seed, numRuns: 300 },
    );
  });
}
