/** Which addresses are believed and kept. Pure functions over a row; what the source may add in all is the book's to count. */
import { formatNodeAddress, normalizeIp, type NodeAddress } from '../../proto/address.ts';
import type { AddressRow, PeerRow } from '../peer-row.ts';
import { canReach } from './advertise.ts';

/** Who told us: `operator` and `host` are trusted with any address, `self` and `gossip` with what they could know. */
export type Source = 'operator' | 'host' | 'self' | `gossip:${string}`;

const isGossip = (source: string): boolean => source.startsWith('gossip:');
const isVerified = (row: AddressRow): boolean => row.lastSuccess > 0;
const isTrusted = (source: string): boolean => source === 'operator' || source === 'host';

/**
 * Whether a remote at `sourceIp` may tell us this address: one that it could use itself, without a path and with a port.
 * Names are refused: a stranger does not choose what we resolve.
 */
export function isBelievable(address: NodeAddress, sourceIp: string): boolean {
  return address.path === '' && (address.host === '' || address.port > 0) && canReach(sourceIp, address);
}

/** Whether the host a peer gives as its own is the one it connected from. */
export function isOwnHost(address: NodeAddress, remoteIp: string): boolean {
  return address.host === '' ? remoteIp === '' : normalizeIp(address.host) === normalizeIp(remoteIp);
}

/**
 * The row with one address more, or undefined when it stays as it is.
 * A known address changes nothing. What a stranger says never takes the place of a verified address or of what we were configured with;
 * of unverified hearsay one address is kept, replaced only once it has failed.
 */
export function withAddress(row: PeerRow, address: NodeAddress, source: Source, limit: number): PeerRow | undefined {
  const text = formatNodeAddress(address);
  const known = row.addresses.find((each) => each.address === text);
  if (known) return confirmed(row, known, source);
  const fresh: AddressRow = { address: text, lastSuccess: 0, lastFailure: 0, failures: 0, notBefore: 0, source };
  const replaced =
    row.addresses.find((each) => isReplaceable(each, source)) ?? (row.addresses.length >= limit ? weakest(row, source) : undefined);
  if (!replaced && (row.addresses.length >= limit || (isGossip(source) && row.addresses.some(isHearsay)))) return undefined;
  return { ...row, addresses: [...row.addresses.filter((each) => each !== replaced), fresh] };
}

/** Hearsay about a host becomes the peer's own word once it says the same from there; nothing else about a known address changes. */
function confirmed(row: PeerRow, known: AddressRow, source: Source): PeerRow | undefined {
  if (!isGossip(known.source) || isGossip(source)) return undefined;
  return { ...row, addresses: row.addresses.map((each) => (each === known ? { ...each, source } : each)) };
}

const isHearsay = (each: AddressRow): boolean => isGossip(each.source) && !isVerified(each);

function isReplaceable(each: AddressRow, source: Source): boolean {
  if (isVerified(each)) return false;
  if (source === 'self') return each.source === 'self' || isGossip(each.source);
  return isGossip(source) && isGossip(each.source) && each.failures > 0;
}

/** What a full row gives up for an address of this source, if anything. */
function weakest(row: PeerRow, source: Source): AddressRow | undefined {
  if (isGossip(source)) return undefined;
  const loose = row.addresses.filter((each) =>
    isTrusted(source) ? each.source !== 'operator' || each.failures > 0 : !isVerified(each) && !isTrusted(each.source),
  );
  return loose.sort((a, b) => a.lastSuccess - b.lastSuccess || b.failures - a.failures)[0];
}
