/** Reputation: what a report does to a score, when a score becomes a ban, and how both fade. Pure functions over rows. */
import type { NodeId } from '../../proto/identity.ts';
import type { PeerClass, PeerRow, ReportRow } from '../peer-row.ts';
import { shortText } from '../peer-row.ts';

/** How a peer behaved, as a reactor names it. */
export const behaviours = ['useful', 'unhelpful', 'stalled', 'misleading', 'malformed', 'flooding', 'protocolViolation', 'fatal'] as const;
/** One of the named severities. */
export type Behaviour = (typeof behaviours)[number];

const hour = 3_600_000;
const day = 24 * hour;
/** A score is halved at the end of each epoch. All peers share the epochs, so waiting never changes who is ahead of whom. */
export const epochMs = 6 * hour;
export const epochOf = (now: number): number => Math.floor(now / epochMs);

export const scoreLimit = 100;
/** At this score or less a peer is banned. */
export const banScore = -50;
/** What a ban leaves behind. */
const scoreAfterBan = -25;
const firstBanMs = hour;
const longestBanMs = 30 * day;
const strikesHalveMs = 30 * day;
const mostStrikes = 16;
const reportsKept = 10;
/** Reports of `useful` that count within one hour; more is not better. */
export const usefulAnHour = 20;
/** For persistent and unconditional peers, who are never banned by their score. */
const firstPauseMs = 15_000;
const longestPauseMs = 300_000;

type Rule = Readonly<{ change: number; floor: number; disconnects?: boolean }>;
const rules: Readonly<Record<Behaviour, Rule>> = {
  useful: { change: 1, floor: -scoreLimit },
  unhelpful: { change: -2, floor: -20 },
  stalled: { change: -2, floor: -20 },
  misleading: { change: -1, floor: -scoreLimit },
  malformed: { change: -10, floor: -scoreLimit },
  flooding: { change: -20, floor: -scoreLimit },
  protocolViolation: { change: -40, floor: -scoreLimit, disconnects: true },
  fatal: { change: -2 * scoreLimit, floor: -scoreLimit, disconnects: true },
};

export const isBanned = (row: PeerRow, now: number): boolean => now < row.bannedUntil;

/** The score as it counts now. */
export function scoreAt(row: PeerRow, now: number): number {
  const { score, epoch } = scoreSince(row, now);
  const halvings = Math.max(0, epochOf(now) - epoch);
  // Adding 0 turns -0 into 0.
  return halvings > 31 ? 0 : Math.trunc(score / 2 ** halvings) + 0;
}

/** A score and the epoch it belongs to, an ended ban taken into account. */
function scoreSince(row: PeerRow, now: number): Readonly<{ score: number; epoch: number }> {
  if (row.bannedUntil > 0 && now >= row.bannedUntil && row.score <= banScore) return { score: scoreAfterBan, epoch: row.scoreEpoch };
  return { score: row.score, epoch: row.scoreEpoch };
}

/** A whole number that orders peers by score for ever: of two scores the one ahead stays ahead, however long both fade. */
export function scoreRank(row: PeerRow): number {
  const score = row.bannedUntil > 0 && row.score <= banScore ? scoreAfterBan : row.score;
  if (score === 0) return 0;
  return Math.sign(score) * (Math.round(Math.log2(Math.abs(score)) * halving) + (row.scoreEpoch + 1) * halving);
}

/** What halving a score takes from its rank: enough that no two scores share one, little enough that ranks stay small integers, which cost no memory of their own. */
const halving = 1_024;

/** Bans and pauses that still count: half of them for each 30 days since the last one ended. */
export function strikesAt(row: PeerRow, now: number): number {
  return row.strikes >> Math.min(31, Math.max(0, Math.floor((now - Math.max(row.bannedUntil, row.inactiveUntil)) / strikesHalveMs)));
}

/** What is known when a report is judged. */
export type ReportFacts = Readonly<{
  id: NodeId;
  behaviour: Behaviour;
  reason: string;
  /** Seen by this node in what the remote sent, or said by a reactor of the host. */
  source: ReportSource;
  /** From -100 to 100, as it counts now. */
  score: number;
  class: PeerClass;
  /** Bans and pauses that still count. */
  strikes: number;
  now: number;
}>;
export type ReportSource = 'remote' | 'host';

export const consequences = ['none', 'disconnect', 'ban'] as const;
/** What becomes of a peer: its score, and whether it is left alone for a time, disconnected or banned. Persistent and unconditional peers are never banned. */
export type Judgement = Readonly<{
  score: number;
  consequence: (typeof consequences)[number];
  /** Length of the ban, or of the pause after which a disconnected peer is dialed again, in milliseconds. */
  forMs: number;
}>;

/** A policy on reports: what it says of one. Must be quick and may not throw. */
export type Reputation = (facts: ReportFacts) => Judgement;

