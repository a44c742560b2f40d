/** What is known of a peer at rest: the record that the store keeps and from which its machine resumes. Plain data. */
import type { NodeId } from '../proto/identity.ts';
import type { Behaviour } from './policy/score.ts';

/** One address of a peer with its history; times are wall-clock milliseconds, 0 for never. */
export type AddressRow = Readonly<{
  /** Text form, lossless. */
  address: string;
  lastSuccess: number;
  lastFailure: number;
  /** Failed dials since the last success. */
  failures: number;
  /** Not dialed before this time; rolled once, when a dial fails. */
  notBefore: number;
  /** `operator`, `host`, `self` (said by the peer itself, from that host) or `gossip:<id>`. */
  source: string;
}>;

/** Reports of one kind, the last of them at `at`. */
export type ReportRow = Readonly<{ at: number; behaviour: Behaviour; reason: string; times: number }>;

/** One peer at rest. */
export type PeerRow = Readonly<{
  id: NodeId;
  addresses: readonly AddressRow[];
  /** -100 to 100 as of `scoreEpoch`; halved at each epoch since. */
  score: number;
  /** Number of the six-hour epoch in which the score was set. */
  scoreEpoch: number;
  /** Bans so far; halved every 30 days after the last one ended. */
  strikes: number;
  bannedUntil: number;
  lastConnected: number;
  lastDisconnected: number;
  /** Not dialed by us before this time, whatever the addresses say. */
  inactiveUntil: number;
  /** Neither dialed nor accepted before this time, since it connected too often. */
  dampedUntil: number;
  /** When it had to make room for a better peer; 0 once it has been dialed since. */
  displacedAt: number;
  /** When it last was a good outbound peer; 0 for never. */
  anchoredAt: number;
  /** Why the last connection ended, or the last dial failed. */
  lastReason: string;
  /** The latest reports, oldest first, at most ten. */
  reports: readonly ReportRow[];
}>;

/** How a peer is treated whatever its score: kept connected, admitted beyond the slots, or neither. */
export type PeerClass = 'persistent' | 'unconditional' | 'ordinary';

const none: readonly never[] = Object.freeze([]);

/**
 * How rows lie in memory. V8 gives a field that held nothing but numbers, one of them a date, a box in each object, for a zero too;
 * a field that has held something else refers to small integers without one. Nearly all times of nearly all rows are zero, so this is an eighth of what a known peer weighs.
 * It holds for all objects with these keys in this order, and for as long as these are kept.
 */
export const rowShapes: Readonly<{ row: object; address: object }> = {
  row: {
    id: none,
    addresses: none,
    score: none,
    scoreEpoch: none,
    strikes: none,
    bannedUntil: none,
    lastConnected: none,
    lastDisconnected: none,
    inactiveUntil: none,
    dampedUntil: none,
    displacedAt: none,
    anchoredAt: none,
    lastReason: none,
    reports: none,
  },
  address: { address: none, lastSuccess: none, lastFailure: none, failures: none, notBefore: none, source: none },
};

/** A peer of which nothing is known but its id. */
export function blankRow(id: NodeId): PeerRow {
  return {
    id,
    addresses: none,
    score: 0,
    scoreEpoch: 0,
    strikes: 0,
    bannedUntil: 0,
    lastConnected: 0,
    lastDisconnected: 0,
    inactiveUntil: 0,
    dampedUntil: 0,
    displacedAt: 0,
    anchoredAt: 0,
    lastReason: '',
    reports: none,
  };
}

/** Text for people from who knows where: printable, one line, at most 80 characters. */
export function shortText(text: string): string {
  return text
    .slice(0, 160)
    .replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ')
    .trim()
    .slice(0, 80);
}
