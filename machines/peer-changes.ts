/** What each event changes in what is known of a peer: pure functions that the chart in `peer.ts` names. */
import type { ErrorCode } from '../proto/errors.ts';
import {
  canEarn,
  earnedMs,
  hourMs,
  rejectionMs,
  shortLifeMs,
  type AnyArrival,
  type PeerArrival,
  type PeerContext,
  type PeerEvent,
  type PeerInput,
  type PeerLink,
} from './peer-context.ts';
import { admissionOf } from './peer-admission.ts';
import { shortText, type PeerRow } from './peer-row.ts';
import { holdMs, isHeldKept } from './policy/duplicate.ts';
import { withAddress } from './policy/intake.ts';
import { incompatibleMs, retryCap, withFailure, withoutBackoff, withSuccess } from './policy/retry.ts';
import { banned, judge, rewarded, scoreAt, usefulAnHour, type Judged } from './policy/score.ts';

type Change = Partial<PeerContext>;
type On<T extends PeerEvent['type']> = Extract<PeerEvent, { type: T }>;

export function fromInput(input: PeerInput): PeerContext {
  const { row, peerClass, ownIdLower, retry, addressLimit, durable, held, useful = { hour: 0, count: 0 } } = input;
  return {
    row,
    peerClass,
    ownIdLower,
    retry,
    addressLimit,
    durable,
    held,
    forgotten: false,
    dialing: '',
    cancelled: false,
    failuresBefore: 0,
    link: undefined,
    leaving: undefined,
    rival: undefined,
    rivalUntil: 0,
    replacedAt: 0,
    rejection: undefined,
    useful,
    lastError: undefined,
  };
}

export function addAddress(context: PeerContext, event: On<'peer.addressAdded'>): Change {
  const row = withAddress(context.row, event.address, event.source, context.addressLimit);
  // What a peer says of itself is worth a place on disk only once the peer is.
  return row ? { row, forgotten: false, durable: context.durable || event.source !== 'self' } : {};
}

export function beginDial(_: PeerContext, event: On<'peer.dial'>): Change {
  return { dialing: event.address, cancelled: false, durable: true };
}

export function failDial(context: PeerContext, event: On<'peer.dialFailed'>): Change {
  // A dial cut short by a connection that came up meanwhile has not failed.
  if (context.link) return { dialing: '', cancelled: false };
  const known = context.row.addresses.find((each) => each.address === event.address);
  const row = failed(context, { address: event.address, failures: (known?.failures ?? 0) + 1, reason: event.code, rejected: false }, event);
  return { row: context.peerClass === 'ordinary' ? paused(row, event) : row, dialing: '', cancelled: false, lastError: event.code };
}

/** Addresses of one peer that are tried in one round, and how long the round lasts: an id with many hosts must not make us knock at all of them. */
const roundDials = 3;
const roundMs = 60_000;

function paused(row: PeerRow, { code, now }: On<'peer.dialFailed'>): PeerRow {
  if (code === 'ERR_PEER_INCOMPATIBLE') return { ...row, inactiveUntil: now + incompatibleMs };
  if (row.addresses.length <= roundDials) return row;
  const failures = row.addresses.map((each) => each.lastFailure).filter((at) => at > 0 && now - at < roundMs);
  if (failures.length < roundDials) return row;
  return { ...row, inactiveUntil: Math.max(row.inactiveUntil, Math.min(...failures) + roundMs) };
}

function failed(
  context: PeerContext,
  failure: Readonly<{ address: string; failures: number; reason: string; rejected: boolean }>,
  event: { now: number; roll: number },
): PeerRow {
  const { retry: options, peerClass } = context;
  const { address, failures, reason } = failure;
  const capMs = retryCap(options, peerClass, failure.rejected);
  return withFailure(context.row, { address, failures, capMs, options, reason, now: event.now, roll: event.roll });
}

/** The dial is over and its address proven, whatever becomes of the connection. */
export function endDial(context: PeerContext, event: PeerArrival<'peer.dialed'>): Change {
  const known = context.row.addresses.find((each) => each.address === event.address);
  return { row: withSuccess(context.row, event.address, event.now), dialing: '', failuresBefore: known?.failures ?? 0 };
}

