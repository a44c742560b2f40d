/** Stopping a node in every moment of its life, and what is left of it afterwards: nothing. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { echoReactor } from '../../actors/echo.ts';
import { createNode, type Node } from '../../actors/node.ts';
import { pexReactor } from '../../actors/pex.ts';
import { reactor } from '../../actors/reactor.ts';
import { memoryStore } from '../../actors/stores/memory.ts';
import type { TroupeError } from '../../proto/errors.ts';
import { bytes } from '../../proto/codec.ts';
import { Cast, condemn } from '../support/crashes.ts';
import { nodes, settle } from '../support/nodes.ts';
import { seededRandom } from '../support/random.ts';

type World = ReturnType<typeof nodes>;

/** A node that has not started, with a peer that keeps dialing it. */
async function rig(world: World) {
  const cast = new Cast();
  const store = memoryStore();
  const options = world.options({ store, reactors: [echoReactor({ everyMs: 50 }), pexReactor()], inspect: cast.inspect });
  const node = await createNode(options);
  const peer = await createNode(
    world.options({ persistentPeers: [`memory:${options.key!.id}`], reactors: [echoReactor({ everyMs: 50 })] }),
  );
  await peer.start();
  return { node, peer, cast, store };
}

/** Stops it twice, and expects nothing to be left of it once the peer is gone too. */
async function expectStopped({ clock, net }: World, { node, peer, store }: Awaited<ReturnType<typeof rig>>): Promise<void> {
  const stopped = Promise.all([node.stop(), node.stop()]);
  await clock.advanceAsync(5_000);
  await stopped;
  expect(await node.ended).toBeUndefined();
  expect(() => store.load()).toThrow(expect.objectContaining({ code: 'ERR_STORE_CLOSED' }));
  await node.stop();
  const gone = peer.stop();
  await clock.advanceAsync(5_000);
  await gone;
  expect(net.counts()).toMatchObject({ listening: 0, connections: 0 });
  expect(clock.pending).toBe(0);
}

describe('a stop leaves nothing behind', () => {
  test('after each of the turns that a start takes; the start then tells that it was stopped', async () => {
    const outcomes = new Set<string>();
    for (let turn = 0; turn < 12; turn++) {
      const world = nodes(turn);
      const made = await rig(world);
      const started = made.node.start().then(
        () => 'started',
        (error: unknown) => (error as TroupeError).code,
      );
      await settle(turn);
      await expectStopped(world, made);
      outcomes.add(await started);
    }
    expect([...outcomes].sort()).toEqual(['ERR_NODE_STATE', 'started']);
  });

  test.each(['store', 'peerManager', 'router', 'reactors', 'dialer', 'evictor', 'echo'])(
    'while %s waits for its restart, or has just been restarted',
    async (key) => {
      for (const passed of [0, 100, 249, 250, 1_000]) {
        const world = nodes();
        const made = await rig(world);
        await made.node.start();
        await world.clock.advanceAsync(1_000);
        condemn(made.cast, new RegExp(`^${key}$`));
        await world.clock.advanceAsync(passed);
        await expectStopped(world, made);
      }
    },
  );

  test('in any order of crashes, stops and the passing of time', async () => {
    const keys = ['store', 'peerManager', 'router', 'reactors', 'dialer', 'evictor', 'echo', 'pex', 'link:0', 'acceptor:memory'];
    for (let seed = 1; seed <= 25; seed++) {
      const random = seededRandom(seed);
      const below = (most: number): number => Math.floor(random() * most);
      const world = nodes(seed);
      const made = await rig(world);
      const starting = made.node.start().catch(() => undefined);
      await settle(below(6));
      for (let step = below(6); step > 0; step--) {
        const key = keys[below(keys.length)]!;
        try {
          condemn(made.cast, new RegExp(`^${key}$`));
        } catch {
          // It does not live just now.
        }
        await world.clock.advanceAsync(below(400));
      }
      const first = made.node.stop();
      await settle(below(4));
      await expectStopped(world, made);
      await Promise.all([first, starting]);
    }
  });

  test('when it is told to by several, before, during and after', async () => {
    const world = nodes();
    const made = await rig(world);
    await made.node.start();
    const stops = [made.node.stop(), made.node[Symbol.asyncDispose]()];
    await settle(1);
    stops.push(made.node.stop());
    await expectStopped(world, made);
    await Promise.all(stops);
  });
});

/** A whole program: two nodes with homes, monitors and encrypted TCP, and what keeps the process alive before, between and after. */
const program = `
  import { mkdtempSync, rmSync } from 'node:fs';
  import { get } from 'node:http';
  import { tmpdir } from 'node:os';
  import { join } from 'node:path';
  import { createNode, echoReactor, pexReactor } from './index.ts';
  const home = mkdtempSync(join(tmpdir(), 'troupe-'));
  const handles = () => process.getActiveResourcesInfo().filter((name) => !/^(TTY|Pipe|FSReq|Immediate)/.test(name));
  const before = handles();
  const options = { network: 'handles', listen: ['mconn://127.0.0.1:0'], monitor: '127.0.0.1:0', logLevel: 'silent' };
  const one = await createNode({ ...options, home: join(home, 'one'), reactors: [echoReactor({ everyMs: 50 }), pexReactor()] });
  await one.start();
  const other = await createNode({ ...options, home: join(home, 'other'), reactors: [echoReactor({ everyMs: 50 }), pexReactor()] });
  await other.start();
  await other.peers.add(one.addresses[0]);
  await other.peers.dial(one.nodeId);
  await new Promise((resolve) => get(one.monitorUrl + '/health', { agent: false }, (answer) => answer.resume().once('close', resolve)));
  const running = handles();
  await Promise.all([one.stop(), other.stop()]);
  await new Promise((resolve) => setImmediate(resolve));
  console.log(JSON.stringify({ before, running: running.length, after: handles() }));
  rmSync(home, { recursive: true });
`;

