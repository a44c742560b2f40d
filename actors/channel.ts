/** A channel as its reactor sees it: a mailbox to read, peers to send to. */
import { setMaxListeners } from 'node:events';
import type { Logger } from 'pino';
import { decodeMessage, encodeMessage, type MessageType } from '../proto/codec.ts';
import { TroupeError, type DropReason } from '../proto/errors.ts';
import type { Behaviour } from '../machines/policy/score.ts';
import type { NodeId } from '../proto/identity.ts';
import type { MailboxOptions, QueuePolicy } from '../proto/options.ts';
import { sleep, type Clock, type TimerHandle } from '../transports/clock.ts';
import type { ChannelDescriptor } from '../transports/transport.ts';
import type { Counters } from './metrics.ts';
import type { Entry, PutResult, Queue } from './queue.ts';
import { makeQueue } from './queues/policy.ts';
import { ReceiveRates, type ReceiveRate, type SendRate } from './rate.ts';
import { Requests, type Request } from './request.ts';

/** A message with its sender. */
export type Envelope<M> = Readonly<{ from: NodeId; message: M }>;

/** How a peer behaved, as a reactor names it; the effect on its score is policy. */
export type { Behaviour };

/** What to do with a message that finds no room: wait for it, drop the new one, or drop the oldest of the same channel and peer. */
export type DropPolicy = 'wait' | 'newest' | 'oldest';

/** What opens a channel. */
export type ChannelOptions<M> = Readonly<{
  /** 0 to 255; listed in NodeInfo. */
  id: number;
  /** For logs and the actor tree; `0x77` style if left out. */
  name?: string;
  type: MessageType<M>;
  /** Weight in the packet scheduler and in the queues of peers, 1 or more. */
  priority: number;
  /** Largest encoded message in bytes, both ways. */
  maxMessageBytes: number;
  /**
   * Whose message the reader gets next: `wdrr` lets peers take turns, in bytes; `priority` prefers those that the operator named (persistent and
   * unconditional peers), even if others starve; `fifo` takes the oldest. By default what the option `mailbox.queue` says. The order among
   * channels in a peer's queue is the node's to choose: option `peerQueue.queue`.
   */
  queue?: QueuePolicy;
  /**
   * What happens to a message that finds no room, in the queue of the peer it is for or in the mailbox: by default it waits there, and with it
   * whoever sends. A broadcast never waits: with `wait` it is dropped for a peer whose queue is full, as with `newest`.
   */
  drop?: DropPolicy;
  /** Most messages from one peer; none is refused for its rate if left out. */
  receiveRate?: ReceiveRate;
  /** Most messages to one peer. */
  sendRate?: SendRate;
}>;

/** An open channel (ADR 062, Channel). */
export interface Channel<M> extends AsyncIterable<Envelope<M>>, AsyncDisposable {
  readonly id: number;
  readonly name: string;
  /**
   * Sends to one peer. Waits while the peer's queue is full; false, with the reason in `drops`, when policy drops it, the peer is down or does
   * not list the channel, or the type of the channel cannot encode it.
   * @throws TroupeError `ERR_CHANNEL_CLOSED`, `ERR_SEND_TOO_LARGE`, or the signal's reason.
   */
  send(envelope: { to: NodeId; message: M }, options?: { signal?: AbortSignal }): Promise<boolean>;
  /** Sends to every peer that lists the channel, encoded once, and never waits for the slowest; resolves with the number of peers whose queue took it. */
  broadcast(message: M): Promise<number>;
  /**
   * Sends and waits for the next message of that peer on this channel that `match` accepts; that message does not reach the reader. One in flight a
   * peer unless `match` is given.
   * @throws TroupeError `ERR_REQUEST_PENDING`, `ERR_REQUEST_TIMEOUT`, `ERR_REQUEST_FAILED`, and what `send` throws.
   */
  request(request: Request<M>): Promise<M>;
  /** Tells the peer manager how a peer behaved. */
  report(report: { from: NodeId; behaviour: Behaviour; reason: string }): void;
  /** Withdraws the channel: readers end, senders fail. Idempotent. */
  close(): Promise<void>;
}

