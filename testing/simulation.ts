/** A network of whole nodes in one process, on a virtual clock: faults by name, what happens as assertions and as a log. A run is a function of its seed. */
import { createHash } from 'node:crypto';
import type { CreateNodeOptions } from '../actors/assembly.ts';
import type { ChannelOptions } from '../actors/channel.ts';
import { TroupeError } from '../proto/errors.ts';
import { nodeKeyFromSeed, type NodeId } from '../proto/identity.ts';
import type { Random } from '../transports/clock.ts';
import { memoryNetwork, type ConditionChange, type MemoryNetwork } from '../transports/memory.ts';
import { seededRandom, settle, VirtualClock } from '../transports/simulated.ts';
import { componentsOf, disagreements } from './agreement.ts';
import { EventLog, type SimulationEvent } from './event-log.ts';
import { expectNext } from './expectations.ts';
import { checkedNumbers, type SimulationOptions } from './options.ts';
import { SimulatedChannel, type Waiting } from './simulated-channel.ts';
import { SimulatedNode } from './simulated-node.ts';
import { acquaintancesOf, type Acquaintances } from './topology.ts';
import { Witness } from './witness.ts';

/** A peer that comes up or goes down at a node; `reason` is compared only where it is given. */
export type ExpectedUpdate = Readonly<{ peer: number; status: 'up' | 'down'; reason?: string }>;

const defaultLine = { latencyMs: 20, jitterMs: 10 };

/**
 * Makes a network of nodes and starts them all at one moment. No time has passed when it resolves, so that with any latency no two nodes have met.
 * @throws TroupeError `ERR_OPTION_INVALID`, and what `createNode` throws.
 */
export async function simulate(options: SimulationOptions): Promise<Simulation> {
  const sim = new Simulation(options);
  const { nodes } = checkedNumbers(options);
  const made = Array.from({ length: nodes }, () => sim.prepare());
  await sim.during(Promise.all(made.map((node) => node.start())));
  return sim;
}

/** A running simulation. Nodes are named by their numbers, from 0. */
export class Simulation implements AsyncDisposable {
  readonly clock = new VirtualClock();
  readonly network: MemoryNetwork;
  readonly nodes: SimulatedNode[] = [];
  /** Everything that has happened, and a hash of it: equal for equal seeds and calls. */
  readonly eventLog: EventLog;
  readonly seed: number;
  readonly #options: SimulationOptions;
  readonly #isShaped: boolean;
  readonly #persistent: Acquaintances;
  readonly #bootstrap: Acquaintances;
  readonly #numbers = new Map<NodeId, number>();
  readonly #channels: ((node: SimulatedNode) => void)[] = [];
  readonly #witness: Witness;
  readonly #random: Random;
  /** What is left of killed nodes, until it has cleaned up. */
  readonly #ghosts = new Set<Promise<void>>();

  /** Use `simulate`. */
  constructor(options: SimulationOptions) {
    const { seed, keepEvents } = checkedNumbers(options);
    const { topology, persistent = topology, bootstrap } = options;
    this.#options = options;
    this.seed = seed;
    this.#isShaped = persistent !== undefined || bootstrap === undefined;
    this.#persistent = acquaintancesOf(persistent ?? (bootstrap ? undefined : 'mesh'));
    this.#bootstrap = acquaintancesOf(bootstrap);
    this.#random = this.#chance('choices');
    this.eventLog = new EventLog(keepEvents);
    this.#witness = new Witness({ log: this.eventLog, now: () => this.clock.now(), indexOf: (id) => this.indexOf(id) });
    this.network = memoryNetwork({
      ...defaultLine,
      ...options.network,
      clock: this.clock,
      random: this.#chance('network'),
      onEvent: (event) => this.#witness.network(event),
    });
  }

  // time

  /** Virtual milliseconds since the beginning. */
  get now(): number {
    return this.clock.now();
  }

  /** Lets so many virtual milliseconds pass, and everything happen in them. */
  async run(ms: number): Promise<void> {
    await this.clock.advanceAsync(ms);
  }

