/** What can happen to one peer, without times and handles, and the chart of `machines/peer.ts` under it as a model that `graph.ts` explores. */
import { createActor, setup, type AnyActorRef } from 'xstate';
import { expect } from '@jest/globals';
import { formatNodeAddress } from '../../proto/address.ts';
import type { DisconnectReason } from '../../proto/errors.ts';
import { purePeer, restingSnapshot, type PeerSnapshot } from '../../machines/peer.ts';
import { fromInput } from '../../machines/peer-changes.ts';
import { dueAt, type LinkHandle, type PeerContext, type PeerEvent, type PeerInput } from '../../machines/peer-context.ts';
import { effectsOf, isLive, livePeer, type PeerEffect, type PeerNotice } from '../../machines/peer-live.ts';
import { blankRow, type PeerRow } from '../../machines/peer-row.ts';
import type { Behaviour } from '../../machines/policy/score.ts';
import type { Model, Walker } from './graph.ts';
import { addressOf, idOf } from './manager.ts';
import { PeerReference } from './peer-reference.ts';
import { edgeName } from './statechart.ts';
import { VirtualClock } from './virtual-clock.ts';

/** A connection by what it is to the peer; `stale` is one that it has never had. */
export type Role = 'link' | 'rival' | 'leaving' | 'stale';
export type PeerStimulus =
  | Readonly<{ type: 'address'; host: number }>
  | Readonly<{ type: 'dial' | 'dialFailed' | 'evicting' | 'release' }>
  | Readonly<{ type: 'dialed' | 'accepted'; ours: boolean; room: number; dampedForMs?: number }>
  | Readonly<{ type: 'ready'; link: Role }>
  | Readonly<{ type: 'ended'; link: Role; reason: DisconnectReason }>
  | Readonly<{ type: 'reported'; behaviour: Behaviour }>
  | Readonly<{ type: 'evict'; reason: DisconnectReason }>
  | Readonly<{ type: 'dismiss' | 'forget'; hold: boolean }>
  | Readonly<{ type: 'ban'; forMs: number }>
  | Readonly<{ type: 'tick'; ms: number }>;

/** A part of what can happen, small enough to be walked whole. */
export type Story = Readonly<{
  name: string;
  stimuli: readonly PeerStimulus[];
  /** Ticks of the clock at most. */
  ticks: number;
  /** Reports and orders of the operator at most, of which each leaves a trace; any number without. */
  orders?: number;
  /** Whether a second connection may arrive beside the first. */
  crossing: boolean;
  /** Whether dials and connections are reported that nobody asked for. */
  strays?: boolean;
  input?: Partial<PeerInput>;
}>;

export const start = 1_700_000_000_000;
/** The roll of every die, and the room that the operator's dismissal leaves. */
export const roll = 0.5;
export const dismissedForMs = 5_000;
const address = formatNodeAddress(addressOf('a'));
export const retry = { minRetryMs: 250, maxRetryMs: 1_800_000, maxRetryPersistentMs: 60_000, cooldownMs: 2_000 } as const;

/** The peer of a story when it begins: at rest, with one address that was never dialed. */
export function beginning(story: Story): PeerInput {
  const row: PeerRow = {
    ...blankRow(idOf('a')),
    addresses: [{ address, lastSuccess: 0, lastFailure: 0, failures: 0, notBefore: 0, source: 'host' }],
  };
  return { row, peerClass: 'ordinary', ownIdLower: true, addressLimit: 4, durable: true, held: false, now: start, retry, ...story.input };
}

/** What survives when a peer comes to rest. */
function restingInput(input: PeerInput, { row, durable, held, forgotten }: PeerContext, now: number): PeerInput {
  const isGone = forgotten || !durable;
  return { ...input, row: isGone ? blankRow(row.id) : row, durable: durable && !isGone, held, now };
}

/** The link that an event of this role names. */
function handleOf({ link, rival, leaving }: PeerContext, role: Role): LinkHandle {
  const handle = { link: link?.handle, rival: rival?.handle, leaving, stale: 'stale' }[role];
  return handle ?? 'stale';
}

