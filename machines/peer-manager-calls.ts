/** What the manager decides about connections and time: when the router calls, when a peer answers, when the clock does. One function for each event. */
import { formatNodeAddress } from '../proto/address.ts';
import { duplicateRuling } from './peer-admission.ts';
import { nextChangeAt, rowOf } from './peer-book.ts';
import type { AnyArrival, Ruling } from './peer-context.ts';
import type { PeerNotice } from './peer-live.ts';
import type { Decision, ManagerContext, ManagerStimulus } from './peer-manager-context.ts';
import { deliver, grant, dampedUntil, livePeerOf, nextEviction, record, rulingOn, wakeDue } from './peer-manager-peers.ts';
import { noteOutcome } from './peer-manager-reports.ts';
import { displace, inboundOpening, outboundOpening, type Opening } from './peer-manager-slots.ts';
import { blankRow } from './peer-row.ts';
import { first, itemsOf } from './policy/tree.ts';

type On<T extends (ManagerStimulus | PeerNotice)['type']> = Extract<ManagerStimulus | PeerNotice, { type: T }>;
// connections

export function admitDialed(decision: Decision, { address, arrival, request }: On<'link.dialed'>): void {
  const { setup, now, book } = decision.context;
  const { id } = arrival;
  if (id === setup.ownId) return refuse(decision, request, { verdict: 'refuse', reason: 'self', code: 'ERR_PEER_SELF' });
  const row = rowOf(book, id);
  if (!row) return refuse(decision, request, { verdict: 'refuse', reason: 'operator', code: 'ERR_PEER_UNKNOWN' });
  const text = formatNodeAddress(address);
  noteOutcome(decision, row, { address: text, hasWorked: true });
  // Its victim is chosen anew: an even worse one may have come, its own may be gone or have become better.
  decision.change({ claims: decision.context.claims.filter((each) => each.candidate !== id) });
  const opening = outboundOpening(decision.context, row);
  admit(decision, { type: 'peer.dialed', arrival, address: text, request, now }, opening);
}

export function admitAccepted(decision: Decision, { arrival, request }: On<'link.accepted'>): void {
  const { setup, now, book } = decision.context;
  const { id } = arrival;
  if (id === setup.ownId) return refuse(decision, request, { verdict: 'refuse', reason: 'self', code: 'ERR_PEER_SELF' });
  const opening = inboundOpening(decision.context, arrival, rowOf(book, id) ?? blankRow(id));
  admit(decision, { type: 'peer.accepted', arrival, address: '', request, now }, opening);
}

type Request<T extends AnyArrival> = T extends AnyArrival ? Omit<T, 'room'> : never;

/** Puts an arrival before its peer. If it comes in, whoever makes room for it is asked to leave in the same step. */
function admit(decision: Decision, request: Request<AnyArrival>, { room, victim }: Opening): void {
  const { id } = request.arrival;
  const until = dampedUntil(decision.context, id);
  const event: AnyArrival = { ...request, room, ...(until !== undefined && { dampedUntil: until }) };
  const isAdmitted = victim !== undefined && rulingOn(decision.context, id, event).verdict !== 'refuse';
  deliver(decision, id, event);
  if (isAdmitted) displace(decision, victim);
}

function refuse(decision: Decision, request: number, ruling: Ruling): void {
  decision.reply(request, { kind: 'ruling', ruling });
}

export function markReady(decision: Decision, { id, link, now }: On<'link.ready'>): void {
  if (livePeerOf(decision.context, id)) deliver(decision, id, { type: 'peer.ready', link, now });
}

export function endLink(decision: Decision, { id, link, reason, detail, now, roll }: On<'link.ended'>): void {
  const { rulings, rulingWaiters, evictions } = decision.context;
  if (rulings.some((each) => each.link === link)) decision.change({ rulings: rulings.filter((each) => each.link !== link) });
  for (const waiter of rulingWaiters.filter((each) => each.link === link)) {
    withdrawRuling(decision, waiter);
    refuse(decision, waiter.request, duplicateRuling);
  }
  if (evictions.some((each) => each.link === link)) decision.change({ evictions: evictions.filter((each) => each.link !== link) });
  if (livePeerOf(decision.context, id)) deliver(decision, id, { type: 'peer.disconnected', link, reason, detail, now, roll });
}

