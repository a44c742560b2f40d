/** Which addresses are told to a peer that asks. */
import { ipScope, parseNodeAddress, type NodeAddress } from '../../proto/address.ts';
import type { NodeId } from '../../proto/identity.ts';
import type { AddressRow, PeerRow } from '../peer-row.ts';
import { isBanned, scoreAt } from './score.ts';

export type Asker = Readonly<{ id: NodeId; /** Empty for a remote without an IP. */ ip: string }>;

/** Only what was reached, or what a peer said of itself from that very host: hearsay is never passed on. */
export function isTellable(address: AddressRow): boolean {
  return address.lastSuccess > 0 || address.source === 'self';
}

/** Whether someone at `ip` (empty without one) can use an address: public from anywhere, private from private, loopback from loopback, bare ids only without an IP. Names are not told. */
export function canReach(ip: string, address: NodeAddress): boolean {
  if (address.host === '') return ip === '' && address.path === '';
  const scope = ipScope(address.host);
  if (scope === 'public') return true;
  const place = ip === '' ? 'public' : ipScope(ip);
  if (scope === 'loopback') return place === 'loopback';
  return scope === 'private' && (place === 'private' || place === 'loopback');
}

/**
 * At most `limit` addresses for the asker: our own first, then a sample of others without replacement in one pass, each weighted by its peer's score.
 * Never the asker's own, never a private peer's, never one it could not reach, none twice.
 */
export function sample(
  rows: Iterable<PeerRow>,
  facts: Readonly<{ asker: Asker; limit: number; own?: NodeAddress | undefined; privateIds: ReadonlySet<NodeId>; now: number }>,
  random: () => number,
): readonly NodeAddress[] {
  const { asker, limit, own, privateIds, now } = facts;
  const told = own && limit > 0 && canReach(asker.ip, own) ? [own] : [];
  const drawn: { address: NodeAddress; key: number }[] = [];
  for (const row of rows) {
    if (row.id === asker.id || privateIds.has(row.id) || isBanned(row, now)) continue;
    const weight = scoreAt(row, now) + 101;
    for (const each of row.addresses) {
      if (!isTellable(each)) continue;
      const address = parseNodeAddress(each.address);
      // Weighted sampling in one pass: the largest u^(1/w) win (Efraimidis and Spirakis 2006).
      if (canReach(asker.ip, address)) drawn.push({ address, key: random() ** (1 / weight) });
    }
  }
  drawn.sort((a, b) => b.key - a.key);
  return [...told, ...drawn.slice(0, Math.max(0, limit - told.length)).map((each) => each.address)];
}