/** Handles from a bounded pool, so that the model stays finite. */
function freeHandle({ link, rival, leaving }: PeerContext): LinkHandle {
  return ['1', '2', '3', '4'].find((each) => ![link?.handle, rival?.handle, leaving].includes(each))!;
}

/** A stimulus as the event that a manager gives to the peer at this moment. */
export function eventOf(context: PeerContext, stimulus: Exclude<PeerStimulus, { type: 'tick' }>, now: number): PeerEvent {
  switch (stimulus.type) {
    case 'address':
      return { type: 'peer.addressAdded', address: addressOf('a', stimulus.host), source: 'host', now };
    case 'dial':
      return { type: 'peer.dial', address, now };
    case 'dialFailed':
      return { type: 'peer.dialFailed', address, code: 'ERR_DIAL_TIMEOUT', now, roll };
    case 'dialed':
    case 'accepted': {
      const arrival = { id: context.row.id, link: freeHandle(context), ours: stimulus.ours, channels: [1], remoteIp: '1.2.3.4' };
      const dialed = stimulus.type === 'dialed';
      const { room, dampedForMs = 0 } = stimulus;
      const dampedUntil = dampedForMs > 0 ? { dampedUntil: now + dampedForMs } : {};
      return { type: `peer.${stimulus.type}`, arrival, address: dialed ? address : '', room, request: 9, now, ...dampedUntil };
    }
    case 'ready':
      return { type: 'peer.ready', link: handleOf(context, stimulus.link), now };
    case 'ended':
      return { type: 'peer.disconnected', link: handleOf(context, stimulus.link), reason: stimulus.reason, detail: '', now, roll };
    case 'reported':
      return { type: 'peer.reported', behaviour: stimulus.behaviour, reason: '', now };
    case 'evict':
      return { type: 'peer.evict', reason: stimulus.reason, now };
    case 'evicting':
      return { type: 'peer.evicting', now };
    case 'release':
      return { type: 'peer.release', now };
    case 'dismiss':
      return { type: 'peer.dismiss', hold: stimulus.hold, until: now + dismissedForMs, reason: '', now };
    case 'ban':
      return { type: 'peer.ban', forMs: stimulus.forMs, reason: '', now };
    case 'forget':
      return { type: 'peer.forget', hold: stimulus.hold, now };
  }
}

const isOrder = ({ type }: PeerStimulus): boolean => ['reported', 'ban', 'dismiss', 'forget', 'release', 'evict'].includes(type);

/** Whether a manager and a router that keep to their protocol let this happen now; in a story of strays they do not. */
function canHappen({ context, value }: PeerSnapshot, stimulus: PeerStimulus, { crossing, strays = false }: Story): boolean {
  const { link, rival, leaving, dialing, row } = context;
  const isFree = crossing || link === undefined;
  switch (stimulus.type) {
    case 'address':
      // Of a peer that is forgotten while it is live only another address is news.
      return stimulus.host === 4 ? row.addresses.length === 0 : context.forgotten && row.addresses.length === 1;
    case 'dial':
      if (strays) return dialing === '' && row.addresses.length > 0 && !link && !context.rejection;
      return value.dial === 'idle' && value.knowledge === 'known' && !link && !context.rejection;
    case 'dialFailed':
      return dialing !== '';
    case 'dialed':
      return isFree && (strays || dialing !== '');
    case 'accepted':
      return isFree;
    case 'ready':
      return stimulus.link === 'stale' || (stimulus.link === 'link' && link?.upSince === 0);
    case 'ended':
      return { link, rival, leaving, stale: true }[stimulus.link] !== undefined;
    case 'evicting':
      return value.eviction === 'scheduled';
    case 'ban':
    case 'dismiss':
    case 'evict':
    case 'forget':
    case 'release':
    case 'reported':
    case 'tick':
      return true;
  }
}

/** One peer at one moment: its chart, live or about to rest, and the time. */
export type Moment = Readonly<{ peer: PeerSnapshot; input: PeerInput; now: number; ticks: number; orders: number }>;

