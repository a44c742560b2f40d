/** The `mconn` transport: encrypted TCP as Tendermint and CometBFT nodes speak it. It listens, admits, dials; a connection's life is in `connection.ts`. */
import { connect, createServer, type Server, type ServerOpts, type Socket, type TcpNetConnectOpts } from 'node:net';
import ipaddr from 'ipaddr.js';
import { defaultPort, normalizeIp } from '../../proto/address.ts';
import { formatEndpoint, validateEndpoint, type Endpoint } from '../../proto/endpoint.ts';
import { TroupeError } from '../../proto/errors.ts';
import type { HandshakeOptions, LinkOptions } from '../../proto/options.ts';
import type { Clock } from '../clock.ts';
import type { Connection, Transport } from '../transport.ts';
import { waitFor, type Waiter } from '../waiter.ts';
import { Admission } from './admission.ts';
import type { Aead } from './aead.ts';
import { MconnConnection } from './connection.ts';
import { descriptorLimit } from './descriptors.ts';
import { Listener } from './listener.ts';
import { ReassemblyBudget } from './reassembly.ts';

/** A peer whose host vanished is noticed by TCP too. */
const keepAliveMs = 30_000;
/** Descriptors that are left for everything that is no connection: the store, the monitor, what the host opens. */
const otherDescriptors = 64;

/** TCP, in the shape of `node:net`. */
export type Sockets = Readonly<{
  connect(options: TcpNetConnectOpts): Socket;
  createServer(options: ServerOpts): Server;
}>;

/** What the transport is made of. */
export type MconnTransportOptions = Readonly<{
  clock: Clock;
  link: LinkOptions;
  handshake: HandshakeOptions;
  aead: Aead;
  /** In place of the system's TCP. */
  sockets?: Sockets;
  /** Connections at once beyond which whoever connects is closed at once; by default 64 less than the files this process may have open, and without end for other `sockets`. */
  maxSockets?: number;
  /** Applies to loopback the limits that spare it. */
  loopbackIsPublic?: boolean;
  /** Where the nonce counters of both directions start, for tests of their end; both ends must agree. */
  nonceStart?: bigint;
}>;

/** A transport over encrypted TCP (ADR 062, MConn transport) for endpoints like `mconn://1.2.3.4:26656`; `tcp` means the same. */
export function mconnTransport(options: MconnTransportOptions): Transport {
  return new MconnTransport(options);
}

