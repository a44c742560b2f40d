import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import pino from 'pino';
import { createActor, fromPromise, setup } from 'xstate';
import type { CreateNodeOptions } from '../../actors/assembly.ts';
import { createNode, nodeLogic, type Node } from '../../actors/node.ts';
import { reactor } from '../../actors/reactor.ts';
import type { PeerStore } from '../../actors/peer-store.ts';
import { memoryStore } from '../../actors/stores/memory.ts';
import { bytes } from '../../proto/codec.ts';
import { nodeKeyFromSeed } from '../../proto/identity.ts';
import { nodes } from '../support/nodes.ts';
import { VirtualClock, settle } from '../support/virtual-clock.ts';

const running: Node[] = [];
const worlds: (() => Promise<void>)[] = [];
const folders: string[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((node) => node.stop()));
  for (const stop of worlds.splice(0)) await stop();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

const silent = pino({ level: 'silent' });
const talk = { id: 0x10, type: bytes, priority: 1, maxMessageBytes: 1_000 };

/** A network whose nodes are stopped after the test. */
function world() {
  const made = nodes();
  worlds.push(made.stop);
  return made;
}

describe('a node', () => {
  test('two of them exchange messages over their channels', async () => {
    const { start } = world();
    const a = await start();
    const b = await start({ persistentPeers: [...a.addresses] });
    const [atA, atB] = [a.openChannel(talk), b.openChannel(talk)];
    await settle(10);
    // Both channels were opened before the handshake was through or after it: a new link knows both.
    await a.peers.disconnect(b.nodeId).catch(() => undefined);
    await settle(10);
    await b.peers.dial(a.nodeId);
    await settle(10);
    expect(await atA.send({ to: b.nodeId, message: Uint8Array.of(7) })).toBe(true);
    expect((await atB[Symbol.asyncIterator]().next()).value).toEqual({ from: a.nodeId, message: Uint8Array.of(7) });
  });

  test('starts once, and a stop before the start or twice is fine', async () => {
    const { options } = world();
    const early = await createNode(options());
    await early.stop();
    await expect(early.start()).rejects.toMatchObject({ code: 'ERR_NODE_STATE' });
    const node = await createNode(options());
    await node.start();
    await expect(node.start()).rejects.toMatchObject({ code: 'ERR_NODE_STATE' });
    await Promise.all([node.stop(), node.stop()]);
    expect(() => node.openChannel(talk)).toThrow(expect.objectContaining({ code: 'ERR_NODE_STATE' }));
  });

  test('leaves no timer of a channel behind when it never started', async () => {
    const { options, clock } = world();
    const idle = await createNode(options());
    idle.openChannel({ ...talk, receiveRate: { messages: 10 } });
    expect(clock.pending).toBe(1);
    await idle.stop();
    expect(clock.pending).toBe(0);
  });

  test('leaves no timer, no actor and no open end behind when it stops', async () => {
    const { start, clock, net } = world();
    const idle = reactor({ name: 'idle', channels: { talk }, every: [[100, () => undefined]] });
    const a = await start({ reactors: [idle] });
    const b = await start({ reactors: [idle], persistentPeers: [...a.addresses] });
    await settle(20);
    expect(a.status().peers.up).toBe(1);
    const stopped = Promise.all([a.stop(), b.stop()]);
    await clock.advanceAsync(3_000);
    await stopped;
    expect(clock.pending).toBe(0);
    expect(net.counts()).toMatchObject({ listening: 0, connections: 0 });
    expect(await Promise.all([a.ended, b.ended])).toEqual([undefined, undefined]);
  });

  test('refuses a home beside a store or a key, and options nobody knows', async () => {
    await expect(createNode({ home: '/nowhere', key: nodeKeyFromSeed(new Uint8Array(32)) })).rejects.toMatchObject({
      code: 'ERR_OPTION_INVALID',
    });
    await expect(createNode({ slots: { inbund: 3 } } as CreateNodeOptions)).rejects.toMatchObject({ code: 'ERR_OPTION_INVALID' });
  });

  test('refuses an intensity under which nested supervisors could make a storm of restarts', async () => {
    for (const supervision of [{ minBackoffMs: 1 }, { withinMs: 1_000 }])
      await expect(createNode({ supervision })).rejects.toMatchObject({
        code: 'ERR_OPTION_INVALID',
        message: expect.stringContaining('30 times'),
      });
  });

  test('a port that is taken fails the start with a code, and everything opened so far is given back', async () => {
    const first = await createNode({ monitor: false, listen: ['mconn://127.0.0.1:0'], log: silent });
    running.push(first);
    await first.start();
    const port = first.addresses[0]!.split(':').at(-1)!;
    const store = memoryStore();
    const clock = new VirtualClock();
    const second = await createNode({
      environment: { clock },
      monitor: false,
      listen: [`mconn://127.0.0.1:${port}`],
      log: silent,
      store,
      key: nodeKeyFromSeed(new Uint8Array(32)),
    });
    second.openChannel({ ...talk, receiveRate: { messages: 10 } });
    await expect(second.start()).rejects.toMatchObject({ code: 'ERR_LISTEN_UNAVAILABLE' });
    expect(clock.pending).toBe(0);
    expect(() => store.load()).toThrow(expect.objectContaining({ code: 'ERR_STORE_CLOSED' }));
  });

  test('a home that another node uses fails the start with a code', async () => {
    const home = mkdtempSync(join(tmpdir(), 'troupe-'));
    folders.push(home);
    const options: CreateNodeOptions = { home, monitor: false, listen: ['mconn://127.0.0.1:0'], log: silent };
    const first = await createNode(options);
    running.push(first);
    await first.start();
    const second = await createNode(options);
    await expect(second.start()).rejects.toMatchObject({ code: 'ERR_HOME_IN_USE' });
    await first.stop();
    const third = await createNode(options);
    running.push(third);
    await third.start();
    expect(third.nodeId).toBe(first.nodeId);
  });

  test('a monitor that cannot listen fails the start with a code', async () => {
    const first = await createNode({ monitor: '127.0.0.1:0', listen: [], log: silent });
    running.push(first);
    await first.start();
    const second = await createNode({ monitor: first.monitorUrl!.replace('http://', ''), listen: [], log: silent });
    await expect(second.start()).rejects.toMatchObject({ code: 'ERR_MONITOR_UNAVAILABLE' });
  });
});

