/** How the manager speaks to its peers: an event goes to the actor of a live peer and through the same chart, purely, for a peer at rest; what comes of it is booked here. */
import type { NodeId } from '../proto/identity.ts';
import { advanced, awakened, rested, rowOf, surplus, withRow, without } from './peer-book.ts';
import { admissionOf } from './peer-admission.ts';
import {
  dueAt,
  hourMs,
  type AnyArrival,
  type LinkHandle,
  type PeerContext,
  type PeerEvent,
  type PeerInput,
  type Ruling,
} from './peer-context.ts';
import { crowded, footprintOf, isUnmoved, noFootprint, used, type Footprint } from './peer-footprint.ts';
import { fromInput } from './peer-changes.ts';
import { effectsOf, isLive, type PeerEffect } from './peer-live.ts';
import {
  classOf,
  type Appointment,
  type Claim,
  type Decision,
  type Eviction,
  type LivePeer,
  type ManagerContext,
} from './peer-manager-context.ts';
import { purePeer, restingSnapshot } from './peer.ts';
import { blankRow, type PeerRow } from './peer-row.ts';
import { busied } from './peer-targets.ts';
import { withAddress } from './policy/intake.ts';
import { recalled, remembered, since } from './policy/recent.ts';
import { dueAddress } from './policy/retry.ts';
import { find, first, insert, remove, type Order } from './policy/tree.ts';

