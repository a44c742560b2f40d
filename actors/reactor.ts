/** Reactors: what a host does with messages, each a supervised actor over its channels (ADR 062, Reactor). */
import { setMaxListeners } from 'node:events';
import { fromPromise, type AnyActorLogic } from 'xstate';
import type { Logger } from 'pino';
import type { Endpoint } from '../proto/endpoint.ts';
import type { NodeId } from '../proto/identity.ts';
import type { NodeInfo } from '../proto/node-info.ts';
import type { NodeOptions } from '../proto/options.ts';
import type { Clock, Random } from '../transports/clock.ts';
import { Attendance } from './attendance.ts';
import type { Behaviour, Channel, ChannelOptions } from './channel.ts';
import { each, repeat } from './loops.ts';
import type { PeerManager, PeerUpdate, Peers } from './peer-manager.ts';
import { Pulse, Work } from './pulse.ts';

/** Channels by the reactor's own names for them. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- each channel has its own message type
export type ChannelDeclarations = Readonly<Record<string, ChannelOptions<any>>>;

/** What a reactor is given, as input of its logic and as last argument of its handlers. */
export type ReactorContext<C extends ChannelDeclarations = ChannelDeclarations> = Readonly<{
  channels: { readonly [K in keyof C]: C[K] extends ChannelOptions<infer M> ? Channel<M> : never };
  peers: Peers;
  /** Aborts when the reactor is stopped. */
  signal: AbortSignal;
  log: Logger;
  clock: Clock;
  random: Random;
  /** Tells the watchdog that a long piece of work goes on: to be called at least every `supervision.watchdogMs` in one that lasts longer than three of them. */
  alive(): void;
}>;

/** What the node adds to the context for reactors of its own, like peer exchange. No contract: it changes with the node. */
export type InternalContext = Readonly<{
  manager: Pick<PeerManager, 'add' | 'advertise' | 'counts'>;
  /** Facts about a peer that is up. */
  link(id: NodeId): Readonly<{ direction: 'inbound' | 'outbound'; remoteEndpoint: Endpoint; nodeInfo: NodeInfo }> | undefined;
  options: NodeOptions;
  /** What the node's transports can dial; those of this package by default. */
  protocols?: readonly string[];
  /** Told of each throw that a reactor survived and blamed on nobody. */
  onCaught?: () => void;
  /** Its signs of life, for its watchdog. */
  pulse?: Pulse;
}>;

/** The input of a reactor's logic but for what belongs to one start of it. */
export type ReactorServices = Omit<ReactorContext, 'channels' | 'signal' | 'alive'> & InternalContext;

/** A reactor as the node takes it: a name, its channels, and any XState logic whose input is a `ReactorContext`. */
export type Reactor = Readonly<{
  name: string;
  channels: ChannelDeclarations;
  logic: AnyActorLogic;
  /** A crash loop ends the node instead of isolating the reactor. */
  essential?: boolean;
}>;

type MessageOf<O> = O extends ChannelOptions<infer M> ? M : never;
/** One message with its sender and the channel it came on. */
export type Incoming<C extends ChannelDeclarations> = {
  [K in keyof C & string]: Readonly<{ from: NodeId; message: MessageOf<C[K]>; channel: K }>;
}[keyof C & string];

/** A reactor written as handlers. */
export type ReactorHandlers<C extends ChannelDeclarations> = Readonly<{
  name: string;
  channels: C;
  /** A crash loop ends the node instead of isolating the reactor. */
  essential?: boolean;
  onStart?(context: ReactorContext<C>): void | Promise<void>;
  onMessage?(incoming: Incoming<C>, context: ReactorContext<C>): void | Promise<void>;
  onPeerUpdate?(update: PeerUpdate, context: ReactorContext<C>): void | Promise<void>;
  /** Pairs of milliseconds and a function called that often, never overlapping itself. */
  every?: readonly (readonly [ms: number, run: (context: ReactorContext<C>) => void | Promise<void>])[];
}>;

/** Thrown by a handler to blame the sender of the message being handled; the reactor goes on. */
export class PeerFault extends Error {
  override readonly name = 'PeerFault';
  readonly behaviour: Behaviour;
  constructor(behaviour: Behaviour, text: string) {
    super(text);
    this.behaviour = behaviour;
  }
}

/**
 * Makes a reactor of handlers. Its actor runs until it is stopped: `onStart` first, then one loop a channel, the peer updates and the timers, side by side.
 *
 * A channel's next message is taken once `onMessage` is done with the one before, so a slow handler makes its senders wait; without `onMessage`
 * the channels are left to be read by `onStart`. Where `onPeerUpdate` is given, a peer is up before its first message and down after its last.
 * A timer first runs after its time, skips what it missed, and never overlaps itself.
 *
 * What `onMessage` throws is logged and counted, and the next message is taken; a `PeerFault` is reported against the sender.
 * Whatever else throws fails the actor, for its supervisor to restart; so does a handler that does not come back and waits for no channel.
 * What `onPeerUpdate` throws, and an `onMessage` that hangs, may be a remote's doing, and never isolates the reactor.
 * Stopping aborts `signal`, ends all loops and clears all timers.
 */
export function reactor<const C extends ChannelDeclarations>(handlers: ReactorHandlers<C>): Reactor {
  const { name, channels, essential = false } = handlers;
  return { name, channels, essential, logic: reactorLogic<C>(() => handlers) };
}

type Handlers<C extends ChannelDeclarations> = Omit<ReactorHandlers<C>, 'name' | 'channels' | 'essential'>;

