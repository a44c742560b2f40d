/** A node put together: its parts, in the order in which they start, and what they are given. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { formatNodeAddress, nodeAddressOf, parseNodeAddress, type NodeAddress } from '../proto/address.ts';
import { parseEndpoint, type Endpoint } from '../proto/endpoint.ts';
import { TroupeError, asTroupeError } from '../proto/errors.ts';
import { generateNodeKey, nodeIdFromText, type NodeKey } from '../proto/identity.ts';
import type { NodeInfo } from '../proto/node-info.ts';
import { nodeOptions, parseOptions, type NodeOptions, type NodeOptionsInput } from '../proto/options.ts';
import type { SupervisorInput } from '../machines/supervisor.ts';
import { selectAead } from '../transports/mconn/aead.ts';
import { mconnTransport } from '../transports/mconn/transport.ts';
import { resolver } from '../transports/resolve.ts';
import type { Transport } from '../transports/transport.ts';
import { checkIntensity, nodeSupervision } from './children.ts';
import { environmentOf, type Environment } from './environment.ts';
import type { Filters } from './filter.ts';
import { nodeLog } from './log.ts';
import { LoopDelay } from './loop-delay.ts';
import { Counters, type Counted } from './metrics.ts';
import { monitorAddress } from './monitor/address.ts';
import { Exposition, expositionType } from './monitor/exposition.ts';
import { facts } from './monitor/facts.ts';
import { monitorLogic, monitorServer, type MonitorServer } from './monitor/server.ts';
import { monitorToken } from './monitor/token.ts';
import { Traffic } from './monitor/traffic.ts';
import { forgetKilledNode, publishUrl } from './monitor/whereabouts.ts';
import { loadOrMakeNodeKey } from './node-key.ts';
import { createPeerManager, type RunnablePeerManager } from './peer-manager.ts';
import type { Reputation } from '../machines/policy/score.ts';
import type { PeerStore } from './peer-store.ts';
import type { Reactor } from './reactor.ts';
import { Router } from './router.ts';
import { status, type NodeStatus } from './status.ts';
import { memoryStore } from './stores/memory.ts';
import { sqliteStore } from './stores/sqlite.ts';
import { version } from './version.ts';

/** What `createNode` and `nodeLogic` take: every option of the schema, and what only code can give. */
export type CreateNodeOptions = Omit<NodeOptionsInput, 'monitor' | 'store'> &
  Readonly<{
    /** Folder with `node_key.json` and `peers.db`, made if missing. Without it give `store` and `key`, or both are new and kept in memory. */
    home?: string;
    /** A store to use instead of `home`'s, or the options of `home`'s. */
    store?: PeerStore | NodeOptionsInput['store'];
    key?: NodeKey;
    /** host:port, or false for none. */
    monitor?: string | false;
    /** Default: mconn. */
    transports?: readonly Transport[];
    reactors?: readonly Reactor[];
    /** Who may connect and be connected to, by address and by id. */
    filters?: Filters;
    /** What is made of reports on peers, instead of the default policy. */
    reputation?: Reputation;
    /** An XState inspector, passed through. */
    inspect?: unknown;
    log?: Logger;
    /** Time, chance, names and sockets; the real ones where left out. */
    environment?: Partial<Environment>;
    /** Told of each drop, disconnect, rejection and restart as it is counted; must not throw. */
    witness?: (counted: Counted) => void;
  }>;

/** The parts of one node. */
export class Parts {
  readonly options: NodeOptions;
  readonly key: NodeKey;
  readonly environment: Environment;
  readonly log: Logger;
  readonly counters = new Counters();
  readonly loopDelay: LoopDelay;
  readonly traffic = new Traffic();
  readonly transports: readonly Transport[];
  readonly manager: RunnablePeerManager;
  readonly router: Router;
  readonly store: PeerStore;
  readonly token: string;
  readonly startedAt: number;
  readonly #reactors: readonly Reactor[];
  readonly #monitor: MonitorServer | undefined;
  readonly #listen: readonly Endpoint[];
  readonly #home: string | undefined;
  #monitorUrl: string | undefined;
  #ready = false;
  /** Reactors that were given up. */
  readonly isolated = new Set<string>();
  onIsolated: (reactor: string, error: Error) => void = () => undefined;
  actors: () => number = () => 0;
  #listened: () => void = () => undefined;
  #failed: (error: Error) => void = () => undefined;
  /** Resolves once the monitor listens, at once without one; rejects when a part fails before that. */
  readonly listening = new Promise<void>((resolve, reject) => {
    this.#listened = resolve;
    this.#failed = reject;
  });

