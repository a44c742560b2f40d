/** A network in memory: transports that reach each other by node id, with delay, loss, reordering, partitions and crashes, all on one clock and one seed. */
import * as v from 'valibot';
import { TroupeError } from '../proto/errors.ts';
import type { NodeId } from '../proto/identity.ts';
import { parseOptions } from '../proto/options.ts';
import { sleep, type Clock, type Random, type TimerHandle } from './clock.ts';
import { MemoryConnection } from './memory/connection.ts';
import { Lane, type Tally } from './memory/lane.ts';
import { memoryEndpoint, MemoryTransport, type Fabric } from './memory/transport.ts';
import { waitFor, type Waiter } from './waiter.ts';
import type { Connection, Transport } from './transport.ts';

const longestMs = 2_147_483_647;
const duration = (fallback: number, least = 0) => v.optional(v.pipe(v.number(), v.minValue(least), v.maxValue(longestMs)), fallback);
const chance = v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(1)), 0);
const size = (fallback: number) => v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(1)), fallback);
const lineOptions = v.strictObject({
  latencyMs: duration(0),
  jitterMs: duration(0),
  loss: chance,
  reorder: chance,
  bufferMessages: size(64),
  bufferBytes: size(1_048_576),
  silenceMs: duration(90_000, 1),
});

/** What a memory network is made of. The same clock, seed and calls give the same deliveries in the same order. */
export type MemoryNetworkOptions = Readonly<{
  clock: Clock;
  random: Random;
  /** Time on the way, one direction, in milliseconds; 0 by default, and then nothing waits for the clock. */
  latencyMs?: number;
  /** Up to this much more, drawn for each message, in milliseconds. What was sent before is not overtaken. */
  jitterMs?: number;
  /** Chance from 0 to 1 that a message vanishes. Handshakes and ends never do. */
  loss?: number;
  /**
   * Chance from 0 to 1 that a message is late by up to `latencyMs + jitterMs`, so that later messages of other channels pass it.
   * The order within a channel always holds, as it does on every transport. Without latency and jitter there is nothing to pass.
   */
  reorder?: number;
  /** Messages on the way or unread in one direction of a connection before its sender waits; 64 by default. */
  bufferMessages?: number;
  /** The same in bytes; 1 MiB by default. A larger message enters alone. */
  bufferBytes?: number;
  /** A connection cut by a partition for this long ends as silent, in milliseconds; 90,000 by default. */
  silenceMs?: number;
}>;

/** The simulated network, as a test holds it. */
export interface MemoryNetwork {
  /** A transport for a node, whose endpoint is `memory:<node id>`. After its `close` or a crash another one can listen at the same id. */
  transport(nodeId: NodeId): Transport;
  /**
   * Cuts every way between nodes of different groups; nodes in no group form one of their own. Replaces the partition before.
   * Nothing is lost on a cut way: it waits, so senders fill up and dials hang, until `heal` or until the connection ends as silent.
   */
  partition(groups: readonly (readonly NodeId[])[]): void;
  /** Ends the partition: what waited goes on. */
  heal(): void;
  /** Kills a node: its connections end with `ERR_CONNECTION_RESET` (at the remotes once the news arrives), its transports close. */
  crash(nodeId: NodeId): void;
  /** A node that reads nothing: what arrives for it stays unread, and fills the buffers of those who send, until `resume`. */
  pause(nodeId: NodeId): void;
  resume(nodeId: NodeId): void;
  /** What there is now (listening transports, open ends of connections) and what has happened to messages so far. */
  counts(): Readonly<{ listening: number; connections: number; sent: number; delivered: number; lost: number }>;
}

/** Makes an empty memory network. @throws TroupeError `ERR_OPTION_INVALID`. */
export function memoryNetwork(options: MemoryNetworkOptions): MemoryNetwork {
  return new Network(options);
}

type Pair = {
  readonly ends: readonly [MemoryConnection, MemoryConnection];
  readonly lanes: readonly [Lane, Lane];
  cutAt: number | undefined;
};

class Network implements MemoryNetwork, Fabric {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #line: v.InferOutput<typeof lineOptions>;
  readonly #transports = new Set<MemoryTransport>();
  readonly #listeners = new Map<NodeId, MemoryTransport>();
  readonly #connections = new Set<MemoryConnection>();
  readonly #pairs = new Set<Pair>();
  readonly #paused = new Set<NodeId>();
  readonly #rerouted = new Set<Waiter<void>>();
  readonly #tally: Tally = { sent: 0, delivered: 0, lost: 0 };
  #groups: ReadonlyMap<NodeId, number> | undefined;
  #silence: TimerHandle;
  #serial = 0;

  constructor({ clock, random, ...line }: MemoryNetworkOptions) {
    this.#clock = clock;
    this.#random = random;
    this.#line = parseOptions(lineOptions, line);
  }

  transport(nodeId: NodeId): Transport {
    const transport = new MemoryTransport(nodeId, this);
    this.#transports.add(transport);
    return transport;
  }

  partition(groups: readonly (readonly NodeId[])[]): void {
    const byNode = new Map<NodeId, number>();
    groups.forEach((group, index) => {
      for (const nodeId of group) {
        if ((byNode.get(nodeId) ?? index) !== index) throw new TroupeError('ERR_OPTION_INVALID', `${nodeId} is in two groups`);
        byNode.set(nodeId, index);
      }
    });
    this.#reroute(byNode);
  }

  heal(): void {
    this.#reroute(undefined);
  }

