/** One encrypted TCP connection to one peer: its life from socket to end. What travels on it is the affair of `send.ts` and `receive.ts`. */
import type { Socket } from 'node:net';
import { asTroupeError, TroupeError } from '../../proto/errors.ts';
import type { Endpoint } from '../../proto/endpoint.ts';
import type { HandshakeOptions, LinkOptions } from '../../proto/options.ts';
import type { Clock, TimerHandle } from '../clock.ts';
import type { ChannelDescriptor, Connection, ConnectionStatus, Handshake, Message, RemotePeer } from '../transport.ts';
import type { Aead } from './aead.ts';
import { greet, HandshakeInput, type Greeting } from './greeting.ts';
import { Liveness } from './liveness.ts';
import { socketOutlet } from './outlet.ts';
import { endOfStream, Receiver } from './receive.ts';
import type { ReassemblyBudget } from './reassembly.ts';
import { Sender } from './send.ts';
import { Waits } from './waits.ts';

/** What the transport gives to each of its connections. */
export type ConnectionParts = Readonly<{
  /** Connected, and not reading. */
  socket: Socket;
  direction: Connection['direction'];
  localEndpoint: Endpoint;
  remoteEndpoint: Endpoint;
  clock: Clock;
  link: LinkOptions;
  handshake: HandshakeOptions;
  aead: Aead;
  budget: ReassemblyBudget;
  nonceStart?: bigint;
  /** Called once, when the handshake is over, well or not. */
  settled?: () => void;
}>;

/** What exists once hands are shaken. */
type Halves = Readonly<{ sender: Sender; receiver: Receiver; liveness: Liveness }>;

/** A connection over a TCP socket, from the moment it is connected. It ends by itself when its handshake is not done in time. */
export class MconnConnection implements Connection {
  readonly ended: Promise<Error | undefined>;
  readonly #parts: ConnectionParts;
  readonly #socket: Socket;
  readonly #source: Readonly<{ pause(): void; resume(): void }>;
  readonly #input: HandshakeInput;
  readonly #sendWaits = new Waits();
  readonly #receiveWaits = new Waits();
  readonly #madeAt: number;
  /** Resolves when the descriptor is closed. */
  readonly #closed: Promise<void>;
  #state: 'new' | 'greeting' | 'open' | 'flushing' | 'ended' = 'new';
  #halves: Halves | undefined;
  /** What every later call fails with. A signal's reason may be anything. */
  #failure: { error: unknown } | undefined;
  #totalTimer: TimerHandle;
  #firstByteTimer: TimerHandle;
  #bytesReceived = 0;
  #byteAt: number;
  #closing: Promise<void> | undefined;
  #resolveEnded!: (error: Error | undefined) => void;
  #isSettled = false;
  /** Set when the remote is gone and what it sent before may still be unread. */
  #remoteEnd: Error | undefined;

