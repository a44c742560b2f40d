/** The gate: whether a connection that has just come in may begin its handshake. It looks at its address and at ourselves, before a byte is read. */
import { ipScope } from '../proto/address.ts';
import type { DisconnectReason } from '../proto/errors.ts';
import type { SlotsOptions } from '../proto/options.ts';
import type { Connection } from '../transports/transport.ts';
import type { Links } from './links.ts';
import type { Pressure } from './pressure.ts';

export type GateDeps = Readonly<{ links: Links; slots: SlotsOptions; loopbackIsPublic: boolean; pressure: Pressure | undefined }>;

/** Why a connection must be closed at once; undefined when it may go on. */
export function refusalOf(
  { remoteEndpoint }: Connection,
  { links, slots, loopbackIsPublic, pressure }: GateDeps,
): DisconnectReason | undefined {
  if (pressure && pressure.memory !== 'enough') return 'overloaded';
  const { ip } = remoteEndpoint;
  if (!ip || (!loopbackIsPublic && ipScope(ip) === 'loopback')) return undefined;
  const { ofHost, ofNet } = links.near(ip);
  return ofHost >= slots.perIp || ofNet >= slots.perNet ? 'full' : undefined;
}
