/** A link: one live connection, with its handshake, its queue and its two loops, each an actor of its own. */
import { setMaxListeners } from 'node:events';
import { fromPromise, type AnyActorLogic } from 'xstate';
import type { Logger } from 'pino';
import type { NodeAddress } from '../proto/address.ts';
import { TroupeError, asTroupeError, type DisconnectReason } from '../proto/errors.ts';
import type { NodeId, NodeKey } from '../proto/identity.ts';
import { compatibility, type NodeInfo } from '../proto/node-info.ts';
import type { NodeOptions } from '../proto/options.ts';
import { guarded } from '../machines/supervisor.ts';
import { linkMachine, type Outcome } from '../machines/link.ts';
import { sleep, type Clock } from '../transports/clock.ts';
import type { ChannelDescriptor, Connection, RemotePeer } from '../transports/transport.ts';
import type { Outgoing, RoutedChannel } from './channel.ts';
import type { Counters } from './metrics.ts';
import type { Arrival, LinkHandle, PeerManager } from './peer-manager.ts';
import type { Queue } from './queue.ts';

/** What a link needs of the router. */
export type LinkDeps = Readonly<{
  clock: Clock;
  log: Logger;
  key: NodeKey;
  options: NodeOptions;
  counters: Counters;
  manager: PeerManager;
  nodeInfo(): NodeInfo;
  descriptors(): readonly ChannelDescriptor[];
  channel(id: number): RoutedChannel<unknown> | undefined;
  channels(): Iterable<RoutedChannel<unknown>>;
  routed(link: Link): void;
  unrouted(link: Link): void;
  /** The link is over, for whoever waits for it. */
  ended(link: Link): void;
  find(handle: LinkHandle): Link | undefined;
}>;

/** A version that begins so is this runtime's: two of us settle a duplicate at once. */
const oursPrefix = 'troupe/';
/** A close within this time of NodeInfo, before any message, is a rejection. */
const rejectionMs = 2_000;
const closeMs = 1_000;
/** How long to wait between looks at a mailbox that still holds messages of a peer that is gone. */
const drainPollMs = 10;
/** Messages handed over in one go before other work gets its turn. */
const burst = 256;

/** One link's facts. Mutable only by its own actor. */
export class Link {
  readonly handle: LinkHandle;
  /** A small number from a bounded pool: the lane in every mailbox, and the name in the actor tree. */
  readonly slot: number;
  readonly connection: Connection;
  readonly direction: 'inbound' | 'outbound';
  /** The address that was dialed. */
  readonly address: NodeAddress | undefined;
  readonly queue: Queue<Outgoing>;
  /** Ends the link; set by its actor. */
  close: (reason: DisconnectReason, options?: { error?: Error; flush?: boolean }) => void = () => undefined;
  /** Resolves when the link is over. */
  readonly over: Promise<void>;
  remote: RemotePeer | undefined;
  /** What the remote lists. */
  channels: ReadonlySet<number> = new Set();
  /** Whether the peer manager knows of it, so that it must hear of its end. */
  admitted = false;
  /** The link it is held beside. */
  older: LinkHandle | undefined;
  /** When NodeInfo was exchanged, and when the peer came up. */
  introducedAt: number | undefined;
  upAt: number | undefined;
  /** Never aborts: what has been handed over ends with its connection. */
  readonly handed = new AbortController();
  /** Channels with a message in progress in the connection. */
  readonly busy = new Map<number, Promise<void>>();
  readonly finish: () => void;

  constructor(handle: LinkHandle, slot: number, connection: Connection, queue: Queue<Outgoing>, address?: NodeAddress) {
    this.handle = handle;
    this.slot = slot;
    this.connection = connection;
    this.direction = connection.direction;
    this.queue = queue;
    this.address = address;
    setMaxListeners(0, this.handed.signal);
    let finish = (): void => undefined;
    this.over = new Promise((resolve) => (finish = resolve));
    this.finish = finish;
  }

  get id(): NodeId | undefined {
    return this.remote?.nodeId;
  }
}

