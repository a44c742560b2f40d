/** NodeInfo: what a node says about itself right after the handshake, its rules, and whether two nodes belong together. Nothing in it is resolved. */
import { TroupeError } from './errors.ts';
import { parseNodeId, type NodeId } from './identity.ts';
import { parseHost, parsePort, splitHostPort } from './uri.ts';
import { FieldCursor, FieldWriter } from './wire.ts';

/** `listenAddr` is `host:port` with an optional scheme; `other.txIndex` is empty, `on` or `off`. Versions are unsigned integers of 64 bits. */
export type NodeInfo = Readonly<{
  protocolVersion: Readonly<{ p2p: bigint; block: bigint; app: bigint }>;
  nodeId: NodeId;
  listenAddr: string;
  network: string;
  version: string;
  /** Ids from 0 to 255, at most 16, each once. */
  channels: readonly number[];
  moniker: string;
  other: Readonly<{ txIndex: string; rpcAddress: string }>;
}>;

/** Largest encoded NodeInfo in bytes, its length prefix not counted. Go nodes close above it. */
export const maxNodeInfoBytes = 10_240;

const maxChannels = 16;
const maxUint64 = 0xffff_ffff_ffff_ffffn;
const versionFields = ['p2p', 'block', 'app'] as const;

/**
 * The bytes of a NodeInfo as Go nodes write them: sub-messages always present, other defaults left out.
 * @throws TroupeError `ERR_NODE_INFO_INVALID`, `ERR_NODE_INFO_TOO_LARGE`.
 */
export function encodeNodeInfo(info: NodeInfo): Uint8Array {
  validateNodeInfo(info);
  const versions = new FieldWriter();
  versionFields.forEach((field, index) => {
    if (info.protocolVersion[field] !== 0n) versions.uint64(index + 1, info.protocolVersion[field]);
  });
  const writer = new FieldWriter().delimited(1, versions.finish());
  writer.text(2, info.nodeId).text(3, info.listenAddr).text(4, info.network).text(5, info.version);
  if (info.channels.length > 0) writer.delimited(6, Uint8Array.from(info.channels));
  writer.text(7, info.moniker);
  const encoded = writer.delimited(8, new FieldWriter().text(1, info.other.txIndex).text(2, info.other.rpcAddress).finish()).finish();
  refuseLarge(encoded);
  return encoded;
}

/**
 * Reads and validates a NodeInfo. Unknown fields are ignored, text must be UTF-8.
 * @throws TroupeError `ERR_NODE_INFO_TOO_LARGE` above 10,240 bytes, `ERR_NODE_INFO_INVALID` for all else.
 */
