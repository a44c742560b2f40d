/** Why a peer is, or is not, connected: one sentence, and the facts behind it. Reads, never decides. */
import type { NodeId } from '../proto/identity.ts';
import { rowOf } from './peer-book.ts';
import { classOf, type LivePeer, type ManagerContext } from './peer-manager-context.ts';
import { livePeerOf } from './peer-manager-peers.ts';
import { roomOf, upgradeRoom } from './peer-manager-slots.ts';
import type { PeerRow } from './peer-row.ts';
import { targetOf } from './peer-targets.ts';
import { stateOf } from './peer-views.ts';
import { upgradePoints } from './policy/evict.ts';
import { dialableAt } from './policy/retry.ts';
import { isBanned, scoreAt, strikesAt } from './policy/score.ts';

export type Explanation = Readonly<{ id: NodeId; sentence: string; facts: Readonly<Record<string, unknown>> }>;

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
      reports: row.reports.map((each) => ({ ...each })),
      strikes: strikesAt(row, now),
      bannedUntil: row.bannedUntil,
      isHeld: context.holds.has(id),
      lastReason: row.lastReason,
      lastConnected: row.lastConnected,
      lastDisconnected: row.lastDisconnected,
      inactiveUntil: row.inactiveUntil,
      dampedUntil: row.dampedUntil,
      displacedAt: row.displacedAt,
      addresses: row.addresses.map((each) => ({ ...each })),
      outbound: { used: context.usage.outbound, slots: slots.outbound, setAside: context.setup.persistentIds.size },
      inbound: { used: context.usage.inbound, slots: slots.inbound },
      upgrades: { free: upgradeRoom(context), slots: slots.upgrade, claims: context.claims.length },
      cooldownMs: dialer.cooldownMs,
      now,
    },
  };
}

/** A span in the largest unit that leaves two digits to read. */
function spanOf(ms: number): string {
  if (ms >= 2 * 86_400_000) return `${Math.floor(ms / 86_400_000)} days`;
  if (ms >= 2 * 3_600_000) return `${Math.floor(ms / 3_600_000)} h`;
  return ms >= 120_000 ? `${Math.floor(ms / 60_000)} min` : `${Math.max(0, Math.ceil(ms / 1_000))} s`;
}

function sentenceOf(context: ManagerContext, row: PeerRow, live: LivePeer | undefined, now: number): string {
  const { setup, holds } = context;
  const link = live?.context.link;
  if (link && live.evicting === link.handle) {
    const reason = context.evictions.find((each) => each.link === link.handle)?.reason;
    return `Connected (${link.direction}) and ${reason ? `to be disconnected: ${reason}` : 'being disconnected'}.`;
  }
  if (link && link.upSince > 0) return `Up for ${spanOf(now - link.upSince)}, ${link.direction}.`;
  if (link) return `Connected (${link.direction}) but not up yet: its queue is being made.`;
  if (isBanned(row, now))
    return `Banned for another ${spanOf(row.bannedUntil - now)}${row.lastReason === '' ? '' : `: ${row.lastReason}`}.`;
  if (holds.has(row.id)) return 'Disconnected by the operator; it is held until the operator dials it or the node restarts.';
  if (live?.context.dialing) return `Being dialed at ${live.context.dialing}.`;
  if (live?.context.rejection)
    return 'It closed the connection right after NodeInfo; whether that was a rejection shows within two seconds.';
  if (row.addresses.length === 0) return 'No address of it is known, so it can only connect to us.';
  const at = dialableAt(row, setup.options.dialer.cooldownMs);
  if (at > now) return `${waitOf(row, now, setup.options.dialer.cooldownMs)}; to be dialed in ${spanOf(at - now)} at the earliest.`;
  if (classOf(setup, row.id) === 'ordinary') {
    const obstacle = obstacleOf(context, row, now);
    if (obstacle !== '') return obstacle;
  }
  return context.dialWaiters.length > 0 ? 'Due: it is dialed in its turn.' : 'Due: it is dialed as soon as the dialer is free.';
}

/** What keeps an ordinary peer that is due from being dialed. */
function obstacleOf(context: ManagerContext, row: PeerRow, now: number): string {
  const { setup, usage, book } = context;
  const { slots } = setup.options;
  if (roomOf(context, 'outbound') < 1) {
    if (row.displacedAt > 0)
      return `It made room for a better peer ${spanOf(now - row.displacedAt)} ago; it is dialed again once a slot is free.`;
    const aside = `${usage.outbound} used, ${setup.persistentIds.size} of ${slots.outbound} set aside for persistent peers`;
    return `Due, but all outbound slots are taken: ${aside}. An upgrade needs a score ${upgradePoints} points above that of a connected peer.`;
  }
  if (targetOf(book.targets, row)) return '';
  return `Due, but its network has its share of outbound peers (slots.outboundPerGroup: ${slots.outboundPerGroup}).`;
}

function waitOf(row: PeerRow, now: number, cooldownMs: number): string {
  if (row.dampedUntil > now) return 'Left alone for a while, since it connected too often';
  if (row.inactiveUntil > now) return `Left alone for a while (${row.lastReason || 'by the operator'})`;
  const failures = Math.min(...row.addresses.map((each) => each.failures));
  if (failures > 0 && row.addresses.every((each) => each.notBefore > now)) {
    return `The last ${failures} ${failures === 1 ? 'dial' : 'dials'} failed (${row.lastReason})`;
  }
  return row.lastDisconnected + cooldownMs > now ? `Cooling down after it disconnected (${row.lastReason})` : 'Backing off';
}
