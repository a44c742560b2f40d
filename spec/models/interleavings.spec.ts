/** What a router does for several peers at once, step by step in every order: the manager's rules hold after each step, and in the end nothing is left over. */
import fc from 'fast-check';
import { describe, expect, test } from '@jest/globals';
import type { DisconnectReason } from '../../proto/errors.ts';
import { World, budget, strangers } from '../support/manager-world.ts';
import { idOf } from '../support/manager.ts';
import { everyOrder, trials } from '../support/trials.ts';

const { seed, runs, named } = trials(4, 40);

/** One of the router's errands: steps that follow each other, with anything in between. */
type Errand = readonly ((world: World) => void | Promise<void>)[];

/** Dials whoever is handed out, if anybody is. */
function dialing(): Errand {
  let digit: string | undefined;
  return [
    async (w) => {
      const address = await w.harness.tryDialNext();
      digit = address?.nodeId[0];
      if (address) w.dialing.set(digit!, address);
    },
    async (w) => {
      const address = digit === undefined ? undefined : w.dialing.get(digit);
      if (!address) return;
      w.dialing.delete(digit!);
      const link = w.harness.link();
      await w.arrived(digit!, 'outbound', { ...w.manager.dialed(address, { id: idOf(digit!), link, ours: true, channels: [1] }), link });
    },
    (w) => ready(w, digit),
  ];
}

/** Dials whoever is handed out, in vain. */
function failing(): Errand {
  let digit: string | undefined;
  return [
    async (w) => {
      const address = await w.harness.tryDialNext();
      digit = address?.nodeId[0];
      if (address) w.dialing.set(digit!, address);
    },
    (w) => {
      const address = digit === undefined ? undefined : w.dialing.get(digit);
      if (address) w.fail(digit!, address);
    },
  ];
}

function accepting(digit: string, ours = true): Errand {
  return [(w) => w.arrived(digit, 'inbound', w.harness.accepted(digit, { ours })), (w) => ready(w, digit)];
}

/** Closes what the manager wants closed, as often as it does. */
function evicting(times: number): Errand {
  let eviction: Awaited<ReturnType<World['harness']['tryEvictNext']>>;
  return Array.from({ length: times }).flatMap(() => [
    async (w: World) => {
      eviction = await w.harness.tryEvictNext();
      if (eviction) expect(w.links.get(eviction.link)?.digit).toBe(eviction.id[0]);
    },
    async (w: World) => {
      if (eviction && w.links.has(eviction.link)) await w.end(eviction.link, eviction.reason);
    },
  ]);
}

/** The remote breaks off, whichever link it has by then. */
function breaking(digit: string, reason: DisconnectReason = 'reset'): Errand {
  return [
    async (w) => {
      const [link] = w.ofPeer(digit);
      if (link) await w.end(link[0], reason);
    },
  ];
}

function reporting(digit: string): Errand {
  return [
    async (w) => {
      w.manager.report(idOf(digit), 'protocolViolation', '');
      await w.settleHeld();
    },
  ];
}

function waiting(ms: number): Errand {
  return [
    async (w) => {
      w.harness.clock.advance(ms);
      await w.settleHeld();
    },
  ];
}

function ready(w: World, digit: string | undefined): void {
  const link = w.ofPeer(digit ?? '').find(([, each]) => each.stage === 'routed');
  if (!link) return;
  link[1].stage = 'up';
  w.manager.ready(idOf(digit!), link[0]);
}

/** Peers in every outbound slot, each up; the persistent one has a slot of its own. */
async function full(w: World): Promise<void> {
  for (const digit of strangers.slice(0, budget.outbound)) await w.harness.add(digit);
  for (let slot = 0; slot <= budget.outbound; slot++) for (const step of dialing()) await step(w);
  expect(w.taken('outbound')).toBe(budget.outbound);
}

async function known(w: World, digit: string): Promise<void> {
  await w.harness.add(digit);
}

/** One more peer, so good that it may take the place of another. */
async function better(w: World, digit: string): Promise<void> {
  await w.harness.add(digit);
  for (let times = 0; times < 12; times++) w.manager.report(idOf(digit), 'useful', '');
}

/** What runs at once, after what has been made ready. */
type Race = Readonly<{ name: string; atLeast: number; prepare?(w: World): Promise<void>; errands(): readonly Errand[] }>;

const first = strangers[0]!;
const last = strangers.at(-1)!;
const races: readonly Race[] = [
  {
    name: 'a dial against the acceptance of the same peer',
    atLeast: 10,
    prepare: (w) => known(w, first),
    errands: () => [dialing(), accepting(first)],
  },
  {
    name: 'a failing dial against the acceptance of the same peer, which breaks off',
    atLeast: 10,
    prepare: (w) => known(w, first),
    errands: () => [failing(), accepting(first, false), breaking(first, 'rejected')],
  },
  {
    name: 'a dial, an acceptance and a third connection, from a remote that keeps the first',
    atLeast: 100,
    prepare: (w) => known(w, first),
    errands: () => [dialing(), accepting(first, false), accepting(first, false)],
  },
  {
    name: 'an upgrade against the end of a link of its victims',
    atLeast: 60,
    prepare: async (w) => (await full(w), better(w, last)),
    errands: () => [dialing(), breaking(first), evicting(1)],
  },
  {
    name: 'an upgrade against a report on a victim and the acceptance of the candidate',
    atLeast: 60,
    prepare: async (w) => (await full(w), better(w, last)),
    errands: () => [dialing(), reporting(first), accepting(last)],
  },
  {
    name: 'an eviction against an error, a report and a new connection of the same peer',
    atLeast: 100,
    prepare: async (w) => {
      for (const step of accepting(first)) await step(w);
    },
    errands: () => [evicting(1), reporting(first), breaking(first), accepting(first)],
  },
];

async function race(w: World, { prepare, errands }: Race, choose: (open: readonly Errand[]) => number): Promise<void> {
  await prepare?.(w);
  await w.check();
  let open = errands().map((errand) => [...errand]);
  while (open.length > 0) {
    const step = open[choose(open)]!.shift()!;
    await step(w);
    await w.check();
    open = open.filter((errand) => errand.length > 0);
  }
  await w.finish();
}

describe('every order of', () => {
  test.each(races)(
    '$name',
    async (each) => {
      const orders = await everyOrder(20_000, (choose) => race(new World(1), each, (open) => choose(open.length)));
      expect(orders).toBeGreaterThanOrEqual(process.env['TROUPE_ORDER'] === undefined ? each.atLeast : 1);
    },
    120_000,
  );
});

test(`any order of all of them at once keeps the rules ${named}`, async () => {
  const all: Race = {
    name: 'all',
    atLeast: 0,
    prepare: async (w) => (await full(w), better(w, last)),
    errands: () => [
      ...[dialing(), dialing(), failing(), accepting(first), accepting(last, false), evicting(3)],
      ...[breaking(first), breaking(strangers[1]!, 'rejected'), reporting(strangers[1]!), reporting(last), waiting(2_000), waiting(9_000)],
    ],
  };
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), fc.nat(), async (scheduler, dice) => {
      const world = new World(dice);
      await all.prepare?.(world);
      const sequences = all.errands().map((errand) =>
        scheduler.scheduleSequence(
          errand.map((step) => async () => {
            await step(world);
            await world.check();
          }),
        ),
      );
      await scheduler.waitFor(Promise.all(sequences.map(({ task }) => task)));
      for (const { task } of sequences) expect(await task).toMatchObject({ faulty: false });
      await world.finish();
    }),
    { seed, numRuns: runs },
  );
}, 120_000);
