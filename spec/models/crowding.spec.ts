/** Many hosts in few networks against a few in many: who keeps the inbound slots of one node. Times are virtual. */
import { expect, test } from '@jest/globals';
import { bytes, reactor, type Reactor } from '../../index.ts';
import { simulate, type Simulation } from '../../testing.ts';

const honest = 20;
const work = { work: { id: 0x60, name: 'work', type: bytes, priority: 1, maxMessageBytes: 10 } };
const isHostile = (index: number): boolean => index > honest;

/** Distinct networks for the honest, two for the hostile. */
function ipOf(index: number): string {
  if (!isHostile(index)) return `${20 + index}.${index}.0.1`;
  return index % 2 ? `81.1.1.${index}` : `82.2.2.${index}`;
}

/** The node that they crowd around finds every message useful. */
const judge = (): Reactor =>
  reactor({
    name: 'judge',
    channels: work,
    onMessage: ({ from }, { channels }) => channels.work.report({ from, behaviour: 'useful', reason: 'worked' }),
  });

const worker = (): Reactor =>
  reactor({
    name: 'worker',
    channels: work,
    every: [
      [
        10_000,
        async ({ channels }) => {
          await channels.work.broadcast(Uint8Array.of(1));
        },
      ],
    ],
  });

const idler = (): Reactor => reactor({ name: 'idler', channels: work, onMessage: () => undefined });

const upHonest = (sim: Simulation): number => [...sim.at(0).up.keys()].filter((id) => !isHostile(Number(sim.indexOf(id)))).length;

test('forty hosts of two networks that earn points, leave and come back in turns push out none of twenty others, who never earn any', async () => {
  const sim = await simulate({
    nodes: 1 + honest + 40,
    seed: 5,
    ip: ipOf,
    persistent: (index) => (index > 0 ? [0] : []),
    reactors: (index) => [index === 0 ? judge() : isHostile(index) ? worker() : idler()],
    // Without the limits of one address and one network, which would keep most of them out, the order of eviction is all there is.
    options: { slots: { inbound: 40, perIp: 1_000, perNet: 1_000 } },
  });
  const turns = [
    Array.from({ length: 20 }, (_, index) => 1 + honest + index),
    Array.from({ length: 20 }, (_, index) => 21 + honest + index),
  ] as const;
  for (const index of turns.flat()) await sim.crash(index);
  await sim.run(300_000);
  expect(upHonest(sim)).toBe(20);
  for (const index of turns[0]) await sim.restart(index);
  await sim.run(400_000);
  for (let round = 0; round < 2; round++) {
    const [first, second] = [turns[round % 2]!, turns[(round + 1) % 2]!];
    for (const index of first) if (sim.at(index).isRunning) await sim.crash(index);
    for (const index of second) if (!sim.at(index).isRunning) await sim.restart(index);
    await sim.run(400_000);
    for (const index of first) await sim.restart(index);
    await sim.run(200_000);
    expect(upHonest(sim)).toBeGreaterThanOrEqual(15);
  }
  expect([sim.at(0).up.size, sim.violations()]).toEqual([40, []]);
  await sim.stop();
}, 240_000);