  /** Lets time pass until a condition holds, looking after each moment in which something was due; says whether it holds. */
  async until(isDone: () => boolean, withinMs: number): Promise<boolean> {
    const end = this.clock.now() + withinMs;
    await settle();
    while (!isDone()) {
      const { nextAt = Infinity } = this.clock;
      if (nextAt > end) {
        await this.clock.advanceAsync(Math.max(0, end - this.clock.now()));
        return isDone();
      }
      await this.clock.advanceAsync(Math.max(0, nextAt - this.clock.now()));
    }
    return true;
  }

  /** Lets time pass until a promise settles, and settles as it does: for `await sim.during(node.peers.dial(id))`. */
  async during<T>(promise: Promise<T>): Promise<T> {
    const outcome = { isSettled: false };
    const done = (): void => void (outcome.isSettled = true);
    promise.then(done, done);
    await this.until(() => outcome.isSettled || this.clock.nextAt === undefined, Number.MAX_SAFE_INTEGER);
    return promise;
  }

  // nodes

  /** The node of a number. @throws TroupeError `ERR_PEER_UNKNOWN`. */
  at(index: number): SimulatedNode {
    const node = this.nodes[index];
    if (!node) throw new TroupeError('ERR_PEER_UNKNOWN', `node ${index}`);
    return node;
  }

  /** The number of a node, or the id itself if it is none of ours. */
  indexOf(id: NodeId): number | string {
    return this.#numbers.get(id) ?? id;
  }

