/** Node addresses (ADR 062): where a node can be dialed and who must answer there, as `mconn://id@host:port/path`. Never resolves a name. */
import type { Endpoint } from './endpoint.ts';
import { TroupeError } from './errors.ts';
import { nodeIdFromText, parseNodeId, type NodeId } from './identity.ts';
import { decodePath, encode, encodePath, maxUriBytes, parseHost, parsePort, parseScheme, splitHostPort, textProblem } from './uri.ts';

export { ipScope, ipv4At, networkGroup, normalizeIp } from './ip.ts';
export { defaultPort } from './uri.ts';

/** An address of a node. `host`, `path` are empty and `port` is 0 where the text had none; IP hosts are in canonical form without brackets. */
export type NodeAddress = Readonly<{ protocol: string; nodeId: NodeId; host: string; port: number; path: string }>;

/**
 * Reads the text of a node address: `mconn://id@host:port/path`, the same without a scheme (`mconn`), or `memory:id`.
 * Case of scheme, id and host is lowered, a password is dropped, IP literals take one form; at most 256 bytes, in linear time.
 * @throws TroupeError `ERR_ADDRESS_INVALID`.
 */
export function parseNodeAddress(text: string): NodeAddress {
  const problem = textProblem(text);
  if (problem !== undefined) throw invalid(text, problem);
  // The scheme's :// can only be where the first slash is; a later one belongs to the path.
  const slash = text.search(/[/?#]/);
  const head = slash < 0 ? text : text.slice(0, slash);
  if (text.startsWith('//', head.length) && head.endsWith(':')) {
    const protocol = parseScheme(head.slice(0, -1));
    if (protocol === undefined) throw invalid(text, 'scheme');
    return hierarchical(text, protocol, text.slice(head.length + 2));
  }
  return head.includes('@') ? hierarchical(text, 'mconn', text) : opaque(text);
}

/** `scheme:id`, an address without a host. Its id is taken as it is: upper case is refused, as by Go nodes. */
function opaque(text: string): NodeAddress {
  const colon = text.indexOf(':');
  const protocol = colon < 0 ? undefined : parseScheme(text.slice(0, colon));
  if (protocol === undefined) throw invalid(text, 'no node id');
  return { protocol, nodeId: idOf(text, () => parseNodeId(text.slice(colon + 1))), host: '', port: 0, path: '' };
}

function hierarchical(text: string, protocol: string, rest: string): NodeAddress {
  const end = rest.search(/[/?#]/);
  const authority = end < 0 ? rest : rest.slice(0, end);
  const at = authority.lastIndexOf('@');
  if (at < 0) throw invalid(text, 'no node id');
  const user = authority.slice(0, at);
  if (!/^[A-Za-z0-9\-._~!$&'()*+,;=:]*$/.test(user)) throw invalid(text, 'node id');
  const nodeId = idOf(text, () => nodeIdFromText(user.split(':', 1)[0]!));
  const { host, port } = hostAndPort(text, authority.slice(at + 1));
  const path = end < 0 ? '' : decodePath(rest.slice(end));
  if (path === undefined) throw invalid(text, 'path');
  const address = { protocol, nodeId, host, port, path };
  // A short text can have a long printed form (raw UTF-8 in the path); what we cannot read back we do not accept.
  if (formatNodeAddress(address).length > maxUriBytes) throw invalid(text, `its printed form is longer than ${maxUriBytes} bytes`);
  return address;
}

function hostAndPort(text: string, authority: string): Readonly<{ host: string; port: number }> {
  const split = splitHostPort(authority);
  const port = split === undefined ? undefined : parsePort(split.port ?? '');
  if (split === undefined || port === undefined) throw invalid(text, 'port');
  if (split.host === '' && !split.bracketed) {
    if (port > 0) throw invalid(text, 'a port needs a host');
    return { host: '', port };
  }
  const host = parseHost(split.host);
  if (host === undefined || (split.bracketed && !split.host.includes(':'))) throw invalid(text, 'host');
  return { host, port };
}

function idOf(text: string, read: () => NodeId): NodeId {
  try {
    return read();
  } catch (cause) {
    throw new TroupeError('ERR_ADDRESS_INVALID', `${quote(text)}: node id`, { cause });
  }
}

/**
 * Gives the address back when it is valid: what `parseNodeAddress` could have made.
 * @throws TroupeError `ERR_ADDRESS_INVALID`.
 */
export function validateNodeAddress(address: NodeAddress): NodeAddress {
  const text = formatNodeAddress(address);
  const parsed = parseNodeAddress(text);
  const same = (['protocol', 'nodeId', 'host', 'port', 'path'] as const).every((field) => parsed[field] === address[field]);
  if (!same) throw invalid(text, 'not in canonical form');
  return address;
}

/** The text of an address; parsing it gives the same address back. Partial addresses print what they have and never throw. */
export function formatNodeAddress(address: NodeAddress): string {
  const { protocol, nodeId, host, path } = address;
  if (protocol !== '' && nodeId !== '' && host === '' && (path === '' || path === nodeId)) return `${protocol}:${nodeId}`;
  const user = nodeId === '' ? '' : `${encode(nodeId)}@`;
  const port = host !== '' && address.port > 0 ? `:${address.port}` : '';
  const rest = `${user}${formatHost(host)}${port}${encodePath(path)}`;
  if (protocol === '') return rest;
  return rest === '' ? `${protocol}:` : `${protocol}://${rest}`;
}

function formatHost(host: string): string {
  return host.includes(':') ? `[${host}]` : encode(host);
}

/** The address under which an endpoint belongs to a node. A port without an IP is dropped; an endpoint without an IP keeps its path. */
export function nodeAddressOf(endpoint: Endpoint, nodeId: NodeId): NodeAddress {
  const { protocol, ip, path } = endpoint;
  return { protocol, nodeId, host: ip, port: ip === '' ? 0 : endpoint.port, path: ip === '' && path === nodeId ? '' : path };
}

function invalid(text: string, problem: string): TroupeError {
  return new TroupeError('ERR_ADDRESS_INVALID', `${quote(text)}: ${problem}`);
}

/** Bounded and escaped: the text may come from a remote and end in a terminal. */
function quote(text: string): string {
  return JSON.stringify(text.length > 96 ? `${text.slice(0, 96)}…` : text);
}
