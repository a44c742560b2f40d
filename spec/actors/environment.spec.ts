/** Time, chance, names and sockets as inputs of a node: given ones are used, and then the real ones are not touched. */
import dns from 'node:dns';
import { readdirSync, readFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, jest, test } from '@jest/globals';
import pino from 'pino';
import { createActor, setup } from 'xstate';
import type { CreateNodeOptions } from '../../actors/assembly.ts';
import { echoReactor } from '../../actors/echo.ts';
import { environmentOf } from '../../actors/environment.ts';
import { createNode, nodeLogic } from '../../actors/node.ts';
import { pexReactor } from '../../actors/pex.ts';
import { reactor } from '../../actors/reactor.ts';
import { nodeKeyFromSeed } from '../../proto/identity.ts';
import { memorySockets } from '../support/sockets.ts';
import { nodes } from '../support/nodes.ts';
import { seededRandom } from '../support/random.ts';
import { VirtualClock, settle } from '../support/virtual-clock.ts';

afterEach(() => {
  jest.restoreAllMocks();
});

const names: Readonly<Record<string, readonly string[]>> = { 'alice.example': ['10.0.0.1'] };
const key = (n: number) => nodeKeyFromSeed(new Uint8Array(32).fill(n));

/** Two nodes over encrypted TCP in memory; the second knows the first by name. */
function pair(seed = 1) {
  const clock = new VirtualClock();
  const random = seededRandom(seed);
  const tcp = memorySockets();
  const asked: string[] = [];
  const rolls: number[] = [];
  const roundTrips: number[] = [];
  const options = (n: number, more: CreateNodeOptions): CreateNodeOptions => ({
    network: 'given',
    key: key(n),
    monitor: false,
    log: pino({ level: 'silent' }),
    listen: ['mconn://0.0.0.0:26656'],
    environment: {
      clock,
      random: () => {
        const roll = random();
        rolls.push(roll);
        return roll;
      },
      resolve: async (host) => (asked.push(host), names[host] ?? []),
      sockets: tcp.host(`10.0.0.${n}`),
    },
    ...more,
  });
  const alice = options(1, { reactors: [echoReactor(), pexReactor()] });
  const bob = options(2, {
    persistentPeers: [`mconn://${key(1).id}@alice.example:26656`],
    reactors: [echoReactor({ everyMs: 1_000, onRoundTrip: (ms) => void roundTrips.push(ms) }), pexReactor()],
  });
  return { clock, tcp, asked, rolls, roundTrips, alice, bob };
}

/**
 * Replaces everything real by something that writes down who asked for it, and fails. XState itself stamps each delayed event with the wall clock
 * and, where it has no name, with a random one; it reads neither again.
 */
function forbidReal(): string[] {
  const touched: string[] = [];
  const forbid = (name: string) => (): number => {
    const stack = new Error().stack ?? '';
    if (
      /^Date.now|^Math.random/.test(name) &&
      stack.split('\n').some((line) => line.includes('Object.schedule') && line.includes('/xstate/'))
    )
      return 0;
    touched.push(`${name}: ${stack}`);
    throw new Error(`${name} is not to be touched`);
  };
  jest.spyOn(globalThis, 'setTimeout').mockImplementation(forbid('setTimeout') as never);
  jest.spyOn(globalThis, 'setInterval').mockImplementation(forbid('setInterval') as never);
  jest.spyOn(Date, 'now').mockImplementation(forbid('Date.now'));
  jest.spyOn(performance, 'now').mockImplementation(forbid('performance.now'));
  jest.spyOn(Math, 'random').mockImplementation(forbid('Math.random'));
  jest.spyOn(net.Socket.prototype, 'connect').mockImplementation(forbid('connect') as never);
  jest.spyOn(net.Server.prototype, 'listen').mockImplementation(forbid('listen') as never);
  for (const name of ['resolve4', 'resolve6', 'resolveAny'] as const)
    jest.spyOn(dns.promises.Resolver.prototype, name).mockImplementation(forbid(name) as never);
  jest.spyOn(dns, 'lookup').mockImplementation(forbid('lookup'));
  return touched;
}

