/** IP literals: strict reading, one canonical text, and what kind of network an address belongs to. Never resolves a name. */
import ipaddr from 'ipaddr.js';

/** `public` can be reached from anywhere; `unusable` is no unicast address of one node, or no IP at all. */
export type IpScope = 'public' | 'private' | 'loopback' | 'linkLocal' | 'unusable';

/** The longest literal is an IPv6 address with an embedded IPv4 one. */
const maxIpText = 45;

function parse(text: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  if (text === '' || text.length > maxIpText) return undefined;
  // Only four decimal parts without leading zeros: 0127.0.0.1, 127.1 and 0x7f000001 mean different hosts to different resolvers.
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text);
  // The character test keeps zones (fe80::1%eth0) out: they name an interface of the writer's machine.
  if (!/^[0-9a-fA-F:.]+$/.test(text) || !text.includes(':') || !ipaddr.IPv6.isValid(text)) return undefined;
  const dotted = text.includes('.') ? text.slice(text.lastIndexOf(':') + 1) : undefined;
  if (dotted !== undefined && !ipaddr.IPv4.isValidFourPartDecimal(dotted)) return undefined;
  const ip = ipaddr.IPv6.parse(text);
  return ip.isIPv4MappedAddress() ? ip.toIPv4Address() : ip;
}

const [zero, dot] = [48, 46];

/** The number of an IPv4 literal in canonical form that takes up this part of a text; -1 when anything else does. Makes no copy: large stores are read with hundreds of thousands of looks. */
export function ipv4At(text: string, from: number, to: number): number {
  let [ip, octet, digits, dots] = [0, 0, 0, 0];
  for (let at = from; at < to; at++) {
    const code = text.charCodeAt(at);
    if (code === dot && digits > 0) {
      ip = 256 * ip + octet;
      [octet, digits] = [0, 0];
      dots += 1;
      continue;
    }
    octet = 10 * octet + code - zero;
    digits += 1;
    const hasLeadingZero = digits > 1 && octet < 10;
    if (!(code >= zero && code < zero + 10) || octet > 255 || hasLeadingZero) return -1;
  }
  return dots === 3 && digits > 0 ? 256 * ip + octet : -1;
}

/** The one text of an IP literal (lower case, shortest form, `::ffff:1.2.3.4` as `1.2.3.4`), or undefined when it is none. Zones are refused. */
export function ipFromText(text: string): string | undefined {
  return parse(text)?.toString();
}

/** The one text of an IP literal; anything else is given back unchanged. */
export function normalizeIp(ip: string): string {
  return ipFromText(ip) ?? ip;
}

const scopes: Readonly<Record<string, IpScope>> = {
  unicast: 'public',
  private: 'private',
  carrierGradeNat: 'private',
  uniqueLocal: 'private',
  loopback: 'loopback',
  linkLocal: 'linkLocal',
};

/** What kind of address an IP literal is. Documentation, benchmark, multicast, reserved and transition ranges are `unusable`, and so is 0.0.0.0/8. */
export function ipScope(ip: string): IpScope {
  const parsed = parse(ip);
  if (parsed === undefined) return 'unusable';
  if (parsed.kind() === 'ipv6' && parsed.range() === 'unicast') {
    // Beyond 2000::/3 nothing is assigned for general use.
    return ((parsed as ipaddr.IPv6).parts[0]! & 0xe000) === 0x2000 ? 'public' : 'unusable';
  }
  return scopes[parsed.range()] ?? 'unusable';
}

const prefixes = { host: { ipv4: 32, ipv6: 64 }, net: { ipv4: 24, ipv6: 56 }, group: { ipv4: 16, ipv6: 32 } } as const;

/** The network of an IP literal as `prefix/bits`: `host` is what one host has to itself, IPv4 /32 or IPv6 /64, `net` is IPv4 /24 or IPv6 /56, `group` is IPv4 /16 or IPv6 /32. Empty when it is no IP. */
export function networkGroup(ip: string, size: 'host' | 'net' | 'group'): string {
  const parsed = parse(ip);
  if (parsed === undefined) return '';
  const bits = prefixes[size][parsed.kind()];
  const bytes = parsed.toByteArray().map((byte, index) => byte & (0xff00 >> Math.min(8, Math.max(0, bits - index * 8))) & 0xff);
  return `${ipaddr.fromByteArray(bytes).toString()}/${bits}`;
}
