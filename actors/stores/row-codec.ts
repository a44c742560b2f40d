/** The bytes of a stored row: JSON with a checksum, read as if a stranger had written it. */
import { hash } from 'node:crypto';
import { formatNodeAddress, ipv4At, parseNodeAddress } from '../../proto/address.ts';
import { parseNodeId, type NodeId } from '../../proto/identity.ts';
import { behaviours, epochOf } from '../../machines/policy/score.ts';
import type { AddressRow, PeerRow, ReportRow } from '../peer-store.ts';

/** The largest row that is read or written: 64 addresses of 256 bytes and ten reports fit three times over. */
export const maxRowBytes = 65_536;
const mostAddresses = 64;
const mostReports = 10;
const longestText = 80;
/** The last moment that a date can name, in milliseconds, and the epoch of scores in which it lies. */
const latestTime = 8_640_000_000_000_000;
const latestEpoch = epochOf(latestTime);
const sourcePattern = /^(?:operator|host|self|gossip:[0-9a-f]{40})$/;
const controlPattern = /[\u0000-\u001f\u007f-\u009f]/;
const none: readonly never[] = Object.freeze([]);

/** First eight bytes of SHA-256 over id and text, as hex: a string costs a fraction of what a buffer does. */
export function checksumOf(id: string, text: string): string {
  return hash('sha256', `${id}\0${text}`, 'hex').slice(0, 16);
}

/** Texts that were found good, each kept once: thousands of rows name the same source or reason. Lives as long as rows are read. */
export class GoodTexts {
  readonly #sources = new Map<string, string>();
  readonly #reasons = new Map<string, string>();

  source(text: unknown): string {
    return onceOf(this.#sources, text, (each) => sourcePattern.test(each));
  }

  reason(text: unknown): string {
    return onceOf(this.#reasons, text, (each) => each.length <= longestText && !controlPattern.test(each));
  }
}

function onceOf(known: Map<string, string>, text: unknown, isGood: (text: string) => boolean): string {
  if (typeof text !== 'string') throw new Error('text');
  const same = known.get(text);
  if (same !== undefined) return same;
  if (!isGood(text)) throw new Error('text');
  known.set(text, text);
  return text;
}

export function encodeRow(row: PeerRow): Readonly<{ text: string; checksum: string }> {
  const text = JSON.stringify({ ...row, id: undefined });
  return { text, checksum: checksumOf(row.id, text) };
}

/** The row, or undefined when anything about it is wrong. Takes whatever a damaged file gives. */
export function decodeRow(id: unknown, text: unknown, checksum: unknown, texts = new GoodTexts()): PeerRow | undefined {
  if (typeof id !== 'string' || typeof text !== 'string' || text.length > maxRowBytes || checksumOf(id, text) !== checksum)
    return undefined;
  try {
    return readRow(parseNodeId(id), JSON.parse(text) as unknown, texts);
  } catch {
    return undefined;
  }
}

function readRow(id: NodeId, value: unknown, texts: GoodTexts): PeerRow {
  const row = recordOf(value);
  return {
    id,
    addresses: readAddresses(id, row['addresses'], texts),
    score: numberOf(row['score'], -100, 100),
    scoreEpoch: numberOf(row['scoreEpoch'], 0, latestEpoch),
    strikes: numberOf(row['strikes'], 0, 16),
    bannedUntil: timeOf(row['bannedUntil']),
    lastConnected: timeOf(row['lastConnected']),
    lastDisconnected: timeOf(row['lastDisconnected']),
    inactiveUntil: timeOf(row['inactiveUntil']),
    // Version 0.1 wrote rows without these.
    dampedUntil: timeOf(row['dampedUntil'] ?? 0),
    displacedAt: timeOf(row['displacedAt'] ?? 0),
    anchoredAt: timeOf(row['anchoredAt'] ?? 0),
    lastReason: texts.reason(row['lastReason']),
    reports: listOf(row['reports'], mostReports, (each) => readReport(recordOf(each), texts)),
  };
}

function readAddresses(id: NodeId, value: unknown, texts: GoodTexts): readonly AddressRow[] {
  const addresses = listOf(value, mostAddresses, (each) => readAddress(id, recordOf(each), texts));
  if (addresses.length > 1 && new Set(addresses.map(({ address }) => address)).size < addresses.length) throw new Error('twice');
  return addresses;
}

function readAddress(id: NodeId, value: Readonly<Record<string, unknown>>, texts: GoodTexts): AddressRow {
  return {
    address: canonicalAddress(id, String(value['address'])),
    lastSuccess: timeOf(value['lastSuccess']),
    lastFailure: timeOf(value['lastFailure']),
    failures: numberOf(value['failures'], 0, 1_000_000),
    notBefore: timeOf(value['notBefore']),
    source: texts.source(value['source']),
  };
}

const scheme = 'mconn://';
const portPattern = /^[1-9]\d{0,4}$/;

/** Nearly all addresses are an IPv4 literal and a port in the one form that parsing and printing would give them. */
function isCommon(id: NodeId, text: string): boolean {
  const at = scheme.length + id.length;
  if (!text.startsWith(scheme) || !text.startsWith(id, scheme.length) || text[at] !== '@') return false;
  const colon = text.indexOf(':', at);
  if (colon < 0 || ipv4At(text, at + 1, colon) < 0) return false;
  const port = text.slice(colon + 1);
  return portPattern.test(port) && Number(port) <= 65_535;
}

function canonicalAddress(id: NodeId, text: string): string {
  if (isCommon(id, text)) return text;
  const address = parseNodeAddress(text);
  if (address.nodeId !== id) throw new Error('address');
  return formatNodeAddress(address);
}

function readReport(value: Readonly<Record<string, unknown>>, texts: GoodTexts): ReportRow {
  const behaviour = behaviours.find((each) => each === value['behaviour']);
  if (!behaviour) throw new Error('behaviour');
  return { at: timeOf(value['at']), behaviour, reason: texts.reason(value['reason']), times: numberOf(value['times'], 1, 1_000_000) };
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('record');
  return value as Record<string, unknown>;
}
function listOf<T>(value: unknown, most: number, read: (each: unknown) => T): readonly T[] {
  if (!Array.isArray(value) || value.length > most) throw new Error('list');
  return value.length === 0 ? none : value.map(read);
}
function timeOf(value: unknown): number {
  return numberOf(value, 0, latestTime);
}
function numberOf(value: unknown, least: number, most: number): number {
  if (!Number.isSafeInteger(value) || (value as number) < least || (value as number) > most) throw new Error('number');
  return value as number;
}
