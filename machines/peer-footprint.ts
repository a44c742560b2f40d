/** What live peers take up: slots, room in the networks they come from and go to, and who of them could be asked to leave. */
import { networkGroup, normalizeIp } from '../proto/address.ts';
import type { NodeId } from '../proto/identity.ts';
import type { LinkHandle, PeerContext, PeerLink } from './peer-context.ts';
import type { PeerClass } from './peer-row.ts';
import { shareGroupOf, type TargetRules } from './peer-targets.ts';
import type { Direction } from './policy/duplicate.ts';
import { scoreRank } from './policy/score.ts';
import { counted, type Tally } from './policy/tally.ts';
import { insert, remove, type Order, type Tree } from './policy/tree.ts';

/** Slots taken, by direction. */
export type Usage = Readonly<{ inbound: number; outbound: number }>;

/** What one live peer takes up. */
export type Footprint = Usage &
  Readonly<{
    /** Where its link comes from; empty without an IP. */
    ip: string;
    net: string;
    /** The network whose outbound share it takes; empty when it takes none. */
    group: string;
    /** The slot it may be asked to give up. */
    stays: Direction | undefined;
    rank: number;
  }>;

type Stay = Readonly<{ id: NodeId; rank: number }>;

/** Where all of them are, and who of them could leave. */
export type Crowd = Readonly<{
  /** Links by address and by network (IPv4 /24, IPv6 /56) of the remote. */
  ips: Tally;
  nets: Tally;
  /** Ordinary peers that hold a slot and are not leaving, lowest score first. */
  inbound: Tree<Stay>;
  outbound: Tree<Stay>;
}>;

export const emptyCrowd: Crowd = { ips: undefined, nets: undefined, inbound: undefined, outbound: undefined };
export const noFootprint: Footprint = { inbound: 0, outbound: 0, ip: '', net: '', group: '', stays: undefined, rank: 0 };

const byRank: Order<Stay> = (a, b) => a.rank - b.rank || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);

/** What a peer takes up now: persistent ones have slots set aside, unconditional ones need none. */
export function footprintOf(
  rules: TargetRules,
  peer: Readonly<{ context: PeerContext; peerClass: PeerClass; evicting: LinkHandle | undefined }>,
  before: Footprint,
): Footprint {
  const { context, peerClass, evicting } = peer;
  const { link, rival, dialing, row } = context;
  const ip = normalizeIp(link?.remoteIp ?? '');
  const net = ip === before.ip ? before.net : networkGroup(ip, 'net');
  if (peerClass !== 'ordinary') return { ...noFootprint, ip, net };
  const links = [link, rival].filter((each): each is PeerLink => each !== undefined);
  const outbound = links.filter((each) => each.direction === 'outbound');
  const address = dialing === '' ? (outbound[0]?.address ?? '') : dialing;
  return {
    inbound: links.length - outbound.length,
    outbound: outbound.length + (dialing === '' ? 0 : 1),
    ip,
    net,
    group: address === '' ? '' : shareGroupOf(rules, row.id, address),
    stays: link && evicting !== link.handle ? link.direction : undefined,
    rank: scoreRank(row),
  };
}

/** Whether nothing that a footprint depends on has changed. */
export function isUnmoved(before: PeerContext, after: PeerContext): boolean {
  const [old, row] = [before.row, after.row];
  const isSameRow = old === row || (old.score === row.score && old.scoreEpoch === row.scoreEpoch && old.bannedUntil === row.bannedUntil);
  return isSameRow && before.link?.handle === after.link?.handle && before.rival === after.rival && before.dialing === after.dialing;
}

/** The slots taken after one peer has come to take others. */
export function used(usage: Usage, before: Usage, after: Usage): Usage {
  const change = { inbound: after.inbound - before.inbound, outbound: after.outbound - before.outbound };
  if (change.inbound === 0 && change.outbound === 0) return usage;
  return { inbound: usage.inbound + change.inbound, outbound: usage.outbound + change.outbound };
}

/** The crowd after one peer has moved. */
export function crowded(crowd: Crowd, id: NodeId, before: Footprint, after: Footprint): Crowd {
  const isMoved = before.ip !== after.ip;
  const stay = (direction: Direction): Tree<Stay> => {
    const [was, is] = [before.stays === direction, after.stays === direction];
    if (was === is && (!is || before.rank === after.rank)) return crowd[direction];
    const rest = was ? remove(crowd[direction], { id, rank: before.rank }, byRank) : crowd[direction];
    return is ? insert(rest, { id, rank: after.rank }, byRank) : rest;
  };
  return {
    ips: isMoved ? counted(counted(crowd.ips, before.ip, -1), after.ip, 1) : crowd.ips,
    nets: isMoved ? counted(counted(crowd.nets, before.net, -1), after.net, 1) : crowd.nets,
    inbound: stay('inbound'),
    outbound: stay('outbound'),
  };
}