  constructor(parts: ConnectionParts) {
    const { clock, handshake, socket } = parts;
    this.#parts = parts;
    this.#socket = socket;
    this.ended = new Promise((resolve) => (this.#resolveEnded = resolve));
    this.#closed = new Promise((resolve) => socket.once('close', () => resolve()));
    socket.pause();
    socket.on('error', (cause) => this.#remoteEnded(new TroupeError('ERR_CONNECTION_RESET', cause.message, { cause })));
    socket.on('end', () => this.#remoteEnded());
    socket.on('close', () => this.#remoteEnded(new TroupeError('ERR_CONNECTION_RESET')));
    socket.on('data', (piece: Buffer) => this.#received(piece));
    this.#source = { pause: () => socket.pause(), resume: () => socket.resume() };
    this.#input = new HandshakeInput(this.#source);
    this.#madeAt = this.#byteAt = clock.now();
    this.#totalTimer = this.#deadline(handshake.totalMs, () => true);
  }

  get direction(): Connection['direction'] {
    return this.#parts.direction;
  }

  get localEndpoint(): Endpoint {
    return this.#parts.localEndpoint;
  }

  get remoteEndpoint(): Endpoint {
    return this.#parts.remoteEndpoint;
  }

  async handshake(own: Handshake, signal: AbortSignal): Promise<RemotePeer> {
    this.#assertAlive();
    if (this.#state !== 'new') throw new TroupeError('ERR_HANDSHAKE_STATE', 'a connection shakes hands once');
    this.#state = 'greeting';
    const onAbort = (): void => this.#fail(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    try {
      this.#assertAlive();
      if (this.direction === 'inbound') this.#awaitFirstByte();
      const { aead, nonceStart } = this.#parts;
      const send = (bytes: Uint8Array, done?: () => void): void => void this.#socket.write(bytes, done);
      const input = this.#input;
      const greeting = await greet({ own, aead, input, send, signal, ...(nonceStart === undefined ? {} : { nonceStart }) });
      this.#open(greeting, own.channels);
      this.#assertAlive();
      return greeting.remote;
    } catch (error) {
      this.#fail(error);
      throw this.#failure!.error;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  sendMessage(message: Message, signal: AbortSignal): void | Promise<void> {
    const { sender } = this.#opened(signal);
    if (this.#remoteEnd) throw this.#remoteEnd;
    return sender.send(message, signal);
  }

  receiveMessage(signal: AbortSignal): Message | Promise<Message> {
    return this.#opened(signal).receiver.take(signal);
  }

  /** Round trip in milliseconds of a ping sent now. @throws TroupeError `ERR_HANDSHAKE_STATE`, or the error that ended the connection. */
  async ping(signal: AbortSignal): Promise<number> {
    const { liveness } = this.#opened(signal);
    if (this.#remoteEnd) throw this.#remoteEnd;
    return liveness.ping(signal);
  }

  status(): ConnectionStatus {
    const { liveness, receiver, sender } = this.#halves ?? {};
    const roundTripMs = liveness?.roundTripMs;
    return {
      bytesSent: this.#socket.bytesWritten,
      bytesReceived: this.#bytesReceived,
      messagesSent: sender?.messages ?? 0,
      messagesReceived: receiver?.messages ?? 0,
      idleMs: this.#parts.clock.now() - this.#byteAt,
      ...(roundTripMs === undefined ? {} : { roundTripMs }),
    };
  }

  close(options: { flush?: boolean; signal?: AbortSignal; reason?: Error } = {}): Promise<void> {
    const error = options.reason ?? new TroupeError('ERR_CONNECTION_CLOSED', 'by ourselves');
    if (options.flush && this.#state === 'open' && this.#halves && !options.signal?.aborted) {
      this.#closing = this.#flush(this.#halves, error, options.signal);
    } else if (!options.flush || !this.#closing) this.#end(error, undefined);
    return this.#closing ?? this.#closed;
  }

  /** Writes what was handed over, says so with a FIN, and reads on, deaf, until the remote closes: closing with bytes unread would reset what is on its way. */
  async #flush({ liveness, receiver, sender }: Halves, error: Error, signal: AbortSignal | undefined): Promise<void> {
    this.#state = 'flushing';
    this.#failure = { error };
    liveness.close();
    receiver.close();
    this.#receiveWaits.close(error);
    this.#source.resume();
    const { clock, link } = this.#parts;
    let timer: TimerHandle;
    const giveUp = (): void => this.#end(error, undefined);
    signal?.addEventListener('abort', giveUp, { once: true });
    await sender.drained();
    if (!this.#socket.destroyed) {
      timer = clock.setTimeout(giveUp, link.stallMs);
      this.#socket.end();
    }
    await this.#closed;
    clock.clearTimeout(timer);
    signal?.removeEventListener('abort', giveUp);
  }

  #opened(signal: AbortSignal): Halves {
    this.#assertAlive();
    if (!this.#halves) throw new TroupeError('ERR_HANDSHAKE_STATE', 'used before the handshake');
    signal.throwIfAborted();
    return this.#halves;
  }

  #assertAlive(): void {
    if (this.#failure) throw this.#failure.error;
  }

  #open({ session, leftover }: Greeting, channels: readonly ChannelDescriptor[]): void {
    const { budget, clock, link } = this.#parts;
    const fail = (error: unknown): void => this.#fail(error);
    if (this.#failure) {
      session.writer.close();
      session.reader.close();
      return;
    }
    const sender = new Sender({
      clock,
      options: link,
      channels,
      writer: session.writer,
      outlet: socketOutlet(this.#socket),
      waits: this.#sendWaits,
      fail,
    });
    const receiver: Receiver = new Receiver({
      ...{ budget, channels, clock, fail, options: link, reader: session.reader, source: this.#source, waits: this.#receiveWaits },
      pinged: () => liveness.pinged(),
      ponged: () => liveness.ponged(),
      over: (error) => this.#end(error, error),
    });
    const liveness = new Liveness({
      ...{ clock, fail, options: link, waits: this.#sendWaits },
      sendPing: () => sender.ping(),
      sendPong: () => sender.pong(),
      readingNow: () => receiver.readingNow(),
      heardAt: () => receiver.heardAt,
    });
    this.#halves = { sender, receiver, liveness };
    this.#state = 'open';
    this.#settle();
    receiver.begin(leftover, this.#input.takeRest());
  }

  #received(piece: Uint8Array): void {
    const { clock } = this.#parts;
    this.#bytesReceived += piece.length;
    this.#byteAt = clock.now();
    if (this.#firstByteTimer !== undefined) clock.clearTimeout(this.#firstByteTimer);
    this.#firstByteTimer = undefined;
    if (this.#state === 'open') this.#halves?.receiver.push(piece);
    else if (this.#state === 'greeting') this.#input.push(piece);
  }

  /** The remote is gone: by an error, or by a FIN, which is answered with a close because there is no half-open connection. What it sent before is still to be read. */
  #remoteEnded(broken?: Error): void {
    if (this.#state === 'ended' || this.#remoteEnd) return;
    const error = broken ?? endOfStream(this.#state === 'greeting' && this.#input.hasRest);
    if (this.#state === 'flushing') return this.#end(error, undefined);
    if (!this.#halves) return this.#end(error, error);
    this.#remoteEnd = error;
    const { liveness, receiver, sender } = this.#halves;
    liveness.close();
    sender.close();
    this.#sendWaits.close(error);
    this.#socket.destroy();
    receiver.finish(broken);
  }

  #fail(error: unknown): void {
    this.#end(error, error instanceof Error ? error : asTroupeError(error));
  }

  /** The one way to end: `error` is what later calls fail with, `outcome` what `ended` says. */
  #end(error: unknown, outcome: Error | undefined): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#failure ??= { error };
    this.#settle();
    this.#input.fail(error);
    this.#halves?.liveness.close();
    this.#halves?.receiver.close();
    this.#halves?.sender.close();
    this.#sendWaits.close(error);
    this.#receiveWaits.close(error);
    this.#socket.destroy();
    this.#resolveEnded(outcome);
  }

  /** The handshake is over. */
  #settle(): void {
    const { clock, settled } = this.#parts;
    if (this.#isSettled) return;
    this.#isSettled = true;
    clock.clearTimeout(this.#totalTimer);
    clock.clearTimeout(this.#firstByteTimer);
    settled?.();
  }

  #awaitFirstByte(): void {
    const { clock, handshake } = this.#parts;
    const leftMs = handshake.firstByteMs - (clock.now() - this.#madeAt);
    this.#firstByteTimer = this.#deadline(Math.max(0, leftMs), () => this.#bytesReceived === 0);
  }

  /** Ends the handshake after `ms` if it is late then. The verdict waits for one turn of the event loop: after a stall of ours, what has come is read first. */
  #deadline(ms: number, isLate: () => boolean): TimerHandle {
    return this.#parts.clock.setTimeout(() => {
      setImmediate(() => {
        if (!this.#isSettled && isLate()) this.#fail(new TroupeError('ERR_HANDSHAKE_TIMEOUT', `${ms} ms`));
      });
    }, ms);
  }
}
