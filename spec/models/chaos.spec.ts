/** What a network of whole nodes lives through: partitions, pauses, crashes, outages. Times are virtual. */
import { afterEach, describe, expect, test } from '@jest/globals';
import { bytes, pexReactor } from '../../index.ts';
import { simulate, type Simulation, type SimulationOptions } from '../../testing.ts';

const running: Simulation[] = [];
afterEach(async () => {
  for (const sim of running.splice(0)) {
    expect(sim.violations()).toEqual([]);
    await sim.stop();
    expect(sim.clock.pending).toBe(0);
  }
});

async function start(options: SimulationOptions): Promise<Simulation> {
  const sim = await simulate(options);
  running.push(sim);
  return sim;
}

/** Virtual milliseconds until everybody is up with everybody they insist on. */
async function timeToLink(sim: Simulation, withinMs: number): Promise<number> {
  const began = sim.now;
  await sim.linked({ withinMs });
  return sim.now - began;
}

const halves = [
  [0, 1, 2, 3],
  [4, 5, 6, 7],
] as const;

describe('a partition of eight nodes into halves', () => {
  test('of 60 seconds ends no link, and the full mesh is there at once when it heals', async () => {
    const sim = await start({ nodes: 8 });
    await sim.linked();
    sim.partition(...halves);
    await sim.run(60_000);
    sim.heal();
    expect(await timeToLink(sim, 15_000)).toBe(0);
    await sim.expectNoUpdates(undefined, { withinMs: 15_000 });
    expect(sim.disagreements()).toEqual([]);
  }, 60_000);

  test('of three minutes ends the links between them; the full mesh is back within 35 seconds, the longest back-off and a dial', async () => {
    const sim = await start({ nodes: 8, seed: 2 });
    await sim.linked();
    sim.partition(...halves);
    await sim.run(180_000);
    expect(sim.components()).toBe(2);
    sim.heal();
    expect(await timeToLink(sim, 35_000)).toBeGreaterThan(0);
    expect(sim.disagreements()).toEqual([]);
  }, 60_000);

  test('is overcome by nodes that know each other only by peer exchange', async () => {
    const sim = await start({ nodes: 8, bootstrap: () => [0], reactors: () => [pexReactor()] });
    await sim.run(30_000);
    expect(sim.components()).toBe(1);
    sim.partition(...halves);
    await sim.run(180_000);
    expect(sim.components()).toBe(2);
    sim.heal();
    expect(await sim.until(() => sim.components() === 1, 60_000)).toBe(true);
    await sim.run(60_000);
    expect(sim.disagreements()).toEqual([]);
  }, 60_000);
});

describe('a one-way partition', () => {
  test('is noticed by the end that hears nothing, which ends the link within 90 seconds; it comes back when the way does', async () => {
    const sim = await start({ nodes: 3 });
    await sim.linked();
    sim.cut([0], [1]);
    await sim.run(89_000);
    await sim.expectNoUpdates();
    await sim.expectUpdates(1, [{ peer: 0, status: 'down', reason: 'silent' }], { withinMs: 1_100 });
    await sim.expectUpdates(0, [{ peer: 1, status: 'down' }]);
    await sim.expectNoUpdates(2);
    await sim.run(60_000);
    sim.heal();
    await timeToLink(sim, 35_000);
  }, 60_000);
});

describe('a bad line', () => {
  test('that loses a fifth, reorders and takes three seconds breaks no link and lets messages through', async () => {
    const sim = await start({
      nodes: 4,
      network: { latencyMs: 3_000, jitterMs: 1_000, loss: 0.2, reorder: 0.3 },
      options: { dialer: { timeoutMs: 20_000 } },
    });
    const channel = sim.openChannel({ id: 0x60, type: bytes, priority: 1, maxMessageBytes: 100 });
    await sim.linked({ withinMs: 120_000 });
    for (let count = 0; count < 100; count++) await channel.send(0, 1, Uint8Array.of(count));
    await sim.run(60_000);
    const values = channel.take(1).map(({ message }) => message[0]!);
    expect(values).toEqual([...values].sort((one, other) => one - other));
    expect(values.length).toBeGreaterThan(50);
    expect(values.length).toBeLessThan(100);
    await sim.expectNoUpdates();
  }, 60_000);
});

describe('crashes', () => {
  test('of one node after the other, each started again at once: the mesh is whole again within 20 seconds each time', async () => {
    const sim = await start({ nodes: 5, seed: 3 });
    await sim.linked();
    const times: number[] = [];
    for (let round = 0; round < 25; round++) {
      await sim.crash(round % 5);
      await sim.run(round * 40);
      await sim.restart(round % 5);
      times.push(await timeToLink(sim, 20_000));
      expect(sim.disagreements()).toEqual([]);
    }
    expect(Math.max(...times)).toBeLessThanOrEqual(20_000);
  }, 60_000);

  test('of all nodes at once: when they come back no node ever has more than 16 dials in flight, and all are one network again', async () => {
    const sim = await start({
      nodes: 20,
      bootstrap: (index, count) => (index < 2 ? Array.from({ length: count }, (_, other) => other) : [0]),
      options: (index) => ({ slots: { outbound: index < 2 ? 20 : 1 } }),
    });
    await sim.run(30_000);
    for (const { index } of sim.nodes) await sim.crash(index);
    await sim.run(10_000);
    for (const { index } of sim.nodes) await sim.restart(index);
    await sim.run(60_000);
    expect([sim.components(), sim.disagreements()]).toEqual([1, []]);
    expect(sim.mostDialsInFlight()).toBe(16);
  }, 60_000);
});

describe('persistent peers that are down at the start', () => {
  test('are dialed for as long as it takes: when they come back after an hour they are up within 30 seconds and a dial', async () => {
    const sim = await start({ nodes: 4, topology: (index) => (index > 1 ? [0, 1] : []) });
    for (const index of [0, 1]) await sim.crash(index);
    await sim.run(3_600_000);
    for (const index of [0, 1]) await sim.restart(index);
    expect(await timeToLink(sim, 31_000)).toBeGreaterThan(0);
  }, 60_000);
});
