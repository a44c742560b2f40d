/** A network in memory: transports that reach each other by node id, with delay, loss, partitions, crashes and other faults, all on one clock and one seed. */
import * as v from 'valibot';
import { validateEndpoint } from '../proto/endpoint.ts';
import { TroupeError, asTroupeError, type ErrorCode } from '../proto/errors.ts';
import type { NodeId } from '../proto/identity.ts';
import { parseOptions } from '../proto/options.ts';
import { sleep, type Clock, type Random } from './clock.ts';
import { MemoryConnection } from './memory/connection.ts';
import { Lane, type LaneOptions, type Tally } from './memory/lane.ts';
import { SilenceWatch } from './memory/silence.ts';
import { memoryEndpoint, MemoryTransport, type Fabric } from './memory/transport.ts';
import { conditionEntries, Ways, type ConditionChange, type WayConditions } from './memory/ways.ts';
import { waitFor, type Waiter } from './waiter.ts';
import type { Connection, Transport } from './transport.ts';

export type { ConditionChange, WayConditions } from './memory/ways.ts';

const longestMs = 2_147_483_647;
const duration = (fallback: number) => v.optional(v.pipe(v.number(), v.minValue(1), v.maxValue(longestMs)), fallback);
const size = (fallback: number) => v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(1)), fallback);
const networkOptions = v.strictObject({
  ...conditionEntries,
  bufferMessages: size(64),
  bufferBytes: size(1_048_576),
  handshakeMs: duration(10_000),
  stallMs: duration(10_000),
  silenceMs: duration(90_000),
});

/** What happens on a memory network, as it happens. */
export type MemoryEvent =
  | Readonly<{ type: 'dial' | 'connected'; from: NodeId; to: NodeId }>
  | Readonly<{ type: 'dialFailed'; from: NodeId; to: NodeId; code: ErrorCode }>
  /** One end has verified who the other is. */
  | Readonly<{ type: 'greeted'; at: NodeId; remote: NodeId; direction: Connection['direction'] }>
  /** One end is over: with a code, or without one when its own node closed it. `greeted` says whether it ever got that far. */
  | Readonly<{ type: 'ended'; at: NodeId; remote: NodeId; direction: Connection['direction']; greeted: boolean; code?: ErrorCode }>
  /** A node has taken a message, or it vanished on the way. */
  | Readonly<{ type: 'delivered' | 'lost'; from: NodeId; to: NodeId; channelId: number; bytes: Uint8Array }>;

/** What a memory network is made of: the conditions at its start, 0 where left out, and its limits. The same clock, seed and calls give the same deliveries in the same order. */
export type MemoryNetworkOptions = Partial<WayConditions> &
  Readonly<{
    clock: Clock;
    random: Random;
    /** Messages on the way or unread in one direction of a connection before its sender waits; 64 by default. */
    bufferMessages?: number;
    /** The same in bytes; 1 MiB by default. A larger message enters alone. */
    bufferBytes?: number;
    /** A handshake that is not answered for this long fails, in milliseconds; 10,000 by default. */
    handshakeMs?: number;
    /** A connection whose remote takes nothing for this long while a message waits for room ends as stalled, in milliseconds; 10,000 by default. */
    stallMs?: number;
    /** A connection whose remote cannot be heard for this long, for it is cut off or frozen, ends as silent, in milliseconds; 90,000 by default. */
    silenceMs?: number;
    /** Told of everything that happens; must not throw. */
    onEvent?: (event: MemoryEvent) => void;
  }>;