function linkOf(context: PeerContext, event: AnyArrival): PeerLink {
  const { link: handle, ours, channels, remoteIp = '' } = event.arrival;
  const direction = event.type === 'peer.dialed' ? 'outbound' : 'inbound';
  const failuresBefore = direction === 'outbound' ? context.failuresBefore : 0;
  return {
    handle,
    direction,
    since: event.now,
    upSince: 0,
    ours,
    remoteIp,
    channels,
    address: event.address,
    failuresBefore,
    hourEnd: 0,
    isUseful: false,
    isProven: false,
  };
}

/** The link that others must still see going down when the present one is replaced. */
function leavingOf({ link, leaving }: PeerContext): string | undefined {
  return link && link.upSince > 0 ? link.handle : leaving;
}

export function takeLink(context: PeerContext, event: AnyArrival): Change {
  const link = linkOf(context, event);
  const replacedAt = context.link?.direction === link.direction ? event.now : context.replacedAt;
  return {
    link,
    leaving: leavingOf(context),
    rival: undefined,
    rivalUntil: 0,
    replacedAt,
    row: { ...context.row, lastConnected: event.now, displacedAt: 0 },
    lastError: undefined,
  };
}

export function noteRefusal(context: PeerContext, event: AnyArrival): Change {
  const ruling = admissionOf(context, event);
  if (ruling.verdict !== 'refuse') return {};
  const noted: Change = { lastError: ruling.code, cancelled: false };
  const { row } = context;
  // A dial that found no slot after all is not made again at once.
  if (ruling.reason === 'full' && event.address !== '') return { ...noted, row: { ...row, lastDisconnected: event.now } };
  if (ruling.reason !== 'flapping' || event.dampedUntil === undefined) return noted;
  return { ...noted, row: { ...row, dampedUntil: event.dampedUntil, lastReason: ruling.reason }, durable: true };
}

/** A third connection takes the held one's place without restarting its time. */
export function holdRival(context: PeerContext, event: AnyArrival): Change {
  return { rival: linkOf(context, event), rivalUntil: context.rival ? context.rivalUntil : event.now + holdMs };
}

export const dropLeaving = (): Change => ({ leaving: undefined });

export const dropRival = (): Change => ({ rival: undefined, rivalUntil: 0 });

/** The held connection takes the place of a link that has ended, or that ends because of it; it counts from now. */
export function promoteRival(context: PeerContext, event: On<'peer.due'> | On<'peer.disconnected'>): Change {
  const rival = context.rival!;
  const leaving = event.type === 'peer.due' ? leavingOf(context) : context.leaving;
  const row = { ...context.row, lastConnected: event.now };
  return { link: { ...rival, since: event.now }, leaving, rival: undefined, rivalUntil: 0, row, lastError: undefined };
}

export function isRivalKept(context: PeerContext): boolean {
  const { link, rival } = context;
  return link !== undefined && rival !== undefined && isHeldKept(link.direction, rival.direction, context.ownIdLower);
}

export function markUp(context: PeerContext, event: On<'peer.ready'>): Change {
  return { link: { ...context.link!, upSince: event.now, hourEnd: event.now + hourMs }, leaving: undefined, rejection: undefined };
}

/** Reasons for an end that say nothing about whether the peer can be held. */
const blameless: readonly string[] = ['duplicate', 'operator', 'shutdown', 'displaced', 'restart', 'full', 'overloaded', 'banned'];

