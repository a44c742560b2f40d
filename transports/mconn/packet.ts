/** Packets of MConnection: the unit in which channels interleave. Written and read by hand, in place; compared with protobufjs in specs. */
import { TroupeError } from '../../proto/errors.ts';

/** A ping with its length prefix. */
export const pingPacket: Readonly<Uint8Array> = Uint8Array.of(0x02, 0x0a, 0x00);
/** A pong with its length prefix. */
export const pongPacket: Readonly<Uint8Array> = Uint8Array.of(0x02, 0x12, 0x00);
/** Most bytes that `writePacketHeader` writes: three varints of up to three bytes, a channel of up to three, a flag and the tags. */
export const maxPacketHeaderBytes = 16;

/** A prefix of more bytes than this states a length that no limit of ours allows. */
const maxPrefixBytes = 3;

const varintBytes = (value: number): number => (value < 0x80 ? 1 : value < 0x4000 ? 2 : 3);

const messageBytes = (channelId: number, final: boolean, dataBytes: number): number =>
  (channelId === 0 ? 0 : 1 + varintBytes(channelId)) + (final ? 2 : 0) + (dataBytes === 0 ? 0 : 1 + varintBytes(dataBytes) + dataBytes);

/** Bytes of the body of a message packet, its length prefix excluded. */
export function packetBodyBytes(channelId: number, final: boolean, dataBytes: number): number {
  const inner = messageBytes(channelId, final, dataBytes);
  return 1 + varintBytes(inner) + inner;
}

/**
 * Payload of the next packet of a message. A Go peer reads bodies up to that of a full final packet on channel 1; from channel 0x80 up such a
 * packet is a byte longer, so there the last byte goes into a packet of its own.
 */
export function nextPayloadBytes(channelId: number, remainingBytes: number, maxPayloadBytes: number): number {
  if (remainingBytes > maxPayloadBytes) return maxPayloadBytes;
  const tooLong =
    channelId >= 0x80 && remainingBytes > 1 && packetBodyBytes(channelId, true, remainingBytes) > packetBodyBytes(1, true, maxPayloadBytes);
  return tooLong ? remainingBytes - 1 : remainingBytes;
}

