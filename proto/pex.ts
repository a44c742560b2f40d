/** Peer exchange messages in both dialects: `ip` (Tendermint 0.34, 0.35 and CometBFT) and `url` (0.35, 0.36, Sei). Reads all four oneof members. */
import { defaultPort, formatNodeAddress, parseNodeAddress, type NodeAddress } from './address.ts';
import type { MessageType } from './codec.ts';
import { TroupeError } from './errors.ts';
import { parseNodeId } from './identity.ts';
import { ipFromText } from './ip.ts';
import { FieldCursor, FieldWriter } from './wire.ts';

/** `ip` carries id, IP literal and port; `url` carries the text of a node address, whose host may be a name. An answer has the dialect of its request. */
export type PexDialect = 'ip' | 'url';

/**
 * One message of channel 0. `addresses` is empty but in a response; `skipped` counts entries of a received response that are no valid address.
 * `unknown` is an empty wrapper or a member that we do not know: a peer of a newer release, not a fault. It is never sent.
 */
export type PexMessage = Readonly<{
  kind: 'request' | 'response' | 'unknown';
  dialect: PexDialect;
  addresses: readonly NodeAddress[];
  skipped?: number;
}>;

/** Largest message in bytes, the capacity of the channel in every release. */
export const maxPexBytes = 64_000;
/** Most addresses of one response; CometBFT sends up to this many. */
export const maxPexAddresses = 250;

const requestMember = { ip: 1, url: 3 } as const;
const responseMember = { ip: 2, url: 4 } as const;
const empty = new Uint8Array(0);

/** The type of channel 0. Limits hold before anything is decoded. */
export const pexMessage: MessageType<PexMessage> = Object.freeze({ encode, decode, precheck });

function encode({ kind, dialect, addresses }: PexMessage): Uint8Array {
  if (kind === 'unknown') throw new TroupeError('ERR_SEND_INVALID', 'an unknown PEX message is never sent');
  if (kind === 'request') return new FieldWriter().delimited(requestMember[dialect], empty).finish();
  if (addresses.length > maxPexAddresses) throw new TroupeError('ERR_SEND_INVALID', `${addresses.length} addresses`);
  const list = new FieldWriter();
  for (const address of addresses) {
    const entry = dialect === 'ip' ? ipEntry(address) : urlEntry(address);
    if (entry !== undefined) list.delimited(1, entry);
  }
  const encoded = new FieldWriter().delimited(responseMember[dialect], list.finish()).finish();
  if (encoded.length > maxPexBytes) throw new TroupeError('ERR_SEND_INVALID', `${encoded.length} bytes`);
  return encoded;
}

/** Nothing for a host name, a local address or another transport: this dialect cannot say them, and a wrong IP makes a peer ban us. */
function ipEntry({ protocol, nodeId, host, port }: NodeAddress): Uint8Array | undefined {
  const ip = protocol === 'mconn' || protocol === 'tcp' ? ipFromText(host) : undefined;
  if (ip === undefined) return undefined;
  return new FieldWriter()
    .text(1, nodeId)
    .text(2, ip)
    .uint64(3, BigInt(port === 0 ? defaultPort : port))
    .finish();
}

/** The port is always written: releases disagree about the one to use when it is missing. */
function urlEntry(address: NodeAddress): Uint8Array {
  const port = address.host !== '' && address.port === 0 ? defaultPort : address.port;
  return new FieldWriter().text(1, formatNodeAddress({ ...address, port })).finish();
}

function precheck(bytes: Uint8Array): void {
  if (bytes.length > maxPexBytes) throw malformed(`${bytes.length} bytes`);
  let members = 0;
  const field = new FieldCursor(bytes);
  while (field.next()) {
    if (field.number > 4) continue;
    if (++members > 1) throw malformed('more than one member');
    if (field.is(responseMember.ip, 2) || field.is(responseMember.url, 2)) countEntries(field.bytes());
  }
}

function countEntries(bytes: Uint8Array): void {
  let entries = 0;
  const field = new FieldCursor(bytes);
  while (field.next()) if (field.is(1, 2) && ++entries > maxPexAddresses) throw malformed(`more than ${maxPexAddresses} addresses`);
}

function decode(bytes: Uint8Array): PexMessage {
  precheck(bytes);
  const field = new FieldCursor(bytes);
  while (field.next()) {
    if (field.is(1, 2)) return { kind: 'request', dialect: 'ip', addresses: [] };
    if (field.is(2, 2)) return { kind: 'response', dialect: 'ip', ...readList(field.bytes(), readIpEntry) };
    if (field.is(3, 2)) return { kind: 'request', dialect: 'url', addresses: [] };
    if (field.is(4, 2)) return { kind: 'response', dialect: 'url', ...readList(field.bytes(), readUrlEntry) };
  }
  return { kind: 'unknown', dialect: 'ip', addresses: [] };
}

function readList(
  bytes: Uint8Array,
  read: (entry: Uint8Array) => NodeAddress | undefined,
): { addresses: readonly NodeAddress[]; skipped: number } {
  const addresses: NodeAddress[] = [];
  let skipped = 0;
  const field = new FieldCursor(bytes);
  while (field.next()) {
    if (!field.is(1, 2)) continue;
    const address = read(field.bytes());
    if (address === undefined) skipped++;
    else addresses.push(address);
  }
  return { addresses, skipped };
}

function readIpEntry(bytes: Uint8Array): NodeAddress | undefined {
  let id = '';
  let ip = '';
  let port = 0n;
  const field = new FieldCursor(bytes);
  while (field.next()) {
    if (field.is(1, 2)) id = field.text();
    else if (field.is(2, 2)) ip = field.text();
    else if (field.is(3, 0)) port = field.uint64();
  }
  const host = ipFromText(ip);
  if (host === undefined || port < 1n || port > 65_535n) return undefined;
  return valid(() => ({ protocol: 'mconn', nodeId: parseNodeId(id), host, port: Number(port), path: '' }));
}

function readUrlEntry(bytes: Uint8Array): NodeAddress | undefined {
  let url = '';
  const field = new FieldCursor(bytes);
  while (field.next()) if (field.is(1, 2)) url = field.text();
  return valid(() => parseNodeAddress(url));
}

/** What the reader gives, or nothing for an entry that is well-formed but no address: one bad entry does not spoil the others. */
function valid(read: () => NodeAddress): NodeAddress | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof TroupeError) return undefined;
    throw error;
  }
}

function malformed(problem: string): TroupeError {
  return new TroupeError('ERR_MESSAGE_MALFORMED', problem);
}