  constructor(given: CreateNodeOptions, key: NodeKey, options: NodeOptions) {
    const { home, log } = given;
    const environment = environmentOf(given.environment);
    const { clock, random } = environment;
    this.options = options;
    this.key = key;
    this.environment = environment;
    this.#home = home;
    this.startedAt = clock.now();
    this.loopDelay = new LoopDelay(clock);
    if (given.witness) this.counters.witness = given.witness;
    this.log = (log ?? nodeLog({ level: options.logLevel, clock })).child({ node: key.id.slice(0, 8) });
    this.transports = given.transports ?? [defaultTransport(options, environment)];
    // Without peer exchange its channel is not even listed.
    this.#reactors = (given.reactors ?? []).filter(({ name }) => options.pex.enabled || name !== 'pex');
    this.#listen = listenEndpoints(given, options, this.transports, key);
    this.token = monitorToken(home);
    this.store =
      ownStore(given) ??
      (home === undefined
        ? memoryStore()
        : sqliteStore({ path: join(home, 'peers.db'), options: options.store, clock, log: this.log.child({ actor: 'store' }) }));
    this.manager = createPeerManager({
      ownId: key.id,
      options: { slots: options.slots, dialer: options.dialer, store: options.store, loopbackIsPublic: options.loopbackIsPublic },
      persistent: options.persistentPeers.map(parseNodeAddress),
      bootstrap: options.bootstrapPeers.map(parseNodeAddress),
      privateIds: options.privatePeers.map(nodeIdFromText),
      unconditionalIds: options.unconditionalPeers.map(nodeIdFromText),
      store: this.store,
      clock,
      random,
      log: this.log.child({ actor: 'peerManager' }),
      selfAddress: () => this.selfAddress(),
      reputation: given.reputation,
      onCaught: () => this.counters.catch('reputation'),
      roundTripOf: (link) => this.router.roundTripOf(link),
    });
    this.router = new Router({
      clock,
      random,
      log: this.log,
      key,
      options,
      counters: this.counters,
      manager: this.manager,
      transports: this.transports,
      filters: given.filters,
      load: environment.load?.(),
      traffic: this.traffic,
      resolve: resolver({ clock, timeoutMs: options.dialer.resolveMs, ...(environment.resolve && { lookup: environment.resolve }) }),
      nodeInfo: (channels) => this.nodeInfo(channels),
    });
    this.#monitor = this.#makeMonitor();
    this.listening.catch(() => undefined);
    if (!this.#monitor) this.#listened();
  }

  /** Our addresses as one would dial them. */
  addresses(): readonly string[] {
    return this.#endpoints().map((endpoint) => formatNodeAddress(nodeAddressOf(endpoint, this.key.id)));
  }

  get monitorUrl(): string | undefined {
    return this.#monitorUrl;
  }

  get totalMs(): number {
    return this.options.stop.totalMs;
  }

  status(): NodeStatus {
    return status(this);
  }

  /** Starts listening on every endpoint. @throws TroupeError `ERR_LISTEN_UNAVAILABLE`, `ERR_ENDPOINT_INVALID`, `ERR_TRANSPORT_UNKNOWN`. */
  async listen(signal: AbortSignal): Promise<void> {
    // Two timers of the real loop a node, a hundred times a second, would be most of the events of a large simulation.
    if (this.environment.load) this.loopDelay.start();
    if (this.#home !== undefined) forgetKilledNode(this.#home);
    this.store.open();
    for (const endpoint of this.#listen) {
      const transport = this.transports.find(({ protocols }) => protocols.includes(endpoint.protocol));
      if (!transport) throw new TroupeError('ERR_TRANSPORT_UNKNOWN', endpoint.protocol);
      await transport.listen(endpoint, signal);
    }
  }

  /** Gives everything back. Never throws for what is closed already. */
  async release(): Promise<void> {
    this.loopDelay.stop();
    await this.router.closeChannels();
    await Promise.allSettled([...this.transports.map((transport) => transport.close()), this.#monitor?.close()]);
    this.manager.close();
    await this.store.close();
  }

  /** The input of the node's supervisor. */
  supervision(): SupervisorInput {
    return nodeSupervision({
      options: this.options,
      environment: this.environment,
      counters: this.counters,
      log: this.log,
      store: this.store,
      manager: this.manager,
      router: this.router,
      transports: this.transports,
      reactors: this.#reactors,
      monitor: this.#monitor && this.#monitorLogic(this.#monitor),
      onFault: (key, error) => this.#onFault(key, error),
      onIsolated: (key, error) => {
        this.isolated.add(key);
        this.onIsolated(key, asTroupeError(error));
      },
    });
  }

  #monitorLogic(server: MonitorServer) {
    return monitorLogic({
      server,
      onListening: (url) => {
        this.#monitorUrl = url;
        const withdraw = this.#publish(url);
        this.#listened();
        return withdraw;
      },
    });
  }

  /** Tells commands of the same user where we are. A home that takes no file is no reason not to run. */
  #publish(url: string): () => void {
    try {
      return this.#home === undefined ? () => undefined : publishUrl(this.#home, url);
    } catch (error) {
      this.log.warn({ error: (error as Error).message }, 'commands will not find the monitor: its URL cannot be written to the home');
      return () => undefined;
    }
  }

  #onFault(key: string, error: unknown): void {
    this.log.error({ child: key, error: (error as Error).message }, 'child failed');
    this.#failed(asTroupeError(error));
  }

  #makeMonitor(): MonitorServer | undefined {
    const address = monitorAddress(this.options.monitor);
    if (!address) return undefined;
    const { counters, traffic, router } = this;
    const exposition = new Exposition(() =>
      facts({ status: () => this.status(), counters, traffic, mailboxes: () => router.mailboxes(), link: (id) => router.link(id) }),
    );
    traffic.onHandshake = (direction, seconds) => exposition.observeHandshake(direction, seconds);
    return monitorServer({
      ...address,
      token: this.token,
      status: () => this.status(),
      health: () => ({ ok: this.#ready, nodeId: this.key.id, store: this.store.state }),
      metrics: { type: expositionType, text: () => exposition.text() },
      peers: this.manager.peers,
      clock: this.environment.clock,
      log: this.log.child({ actor: 'monitor' }),
    });
  }

  /** Whether the node answers `/health` with 200. */
  setReady(ready: boolean): void {
    this.#ready = ready;
  }

  nodeInfo(channels: readonly number[]): NodeInfo {
    const { options } = this;
    return {
      protocolVersion: { p2p: BigInt(options.p2pVersion), block: BigInt(options.blockVersion), app: BigInt(options.appVersion) },
      nodeId: this.key.id,
      listenAddr: this.#listenAddr(),
      network: options.network,
      version: `troupe/${version}`,
      channels,
      moniker: options.moniker,
      other: { txIndex: 'off', rpcAddress: '' },
    };
  }

  /** Our own address as others reach us, if they can. */
  selfAddress(): NodeAddress | undefined {
    if (this.options.externalAddress) return parseNodeAddress(`mconn://${this.key.id}@${this.options.externalAddress}`);
    const reachable = this.#endpoints().find(({ ip }) => ip !== '' && ip !== '0.0.0.0' && ip !== '::');
    return reachable && nodeAddressOf(reachable, this.key.id);
  }

  #endpoints(): readonly Endpoint[] {
    return this.transports.flatMap((transport) => [...transport.endpoints()]);
  }

  #listenAddr(): string {
    if (this.options.externalAddress) return `tcp://${this.options.externalAddress}`;
    const endpoint = this.#endpoints().find(({ ip }) => ip !== '');
    if (!endpoint) return 'tcp://0.0.0.0:0';
    return `tcp://${endpoint.ip.includes(':') ? `[${endpoint.ip}]` : endpoint.ip}:${endpoint.port}`;
  }
}

