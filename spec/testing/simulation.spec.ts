import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, test } from '@jest/globals';
import { bytes, pexReactor, reactor } from '../../index.ts';
import { simulate, type Simulation, type SimulationOptions } from '../../testing.ts';
import { tell } from '../support/story.ts';

const root = join(import.meta.dirname, '../..');
const running: Simulation[] = [];
afterEach(async () => {
  for (const sim of running.splice(0)) {
    await sim.stop();
    expect(sim.clock.pending).toBe(0);
  }
});

async function start(options: Partial<SimulationOptions> = {}): Promise<Simulation> {
  const sim = await simulate({ nodes: 3, ...options });
  running.push(sim);
  return sim;
}

async function story(seed: number): Promise<Simulation> {
  const sim = await tell(seed);
  running.push(sim);
  return sim;
}

const chat = { id: 0x60, name: 'chat', type: bytes, priority: 1, maxMessageBytes: 1_000 };
const say = (...values: number[]): Uint8Array => Uint8Array.from(values);
const upWith = (sim: Simulation, index: number): number[] =>
  [...sim.at(index).up.keys()].map((id) => Number(sim.indexOf(id))).sort((a, b) => a - b);

describe('a simulation', () => {
  test('links each node with each, unless it is told otherwise, and counts every update as read once they are', async () => {
    const sim = await start({ nodes: 5 });
    expect(sim.components()).toBe(5);
    await sim.linked();
    expect(sim.nodes.map(({ index }) => upWith(sim, index).length)).toEqual([4, 4, 4, 4, 4]);
    expect([sim.components(), sim.disagreements(), sim.violations()]).toEqual([1, [], []]);
    await sim.expectNoUpdates();
  });

  test.each<[NonNullable<SimulationOptions['topology']>, number[][]]>([
    [
      'ring',
      [
        [1, 3],
        [0, 2],
        [1, 3],
        [0, 2],
      ],
    ],
    ['line', [[1], [0, 2], [1, 3], [2]]],
    ['star', [[1, 2, 3], [0], [0], [0]]],
    [(index) => (index === 3 ? [1] : []), [[], [3], [], [1]]],
  ])('has the topology %p', async (topology, links) => {
    const sim = await start({ nodes: 4, topology });
    await sim.linked();
    expect(sim.nodes.map(({ index }) => upWith(sim, index))).toEqual(links);
  });

  test('of nodes that know only the first grows together by peer exchange', async () => {
    const sim = await start({ nodes: 8, bootstrap: (index) => (index === 0 ? [] : [0]), reactors: () => [pexReactor()] });
    expect(await sim.until(() => sim.nodes.every(({ up }) => up.size === 7), 60_000)).toBe(true);
  });

  test('gives every node its own options and reactors, the reactors anew in each life', async () => {
    const made: number[] = [];
    const sim = await start({
      nodes: 2,
      options: (index) => ({ moniker: `number ${index}` }),
      reactors: (index) => {
        made.push(index);
        return [reactor({ name: 'idle', channels: { idle: { ...chat, id: 0x61 } }, onMessage: () => undefined })];
      },
    });
    await sim.linked();
    expect(sim.at(1).node.status().moniker).toBe('number 1');
    expect(sim.at(0).node.peers.list()[0]!.channels).toEqual([0x61]);
    await sim.crash(1);
    await sim.restart(1);
    expect(made).toEqual([0, 1, 1]);
  });

  test.each([
    [{ nodes: 0 }],
    [{ nodes: 1.5 }],
    [{ seed: 0.5 }],
    [{ keepEvents: 0 }],
    [{ topology: 'tree' as never }],
    [{ network: { loss: 2 } }],
  ])('refuses %j', async (options) => {
    await expect(simulate({ nodes: 2, ...options })).rejects.toMatchObject({ code: 'ERR_OPTION_INVALID' });
  });

  test('knows no node that is not there', async () => {
    const sim = await start({ nodes: 1 });
    for (const ask of [() => sim.at(1), () => sim.at(-1), () => sim.partition([0], [7])])
      expect(ask).toThrow(expect.objectContaining({ code: 'ERR_PEER_UNKNOWN' }));
    await sim.crash(0);
    for (const ask of [() => sim.pick(), () => sim.at(0).node, () => sim.pause(0)]) expect(ask).toThrow(/ERR|down|no node/);
    await expect(sim.crash(0)).rejects.toMatchObject({ code: 'ERR_NODE_STATE' });
    await sim.restart(0);
    await expect(sim.restart(0)).rejects.toMatchObject({ code: 'ERR_NODE_STATE' });
  });

  test('adds nodes and removes them, and picks one that runs by the chance of its seed', async () => {
    const sim = await start({ nodes: 3 });
    await sim.linked();
    const added = await sim.add();
    await sim.linked();
    expect(upWith(sim, added.index)).toEqual([0, 1, 2]);
    await sim.remove(1);
    await sim.expectUpdates(0, [{ peer: 1, status: 'down' }]);
    const picked = new Set(Array.from({ length: 50 }, () => sim.pick().index));
    expect([...picked].sort()).toEqual([0, 2, 3]);
    await sim.restart(1);
    await sim.linked();
    expect(upWith(sim, 1)).toEqual([0, 2, 3]);
  });
});