export function decodeNodeInfo(bytes: Uint8Array): NodeInfo {
  refuseLarge(bytes);
  try {
    const info = readNodeInfo(bytes);
    validateNodeInfo(info);
    return info;
  } catch (cause) {
    if (cause instanceof TroupeError && cause.code === 'ERR_NODE_INFO_INVALID') throw cause;
    throw new TroupeError('ERR_NODE_INFO_INVALID', cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

function readNodeInfo(bytes: Uint8Array): NodeInfo {
  const protocolVersion = { p2p: 0n, block: 0n, app: 0n };
  const text = { nodeId: '', listenAddr: '', network: '', version: '', moniker: '' };
  const other = { txIndex: '', rpcAddress: '' };
  let channels: readonly number[] = [];
  const field = new FieldCursor(bytes);
  while (field.next()) {
    if (field.is(1, 2)) readVersions(field.bytes(), protocolVersion);
    else if (field.is(2, 2)) text.nodeId = field.text();
    else if (field.is(3, 2)) text.listenAddr = field.text();
    else if (field.is(4, 2)) text.network = field.text();
    else if (field.is(5, 2)) text.version = field.text();
    else if (field.is(6, 2)) channels = readChannels(field);
    else if (field.is(7, 2)) text.moniker = field.text();
    else if (field.is(8, 2)) readOther(field.bytes(), other);
  }
  return { protocolVersion, ...text, nodeId: parseNodeId(text.nodeId), channels, other };
}

function readVersions(bytes: Uint8Array, into: { p2p: bigint; block: bigint; app: bigint }): void {
  const field = new FieldCursor(bytes);
  while (field.next()) {
    versionFields.forEach((name, index) => {
      if (field.is(index + 1, 0)) into[name] = field.uint64();
    });
  }
}

function readOther(bytes: Uint8Array, into: { txIndex: string; rpcAddress: string }): void {
  const field = new FieldCursor(bytes);
  while (field.next()) {
    if (field.is(1, 2)) into.txIndex = field.text();
    else if (field.is(2, 2)) into.rpcAddress = field.text();
  }
}

function readChannels(field: FieldCursor): readonly number[] {
  // Counted first: the bytes may be 10,000 of them.
  if (field.end - field.start > maxChannels) throw invalid(`more than ${maxChannels} channels`);
  return Object.freeze(Array.from(field.bytes()));
}

function refuseLarge(bytes: Uint8Array): void {
  if (bytes.length > maxNodeInfoBytes) throw new TroupeError('ERR_NODE_INFO_TOO_LARGE', `${bytes.length} bytes`);
}

/**
 * Throws unless a NodeInfo keeps the rules of all Go releases: readable listen address, printable ASCII, at most 16 distinct channels.
 * With the id that the remote authenticated as, its node id must be that one.
 * @throws TroupeError `ERR_NODE_INFO_INVALID`.
 */
export function validateNodeInfo(info: NodeInfo, authenticatedId?: NodeId): void {
  if (!/^[0-9a-f]{40}$/.test(info.nodeId)) throw invalid('node_id');
  for (const field of versionFields) {
    if (info.protocolVersion[field] < 0n || info.protocolVersion[field] > maxUint64) throw invalid(`protocol_version.${field}`);
  }
  if (listenAddressOf(info) === undefined) throw invalid('listen_addr');
  if (info.version !== '' && !isPrintable(info.version)) throw invalid('version');
  if (!isPrintable(info.moniker)) throw invalid('moniker');
  if (!['', 'on', 'off'].includes(info.other.txIndex)) throw invalid('other.tx_index');
  if (info.other.rpcAddress !== '' && !isPrintable(info.other.rpcAddress)) throw invalid('other.rpc_address');
  validateChannels(info.channels);
  if (authenticatedId !== undefined && info.nodeId !== authenticatedId) throw invalid('node_id is not the id of the authenticated key');
}

function validateChannels(channels: readonly number[]): void {
  if (channels.length > maxChannels) throw invalid(`more than ${maxChannels} channels`);
  if (!channels.every((id) => Number.isInteger(id) && id >= 0 && id <= 255)) throw invalid('a channel is not one byte');
  if (new Set(channels).size !== channels.length) throw invalid('a channel is listed twice');
}

/** One or more characters from blank to tilde, not blanks only. */
function isPrintable(text: string): boolean {
  return /^[\x20-\x7e]+$/.test(text) && /[^ ]/.test(text);
}

/** Host and port of the listen address; undefined when it is none. The host may be a name, which is never resolved, and the port may be 0. */
export function listenAddressOf(info: Pick<NodeInfo, 'listenAddr'>): Readonly<{ host: string; port: number }> | undefined {
  const scheme = info.listenAddr.indexOf('://');
  const text = scheme < 0 ? info.listenAddr : info.listenAddr.slice(scheme + 3);
  const split = text.length > 512 ? undefined : splitHostPort(text);
  if (split?.port === undefined || split.port === '' || (!split.bracketed && split.host.includes(':'))) return undefined;
  const host = parseHost(split.host);
  const port = parsePort(split.port);
  return host === undefined || port === undefined ? undefined : { host, port };
}

/** Why two nodes cannot be peers, as a sentence, or undefined: same block protocol and network, and a common channel unless we list none. */
export function compatibility(own: NodeInfo, remote: NodeInfo): string | undefined {
  if (own.protocolVersion.block !== remote.protocolVersion.block) {
    return `The peer has block protocol ${remote.protocolVersion.block}, we have ${own.protocolVersion.block}.`;
  }
  if (own.network !== remote.network) {
    return `The peer is of network ${JSON.stringify(remote.network.slice(0, 64))}, we are of ${JSON.stringify(own.network)}.`;
  }
  if (own.channels.length > 0 && !own.channels.some((id) => remote.channels.includes(id))) return 'The peer shares no channel with us.';
  return undefined;
}

function invalid(problem: string): TroupeError {
  return new TroupeError('ERR_NODE_INFO_INVALID', problem);
}