/** The model of a story: the chart itself, given events purely, resting whenever nothing keeps it live. */
export function peerModel(story: Story): Model<Moment, PeerStimulus> {
  const rest = (input: PeerInput): PeerSnapshot => restingSnapshot(input);
  const after = (moment: Moment, event: PeerEvent, now: number): Moment => {
    const [peer] = purePeer.step(moment.peer, event);
    if (isLive(peer.context)) return { ...moment, peer, now };
    const input = restingInput(moment.input, peer.context, now);
    return { ...moment, peer: rest(input), input, now };
  };
  return {
    initial: () => {
      const input = beginning(story);
      return { peer: rest(input), input, now: start, ticks: 0, orders: 0 };
    },
    events: (moment) =>
      story.stimuli.filter((each) => {
        if (each.type === 'tick' && moment.ticks >= story.ticks) return false;
        if (isOrder(each) && moment.orders >= (story.orders ?? Infinity)) return false;
        return canHappen(moment.peer, each, story);
      }),
    next(moment, stimulus) {
      if (stimulus.type !== 'tick') {
        const next = after(moment, eventOf(moment.peer.context, stimulus, moment.now), moment.now);
        return isOrder(stimulus) ? { ...next, orders: moment.orders + 1 } : next;
      }
      const end = moment.now + stimulus.ms;
      let next = moment;
      for (let due = dueAt(next.peer.context); due <= end; due = dueAt(next.peer.context)) {
        const at = Math.max(due, next.now);
        next = after(next, { type: 'peer.due', now: at, roll }, at);
      }
      const { input, peer } = next;
      const isResting = !isLive(peer.context);
      return { ...moment, peer: isResting ? rest({ ...input, now: end }) : peer, input, now: end, ticks: moment.ticks + 1 };
    },
    key: keyOf,
  };
}

const spans = [0, 1, 2_000, 8_000, 10_000, 40_001, 60_000, 3_600_000] as const;
/** How long a time is, as far as any rule cares. */
const span = (ms: number): number => spans.filter((each) => each <= ms).length;

/**
 * What two moments must have in common to be walked as one: the chart's states, and each fact that a rule depends on, as far as it does. Coarser than what is
 * compared, which is everything; the first moment with a key stands for all of them.
 */
function keyOf({ peer: { value, context }, now, ticks, orders }: Moment): string {
  const { link, rival, leaving, rejection, row } = context;
  const known = row.addresses[0];
  return JSON.stringify([
    [ticks, orders],
    value,
    link && [link.direction, span(now - link.since), Math.min(link.failuresBefore, 1), link.isUseful, link.isProven],
    rival && [rival.direction, context.rivalUntil - now],
    leaving && 1,
    rejection && rejection.until - now,
    context.replacedAt > 0 && span(now - context.replacedAt),
    [context.durable, context.cancelled, row.addresses.length, row.score, row.strikes],
    known && [
      Math.min(known.failures, 2),
      span(known.notBefore - now),
      span(row.inactiveUntil - now),
      span(row.bannedUntil - now),
      span(row.dampedUntil - now),
    ],
  ]);
}

/** All that is known of a peer, as text, with links called by what they are. */
export function viewOf({ value, context }: Pick<PeerSnapshot, 'value' | 'context'>): string {
  const roles = new Map<unknown, string>([
    [context.leaving, 'leaving'],
    [context.rival?.handle, 'rival'],
    [context.link?.handle, 'link'],
  ]);
  roles.delete(undefined);
  const { knowledge, dial, connection, eviction } = value;
  return JSON.stringify([knowledge, dial, connection, eviction, context], (key, each: unknown) =>
    key === 'handle' || key === 'leaving' ? (roles.get(each) ?? each) : each,
  );
}

/** Names of the chart's transitions that a real actor has taken. */
export type Taken = Set<string>;

const parent = setup({
  types: {
    input: {} as { peer: PeerInput; hear(notice: PeerNotice): void },
    context: {} as { hear(notice: PeerNotice): void },
    events: {} as PeerNotice,
  },
  actors: { peer: livePeer },
}).createMachine({
  context: ({ input, spawn }) => {
    spawn('peer', { id: 'peer', input: input.peer });
    return { hear: input.hear };
  },
  on: { '*': { actions: ({ context, event }) => context.hear(event) } },
});

