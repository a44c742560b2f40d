/** A listening socket that is meant to last: when it is lost and nobody closed it, it is opened again at the same place, with back-off. */
import type { AddressInfo, Server, ServerOpts, Socket } from 'node:net';
import { TroupeError } from '../../proto/errors.ts';
import type { Clock, TimerHandle } from '../clock.ts';
import { waitFor } from '../waiter.ts';

/** Sockets that the kernel completes while we are busy; beyond it newcomers are told by the kernel. */
const backlog = 511;
/** Wait before a lost socket is opened again; doubles with each failure. */
const firstRetryMs = 250;
const longestRetryMs = 30_000;

/** Where to listen; port 0 is any free one the first time, and that one afterwards. */
export type Place = Readonly<{ ip: string; port: number }>;

export type ListenerParts = Readonly<{
  clock: Clock;
  createServer: (options: ServerOpts) => Server;
  options: ServerOpts;
  /** Takes each socket that comes in. */
  onSocket: (socket: Socket) => void;
}>;

/** Listens at one place from `open` to `close`. */
export class Listener {
  readonly #parts: ListenerParts;
  #server: Server | undefined;
  #place: Place = { ip: '', port: 0 };
  #retryMs = firstRetryMs;
  #timer: TimerHandle;
  #errors = 0;
  #losses = 0;
  #closed = false;

  constructor(parts: ListenerParts) {
    this.#parts = parts;
  }

  /** Whether newcomers reach it now. */
  get isListening(): boolean {
    return this.#server?.listening === true;
  }

  /** Errors of the listening socket since it first listened: descriptors ran out, an interface vanished. */
  get errors(): number {
    return this.#errors;
  }

  /** How often it was lost. */
  get losses(): number {
    return this.#losses;
  }

  /** Begins to listen and resolves with the port. @throws TroupeError `ERR_LISTEN_UNAVAILABLE`, `ERR_TRANSPORT_CLOSED`, or the signal's reason; it can be tried again. */
  async open(place: Place, signal?: AbortSignal): Promise<number> {
    await this.#begin(place, signal);
    this.#errors = 0;
    return this.#place.port;
  }

  /** Sockets that came in live on. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#parts.clock.clearTimeout(this.#timer);
    // Its callback would wait for those sockets; the listening descriptor itself is closed within one turn of the event loop.
    this.#server?.close();
    this.#server = undefined;
  }

  async #begin({ ip, port }: Place, signal?: AbortSignal): Promise<void> {
    const server = this.#parts.createServer(this.#parts.options);
    this.#server = server;
    let isUp = false;
    server.on('connection', this.#parts.onSocket);
    try {
      await waitFor<void>(signal, (waiter) => {
        server.on('error', (cause) => {
          this.#errors++; // the next accept may succeed
          waiter.fail(new TroupeError('ERR_LISTEN_UNAVAILABLE', `${ip} port ${port}: ${cause.message}`, { cause }));
          if (isUp && !server.listening) this.#lost(server);
        });
        server.on('close', () => {
          waiter.fail(new TroupeError('ERR_TRANSPORT_CLOSED'));
          if (isUp) this.#lost(server);
        });
        server.listen({ host: ip, port, backlog }, () => {
          isUp = true;
          this.#place = { ip, port: (server.address() as AddressInfo).port };
          waiter.settle();
        });
      });
    } catch (error) {
      if (this.#server === server) this.#server = undefined;
      server.close();
      throw error;
    }
    if (this.#closed) throw new TroupeError('ERR_TRANSPORT_CLOSED');
  }

  #lost(server: Server): void {
    if (this.#closed || this.#server !== server) return;
    this.#server = undefined;
    this.#losses++;
    this.#retryLater();
  }

  #retryLater(): void {
    this.#timer = this.#parts.clock.setTimeout(() => {
      this.#begin(this.#place).then(
        () => {
          this.#retryMs = firstRetryMs;
        },
        () => {
          if (this.#closed) return;
          this.#retryMs = Math.min(this.#retryMs * 2, longestRetryMs);
          this.#retryLater();
        },
      );
    }, this.#retryMs);
  }
}