const byId: Order<LivePeer> = (a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
const byDue: Order<Appointment> = (a, b) => (a.dueAt < b.dueAt ? -1 : a.dueAt > b.dueAt ? 1 : a.id < b.id ? -1 : a.id > b.id ? 1 : 0);

const sideOf =
  (id: NodeId) =>
  (peer: LivePeer): number =>
    id < peer.id ? -1 : id > peer.id ? 1 : 0;

export const livePeerOf = (context: ManagerContext, id: NodeId): LivePeer | undefined => find(context.live, sideOf(id));

export function inputOf(context: ManagerContext, row: PeerRow, durable: boolean): PeerInput {
  const { setup, holds, now } = context;
  const { dialer, store } = setup.options;
  const { minRetryMs, maxRetryMs, maxRetryPersistentMs, cooldownMs } = dialer;
  const useful = recalled(context.praise, row.id);
  return {
    row,
    durable,
    now,
    peerClass: classOf(setup, row.id),
    ownIdLower: setup.ownId < row.id,
    retry: { minRetryMs, maxRetryMs, maxRetryPersistentMs, cooldownMs },
    addressLimit: store.addressesPerPeer,
    held: holds.has(row.id),
    ...(useful && { useful }),
  };
}

/** Gives a peer an event. One of whom nothing is known starts as a blank row that is not on disk. */
export function deliver(decision: Decision, id: NodeId, event: PeerEvent): void {
  const live = livePeerOf(decision.context, id);
  if (live) return tell(decision, live, event);
  const row = rowOf(decision.context.book, id);
  const input = inputOf(decision.context, row ?? blankRow(id), row !== undefined);
  const [next, actions] = purePeer.step(restingSnapshot(input), event);
  if (isLive(next.context)) return awaken(decision, input, next.context, event);
  record(decision, undefined, next.context, row);
  for (const effect of effectsOf(actions)) grant(decision, id, effect);
}

/** What a peer would say to an arrival. */
export function rulingOn(context: ManagerContext, id: NodeId, event: AnyArrival): Ruling {
  const known = livePeerOf(context, id)?.context;
  return admissionOf(known ?? fromInput(inputOf(context, rowOf(context.book, id) ?? blankRow(id), true)), event);
}

function tell(decision: Decision, live: LivePeer, event: PeerEvent): void {
  decision.change({ unanswered: decision.context.unanswered + 1 });
  decision.steps.push({ type: 'tell', slot: live.slot, event });
}

/** Starts the actor of a peer that goes live. What the pure transition foretold is booked at once, since the slot it takes is taken from now on. */
function awaken(decision: Decision, input: PeerInput, foretold: PeerContext, event: PeerEvent): void {
  const { freeSlots, slotsMade, book, anchors } = decision.context;
  if (anchors.includes(input.row.id)) decision.change({ anchors: anchors.filter((each) => each !== input.row.id) });
  const slot = freeSlots[0] ?? slotsMade;
  decision.change({
    freeSlots: freeSlots.slice(1),
    slotsMade: Math.max(slotsMade, slot + 1),
    book: awakened(withRow(book, input.row), input.row.id),
  });
  decision.steps.push({ type: 'spawn', slot, input });
  const live: LivePeer = {
    id: input.row.id,
    slot,
    context: fromInput(input),
    dueAt: Infinity,
    evicting: undefined,
    footprint: noFootprint,
  };
  decision.change({ live: insert(decision.context.live, live, byId) });
  record(decision, live, foretold, rowOf(book, input.row.id));
  tell(decision, live, event);
}

/** Books what has become of a peer. `known` is its row before. */
export function record(decision: Decision, live: LivePeer | undefined, context: PeerContext, known: PeerRow | undefined): void {
  const { row, durable } = context;
  noteHold(decision, context);
  if (live && isLive(context)) {
    const book = withRow(decision.context.book, row);
    if (book !== decision.context.book) decision.change({ book });
    renew(decision, live, context);
  } else {
    if (live) retire(decision, live);
    notePraise(decision, context);
    rest(decision, context);
  }
  keepClaims(decision, row.id);
  if (context.link && !live?.context.link) noteConnect(decision, row.id);
  if (context.rejection && !live?.context.rejection) forgetConnect(decision, row.id);
  const wasDurable = live ? live.context.durable : known !== undefined;
  if (durable && !context.forgotten && (row !== known || !wasDurable)) decision.ask('persist', { row });
  if (live) answerWaiters(decision, live.context, context);
  trim(decision);
}

/** As many connects within this time make a flapping peer. */
const flapConnects = 5;
const flapMs = 60_000;
/** Peers whose connects are remembered, at most. */
const mostConnects = 4_096;

function noteConnect(decision: Decision, id: NodeId): void {
  const { connects, now } = decision.context;
  const times = [...(recalled(connects, id) ?? []), now].slice(1 - flapConnects);
  decision.change({ connects: remembered(since(connects, now - flapMs), id, times, { now, limit: mostConnects }) });
}

/** Peers at rest whose useful reports of the hour are remembered, at most. */
const mostPraised = 4_096;

function notePraise(decision: Decision, { row, useful }: PeerContext): void {
  const { praise, now } = decision.context;
  if (useful.count === 0 || recalled(praise, row.id) === useful) return;
  decision.change({ praise: remembered(since(praise, now - hourMs), row.id, useful, { now, limit: mostPraised }) });
}

/** It was a failed dial of ours, and no connect of theirs. */
function forgetConnect(decision: Decision, id: NodeId): void {
  const { connects, now } = decision.context;
  const times = (recalled(connects, id) ?? []).slice(0, -1);
  decision.change({ connects: remembered(connects, id, times, { now, limit: mostConnects }) });
}

/** Until when a peer has to stay away for which one more connect is one too many; undefined when it is not. */
export function dampedUntil(context: ManagerContext, id: NodeId): number | undefined {
  const { setup, connects, now } = context;
  const isSpared = classOf(setup, id) !== 'ordinary' || livePeerOf(context, id)?.context.link !== undefined;
  const times = isSpared ? [] : (recalled(connects, id) ?? []);
  const isTooOften = times.length >= flapConnects - 1 && now - times[0]! < flapMs;
  return isTooOften ? now + setup.options.dialer.flapCooldownMs : undefined;
}

/** Puts a peer to rest, or forgets it: one removed by the operator, or a stranger that has not earned its row. */
function rest(decision: Decision, context: PeerContext): void {
  const { row, held } = context;
  const { setup, now } = decision.context;
  if (context.durable && !context.forgotten) {
    decision.change({ book: rested(decision.context.book, row, { held, now }) });
    return;
  }
  if (context.durable) decision.ask('erase', { id: row.id });
  decision.change({ book: without(decision.context.book, row.id) });
  // A removed persistent peer is still configured: it waits, held, with nothing but its configured addresses.
  if (!setup.persistentIds.has(row.id)) return;
  const configured = setup.persistent.filter((each) => each.nodeId === row.id);
  const blank = configured.reduce(
    (sum, each) => withAddress(sum, each, 'operator', setup.options.store.addressesPerPeer) ?? sum,
    blankRow(row.id),
  );
  decision.change({ book: rested(decision.context.book, blank, { held, now }) });
}

function noteHold(decision: Decision, { row, held }: PeerContext): void {
  const { holds } = decision.context;
  if (holds.has(row.id) === held) return;
  decision.change({ holds: new Set(held ? [...holds, row.id] : [...holds].filter((id) => id !== row.id)) });
}

function renew(decision: Decision, live: LivePeer, context: PeerContext): void {
  const evicting = context.link?.handle === live.evicting ? live.evicting : undefined;
  const isKept = evicting === live.evicting && live.footprint !== noFootprint && isUnmoved(live.context, context);
  const footprint = isKept ? live.footprint : newFootprint(decision.context, live, context, evicting);
  replace(decision, live, { ...live, context, dueAt: dueAt(context), evicting, footprint });
}

function newFootprint({ setup, book }: ManagerContext, live: LivePeer, context: PeerContext, evicting: LinkHandle | undefined): Footprint {
  return footprintOf(book.rules, { context, evicting, peerClass: classOf(setup, live.id) }, live.footprint);
}

function retire(decision: Decision, live: LivePeer): void {
  replace(decision, live, { ...live, dueAt: Infinity, footprint: noFootprint });
  decision.change({ live: remove(decision.context.live, live, byId), freeSlots: [live.slot, ...decision.context.freeSlots] });
  decision.steps.push({ type: 'stop', slot: live.slot });
}

/** Puts what has become of a live peer in place of what it was, wherever that is counted. */
function replace(decision: Decision, before: LivePeer, after: LivePeer): void {
  decision.change({ live: insert(decision.context.live, after, byId) });
  if (before.dueAt !== after.dueAt) {
    const { id, dueAt: at } = after;
    const agenda = remove(decision.context.agenda, before, byDue);
    decision.change({ agenda: at < Infinity ? insert(agenda, { id, dueAt: at }, byDue) : agenda });
  }
  const [was, is] = [before.footprint, after.footprint];
  if (was === is) return;
  const { usage, crowd, book } = decision.context;
  decision.change({ usage: used(usage, was, is), crowd: crowded(crowd, after.id, was, is) });
  if (was.group === is.group) return;
  decision.change({ book: { ...book, targets: busied(busied(book.targets, was.group, -1), is.group, 1) } });
}

/** Drops the claims of a peer that is no longer dialed, and those on one that no longer holds an outbound slot. */
function keepClaims(decision: Decision, id: NodeId): void {
  const { claims } = decision.context;
  if (claims.length === 0) return;
  const live = livePeerOf(decision.context, id);
  const isKept = ({ candidate, victim }: Claim): boolean =>
    (candidate !== id || (live !== undefined && live.context.dialing !== '')) && (victim !== id || live?.footprint.stays === 'outbound');
  if (!claims.every(isKept)) decision.change({ claims: claims.filter(isKept) });
}

/** Carries out what a peer asked for. */
export function grant(decision: Decision, id: NodeId, effect: PeerEffect): void {
  const { rulingWaiters, rulings, evictions } = decision.context;
  switch (effect.type) {
    case 'answer':
      return decision.reply(effect.request, { kind: 'ruling', ruling: effect.ruling });
    case 'publish': {
      const { type: _, ...update } = effect;
      return decision.ask('publish', { id, ...update });
    }
    case 'settle': {
      const waiter = rulingWaiters.find((each) => each.link === effect.link);
      if (!waiter) return decision.change({ rulings: [...rulings, { link: effect.link, ruling: effect.ruling }].slice(-mostRulings) });
      decision.change({ rulingWaiters: rulingWaiters.filter((each) => each !== waiter) });
      return decision.reply(waiter.request, { kind: 'ruling', ruling: effect.ruling });
    }
    case 'closeLink':
      markEvicting(decision, id, effect.link);
      return decision.change({ evictions: [...evictions, { id, link: effect.link, reason: effect.reason }] });
  }
}

/** Decisions kept for links that have not asked; each link asks at once, so this is far more than ever wait. */
const mostRulings = 1_000;

function markEvicting(decision: Decision, id: NodeId, link: LinkHandle): void {
  const live = livePeerOf(decision.context, id);
  if (!live) return;
  replace(decision, live, { ...live, evicting: link, footprint: newFootprint(decision.context, live, live.context, link) });
  keepClaims(decision, id);
}

/** The next eviction that still concerns the link its peer has. */
export function nextEviction(context: ManagerContext): Eviction | undefined {
  return context.evictions.find(({ id, link, isOrphan }) => isOrphan ?? livePeerOf(context, id)?.context.link?.handle === link);
}

/** Tells operators who wait for this peer what has come of it. */
function answerWaiters(decision: Decision, before: PeerContext, { row, link, dialing, rejection, lastError }: PeerContext): void {
  if (!link && !dialing) answerAll(decision, 'downWaiters', row.id, (request) => decision.reply(request, { kind: 'done' }));
  if (link && link.upSince > 0) {
    forgetUrgency(decision, row.id, (request) => decision.reply(request, { kind: 'done' }));
    return;
  }
  const isOver = !link && !dialing && !rejection && (before.dialing !== '' || before.link !== undefined || before.rejection !== undefined);
  if (!isOver || isStillUrgent(decision.context, row)) return;
  forgetUrgency(decision, row.id, (request) =>
    decision.fail(request, lastError ?? 'ERR_DIAL_FAILED', row.lastReason === lastError ? '' : row.lastReason),
  );
}

/** An operator's dial goes on while there are addresses it has not tried. */
function isStillUrgent({ urgent, now }: ManagerContext, row: PeerRow): boolean {
  const wish = urgent.find((each) => each.id === row.id);
  return wish !== undefined && wish.triesLeft > 0 && dueAddress(row, now) !== undefined;
}

/** Ends an operator's dial with an answer. */
export function forgetUrgency(decision: Decision, id: NodeId, answer: (request: number) => void): void {
  const { urgent } = decision.context;
  if (urgent.some((each) => each.id === id)) decision.change({ urgent: urgent.filter((each) => each.id !== id) });
  answerAll(decision, 'upWaiters', id, answer);
}

function answerAll(decision: Decision, list: 'upWaiters' | 'downWaiters', id: NodeId, answer: (request: number) => void): void {
  const waiters = decision.context[list];
  const ours = waiters.filter((each) => each.id === id);
  if (ours.length === 0) return;
  decision.change({ [list]: waiters.filter((each) => each.id !== id) });
  for (const each of ours) answer(each.request);
}

/** Forgets whom the book has no room for. */
function trim(decision: Decision): void {
  for (let row = surplus(decision.context.book); row; row = surplus(decision.context.book)) {
    const { id } = row;
    decision.change({ book: without(decision.context.book, id) });
    decision.ask('erase', { id });
    forgetUrgency(decision, id, (request) => decision.fail(request, 'ERR_PEER_UNKNOWN', id));
  }
}

/** Takes note of the time, and wakes whoever it concerns. */
export function keepTime(decision: Decision, event: Readonly<{ now: number; roll: number }>): void {
  const now = Math.max(decision.context.now, event.now);
  decision.change({ now, roll: event.roll, book: advanced(decision.context.book, now) });
}

/** Gives every live peer whose time has come its `peer.due`; each asks anew when it answers. */
export function wakeDue(decision: Decision): void {
  const { now, roll } = decision.context;
  for (let next = first(decision.context.agenda); next && next.dueAt <= now; next = first(decision.context.agenda)) {
    const live = livePeerOf(decision.context, next.id)!;
    const quiet = { ...live, dueAt: Infinity };
    replace(decision, live, quiet);
    tell(decision, quiet, { type: 'peer.due', now, roll });
  }
}
