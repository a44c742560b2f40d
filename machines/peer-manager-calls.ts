/** What the manager decides when it is called: by the router, by a reactor, by the operator, by the clock. One function for each event. */
import { formatNodeAddress, ipScope, networkGroup, normalizeIp, type NodeAddress } from '../proto/address.ts';
import { nextChangeAt, nextToDial, rowOf, shareOf } from './peer-book.ts';
import { duplicateRuling } from './peer-admission.ts';
import type { Arrival, PeerArrival, Ruling } from './peer-context.ts';
import type { PeerNotice } from './peer-live.ts';
import { classOf, type AddressSource, type Decision, type ManagerContext, type ManagerStimulus } from './peer-manager-context.ts';
import { deliver, grant, livePeerOf, nextEviction, record, wakeDue } from './peer-manager-peers.ts';
import { blankRow, type PeerRow } from './peer-row.ts';
import { isBelievable, isOwnHost, withAddress, type Source } from './policy/intake.ts';
import { dueAddress } from './policy/retry.ts';
import { isBanned } from './policy/score.ts';
import { first, itemsOf, sizeOf } from './policy/tree.ts';

type On<T extends (ManagerStimulus | PeerNotice)['type']> = Extract<ManagerStimulus | PeerNotice, { type: T }>;
const unlimited = Number.MAX_SAFE_INTEGER;
/** Less than the one slot that a peer's own link could free. */
const noRoom = -2;

// addresses

export function addAddress(decision: Decision, { address, source, request }: On<'address.added'>): void {
  const { context } = decision;
  const { nodeId } = address;
  if (nodeId === context.setup.ownId) return decision.fail(request, 'ERR_PEER_SELF', nodeId);
  const named = sourceOf(context, address, source);
  const row = rowOf(context.book, nodeId);
  const limit = context.setup.options.store.addressesPerPeer;
  if (!named || !withAddress(row ?? blankRow(nodeId), address, named, limit) || (!row && isCrowded(context, named))) {
    return decision.reply(request, { kind: 'added', added: false });
  }
  deliver(decision, nodeId, { type: 'peer.addressAdded', address, source: named, now: context.now });
  decision.reply(request, { kind: 'added', added: rowOf(decision.context.book, nodeId) !== undefined });
}

/** The source as a row names it, or undefined when it is not believed. */
function sourceOf(context: ManagerContext, address: NodeAddress, source: AddressSource): Source | undefined {
  if (!('from' in source)) return source.kind;
  const remoteIp = livePeerOf(context, source.from)?.context.link?.remoteIp;
  if (!isBelievable(address, remoteIp ?? '')) return undefined;
  if (source.kind === 'self' && address.nodeId === source.from && remoteIp !== undefined && isOwnHost(address, remoteIp)) return 'self';
  const { maxPeers, sourcePercent } = context.setup.options.store;
  const share = Math.max(1, Math.floor((maxPeers * sourcePercent) / 100));
  return shareOf(context.book, `gossip:${source.from}`) < share ? `gossip:${source.from}` : undefined;
}

/** Whether a stranger told of by others would only push itself out again. */
function isCrowded({ book }: ManagerContext, source: Source): boolean {
  return source.startsWith('gossip:') && sizeOf(book.rows) >= book.rules.maxPeers && !book.loose;
}

// dialing

export function awaitDial(decision: Decision, { request }: On<'dial.requested' | 'dial.withdrawn'>): void {
  decision.change({ dialWaiters: [...decision.context.dialWaiters, request] });
}
export function withdrawDial(decision: Decision, { request }: On<'dial.requested' | 'dial.withdrawn'>): void {
  decision.change({ dialWaiters: decision.context.dialWaiters.filter((each) => each !== request) });
}

/** Outbound slots left for ordinary peers: those of persistent peers are set aside, so that the others can never take them. */
export function outboundRoom({ setup, usage }: ManagerContext): number {
  return setup.options.slots.outbound - setup.persistentIds.size - usage.outbound;
}

/** The peer to dial now, if any: the operator's wish, then the book's order. */
export function candidateOf(context: ManagerContext): PeerRow | undefined {
  const { book, picks, roll, now } = context;
  const hasRoom = outboundRoom(context) >= 1;
  for (const { id, triesLeft } of context.urgent) {
    const row = rowOf(book, id);
    const isFree = row && triesLeft > 0 && !livePeerOf(context, id) && !isBanned(row, now) && dueAddress(row, now);
    if (isFree && (hasRoom || classOf(context.setup, id) === 'persistent')) return row;
  }
  return nextToDial(book, { hasRoom, picks, roll });
}

