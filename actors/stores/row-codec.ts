/** The bytes of a stored row: JSON with a checksum, read as if a stranger had written it. */
import { createHash } from 'node:crypto';
import { formatNodeAddress, parseNodeAddress } from '../../proto/address.ts';
import { parseNodeId, type NodeId } from '../../proto/identity.ts';
import { behaviours } from '../../machines/policy/score.ts';
import type { AddressRow, PeerRow, ReportRow } from '../peer-store.ts';

/** The largest row that is read or written: 64 addresses of 256 bytes and ten reports fit three times over. */
export const maxRowBytes = 65_536;
const mostAddresses = 64;
const mostReports = 10;
const longestText = 80;
const sourcePattern = /^(?:operator|host|self|gossip:[0-9a-f]{40})$/;

/** First eight bytes of SHA-256 over id and text. */
export function checksumOf(id: string, text: string): Buffer {
  return createHash('sha256').update(id).update('\0').update(text).digest().subarray(0, 8);
}

export function encodeRow(row: PeerRow): Readonly<{ text: string; checksum: Buffer }> {
  const text = JSON.stringify({ ...row, id: undefined });
  return { text, checksum: checksumOf(row.id, text) };
}

/** The row, or undefined when anything about it is wrong. Takes whatever a damaged file gives. */
export function decodeRow(id: unknown, text: unknown, checksum: unknown): PeerRow | undefined {
  if (typeof id !== 'string' || typeof text !== 'string' || text.length > maxRowBytes || !(checksum instanceof Uint8Array))
    return undefined;
  if (!checksumOf(id, text).equals(checksum)) return undefined;
  try {
    return readRow(parseNodeId(id), JSON.parse(text) as unknown);
  } catch {
    return undefined;
  }
}

function readRow(id: NodeId, value: unknown): PeerRow {
  const row = recordOf(value);
  return {
    id,
    addresses: listOf(row['addresses'], mostAddresses).map((each) => readAddress(id, recordOf(each))),
    score: numberOf(row['score'], -100, 100),
    scoreEpoch: numberOf(row['scoreEpoch']),
    strikes: numberOf(row['strikes'], 0, 16),
    bannedUntil: numberOf(row['bannedUntil']),
    lastConnected: numberOf(row['lastConnected']),
    lastDisconnected: numberOf(row['lastDisconnected']),
    inactiveUntil: numberOf(row['inactiveUntil']),
    lastReason: textOf(row['lastReason']),
    reports: listOf(row['reports'], mostReports).map((each) => readReport(recordOf(each))),
  };
}

function readAddress(id: NodeId, value: Readonly<Record<string, unknown>>): AddressRow {
  const address = parseNodeAddress(String(value['address']));
  const source = String(value['source']);
  if (address.nodeId !== id || !sourcePattern.test(source)) throw new Error('address');
  return {
    address: formatNodeAddress(address),
    lastSuccess: numberOf(value['lastSuccess']),
    lastFailure: numberOf(value['lastFailure']),
    failures: numberOf(value['failures'], 0, 1_000_000),
    notBefore: numberOf(value['notBefore']),
    source,
  };
}

function readReport(value: Readonly<Record<string, unknown>>): ReportRow {
  const behaviour = behaviours.find((each) => each === value['behaviour']);
  if (!behaviour) throw new Error('behaviour');
  return { at: numberOf(value['at']), behaviour, reason: textOf(value['reason']), times: numberOf(value['times'], 1, 1_000_000) };
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('record');
  return value as Record<string, unknown>;
}
function listOf(value: unknown, most: number): readonly unknown[] {
  if (!Array.isArray(value) || value.length > most) throw new Error('list');
  return value;
}
function numberOf(value: unknown, least = 0, most = Number.MAX_SAFE_INTEGER): number {
  if (!Number.isSafeInteger(value) || (value as number) < least || (value as number) > most) throw new Error('number');
  return value as number;
}
function textOf(value: unknown): string {
  if (typeof value !== 'string' || value.length > longestText) throw new Error('text');
  return value;
}
