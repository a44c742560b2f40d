/** What the manager shows of its peers: rows for lists, counts, and one sentence on why a peer is not connected. Reads, never decides. */
import type { NodeId } from '../proto/identity.ts';
import { rowOf } from './peer-book.ts';
import type { Direction } from './policy/duplicate.ts';
import { classOf, type LivePeer, type ManagerContext } from './peer-manager-context.ts';
import { livePeerOf } from './peer-manager-peers.ts';
import type { PeerClass, PeerRow } from './peer-row.ts';
import { dialableAt } from './policy/retry.ts';
import { isBanned, scoreAt, strikesAt } from './policy/score.ts';
import { itemsOf, sizeOf } from './policy/tree.ts';

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

/** Why a peer is, or is not, connected: one sentence, and the facts behind it. */
export type Explanation = Readonly<{ id: NodeId; sentence: string; facts: Readonly<Record<string, unknown>> }>;

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
    channels: link?.channels ?? [],
    ...(row.lastReason === '' ? {} : { lastReason: row.lastReason }),
    ...(link ? { direction: link.direction, connectedForMs: now - link.since } : {}),
    ...(link?.remoteIp ? { remoteAddress: link.remoteIp } : {}),
    ...(roundTripMs === undefined ? {} : { roundTripMs }),
  };
}

export function listOf(context: ManagerContext, now: number, roundTripOf?: (link: string) => number | undefined): readonly PeerView[] {
  return [...itemsOf(context.book.rows)].map((row) => viewOf(context, row, now, roundTripOf));
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

export function explanationOf(context: ManagerContext, id: NodeId, now: number): Explanation {
  if (id === context.setup.ownId) return { id, sentence: 'This is our own id.', facts: {} };
  const row = rowOf(context.book, id);
  if (!row) return { id, sentence: 'This peer is not known: no address was added and it never connected.', facts: {} };
  const live = livePeerOf(context, id);
  const { slots, dialer } = context.setup.options;
  return {
    id,
    sentence: sentenceOf(context, row, live, now),
    facts: {
      state: stateOf(live, row, now),
      class: classOf(context.setup, id),
      score: scoreAt(row, now),
      reports: row.reports,
      strikes: strikesAt(row, now),
      bannedUntil: row.bannedUntil,
      isHeld: context.holds.has(id),
      lastReason: row.lastReason,
      lastConnected: row.lastConnected,
      lastDisconnected: row.lastDisconnected,
      inactiveUntil: row.inactiveUntil,
      addresses: row.addresses,
      outbound: { used: context.usage.outbound, slots: slots.outbound, setAside: context.setup.persistentIds.size },
      inbound: { used: context.usage.inbound, slots: slots.inbound },
      cooldownMs: dialer.cooldownMs,
      now,
    },
  };
}

const inSeconds = (ms: number): string => `${Math.max(0, Math.ceil(ms / 1_000))} s`;

function sentenceOf(context: ManagerContext, row: PeerRow, live: LivePeer | undefined, now: number): string {
  const { setup, usage, holds } = context;
  const link = live?.context.link;
  if (link && live.evicting === link.handle) return `Connected (${link.direction}) and being disconnected.`;
  if (link && link.upSince > 0) return `Up for ${inSeconds(now - link.upSince)}, ${link.direction}.`;
  if (link) return `Connected (${link.direction}) but not up yet: its queue is being made.`;
  if (isBanned(row, now)) return `Banned for another ${inSeconds(row.bannedUntil - now)}: ${row.lastReason}.`;
  if (holds.has(row.id)) return 'Disconnected by the operator; it is held until the operator dials it or the node restarts.';
  if (live?.context.dialing) return `Being dialed at ${live.context.dialing}.`;
  if (live?.context.rejection)
    return 'It closed the connection right after NodeInfo; whether that was a rejection shows within two seconds.';
  if (row.addresses.length === 0) return 'No address of it is known, so it can only connect to us.';
  const at = dialableAt(row, setup.options.dialer.cooldownMs);
  if (at > now) return `${waitOf(row, now, setup.options.dialer.cooldownMs)}; to be dialed in ${inSeconds(at - now)} at the earliest.`;
  const isFull = usage.outbound >= setup.options.slots.outbound - setup.persistentIds.size;
  if (isFull && classOf(setup, row.id) !== 'persistent') {
    return `Due, but all outbound slots are taken: ${usage.outbound} used, ${setup.persistentIds.size} of ${setup.options.slots.outbound} set aside for persistent peers.`;
  }
  return context.dialWaiters.length > 0 ? 'Due: it is dialed in its turn.' : 'Due: it is dialed as soon as the dialer is free.';
}

function waitOf(row: PeerRow, now: number, cooldownMs: number): string {
  if (row.inactiveUntil > now) return `Left alone for a while (${row.lastReason || 'by the operator'})`;
  const failures = Math.min(...row.addresses.map((each) => each.failures));
  if (failures > 0 && row.addresses.every((each) => each.notBefore > now)) {
    return `The last ${failures} ${failures === 1 ? 'dial' : 'dials'} failed (${row.lastReason})`;
  }
  return row.lastDisconnected + cooldownMs > now ? `Cooling down after it disconnected (${row.lastReason})` : 'Backing off';
}
