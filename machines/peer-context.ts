/** The words of a peer's chart: what it knows, what happens to it, what it asks for. Types only, and the few readings of them that several files share. */
import type { NodeAddress } from '../proto/address.ts';
import type { DisconnectReason, ErrorCode } from '../proto/errors.ts';
import type { NodeId } from '../proto/identity.ts';
import type { PeerClass, PeerRow } from './peer-row.ts';
import type { Direction } from './policy/duplicate.ts';
import type { Source } from './policy/intake.ts';
import type { RetryOptions } from './policy/retry.ts';
import { scoreAt, type Behaviour, type Judgement } from './policy/score.ts';

/** A connection as the manager knows it: a handle of the router's, opaque here, unique while it lives. */
export type LinkHandle = string;

/** What is known of a connection when it asks to be admitted. */
export type Arrival = Readonly<{
  id: NodeId;
  link: LinkHandle;
  /** IP of the remote, if it has one. */
  remoteIp?: string;
  /** The remote runs this runtime: its NodeInfo `version` begins with `troupe/`. */
  ours: boolean;
  channels: readonly number[];
}>;

/** What to do with a connection that has shaken hands; `code` names the error of a refusal. */
export type Ruling =
  | Readonly<{ verdict: 'route'; replaces?: LinkHandle }>
  | Readonly<{ verdict: 'hold'; older: LinkHandle }>
  | Readonly<{ verdict: 'refuse'; reason: DisconnectReason; code: ErrorCode }>;

/** An admitted or held connection. Times are milliseconds on the manager's clock, 0 for not yet. */
export type PeerLink = Readonly<{
  handle: LinkHandle;
  direction: Direction;
  since: number;
  upSince: number;
  ours: boolean;
  /** Empty for a remote without an IP. */
  remoteIp: string;
  channels: readonly number[];
  /** The address dialed, empty when inbound, and how often it had failed until then. */
  address: string;
  failuresBefore: number;
  /** End of the hour that may be rewarded, and whether something useful came in it. */
  hourEnd: number;
  isUseful: boolean;
  /** It has been up for a minute without blame. */
  isProven: boolean;
}>;

/** Everything a peer's decisions depend on. */
export type PeerContext = Readonly<{
  row: PeerRow;
  peerClass: PeerClass;
  /** Our id is lower than the peer's. */
  ownIdLower: boolean;
  retry: RetryOptions;
  addressLimit: number;
  /** The row is on disk, or is to be. */
  durable: boolean;
  /** Disconnected by the operator until the operator dials. */
  held: boolean;
  /** Removed by the operator; gone as soon as it rests. */
  forgotten: boolean;
  /** The address being dialed, and whether the operator has given it up meanwhile. */
  dialing: string;
  cancelled: boolean;
  /** Failures of the address that was last dialed with success, before that success. */
  failuresBefore: number;
  link: PeerLink | undefined;
  /** A replaced link that was up and whose end has not been reported: the peer is down once it is. */
  leaving: LinkHandle | undefined;
  /** A younger connection that waits for the remote to close one of the two, until `rivalUntil`. */
  rival: PeerLink | undefined;
  rivalUntil: number;
  /** When a link was last replaced by one of its own direction; 0 for never. */
  replacedAt: number;
  /** A rejection that is not counted yet. */
  rejection: Readonly<{ address: string; failures: number; until: number }> | undefined;
  /** Useful reports in the hour with this number. */
  useful: Readonly<{ hour: number; count: number }>;
  /** Why the last attempt to connect came to nothing. */
  lastError: ErrorCode | undefined;
}>;

export type PeerInput = Readonly<{
  row: PeerRow;
  peerClass: PeerClass;
  ownIdLower: boolean;
  retry: RetryOptions;
  addressLimit: number;
  durable: boolean;
  held: boolean;
  /** Useful reports of before, if they may be of this hour. */
  useful?: PeerContext['useful'];
  now: number;
}>;