/** One real peer under a virtual clock, started and stopped as a manager does it, and its reference beside it. */
export class PeerWalker implements Walker<Moment, PeerStimulus> {
  readonly #clock = new VirtualClock(start);
  readonly #taken: Taken;
  readonly #reference: PeerReference;
  #input: PeerInput;
  #actor: AnyActorRef | undefined;
  #context: PeerContext;
  #timer: unknown;
  #effects: PeerEffect[] = [];

  constructor(story: Story, taken: Taken) {
    this.#taken = taken;
    this.#input = beginning(story);
    this.#context = restingSnapshot(this.#input).context;
    this.#reference = new PeerReference(this.#input);
  }

  step(stimulus: PeerStimulus, foretold: Moment, isNew: boolean): void {
    this.#effects = [];
    if (stimulus.type === 'tick') this.#clock.advance(stimulus.ms);
    else this.#give(eventOf(this.#context, stimulus, this.#clock.wallNow()));
    if (!isNew) return;
    const now = this.#clock.wallNow();
    const snapshot = this.#actor ? (this.#child().getSnapshot() as PeerSnapshot) : restingSnapshot({ ...this.#input, now });
    const seen = viewOf(snapshot);
    if (seen !== viewOf(foretold.peer)) expect(JSON.parse(seen)).toEqual(JSON.parse(viewOf(foretold.peer)));
    this.#reference.compare(snapshot, now);
  }

  #child(): AnyActorRef {
    return (this.#actor!.getSnapshot() as { children: Record<string, AnyActorRef> }).children['peer']!;
  }

  #give(event: PeerEvent): void {
    const seen = this.#effects.length;
    if (this.#actor) this.#child().send(event);
    else this.#wake(event);
    this.#clock.clearTimeout(this.#timer);
    const at = dueAt(this.#context);
    if (at < Infinity)
      this.#timer = this.#clock.setTimeout(
        () => this.#give({ type: 'peer.due', now: this.#clock.wallNow(), roll }),
        at - this.#clock.wallNow(),
      );
    this.#reference.hear(event, this.#effects.slice(seen));
    if (!isLive(this.#context)) this.#rest(event.now);
  }

  /** An event for a peer at rest: decided by its row, unless it goes live. */
  #wake(event: PeerEvent): void {
    const input = { ...this.#input, now: event.now };
    const [next, actions] = purePeer.step(restingSnapshot(input), event);
    if (!isLive(next.context)) {
      this.#context = next.context;
      this.#effects.push(...effectsOf(actions));
      return;
    }
    this.#actor = createActor(parent, {
      clock: this.#clock,
      input: { peer: input, hear: (notice) => this.#hear(notice) },
      inspect: (inspected) => {
        if (inspected.type === '@xstate.microstep') for (const each of inspected._transitions) this.#taken.add(edgeName(each));
      },
    });
    this.#actor.start();
    this.#child().send(event);
  }

  #hear(notice: PeerNotice): void {
    if (notice.type === 'peer.asked') this.#effects.push(notice.effect);
    else this.#context = notice.context;
  }

  #rest(now: number): void {
    this.#actor?.stop();
    this.#actor = undefined;
    this.#input = restingInput(this.#input, this.#context, now);
    this.#context = fromInput(this.#input);
    this.#reference.rest(this.#input);
  }

  /** Whatever has begun comes to an end, and then nothing is left over. */
  end(): void {
    for (let context = this.#context; isLive(context); context = this.#context) {
      if (context.dialing !== '') this.#give(eventOf(context, { type: 'dialFailed' }, this.#clock.wallNow()));
      else if (context.rival) this.#give(eventOf(context, { type: 'ended', link: 'rival', reason: 'shutdown' }, this.#clock.wallNow()));
      else if (context.link) this.#give(eventOf(context, { type: 'ended', link: 'link', reason: 'shutdown' }, this.#clock.wallNow()));
      else this.#clock.advance(Math.max(0, dueAt(context) - this.#clock.wallNow()));
    }
    this.#reference.end();
    expect(this.#clock.pending).toBe(0);
  }
}
