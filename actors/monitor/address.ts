/** Where the monitor listens, and who may ask it what. */
import { isIP } from 'node:net';
import { ipScope } from '../../proto/address.ts';
import { TroupeError } from '../../proto/errors.ts';

/** A host (IP address without brackets, or a name) and a port, 0 for any free one. */
export type MonitorAddress = Readonly<{ host: string; port: number }>;

/** Reads the `monitor` option: `host:port`, `[v6]:port`, or `off` for none. @throws TroupeError `ERR_OPTION_INVALID`. */
export function monitorAddress(text: string): MonitorAddress | undefined {
  if (text === 'off') return undefined;
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-fA-F:.]{2,45})\]|([A-Za-z0-9._-]{1,253})):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  if (host === undefined || port > 65_535 || (bracketed !== undefined && isIP(bracketed) !== 6)) {
    throw new TroupeError('ERR_OPTION_INVALID', `monitor: host:port or off, not ${JSON.stringify(text.slice(0, 60))}`);
  }
  return { host, port };
}

/** Whether only this machine can reach a host. */
export function isLoopback(host: string): boolean {
  return host.toLowerCase() === 'localhost' || (isIP(host) !== 0 && ipScope(host) === 'loopback');
}

/** `http://host:port`, with a host that a client can connect to when we listen on every address. */
export function monitorUrl({ host, port }: MonitorAddress): string {
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}

/**
 * Whether a Host header names an address rather than a name somebody else's DNS answers for:
 * a web page that rebinds its own name to 127.0.0.1 still sends that name.
 */
export function isDirectHost(header: string | undefined): boolean {
  const host = /^(?:\[([^\]]*)\]|([^:]*))(?::\d+)?$/.exec(header ?? '');
  const name = host?.[1] ?? host?.[2] ?? '';
  return name.toLowerCase() === 'localhost' || isIP(name) !== 0;
}