export function endLink(context: PeerContext, event: On<'peer.disconnected'>): Change {
  const link = context.link!;
  const isRejected = event.reason === 'rejected';
  const isShort = event.now - link.since < shortLifeMs && !blameless.includes(event.reason);
  const isCounted = link.address !== '' && isShort && !isRejected;
  const row = isCounted
    ? failed(context, { address: link.address, failures: link.failuresBefore + 1, reason: event.reason, rejected: false }, event)
    : context.row;
  // Why it was banned, and what the operator said, stays; the router only knows that it was so.
  const isSaid = event.reason === 'banned' || (event.reason === 'operator' && row.lastReason.startsWith('operator'));
  const lastReason = isSaid ? row.lastReason : shortText(event.detail ? `${event.reason}: ${event.detail}` : event.reason);
  const isAnchor = link.isProven && scoreAt(row, event.now) >= 0;
  const lastError: ErrorCode = isRejected ? 'ERR_PEER_REJECTED' : 'ERR_CONNECTION_CLOSED';
  return {
    link: undefined,
    leaving: undefined,
    row: {
      ...(isAnchor ? anchored(row, link, event.now) : row),
      lastDisconnected: event.now,
      lastReason,
      displacedAt: event.reason === 'displaced' ? event.now : row.displacedAt,
    },
    lastError: link.upSince > 0 ? context.lastError : lastError,
  };
}

export function beginSettling(context: PeerContext, event: On<'peer.disconnected'>): Change {
  const { address, failuresBefore } = context.link!;
  return { rejection: { address, failures: failuresBefore + 1, until: event.now + rejectionMs } };
}

export function countRejection(context: PeerContext, event: On<'peer.due'>): Change {
  const { address, failures } = context.rejection!;
  return { row: failed(context, { address, failures, reason: 'rejected', rejected: true }, event), rejection: undefined };
}

export function judged(context: PeerContext, event: On<'peer.reported'>): Judged & { change: Change } {
  const { useful, link } = context;
  const hour = Math.floor(event.now / hourMs);
  if (event.behaviour !== 'useful') {
    const judgement = judge(context.row, context.peerClass, event);
    return { ...judgement, change: { row: judgement.row, durable: context.durable || judgement.consequence === 'ban' } };
  }
  const count = useful.hour === hour ? useful.count : 0;
  const noted: Change = link && !link.isUseful ? { link: { ...link, isUseful: true } } : {};
  if (count >= usefulAnHour) return { row: context.row, consequence: 'none', change: noted };
  const judgement = judge(context.row, context.peerClass, event);
  return { ...judgement, change: { ...noted, row: judgement.row, useful: { hour, count: count + 1 } } };
}

export function isEarned(context: PeerContext, now: number): boolean {
  return canEarn(context) && now >= context.link!.upSince + earnedMs;
}

export function earn({ link, row }: PeerContext, event: On<'peer.due'>): Change {
  return { durable: true, link: { ...link!, isProven: true }, row: anchored(row, link!, event.now) };
}

/** The row of a good outbound peer says when it was last one. */
function anchored(row: PeerRow, link: PeerLink, now: number): PeerRow {
  return link.direction === 'outbound' ? { ...row, anchoredAt: now } : row;
}

const pointsAnHour = 2;

export function endHour(context: PeerContext, event: On<'peer.due'>): Change {
  const link = context.link!;
  const rewardedRow = link.isUseful ? rewarded(context.row, pointsAnHour, event.now) : context.row;
  const row = link.isProven ? anchored(rewardedRow, link, event.now) : rewardedRow;
  return { row, link: { ...link, isUseful: false, hourEnd: event.now + hourMs } };
}

export function release(context: PeerContext): Change {
  return { held: false, forgotten: false, cancelled: false, rejection: undefined, row: withoutBackoff(context.row) };
}

export function dismiss(context: PeerContext, event: On<'peer.dismiss'>): Change {
  const inactiveUntil = event.hold ? context.row.inactiveUntil : Math.max(context.row.inactiveUntil, event.until);
  const row = { ...context.row, inactiveUntil, lastReason: shortText(event.reason ? `operator: ${event.reason}` : 'operator') };
  return { row, held: context.held || event.hold, cancelled: context.dialing !== '' };
}

export function ban(context: PeerContext, event: On<'peer.ban'>): Change {
  return { row: banned(context.row, event), durable: true };
}

export function forget(context: PeerContext, event: On<'peer.forget'>): Change {
  return { forgotten: true, held: context.held || event.hold, cancelled: context.dialing !== '' };
}