class MconnTransport implements Transport {
  readonly protocols = ['mconn', 'tcp'] as const;
  readonly #options: MconnTransportOptions;
  readonly #sockets: Sockets;
  readonly #admission: Admission;
  readonly #budget: ReassemblyBudget;
  /** Shaken hands with by nobody yet; as many as handshakes may be pending. */
  readonly #arrived = new Set<MconnConnection>();
  readonly #acceptors: Waiter<MconnConnection | undefined>[] = [];
  #state: 'new' | 'starting' | 'listening' | 'closed' = 'new';
  readonly #listener: Listener;
  #endpoint: Endpoint | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: MconnTransportOptions) {
    const { clock, handshake, link, loopbackIsPublic = false, sockets = { connect, createServer } } = options;
    this.#options = options;
    this.#sockets = sockets;
    const limit = options.sockets ? Infinity : (descriptorLimit() ?? Infinity);
    const { maxSockets = Math.max(1, limit - otherDescriptors) } = options;
    this.#admission = new Admission({ handshake, clock, loopbackIsPublic, maxSockets });
    this.#listener = new Listener({
      clock,
      createServer: (server) => sockets.createServer(server),
      options: { pauseOnConnect: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: keepAliveMs },
      onSocket: (socket) => this.#arrive(socket),
    });
    this.#budget = new ReassemblyBudget(link.maxReassemblyBytes);
  }

  endpoints(): readonly Endpoint[] {
    return this.#endpoint === undefined ? [] : [this.#endpoint];
  }

  async listen(endpoint: Endpoint, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const { ip, port } = usable(endpoint);
    if (this.#state === 'closed') throw new TroupeError('ERR_TRANSPORT_CLOSED');
    if (this.#state !== 'new') throw new TroupeError('ERR_LISTEN_UNAVAILABLE', 'it listens already');
    this.#state = 'starting';
    try {
      this.#endpoint = { protocol: 'mconn', ip, port: await this.#listener.open({ ip, port }, signal), path: '' };
    } catch (error) {
      if (!this.#closing) this.#state = 'new';
      throw error;
    }
    this.#state = 'listening';
  }

  async accept(signal: AbortSignal): Promise<Connection | undefined> {
    if (this.#state === 'closed') return undefined;
    if (this.#state !== 'listening') throw new TroupeError('ERR_LISTEN_UNAVAILABLE', 'it does not listen yet');
    signal.throwIfAborted();
    for (const connection of this.#arrived) {
      this.#arrived.delete(connection);
      return connection;
    }
    return waitFor(signal, (waiter) => this.#acceptors.push(waiter));
  }

  async dial(endpoint: Endpoint, signal: AbortSignal): Promise<Connection> {
    signal.throwIfAborted();
    const { ip, port } = usable(endpoint);
    if (ip === '255.255.255.255' || ipaddr.parse(ip).range() === 'multicast')
      throw new TroupeError('ERR_ENDPOINT_INVALID', 'not the address of one host');
    const socket = this.#sockets.connect({
      host: ip,
      port: port === 0 ? defaultPort : port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: keepAliveMs,
    });
    socket.on('error', () => undefined);
    try {
      await waitFor<void>(signal, (waiter) => {
        socket.once('connect', () => waiter.settle());
        socket.once('error', (cause) =>
          waiter.fail(new TroupeError('ERR_DIAL_FAILED', `${formatEndpoint(endpoint)}: ${cause.message}`, { cause })),
        );
      });
      return this.#connection(socket, 'outbound');
    } catch (error) {
      socket.destroy();
      throw error;
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  status(): Readonly<Record<string, string | number>> {
    const rejected = [...this.#admission.rejected].map(([reason, count]) => [`rejected.${reason}`, count] as const);
    return {
      aead: this.#options.aead.name,
      pendingHandshakes: this.#admission.pending,
      reassemblyBytes: this.#budget.bytes,
      sockets: this.#admission.sockets,
      listening: Number(this.#listener.isListening),
      acceptErrors: this.#listener.errors,
      listenLosses: this.#listener.losses,
      ...Object.fromEntries(rejected),
    };
  }

  async #close(): Promise<void> {
    this.#state = 'closed';
    this.#endpoint = undefined;
    this.#listener.close();
    for (const acceptor of this.#acceptors.splice(0)) acceptor.settle(undefined);
    const reason = new TroupeError('ERR_TRANSPORT_CLOSED');
    await Promise.all([...this.#arrived].map((connection) => connection.close({ reason })));
    await new Promise((resolve) => setImmediate(resolve));
  }

  #arrive(socket: Socket): void {
    socket.on('error', () => undefined);
    const { remoteAddress } = socket; // gone if the remote has reset the connection already
    const release = this.#state === 'listening' && remoteAddress ? this.#admission.admit(normalizeIp(remoteAddress)) : undefined;
    if (release === undefined) return void socket.destroy();
    const connection = this.#connection(socket, 'inbound', release);
    for (let acceptor = this.#acceptors.shift(); acceptor; acceptor = this.#acceptors.shift()) {
      if (acceptor.waiting) return acceptor.settle(connection);
    }
    this.#arrived.add(connection);
    void connection.ended.then(() => this.#arrived.delete(connection));
  }

  #connection(socket: Socket, direction: Connection['direction'], settled?: () => void): MconnConnection {
    const { aead, clock, handshake, link, nonceStart } = this.#options;
    const connection = new MconnConnection({
      ...{ aead, budget: this.#budget, clock, direction, handshake, link, socket },
      localEndpoint: endpointOf(socket.localAddress, socket.localPort),
      remoteEndpoint: endpointOf(socket.remoteAddress, socket.remotePort),
      ...(nonceStart === undefined ? {} : { nonceStart }),
      ...(settled === undefined ? {} : { settled }),
    });
    const gone = this.#admission.countSocket();
    void connection.ended.then(gone);
    return connection;
  }
}

const endpointOf = (ip: string | undefined, port: number | undefined): Endpoint => ({
  protocol: 'mconn',
  ip: normalizeIp(ip ?? ''),
  port: port ?? 0,
  path: '',
});

/** An endpoint that TCP can reach, its IP in canonical form. @throws TroupeError `ERR_ENDPOINT_INVALID`. */
function usable(endpoint: Endpoint): Endpoint {
  const valid = validateEndpoint(endpoint);
  if (valid.protocol !== 'mconn' && valid.protocol !== 'tcp') throw new TroupeError('ERR_ENDPOINT_INVALID', `protocol ${valid.protocol}`);
  if (valid.ip === '') throw new TroupeError('ERR_ENDPOINT_INVALID', 'it needs an IP');
  if (valid.path !== '') throw new TroupeError('ERR_ENDPOINT_INVALID', 'it has no path');
  return valid;
}
