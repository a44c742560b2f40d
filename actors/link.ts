/** A link: one live connection, with its handshake, its queue and its two loops, each an actor of its own. */
import { setMaxListeners } from 'node:events';
import { fromPromise, type AnyActorLogic } from 'xstate';
import type { Logger } from 'pino';
import type { NodeAddress } from '../proto/address.ts';
import type { DisconnectReason } from '../proto/errors.ts';
import type { NodeId, NodeKey } from '../proto/identity.ts';
import type { NodeInfo } from '../proto/node-info.ts';
import type { NodeOptions } from '../proto/options.ts';
import { guarded } from '../machines/supervisor.ts';
import { linkMachine, type LinkClose, type Outcome, type Subject } from '../machines/link.ts';
import type { Clock } from '../transports/clock.ts';
import type { ChannelDescriptor, Connection, RemotePeer } from '../transports/transport.ts';
import type { Outgoing, RoutedChannel } from './channel.ts';
import type { Filter } from './filter.ts';
import { endLink } from './link-end.ts';
import { settleRival, shakeHands } from './link-handshake.ts';
import type { Counters } from './metrics.ts';
import type { Traffic } from './monitor/traffic.ts';
import type { LinkHandle, PeerManager } from './peer-manager.ts';
import type { Entry, Queue } from './queue.ts';
import type { SendRates } from './rate.ts';

/** What a link needs of the router. */
export type LinkDeps = Readonly<{
  clock: Clock;
  log: Logger;
  key: NodeKey;
  options: NodeOptions;
  counters: Counters;
  traffic: Traffic;
  manager: PeerManager;
  filter: Filter;
  nodeInfo(): NodeInfo;
  descriptors(): readonly ChannelDescriptor[];
  channel(id: number): RoutedChannel<unknown> | undefined;
  channels(): Iterable<RoutedChannel<unknown>>;
  routed(link: Link): void;
  unrouted(link: Link): void;
  /** The link is over, for whoever waits for it. */
  ended(link: Link): void;
  find(handle: LinkHandle): Link | undefined;
  /** Whether another connection to the same peer lives, or may come to. */
  hasRival(link: Link): boolean;
  /** When NodeInfo may leave, as `Introductions.turn` says it. */
  introduction(id: NodeId, signal: AbortSignal): Promise<void> | undefined;
}>;

/** What a link is made of. */
export type LinkParts = Readonly<{
  handle: LinkHandle;
  /** A small number from a bounded pool: the lane in every mailbox, and the name in the actor tree. */
  slot: number;
  connection: Connection;
  queue: Queue<Outgoing>;
  rates: SendRates;
  /** The address that was dialed. */
  address: NodeAddress | undefined;
}>;

type CloseOptions = Readonly<{ error?: Error; flush?: boolean }>;
type Order = (reason: DisconnectReason, options: CloseOptions) => void;

/** Messages handed over in one go before other work gets its turn. */
const burst = 256;

/** One link's facts. Mutable only by its own actor. */
export class Link {
  readonly handle: LinkHandle;
  readonly slot: number;
  readonly connection: Connection;
  readonly direction: 'inbound' | 'outbound';
  readonly address: NodeAddress | undefined;
  readonly queue: Queue<Outgoing>;
  readonly rates: SendRates;
  /** Resolves when the link is over. */
  readonly over: Promise<void>;
  readonly finish: () => void;
  remote: RemotePeer | undefined;
  /** What both ends list, as it was described in the handshake; by id. */
  channels: ReadonlyMap<number, ChannelDescriptor> = new Map();
  /** Whether the peer manager knows of it, so that it must hear of its end. */
  admitted = false;
  /** The link it is held beside. */
  older: LinkHandle | undefined;
  /** When NodeInfo was exchanged, and when the peer came up. */
  introducedAt: number | undefined;
  upAt: number | undefined;
  /** Whether it closes. */
  ending = false;
  /** Never aborts: what has been handed over ends with its connection. */
  readonly handed = new AbortController();
  /** Channels with a message in progress in the connection, and when each is free again. */
  readonly busy = new Map<number, Promise<void>>();
  #order: Order | undefined;
  #early: Parameters<Order> | undefined;

  constructor({ handle, slot, connection, queue, rates, address }: LinkParts) {
    this.handle = handle;
    this.slot = slot;
    this.connection = connection;
    this.direction = connection.direction;
    this.queue = queue;
    this.rates = rates;
    this.address = address;
    setMaxListeners(0, this.handed.signal);
    let finish = (): void => undefined;
    this.over = new Promise((resolve) => (finish = resolve));
    this.finish = finish;
  }

  get id(): NodeId | undefined {
    return this.remote?.nodeId;
  }