/** The link's actor: the chart of `machines/link.ts` with its effects. `settled` tells a dialer that its dial has been answered. */
export function linkLogic(deps: LinkDeps, link: Link, settled: () => void): AnyActorLogic {
  return guarded(
    linkMachine.provide({
      actors: {
        handshake: fromPromise<Outcome>(({ signal }) => shakeHands(deps, link, signal).finally(settled)),
        settle: fromPromise<Outcome>(({ signal }) => settle(deps, link, signal)),
        replace: fromPromise<void, { replaces: string }>(async ({ input }) => {
          const older = deps.find(input.replaces);
          older?.close('duplicate');
          await older?.over;
        }),
        send: fromPromise<void>(({ signal }) => send(link, signal)),
        receive: fromPromise<void>(({ signal }) => receive(deps, link, signal)),
        close: fromPromise<void, { reason: DisconnectReason; error: Error | undefined; flush: boolean }>(({ input }) =>
          end(deps, link, input.reason, input.error, input.flush),
        ),
      },
      actions: {
        bind: ({ self }) => {
          link.close = (reason, options = {}) => self.send({ type: 'link.close', reason, ...options });
        },
        route: () => {
          link.upAt = deps.clock.now();
          deps.routed(link);
          deps.manager.ready(link.remote!.nodeId, link.handle);
        },
        unroute: () => deps.unrouted(link),
      },
    }),
  );
}

async function shakeHands(deps: LinkDeps, link: Link, signal: AbortSignal): Promise<Outcome> {
  try {
    const own = deps.nodeInfo();
    const remote = await link.connection.handshake(
      { key: deps.key, nodeInfo: own, channels: deps.descriptors(), ...(link.address && { expectedId: link.address.nodeId }) },
      signal,
    );
    link.remote = remote;
    link.channels = new Set(remote.nodeInfo.channels);
    link.introducedAt = deps.clock.now();
    const problem = compatibility(own, remote.nodeInfo);
    if (problem) throw new TroupeError('ERR_PEER_INCOMPATIBLE', problem);
  } catch (error) {
    // A dial is answered exactly once, also when it was cut short by our own stop.
    if (link.address) deps.manager.dialFailed(link.address, asTroupeError(error, 'ERR_DIAL_FAILED'));
    throw error;
  }
  const arrival = arrivalOf(link);
  const admission = link.address ? deps.manager.dialed(link.address, arrival) : deps.manager.accepted(arrival);
  link.admitted = admission.verdict !== 'refuse';
  if (admission.verdict === 'hold') link.older = admission.older;
  return admission;
}

function arrivalOf(link: Link): Arrival {
  const { nodeId, nodeInfo } = link.remote!;
  const { ip } = link.connection.remoteEndpoint;
  return {
    id: nodeId,
    link: link.handle,
    ours: nodeInfo.version.startsWith(oursPrefix),
    channels: nodeInfo.channels,
    ...(ip && { remoteIp: ip }),
  };
}