/** The policy of a node that is given none. */
export const defaultReputation: Reputation = ({ behaviour, score: before, class: peerClass, strikes }) => {
  const rule = rules[behaviour];
  const score = rule.change > 0 ? Math.min(scoreLimit, before + rule.change) : lowered(before, rule);
  if (score > banScore || rule.change > 0) return { score, consequence: rule.disconnects ? 'disconnect' : 'none', forMs: 0 };
  if (peerClass === 'ordinary') return { score, consequence: 'ban', forMs: Math.min(longestBanMs, firstBanMs * 2 ** strikes) };
  if (score === before && !rule.disconnects) return { score, consequence: 'none', forMs: 0 };
  return { score, consequence: 'disconnect', forMs: Math.min(longestPauseMs, firstPauseMs * 2 ** strikes) };
};

/** What a policy said, brought within limits. @throws TypeError when it is no judgement. */
export function checkedJudgement(said: unknown, peerClass: PeerClass): Judgement {
  const { score, consequence, forMs } = (typeof said === 'object' && said !== null ? said : {}) as Partial<
    Record<keyof Judgement, unknown>
  >;
  const named = consequences.find((each) => each === consequence);
  if (typeof score !== 'number' || Number.isNaN(score)) throw new TypeError('score is not a number');
  if (typeof forMs !== 'number' || Number.isNaN(forMs)) throw new TypeError('forMs is not a number');
  if (!named) throw new TypeError(`consequence is none of ${consequences.join(', ')}`);
  const isOrdinary = peerClass === 'ordinary';
  const within = (value: number, least: number, most: number): number => Math.min(most, Math.max(least, Math.round(value)));
  return {
    score: within(score, -scoreLimit, scoreLimit) + 0,
    consequence: named === 'ban' && !isOrdinary ? 'disconnect' : named,
    forMs: within(forMs, named === 'ban' && isOrdinary ? 1 : 0, isOrdinary ? longestBanMs : longestPauseMs),
  };
}

/** A row after a report, and what must happen to the peer. */
export type Judged = Readonly<{ row: PeerRow; consequence: Judgement['consequence'] }>;

/** Applies a report, as the default policy judges it unless another has. `useful` beyond its hourly allowance is for the caller to hold back. */
export function judge(
  row: PeerRow,
  peerClass: PeerClass,
  report: Readonly<{ behaviour: Behaviour; reason: string; now: number; judgement?: Judgement }>,
): Judged {
  const { behaviour, reason, now } = report;
  const { score, consequence, forMs } = report.judgement ?? defaultReputation(factsOf(row, peerClass, { ...report, source: 'remote' }));
  const reported = { ...row, score, scoreEpoch: epochOf(now), reports: withReport(row.reports, behaviour, reason, now) };
  if (consequence === 'ban') return { row: banned(reported, { forMs, reason: behaviour, now }), consequence };
  if (consequence === 'none' || forMs === 0) return { row: reported, consequence };
  const strikes = Math.min(mostStrikes, strikesAt(row, now) + 1);
  return { row: { ...reported, strikes, inactiveUntil: now + forMs }, consequence };
}

/** What a policy is told of a report on a peer with this row. */
export function factsOf(
  row: PeerRow,
  peerClass: PeerClass,
  report: Readonly<{ behaviour: Behaviour; reason: string; source: ReportSource; now: number }>,
): ReportFacts {
  const { behaviour, reason, source, now } = report;
  return { id: row.id, behaviour, reason, source, score: scoreAt(row, now), class: peerClass, strikes: strikesAt(row, now), now };
}

/** A penalty starts from 0 at most, so standing buys no tolerance, and a mild one never goes below its floor. */
function lowered(before: number, rule: Rule): number {
  const base = Math.min(before, 0);
  return base <= rule.floor ? base : Math.max(rule.floor, base + rule.change);
}

/** A row banned for a time. Its score is set so that what remains afterwards is the score of a ban that ended. */
export function banned(row: PeerRow, ban: Readonly<{ forMs: number; reason: string; now: number }>): PeerRow {
  const bannedUntil = ban.now + ban.forMs;
  return {
    ...row,
    score: Math.min(banScore, scoreAt(row, ban.now)),
    scoreEpoch: epochOf(bannedUntil),
    strikes: Math.min(mostStrikes, strikesAt(row, ban.now) + 1),
    bannedUntil,
    lastReason: shortText(ban.reason),
  };
}

/** A row with some standing more, for time well spent. */
export function rewarded(row: PeerRow, points: number, now: number): PeerRow {
  return { ...row, score: Math.min(scoreLimit, scoreAt(row, now) + points), scoreEpoch: epochOf(now) };
}

function withReport(reports: readonly ReportRow[], behaviour: Behaviour, reason: string, now: number): readonly ReportRow[] {
  const text = shortText(reason);
  const same = reports.find((each) => each.behaviour === behaviour && each.reason === text);
  const others = reports.filter((each) => each !== same);
  return [...others.slice(-(reportsKept - 1)), { at: now, behaviour, reason: text, times: Math.min((same?.times ?? 0) + 1, 1_000_000) }];
}
