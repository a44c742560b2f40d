/** What the manager decides about addresses: which are taken from whom, and which is dialed next. One function for each event. */
import { formatNodeAddress, type NodeAddress } from '../proto/address.ts';
import { errorCodes } from '../proto/errors.ts';
import {
  bestToDial,
  groupShareOf,
  hostShareOf,
  isHearsay,
  ordinaryToDial,
  persistentToDial,
  released,
  rested,
  rowOf,
  shareOf,
  unconditionalToDial,
} from './peer-book.ts';
import {
  classOf,
  type AddressSource,
  type Decision,
  type LivePeer,
  type ManagerContext,
  type ManagerStimulus,
} from './peer-manager-context.ts';
import { deliver, livePeerOf } from './peer-manager-peers.ts';
import { isMisleading, noteOutcome } from './peer-manager-reports.ts';
import { roomOf, upgradeRoom, victimOf } from './peer-manager-slots.ts';
import { blankRow } from './peer-row.ts';
import { goldenRatio, targetOf, type Target } from './peer-targets.ts';
import { isBelievable, isOwnHost, withAddress, type Source } from './policy/intake.ts';
import { hostOf, isCountedHost } from './policy/place.ts';
import { recalled, remembered, since } from './policy/recent.ts';
import { sizeOf } from './policy/tree.ts';

type On<T extends ManagerStimulus['type']> = Extract<ManagerStimulus, { type: T }>;

export function addAddress(decision: Decision, { address, source, request }: On<'address.added'>): void {
  const { context } = decision;
  const { nodeId } = address;
  if (nodeId === context.setup.ownId) return decision.fail(request, 'ERR_PEER_SELF', nodeId);
  const named = newsOf(context, address, source);
  if (!named) return decision.reply(request, { kind: 'added', added: false });
  deliver(decision, nodeId, { type: 'peer.addressAdded', address, source: named, now: context.now });
  decision.reply(request, { kind: 'added', added: rowOf(decision.context.book, nodeId) !== undefined });
}

/** The source as a row names it, if it is believed, there is room for what it says, and we do not know it yet. */
export function newsOf(context: ManagerContext, address: NodeAddress, source: AddressSource): Source | undefined {
  const named = sourceOf(context, address, source);
  const row = rowOf(context.book, address.nodeId);
  if (!named || (!row && isCrowded(context, named))) return undefined;
  const limit = context.setup.options.store.addressesPerPeer;
  return withAddress(row ?? blankRow(address.nodeId), address, named, limit) && named;
}

