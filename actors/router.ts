/** The router: which message goes to which peer, over which link; parent of acceptors, dialer, evictor, links and channels (ADR 062, Router). */
import { fromCallback, fromPromise, type AnyActorLogic } from 'xstate';
import type { Logger } from 'pino';
import { parseNodeAddress, type NodeAddress } from '../proto/address.ts';
import { TroupeError, type DisconnectReason, type DropReason } from '../proto/errors.ts';
import { formatEndpoint } from '../proto/endpoint.ts';
import type { NodeId, NodeKey } from '../proto/identity.ts';
import type { NodeInfo } from '../proto/node-info.ts';
import type { NodeOptions } from '../proto/options.ts';
import { worstOf } from '../machines/policy/shed.ts';
import { guarded, supervisorMachine, type ChildSpec, type SupervisorEvent, type SupervisorInput } from '../machines/supervisor.ts';
import type { Clock, Random } from '../transports/clock.ts';
import type { Resolve } from '../transports/resolve.ts';
import type { Connection, Transport } from '../transports/transport.ts';
import { acceptorLogic } from './acceptor.ts';
import type { ChannelDeps, ChannelOptions, DropPolicy, Outgoing, RoutedChannel } from './channel.ts';
import { Channels } from './channels.ts';
import { dialerLogic } from './dialer.ts';
import { evictorLogic } from './evictor.ts';
import { Filter, type Filters } from './filter.ts';
import { refusalOf } from './gate.ts';
import { Introductions } from './introductions.ts';
import { Link, linkLogic, type LinkDeps, type LinkSubject } from './link.ts';
import { abandonLink } from './link-end.ts';
import { viewOf, type LinkView } from './link-view.ts';
import { Links } from './links.ts';
import type { Counters } from './metrics.ts';
import { Traffic } from './monitor/traffic.ts';
import type { LinkHandle, PeerManager } from './peer-manager.ts';
import { Pressure, pressureLogic, type Load, type Memory } from './pressure.ts';
import type { PutResult, Queue } from './queue.ts';
import { SharedBudget } from './queues/budget.ts';
import { makeQueue } from './queues/policy.ts';
import { SendRates } from './rate.ts';

export type { LinkView } from './link-view.ts';

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
  filters?: Filters | undefined;
  /** What the process tells of its load; without it nobody is refused for it. */
  load?: Load | undefined;
  /** Where what goes over connections is counted. */
  traffic?: Traffic | undefined;
  /** NodeInfo for the next handshake, given the channels that are open. */
  nodeInfo(channels: readonly number[]): NodeInfo;
}>;

/** What a peer that the operator has named counts for in a mailbox; others count for 1. */
const namedWeight = 2;

/** The router's face; it outlives restarts of its actor, and so do the channels that a host has opened. */
export class Router {
  readonly #deps: RouterDeps;
  readonly #channels = new Channels();
  readonly #links = new Links();
  readonly #introductions: Introductions;
  readonly #budget: SharedBudget;
  readonly #filter: Filter;
  readonly #traffic: Traffic;
  readonly #pressure: Pressure | undefined;
  readonly #linkDeps: LinkDeps;
  readonly #linkLogic: AnyActorLogic;
  /** Peers that the operator has named come first where peers have an order. */
  readonly #named: ReadonlySet<string>;
  #tellSupervisor: ((event: SupervisorEvent) => void) | undefined;
  #stopping = false;