  crash(nodeId: NodeId): void {
    const reset = new TroupeError('ERR_CONNECTION_RESET', `${nodeId} crashed`);
    for (const connection of [...this.#connections]) if (connection.owner === nodeId) connection.breakOff(reset, true);
    for (const transport of [...this.#transports]) if (transport.nodeId === nodeId) void transport.close();
    this.#paused.delete(nodeId);
  }

  pause(nodeId: NodeId): void {
    this.#paused.add(nodeId);
  }

  resume(nodeId: NodeId): void {
    this.#paused.delete(nodeId);
    for (const connection of [...this.#connections]) if (connection.owner === nodeId) connection.wake();
  }

  counts(): ReturnType<MemoryNetwork['counts']> {
    return { listening: this.#listeners.size, connections: this.#connections.size, ...this.#tally };
  }

  register(transport: MemoryTransport): void {
    if (this.#listeners.has(transport.nodeId)) throw new TroupeError('ERR_LISTEN_UNAVAILABLE', `memory:${transport.nodeId}`);
    this.#listeners.set(transport.nodeId, transport);
  }

  unregister(transport: MemoryTransport): void {
    this.#transports.delete(transport);
    if (this.#listeners.get(transport.nodeId) === transport) this.#listeners.delete(transport.nodeId);
  }

  async connect(from: NodeId, to: NodeId, signal: AbortSignal): Promise<Connection> {
    await this.#travel(from, to, signal);
    const listener = this.#listeners.get(to);
    if (!listener) {
      await this.#travel(from, to, signal);
      throw new TroupeError('ERR_DIAL_FAILED', `memory:${to} does not listen`);
    }
    const [near, far] = this.#join(from, to);
    const accepted = listener.offer(far);
    try {
      await this.#travel(from, to, signal);
      if (!accepted) throw new TroupeError('ERR_DIAL_FAILED', `memory:${to} has too many connections waiting`);
      if (near.hasEnded) throw new TroupeError('ERR_DIAL_FAILED', `memory:${to} closed the connection`);
      return near;
    } catch (error) {
      await near.close();
      throw error;
    }
  }

  /** One way between two nodes: waits for the way to be open, then for the latency. */
  async #travel(from: NodeId, to: NodeId, signal: AbortSignal): Promise<void> {
    const { latencyMs, jitterMs } = this.#line;
    const delay = latencyMs + (jitterMs > 0 ? this.#random() * jitterMs : 0);
    if (delay > 0) await sleep(this.#clock, delay, signal);
    while (this.#isCut(from, to)) await this.#nextRoute(signal);
    signal.throwIfAborted();
  }

  async #nextRoute(signal: AbortSignal): Promise<void> {
    let waiter: Waiter<void> | undefined;
    try {
      await waitFor<void>(signal, (begun) => this.#rerouted.add((waiter = begun)));
    } finally {
      if (waiter) this.#rerouted.delete(waiter);
    }
  }

  #isCut(a: NodeId, b: NodeId): boolean {
    return a !== b && this.#groups !== undefined && this.#groups.get(a) !== this.#groups.get(b);
  }

  #join(from: NodeId, to: NodeId): Pair['ends'] {
    const line = { clock: this.#clock, random: this.#random, ...this.#line };
    const isCut = (): boolean => this.#isCut(from, to);
    const lanes = [new Lane(line, this.#tally, isCut), new Lane(line, this.#tally, isCut)] as const;
    const serial = this.#serial++;
    const end = (owner: NodeId, remote: NodeId, direction: Connection['direction'], out: Lane, into: Lane): MemoryConnection =>
      new MemoryConnection({
        serial,
        owner,
        direction,
        out,
        in: into,
        clock: this.#clock,
        localEndpoint: memoryEndpoint(owner),
        remoteEndpoint: memoryEndpoint(remote),
        isPaused: () => this.#paused.has(owner),
        forget: (connection) => this.#forget(connection, pair),
      });
    const ends = [end(from, to, 'outbound', lanes[0], lanes[1]), end(to, from, 'inbound', lanes[1], lanes[0])] as const;
    const pair: Pair = { ends, lanes, cutAt: undefined };
    this.#pairs.add(pair);
    for (const connection of ends) this.#connections.add(connection);
    return ends;
  }

  #forget(connection: MemoryConnection, pair: Pair): void {
    this.#connections.delete(connection);
    if (!pair.ends.every((end) => end.hasEnded)) return;
    this.#pairs.delete(pair);
    if (pair.cutAt !== undefined) this.#armSilence();
  }

  #reroute(groups: ReadonlyMap<NodeId, number> | undefined): void {
    this.#groups = groups;
    for (const pair of this.#pairs) {
      const isCut = this.#isCut(pair.ends[0].owner, pair.ends[1].owner);
      pair.cutAt = isCut ? (pair.cutAt ?? this.#clock.now()) : undefined;
    }
    for (const pair of [...this.#pairs]) for (const lane of pair.lanes) lane.recheck();
    this.#armSilence();
    for (const waiter of [...this.#rerouted]) waiter.settle();
  }

  /** Keeps one timer, for the connection that has been cut for longest. */
  #armSilence(): void {
    this.#clock.clearTimeout(this.#silence);
    let first = Infinity;
    for (const { cutAt } of this.#pairs) first = Math.min(first, cutAt ?? Infinity);
    if (first === Infinity) return;
    this.#silence = this.#clock.setTimeout(() => this.#endSilent(), Math.max(0, first + this.#line.silenceMs - this.#clock.now()));
  }

  #endSilent(): void {
    const latest = this.#clock.now() - this.#line.silenceMs;
    const silent = new TroupeError('ERR_CONNECTION_SILENT', `cut off for ${this.#line.silenceMs} ms`);
    for (const { ends, cutAt } of [...this.#pairs])
      if (cutAt !== undefined && cutAt <= latest) for (const end of ends) end.breakOff(silent, false);
    this.#armSilence();
  }
}