/** An encoded message on its way out; a broadcast puts the same one in many queues. */
export type Outgoing = Readonly<{ channelId: number; bytes: Uint8Array }>;

/** What a channel needs of the router. */
export type ChannelDeps = Readonly<{
  clock: Clock;
  mailbox: MailboxOptions;
  counters: Counters;
  log: Logger;
  /** One peer's queue takes the message, waits or drops. */
  route(to: NodeId, message: Outgoing, policy: DropPolicy, signal?: AbortSignal): PutResult | Promise<PutResult>;
  /** Every peer that lists the channel, without waiting. */
  routeAll(message: Outgoing, policy: Exclude<DropPolicy, 'wait'>): number;
  /** What a peer counts for in a mailbox, from 1. */
  weightOf(from: NodeId): number;
  /** When a peer that is up could begin to send; undefined when it is not up. */
  introducedAt(id: NodeId): number | undefined;
  report(from: NodeId, behaviour: Behaviour, reason: string, source?: 'host'): void;
  /** Takes the channel out of the router. */
  withdraw(channel: { readonly id: number }): void;
}>;

/** What a watchdog looks at: whether somebody reads, how much he has taken, how much waits for him, and what of his waits for a peer. */
export type ChannelActivity = Readonly<{ reading: boolean; taken: number; waiting: number; sending: number }>;