describe('a node that is given time, chance, names and sockets', () => {
  test('dials by name, shakes hands, talks and stops on them, and touches nothing real', async () => {
    const { clock, tcp, asked, rolls, roundTrips, ...options } = pair();
    const touched = forbidReal();
    const [alice, bob] = [await createNode(options.alice), await createNode(options.bob)];
    await alice.start();
    await bob.start();
    for (let i = 0; i < 100; i++) {
      await settle(20);
      await clock.advanceAsync(100);
    }
    expect(touched).toEqual([]);
    expect([alice.status().peers.up, bob.status().peers.up]).toEqual([1, 1]);
    expect(roundTrips.length).toBeGreaterThan(5);
    expect(asked).toEqual(['alice.example']);
    expect(tcp.calls).toEqual({ connect: 1, listen: 2 });
    expect(tcp.listening()).toEqual(['10.0.0.1:26656', '10.0.0.2:26656']);
    expect(rolls.length).toBeGreaterThan(0);
    expect(alice.status().uptimeMs).toBe(10_000);
    const stopped = Promise.all([alice.stop(), bob.stop()]);
    for (let i = 0; i < 10; i++) {
      await settle(20);
      await clock.advanceAsync(1_000);
    }
    await stopped;
    expect([touched, tcp.listening(), clock.pending]).toEqual([[], [], 0]);
  });

  test('does so as logic in a host’s system, whose clock is the same', async () => {
    const { clock, tcp, asked, ...options } = pair();
    const touched = forbidReal();
    const host = setup({ actors: { node: nodeLogic } }).createMachine({
      invoke: [
        { id: 'alice', src: 'node', input: options.alice },
        { id: 'bob', src: 'node', input: options.bob },
      ],
    });
    const seen: string[] = [];
    const actor = createActor(host, { clock }).start();
    const { alice, bob } = actor.getSnapshot().children;
    bob!.on('*', (event) => void seen.push(event.type));
    for (let i = 0; i < 20; i++) {
      await settle(20);
      await clock.advanceAsync(100);
    }
    expect(seen).toEqual(['node.ready', 'peer.up']);
    expect([touched, asked, tcp.calls.connect]).toEqual([[], ['alice.example'], 1]);
    alice!.send({ type: 'node.stop' });
    bob!.send({ type: 'node.stop' });
    for (let i = 0; i < 10; i++) {
      await settle(20);
      await clock.advanceAsync(1_000);
    }
    actor.stop();
    expect([touched, tcp.listening(), clock.pending]).toEqual([[], [], 0]);
  });
});

describe('an environment', () => {
  test('has no real load when its clock is not real: the event loop may be late, and nobody measures it', async () => {
    const { start, stop } = nodes();
    const node = await start();
    await new Promise((resolve) => setTimeout(resolve, 30));
    const until = performance.now() + 60;
    while (performance.now() < until);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(node.status().eventLoopDelayMs).toEqual({ p50: 0, p99: 0, max: 0 });
    await stop();
  });

  test('may be given in part; the rest is real', () => {
    const random = (): number => 0.5;
    const given = environmentOf({ random });
    expect(given.random).toBe(random);
    expect(given.clock.wallNow()).toBeGreaterThan(1_700_000_000_000);
    const roll = environmentOf({ clock: new VirtualClock() }).random();
    expect(roll >= 0 && roll < 1).toBe(true);
  });

  test('decides the run: the same seed gives the same events, another one others', async () => {
    const runOf = async (seed: number): Promise<string> => {
      const { clock, start, stop } = nodes(seed);
      const events: string[] = [];
      const failing = reactor({ name: 'broken', channels: {}, onStart: () => Promise.reject(new Error('broke')) });
      const a = await start({
        reactors: [failing],
        inspect: ({ type, actorRef: { id } }: { type: string; actorRef: { id: string } }) => {
          if (type === '@xstate.actor' && !id.startsWith('x:')) events.push(`${id} at ${clock.now()}`);
        },
      });
      const b = await start({ persistentPeers: [...a.addresses] });
      await clock.advanceAsync(5_000);
      const dropped = b.peers.disconnect(a.nodeId);
      await clock.advanceAsync(30_000);
      await dropped;
      await stop();
      return events.join('\n');
    };
    const [one, again] = [await runOf(7), await runOf(7)];
    expect(one.split('\n').length).toBeGreaterThan(15);
    expect(one).toContain('broken#5');
    expect(again).toBe(one);
    expect(await runOf(8)).not.toBe(one);
  });
});

describe('two nodes in one process', () => {
  test('share nothing: what one goes through leaves the other as it was', async () => {
    const { clock, start, stop } = nodes();
    const [a, b, peer] = [await start({ reactors: [echoReactor()] }), await start({ reactors: [echoReactor()] }), await start()];
    const before = JSON.stringify({ ...b.status(), heapUsedBytes: 0, rssBytes: 0, uptimeMs: 0, eventLoopDelayMs: 0, timers: 0 });
    await peer.peers.add(a.addresses[0]!);
    await peer.peers.dial(a.nodeId).catch(() => undefined);
    a.openChannel({ id: 0x30, type: { encode: (n: Uint8Array) => n, decode: (n) => n }, priority: 1, maxMessageBytes: 1 });
    await a.peers.ban(peer.nodeId, { forMs: 600_000, reason: 'test' });
    await clock.advanceAsync(60_000);
    const after = JSON.stringify({ ...b.status(), heapUsedBytes: 0, rssBytes: 0, uptimeMs: 0, eventLoopDelayMs: 0, timers: 0 });
    expect(after).toBe(before);
    expect(a.status().peers.banned).toBe(1);
    await stop();
  });

  test('share no module either: nothing at the top level of one changes but a cache of schemas', () => {
    const root = join(import.meta.dirname, '../..');
    const files = ['proto', 'machines', 'transports', 'actors'].flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
        .map((name) => join(folder, name))
        .filter((path) => path.endsWith('.ts') && !path.includes('/generated/') && !path.includes('/page/')),
    );
    const found = files.flatMap((path) =>
      readFileSync(join(root, path), 'utf8')
        .split('\n')
        .filter((line) => /^(export )?(let|var) |^(export )?const [^=]*= new (Map|Set|WeakMap|WeakSet)\b/.test(line))
        .filter((line) => !/: Readonly(Map|Set)</.test(line))
        .map((line) => `${path}: ${line}`),
    );
    expect(files.length).toBeGreaterThan(80);
    expect(found).toEqual(['proto/protobuf.ts: const formats = new WeakMap<object, Format>();']);
  });
});