describe('the event log of a simulation', () => {
  test('is the same for the same seed, to the last event, and another for another', async () => {
    const [first, again, other] = [await story(7), await story(7), await story(8)];
    expect(first.eventLog.events).toEqual(again.eventLog.events);
    expect(first.eventLog.hash).toBe(again.eventLog.hash);
    expect(first.eventLog.hash).not.toBe(other.eventLog.hash);
    expect(first.eventLog.count).toBeGreaterThan(100);
  }, 60_000);

  test('has what happened: dials, updates with reasons, deliveries, losses, drops, faults', async () => {
    const { eventLog } = await story(7);
    const types = [
      'dial',
      'dialFailed',
      'greeted',
      'up',
      'down',
      'delivered',
      'lost',
      'drop',
      'ended',
      'disconnect',
      'crash',
      'heal',
      'restartNode',
    ];
    expect(types.filter((type) => eventLog.countOf(type) === 0)).toEqual([]);
    expect(eventLog.events.filter(({ type, detail }) => type === 'down' && detail === 'silent')).not.toEqual([]);
  }, 60_000);

  test('is the same in another process, whatever its language, its place and its hash tables', async () => {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--hash-seed=12345', '--random-seed=99', '--import', join(root, 'scripts/ts.js'), join(root, 'spec/support/story.ts'), '7'],
      { env: { ...process.env, NODE_OPTIONS: '', TZ: 'Asia/Kathmandu', LANG: 'tr_TR.UTF-8', LC_ALL: 'tr_TR.UTF-8' } },
    );
    expect(stdout.trim()).toBe((await story(7)).eventLog.hash);
  }, 60_000);
});

describe('a partition', () => {
  test('that is short ends nothing; a long one ends the links across it as silent, and after it the mesh is whole again', async () => {
    const sim = await start({ nodes: 4 });
    await sim.linked();
    sim.partition([0, 1], [2, 3]);
    await sim.expectNoUpdates(undefined, { withinMs: 60_000 });
    sim.heal();
    await sim.expectNoUpdates(undefined, { withinMs: 5_000 });
    sim.partition([0, 1], [2, 3]);
    await sim.run(95_000);
    for (const [index, lost] of [
      [0, [2, 3]],
      [3, [0, 1]],
    ] as const)
      await sim.expectUpdates(
        index,
        lost.map((peer) => ({ peer, status: 'down', reason: 'silent' })),
        { order: 'any' },
      );
    expect(sim.components()).toBe(2);
    sim.heal();
    await sim.linked();
    expect(sim.disagreements()).toEqual([]);
  });

  test('in one direction holds only what goes that way', async () => {
    const sim = await start({ nodes: 2 });
    const channel = sim.openChannel(chat);
    await sim.linked();
    sim.cut([0], [1]);
    await channel.send(0, 1, say(1));
    await channel.send(1, 0, say(2));
    await channel.expectDelivered(0, { from: 1, message: say(2) });
    await channel.expectNothing(1, { withinMs: 5_000 });
    sim.heal();
    await channel.expectDelivered(1, { from: 0, message: say(1) });
  });
});

describe('a crash', () => {
  test('takes the memory of a node and leaves its disk; nobody hears of what is left of it', async () => {
    const sim = await start({ nodes: 3 });
    await sim.linked();
    await sim.during(sim.at(2).node.peers.ban(sim.at(0).id, { forMs: 3_600_000, reason: 'test' }));
    await sim.run(3_000);
    await sim.crash(2);
    expect([sim.at(2).isRunning, sim.at(2).up.size]).toEqual([false, 0]);
    await sim.expectUpdates(1, [{ peer: 2, status: 'down', reason: 'reset' }]);
    await sim.run(10_000);
    expect(sim.eventLog.events.filter(({ node, type, atMs }) => node === 2 && type !== 'crash' && atMs > sim.now - 10_000)).toEqual([]);
    await sim.restart(2);
    await sim.run(30_000);
    expect(sim.at(2).lives).toBe(2);
    expect(
      sim
        .at(2)
        .node.peers.list()
        .find(({ id }) => id === sim.at(0).id)!.state,
    ).toBe('banned');
    expect(upWith(sim, 2)).toEqual([1]);
  });

  test('while a node is paused is a crash all the same', async () => {
    const sim = await start({ nodes: 2 });
    await sim.linked();
    sim.pause(1);
    await sim.run(1_000);
    await sim.crash(1);
    await sim.expectUpdates(0, [{ peer: 1, status: 'down' }]);
    await sim.restart(1);
    await sim.linked();
  });
});

