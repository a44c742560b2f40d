/** How the manager speaks to its peers: an event goes to the actor of a live peer and through the same chart, purely, for a peer at rest; what comes of it is booked here. */
import { transition } from 'xstate';
import { networkGroup } from '../proto/address.ts';
import type { NodeId } from '../proto/identity.ts';
import { advanced, awakened, rested, rowOf, surplus, withRow, without } from './peer-book.ts';
import { dueAt, type LinkHandle, type PeerContext, type PeerEvent, type PeerInput, type PeerLink } from './peer-context.ts';
import { fromInput } from './peer-changes.ts';
import { effectsOf, isLive, type PeerEffect } from './peer-live.ts';
import { classOf, type Decision, type Eviction, type LivePeer, type ManagerContext, type Usage } from './peer-manager-context.ts';
import { peerMachine, restingSnapshot } from './peer.ts';
import { blankRow, type PeerRow } from './peer-row.ts';
import { withAddress } from './policy/intake.ts';
import { dueAddress } from './policy/retry.ts';
import { find, first, insert, remove, type Order } from './policy/tree.ts';

const byId: Order<LivePeer> = (a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
const byDue: Order<LivePeer> = (a, b) => (a.dueAt < b.dueAt ? -1 : a.dueAt > b.dueAt ? 1 : byId(a, b));

export function livePeerOf(context: ManagerContext, id: NodeId): LivePeer | undefined {
  return find(context.live, (peer) => (id < peer.id ? -1 : id > peer.id ? 1 : 0));
}

export function inputOf(context: ManagerContext, row: PeerRow, durable: boolean): PeerInput {
  const { setup, holds, now } = context;
  const { dialer, store } = setup.options;
  const { minRetryMs, maxRetryMs, maxRetryPersistentMs, cooldownMs } = dialer;
  return {
    row,
    durable,
    now,
    peerClass: classOf(setup, row.id),
    ownIdLower: setup.ownId < row.id,
    retry: { minRetryMs, maxRetryMs, maxRetryPersistentMs, cooldownMs },
    addressLimit: store.addressesPerPeer,
    held: holds.has(row.id),
  };
}

/** Gives a peer an event. One of whom nothing is known starts as a blank row that is not on disk. */
export function deliver(decision: Decision, id: NodeId, event: PeerEvent): void {
  const live = livePeerOf(decision.context, id);
  if (live) return tell(decision, live, event);
  const row = rowOf(decision.context.book, id);
  const input = inputOf(decision.context, row ?? blankRow(id), row !== undefined);
  const [next, actions] = transition(peerMachine, restingSnapshot(input), event);
  if (isLive(next.context)) return awaken(decision, input, next.context, event);
  record(decision, undefined, next.context, row);
  for (const effect of effectsOf(actions)) grant(decision, id, effect);
}

function tell(decision: Decision, live: LivePeer, event: PeerEvent): void {
  decision.change({ unanswered: decision.context.unanswered + 1 });
  decision.steps.push({ type: 'tell', slot: live.slot, event });
}

/** Starts the actor of a peer that goes live. What the pure transition foretold is booked at once, since the slot it takes is taken from now on. */
function awaken(decision: Decision, input: PeerInput, foretold: PeerContext, event: PeerEvent): void {
  const { freeSlots, slotsMade, book } = decision.context;
  const slot = freeSlots[0] ?? slotsMade;
  decision.change({
    freeSlots: freeSlots.slice(1),
    slotsMade: Math.max(slotsMade, slot + 1),
    book: awakened(withRow(book, input.row), input.row.id),
  });
  decision.steps.push({ type: 'spawn', slot, input });
  const live: LivePeer = { id: input.row.id, slot, context: fromInput(input), dueAt: Infinity, evicting: undefined, net: '' };
  decision.change({ live: insert(decision.context.live, live, byId) });
  record(decision, live, foretold, rowOf(book, input.row.id));
  tell(decision, live, event);
}

/** Books what has become of a peer. `known` is its row before. */
export function record(decision: Decision, live: LivePeer | undefined, context: PeerContext, known: PeerRow | undefined): void {
  const { row, durable } = context;
  noteHold(decision, context);
  if (live && isLive(context)) {
    decision.change({ book: withRow(decision.context.book, row) });
    renew(decision, live, context);
  } else {
    if (live) retire(decision, live);
    rest(decision, context);
  }
  const wasDurable = live ? live.context.durable : known !== undefined;
  if (durable && !context.forgotten && (row !== known || !wasDurable)) decision.ask('persist', { row });
  if (live) answerWaiters(decision, live.context, context);
  trim(decision);
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
  const { agenda, usage, setup } = decision.context;
  const isMoved = context.link?.remoteIp !== live.context.link?.remoteIp;
  const next: LivePeer = {
    ...live,
    context,
    dueAt: dueAt(context),
    evicting: context.link?.handle === live.evicting ? live.evicting : undefined,
    net: isMoved ? networkGroup(context.link?.remoteIp ?? '', 'net') : live.net,
  };
  const kept = remove(agenda, live, byDue);
  decision.change({
    live: insert(decision.context.live, next, byId),
    agenda: next.dueAt < Infinity ? insert(kept, next, byDue) : kept,
    usage: plus(usage, usageOf(setup, next), usageOf(setup, live)),
  });
}

function retire(decision: Decision, live: LivePeer): void {
  const { agenda, usage, setup, freeSlots } = decision.context;
  decision.change({
    live: remove(decision.context.live, live, byId),
    agenda: remove(agenda, live, byDue),
    usage: plus(usage, { inbound: 0, outbound: 0 }, usageOf(setup, live)),
    freeSlots: [live.slot, ...freeSlots],
  });
  decision.steps.push({ type: 'stop', slot: live.slot });
}

const plus = (sum: Usage, gained: Usage, lost: Usage): Usage => ({
  inbound: sum.inbound + gained.inbound - lost.inbound,
  outbound: sum.outbound + gained.outbound - lost.outbound,
});

/** The slots a peer takes: persistent ones have theirs set aside, unconditional ones need none. */
export function usageOf(setup: ManagerContext['setup'], { id, context }: LivePeer): Usage {
  if (classOf(setup, id) !== 'ordinary') return { inbound: 0, outbound: 0 };
  const links = [context.link, context.rival].filter((link): link is PeerLink => link !== undefined);
  const outbound = links.filter((link) => link.direction === 'outbound').length;
  return { inbound: links.length - outbound, outbound: outbound + (context.dialing === '' ? 0 : 1) };
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
  const next = { ...live, evicting: link };
  const { agenda } = decision.context;
  decision.change({
    live: insert(decision.context.live, next, byId),
    agenda: live.dueAt < Infinity ? insert(remove(agenda, live, byDue), next, byDue) : agenda,
  });
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
  forgetUrgency(decision, row.id, (request) => decision.fail(request, lastError ?? 'ERR_DIAL_FAILED', row.lastReason));
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
  for (let live = first(decision.context.agenda); live && live.dueAt <= now; live = first(decision.context.agenda)) {
    const quiet = { ...live, dueAt: Infinity };
    decision.change({ agenda: remove(decision.context.agenda, live, byDue), live: insert(decision.context.live, quiet, byId) });
    tell(decision, quiet, { type: 'peer.due', now, roll });
  }
}