/** The simulated network, as a test holds it. */
export interface MemoryNetwork {
  /**
   * A transport for a node, whose endpoint is `memory:<node id>`. After its `close` or a crash another one can listen at the same id.
   * With an `ip` its connections are seen to come from there, for limits by address and network; without one they come from nowhere.
   */
  transport(nodeId: NodeId, options?: Readonly<{ ip?: string }>): Transport;
  /** Changes how messages travel from now on: everywhere, or on all ways from and to one node. @throws TroupeError `ERR_OPTION_INVALID`. */
  change(conditions: ConditionChange, nodeId?: NodeId): void;
  /**
   * Cuts every way between nodes of different groups; nodes in no group form one of their own. Replaces the partition before, and `cut`.
   * Nothing is lost on a cut way: it waits, so senders fill up and dials hang, until `heal` or until the connection ends as silent.
   */
  partition(groups: readonly (readonly NodeId[])[]): void;
  /** Cuts the ways from some nodes to others, in this direction only, besides what is cut already. */
  cut(from: readonly NodeId[], to: readonly NodeId[]): void;
  /** Ends the partition and every cut: what waited goes on. */
  heal(): void;
  /** Kills a node: its connections end with `ERR_CONNECTION_RESET` (at the remotes once the news arrives), its transports close. */
  crash(nodeId: NodeId): void;
  /** A node that reads nothing: what arrives for it stays unread, and fills the buffers of those who send, until `resume`. */
  pause(nodeId: NodeId): void;
  /** A node that reads slowly, so many bytes a second from each connection, until `resume`. @throws TroupeError `ERR_OPTION_INVALID`. */
  throttle(nodeId: NodeId, bytesPerSecond: number): void;
  resume(nodeId: NodeId): void;
  /** A node whose process stands still: it hears of nothing and accepts nobody until `thaw`. What the node does by itself, its clock has to hold back. */
  freeze(nodeId: NodeId): void;
  thaw(nodeId: NodeId): void;
  /** What there is now (listening transports, open ends of connections) and what has happened to messages so far. */
  counts(): Readonly<{ listening: number; connections: number; sent: number; delivered: number; lost: number }>;
}

/** Makes an empty memory network. @throws TroupeError `ERR_OPTION_INVALID`. */
export function memoryNetwork(options: MemoryNetworkOptions): MemoryNetwork {
  return new Network(options);
}

type Dial = Readonly<{ from: NodeId; to: NodeId; isKilled: () => boolean; signal: AbortSignal }>;
type Limits = Omit<v.InferOutput<typeof networkOptions>, keyof WayConditions>;

class Network implements MemoryNetwork, Fabric {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #tell: (event: MemoryEvent) => void;
  readonly #limits: Limits;
  readonly #ways: Ways;
  readonly #silence: SilenceWatch;
  readonly #transports = new Set<MemoryTransport>();
  readonly #listeners = new Map<NodeId, MemoryTransport>();
  readonly #connections = new Set<MemoryConnection>();
  /** Outbound ends that their dialer has been given. */
  readonly #dialed = new Set<MemoryConnection>();
  /** What each live end reads from, for when ways open and close. */
  readonly #lanes = new Map<MemoryConnection, Lane>();
  readonly #readRates = new Map<NodeId, number>();
  /** Where nodes are seen to be, if anywhere. */
  readonly #hosts = new Map<NodeId, string>();
  readonly #rerouted = new Set<Waiter<void>>();
  readonly #tally: Tally = { sent: 0, delivered: 0, lost: 0 };
  #serial = 0;

  constructor({ clock, random, onEvent, ...given }: MemoryNetworkOptions) {
    this.#clock = clock;
    this.#random = random;
    this.#tell = onEvent ?? (() => undefined);
    const { latencyMs, jitterMs, loss, reorder, duplicate, bytesPerSecond, ...limits } = parseOptions(networkOptions, given);
    this.#limits = limits;
    this.#ways = new Ways({ latencyMs, jitterMs, loss, reorder, duplicate, bytesPerSecond });
    this.#silence = new SilenceWatch(
      clock,
      limits.silenceMs,
      ({ owner, remote }) => (this.#ways.isCut(remote, owner) || this.#ways.isFrozen(remote)) && !this.#ways.isFrozen(owner),
    );
  }