/** The source as a row names it, or undefined when it is not believed, or not with so many. */
function sourceOf(context: ManagerContext, address: NodeAddress, source: AddressSource): Source | undefined {
  if (!('from' in source)) return source.kind;
  const remoteIp = livePeerOf(context, source.from)?.context.link?.remoteIp;
  const { book } = context;
  const { maxPeers, sourcePercent, groupPercent, addressesPerHost } = context.setup.options.store;
  const share = (percent: number): number => Math.max(1, Math.floor((maxPeers * percent) / 100));
  if (!isBelievable(address, remoteIp ?? '') || groupShareOf(book, address.host) >= share(groupPercent)) return undefined;
  if (source.kind === 'self' && address.nodeId === source.from && remoteIp !== undefined && isOwnHost(address, remoteIp)) return 'self';
  const gossip = `gossip:${source.from}` as const;
  const isTooMuch =
    isMisleading(context, source.from) ||
    shareOf(book, gossip) >= share(sourcePercent) ||
    hostShareOf(book, address.host) >= addressesPerHost;
  return isTooMuch ? undefined : gossip;
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

/** Whom to dial now, and who makes room for it when all slots are taken. */
export type Choice = Readonly<{ target: Target; victim?: LivePeer; isWished?: true }>;

/** The operator's wish, then persistent peers, then those that were good before a restart, then the book's order; without a slot, a peer better than one that is connected. */
export function choiceOf(context: ManagerContext): Choice | undefined {
  const { book, picks, roll } = context;
  const hasRoom = roomOf(context, 'outbound') >= 1;
  const wished = wishOf(context, hasRoom);
  if (wished) return { target: wished, isWished: true };
  const target = persistentToDial(book) ?? (hasRoom ? (anchorOf(context) ?? ordinaryToDial(book, picks, roll)) : undefined);
  if (target) return { target };
  if (hasRoom) return undefined;
  const unconditional = unconditionalToDial(book);
  return unconditional ? { target: unconditional } : upgradeOf(context);
}

function wishOf(context: ManagerContext, hasRoom: boolean): Target | undefined {
  for (const { id, triesLeft } of context.urgent) {
    const row = rowOf(context.book, id);
    const isFree = row && triesLeft > 0 && !livePeerOf(context, id) && (hasRoom || classOf(context.setup, id) === 'persistent');
    const target = isFree && targetOf(context.book.targets, row, 'anywhere');
    if (target) return target;
  }
  return undefined;
}

function anchorOf(context: ManagerContext): Target | undefined {
  for (const id of context.anchors) {
    const row = rowOf(context.book, id);
    const target = row && !livePeerOf(context, id) && targetOf(context.book.targets, row);
    if (target) return target;
  }
  return undefined;
}

function upgradeOf(context: ManagerContext): Choice | undefined {
  const target = upgradeRoom(context) >= 1 ? bestToDial(context.book) : undefined;
  const victim = target && victimOf(context, 'outbound', target.row);
  return victim && { target, victim };
}

/** Hands out the choice. Hearsay about a host that was dialed just now is put off, each address once. */
export function handOutDial(decision: Decision): void {
  for (let choice = choiceOf(decision.context); choice; choice = choiceOf(decision.context)) {
    const until = choice.isWished ? 0 : knockedUntil(decision.context, choice.target);
    if (until <= decision.context.now) return handOut(decision, choice);
    putOff(decision, choice.target, until);
  }
}

function handOut(decision: Decision, { target, victim }: Choice): void {
  const { context } = decision;
  const { id } = target.row;
  const { address } = target.address;
  const isOrdinary = classOf(context.setup, id) !== 'persistent';
  decision.change({
    dialWaiters: context.dialWaiters.slice(1),
    picks: isOrdinary ? (context.picks + 1) % 3 : context.picks,
    // Several picks in one moment must not fall on the same place.
    roll: (context.roll + goldenRatio) % 1,
    urgent: context.urgent.map((each) => (each.id === id ? { ...each, triesLeft: each.triesLeft - 1 } : each)),
    claims: victim ? [...context.claims, { candidate: id, victim: victim.id }] : context.claims,
    knocks: knocked(context, address),
  });
  deliver(decision, id, { type: 'peer.dial', address, now: context.now });
  decision.reply(context.dialWaiters[0]!, { kind: 'address', address });
}

/** Hosts remembered as dialed, at most. */
const mostKnocks = 4_096;

function knocked({ knocks, setup, now }: ManagerContext, address: string): ManagerContext['knocks'] {
  const host = hostOf(address);
  if (!isCountedHost(host, setup.options.loopbackIsPublic)) return knocks;
  return remembered(since(knocks, now - setup.options.dialer.hostIntervalMs), host, now, { now, limit: mostKnocks });
}

function knockedUntil({ knocks, setup }: ManagerContext, { address }: Target): number {
  const at = isHearsay(address) ? recalled(knocks, hostOf(address.address)) : undefined;
  return at === undefined ? 0 : at + setup.options.dialer.hostIntervalMs;
}

function putOff(decision: Decision, { row, address }: Target, until: number): void {
  const { book, now } = decision.context;
  const addresses = row.addresses.map((each) => (each.address === address.address ? { ...each, notBefore: until } : each));
  decision.change({ book: rested(book, { ...row, addresses }, { held: false, now }) });
}

/** Once there is a slot, those that had to make room are as good as any. */
export function releaseDisplaced(decision: Decision): void {
  const { context } = decision;
  if (context.book.targets.displaced && roomOf(context, 'outbound') >= 1) decision.change({ book: released(context.book, context.now) });
}

export function failDial(decision: Decision, { address, code }: On<'dial.failed'>): void {
  const { now, roll } = decision.context;
  const live = livePeerOf(decision.context, address.nodeId);
  if (!live) return;
  const text = formatNodeAddress(address);
  deliver(decision, address.nodeId, { type: 'peer.dialFailed', address: text, code, now, roll });
  if (errorCodes[code].fault !== 'local') noteOutcome(decision, live.context.row, { address: text, hasWorked: false });
}