/** `now` is the manager's clock in milliseconds, `roll` a number in [0, 1). */
export type PeerArrival<T extends string> = Readonly<{
  type: T;
  arrival: Arrival;
  /** The address dialed; empty when inbound. */
  address: string;
  /** Free slots for this direction, not counting those that this peer's connections hold. */
  room: number;
  /** It has connected so often lately that it is not to come again before this time. */
  dampedUntil?: number;
  request: number;
  now: number;
}>;
export type AnyArrival = PeerArrival<'peer.dialed'> | PeerArrival<'peer.accepted'>;
export type PeerEvent =
  | Readonly<{ type: 'peer.addressAdded'; address: NodeAddress; source: Source; now: number }>
  | Readonly<{ type: 'peer.dial'; address: string; now: number }>
  | Readonly<{ type: 'peer.dialFailed'; address: string; code: ErrorCode; now: number; roll: number }>
  | PeerArrival<'peer.dialed'>
  | PeerArrival<'peer.accepted'>
  | Readonly<{ type: 'peer.ready'; link: LinkHandle; now: number }>
  | Readonly<{ type: 'peer.disconnected'; link: LinkHandle; reason: DisconnectReason; detail: string; now: number; roll: number }>
  /** `judgement` is that of the host's policy, if it has one. A direct report did not come by the manager, and is not answered. */
  | Readonly<{ type: 'peer.reported'; behaviour: Behaviour; reason: string; judgement?: Judgement; now: number; isDirect?: true }>
  | Readonly<{ type: 'peer.due'; now: number; roll: number }>
  /** Close the link it has, for this reason; an order comes from the manager, not from the chart itself. */
  | Readonly<{ type: 'peer.evict'; reason: DisconnectReason; now: number; isOrder?: true }>
  /** The router has been told to close it. */
  | Readonly<{ type: 'peer.evicting'; now: number }>
  /** The operator wants it connected: lifts a hold and every back-off. */
  | Readonly<{ type: 'peer.release'; now: number }>
  /** The operator wants it disconnected, until released (`hold`) or for a time. */
  | Readonly<{ type: 'peer.dismiss'; hold: boolean; until: number; reason: string; now: number }>
  | Readonly<{ type: 'peer.ban'; forMs: number; reason: string; now: number }>
  | Readonly<{ type: 'peer.forget'; hold: boolean; now: number }>;

/** What a peer asks for. */
export type PeerEffects = Readonly<{
  /** The answer to a connection that asked to be admitted. */
  answer: Readonly<{ request: number; ruling: Ruling }>;
  /** The decision on a held connection. */
  settle: Readonly<{ link: LinkHandle; ruling: Ruling }>;
  /** It came up or went down. */
  publish: Readonly<{ status: 'up' | 'down'; channels: readonly number[]; reason?: DisconnectReason }>;
  /** Its link must be closed. */
  closeLink: Readonly<{ link: LinkHandle; reason: DisconnectReason }>;
}>;

/** Longest wait for the peer to come up after a rejection before the rejection counts. */
export const rejectionMs = 2_000;
/** A connection that ends sooner counts as a failed dial, so that a flapping peer is dialed less and less. */
export const shortLifeMs = 10_000;
/** By staying up this long without blame an inbound stranger earns a row on disk, and an outbound peer to be dialed first after a restart. */
export const earnedMs = 60_000;
export const hourMs = 3_600_000;

/** The moment of an event, or of the start. */
export function timeOf(event: unknown): number {
  const { now, input } = event as { now?: number; input?: { now: number } };
  return now ?? input?.now ?? 0;
}

/** Whether there is something that the peer earns by staying up. */
export function canEarn({ link, row, durable }: PeerContext): boolean {
  if (!link || link.upSince === 0 || link.isProven) return false;
  return (link.direction === 'outbound' || !durable) && scoreAt(row, link.upSince) >= 0;
}

/** When time itself has something to decide about a live peer; Infinity when nothing is awaited. */
export function dueAt(context: PeerContext): number {
  const { link, rival, rejection } = context;
  let at = Infinity;
  if (rival) at = Math.min(at, context.rivalUntil);
  if (rejection && !link && !context.dialing) at = Math.min(at, rejection.until);
  if (link && link.upSince > 0) {
    at = Math.min(at, link.hourEnd);
    if (canEarn(context)) at = Math.min(at, link.upSince + earnedMs);
  }
  return at;
}
