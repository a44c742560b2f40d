import { afterEach, describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { createActor, type AnyActorRef } from 'xstate';
import { Counters } from '../../actors/metrics.ts';
import type { Admission, Arrival, PeerManager } from '../../actors/peer-manager.ts';
import { Router } from '../../actors/router.ts';
import type { ChannelOptions } from '../../actors/channel.ts';
import { guarded, supervisorMachine } from '../../machines/supervisor.ts';
import { formatNodeAddress, nodeAddressOf, type NodeAddress } from '../../proto/address.ts';
import { bytes } from '../../proto/codec.ts';
import { TroupeError } from '../../proto/errors.ts';
import { nodeKeyFromSeed, type NodeId, type NodeKey } from '../../proto/identity.ts';
import { nodeOptions, parseOptions, type NodeOptionsInput } from '../../proto/options.ts';
import { memoryNetwork, type MemoryNetwork } from '../../transports/memory.ts';
import { resolver } from '../../transports/resolve.ts';
import { seededRandom } from '../support/random.ts';
import { VirtualClock, settle } from '../support/virtual-clock.ts';

const talk: ChannelOptions<Uint8Array> = { id: 0x10, type: bytes, priority: 1, maxMessageBytes: 1_000 };
const other: ChannelOptions<Uint8Array> = { id: 0x11, type: bytes, priority: 1, maxMessageBytes: 1_000 };
const hello = Uint8Array.of(1, 2, 3);

/** A manager that admits as it is told and writes down what it hears. */
class ObedientManager {
  readonly heard: string[] = [];
  readonly failures: TroupeError[] = [];
  admission: (arrival: Arrival) => Admission = () => ({ verdict: 'route' });
  arrivals: Arrival[] = [];
  settlement: ((admission: Admission) => void) | undefined;
  readonly #dials: NodeAddress[] = [];
  readonly #evictions: { id: NodeId; link: string; reason: never }[] = [];
  #wakeDial: (() => void) | undefined;
  #wakeEvict: (() => void) | undefined;

  dial(address: NodeAddress): void {
    this.#dials.push(address);
    this.#wakeDial?.();
  }
  evict(arrival: Arrival, reason: string): void {
    this.#evictions.push({ id: arrival.id, link: arrival.link, reason: reason as never });
    this.#wakeEvict?.();
  }
  async dialNext(signal: AbortSignal): Promise<NodeAddress> {
    while (this.#dials.length === 0) await woken(signal, (wake) => (this.#wakeDial = wake));
    return this.#dials.shift()!;
  }
  async evictNext(signal: AbortSignal) {
    while (this.#evictions.length === 0) await woken(signal, (wake) => (this.#wakeEvict = wake));
    return this.#evictions.shift()!;
  }
  dialFailed(_address: NodeAddress, error: TroupeError): void {
    this.failures.push(error);
    this.heard.push(`dialFailed ${error.code}`);
  }
  dialed = (_address: NodeAddress, arrival: Arrival): Admission => this.accepted(arrival);
  accepted(arrival: Arrival): Admission {
    this.arrivals.push(arrival);
    const admission = this.admission(arrival);
    this.heard.push(admission.verdict);
    return admission;
  }
  settled = (): Promise<Admission> => new Promise((resolve) => (this.settlement = resolve));
  ready = (): unknown => this.heard.push('up');
  disconnected = (_id: NodeId, _link: string, reason: string): unknown => this.heard.push(`down ${reason}`);
  routerRestarted = (): void => undefined;
  report = (_id: NodeId, behaviour: string): unknown => this.heard.push(behaviour);
}

function woken(signal: AbortSignal, register: (wake: () => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    register(resolve);
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}

type Host = { key: NodeKey; router: Router; manager: ObedientManager; counters: Counters; actor: AnyActorRef };
const running: Host[] = [];
afterEach(async () => {
  for (const { actor } of running.splice(0)) actor.stop();
  await settle();
});

function world(bufferMessages = 64) {
  const clock = new VirtualClock();
  const network = memoryNetwork({ clock, random: seededRandom(1), bufferMessages });
  let seeds = 0;
  const host = async (options: NodeOptionsInput = {}, net: MemoryNetwork = network): Promise<Host> => {
    const key = nodeKeyFromSeed(new Uint8Array(32).fill(++seeds));
    const transport = net.transport(key.id);
    await transport.listen({ protocol: 'memory', ip: '', port: 0, path: key.id });
    const manager = new ObedientManager();
    const counters = new Counters();
    const parsed = parseOptions(nodeOptions, options);
    const router = new Router({
      clock,
      random: seededRandom(seeds),
      log: pino({ level: 'silent' }),
      key,
      options: parsed,
      counters,
      manager: manager as unknown as PeerManager,
      transports: [transport],
      resolve: resolver({ clock, timeoutMs: 1_000 }),
      nodeInfo: (channels) => ({
        protocolVersion: { p2p: 8n, block: 11n, app: 0n },
        nodeId: key.id,
        listenAddr: 'tcp://127.0.0.1:0',
        network: parsed.network,
        version: 'troupe/test',
        channels,
        moniker: 'test',
        other: { txIndex: '', rpcAddress: '' },
      }),
    });
    const spec = router.spec();
    const actor = createActor(guarded(supervisorMachine), { input: spec.input?.() as never, clock: clock });
    actor.subscribe({ error: () => undefined });
    actor.start();
    const made = { key, router, manager, counters, actor };
    running.push(made);
    return made;
  };
  const connect = async (from: Host, to: Host): Promise<void> => {
    from.manager.dial(nodeAddressOf({ protocol: 'memory', ip: '', port: 0, path: to.key.id }, to.key.id));
    await settle(10);
  };
  return { clock, network, host, connect };
}

/** Two routers that are connected, with `talk` open on both and `other` open on the first. */
async function pair({ bufferMessages, ...options }: NodeOptionsInput & { bufferMessages?: number } = {}) {
  const w = world(bufferMessages);
  const [a, b] = [await w.host(options), await w.host(options)];
  const channels = { a: a.router.openChannel(talk), b: b.router.openChannel(talk), other: a.router.openChannel(other) };
  await w.connect(a, b);
  return { ...w, a, b, channels };
}

describe('channels', () => {
  test('opening works without peers; the same id twice is refused, and after a close it is free again', async () => {
    const { host } = world();
    const { router } = await host();
    const channel = router.openChannel(talk);
    expect(() => router.openChannel(talk)).toThrow(expect.objectContaining({ code: 'ERR_CHANNEL_OPEN' }));
    router.openChannel(other);
    expect(await channel.broadcast(hello)).toBe(0);
    await channel.close();
    expect(() => router.openChannel(talk)).not.toThrow();
  });

  test('an id outside a byte, a capacity that is not a number and a seventeenth channel are refused', async () => {
    const { host } = world();
    const { router } = await host();
    for (const id of [-1, 256, 1.5])
      expect(() => router.openChannel({ ...talk, id })).toThrow(expect.objectContaining({ code: 'ERR_CHANNEL_ID_INVALID' }));
    for (const maxMessageBytes of [0, NaN, Infinity])
      expect(() => router.openChannel({ ...talk, maxMessageBytes })).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID' }));
    for (let id = 0; id < 16; id++) router.openChannel({ ...talk, id });
    expect(() => router.openChannel({ ...talk, id: 16 })).toThrow(expect.objectContaining({ code: 'ERR_CHANNEL_ID_INVALID' }));
  });
});

describe('routing', () => {
  test('a message reaches the peer it is for, with its sender, and nobody else', async () => {
    const { host, connect } = world();
    const [a, b, c] = [await host(), await host(), await host()];
    const [toB, atB, atC] = [a, b, c].map(({ router }) => router.openChannel(talk));
    await connect(a, b);
    await connect(a, c);
    expect(await toB!.send({ to: b.key.id, message: hello })).toBe(true);
    expect((await atB![Symbol.asyncIterator]().next()).value).toEqual({ from: a.key.id, message: hello });
    await settle();
    expect((atC as unknown as { waiting: number }).waiting).toBe(0);
  });

  test('a broadcast reaches every peer that lists the channel, never oneself', async () => {
    const { host, connect } = world();
    const [a, b, c] = [await host(), await host(), await host()];
    const [all, atB] = [a, b].map(({ router }) => router.openChannel(talk));
    c.router.openChannel(other);
    a.router.openChannel(other);
    await connect(a, b);
    await connect(a, c);
    expect(await all!.broadcast(hello)).toBe(1);
    expect((await atB![Symbol.asyncIterator]().next()).value).toMatchObject({ message: hello });
  });

  test('to oneself, to a stranger and on a channel the peer does not list, send is false and counted', async () => {
    const { a, b, channels } = await pair();
    expect(await channels.a.send({ to: a.key.id, message: hello })).toBe(false);
    expect(await channels.a.send({ to: nodeKeyFromSeed(new Uint8Array(32).fill(99)).id, message: hello })).toBe(false);
    expect(await channels.other.send({ to: b.key.id, message: hello })).toBe(false);
    expect(Object.fromEntries(a.counters.drops)).toEqual({ self: 1, peerDown: 1, channelNotListed: 1 });
  });

  test('a channel that is closed stays readable for the link: its messages are counted and dropped, the peer stays', async () => {
    const { a, b, channels } = await pair();
    await channels.b.close();
    await channels.a.send({ to: b.key.id, message: hello });
    await settle(10);
    expect(Object.fromEntries(b.counters.drops)).toEqual({ withdrawn: 1 });
    expect(b.manager.heard).toEqual(['route', 'up']);
    expect(a.manager.heard).toEqual(['route', 'up']);
  });

  test('order within a channel holds, whatever the queue and the loops do', async () => {
    const { b, channels } = await pair();
    for (let i = 0; i < 200; i++) void channels.a.send({ to: b.key.id, message: Uint8Array.of(i) });
    const reader = channels.b[Symbol.asyncIterator]();
    for (let i = 0; i < 200; i++) expect((await reader.next()).value).toMatchObject({ message: Uint8Array.of(i) });
  });
});

describe('the queue of a peer', () => {
  const drops = ({ router }: Host, { key }: Host) =>
    [...(router.link(key.id)?.drops ?? [])].map(([id, counts]) => [id, Object.fromEntries(counts)]);

  test('is not filled by one channel, so that a broadcast on another gets in; what was dropped shows in the view of the peer', async () => {
    const { host, connect } = world();
    const [a, b] = [await host({ peerQueue: { maxMessages: 4, channelShare: 50 } }), await host()];
    const [bulk, votes] = [a.router.openChannel(talk), a.router.openChannel(other)];
    for (const channel of [talk, other]) b.router.openChannel(channel);
    await connect(a, b);
    // Nothing leaves the queue within one turn.
    const taken = Array.from({ length: 10 }, () => bulk.broadcast(hello));
    const vote = votes.broadcast(hello);
    expect(a.router.link(b.key.id)?.queued).toEqual({ messages: 3, bytes: 9 });
    expect((await Promise.all(taken)).reduce((sum, count) => sum + count, 0)).toBe(2);
    expect(await vote).toBe(1);
    expect(drops(a, b)).toEqual([[talk.id, { queueFull: 8 }]]);
    await settle(10);
    expect(a.router.link(b.key.id)?.queued).toEqual({ messages: 0, bytes: 0 });
  });

  test('drops of a peer are forgotten with its link, those of the channel are not', async () => {
    const { a, b, channels } = await pair();
    expect(await channels.other.send({ to: b.key.id, message: hello })).toBe(false);
    expect(drops(a, b)).toEqual([[other.id, { channelNotListed: 1 }]]);
    a.manager.evict(a.manager.arrivals[0]!, 'operator');
    await settle(10);
    expect(await channels.other.send({ to: b.key.id, message: hello })).toBe(false);
    expect(a.counters.peerDrops(b.key.id).size).toBe(0);
    expect(a.counters.channelDrops.get(other.id)).toEqual(
      new Map([
        ['channelNotListed', 1],
        ['peerDown', 1],
      ]),
    );
  });

  test('a priority mailbox prefers the peers that the operator named', async () => {
    const { host, connect } = world();
    const [stranger, named] = [await host(), await host()];
    const address = formatNodeAddress(nodeAddressOf({ protocol: 'memory', ip: '', port: 0, path: named.key.id }, named.key.id));
    const at = await host({ persistentPeers: [address] });
    const channel = at.router.openChannel({ ...talk, queue: 'priority' });
    for (const from of [stranger, named]) {
      const out = from.router.openChannel(talk);
      await connect(from, at);
      for (let count = 0; count < 2; count++) await out.send({ to: at.key.id, message: hello });
      await settle(10);
    }
    const reader = channel[Symbol.asyncIterator]();
    const senders: NodeId[] = [];
    for (let count = 0; count < 4; count++) senders.push(((await reader.next()).value as { from: NodeId }).from);
    expect(senders).toEqual([named.key.id, named.key.id, stranger.key.id, stranger.key.id]);
  });
});

describe('the life of a link', () => {
  test('a peer comes up on both sides and goes down on both when one evicts it', async () => {
    const { a, b } = await pair();
    a.manager.evict(a.manager.arrivals[0]!, 'displaced');
    await settle(10);
    expect(a.manager.heard).toEqual(['route', 'up', 'down displaced']);
    expect(b.manager.heard.slice(0, 2)).toEqual(['route', 'up']);
    expect(b.manager.heard[2]).toMatch(/^down /);
    expect([a.router.linkCount, b.router.linkCount]).toEqual([0, 0]);
  });

  test('a peer is down only after its last message has been read', async () => {
    const { a, b, channels, clock } = await pair();
    await channels.a.send({ to: b.key.id, message: hello });
    await settle(10);
    a.manager.evict(a.manager.arrivals[0]!, 'operator');
    await settle(10);
    expect(b.manager.heard).toEqual(['route', 'up']);
    await channels.b[Symbol.asyncIterator]().next();
    await clock.advanceAsync(10);
    expect(b.manager.heard[2]).toMatch(/^down /);
    expect(b.counters.drops.size).toBe(0);
  });

  test('what nobody reads is dropped after the flush time, and the peer goes down', async () => {
    const { a, b, channels, clock } = await pair();
    await channels.a.send({ to: b.key.id, message: hello });
    await settle(10);
    a.manager.evict(a.manager.arrivals[0]!, 'operator');
    await settle(10);
    await clock.advanceAsync(2_100);
    await settle(10);
    expect(b.manager.heard[2]).toMatch(/^down /);
    expect(Object.fromEntries(b.counters.drops)).toEqual({ peerDown: 1 });
  });

  test('a refused connection is closed and never up', async () => {
    const { host, connect } = world();
    const [a, b] = [await host(), await host()];
    a.router.openChannel(talk);
    b.router.openChannel(talk);
    b.manager.admission = () => ({ verdict: 'refuse', reason: 'full', error: new TroupeError('ERR_SLOTS_FULL') });
    await connect(a, b);
    expect(b.manager.heard).toEqual(['refuse']);
    expect(Object.fromEntries(b.counters.disconnects)).toEqual({ full: 1 });
    // The dialer may believe it is connected until the close arrives: then it is a rejection.
    expect(a.manager.heard).toEqual(['route', 'up', 'down rejected']);
  });

  test('a peer of another network is refused by both, and the dial is answered once', async () => {
    const { host, connect } = world();
    const [a, b] = [await host({ network: 'one' }), await host({ network: 'two' })];
    await connect(a, b);
    expect(a.manager.heard).toEqual(['dialFailed ERR_PEER_INCOMPATIBLE']);
    expect(b.manager.heard).toEqual([]);
    expect([a.router.linkCount, b.router.linkCount]).toEqual([0, 0]);
  });

  test('a newer link replaces the older: down comes before up', async () => {
    const { a, b, connect } = await pair();
    b.manager.admission = () => ({ verdict: 'route', replaces: b.manager.arrivals[0]!.link });
    await connect(a, b);
    expect(b.manager.heard).toEqual(['route', 'up', 'route', 'down duplicate', 'up']);
    expect(b.router.linkCount).toBe(1);
  });

  test('a held link is routed when the manager says so, and closed when it does not', async () => {
    const { a, b, connect } = await pair();
    b.manager.admission = () => ({ verdict: 'hold', older: b.manager.arrivals[0]!.link });
    await connect(a, b);
    expect(b.manager.heard).toEqual(['route', 'up', 'hold']);
    b.manager.settlement!({ verdict: 'refuse', reason: 'duplicate', error: new TroupeError('ERR_PEER_DUPLICATE') });
    await settle(10);
    expect(b.manager.heard).toEqual(['route', 'up', 'hold', 'down duplicate']);
    expect(b.router.linkCount).toBe(1);
  });

  test('when the router stops, no connection outlives it and every admitted link is reported down', async () => {
    const { a, b } = await pair();
    a.actor.stop();
    await settle(10);
    expect(a.manager.heard.at(-1)).toBe('down restart');
    expect([a.router.linkCount, b.router.linkCount]).toEqual([0, 0]);
  });

  test('a graceful stop flushes what is queued', async () => {
    const { a, b, channels } = await pair();
    for (let i = 0; i < 50; i++) void channels.a.send({ to: b.key.id, message: Uint8Array.of(i) });
    const drained = a.router.drain(new AbortController().signal);
    const reader = channels.b[Symbol.asyncIterator]();
    for (let i = 0; i < 50; i++) expect((await reader.next()).value).toMatchObject({ message: Uint8Array.of(i) });
    await drained;
    expect(a.manager.heard.at(-1)).toBe('down shutdown');
    expect(a.router.linkCount).toBe(0);
  });

  test('a flush goes on where a connection that was full left off', async () => {
    const { a, b, channels } = await pair({ bufferMessages: 2, mailbox: { maxMessages: 4, peerShare: 100 } });
    for (let i = 0; i < 30; i++) void channels.a.send({ to: b.key.id, message: Uint8Array.of(i) });
    await settle(10);
    const drained = a.router.drain(new AbortController().signal);
    await settle(10);
    const reader = channels.b[Symbol.asyncIterator]();
    for (let i = 0; i < 30; i++) expect((await reader.next()).value).toMatchObject({ message: Uint8Array.of(i) });
    await drained;
    expect(a.counters.drops.size).toBe(0);
  });
});
