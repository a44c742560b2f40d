/** Words and figures of `peer-reference.ts`: links and verdicts, what each behaviour costs, and what matters of an effect. */
import { expect } from '@jest/globals';
import type { PeerEvent } from '../../machines/peer-context.ts';
import type { PeerEffect } from '../../machines/peer-live.ts';
import type { PeerSnapshot } from '../../machines/peer.ts';
import { scoreAt, type Behaviour } from '../../machines/policy/score.ts';

export type Side = 'inbound' | 'outbound';
export type Link = {
  handle: string;
  side: Side;
  since: number;
  up: number;
  failuresBefore: number;
  useful: boolean;
  hourEnd: number;
  proven: boolean;
};
export type Verdict = 'route' | 'replace' | 'hold' | 'operator' | 'banned' | 'flapping' | 'full' | 'duplicate';
export type Reason = Extract<PeerEffect, { type: 'closeLink' }>['reason'];
export type Arrival = Extract<PeerEvent, { type: 'peer.dialed' | 'peer.accepted' }>;

export const [second, hour] = [1_000, 3_600_000];
export const epochMs = 6 * hour;
export const penalties: Readonly<Record<Exclude<Behaviour, 'useful'>, readonly [points: number, floor: number, disconnects?: true]>> = {
  unhelpful: [2, -20],
  stalled: [2, -20],
  misleading: [1, -100],
  malformed: [10, -100],
  flooding: [20, -100],
  protocolViolation: [40, -100, true],
  fatal: [200, -100, true],
};
export const blameless = ['duplicate', 'operator', 'shutdown', 'displaced', 'restart', 'full', 'banned'];

/** `toEqual` for what is compared a hundred thousand times and is nearly always equal. */
export function same(seen: unknown, foretold: unknown): void {
  if (JSON.stringify(seen) !== JSON.stringify(foretold)) expect(seen).toEqual(foretold);
}

/** What matters of an effect: not the error's code, not the channels. */
export function effectText(effect: PeerEffect): string {
  switch (effect.type) {
    case 'answer':
    case 'settle': {
      const { ruling } = effect;
      const to = effect.type === 'answer' ? effect.request : effect.link;
      const detail = ruling.verdict === 'refuse' ? ruling.reason : ruling.verdict === 'hold' ? ruling.older : (ruling.replaces ?? '');
      return `${effect.type} ${to} ${ruling.verdict} ${detail}`;
    }
    case 'publish':
      return `publish ${effect.status}`;
    case 'closeLink':
      return `closeLink ${effect.link} ${effect.reason}`;
  }
}

/** A score and its epoch as they are now: -25 after a ban, and half as far from 0 for each epoch. */
export function faded(was: Readonly<{ score: number; epoch: number; bannedUntil: number }>, now: number): [score: number, epoch: number] {
  let { score, epoch } = was;
  if (was.bannedUntil > 0 && now < was.bannedUntil) return [score, epoch];
  if (was.bannedUntil > 0 && score <= -50) [score, epoch] = [-25, Math.floor(was.bannedUntil / epochMs)];
  for (const last = Math.floor(now / epochMs); epoch < last; epoch++) score = Math.trunc(score / 2) + 0;
  return [score, epoch];
}

/** What a snapshot shows of a peer. The score of a banned peer may be whatever it is. */
export function seenOf(
  { value, context }: PeerSnapshot,
  now: number,
  { isLinked, isBanned }: Readonly<{ isLinked: boolean; isBanned: boolean }>,
) {
  const { connection } = value;
  const isLive = typeof connection !== 'string';
  return {
    routing: isLive ? connection.live.routing : connection,
    rival: isLive ? connection.live.rival : 'absent',
    eviction: value.eviction,
    knowledge: value.knowledge,
    dial: isLinked && value.dial === 'waiting' ? 'idle' : value.dial,
    link: context.link?.handle,
    side: context.link?.direction,
    held: context.rival?.handle,
    until: context.rival ? context.rivalUntil : undefined,
    leaving: context.leaving,
    score: isBanned ? 'whatever' : scoreAt(context.row, now),
    strikes: context.row.strikes,
    bannedUntil: context.row.bannedUntil,
    inactiveUntil: context.row.inactiveUntil,
    dampedUntil: context.row.dampedUntil,
    anchoredAt: context.row.anchoredAt,
    durable: context.durable,
    addresses: context.row.addresses.slice(0, 1).map(({ failures, notBefore }) => [failures, notBefore]),
  };
}
