/** The router: which message goes to which peer, over which link; parent of acceptors, dialer, evictor, links and channels (ADR 062, Router). */
import { fromCallback, fromPromise } from 'xstate';
import type { Logger } from 'pino';
import { networkGroup, parseNodeAddress, type NodeAddress } from '../proto/address.ts';
import { TroupeError, type DisconnectReason, type DropReason } from '../proto/errors.ts';
import { formatEndpoint, type Endpoint } from '../proto/endpoint.ts';
import type { NodeId, NodeKey } from '../proto/identity.ts';
import type { NodeInfo } from '../proto/node-info.ts';
import type { NodeOptions } from '../proto/options.ts';
import { guarded, supervisorMachine, type ChildSpec, type SupervisorEvent, type SupervisorInput } from '../machines/supervisor.ts';
import type { Clock, Random } from '../transports/clock.ts';
import type { Resolve } from '../transports/resolve.ts';
import type { ChannelDescriptor, Connection, Transport } from '../transports/transport.ts';
import { acceptorLogic } from './acceptor.ts';
import { RoutedChannel, type Channel, type ChannelDeps, type ChannelOptions, type DropPolicy, type Outgoing } from './channel.ts';
import { dialerLogic } from './dialer.ts';
import { evictorLogic } from './evictor.ts';
import { Link, linkLogic, type LinkDeps } from './link.ts';
import type { Counters, DropsByChannel } from './metrics.ts';
import type { LinkHandle, PeerManager } from './peer-manager.ts';
import type { PutResult, Queue } from './queue.ts';
import { SharedBudget } from './queues/budget.ts';
import { makeQueue } from './queues/policy.ts';

export type RouterDeps = Readonly<{
  clock: Clock;
  random: Random;
  log: Logger;
  key: NodeKey;
  options: NodeOptions;
  counters: Counters;
  manager: PeerManager;
  transports: readonly Transport[];
  resolve: Resolve;
  /** NodeInfo for the next handshake, given the channels that are open. */
  nodeInfo(channels: readonly number[]): NodeInfo;
}>;

/** Facts about a live peer for those above the router. */
export type LinkView = Readonly<{
  id: NodeId;
  direction: 'inbound' | 'outbound';
  remoteEndpoint: Endpoint;
  nodeInfo: NodeInfo;
  connectedForMs: number;
  roundTripMs?: number;
  /** What waits for it. */
  queued: Readonly<{ messages: number; bytes: number }>;
  /** Messages for it and from it that were dropped since it came up. */
  drops: DropsByChannel;
}>;

/** What a peer that the operator has named counts for in a mailbox; others count for 1. */
const namedWeight = 2;
/** NodeInfo carries at most this many channels (Go peers refuse more). */
const maxChannels = 16;
const highestChannel = 255;

/** The router's face; it outlives restarts of its actor, and so do the channels that a host has opened. */
export class Router {
  readonly #deps: RouterDeps;
  readonly #channels = new Map<number, RoutedChannel<unknown>>();
  readonly #links = new Map<LinkHandle, Link>();
  readonly #routed = new Map<NodeId, Link>();
  readonly #freeSlots: number[] = [];
  readonly #budget: SharedBudget;
  /** Peers that the operator has named come first where peers have an order. */
  readonly #named: ReadonlySet<string>;
  #slots = 0;
  #handles = 0;
  #tellSupervisor: ((event: SupervisorEvent) => void) | undefined;
  #stopping = false;

  constructor(deps: RouterDeps) {
    this.#deps = deps;
    const { peerQueue, persistentPeers, unconditionalPeers } = deps.options;
    this.#budget = new SharedBudget(peerQueue.maxTotalBytes, peerQueue.maxTotalMessages);
    this.#named = new Set([...persistentPeers.map((address) => parseNodeAddress(address).nodeId), ...unconditionalPeers]);
  }

  /** The child spec that the node's supervisor starts. */
  spec(): ChildSpec {
    return {
      key: 'router',
      logic: guarded(supervisorMachine),
      input: () => this.#supervision(),
      restart: 'permanent',
      drain: (signal) => this.drain(signal),
      drainMs: this.#deps.options.stop.flushMs + 1_500,
    };
  }

