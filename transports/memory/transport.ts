/** A node's transport on a memory network: a place to listen at its node id, and a way to dial others. */
import { TroupeError } from '../../proto/errors.ts';
import { validateEndpoint, type Endpoint } from '../../proto/endpoint.ts';
import { parseNodeId, type NodeId } from '../../proto/identity.ts';
import type { Connection, Transport } from '../transport.ts';
import type { MemoryConnection } from './connection.ts';
import { waitFor, type Waiter } from '../waiter.ts';

/** Connections that nobody has accepted yet, at most; a further dial is refused. */
const backlogLimit = 128;

/** What a transport needs of its network. */
export type Fabric = Readonly<{
  /** Makes this transport the one that is reached at its id. @throws TroupeError `ERR_LISTEN_UNAVAILABLE` when another one is. */
  register(transport: MemoryTransport): void;
  unregister(transport: MemoryTransport): void;
  /** Connects two nodes, as long as the process of the first one lives. */
  connect(from: NodeId, to: NodeId, isKilled: () => boolean, signal: AbortSignal): Promise<Connection>;
  /** Whether the process behind this id stands still, so that it accepts nothing. */
  isFrozen(nodeId: NodeId): boolean;
}>;

/** The endpoint at which a node is reached on a memory network: protocol and path, no IP. */
export function memoryEndpoint(nodeId: NodeId): Endpoint {
  return { protocol: 'memory', ip: '', port: 0, path: nodeId };
}

/** See the module. */
export class MemoryTransport implements Transport {
  readonly protocols = ['memory'] as const;
  readonly nodeId: NodeId;
  readonly #fabric: Fabric;
  readonly #backlog: MemoryConnection[] = [];
  readonly #acceptors: Waiter<MemoryConnection | undefined>[] = [];
  #state: 'new' | 'listening' | 'closed' = 'new';
  #isKilled = false;

  constructor(nodeId: NodeId, fabric: Fabric) {
    this.nodeId = nodeId;
    this.#fabric = fabric;
  }

  endpoints(): readonly Endpoint[] {
    return this.#state === 'listening' ? [memoryEndpoint(this.nodeId)] : [];
  }

  async listen(endpoint: Endpoint, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (targetOf(endpoint) !== this.nodeId) throw new TroupeError('ERR_ENDPOINT_INVALID', 'a node listens at its own id');
    if (this.#state === 'closed') throw new TroupeError('ERR_TRANSPORT_CLOSED');
    if (this.#state === 'listening') throw new TroupeError('ERR_LISTEN_UNAVAILABLE', 'it listens already');
    this.#fabric.register(this);
    this.#state = 'listening';
  }

  async accept(signal: AbortSignal): Promise<Connection | undefined> {
    if (this.#state === 'closed') return undefined;
    if (this.#state === 'new') throw new TroupeError('ERR_LISTEN_UNAVAILABLE', 'it does not listen yet');
    signal.throwIfAborted();
    for (let first = this.#backlog.shift(); first; first = this.#backlog.shift()) if (!first.hasEnded) return first;
    return waitFor(signal, (waiter) => this.#acceptors.push(waiter));
  }

  async dial(endpoint: Endpoint, signal: AbortSignal): Promise<Connection> {
    signal.throwIfAborted();
    return this.#fabric.connect(this.nodeId, targetOf(endpoint), () => this.#isKilled, signal);
  }

  /** As `close`, and nothing leaves it any more: its process is gone. */
  kill(): void {
    this.#isKilled = true;
    void this.close();
  }

  async close(): Promise<void> {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#fabric.unregister(this);
    for (const acceptor of this.#acceptors.splice(0)) acceptor.settle(undefined);
    await Promise.all(this.#backlog.splice(0).map((connection) => connection.close()));
  }

  /** Takes an inbound connection for `accept`; false when too many wait already. */
  offer(connection: MemoryConnection): boolean {
    if (!this.#fabric.isFrozen(this.nodeId) && this.#handOver(connection)) return true;
    const live = this.#backlog.filter((waiting) => !waiting.hasEnded);
    this.#backlog.splice(0, this.#backlog.length, ...live);
    if (live.length >= backlogLimit) return false;
    this.#backlog.push(connection);
    return true;
  }

  /** Hands over what has come while its process stood still. */
  thawed(): void {
    for (let first = this.#backlog.shift(); first; first = this.#backlog.shift()) {
      if (first.hasEnded || this.#handOver(first)) continue;
      this.#backlog.unshift(first);
      return;
    }
  }

  #handOver(connection: MemoryConnection): boolean {
    for (let acceptor = this.#acceptors.shift(); acceptor; acceptor = this.#acceptors.shift()) {
      if (!acceptor.waiting) continue;
      acceptor.settle(connection);
      return true;
    }
    return false;
  }
}

function targetOf(endpoint: Endpoint): NodeId {
  validateEndpoint(endpoint);
  if (endpoint.protocol !== 'memory') throw new TroupeError('ERR_ENDPOINT_INVALID', `protocol ${endpoint.protocol}, not memory`);
  if (endpoint.ip !== '') throw new TroupeError('ERR_ENDPOINT_INVALID', 'a memory endpoint has no IP');
  try {
    return parseNodeId(endpoint.path);
  } catch (cause) {
    throw new TroupeError('ERR_ENDPOINT_INVALID', 'the path is not a node id', { cause });
  }
}
