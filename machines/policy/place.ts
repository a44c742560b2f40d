/** Where addresses are, for the limits on how many may be in one place. */
import { ipScope, ipv4At, networkGroup } from '../../proto/address.ts';

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
  if (plainNetwork(host) >= 0) return true;
  const scope = ipScope(host);
  return scope === 'public' || (scope === 'loopback' && loopbackIsPublic);
}

/** The network (IPv4 /16, IPv6 /32) of a host to which limits apply; empty when none do. */
export function groupOf(host: string, loopbackIsPublic: boolean): string {
  const plain = plainNetwork(host);
  if (plain >= 0) return nameOf(plain);
  return isCountedHost(host, loopbackIsPublic) ? networkGroup(host, 'group') : '';
}

/** The same for the host of a node address, of nearly all without taking it out. */
export function groupOfAddress(address: string, loopbackIsPublic: boolean): string {
  const from = address.indexOf('@') + 1;
  const plain = from > 0 ? plainNetwork(address, from) : -1;
  return plain >= 0 ? nameOf(plain) : groupOf(hostOf(address), loopbackIsPublic);
}

/** Names of IPv4 networks, 65,536 at most, made when they are first needed: thousands of addresses share one. Joined, they are flat texts, which compare fastest. */
const names: string[][] = [];
const nameOf = (network: number): string =>
  ((names[network >> 8] ??= [])[network & 255] ??= [network >> 8, network & 255, 0, '0/16'].join('.'));

/** The first two octets, as one number, of a host that is an IPv4 literal in canonical form under which nothing but public addresses lies; -1 for any other. It ends with the text or before a port. */
function plainNetwork(text: string, from = 0): number {
  const port = text.indexOf(':', from);
  const ip = ipv4At(text, from, port < 0 ? text.length : port);
  return isPublicOctet(ip >>> 24) && ip >= 0 ? ip >>> 16 : -1;
}

/** First octets under which nothing but public addresses lies. */
const isPublicOctet = (octet: number): boolean => octet > 0 && octet < 224 && !mixedOctets.has(octet);
const mixedOctets: ReadonlySet<number> = new Set([10, 100, 127, 169, 172, 192, 198, 203]);
