/** Endpoints (ADR 062): where a transport listens or connects, an address without a node id. They hold IP literals, never host names. */
import { TroupeError } from './errors.ts';
import { ipFromText } from './ip.ts';
import { decodePath, defaultPort, encodePath, parsePort, parseScheme, splitHostPort, textProblem } from './uri.ts';

/** `ip` is a canonical literal or empty; without an ip (memory transport) the path names the endpoint. */
export type Endpoint = Readonly<{ protocol: string; ip: string; port: number; path: string }>;

/**
 * Reads `mconn://1.2.3.4:26656`, `tcp://[::1]:0` or `memory:name`. A missing port is 26656; port 0 asks for any free port when listening.
 * @throws TroupeError `ERR_ENDPOINT_INVALID`, also for host names and node ids.
 */
export function parseEndpoint(text: string): Endpoint {
  const problem = textProblem(text);
  if (problem !== undefined) throw invalid(text, problem);
  const colon = text.indexOf(':');
  const protocol = parseScheme(text.slice(0, Math.max(0, colon)));
  if (protocol === undefined) throw invalid(text, 'no protocol');
  const rest = text.slice(colon + 1);
  return validateEndpoint(rest.startsWith('//') ? hierarchical(text, protocol, rest.slice(2)) : opaque(text, protocol, rest));
}

function opaque(text: string, protocol: string, rest: string): Endpoint {
  const path = decodePath(`/${rest}`)?.slice(1);
  if (path === undefined) throw invalid(text, 'path');
  return { protocol, ip: '', port: 0, path };
}

function hierarchical(text: string, protocol: string, rest: string): Endpoint {
  const end = rest.search(/[/?#]/);
  const authority = end < 0 ? rest : rest.slice(0, end);
  const path = end < 0 ? '' : decodePath(rest.slice(end));
  if (path === undefined) throw invalid(text, 'path');
  if (authority === '') return { protocol, ip: '', port: 0, path };
  if (authority.includes('@')) throw invalid(text, 'an endpoint has no node id');
  const split = splitHostPort(authority);
  const port = split?.port === undefined || split.port === '' ? defaultPort : parsePort(split.port);
  if (split === undefined || port === undefined) throw invalid(text, 'port');
  const ip = split.bracketed === split.host.includes(':') ? ipFromText(split.host) : undefined;
  if (ip === undefined) throw invalid(text, 'not an IP literal');
  return { protocol, ip, port, path };
}

/**
 * Gives the endpoint back with its IP in canonical form: a protocol, an IP literal or a path, a port only with an IP.
 * @throws TroupeError `ERR_ENDPOINT_INVALID`.
 */
export function validateEndpoint(endpoint: Endpoint): Endpoint {
  const { protocol, port, path } = endpoint;
  const problem = (reason: string): TroupeError => new TroupeError('ERR_ENDPOINT_INVALID', reason);
  if (parseScheme(protocol) !== protocol) throw problem('protocol');
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw problem('port');
  if (endpoint.ip === '') {
    if (port > 0) throw problem('a port needs an IP');
    if (path === '') throw problem('neither IP nor path');
    return endpoint;
  }
  const ip = ipFromText(endpoint.ip);
  if (ip === undefined) throw problem(`not an IP literal: ${JSON.stringify(endpoint.ip.slice(0, 64))}`);
  return ip === endpoint.ip ? endpoint : { protocol, ip, port, path };
}

/** The text of an endpoint, for which `parseEndpoint` gives it back; so port 0 is written. Partial endpoints print what they have. */
export function formatEndpoint(endpoint: Endpoint): string {
  const { protocol, ip, port, path } = endpoint;
  const scheme = protocol === '' ? '' : `${protocol}:`;
  if (ip !== '') return `${scheme}${protocol === '' ? '' : '//'}${ip.includes(':') ? `[${ip}]` : ip}:${port}${encodePath(path)}`;
  if (path === '') return scheme;
  if (/^[/?#]/.test(path) || protocol === '') return `${scheme}${protocol === '' ? '' : '//'}${encodePath(path)}`;
  return `${scheme}${encodePath(path).slice(1)}`;
}

function invalid(text: string, problem: string): TroupeError {
  return new TroupeError('ERR_ENDPOINT_INVALID', `${JSON.stringify(text.slice(0, 96))}: ${problem}`);
}