/** Held beside an older link: the older is probed, and whichever of the two the remote closes decides. */
async function settle(deps: LinkDeps, link: Link, signal: AbortSignal): Promise<Outcome> {
  const older = link.older === undefined ? undefined : deps.find(link.older);
  older?.connection.ping?.(signal).catch(() => undefined);
  const stop = new AbortController();
  const onAbort = (): void => stop.abort(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  const lost = link.connection.ended.then((error) => {
    throw error ?? new TroupeError('ERR_CONNECTION_CLOSED');
  });
  try {
    return await Promise.race([deps.manager.settled(link.handle, stop.signal), lost]);
  } finally {
    signal.removeEventListener('abort', onAbort);
    stop.abort(new TroupeError('ERR_CONNECTION_CLOSED'));
  }
}

/** Keeps one message a channel in the connection, which interleaves their packets; the queue chooses among idle channels. */
async function send({ connection, queue, busy, handed }: Link, signal: AbortSignal): Promise<void> {
  const idle = (channelId: number): boolean => !busy.has(channelId);
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
      const entry = queue.take(idle);
      if (!entry) {
        if (queue.closed) return;
        await new Promise<void>((resolve) => {
          woken = resolve;
          queue.onAdded(resolve);
        });
        continue;
      }
      const { item } = entry;
      // Not under this loop's signal: a flush goes on where the loop stops, and needs to know when the channel is free.
      const pending = connection.sendMessage(item, handed.signal);
      if (pending) {
        busy.set(item.channelId, pending);
        pending.then(() => {
          busy.delete(item.channelId);
          wake();
        }, fail);
      }
      if (taken % burst === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  } finally {
    queue.onAdded(undefined);
    signal.removeEventListener('abort', wake);
  }
}

/** Hands what arrives to the channels' mailboxes until the connection ends. */
async function receive(deps: LinkDeps, link: Link, signal: AbortSignal): Promise<void> {
  const { connection, slot } = link;
  const from = link.remote!.nodeId;
  for (;;) {
    const next = connection.receiveMessage(signal);
    const message = next instanceof Promise ? await next : next;
    const channel = deps.channel(message.channelId);
    if (!channel) {
      deps.counters.drop('withdrawn', { channelId: message.channelId, peer: from });
      continue;
    }
    const waiting = channel.deliver(from, slot, message.bytes, signal);
    if (waiting) await waiting;
  }
}

/** Closes the connection, lets readers take what the peer left behind, then tells the manager: down comes after the last message. */
async function end(deps: LinkDeps, link: Link, reason: DisconnectReason, error: Error | undefined, flush: boolean): Promise<void> {
  const { connection, queue, slot } = link;
  const deadline = new AbortController();
  setMaxListeners(0, deadline.signal);
  const timer = deps.clock.setTimeout(
    () => deadline.abort(new TroupeError('ERR_CONNECTION_CLOSED')),
    flush ? deps.options.stop.flushMs : closeMs,
  );
  try {
    if (flush) await flushQueue(link, deadline.signal).catch(() => undefined);
    await connection.close({ flush, signal: deadline.signal, ...(error && { reason: error }) });
  } finally {
    deps.clock.clearTimeout(timer);
    queue.close('linkClosed');
  }
  const { id } = link;
  if (id && link.upAt !== undefined) {
    await drainMailboxes(deps, slot);
    for (const channel of deps.channels()) channel.forget(id, slot);
  }
  const final = isRejection(deps, link, reason) ? 'rejected' : reason;
  deps.counters.disconnect(final);
  deps.log.debug({ peer: id, link: link.handle, direction: link.direction, reason: final, error: error?.message }, 'link ended');
  if (id && link.admitted) deps.manager.disconnected(id, link.handle, final, error?.message);
  link.finish();
  deps.ended(link);
}

/** Writes what is still queued, in order, until the deadline. */
async function flushQueue({ queue, connection, busy }: Link, signal: AbortSignal): Promise<void> {
  for (let entry = queue.take(); entry; entry = queue.take()) {
    const { item } = entry;
    await busy.get(item.channelId);
    const pending = connection.sendMessage(item, signal);
    if (pending) busy.set(item.channelId, pending);
  }
  await Promise.all(busy.values());
}

async function drainMailboxes(deps: LinkDeps, slot: number): Promise<void> {
  const deadline = deps.clock.now() + deps.options.stop.flushMs;
  const pending = (): boolean => [...deps.channels()].some((channel) => channel.pendingFrom(slot) > 0);
  while (pending() && deps.clock.now() < deadline) await sleep(deps.clock, drainPollMs, new AbortController().signal);
}

/** The wire has no acceptance message: a remote that hangs up at once has refused us. */
function isRejection(deps: LinkDeps, link: Link, reason: DisconnectReason): boolean {
  if (reason !== 'remoteClosed' && reason !== 'reset') return false;
  return (
    link.introducedAt !== undefined && deps.clock.now() - link.introducedAt < rejectionMs && link.connection.status().messagesReceived === 0
  );
}