/** Dials that nobody will answer have failed, links that nobody holds have ended. */
export function forgetRouter(decision: Decision, { now, roll }: On<'router.restarted'>): void {
  const { dialWaiters, evictWaiters, rulingWaiters } = decision.context;
  for (const request of [...dialWaiters, ...evictWaiters, ...rulingWaiters.map((each) => each.request)])
    decision.fail(request, 'ERR_NODE_STATE', 'the router has started anew');
  decision.change({ dialWaiters: [], evictWaiters: [], rulingWaiters: [], rulings: [] });
  for (const { id, context } of [...itemsOf(decision.context.live)]) {
    if (context.dialing) deliver(decision, id, { type: 'peer.dialFailed', address: '', code: 'ERR_NODE_STATE', now, roll });
    for (const link of [context.rival, context.link]) {
      if (link) deliver(decision, id, { type: 'peer.disconnected', link: link.handle, reason: 'restart', detail: '', now, roll });
    }
  }
}

// held connections

export function awaitRuling(decision: Decision, { link, request }: On<'ruling.requested' | 'ruling.withdrawn'>): void {
  const { rulings, rulingWaiters, live } = decision.context;
  const made = rulings.find((each) => each.link === link);
  if (made) {
    decision.change({ rulings: rulings.filter((each) => each !== made) });
    return decision.reply(request, { kind: 'ruling', ruling: made.ruling });
  }
  const isHeld = [...itemsOf(live)].some((peer) => peer.context.rival?.handle === link);
  if (!isHeld) return refuse(decision, request, duplicateRuling);
  decision.change({ rulingWaiters: [...rulingWaiters, { link, request }] });
}
export function withdrawRuling(decision: Decision, { request }: Readonly<{ request: number }>): void {
  decision.change({ rulingWaiters: decision.context.rulingWaiters.filter((each) => each.request !== request) });
}

// evictions

export function awaitEviction(decision: Decision, { request }: On<'eviction.requested' | 'eviction.withdrawn'>): void {
  decision.change({ evictWaiters: [...decision.context.evictWaiters, request] });
}
export function withdrawEviction(decision: Decision, { request }: On<'eviction.requested' | 'eviction.withdrawn'>): void {
  decision.change({ evictWaiters: decision.context.evictWaiters.filter((each) => each !== request) });
}
export function handOutEviction(decision: Decision): void {
  const { evictions, evictWaiters, now } = decision.context;
  const eviction = nextEviction(decision.context)!;
  decision.change({ evictions: evictions.slice(evictions.indexOf(eviction) + 1), evictWaiters: evictWaiters.slice(1) });
  deliver(decision, eviction.id, { type: 'peer.evicting', now });
  decision.reply(evictWaiters[0]!, { kind: 'eviction', eviction });
}

// peers and time

export function hearPeer(decision: Decision, { context, isAnswer }: On<'peer.changed'>): void {
  if (isAnswer) decision.change({ unanswered: Math.max(0, decision.context.unanswered - 1) });
  const live = livePeerOf(decision.context, context.row.id);
  if (live) record(decision, live, context, rowOf(decision.context.book, context.row.id));
}
export function grantWish(decision: Decision, { id, effect }: On<'peer.asked'>): void {
  grant(decision, id, effect);
}
export function heedClock(decision: Decision): void {
  // The timer has fired, so whatever is next has to be asked for again.
  decision.change({ timerAt: Infinity });
  wakeDue(decision);
}

/** When the clock has to call next; Infinity for never. */
export function nextDueAt(context: ManagerContext): number {
  return Math.min(nextChangeAt(context.book), first(context.agenda)?.dueAt ?? Infinity);
}

/** A peer whose actor failed starts over as the row it was; its link is to be closed, and whoever waits for it learns that it is gone. */
export function buryPeer(decision: Decision, slot: number): void {
  const live = [...itemsOf(decision.context.live)].find((each) => each.slot === slot);
  decision.change({ unanswered: 0 });
  // An actor that failed stays among its parent's children until it is stopped.
  if (!live) return void decision.steps.push({ type: 'stop', slot });
  const { id, context } = live;
  if (context.leaving ?? (context.link && context.link.upSince > 0))
    decision.ask('publish', { id, status: 'down', channels: [], reason: 'internal' });
  for (const link of [context.link, context.rival]) {
    if (link)
      decision.change({ evictions: [...decision.context.evictions, { id, link: link.handle, reason: 'internal', isOrphan: true }] });
  }
  const { now, setup } = decision.context;
  const row = { ...context.row, inactiveUntil: now + setup.options.dialer.cooldownMs, lastReason: 'internal' };
  record(
    decision,
    live,
    {
      ...context,
      row,
      link: undefined,
      leaving: undefined,
      rival: undefined,
      dialing: '',
      rejection: undefined,
      lastError: 'ERR_INTERNAL',
    },
    rowOf(decision.context.book, id),
  );
}