/** The router's channel: encodes on the way out, keeps the mailbox on the way in. */
export class RoutedChannel<M> implements Channel<M> {
  readonly id: number;
  readonly name: string;
  readonly descriptor: ChannelDescriptor;
  readonly sendRate: SendRate | undefined;
  readonly #type: MessageType<M>;
  readonly #drop: DropPolicy;
  readonly #deps: ChannelDeps;
  readonly #mailbox: Queue<Envelope<M>>;
  readonly #requests: Requests<M>;
  readonly #receiveRates: ReceiveRates | undefined;
  #wake: (() => void) | undefined;
  #reading = false;
  #taken = 0;
  #sending = 0;
  #closed = false;
  #finish: () => void = () => undefined;
  /** Resolves when the channel is closed. */
  readonly over = new Promise<void>((resolve) => (this.#finish = resolve));
  /** When the reader last took something, or the mailbox last had room. */
  #movedAt: number;
  #stall: AbortController | undefined;

  constructor(options: ChannelOptions<M>, deps: ChannelDeps) {
    this.id = options.id;
    this.name = options.name ?? `0x${options.id.toString(16).padStart(2, '0')}`;
    this.descriptor = Object.freeze({ id: options.id, priority: options.priority, maxMessageBytes: options.maxMessageBytes });
    this.#type = options.type;
    this.#drop = options.drop ?? 'wait';
    this.#deps = deps;
    this.#movedAt = deps.clock.now();
    this.sendRate = options.sendRate;
    this.#requests = new Requests(deps.clock, this.name);
    const { maxBytes, maxMessages, peerShare } = deps.mailbox;
    const share = (whole: number): number => Math.max(1, Math.floor((whole * peerShare) / 100));
    this.#mailbox = makeQueue<Envelope<M>>(
      options.queue ?? deps.mailbox.queue,
      { maxBytes, maxMessages, laneMaxBytes: share(maxBytes), laneMaxMessages: share(maxMessages) },
      {
        weightOf: ({ item }) => deps.weightOf(item.from),
        onDrop: ({ item }, reason) => this.#dropped(reason, item.from),
        fullReason: 'mailboxFull',
      },
    );
    this.#receiveRates = options.receiveRate && new ReceiveRates(options.receiveRate, deps.clock, deps.introducedAt);
  }

  get closed(): boolean {
    return this.#closed;
  }

  get activity(): ChannelActivity {
    return { reading: this.#reading, taken: this.#taken, waiting: this.#mailbox.size, sending: this.#sending + this.#requests.size };
  }

  /** Messages waiting for the reader; for status. */
  get waiting(): number {
    return this.#mailbox.size;
  }

  async send({ to, message }: { to: NodeId; message: M }, options?: { signal?: AbortSignal }): Promise<boolean> {
    const encoded = this.#encode(message);
    this.#sending++;
    try {
      const result = encoded ? await this.#deps.route(to, encoded, this.#drop, options?.signal) : 'unencodable';
      if (result === true) return true;
      this.#dropped(result, to);
      if (result === 'withdrawn') throw new TroupeError('ERR_CHANNEL_CLOSED', this.name);
      return false;
    } finally {
      this.#sending--;
    }
  }

  async broadcast(message: M): Promise<number> {
    const encoded = this.#encode(message);
    if (encoded) return this.#deps.routeAll(encoded, this.#drop === 'oldest' ? 'oldest' : 'newest');
    this.#deps.counters.drop('unencodable', { channelId: this.id });
    return 0;
  }

  request(request: Request<M>): Promise<M> {
    return this.#requests.ask(request, (signal) => this.send({ to: request.to, message: request.message }, { signal }));
  }

  report({ from, behaviour, reason }: { from: NodeId; behaviour: Behaviour; reason: string }): void {
    this.#deps.report(from, behaviour, reason, 'host');
  }

  close(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#closed = true;
    this.#requests.close();
    this.#receiveRates?.close();
    this.#stall?.abort(new TroupeError('ERR_CHANNEL_CLOSED', this.name));
    this.#mailbox.close('mailboxClosed');
    this.#deps.withdraw(this);
    this.#wake?.();
    this.#finish();
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  [Symbol.asyncIterator](): AsyncIterator<Envelope<M>> {
    if (this.#reading) throw new TroupeError('ERR_CHANNEL_READ_TWICE', this.name);
    this.#reading = true;
    let left = false;
    const end = (): Promise<IteratorResult<Envelope<M>>> => {
      if (!left) this.#reading = false;
      left = true;
      this.#wake?.();
      return Promise.resolve({ done: true, value: undefined });
    };
    return {
      next: async () => {
        for (;;) {
          if (left) return end();
          const entry = this.#mailbox.take();
          if (entry) {
            this.#taken++;
            this.#moved();
            return { done: false, value: entry.item };
          }
          if (this.#closed) return end();
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
            this.#mailbox.onAdded(resolve);
          });
        }
      },
      return: end,
    };
  }

  /**
   * Puts a message from a link in the mailbox, or hands it to the request that waits for it. While the mailbox is full it waits or drops, by the
   * channel's policy; once the reader has taken nothing for the stall time, it drops instead of waiting, until it reads again.
   */
  deliver(from: NodeId, lane: number, encoded: Uint8Array, signal: AbortSignal): void | Promise<void> {
    // A link that was made for an earlier channel of this id may carry larger messages.
    if (this.#closed || encoded.length > this.descriptor.maxMessageBytes) return this.#dropped('withdrawn', from);
    // What may be an answer is counted only once it turns out to be none.
    const isAsked = this.#requests.isAsked(from);
    const overMs = isAsked ? 0 : (this.#receiveRates?.count(from) ?? 0);
    return overMs > 0 ? this.#overRate(from, lane, encoded, signal, overMs) : this.#open(from, lane, encoded, signal, isAsked);
  }

  #open(from: NodeId, lane: number, encoded: Uint8Array, signal: AbortSignal, isAsked: boolean): void | Promise<void> {
    let message: M;
    try {
      message = decodeMessage(this.#type, encoded);
    } catch {
      this.#dropped('malformed', from);
      this.#deps.report(from, 'malformed', `undecodable message on channel ${this.name}`);
      return;
    }
    if (isAsked) {
      if (this.#requests.answer(from, message)) return;
      const overMs = this.#receiveRates?.count(from) ?? 0;
      if (overMs > 0) return this.#overRate(from, lane, encoded, signal, overMs);
    }
    const entry = { lane, bytes: encoded.length, item: Object.freeze({ from, message }) };
    if (this.#mailbox.size === 0) this.#moved();
    const result = this.#mailbox.put(entry, this.#drop === 'oldest' ? 'oldest' : 'newest');
    if (result === true) return;
    if (this.#drop !== 'wait' || this.#stall?.signal.aborted) return this.#dropped(result as DropReason, from);
    return this.#waitForRoom(entry, signal);
  }

  /** Messages of one link that the reader has not taken yet. */
  pendingFrom(lane: number): number {
    return this.#mailbox.laneSize(lane);
  }

  /** A peer is gone: its requests fail, and what it left in the mailbox is dropped. */
  forget(from: NodeId, lane: number): void {
    this.#requests.forget(from);
    this.#mailbox.removeLane(lane, 'peerDown');
  }

  /** Undefined when the type of the channel cannot encode it. */
  #encode(message: M): Outgoing | undefined {
    if (this.#closed) throw new TroupeError('ERR_CHANNEL_CLOSED', this.name);
    let bytes: Uint8Array;
    try {
      bytes = encodeMessage(this.#type, message);
    } catch (error) {
      this.#deps.log.warn({ channel: this.name, error: (error as Error).message }, 'a message cannot be encoded');
      return undefined;
    }
    const { maxMessageBytes } = this.descriptor;
    if (bytes.length <= maxMessageBytes) return { channelId: this.id, bytes };
    throw new TroupeError('ERR_SEND_TOO_LARGE', `${bytes.length} bytes on channel ${this.name}, which takes ${maxMessageBytes}`);
  }

  #overRate(from: NodeId, lane: number, encoded: Uint8Array, signal: AbortSignal, overMs: number): void | Promise<void> {
    if (this.#receiveRates?.waits) return this.#openLater(from, lane, encoded, signal, overMs);
    this.#dropped('rateLimited', from);
    if (!this.#receiveRates?.isReportDue(from)) return;
    this.#deps.report(from, 'flooding', `more messages on channel ${this.name} than its rate allows`);
  }

  async #openLater(from: NodeId, lane: number, encoded: Uint8Array, signal: AbortSignal, overMs: number): Promise<void> {
    try {
      await sleep(this.#deps.clock, overMs, signal);
    } catch (error) {
      this.#dropped('linkClosed', from);
      throw error;
    }
    if (this.#closed) this.#dropped('withdrawn', from);
    else await this.#open(from, lane, encoded, signal, false);
  }

  #dropped(reason: DropReason, peer: NodeId): void {
    this.#deps.counters.drop(reason, { channelId: this.id, peer });
  }

  #moved(): void {
    this.#movedAt = this.#deps.clock.now();
    if (this.#stall?.signal.aborted) this.#stall = undefined;
  }

  async #waitForRoom(entry: Entry<Envelope<M>>, signal: AbortSignal): Promise<void> {
    const stall = (this.#stall ??= stallOf());
    const { clock, mailbox } = this.#deps;
    const { from } = entry.item;
    let timer: TimerHandle;
    const watch = (): void => {
      const left = this.#movedAt + mailbox.stallMs - clock.now();
      if (left <= 0) stall.abort(new TroupeError('ERR_INTERNAL', `channel ${this.name} is not read`));
      else timer = clock.setTimeout(watch, left);
    };
    watch();
    const both = new AbortController();
    const stop = (): void => both.abort(signal.aborted ? signal.reason : stall.signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    stall.signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted || stall.signal.aborted) stop();
    try {
      const result = await this.#mailbox.put(entry, 'wait', both.signal);
      if (result !== true) this.#dropped(result, from);
    } catch (error) {
      this.#dropped(stall.signal.aborted && !signal.aborted ? 'mailboxFull' : 'linkClosed', from);
      if (signal.aborted) throw error;
    } finally {
      clock.clearTimeout(timer);
      signal.removeEventListener('abort', stop);
      stall.signal.removeEventListener('abort', stop);
    }
  }
}

/** Every link that waits for the same reader listens to it. */
function stallOf(): AbortController {
  const stall = new AbortController();
  setMaxListeners(0, stall.signal);
  return stall;
}