  transport(nodeId: NodeId, { ip }: Readonly<{ ip?: string }> = {}): Transport {
    if (ip !== undefined) this.#hosts.set(nodeId, validateEndpoint({ ...memoryEndpoint(nodeId), ip }).ip);
    const transport = new MemoryTransport(nodeId, this);
    this.#transports.add(transport);
    return transport;
  }

  change(conditions: ConditionChange, nodeId?: NodeId): void {
    this.#ways.change(conditions, nodeId);
  }

  partition(groups: readonly (readonly NodeId[])[]): void {
    this.#ways.partition(groups);
    this.#reroute();
  }

  cut(from: readonly NodeId[], to: readonly NodeId[]): void {
    this.#ways.cut(from, to);
    this.#reroute();
  }

  heal(): void {
    this.#ways.heal();
    this.#reroute();
  }

  crash(nodeId: NodeId): void {
    const reset = new TroupeError('ERR_CONNECTION_RESET', `${nodeId} crashed`);
    for (const connection of [...this.#connections]) if (connection.owner === nodeId) connection.breakOff(reset, true);
    for (const transport of [...this.#transports]) if (transport.nodeId === nodeId) transport.kill();
    this.#readRates.delete(nodeId);
    if (this.#ways.isFrozen(nodeId)) this.thaw(nodeId);
    else this.#rerouteDials();
  }

  pause(nodeId: NodeId): void {
    this.#readRates.set(nodeId, 0);
  }

  throttle(nodeId: NodeId, bytesPerSecond: number): void {
    if (!Number.isSafeInteger(bytesPerSecond) || bytesPerSecond < 1)
      throw new TroupeError('ERR_OPTION_INVALID', `bytesPerSecond: ${bytesPerSecond}`);
    this.#readRates.set(nodeId, bytesPerSecond);
    this.#wake(nodeId);
  }

  resume(nodeId: NodeId): void {
    this.#readRates.delete(nodeId);
    this.#wake(nodeId);
  }

  freeze(nodeId: NodeId): void {
    this.#ways.freeze(nodeId);
    this.#reroute();
  }

  thaw(nodeId: NodeId): void {
    this.#ways.thaw(nodeId);
    this.#reroute();
    this.#listeners.get(nodeId)?.thawed();
  }

  isFrozen(nodeId: NodeId): boolean {
    return this.#ways.isFrozen(nodeId);
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

  async connect(from: NodeId, to: NodeId, isKilled: () => boolean, signal: AbortSignal): Promise<Connection> {
    if (isKilled()) throw new TroupeError('ERR_DIAL_FAILED', `${from} crashed`);
    this.#tell({ type: 'dial', from, to });
    try {
      return await this.#reach({ from, to, isKilled, signal });
    } catch (error) {
      if (!isKilled()) this.#tell({ type: 'dialFailed', from, to, code: asTroupeError(error, 'ERR_DIAL_FAILED').code });
      throw error;
    }
  }

  async #reach(dial: Dial): Promise<MemoryConnection> {
    const { from, to } = dial;
    await this.#travel(from, to, dial);
    const listener = this.#listeners.get(to);
    if (!listener) {
      await this.#travel(to, from, dial);
      throw new TroupeError('ERR_DIAL_FAILED', `memory:${to} does not listen`);
    }
    const [near, far] = this.#join(from, to);
    const accepted = listener.offer(far);
    try {
      await this.#travel(to, from, dial);
      if (!accepted) throw new TroupeError('ERR_DIAL_FAILED', `memory:${to} has too many connections waiting`);
      if (near.hasEnded) throw new TroupeError('ERR_DIAL_FAILED', `memory:${to} closed the connection`);
      this.#dialed.add(near);
      this.#tell({ type: 'connected', from, to });
      return near;
    } catch (error) {
      await near.close();
      throw error;
    }
  }

  /** One way between two nodes, on behalf of a dial: waits for the latency, then for the way to be open and the dialer to run. */
  async #travel(from: NodeId, to: NodeId, { from: dialer, isKilled, signal }: Dial): Promise<void> {
    const { latencyMs, jitterMs } = this.#ways.of(from, to);
    const delay = latencyMs + (jitterMs > 0 ? this.#random() * jitterMs : 0);
    if (delay > 0) await sleep(this.#clock, delay, signal);
    while (!isKilled() && (this.#ways.isCut(from, to) || this.#ways.isFrozen(dialer))) await this.#nextRoute(signal);
    signal.throwIfAborted();
    if (isKilled()) throw new TroupeError('ERR_DIAL_FAILED', `${dialer} crashed`);
  }

  async #nextRoute(signal: AbortSignal): Promise<void> {
    let waiter: Waiter<void> | undefined;
    try {
      await waitFor<void>(signal, (begun) => this.#rerouted.add((waiter = begun)));
    } finally {
      if (waiter) this.#rerouted.delete(waiter);
    }
  }

  #join(from: NodeId, to: NodeId): readonly [MemoryConnection, MemoryConnection] {
    const lanes = [this.#lane(from, to), this.#lane(to, from)] as const;
    const serial = this.#serial++;
    const end = (owner: NodeId, remote: NodeId, direction: Connection['direction'], out: Lane, into: Lane): MemoryConnection =>
      new MemoryConnection({
        serial,
        owner,
        remote,
        direction,
        out,
        in: into,
        clock: this.#clock,
        handshakeMs: this.#limits.handshakeMs,
        localEndpoint: memoryEndpoint(owner),
        remoteEndpoint: { ...memoryEndpoint(remote), ip: this.#hosts.get(remote) ?? '' },
        readRate: () => this.#readRates.get(owner),
        greeted: () => this.#tell({ type: 'greeted', at: owner, remote, direction }),
        taken: (_, { channelId, bytes }) => this.#tell({ type: 'delivered', from: remote, to: owner, channelId, bytes }),
        forget: (connection, error) => this.#forget(connection, error),
      });
    const ends = [end(from, to, 'outbound', lanes[0], lanes[1]), end(to, from, 'inbound', lanes[1], lanes[0])] as const;
    for (const connection of ends) this.#connections.add(connection);
    this.#lanes.set(ends[0], lanes[1]).set(ends[1], lanes[0]);
    this.#silence.review(ends);
    return ends;
  }

  #lane(from: NodeId, to: NodeId): Lane {
    const { bufferMessages, bufferBytes, stallMs } = this.#limits;
    const options: LaneOptions = {
      clock: this.#clock,
      random: this.#random,
      bufferMessages,
      bufferBytes,
      stallMs,
      conditions: () => this.#ways.of(from, to),
      isClosed: () => this.#ways.isClosed(from, to),
      onLost: ({ channelId, bytes }) => this.#tell({ type: 'lost', from, to, channelId, bytes }),
    };
    return new Lane(options, this.#tally);
  }

  #forget(connection: MemoryConnection, error: Error | undefined): void {
    const { owner: at, remote, direction, isGreeted: greeted } = connection;
    this.#connections.delete(connection);
    this.#lanes.delete(connection);
    this.#silence.forget(connection);
    if (direction === 'outbound' && !this.#dialed.delete(connection)) return; // its dial has failed, which is told
    this.#tell({ type: 'ended', at, remote, direction, greeted, ...(error && { code: asTroupeError(error).code }) });
  }

  #wake(nodeId: NodeId): void {
    for (const connection of [...this.#connections]) if (connection.owner === nodeId) connection.wake();
  }

  #reroute(): void {
    this.#silence.review(this.#connections);
    for (const lane of [...this.#lanes.values()]) lane.recheck();
    this.#rerouteDials();
  }

  #rerouteDials(): void {
    for (const waiter of [...this.#rerouted]) waiter.settle();
  }
}