describe('a pause', () => {
  test('of 10 seconds keeps the links, and what was sent meanwhile arrives after it', async () => {
    const sim = await start({ nodes: 3 });
    const channel = sim.openChannel(chat);
    await sim.linked();
    sim.pause(1);
    await channel.send(0, 1, say(1));
    await channel.expectNothing(1, { withinMs: 10_000 });
    sim.resume(1);
    await channel.expectDelivered(1, { from: 0, message: say(1) });
    await sim.expectNoUpdates(undefined, { withinMs: 5_000 });
  });

  test('holds the timers of the node, which then run at once and in order', async () => {
    const ticks: number[] = [];
    const sim = await start({
      nodes: 2,
      reactors: () => [
        reactor({
          name: 'ticker',
          channels: {},
          onStart({ clock }) {
            for (const ms of [7_000, 2_000, 4_000, 9_000]) clock.setTimeout(() => ticks.push(ms, clock.now()), ms);
          },
        }),
      ],
    });
    await sim.run(2_500);
    sim.pause(0);
    await sim.run(5_500);
    expect(ticks).toEqual([2_000, 2_000, 2_000, 2_000, 4_000, 4_000, 7_000, 7_000]);
    sim.resume(0);
    await sim.run(2_000);
    expect(ticks.slice(8)).toEqual([4_000, 8_000, 7_000, 8_000, 9_000, 9_000, 9_000, 9_000]);
  });

  test('of two minutes ends the links; 15 seconds after it the node is back, with at most 16 dials at once', async () => {
    const sim = await start({ nodes: 20, topology: (index) => (index === 19 ? Array.from({ length: 19 }, (_, other) => other) : []) });
    await sim.linked();
    sim.pause(19);
    await sim.run(120_000);
    expect(sim.components()).toBe(20);
    sim.resume(19);
    await sim.linked({ withinMs: 15_000 });
    expect(sim.mostDialsInFlight(19)).toBe(16);
  }, 60_000);
});

describe('a slow reader', () => {
  test('that reads nothing fills what waits for it and is cut off; the others receive everything', async () => {
    const sim = await start({ nodes: 3, network: { bufferMessages: 4 } });
    const channel = sim.openChannel(chat);
    await sim.linked();
    sim.slowReader(1);
    for (let count = 0; count < 10; count++) await channel.broadcast(0, say(count));
    await channel.expectDelivered(
      2,
      Array.from({ length: 10 }, (_, count) => ({ from: 0, message: say(count) })),
    );
    await sim.run(11_000);
    await sim.expectUpdates(0, [{ peer: 1, status: 'down', reason: 'stalled' }]);
    await sim.expectNoUpdates(2);
    sim.resume(1);
    await sim.linked();
  });

  test('that reads a few bytes a second is slow, and no more than that', async () => {
    const sim = await start({ nodes: 2 });
    const channel = sim.openChannel(chat);
    await sim.linked();
    sim.slowReader(1, { bytesPerSecond: 100 });
    for (let count = 0; count < 5; count++) await channel.send(0, 1, new Uint8Array(100).fill(count));
    await sim.run(2_500);
    expect(channel.take(1)).toHaveLength(3);
    await sim.run(2_500);
    expect(channel.take(1)).toHaveLength(2);
    await sim.expectNoUpdates();
  });
});

describe('the weather', () => {
  test('is latency and jitter, of all ways or those of one node', async () => {
    const sim = await start({ nodes: 3, network: { latencyMs: 5, jitterMs: 0 } });
    const channel = sim.openChannel(chat);
    await sim.linked();
    const took = async (from: number, to: number): Promise<number> => {
      const began = sim.now;
      await channel.send(from, to, say(1));
      await channel.expectDelivered(to, { from, message: say(1) });
      return sim.now - began;
    };
    sim.latency(40);
    expect(await took(0, 1)).toBe(40);
    sim.latency(300, { node: 2 });
    expect([await took(0, 1), await took(0, 2), await took(2, 1)]).toEqual([40, 300, 300]);
    sim.latency(10, { jitterMs: 100 });
    expect(await took(0, 1)).toBeGreaterThan(10);
  });

  test('is loss, of all ways or those of one node, and other conditions', async () => {
    const sim = await start({ nodes: 3 });
    const channel = sim.openChannel(chat);
    await sim.linked();
    sim.loss(1, { node: 2 });
    await channel.send(0, 2, say(1));
    await channel.expectNothing(2, { withinMs: 2_000 });
    await channel.send(0, 1, say(2));
    await channel.expectDelivered(1, { from: 0, message: say(2) });
    expect(sim.eventLog.countOf('lost')).toBe(1);
    sim.conditions({ duplicate: 1 });
    await channel.send(0, 1, say(3));
    await channel.expectDelivered(1, [{ message: say(3) }, { message: say(3) }]);
  });
});
