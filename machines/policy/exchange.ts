/** Peer exchange with paper and pencil: which addresses to take from whom, how many, and when to ask next. */
import { nodeAddressOf, normalizeIp, type NodeAddress } from '../../proto/address.ts';
import type { Endpoint } from '../../proto/endpoint.ts';
import { listenAddressOf, type NodeInfo } from '../../proto/node-info.ts';
import { canReach } from './advertise.ts';
import { isBelievable } from './intake.ts';

/** Ports below are other people's services (22, 25, 443): hearsay never makes us knock there. */
const firstUnprivilegedPort = 1_024;
/** An address store this full has little to learn. */
const fullShare = 0.95;
/** Longest wait between two requests of ours, whatever the network has to tell. */
export const longestAskDelayMs = 600_000;
/** Tokens that one request of ours gives the peer it went to: as many addresses as a careful peer sends. */
export const tokensPerRequest = 100;

/** Whether hearsay from a peer at `remoteIp` (empty without one) is worth keeping: believable, of a protocol we can dial, on no privileged port. */
export function isWorthKeeping(address: NodeAddress, remoteIp: string, protocols: readonly string[]): boolean {
  if (!protocols.includes(address.protocol) || !isBelievable(address, remoteIp)) return false;
  return address.host === '' || address.port >= firstUnprivilegedPort;
}

/**
 * Where a peer that connected to us can be dialed, by its own word: the listen address of its NodeInfo, if the host is the one it connected from
 * or is left open (0.0.0.0, ::). A peer without an IP is dialed by its id. Undefined when it named another host, a name or no port.
 */
export function selfAddress(info: Pick<NodeInfo, 'nodeId' | 'listenAddr'>, remote: Endpoint): NodeAddress | undefined {
  const { nodeId } = info;
  if (remote.ip === '') return remote.path === nodeId ? nodeAddressOf({ ...remote, port: 0 }, nodeId) : undefined;
  const listen = listenAddressOf(info);
  if (listen === undefined || listen.port === 0) return undefined;
  const ip = normalizeIp(remote.ip);
  if (listen.host !== '0.0.0.0' && listen.host !== '::' && normalizeIp(listen.host) !== ip) return undefined;
  const address = { protocol: remote.protocol, nodeId, host: ip, port: listen.port, path: '' };
  return canReach(ip, address) ? address : undefined;
}

/** A bucket of tokens after some time: it fills at `perSecond` up to `most`. */
export function refilled(tokens: number, elapsedMs: number, perSecond: number, most: number): number {
  return Math.min(most, tokens + (elapsedMs / 1_000) * perSecond);
}

/** At most `limit` things of a list, each choice as likely as any other. */
export function draw<T>(list: readonly T[], limit: number, random: () => number): readonly T[] {
  const rest = [...list];
  const drawn = Math.min(limit, rest.length);
  for (let at = 0; at < drawn; at++) {
    const chosen = at + Math.floor(random() * (rest.length - at));
    [rest[at], rest[chosen]] = [rest[chosen]!, rest[at]!];
  }
  return rest.slice(0, Math.max(0, drawn));
}

/** What decides when to ask next. */
export type Discovery = Readonly<{
  /** Shortest wait. */
  leastMs: number;
  /** Longest wait; `longestAskDelayMs` unless we still look for peers. */
  mostMs: number;
  /** Peers that may be asked. */
  available: number;
  /** New addresses in the last answer, and in all answers. */
  added: number;
  total: number;
  /** Known peers, and how many the store holds. */
  known: number;
  capacity: number;
}>;

/** Milliseconds until the next request: short while answers bring new addresses and peers are many, longer as the network becomes known. */
export function askDelay({ leastMs, mostMs, available, added, total, known, capacity }: Discovery): number {
  if (known >= capacity * fullShare) return longestAskDelayMs;
  if (available === 0) return Math.min(leastMs, mostMs);
  const delay = (leastMs / available) * ((total + 1) / (added + 1)) ** 2 + leastMs;
  return Math.min(delay, mostMs, longestAskDelayMs);
}