describe('supervision', () => {
  const crashing = (name: string, starts: string[]) => {
    return {
      name,
      channels: { [name]: { ...talk, id: 0x20 } },
      logic: fromPromise<void>(() => (starts.push(name), Promise.reject(new Error('broke')))),
    };
  };

  test('a reactor in a crash loop is isolated, its channel withdrawn, and the others lose nothing', async () => {
    const { start, clock } = world();
    const starts: string[] = [];
    const heard: number[] = [];
    const steady = reactor({ name: 'steady', channels: { talk }, onMessage: ({ message }) => void heard.push(message[0]!) });
    const a = await start({ reactors: [crashing('broken', starts), steady] });
    await clock.advanceAsync(60_000);
    expect(starts).toHaveLength(6);
    expect(a.status()).toMatchObject({ isolated: ['broken'], restarts: { broken: 5 } });
    const speaker = reactor({
      name: 'speaker',
      channels: { talk },
      onPeerUpdate: async ({ id, status }, { channels }) => {
        if (status === 'up') await channels.talk.send({ to: id, message: Uint8Array.of(9) });
      },
    });
    const b = await start({ persistentPeers: [...a.addresses], reactors: [speaker] });
    await settle(20);
    expect(b.peers.list()[0]?.channels).toEqual([0x10]);
    expect(heard).toEqual([9]);
  });

  test('a peer manager that fails takes router and reactors with it, and all of them come back', async () => {
    const { start, clock } = world();
    const store = memoryStore();
    let failing = false;
    const flaky: PeerStore = {
      state: 'memory',
      skipped: 0,
      open: () => store.open(),
      load: () => store.load(),
      put: (row) => {
        if (failing) throw new Error('disk on fire');
        return store.put(row);
      },
      delete: (id) => store.delete(id),
      flush: () => store.flush(),
      close: () => store.close(),
    };
    const idle = reactor({ name: 'idle', channels: { talk } });
    const a = await start({ reactors: [idle] });
    const b = await start({ store: flaky, persistentPeers: [...a.addresses], reactors: [idle] });
    await settle(20);
    expect(b.status().peers.up).toBe(1);
    failing = true;
    await b.peers.add(`memory:${nodeKeyFromSeed(new Uint8Array(32).fill(99)).id}`).catch(() => undefined);
    await settle(20);
    failing = false;
    await clock.advanceAsync(20_000);
    expect(b.status().restarts).toEqual({ peerManager: 1, router: 1, reactors: 1 });
    expect(b.status().peers.up).toBe(1);
    expect(a.status().peers.up).toBe(1);
  });
});

describe('nodeLogic', () => {
  test('lives in a host’s own system: tells it what happens, takes its orders, and ends with why', async () => {
    const { options, start, clock } = world();
    const seen: string[] = [];
    const given = options();
    const host = setup({ actors: { node: nodeLogic } }).createMachine({
      invoke: { id: 'node', src: 'node', input: given },
      on: {
        'xstate.done.actor.node': {
          actions: ({ event }) => void seen.push(`ended ${String((event as { output?: { error?: Error } }).output?.error)}`),
        },
      },
    });
    const actor = createActor(host, { clock: clock }).start();
    const node = actor.getSnapshot().children.node!;
    node.on('*', (event) => void seen.push(event.type));
    await settle(10);
    const peer = await start({ persistentPeers: [`memory:${given.key!.id}`] });
    await settle(10);
    expect(seen).toEqual(['node.ready', 'peer.up']);
    node.send({ type: 'peer.disconnect', id: peer.nodeId, reason: 'enough' });
    await settle(10);
    expect(seen[2]).toBe('peer.down');
    node.send({ type: 'node.stop' });
    await settle(20);
    expect(seen.at(-1)).toBe('ended undefined');
  });

  test('a start that fails ends it with the error', async () => {
    const { options, clock } = world();
    const actor = createActor(nodeLogic, { input: { ...options(), listen: ['quic://127.0.0.1:1'] }, clock: clock });
    actor.subscribe({ error: () => undefined });
    actor.start();
    await settle(10);
    expect(actor.getSnapshot()).toMatchObject({ status: 'done', output: { error: { code: 'ERR_TRANSPORT_UNKNOWN' } } });
  });
});
