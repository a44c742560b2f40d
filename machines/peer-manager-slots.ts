/** Who may take a slot, and whose: the three budgets, the claims of those being dialed on the slots of those connected, and who has to make room. */
import { ipScope, networkGroup, normalizeIp } from '../proto/address.ts';
import type { Arrival } from './peer-context.ts';
import { deliver, livePeerOf } from './peer-manager-peers.ts';
import { classOf, type Decision, type LivePeer, type ManagerContext } from './peer-manager-context.ts';
import type { PeerRow } from './peer-row.ts';
import type { Direction } from './policy/duplicate.ts';
import { upgradePoints, worstOf, type Standing } from './policy/evict.ts';
import { scoreAt } from './policy/score.ts';
import { countOf } from './policy/tally.ts';
import { itemsOf, sizeOf } from './policy/tree.ts';

/** Slots of one direction for ordinary peers: those of persistent peers are set aside, so that the others can never take them. */
export function slotsOf({ setup }: ManagerContext, direction: Direction): number {
  const { slots } = setup.options;
  return direction === 'inbound' ? slots.inbound : slots.outbound - setup.persistentIds.size;
}

/** Slots left for ordinary peers in one direction; negative while upgrades are under way. */
export const roomOf = (context: ManagerContext, direction: Direction): number => slotsOf(context, direction) - context.usage[direction];

/** Upgrade slots left: each connection beyond the slots of its direction takes one. */
export function upgradeRoom(context: ManagerContext): number {
  const beyond = (direction: Direction): number => Math.max(0, -roomOf(context, direction));
  return context.setup.options.slots.upgrade - beyond('inbound') - beyond('outbound');
}

/** Whether as many others as may be are connected from the same address or network. */
export function isCrowdedPlace(context: ManagerContext, { id, remoteIp = '' }: Arrival): boolean {
  const { slots, loopbackIsPublic } = context.setup.options;
  if (remoteIp === '' || (!loopbackIsPublic && ipScope(remoteIp) === 'loopback')) return false;
  const [ip, net] = [normalizeIp(remoteIp), networkGroup(remoteIp, 'net')];
  const own = livePeerOf(context, id)?.footprint;
  const sameIp = countOf(context.crowd.ips, ip) - (own?.ip === ip ? 1 : 0);
  const sameNet = countOf(context.crowd.nets, net) - (own?.net === net ? 1 : 0);
  return sameIp >= slots.perIp || sameNet >= slots.perNet;
}

// victims

/**
 * The connected peer that would make room for one with this row: the first to go of those that score so much less, are not leaving, and are nobody's
 * victim yet, if there is one. Points are cheap for who has many hosts in
 * few networks, so nobody makes room for a newcomer that would stand in a greater crowd of its network, `crowd`, than he does himself.
 */
export function victimOf(context: ManagerContext, direction: Direction, row: PeerRow, crowd = 1): LivePeer | undefined {
  const most = scoreAt(row, context.now) - upgradePoints;
  const standings: (Standing & { live: LivePeer })[] = [];
  for (const { id } of itemsOf(context.crowd[direction])) {
    if (id === row.id || context.claims.some((each) => each.victim === id)) continue;
    const live = livePeerOf(context, id)!;
    const standing = { ...standingOf(context, live), live };
    // They come lowest score first.
    if (standing.score > most) break;
    if (standing.crowd >= crowd || standing.score < 0) standings.push(standing);
  }
  return worstOf(standings)?.live;
}

function standingOf(context: ManagerContext, { id, footprint, context: peer }: LivePeer): Standing {
  const { now } = context;
  return { id, score: scoreAt(peer.row, now), crowd: Math.max(1, crowdOf(context, footprint)), since: peer.link?.since ?? now };
}

/** How many are connected from the network of an IP; nobody where networks do not count. */
function crowdOf({ crowd, setup }: ManagerContext, { ip, net }: Readonly<{ ip: string; net: string }>): number {
  const isSpared = net === '' || (!setup.options.loopbackIsPublic && ipScope(ip) === 'loopback');
  return isSpared ? 0 : countOf(crowd.nets, net);
}

/** Asks a peer to leave. */
export function displace(decision: Decision, { id }: LivePeer): void {
  deliver(decision, id, { type: 'peer.evict', reason: 'displaced', isOrder: true, now: decision.context.now });
}

// rooms of newcomers

/** What a newcomer finds: free slots, and who makes one free for it. */
export type Opening = Readonly<{ room: number; victim?: LivePeer }>;

const unlimited = Number.MAX_SAFE_INTEGER;
/** Less than the one slot that a peer's own link could free. */
const noRoom = -2;

export function inboundOpening(context: ManagerContext, arrival: Arrival, row: PeerRow): Opening {
  if (classOf(context.setup, arrival.id) !== 'ordinary') return { room: unlimited };
  if (isCrowdedPlace(context, arrival)) return { room: noRoom };
  const ip = normalizeIp(arrival.remoteIp ?? '');
  return openingOf(context, 'inbound', row, { crowd: crowdOf(context, { ip, net: networkGroup(ip, 'net') }) + 1 });
}

export function outboundOpening(context: ManagerContext, row: PeerRow): Opening {
  if (classOf(context.setup, row.id) !== 'ordinary') return { room: unlimited };
  return openingOf(context, 'outbound', row, { own: livePeerOf(context, row.id)?.context.dialing ? 1 : 0 });
}

/** `own` slots are those that the peer's dial holds until now; `crowd` is how many it would be from its network. */
function openingOf(
  context: ManagerContext,
  direction: Direction,
  row: PeerRow,
  { own = 0, crowd = 1 }: Readonly<{ own?: number; crowd?: number }>,
): Opening {
  const room = roomOf(context, direction) + own;
  const { link, rival } = livePeerOf(context, row.id)?.context ?? {};
  // One that holds a slot of this direction already changes its link in it.
  const isIn = link?.direction === direction || rival?.direction === direction;
  const isBeyond = roomOf(context, direction) < 0;
  if (room >= 1 || isIn) return { room };
  // Others are leaving, and what was dialed was promised a slot.
  if (own > 0 && sizeOf(context.crowd[direction]) < slotsOf(context, direction)) return { room: 1 };
  if (upgradeRoom(context) + (isBeyond ? own : 0) < 1) return { room };
  const victim = victimOf(context, direction, row, crowd);
  return victim ? { room: 1, victim } : { room };
}
