/** A transport as it is, with what passes through it counted. It decides and delays nothing. */
import { disconnectReason } from '../../proto/errors.ts';
import type { Endpoint } from '../../proto/endpoint.ts';
import type { Clock } from '../../transports/clock.ts';
import type { Connection, ConnectionStatus, Handshake, Message, RemotePeer, Transport } from '../../transports/transport.ts';
import type { Traffic } from './traffic.ts';

/** The same transport, counted in `traffic`. */
export function metered(transport: Transport, traffic: Traffic, clock: Clock): Transport {
  const watch = (connection: Connection): Connection => new MeteredConnection(connection, traffic, clock);
  return {
    protocols: transport.protocols,
    endpoints: () => transport.endpoints(),
    listen: (endpoint, signal) => transport.listen(endpoint, signal),
    async accept(signal) {
      const connection = await transport.accept(signal);
      return connection && watch(connection);
    },
    async dial(endpoint, signal) {
      try {
        const connection = await transport.dial(endpoint, signal);
        traffic.dialed('connected');
        return watch(connection);
      } catch (error) {
        traffic.dialed(signal.aborted ? 'cancelled' : 'failed');
        throw error;
      }
    },
    close: () => transport.close(),
    ...(transport.status && { status: () => transport.status!() }),
  };
}

const ignore = (): void => undefined;

class MeteredConnection implements Connection {
  readonly direction: Connection['direction'];
  readonly ended: Promise<Error | undefined>;
  readonly ping?: (signal: AbortSignal) => Promise<number>;
  readonly #inner: Connection;
  readonly #traffic: Traffic;
  readonly #clock: Clock;
  readonly #count: (message: Message) => void;

  constructor(inner: Connection, traffic: Traffic, clock: Clock) {
    this.direction = inner.direction;
    this.ended = inner.ended;
    this.#inner = inner;
    this.#traffic = traffic;
    this.#clock = clock;
    this.#count = ({ channelId, bytes }) => traffic.received(channelId, bytes.length);
    if (inner.ping) this.ping = (signal) => inner.ping!(signal);
    traffic.opened(this);
  }

  get localEndpoint(): Endpoint {
    return this.#inner.localEndpoint;
  }

  get remoteEndpoint(): Endpoint {
    return this.#inner.remoteEndpoint;
  }

  async handshake(own: Handshake, signal: AbortSignal): Promise<RemotePeer> {
    const began = this.#clock.now();
    try {
      const remote = await this.#inner.handshake(own, signal);
      this.#traffic.shookHands(this, remote.nodeId, this.#clock.now() - began);
      return remote;
    } catch (error) {
      this.#traffic.handshakeFailed(this.direction, signal.aborted ? 'cancelled' : disconnectReason(error));
      throw error;
    }
  }

  sendMessage(message: Message, signal: AbortSignal): void | Promise<void> {
    const pending = this.#inner.sendMessage(message, signal);
    this.#traffic.sent(message.channelId, message.bytes.length);
    return pending;
  }

  /** The promise is the inner one: counting what it brings puts no turn between it and the reader. */
  receiveMessage(signal: AbortSignal): Message | Promise<Message> {
    const next = this.#inner.receiveMessage(signal);
    if (next instanceof Promise) void next.then(this.#count, ignore);
    else this.#count(next);
    return next;
  }

  status(): ConnectionStatus {
    return this.#inner.status();
  }

  close(options?: { flush?: boolean; signal?: AbortSignal; reason?: Error }): Promise<void> {
    return this.#inner.close(options);
  }
}