export function handOutDial(decision: Decision): void {
  const { context } = decision;
  const row = candidateOf(context)!;
  const { address } = dueAddress(row, context.now)!;
  const isOrdinary = classOf(context.setup, row.id) !== 'persistent';
  decision.change({
    dialWaiters: context.dialWaiters.slice(1),
    picks: isOrdinary ? (context.picks + 1) % 3 : context.picks,
    // Several picks in one moment must not fall on the same place.
    roll: (context.roll + 0.618_033_988_749_895) % 1,
    urgent: context.urgent.map((each) => (each.id === row.id ? { ...each, triesLeft: each.triesLeft - 1 } : each)),
  });
  deliver(decision, row.id, { type: 'peer.dial', address, now: context.now });
  decision.reply(context.dialWaiters[0]!, { kind: 'address', address });
}

export function failDial(decision: Decision, { address, code }: On<'dial.failed'>): void {
  const { now, roll } = decision.context;
  if (!livePeerOf(decision.context, address.nodeId)) return;
  deliver(decision, address.nodeId, { type: 'peer.dialFailed', address: formatNodeAddress(address), code, now, roll });
}

// connections

export function admitDialed(decision: Decision, { address, arrival, request }: On<'link.dialed'>): void {
  const { setup, now, book } = decision.context;
  const { id } = arrival;
  if (id === setup.ownId) return refuse(decision, request, { verdict: 'refuse', reason: 'self', code: 'ERR_PEER_SELF' });
  if (!rowOf(book, id)) return refuse(decision, request, { verdict: 'refuse', reason: 'operator', code: 'ERR_PEER_UNKNOWN' });
  const isDialing = livePeerOf(decision.context, id)?.context.dialing ? 1 : 0;
  const room = classOf(setup, id) === 'ordinary' ? outboundRoom(decision.context) + isDialing : unlimited;
  admit(decision, { type: 'peer.dialed', arrival, address: formatNodeAddress(address), room, request, now });
}

export function admitAccepted(decision: Decision, { arrival, request }: On<'link.accepted'>): void {
  const { setup, now } = decision.context;
  if (arrival.id === setup.ownId) return refuse(decision, request, { verdict: 'refuse', reason: 'self', code: 'ERR_PEER_SELF' });
  admit(decision, { type: 'peer.accepted', arrival, address: '', room: inboundRoom(decision.context, arrival), request, now });
}

function admit(decision: Decision, event: PeerArrival<'peer.dialed'> | PeerArrival<'peer.accepted'>): void {
  deliver(decision, event.arrival.id, event);
}

function refuse(decision: Decision, request: number, ruling: Ruling): void {
  decision.reply(request, { kind: 'ruling', ruling });
}

function inboundRoom(context: ManagerContext, arrival: Arrival): number {
  const { setup, usage } = context;
  if (classOf(setup, arrival.id) !== 'ordinary') return unlimited;
  return isCrowdedPlace(context, arrival) ? noRoom : setup.options.slots.inbound - usage.inbound;
}

/** Whether as many others as may be are connected from the same address or network. */
function isCrowdedPlace({ live, setup }: ManagerContext, { id, remoteIp = '' }: Arrival): boolean {
  const { slots, loopbackIsPublic } = setup.options;
  if (remoteIp === '' || (!loopbackIsPublic && ipScope(remoteIp) === 'loopback')) return false;
  const [ip, net] = [normalizeIp(remoteIp), networkGroup(remoteIp, 'net')];
  let sameIp = 0;
  let sameNet = 0;
  for (const peer of itemsOf(live)) {
    if (peer.id === id || !peer.context.link) continue;
    if (normalizeIp(peer.context.link.remoteIp) === ip) sameIp += 1;
    if (peer.net === net) sameNet += 1;
  }
  return sameIp >= slots.perIp || sameNet >= slots.perNet;
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

// behaviour

export function reportBehaviour(decision: Decision, { id, behaviour, reason, now }: On<'behaviour.reported'>): void {
  if (rowOf(decision.context.book, id)) deliver(decision, id, { type: 'peer.reported', behaviour, reason, now });
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