  constructor(deps: RouterDeps) {
    this.#deps = deps;
    const { clock, counters, filters = {}, load, log, traffic = new Traffic() } = deps;
    const { handshake, peerQueue, persistentPeers, pressure, unconditionalPeers } = deps.options;
    this.#traffic = traffic;
    this.#introductions = new Introductions(clock);
    this.#filter = new Filter({ filters, clock, log, counters, timeoutMs: handshake.filterMs });
    this.#pressure = load && new Pressure(pressure, load);
    this.#budget = new SharedBudget(peerQueue.maxTotalBytes, peerQueue.maxTotalMessages);
    this.#named = new Set([...persistentPeers.map((address) => parseNodeAddress(address).nodeId), ...unconditionalPeers]);
    this.#linkDeps = this.#makeLinkDeps();
    this.#linkLogic = linkLogic(this.#linkDeps);
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

  /** The load of the process as of the last look; none without somebody who tells. */
  pressure(): Readonly<{ loop: 'keptUp' | 'delayed'; memory: Memory }> {
    return { loop: this.#pressure?.isDelayed ? 'delayed' : 'keptUp', memory: this.#pressure?.memory ?? 'enough' };
  }

  /** What waits in the mailbox of each open channel now. */
  mailboxes(): readonly Readonly<{ id: number; waiting: number }>[] {
    return [...this.#channels].map(({ id, waiting }) => ({ id, waiting }));
  }

  /** What is known of a peer that is up. */
  link(id: NodeId): LinkView | undefined {
    const link = this.#links.of(id);
    return link && viewOf(link, this.#deps.clock.now(), this.#deps.counters.peerDrops(id));
  }

  /** Last measured round trip of a link in milliseconds. */
  roundTripOf(handle: LinkHandle): number | undefined {
    return this.#links.find(handle)?.connection.status().roundTripMs;
  }

  /** Opens a channel; peers learn of it at their next handshake. @throws TroupeError `ERR_CHANNEL_OPEN`, `ERR_CHANNEL_ID_INVALID`, `ERR_OPTION_INVALID`. */
  openChannel<M>(options: ChannelOptions<M>): RoutedChannel<M> {
    const channel = this.#channels.open(options, this.#channelDeps());
    this.#spawnChannel(channel as RoutedChannel<unknown>);
    return channel;
  }

  /** Ends every link, flushing what is queued, and resolves when all are over or the signal aborts. */
  async drain(signal: AbortSignal): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#deps.transports.map((transport) => transport.close()));
    const links = [...this.#links];
    for (const link of links) link.close('shutdown', { flush: true });
    const aborted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    await Promise.race([Promise.all(links.map((link) => link.over)), aborted]);
    await this.closeChannels();
  }

  /** Closes whatever channels are open. */
  async closeChannels(): Promise<void> {
    for (const channel of [...this.#channels]) await channel.close();
  }

  #supervision(): SupervisorInput {
    const { clock, random, log, counters, options, manager, transports } = this.#deps;
    this.#stopping = false;
    const pressure = this.#pressure;
    const acceptor = acceptorLogic({
      clock,
      log: log.child({ actor: 'acceptor' }),
      keptUp: (signal) => pressure?.keptUp(signal),
      admit: (connection) => this.#admitInbound(connection),
    });
    const dialer = dialerLogic({
      clock,
      log: log.child({ actor: 'dialer' }),
      options: options.dialer,
      manager,
      resolve: this.#deps.resolve,
      filter: this.#filter,
      recovered: (signal) => pressure?.recovered(signal),
      dialed: (result) => this.#traffic.dialed(result),
      transportOf: (protocol) => transports.find((transport) => transport.protocols.includes(protocol)),
      shakeHands: (connection, address) => this.#begin(connection, address),
    });
    const evictor = evictorLogic({ manager, close: (handle, reason) => this.#close(handle, reason) });
    return {
      name: 'router',
      strategy: 'one_for_one',
      intensity: options.supervision,
      depth: 2,
      now: () => clock.now(),
      random,
      children: [
        { key: 'links', logic: this.#custody(), restart: 'permanent', vital: true },
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
        ...(pressure ? [this.#pressureSpec(pressure)] : []),
      ],
      onFault: (key, error) => log.error({ actor: 'router', child: key, error: (error as Error).message }, 'child failed'),
      onRestart: (key) => counters.restart(key),
      onEnded: (key) => key.startsWith('link:') && this.#bury(Number(key.slice('link:'.length))),
    };
  }

  #pressureSpec(pressure: Pressure): ChildSpec {
    const { clock, log, options } = this.#deps;
    const shed = (): void => this.#shed();
    const logic = pressureLogic({ pressure, clock, options: options.pressure, log: log.child({ actor: 'pressure' }), shed });
    return { key: 'pressure', logic, restart: 'permanent' };
  }

  /** Owns the links' sockets: when the router's actor ends, for whatever reason, no connection outlives it. */
  #custody() {
    return fromCallback<SupervisorEvent, unknown>(({ sendBack }) => {
      this.#tellSupervisor = sendBack;
      this.#endLinks('restart'); // of a router that was given up without taking notice of it
      this.#deps.manager.routerRestarted();
      for (const channel of this.#channels) this.#spawnChannel(channel);
      return () => {
        this.#tellSupervisor = undefined;
        this.#endLinks(this.#stopping ? 'shutdown' : 'restart');
      };
    });
  }

  #endLinks(reason: DisconnectReason): void {
    for (const link of [...this.#links]) abandonLink(this.#linkDeps, link, reason);
    this.#links.clear();
  }

  /** A link's actor has ended. If it failed, it has not ended its link. */
  #bury(slot: number): void {
    for (const link of [...this.#links]) if (link.slot === slot) abandonLink(this.#linkDeps, link, 'internal');
    this.#links.freeSlot(slot);
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
      log: this.#deps.log,
      weightOf: (from) => (this.#named.has(from) ? namedWeight : 1),
      introducedAt: (id) => this.#links.of(id)?.introducedAt,
      report: (from, behaviour, reason, source) => manager.report(from, behaviour, reason, source),
      withdraw: (channel) => this.#withdraw(channel.id),
    };
  }

  /** What waits in the queues of peers is still sent; whoever waits to add to it is not. */
  #withdraw(id: number): void {
    this.#channels.withdraw(id);
    for (const { queue } of this.#links) queue.releaseWriters(id, 'withdrawn');
  }

  #route(to: NodeId, message: Outgoing, policy: DropPolicy, signal?: AbortSignal): PutResult | Promise<PutResult> {
    if (to === this.#deps.key.id) return 'self';
    const link = this.#links.of(to);
    if (!link) return 'peerDown';
    return this.#enqueue(link, message, policy, signal);
  }

  #routeAll(message: Outgoing, policy: Exclude<DropPolicy, 'wait'>): number {
    let taken = 0;
    for (const link of this.#links.routed()) {
      if (!link.channels.has(message.channelId)) continue;
      const result = this.#enqueue(link, message, policy);
      if (result === true) taken++;
      else this.#deps.counters.drop(result as DropReason, { channelId: message.channelId, peer: link.id! });
    }
    return taken;
  }

  #enqueue(link: Link, message: Outgoing, policy: DropPolicy, signal?: AbortSignal): PutResult | Promise<PutResult> {
    const { channelId, bytes } = message;
    if (!link.carries(message)) return 'channelNotListed';
    if (!link.rates.mayEnter(channelId)) return 'rateLimited';
    return link.queue.put({ lane: channelId, bytes: bytes.length, item: message }, policy, signal);
  }

  #admitInbound(connection: Connection): void {
    this.#traffic.opened(connection);
    const { loopbackIsPublic, slots } = this.#deps.options;
    const refused = this.#stopping
      ? 'shutdown'
      : refusalOf(connection, { links: this.#links, slots, loopbackIsPublic, pressure: this.#pressure });
    if (refused) {
      this.#deps.counters.disconnect(refused);
      this.#deps.counters.reject(refused);
      void connection.close();
      return;
    }
    void this.#begin(connection);
  }

  /** Starts a link; resolves once its handshake has been answered. */
  #begin(connection: Connection, address?: NodeAddress): Promise<void> {
    if (address) this.#traffic.opened(connection);
    return new Promise((resolve) => {
      const tellSupervisor = this.#tellSupervisor;
      if (!tellSupervisor) {
        void connection.close();
        if (address) this.#deps.manager.dialFailed(address, new TroupeError('ERR_NODE_STATE', 'the router is not running'));
        return resolve();
      }
      const { clock } = this.#deps;
      const link: Link = this.#links.add(
        (name) =>
          new Link({
            ...name,
            connection,
            address,
            queue: this.#makeQueue((channelId, reason) =>
              this.#deps.counters.drop(reason, { channelId, ...(link.id && { peer: link.id }) }),
            ),
            rates: new SendRates((channelId) => this.#channels.get(channelId)?.sendRate, clock),
          }),
      );
      const subject: LinkSubject = { link, settled: resolve };
      const spec = { key: `link:${link.slot}`, logic: this.#linkLogic, input: () => ({ subject }), restart: 'temporary' } as const;
      tellSupervisor({ type: 'supervisor.spawn', spec });
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

  #makeLinkDeps(): LinkDeps {
    const { clock, log, key, options, counters, manager, nodeInfo } = this.#deps;
    return {
      clock,
      log: log.child({ actor: 'link' }),
      key,
      options,
      counters,
      manager,
      traffic: this.#traffic,
      filter: this.#filter,
      nodeInfo: () => nodeInfo(this.#channels.ids()),
      descriptors: () => this.#channels.descriptors(),
      channel: (id) => this.#channels.get(id),
      channels: () => this.#channels,
      find: (handle) => this.#links.find(handle),
      hasRival: (link) => this.#links.hasRival(link),
      introduction: (id, signal) => this.#introductions.turn(id, signal),
      routed: (link) => this.#routeTo(link),
      unrouted: (link) => this.#links.unroute(link),
      ended: (link) => this.#forget(link),
    };
  }

  #routeTo(link: Link): void {
    this.#links.route(link);
    this.#deps.counters.followPeer(link.remote!.nodeId);
  }

  #forget(link: Link): void {
    this.#links.remove(link);
    if (link.id && link.upAt !== undefined && !this.#links.of(link.id)) this.#deps.counters.forgetPeer(link.id);
  }

  /** Lets the peer go that is missed least; those that the operator named stay. */
  #shed(): void {
    const scores = new Map(this.#deps.manager.peers.live().map(({ id, score }) => [id, score]));
    const worst = worstOf(this.#links.burdens(this.#deps.clock.now(), scores).filter(({ id }) => !this.#named.has(id)));
    if (worst) this.#links.of(worst.id)?.close('overloaded');
  }

  #close(handle: LinkHandle, reason: DisconnectReason): void {
    const link = this.#links.find(handle);
    this.#deps.log.debug(
      { actor: 'evictor', link: handle, endpoint: link && formatEndpoint(link.connection.remoteEndpoint), reason },
      'evict',
    );
    link?.close(reason);
  }
}
