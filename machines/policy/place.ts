/** Where addresses are, for the limits on how many may be in one place. */
import { ipScope, networkGroup } from '../../proto/address.ts';

/** Gives one string for equal ones, so that the thousands of addresses in one network share its name. */
export function sameTexts(): (text: string) => string {
  const known = new Map<string, string>();
  return (text) => {
    const same = known.get(text);
    if (same === undefined) known.set(text, text);
    return same ?? text;
  };
}

/** The host in the text form of a node address, without brackets; empty without one. */
export function hostOf(address: string): string {
  const at = address.indexOf('@');
  if (at < 0) return '';
  const rest = address.slice(at + 1);
  if (rest.startsWith('[')) return rest.slice(1, rest.indexOf(']'));
  const end = rest.search(/[:/?#]/);
  return end < 0 ? rest : rest.slice(0, end);
}

/** Whether limits on one place apply to a host: a public IP, or loopback when that is to count as one. */
export function isCountedHost(host: string, loopbackIsPublic: boolean): boolean {
  if (isPlainPublic(host)) return true;
  const scope = ipScope(host);
  return scope === 'public' || (scope === 'loopback' && loopbackIsPublic);
}

/** The network (IPv4 /16, IPv6 /32) of a host to which limits apply; empty when none do. */
export function groupOf(host: string, loopbackIsPublic: boolean): string {
  const plain = plainOctets(host);
  if (plain && isPublicOctet(plain[0])) return `${plain[0]}.${plain[1]}.0.0/16`;
  return isCountedHost(host, loopbackIsPublic) ? networkGroup(host, 'group') : '';
}

/** The first two numbers of an IPv4 literal in canonical form: read a hundred thousand times when a large store is loaded. */
function plainOctets(host: string): readonly [number, number] | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.\d{1,3}\.\d{1,3}$/.exec(host);
  return match ? [Number(match[1]), Number(match[2])] : undefined;
}

/** First octets under which nothing but public addresses lies. */
const isPublicOctet = (octet: number): boolean => octet > 0 && octet < 224 && !mixedOctets.has(octet);
const mixedOctets: ReadonlySet<number> = new Set([10, 100, 127, 169, 172, 192, 198, 203]);

function isPlainPublic(host: string): boolean {
  const plain = plainOctets(host);
  return plain !== undefined && isPublicOctet(plain[0]);
}
