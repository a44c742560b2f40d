/** Whether a connection that has shaken hands is routed, held beside an older one, or refused. */
import type { AnyArrival, PeerContext, PeerLink, Ruling } from './peer-context.ts';
import { contest, type Direction } from './policy/duplicate.ts';
import { isBanned } from './policy/score.ts';

const refusals = {
  operator: { verdict: 'refuse', reason: 'operator', code: 'ERR_PEER_HELD' },
  banned: { verdict: 'refuse', reason: 'banned', code: 'ERR_PEER_BANNED' },
  flapping: { verdict: 'refuse', reason: 'flapping', code: 'ERR_PEER_FLAPPING' },
  full: { verdict: 'refuse', reason: 'full', code: 'ERR_SLOTS_FULL' },
  duplicate: { verdict: 'refuse', reason: 'duplicate', code: 'ERR_PEER_DUPLICATE' },
} as const satisfies Record<string, Ruling>;

/** The refusal of a held connection when another is kept. */
export const duplicateRuling: Ruling = refusals.duplicate;

/** Rules on an arrival from what is known before it. A slot that the peer gives up for it counts as free. */
export function admissionOf(context: PeerContext, event: AnyArrival): Ruling {
  const direction: Direction = event.type === 'peer.dialed' ? 'outbound' : 'inbound';
  const { link, rival } = context;
  if (context.held || context.forgotten || (context.cancelled && direction === 'outbound')) return refusals.operator;
  if (isBanned(context.row, event.now)) return refusals.banned;
  if (!link && event.now < Math.max(context.row.dampedUntil, event.dampedUntil ?? 0)) return refusals.flapping;
  const freed = (held: PeerLink | undefined): number => (held?.direction === direction ? 1 : 0);
  if (!link) return event.room >= 1 ? { verdict: 'route' } : refusals.full;
  if (rival) return event.room + freed(rival) >= 1 ? { verdict: 'hold', older: link.handle } : refusals.full;
  const verdict = contest({
    older: link.direction,
    younger: direction,
    olderAgeMs: event.now - link.since,
    sinceReplacedMs: context.replacedAt === 0 ? Infinity : event.now - context.replacedAt,
    ours: event.arrival.ours,
    ownIdLower: context.ownIdLower,
  });
  if (verdict === 'refuse') return refusals.duplicate;
  if (verdict === 'hold') return event.room >= 1 ? { verdict: 'hold', older: link.handle } : refusals.full;
  return event.room + freed(link) >= 1 ? { verdict: 'route', replaces: link.handle } : refusals.full;
}