function writeVarint(value: number, into: Uint8Array, offset: number): number {
  let at = offset;
  let rest = value;
  while (rest >= 0x80) {
    into[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  into[at++] = rest;
  return at;
}

/** Writes everything of a message packet that comes before its data, length prefix included; returns the offset behind it. */
export function writePacketHeader(into: Uint8Array, offset: number, channelId: number, final: boolean, dataBytes: number): number {
  const inner = messageBytes(channelId, final, dataBytes);
  let at = writeVarint(1 + varintBytes(inner) + inner, into, offset);
  into[at++] = 0x1a;
  at = writeVarint(inner, into, at);
  if (channelId !== 0) {
    into[at++] = 0x08;
    at = writeVarint(channelId, into, at);
  }
  if (final) {
    into[at++] = 0x10;
    into[at++] = 0x01;
  }
  if (dataBytes !== 0) {
    into[at++] = 0x1a;
    at = writeVarint(dataBytes, into, at);
  }
  return at;
}

/** Takes what a `PacketParser` finds. What they throw ends the parsing. `wireBytes` counts the length prefix too. */
export interface PacketSink {
  ping(wireBytes: number): void;
  pong(wireBytes: number): void;
  /** A part of a message; `bytes` from `start` to `end` is valid during the call only. */
  part(channelId: number, final: boolean, bytes: Uint8Array, start: number, end: number, wireBytes: number): void;
}

const malformed = (detail: string): TroupeError => new TroupeError('ERR_PACKET_MALFORMED', detail);

/** Reads the body of one packet into its own fields, so that nothing is allocated a packet. */
class PacketBody {
  kind: 'none' | 'ping' | 'pong' | 'message' = 'none';
  channelId = 0;
  final = false;
  dataStart = 0;
  dataEnd = 0;
  #at = 0;

  /** Oneof as in Go: the last member wins whole, nothing is merged. @throws TroupeError `ERR_PACKET_MALFORMED`, `ERR_CHANNEL_UNKNOWN`. */
  read(bytes: Uint8Array, start: number, end: number): void {
    this.kind = 'none';
    this.#at = start;
    while (this.#at < end) {
      const tag = this.#tag(bytes, end);
      const field = tag >>> 3;
      if (field > 3) {
        this.#skip(bytes, end, tag & 7);
        continue;
      }
      const until = this.#delimited(bytes, end, tag);
      this.kind = field === 1 ? 'ping' : field === 2 ? 'pong' : 'message';
      if (field === 3) this.#message(bytes, until);
      else while (this.#at < until) this.#skip(bytes, until, this.#tag(bytes, until) & 7);
    }
    if (this.kind === 'none') throw malformed('it is none of ping, pong and message');
    if (this.kind === 'message' && this.channelId > 0xff) throw new TroupeError('ERR_CHANNEL_UNKNOWN', 'its id is not 0 to 255');
  }

  #message(bytes: Uint8Array, end: number): void {
    this.channelId = 0;
    this.final = false;
    this.dataStart = this.dataEnd = this.#at;
    while (this.#at < end) {
      const tag = this.#tag(bytes, end);
      if (tag === 0x08) this.channelId = this.#varint(bytes, end);
      else if (tag === 0x10) this.final = this.#varint(bytes, end) !== 0;
      else if (tag >>> 3 === 3) {
        this.dataEnd = this.#delimited(bytes, end, tag);
        this.dataStart = this.#at;
        this.#at = this.dataEnd;
      } else if (tag >>> 3 < 3) throw malformed(`field ${tag >>> 3} has wire type ${tag & 7}`);
      else this.#skip(bytes, end, tag & 7);
    }
  }

  #tag(bytes: Uint8Array, end: number): number {
    const tag = this.#varint(bytes, end);
    if (tag < 8 || tag > 0xffff_ffff) throw malformed('a field number is out of range');
    return tag;
  }

  /** The end of a length-delimited field whose tag was just read. */
  #delimited(bytes: Uint8Array, end: number, tag: number): number {
    if ((tag & 7) !== 2) throw malformed(`field ${tag >>> 3} has wire type ${tag & 7}`);
    const length = this.#varint(bytes, end);
    if (length > end - this.#at) throw malformed('a field reaches past its end');
    return this.#at + length;
  }

  /** Up to 64 bits; above 2^53 inexact, which is enough to see that a value is out of range. */
  #varint(bytes: Uint8Array, end: number): number {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < 10; count++) {
      if (this.#at >= end) throw malformed('it ends inside a number');
      const byte = bytes[this.#at++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    throw malformed('a number is longer than ten bytes');
  }

  /** Passes over an unknown field; groups are counted, not recursed into. */
  #skip(bytes: Uint8Array, end: number, wireType: number): void {
    let depth = 0;
    let type = wireType;
    for (;;) {
      if (type === 0) this.#varint(bytes, end);
      else if (type === 1) this.#at += 8;
      else if (type === 2) this.#at = this.#delimited(bytes, end, 2);
      else if (type === 3) depth++;
      else if (type === 4 && depth > 0) depth--;
      else if (type === 5) this.#at += 4;
      else throw malformed(`wire type ${type}`);
      if (this.#at > end) throw malformed('a field reaches past its end');
      if (depth === 0) return;
      type = this.#tag(bytes, end) & 7;
    }
  }
}

/** Cuts a stream of plaintext, in pieces of any size, into packets and hands them to its sink. */
export class PacketParser {
  readonly #sink: PacketSink;
  readonly #maxBodyBytes: number;
  readonly #body = new PacketBody();
  /** Holds a body that came in pieces; made when that first happens. */
  #scratch: Uint8Array | undefined;
  #scratchBytes = 0;
  #prefixBytes = 0;
  #length = 0;
  #inBody = false;

  constructor(maxBodyBytes: number, sink: PacketSink) {
    this.#maxBodyBytes = maxBodyBytes;
    this.#sink = sink;
  }

  /** True between two packets, so that an end of the stream cuts nothing. */
  get atBoundary(): boolean {
    return this.#prefixBytes === 0;
  }

  /** @throws TroupeError `ERR_PACKET_TOO_LARGE`, `ERR_PACKET_MALFORMED`, `ERR_CHANNEL_UNKNOWN`, or what the sink throws; the stream is unusable then. */
  push(bytes: Uint8Array, start: number, end: number): void {
    let at = start;
    while (at < end) {
      if (!this.#inBody) {
        this.#inBody = this.#prefix(bytes[at++]!);
        // A length of zero has its body here already, perhaps at the very end of the piece.
        if (!this.#inBody || this.#length > 0) continue;
      }
      const missing = this.#length - this.#scratchBytes;
      const here = end - at;
      if (this.#scratchBytes === 0 && here >= missing) {
        this.#finish(bytes, at, at + missing);
        at += missing;
        continue;
      }
      const take = Math.min(missing, here);
      this.#scratch ??= new Uint8Array(this.#maxBodyBytes);
      this.#scratch.set(bytes.subarray(at, at + take), this.#scratchBytes);
      this.#scratchBytes += take;
      at += take;
      if (take === missing) this.#finish(this.#scratch, 0, this.#length);
    }
  }

  /** Takes a byte of the length prefix; true when it was the last. */
  #prefix(byte: number): boolean {
    this.#length += (byte & 0x7f) << (7 * this.#prefixBytes);
    this.#prefixBytes++;
    if (byte >= 0x80) {
      if (this.#prefixBytes === maxPrefixBytes)
        throw new TroupeError('ERR_PACKET_TOO_LARGE', 'its length prefix is longer than three bytes');
      return false;
    }
    if (this.#length > this.#maxBodyBytes) throw new TroupeError('ERR_PACKET_TOO_LARGE', `${this.#length} bytes`);
    return true;
  }

  #finish(bytes: Uint8Array, start: number, end: number): void {
    const wireBytes = this.#prefixBytes + this.#length;
    this.#prefixBytes = this.#length = this.#scratchBytes = 0;
    this.#inBody = false;
    const body = this.#body;
    body.read(bytes, start, end);
    if (body.kind === 'message') this.#sink.part(body.channelId, body.final, bytes, body.dataStart, body.dataEnd, wireBytes);
    else if (body.kind === 'ping') this.#sink.ping(wireBytes);
    else this.#sink.pong(wireBytes);
  }
}
