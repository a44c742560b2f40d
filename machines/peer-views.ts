/** What the manager shows of its peers: rows for lists, and counts. Reads, never decides. */
import type { NodeId } from '../proto/identity.ts';
import type { Direction } from './policy/duplicate.ts';
import { classOf, type LivePeer, type ManagerContext } from './peer-manager-context.ts';
import { livePeerOf } from './peer-manager-peers.ts';
import type { PeerClass, PeerRow } from './peer-row.ts';
import { isBanned, scoreAt } from './policy/score.ts';
import { itemsFrom, itemsOf, sizeOf } from './policy/tree.ts';

export type PeerState = 'known' | 'dialing' | 'connected' | 'up' | 'evicting' | 'banned';

/** One row of `peers.list()` and of `/peers`. */
export type PeerView = Readonly<{
  id: NodeId;
  state: PeerState;
  direction?: Direction;
  class: PeerClass;
  score: number;
  addresses: readonly string[];
  channels: readonly number[];
  lastReason?: string;
  remoteAddress?: string;
  connectedForMs?: number;
  roundTripMs?: number;
}>;

export function stateOf(live: LivePeer | undefined, row: PeerRow, now: number): PeerState {
  const link = live?.context.link;
  if (link && live.evicting === link.handle) return 'evicting';
  if (isBanned(row, now)) return 'banned';
  if (link) return link.upSince > 0 ? 'up' : 'connected';
  return live?.context.dialing ? 'dialing' : 'known';
}

export function viewOf(context: ManagerContext, row: PeerRow, now: number, roundTripOf?: (link: string) => number | undefined): PeerView {
  const live = livePeerOf(context, row.id);
  const link = live?.context.link;
  const roundTripMs = link && roundTripOf?.(link.handle);
  return {
    id: row.id,
    state: stateOf(live, row, now),
    class: classOf(context.setup, row.id),
    score: scoreAt(row, now),
    addresses: row.addresses.map((each) => each.address),
    channels: [...(link?.channels ?? [])],
    ...(row.lastReason === '' ? {} : { lastReason: row.lastReason }),
    ...(link ? { direction: link.direction, connectedForMs: now - link.since } : {}),
    ...(link?.remoteIp ? { remoteAddress: link.remoteIp } : {}),
    ...(roundTripMs === undefined ? {} : { roundTripMs }),
  };
}

/** A part of the list: at most `limit` rows, those whose ids come after `after`. */
export type PeerRange = Readonly<{ after?: string; limit?: number }>;

export function listOf(
  context: ManagerContext,
  now: number,
  { after = '', limit = Infinity }: PeerRange = {},
  roundTripOf?: (link: string) => number | undefined,
): readonly PeerView[] {
  const views: PeerView[] = [];
  for (const row of itemsFrom(context.book.rows, ({ id }) => id > after)) {
    if (views.length >= limit) break;
    views.push(viewOf(context, row, now, roundTripOf));
  }
  return views;
}

export type Counts = Readonly<{ known: number; dialing: number; connected: number; up: number; banned: number }>;

/** Counts for `/status`. A peer that is up is connected too. */
export function countsOf(context: ManagerContext, now: number): Counts {
  const counts = { known: sizeOf(context.book.rows), dialing: 0, connected: 0, up: 0, banned: sizeOf(context.book.bans) };
  for (const { context: peer } of itemsOf(context.live)) {
    if (peer.dialing) counts.dialing += 1;
    if (peer.link) counts.connected += 1;
    if (peer.link && peer.link.upSince > 0) counts.up += 1;
    if (isBanned(peer.row, now)) counts.banned += 1;
  }
  return counts;
}
