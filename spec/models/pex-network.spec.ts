/** Peer exchange among whole nodes on the simulated network: who knows only one comes to know all. */
import { afterEach, describe, expect, test } from '@jest/globals';
import pino from 'pino';
import type { CreateNodeOptions } from '../../actors/assembly.ts';
import { createNode, type Node } from '../../actors/node.ts';
import { pexReactor } from '../../actors/pex.ts';
import { nodeKeyFromSeed } from '../../proto/identity.ts';
import { memoryNetwork } from '../../transports/memory.ts';
import { seededRandom } from '../support/random.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const running: Node[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map((node) => node.stop()));
});

/** Nodes of which each is told one other: `links[n]` is whom node n + 1 knows. */
async function network(links: readonly number[], seed: number, options: CreateNodeOptions = {}) {
  const clock = new VirtualClock();
  const random = seededRandom(seed);
  const net = memoryNetwork({ clock, random, latencyMs: 20, jitterMs: 10 });
  const keys = Array.from({ length: links.length + 1 }, (_, n) => nodeKeyFromSeed(new Uint8Array(32).fill(n + 1)));
  const nodes: Node[] = [];
  for (const [n, key] of keys.entries()) {
    const bootstrapPeers = n === 0 ? [] : [`memory:${keys[links[n - 1]!]!.id}`];
    const node = await createNode({
      network: 'sim',
      key,
      bootstrapPeers,
      transports: [net.transport(key.id)],
      reactors: [pexReactor()],
      monitor: false,
      environment: { clock, random },
      log: pino({ level: 'silent' }),
      pex: { dialect: 'url' },
      ...options,
    });
    running.push(node);
    nodes.push(node);
    await Promise.all([node.start(), clock.advanceAsync(10)]);
  }
  const up = () => nodes.map((node) => node.peers.list().filter(({ state }) => state === 'up').length);
  return { clock, nodes, up };
}

describe('a network', () => {
  test.each([1, 2, 3])('of four nodes that know one bootstrap node is fully linked within 20 seconds (seed %d)', async (seed) => {
    const { clock, up } = await network([0, 0, 0], seed);
    await clock.advanceAsync(20_000);
    expect(up()).toEqual([3, 3, 3, 3]);
  });

  test.each([1, 2, 3])('of four nodes in a row is fully linked after a minute (seed %d)', async (seed) => {
    const { clock, up } = await network([0, 1, 2], seed);
    await clock.advanceAsync(60_000);
    expect(up()).toEqual([3, 3, 3, 3]);
  });

  test('that grows is known whole: five nodes, then ten more that know only the first', async () => {
    const { clock, nodes } = await network([0, 0, 0, 0, ...new Array<number>(10).fill(0)], 4);
    await clock.advanceAsync(120_000);
    expect(nodes.map((node) => node.peers.list().length)).toEqual(new Array(15).fill(14));
  });

  test('larger than its stores fills them: eight nodes that keep four peers each and have three slots each way', async () => {
    const small = { store: { maxPeers: 4 }, slots: { inbound: 3, outbound: 3, upgrade: 1 } };
    const { clock, nodes } = await network([0, 1, 2, 3, 4, 5, 6], 5, small);
    await clock.advanceAsync(180_000);
    for (const node of nodes) expect(node.peers.list().length).toBeGreaterThanOrEqual(4);
  });

  test('smaller than its stores is known whole: three nodes in a row that could keep 25 peers each', async () => {
    const { clock, nodes } = await network([0, 1], 6, { store: { maxPeers: 25 }, slots: { inbound: 12, outbound: 12 } });
    await clock.advanceAsync(60_000);
    expect(nodes.map((node) => node.peers.list().length)).toEqual([2, 2, 2]);
  });
});