  /** Live links, whether or not their peer is up. */
  get linkCount(): number {
    return this.#links.size;
  }

  /** What waits in the mailbox of each open channel now. */
  mailboxes(): readonly Readonly<{ id: number; waiting: number }>[] {
    return [...this.#channels.values()].map(({ id, waiting }) => ({ id, waiting }));
  }

  /** What is known of a peer that is up. */
  link(id: NodeId): LinkView | undefined {
    const link = this.#routed.get(id);
    if (!link) return undefined;
    const { roundTripMs } = link.connection.status();
    return {
      id,
      direction: link.direction,
      remoteEndpoint: link.connection.remoteEndpoint,
      nodeInfo: link.remote!.nodeInfo,
      connectedForMs: this.#deps.clock.now() - (link.upAt ?? 0),
      ...(roundTripMs !== undefined && { roundTripMs }),
      queued: { messages: link.queue.size, bytes: link.queue.bytes },
      drops: this.#deps.counters.peerDrops(id),
    };
  }

  /** Last measured round trip of a link in milliseconds. */
  roundTripOf(handle: LinkHandle): number | undefined {
    return this.#links.get(handle)?.connection.status().roundTripMs;
  }

  /** Opens a channel; peers learn of it at their next handshake. @throws TroupeError `ERR_CHANNEL_OPEN`, `ERR_CHANNEL_ID_INVALID`. */
  openChannel<M>(options: ChannelOptions<M>): Channel<M> {
    const { id, priority, maxMessageBytes } = options;
    if (!Number.isInteger(id) || id < 0 || id > highestChannel) throw new TroupeError('ERR_CHANNEL_ID_INVALID', String(id));
    if (this.#channels.has(id)) throw new TroupeError('ERR_CHANNEL_OPEN', `0x${id.toString(16)}`);
    if (this.#channels.size >= maxChannels) throw new TroupeError('ERR_CHANNEL_ID_INVALID', `${maxChannels} channels are open`);
    for (const [name, value] of Object.entries({ priority, maxMessageBytes })) {
      if (!Number.isSafeInteger(value) || value < 1)
        throw new TroupeError('ERR_OPTION_INVALID', `${name} of channel ${id} must be a whole number from 1`);
    }
    const channel = new RoutedChannel<M>(options, this.#channelDeps());
    this.#channels.set(id, channel as RoutedChannel<unknown>);
    this.#spawnChannel(channel as RoutedChannel<unknown>);
    return channel;
  }

  /** Ends every link, flushing what is queued, and resolves when all are over or the signal aborts. */
  async drain(signal: AbortSignal): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#deps.transports.map((transport) => transport.close()));
    const links = [...this.#links.values()];
    for (const link of links) link.close('shutdown', { flush: true });
    const aborted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    await Promise.race([Promise.all(links.map((link) => link.over)), aborted]);
    for (const channel of [...this.#channels.values()]) await channel.close();
  }

  #supervision(): SupervisorInput {
    const { clock, random, log, counters, options, manager, transports } = this.#deps;
    this.#stopping = false;
    const acceptor = acceptorLogic({ clock, log: log.child({ actor: 'acceptor' }), admit: (connection) => this.#admitInbound(connection) });
    const dialer = dialerLogic({
      clock,
      log: log.child({ actor: 'dialer' }),
      options: options.dialer,
      manager,
      resolve: this.#deps.resolve,
      transportOf: (protocol) => this.#transportOf(protocol),
      shakeHands: (connection, address) => this.#begin(connection, address),
    });
    const evictor = evictorLogic({ manager, close: (handle, reason) => this.#close(handle, reason) });
    return {
      name: 'router',
      strategy: 'one_for_one',
      intensity: options.supervision,
      now: () => clock.now(),
      random,
      children: [
        { key: 'links', logic: this.#custody(), restart: 'permanent' },
        ...transports
          .filter((transport) => transport.endpoints().length > 0)
          .map((transport, index): ChildSpec => {
            return {
              key: `acceptor:${transport.protocols[0] ?? index}`,
              logic: acceptor,
              input: () => ({ transport }),
              restart: 'transient',
            };
          }),
        { key: 'dialer', logic: dialer, restart: 'permanent' },
        { key: 'evictor', logic: evictor, restart: 'permanent' },
      ],
      onFault: (key, error) => log.error({ actor: 'router', child: key, error: (error as Error).message }, 'child failed'),
      onRestart: (key) => counters.restart(key),
      onEnded: (key) => this.#freeSlot(key),
    };
  }

  /** Owns the links' sockets: when the router's actor ends, for whatever reason, no connection outlives it. */
  #custody() {
    return fromCallback<SupervisorEvent, unknown>(({ sendBack }) => {
      this.#tellSupervisor = sendBack;
      this.#deps.manager.routerRestarted();
      for (const channel of this.#channels.values()) this.#spawnChannel(channel);
      return () => {
        this.#tellSupervisor = undefined;
        for (const link of [...this.#links.values()]) {
          this.#forget(link);
          link.queue.close('linkClosed');
          void link.connection.close();
          if (link.id && link.admitted) this.#deps.manager.disconnected(link.id, link.handle, this.#stopping ? 'shutdown' : 'restart');
          link.finish();
        }
        this.#freeSlots.length = 0;
        this.#slots = 0;
      };
    });
  }

  /** A channel's actor lasts as long as the channel is open, or until its router stops. */
  #spawnChannel(channel: RoutedChannel<unknown>): void {
    const logic = fromPromise<void>(() => channel.over);
    this.#tellSupervisor?.({ type: 'supervisor.spawn', spec: { key: `channel:${channel.name}`, logic, restart: 'temporary' } });
  }

  #channelDeps(): ChannelDeps {
    const { clock, options, counters, manager } = this.#deps;
    return {
      clock,
      mailbox: options.mailbox,
      counters,
      route: (to, message, policy, signal) => this.#route(to, message, policy, signal),
      routeAll: (message, policy) => this.#routeAll(message, policy),
      weightOf: (from) => (this.#named.has(from) ? namedWeight : 1),
      report: (from, behaviour, reason) => manager.report(from, behaviour, reason),
      withdraw: (channel) => this.#channels.delete(channel.id),
    };
  }

  #route(to: NodeId, message: Outgoing, policy: DropPolicy, signal?: AbortSignal): PutResult | Promise<PutResult> {
    if (to === this.#deps.key.id) return 'self';
    const link = this.#routed.get(to);
    if (!link) return 'peerDown';
    if (!link.channels.has(message.channelId)) return 'channelNotListed';
    return link.queue.put({ lane: message.channelId, bytes: message.bytes.length, item: message }, policy, signal);
  }

  #routeAll(message: Outgoing, policy: Exclude<DropPolicy, 'wait'>): number {
    let taken = 0;
    for (const link of this.#routed.values()) {
      if (!link.channels.has(message.channelId)) continue;
      const result = link.queue.put({ lane: message.channelId, bytes: message.bytes.length, item: message }, policy);
      if (result === true) taken++;
      else this.#deps.counters.drop(result as DropReason, { channelId: message.channelId, peer: link.id! });
    }
    return taken;
  }

  #admitInbound(connection: Connection): void {
    const refused = this.#stopping ? 'shutdown' : this.#isCrowded(connection) ? 'full' : undefined;
    if (refused) {
      this.#deps.counters.disconnect(refused);
      this.#deps.counters.reject(refused);
      void connection.close();
      return;
    }
    void this.#begin(connection);
  }

  /** Whether this address or its network holds as many links as it may. */
  #isCrowded({ remoteEndpoint }: Connection): boolean {
    const { ip } = remoteEndpoint;
    const { options } = this.#deps;
    if (!ip || (isLoopback(ip) && !options.loopbackIsPublic)) return false;
    const net = networkGroup(ip, 'net');
    let sameIp = 0;
    let sameNet = 0;
    for (const { connection } of this.#links.values()) {
      const other = connection.remoteEndpoint.ip;
      if (other === ip) sameIp++;
      if (other && networkGroup(other, 'net') === net) sameNet++;
    }
    return sameIp >= options.slots.perIp || sameNet >= options.slots.perNet;
  }

  /** Starts a link; resolves once its handshake has been answered. */
  #begin(connection: Connection, address?: NodeAddress): Promise<void> {
    return new Promise((resolve) => {
      const tellSupervisor = this.#tellSupervisor;
      if (!tellSupervisor) {
        void connection.close();
        if (address) this.#deps.manager.dialFailed(address, new TroupeError('ERR_NODE_STATE', 'the router is not running'));
        return resolve();
      }
      const slot = this.#freeSlots.pop() ?? this.#slots++;
      const link: Link = new Link(
        String(this.#handles++),
        slot,
        connection,
        this.#makeQueue((channelId, reason) => this.#deps.counters.drop(reason, { channelId, ...(link.id && { peer: link.id }) })),
        address,
      );
      this.#links.set(link.handle, link);
      const logic = linkLogic(this.#linkDeps(), link, resolve);
      tellSupervisor({ type: 'supervisor.spawn', spec: { key: `link:${slot}`, logic, restart: 'temporary' } });
    });
  }

  /** The queue of one peer; its lanes are channels. */
  #makeQueue(onDrop: (channelId: number, reason: DropReason) => void): Queue<Outgoing> {
    const { queue, maxBytes, maxMessages, channelShare } = this.#deps.options.peerQueue;
    return makeQueue<Outgoing>(
      queue,
      { maxBytes, maxMessages, laneShare: channelShare },
      {
        budget: this.#budget,
        weightOf: ({ lane }) => this.#channels.get(lane)?.descriptor.priority ?? 1,
        onDrop: ({ lane }, reason) => onDrop(lane, reason),
      },
    );
  }

  #linkDeps(): LinkDeps {
    const { clock, log, key, options, counters, manager, nodeInfo } = this.#deps;
    return {
      clock,
      log: log.child({ actor: 'link' }),
      key,
      options,
      counters,
      manager,
      nodeInfo: () => nodeInfo([...this.#channels.keys()]),
      descriptors: () => this.#descriptors(),
      channel: (id) => this.#channels.get(id),
      channels: () => this.#channels.values(),
      find: (handle) => this.#links.get(handle),
      routed: (link) => this.#routeTo(link),
      unrouted: (link) => this.#unroute(link),
      ended: (link) => this.#forget(link),
    };
  }

  #descriptors(): readonly ChannelDescriptor[] {
    return [...this.#channels.values()].map((channel) => channel.descriptor);
  }

  #routeTo(link: Link): void {
    this.#routed.set(link.remote!.nodeId, link);
    this.#deps.counters.followPeer(link.remote!.nodeId);
  }

  #unroute(link: Link): void {
    const id = link.remote!.nodeId;
    if (this.#routed.get(id) === link) this.#routed.delete(id);
  }

  #forget(link: Link): void {
    if (link.remote) this.#unroute(link);
    this.#links.delete(link.handle);
    if (link.id && link.upAt !== undefined && !this.#routed.has(link.id)) this.#deps.counters.forgetPeer(link.id);
  }

  #freeSlot(key: string): void {
    const slot = /^link:(\d+)$/.exec(key)?.[1];
    if (slot !== undefined) this.#freeSlots.push(Number(slot));
  }

  #close(handle: LinkHandle, reason: DisconnectReason): void {
    const link = this.#links.get(handle);
    this.#deps.log.debug(
      { actor: 'evictor', link: handle, endpoint: link && formatEndpoint(link.connection.remoteEndpoint), reason },
      'evict',
    );
    link?.close(reason);
  }

  #transportOf(protocol: string): Transport | undefined {
    return this.#deps.transports.find((transport) => transport.protocols.includes(protocol));
  }
}

function isLoopback(ip: string): boolean {
  return ip === '::1' || ip.startsWith('127.');
}