  /** Some running node, by the seed's chance. @throws TroupeError `ERR_PEER_UNKNOWN` when none runs. */
  pick(): SimulatedNode {
    const running = this.nodes.filter((node) => node.isRunning);
    const node = running[Math.floor(this.#random() * running.length)];
    if (!node) throw new TroupeError('ERR_PEER_UNKNOWN', 'no node runs');
    return node;
  }

  /** Adds a node, whose acquaintances are those of its number, and starts it. */
  async add(): Promise<SimulatedNode> {
    const node = this.prepare();
    this.#note('add', node.index);
    await this.during(node.start());
    return node;
  }

  /** Stops a node as its operator would; `restart` brings it back. */
  async remove(index: number): Promise<void> {
    this.#note('remove', index);
    await this.during(this.at(index).stop());
    this.#witness.forget(index);
  }

  /**
   * Opens a channel on every node, now and whenever one starts; what arrives is kept for its expectations.
   * Peers learn of a channel when they shake hands: open it before time passes and, where there is no latency, before a second node is added.
   */
  openChannel<M>(options: ChannelOptions<M>): SimulatedChannel<M> {
    const channel = new SimulatedChannel<M>(options, {
      now: () => this.now,
      nodeOf: (index) => this.at(index),
      indexOf: (id) => this.indexOf(id),
      until: (isDone, withinMs) => this.until(isDone, withinMs),
      run: (ms) => this.run(ms),
    });
    this.#channels.push((node) => channel.open(node));
    for (const node of this.nodes) if (node.isRunning) channel.open(node);
    return channel;
  }

  // faults

  /** Changes the time on the way, in milliseconds each way with up to `jitterMs` more: everywhere, or on the ways from and to one node. */
  latency(latencyMs: number, { jitterMs, node }: Readonly<{ jitterMs?: number; node?: number }> = {}): void {
    this.#change('latency', { latencyMs, ...(jitterMs !== undefined && { jitterMs }) }, node);
  }

  /** Changes the chance, from 0 to 1, that a message vanishes: everywhere, or on the ways from and to one node. */
  loss(loss: number, { node }: Readonly<{ node?: number }> = {}): void {
    this.#change('loss', { loss }, node);
  }

  /** Changes the other conditions of the network: reordering, duplicates, bandwidth. */
  conditions(change: ConditionChange, { node }: Readonly<{ node?: number }> = {}): void {
    this.#change('conditions', change, node);
  }

  /** Cuts the network into groups; nodes in none form one of their own. It lasts until `heal` or the next partition. */
  partition(...groups: readonly (readonly number[])[]): void {
    this.#note('partition', undefined, groups.map((group) => group.join(',')).join(' | '));
    this.network.partition(groups.map((group) => group.map((index) => this.at(index).id)));
  }

  /** Cuts the ways from some nodes to others in this one direction, besides what is cut already, until `heal`. */
  cut(from: readonly number[], to: readonly number[]): void {
    this.#note('cut', undefined, `${from.join(',')} > ${to.join(',')}`);
    const ids = (indices: readonly number[]): NodeId[] => indices.map((index) => this.at(index).id);
    this.network.cut(ids(from), ids(to));
  }

  /** Opens every way again. */
  heal(): void {
    this.#note('heal');
    this.network.heal();
  }

  /** Kills a node as a loss of power would: its memory is gone, its disk stays. @throws TroupeError `ERR_NODE_STATE` while it is down. */
  async crash(index: number): Promise<void> {
    const node = this.at(index);
    this.#note('crash', index);
    const ghost: Promise<void> = node.kill().finally(() => this.#ghosts.delete(ghost));
    this.#ghosts.add(ghost);
    this.#witness.forget(index);
    await settle();
  }

  /** Starts a node that was killed or removed, with what its disk holds. @throws TroupeError `ERR_NODE_STATE` while it runs. */
  async restart(index: number): Promise<void> {
    this.#note('restartNode', index);
    await this.during(this.at(index).start());
  }

  /** A process that stands still, as after SIGSTOP, until `resume`: it neither reads nor writes, and its timers wait. */
  pause(index: number): void {
    this.#note('pause', index);
    this.at(index).freeze();
  }

  /** A node that runs but reads nothing from its connections, or so many bytes a second from each, until `resume`. */
  slowReader(index: number, { bytesPerSecond }: Readonly<{ bytesPerSecond?: number }> = {}): void {
    const { id } = this.at(index);
    this.#note('slowReader', index, String(bytesPerSecond ?? 0));
    if (bytesPerSecond === undefined) this.network.pause(id);
    else this.network.throttle(id, bytesPerSecond);
  }

  /** Ends a pause and a slow reader. */
  resume(index: number): void {
    this.#note('resume', index);
    const node = this.at(index);
    this.network.resume(node.id);
    if (node.isFrozen) node.thaw();
  }

  // assertions

  /**
   * Waits until a node has been told of these peers next, in this order or in any, and takes the updates.
   * @throws TroupeError `ERR_EXPECTATION_FAILED` when it is told something else or the time (1,000 ms if left out) is over.
   */
  async expectUpdates(index: number, expected: readonly ExpectedUpdate[], waiting: Waiting = {}): Promise<void> {
    await expectNext({
      unread: this.at(index).updates,
      expected,
      matches: ({ id, status, reason }, wanted) =>
        this.indexOf(id) === wanted.peer && status === wanted.status && (wanted.reason === undefined || wanted.reason === reason),
      what: `updates at node ${index}`,
      shown: ({ id, status, reason }) => ({ peer: this.indexOf(id), status, reason }),
      until: (isDone, withinMs) => this.until(isDone, withinMs),
      ...waiting,
    });
  }

  /** Lets time pass (10 ms if left out) in which a node, or any, is told of no peer. @throws TroupeError `ERR_EXPECTATION_FAILED`. */
  async expectNoUpdates(index?: number, { withinMs = 10 }: Readonly<{ withinMs?: number }> = {}): Promise<void> {
    await this.run(withinMs);
    for (const node of this.nodes) {
      const [first] = node.updates;
      if (first && (index === undefined || index === node.index))
        throw new TroupeError('ERR_EXPECTATION_FAILED', `node ${node.index} was told that ${this.indexOf(first.id)} is ${first.status}`);
    }
  }

  /**
   * Waits until every two running nodes of which one insists on the other are up with each other, and takes all updates up to then.
   * @throws TroupeError `ERR_EXPECTATION_FAILED` after `withinMs`, 20,000 ms if left out.
   */
  async linked({ withinMs = 20_000 }: Readonly<{ withinMs?: number }> = {}): Promise<void> {
    const missing = (): string | undefined => {
      for (const { index, id, up, isRunning, persistent } of this.nodes) {
        for (const other of isRunning ? persistent : []) {
          const peer = this.at(other);
          if (peer.isRunning && !(up.has(peer.id) && peer.up.has(id))) return `${index} and ${other}`;
        }
      }
      return undefined;
    };
    if (!(await this.until(() => missing() === undefined, withinMs)))
      throw new TroupeError('ERR_EXPECTATION_FAILED', `nodes ${missing()} are not up with each other after ${withinMs} ms`);
    for (const node of this.nodes) node.updates.length = 0;
  }

  /** What has happened that must never happen: limits passed, peers up twice. Empty as long as all is well. */
  violations(): readonly string[] {
    return this.#witness.violations(this.nodes);
  }

  /** What nodes do not agree on once things have settled: who is up with whom, in one connection, and persistent peers that are not. */
  disagreements(): readonly string[] {
    return disagreements(this.nodes, this.#witness.links());
  }

  /** How many parts the running nodes fall into, by who is up with whom. */
  components(): number {
    return componentsOf(this.nodes);
  }

  /** The most dials that a node ever had in flight at once, of this simulation's nodes or of one. */
  mostDialsInFlight(index?: number): number {
    return this.#witness.mostDials(index);
  }

  /** Stops every node and lets all of it come to its end. Afterwards no timer is left. */
  async stop(): Promise<void> {
    const ends = this.nodes.filter((node) => node.isRunning).map((node) => node.stop());
    await this.during(Promise.all([...ends, ...this.#ghosts]));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** Makes a node that has not started. */
  prepare(): SimulatedNode {
    const index = this.nodes.length;
    const key = nodeKeyFromSeed(derived(this.seed, 'key', index));
    this.#numbers.set(key.id, index);
    const count = Math.max(this.#options.nodes, index + 1);
    const others = (of: Acquaintances): number[] => [...new Set(of(index, count))].filter((other) => other !== index);
    const [persistent, bootstrap] = [others(this.#persistent), others(this.#bootstrap)];
    const node = new SimulatedNode({
      index,
      key,
      persistent,
      clock: this.clock,
      network: this.network,
      ip: this.#options.ip?.(index),
      randomOf: (life) => this.#chance('node', index, life),
      options: () => this.#optionsOf(index, persistent, bootstrap),
      furnish: (each) => {
        for (const open of this.#channels) open(each);
      },
      updated: (update) => this.#witness.update(index, update),
      counted: (counted) => this.#witness.counted(index, counted),
      violated: (what) => this.#witness.violated(what),
    });
    this.nodes.push(node);
    return node;
  }

  #optionsOf(index: number, persistent: readonly number[], bootstrap: readonly number[]): CreateNodeOptions {
    const { options = {}, reactors } = this.#options;
    const { pex, slots, ...rest } = typeof options === 'function' ? options(index) : options;
    const addresses = (numbers: readonly number[]): string[] => numbers.map((other) => this.at(other).address);
    // A topology is a promise, so there are slots for it.
    const inbound = Math.min(Math.max(40, this.#options.nodes), 1_000);
    const needed = this.#isShaped ? { inbound, outbound: Math.max(12, persistent.length) } : {};
    return {
      network: 'simulation',
      ...rest,
      slots: { ...needed, ...slots },
      pex: { dialect: 'url', ...pex },
      persistentPeers: addresses(persistent),
      bootstrapPeers: addresses(bootstrap),
      reactors: reactors?.(index) ?? [],
    };
  }

  #change(fault: string, change: ConditionChange, index: number | undefined): void {
    this.#note(fault, index, JSON.stringify(change));
    this.network.change(change, index === undefined ? undefined : this.at(index).id);
  }

  #note(type: string, node?: number, detail?: string): void {
    const event: SimulationEvent = { atMs: this.now, type, node, detail };
    this.eventLog.add(event);
  }

  #chance(...words: readonly (string | number)[]): Random {
    return seededRandom(derived(this.seed, ...words).readUInt32BE());
  }
}

/** 32 bytes that follow from the seed and some words. */
function derived(seed: number, ...words: readonly (string | number)[]): Buffer {
  return createHash('sha256')
    .update(['troupe simulation', seed, ...words].join(' '))
    .digest();
}