  /** Ends the link, whatever it is doing. The first reason stays. */
  close(reason: DisconnectReason, options: CloseOptions = {}): void {
    if (this.#order) this.#order(reason, options);
    else this.#early ??= [reason, options];
  }

  /** Its actor has begun, and does what was asked for before. */
  obey(order: Order): void {
    this.#order = order;
    if (this.#early) order(...this.#early);
  }

  /**
   * Hands a message to the connection, which may hold it for a while: until then its channel is busy, and the budget of the process counts it.
   * What the connection holds when it ends is lost. Not under the signal of a loop: a flush goes on where the loop stops, and needs to know when the channel is free.
   */
  hand(entry: Entry<Outgoing>): Promise<void> | undefined {
    const { channelId } = entry.item;
    const done = (): void => this.queue.done(entry);
    let pending: void | Promise<void>;
    try {
      pending = this.connection.sendMessage(entry.item, this.handed.signal);
    } catch (error) {
      done();
      throw error;
    }
    if (!pending) {
      done();
      return undefined;
    }
    const free = pending.finally(done).then(() => void this.busy.delete(channelId));
    free.catch(() => undefined); // the end of the connection is noticed by its reader too
    this.busy.set(channelId, free);
    return free;
  }

  /** Whether a message can go over it: both ends listed its channel, and said that it may be so large. */
  carries({ channelId, bytes }: Outgoing): boolean {
    const descriptor = this.channels.get(channelId);
    return descriptor !== undefined && bytes.length <= descriptor.maxMessageBytes;
  }
}

/** What a link's actor is about: the link, and who is told that its handshake has been answered. */
export type LinkSubject = Readonly<{ link: Link; settled: () => void }>;

/** The chart hands back what it was given. */
const given = ({ subject }: Subject): LinkSubject => subject as LinkSubject;

/** The actor of every link of a router: the chart of `machines/link.ts` with its effects. Made once, for to make it costs more than a handshake. */
export function linkLogic(deps: LinkDeps): AnyActorLogic {
  return guarded(
    linkMachine.provide({
      actors: {
        handshake: fromPromise<Outcome, Subject>(({ input, signal }) => {
          const { link, settled } = given(input);
          return shakeHands(deps, link, signal).finally(settled);
        }),
        settle: fromPromise<Outcome, Subject>(({ input, signal }) => settleRival(deps, given(input).link, signal)),
        replace: fromPromise<void, { replaces: string }>(async ({ input }) => {
          const older = deps.find(input.replaces);
          older?.close('duplicate');
          await older?.over;
        }),
        send: fromPromise<void, Subject>(({ input, signal }) => send(deps, given(input).link, signal)),
        receive: fromPromise<void, Subject>(({ input, signal }) => receive(deps, given(input).link, signal)),
        close: fromPromise<void, LinkClose>(({ input }) => endLink(deps, given(input).link, input)),
      },
      actions: {
        bind: ({ context, self }) => given(context).link.obey((reason, options) => self.send({ type: 'link.close', reason, ...options })),
        route: ({ context }) => {
          const { link } = given(context);
          link.upAt = deps.clock.now();
          deps.routed(link);
          deps.manager.ready(link.remote!.nodeId, link.handle);
        },
        unroute: ({ context }) => deps.unrouted(given(context).link),
      },
    }),
  );
}

/** Keeps one message a channel in the connection, which interleaves their packets; the queue chooses among idle channels that may send. */
async function send({ traffic }: LinkDeps, link: Link, signal: AbortSignal): Promise<void> {
  const { queue, rates, busy } = link;
  const idle = (channelId: number): boolean => !busy.has(channelId) && rates.mayLeave(channelId);
  let failure: Error | undefined;
  let woken = (): void => undefined;
  const wake = (): void => woken();
  const fail = (error: unknown): void => {
    failure ??= error as Error;
    wake();
  };
  signal.addEventListener('abort', wake, { once: true });
  try {
    for (let taken = 1; ; taken++) {
      if (failure) throw failure;
      signal.throwIfAborted();
      const entry = queue.takeOver(idle);
      if (!entry) {
        if (queue.closed) return;
        await new Promise<void>((resolve) => {
          woken = resolve;
          queue.onAdded(resolve);
          rates.onTurn(resolve);
        });
        continue;
      }
      const { item } = entry;
      const pending = link.hand(entry);
      rates.left(item.channelId);
      traffic.sent(item.channelId, item.bytes.length);
      pending?.then(wake, fail);
      if (taken % burst === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  } finally {
    queue.onAdded(undefined);
    rates.close();
    signal.removeEventListener('abort', wake);
  }
}

/** Hands what arrives to the channels' mailboxes until the connection ends. */
async function receive(deps: LinkDeps, link: Link, signal: AbortSignal): Promise<void> {
  const { connection, slot } = link;
  const { counters, traffic } = deps;
  const from = link.remote!.nodeId;
  for (;;) {
    const next = connection.receiveMessage(signal);
    const { channelId, bytes } = next instanceof Promise ? await next : next;
    traffic.received(channelId, bytes.length);
    const channel = deps.channel(channelId);
    if (!channel) {
      counters.drop('withdrawn', { channelId, peer: from });
      continue;
    }
    const waiting = channel.deliver(from, slot, bytes, signal);
    if (waiting) await waiting;
  }
}