test('a stop of nodes on real sockets, files and timers leaves no handle, and the process ends by itself', async () => {
  const root = join(import.meta.dirname, '../..');
  const arguments_ = ['--import', './scripts/ts.js', '--input-type=module', '--eval', program];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, arguments_, { cwd: root, timeout: 60_000 });
  expect(stderr).toBe('');
  const { before, running, after } = JSON.parse(stdout) as { before: string[]; running: number; after: string[] };
  expect(running).toBeGreaterThan(before.length + 5);
  expect(after).toEqual(before);
});

describe('the order of a stop', () => {
  /** What happens to a node, one word each. */
  async function watched(): Promise<{ world: World; node: Node; seen: string[] }> {
    const world = nodes();
    const seen: string[] = [];
    const store = memoryStore();
    const noting = (name: string, id: number) =>
      reactor({
        name,
        channels: { [name]: { id, type: bytes, priority: 1, maxMessageBytes: 8 } },
        onStart: ({ signal, channels }) => {
          seen.push(`+${name}`);
          signal.addEventListener('abort', () => {
            seen.push(`-${name}`);
            void channels[name]!.broadcast(Uint8Array.of(id));
          });
        },
      });
    const node = await world.start({
      reactors: [noting('one', 0x41), noting('other', 0x42)],
      witness: ({ what, reason }) => {
        if (what === 'disconnect') seen.push(`-link ${reason}`);
      },
      store: { ...store, close: () => (seen.push('-store'), store.close()), flush: () => (seen.push('flush'), store.flush()) },
    });
    return { world, node, seen };
  }

  test('is the order of the start in reverse: reactors, links, peer manager, store', async () => {
    const { world, node, seen } = await watched();
    await world.start({
      persistentPeers: [...node.addresses],
      reactors: [reactor({ name: 'idle', channels: { other: { id: 0x42, type: bytes, priority: 1, maxMessageBytes: 8 } } })],
    });
    await world.clock.advanceAsync(1_000);
    const stopped = node.stop();
    await world.clock.advanceAsync(5_000);
    await stopped;
    expect(seen.filter((each, at) => seen.indexOf(each) === at)).toEqual([
      '+one',
      '+other',
      '-other',
      '-one',
      '-link shutdown',
      'flush',
      '-store',
    ]);
    await world.stop();
  });

  test('lets what a reactor sends at its end still reach its peers', async () => {
    const { world, node } = await watched();
    const heard: number[] = [];
    const listener = reactor({
      name: 'listener',
      channels: { one: { id: 0x41, type: bytes, priority: 1, maxMessageBytes: 8 } },
      onMessage: ({ message }) => void heard.push(message[0]!),
    });
    await world.start({ persistentPeers: [...node.addresses], reactors: [listener] });
    await world.clock.advanceAsync(1_000);
    const stopped = node.stop();
    await world.clock.advanceAsync(5_000);
    await stopped;
    expect(heard).toEqual([0x41]);
    await world.stop();
  });

  test('is kept even if a reactor hangs, within the time that is given', async () => {
    const world = nodes();
    const channels = {
      talk: { id: 0x41, type: bytes, priority: 1, maxMessageBytes: 8 },
    };
    const hanging = reactor({ name: 'hanging', channels, onStart: () => new Promise(() => undefined), onMessage: () => undefined });
    const node = await world.start({ reactors: [hanging] });
    const stopped = node.stop();
    const began = world.clock.now();
    await world.clock.advanceAsync(5_000);
    await stopped;
    expect(world.clock.now() - began).toBeLessThanOrEqual(5_000);
    expect(world.clock.pending).toBe(0);
  });
});

describe('the order of restarts', () => {
  test.each([
    ['store', ['store', 'peerManager', 'router', 'reactors']],
    ['peerManager', ['peerManager', 'router', 'reactors']],
    ['router', ['router', 'reactors']],
    ['reactors', ['reactors']],
  ])('of a node whose %s is killed is that of its start', async (key, expected) => {
    const world = nodes();
    const made = await rig(world);
    await made.node.start();
    const children = (from: number): string[] =>
      made.cast.ids
        .slice(from)
        .map((id) => id.replace(/#\d$/, ''))
        .filter((id) => ['store', 'peerManager', 'router', 'reactors'].includes(id));
    expect(children(0)).toEqual(['store', 'peerManager', 'router', 'reactors']);
    const before = made.cast.ids.length;
    condemn(made.cast, new RegExp(`^${key}$`));
    await world.clock.advanceAsync(5_000);
    expect(children(before)).toEqual(expected);
    expect(made.node.status().peers.up).toBe(1);
    await expectStopped(world, made);
  });
});