/** Checks options and loads the key. @throws TroupeError `ERR_OPTION_INVALID`, `ERR_NODE_KEY_INVALID`, `ERR_NODE_KEY_UNREADABLE`, `ERR_ADDRESS_INVALID`, `ERR_HOME_IN_USE`. */
export async function assemble(given: CreateNodeOptions): Promise<Parts> {
  const {
    home,
    store,
    key,
    transports: _t,
    reactors: _r,
    filters: _f,
    reputation: _p,
    inspect: _i,
    log: _l,
    environment: _e,
    witness: _w,
    monitor,
    ...others
  } = given;
  const rest = ownStore(given) ? others : { ...others, ...(store && { store }) };
  if (home !== undefined && (ownStore(given) ?? key)) throw new TroupeError('ERR_OPTION_INVALID', 'give either home, or store and key');
  const options = parseOptions(nodeOptions, { ...rest, ...(monitor !== undefined && { monitor: monitor === false ? 'off' : monitor }) });
  checkIntensity(options);
  if (home !== undefined) mkdirSync(home, { recursive: true });
  const path = home === undefined ? undefined : join(home, 'node_key.json');
  const loaded = path === undefined ? { key: key ?? generateNodeKey(), exposed: false } : await loadOrMakeNodeKey(path);
  const parts = new Parts(given, loaded.key, options);
  if (loaded.exposed) parts.log.warn({ path }, 'the node key can be read by others: its mode should be 0600');
  return parts;
}

/** The store that was given as an object, not as options. */
function ownStore({ store }: CreateNodeOptions): PeerStore | undefined {
  return store && 'load' in store ? store : undefined;
}

function defaultTransport(options: NodeOptions, { clock, sockets }: Environment): Transport {
  return mconnTransport({
    clock,
    link: options.link,
    handshake: options.handshake,
    aead: selectAead(options.aead),
    loopbackIsPublic: options.loopbackIsPublic,
    ...(sockets && { sockets }),
  });
}

/** What is listened on: as given, else the default of each transport. */
function listenEndpoints(
  given: CreateNodeOptions,
  options: NodeOptions,
  transports: readonly Transport[],
  key: NodeKey,
): readonly Endpoint[] {
  if (given.listen) return options.listen.map(parseEndpoint);
  return transports.flatMap(({ protocols }) => {
    if (protocols.includes('memory')) return [{ protocol: 'memory', ip: '', port: 0, path: key.id }];
    return protocols.includes('mconn') ? options.listen.map(parseEndpoint) : [];
  });
}