/** The logic behind `reactor`, for handlers that are made anew, and with them their state, at each start. */
export function reactorLogic<C extends ChannelDeclarations, Extra = unknown>(
  make: (context: ReactorContext<C> & Extra) => Handlers<C>,
): AnyActorLogic {
  return fromPromise<void, ReactorContext<C> & Extra>(({ input, signal }) => run(make, input, signal));
}

async function run<C extends ChannelDeclarations, Extra>(
  make: (context: ReactorContext<C> & Extra) => Handlers<C>,
  input: ReactorContext<C> & Extra,
  outer: AbortSignal,
): Promise<void> {
  // A loop that fails ends the others, which the actor's own signal would not.
  const stopping = new AbortController();
  setMaxListeners(0, stopping.signal);
  const stop = (): void => stopping.abort(outer.reason ?? input.signal.reason);
  for (const signal of [outer, input.signal]) {
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
  }
  const context = { ...input, signal: stopping.signal };
  const { pulse = new Pulse(1) } = input as Partial<InternalContext>;
  try {
    const handlers = make(context);
    await started(handlers, context, pulse);
    await Promise.all(loops(handlers, context, pulse));
  } catch (error) {
    // What a handler throws because it is stopped is no fault.
    if (!stopping.signal.aborted) throw error;
  } finally {
    for (const signal of [outer, input.signal]) signal.removeEventListener('abort', stop);
    stopping.abort();
  }
}

/** Without `onMessage` it may be `onStart` that reads the channels, for as long as the reactor lives; then it is watched by what it reads. */
async function started<C extends ChannelDeclarations>(
  { onStart, onMessage }: Handlers<C>,
  context: ReactorContext<C>,
  pulse: Pulse,
): Promise<void> {
  if (onStart && !onMessage) return onStart(context);
  pulse.accountable = true;
  if (onStart) await pulse.watch(new Work('onStart')).during(onStart(context));
}

function loops<C extends ChannelDeclarations>(
  handlers: Handlers<C>,
  context: ReactorContext<C> & Partial<InternalContext>,
  pulse: Pulse,
): readonly Promise<void>[] {
  const { signal, clock } = context;
  const attendance = handlers.onPeerUpdate && new Attendance(clock, announcer(handlers.onPeerUpdate, context, pulse));
  const running = (handlers.every ?? []).map(([ms, tick]) => {
    const ticking = pulse.watch(new Work(`a timer of ${ms} ms`));
    return repeat(clock, ms, signal, () => ticking.during(tick(context)));
  });
  if (attendance) running.push(attendance.run(signal), follow(attendance, context));
  for (const [name, channel] of Object.entries(context.channels) as [string, Channel<unknown>][]) {
    if (!handlers.onMessage) break;
    const handling = pulse.watch(new Work(`onMessage of ${name}`, true));
    const handle = (incoming: Received): Promise<void> | undefined => {
      const handled = handlers.onMessage?.(incoming as Incoming<C>, context);
      return handled ? handling.during(handled) : undefined;
    };
    const reader: Reader = { context, channel, attendance, handle };
    running.push(each(channel, context, ({ from, message }) => receive(reader, { from, message, channel: name })));
  }
  return [...running, aborted(signal)];
}

/** Tells a reactor of an update. Updates come from what remotes do, and so may what is thrown. */
function announcer<C extends ChannelDeclarations>(
  handle: NonNullable<Handlers<C>['onPeerUpdate']>,
  context: ReactorContext<C>,
  pulse: Pulse,
): (update: PeerUpdate) => Promise<void> {
  const telling = pulse.watch(new Work('onPeerUpdate', true));
  return async (update) => {
    try {
      await telling.during(handle(update, context));
    } catch (error) {
      pulse.blameRemote(error);
      throw error;
    }
  };
}

/** Reads the updates ahead of their handler, so that none is behind a message. */
async function follow(attendance: Attendance, { peers, signal, clock }: ReactorContext): Promise<void> {
  await each(peers.updates(signal), { signal, clock }, async (event) => {
    if ('snapshotEnd' in event) return;
    // The router sends a down when the mailboxes are empty of the peer; what was just taken from one needs a few turns to reach its loop.
    if (event.status === 'down') for (let turn = 0; turn < turnsToSettle; turn++) await Promise.resolve();
    await attendance.announce(event);
  });
}

/** Promise turns, several times what two nested async iterators take to hand over a value. */
const turnsToSettle = 32;

type Received = Readonly<{ from: NodeId; message: unknown; channel: string }>;
/** What the loop of one channel needs. */
type Reader = Readonly<{
  context: ReactorContext & Partial<InternalContext>;
  channel: Channel<unknown>;
  attendance: Attendance | undefined;
  handle(incoming: Received): Promise<void> | undefined;
}>;

async function receive({ context, channel, attendance, handle }: Reader, incoming: Received): Promise<void> {
  const { signal, log, onCaught } = context;
  const { from } = incoming;
  if (attendance && !(await attendance.enter(from))) {
    if (!signal.aborted) log.error({ from, channel: incoming.channel }, 'message of a peer that is not up');
    return;
  }
  try {
    await handle(incoming);
  } catch (error) {
    if (signal.aborted) return;
    if (error instanceof PeerFault) {
      log.debug({ from, channel: incoming.channel, behaviour: error.behaviour, reason: error.message }, 'peer blamed');
      channel.report({ from, behaviour: error.behaviour, reason: error.message });
    } else {
      log.error({ err: error, from, channel: incoming.channel }, 'message handler failed');
      onCaught?.();
    }
  } finally {
    attendance?.leave(from);
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
