/** A strict reader of the protobuf wire format: for the messages we decode by hand, and for the scan that every message passes before a decoder sees it. */
import { TroupeError } from './errors.ts';

/** The wire types that exist for us: varint, 64 bits, length-delimited, 32 bits. Groups (3, 4) are refused everywhere. */
export type WireType = 0 | 1 | 2 | 5;

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function malformed(problem: string): TroupeError {
  return new TroupeError('ERR_MESSAGE_MALFORMED', problem);
}

/**
 * Walks the fields of one message without decoding or copying them. Nothing is allocated for a field until it is asked for.
 * Every method throws `ERR_MESSAGE_MALFORMED` for bytes that are no message: field 0, groups, truncation, varints above 64 bits, tags above 32.
 */
export class FieldCursor {
  /** Field number of the current field. */
  number = 0;
  wire: WireType = 0;
  /** Where the value of the current field begins and ends; for a delimited field, without its length. */
  start = 0;
  end = 0;
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Moves to the next field; false at the end of the message. */
  next(): boolean {
    if (this.#at >= this.#bytes.length) return false;
    const tag = this.#varint32('tag');
    const wire = tag & 7;
    this.number = tag >>> 3;
    if (this.number === 0) throw malformed('field number 0');
    if (wire !== 0 && wire !== 1 && wire !== 2 && wire !== 5) throw malformed(wire === 3 || wire === 4 ? 'a group' : `wire type ${wire}`);
    this.wire = wire;
    const length = wire === 2 ? this.#varint32('length') : wire === 1 ? 8 : wire === 5 ? 4 : this.#varintLength();
    this.start = this.#at;
    this.end = this.start + length;
    if (this.end > this.#bytes.length) throw malformed('a field ends beyond its message');
    this.#at = this.end;
    return true;
  }

  /** Whether the current field has this number and wire type. The same number with another wire type is malformed. */
  is(number: number, wire: WireType): boolean {
    if (this.number !== number) return false;
    if (this.wire !== wire) throw malformed(`field ${number} has wire type ${this.wire}, not ${wire}`);
    return true;
  }

  /** The current varint as an unsigned integer of 64 bits. */
  uint64(): bigint {
    let value = 0n;
    for (let at = this.end - 1; at >= this.start; at--) value = (value << 7n) | BigInt(this.#bytes[at]! & 127);
    return value;
  }

  /** The bytes of the current field; they share memory with the message. */
  bytes(): Uint8Array {
    return this.#bytes.subarray(this.start, this.end);
  }

  /** The current field as text. Bytes that are not UTF-8 are malformed. */
  text(): string {
    try {
      return strictUtf8.decode(this.bytes());
    } catch {
      throw malformed(`field ${this.number} is not UTF-8`);
    }
  }

  /** Bytes that the varint at the cursor takes: at most 10, of which the last holds one bit. */
  #varintLength(): number {
    for (let count = 0; count < 10; count++) {
      const byte = this.#bytes[this.#at + count];
      if (byte === undefined) throw malformed('a varint is cut short');
      if (byte < 128) {
        if (count === 9 && byte > 1) throw malformed('a varint is above 64 bits');
        return count + 1;
      }
    }
    throw malformed('a varint is longer than 10 bytes');
  }

  #varint32(what: string): number {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < 5; count++) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw malformed(`a ${what} is cut short`);
      value += (byte & 127) * scale;
      if (byte < 128) {
        // Decoders that cut a tag to 32 bits would see another field than we do.
        if (value > 0xffff_ffff) throw malformed(`a ${what} is above 32 bits`);
        return value;
      }
      scale *= 128;
    }
    throw malformed(`a ${what} is above 32 bits`);
  }
}

/** Collects the bytes of a message field by field, in ascending order of numbers as Go nodes write them. Proto3 defaults are left out by the caller. */
export class FieldWriter {
  readonly #bytes: number[] = [];

  /** A varint field; the value is an unsigned integer of 64 bits. */
  uint64(number: number, value: bigint): this {
    this.#varint(BigInt(number << 3));
    this.#varint(value);
    return this;
  }

  /** A bytes, string or message field. */
  delimited(number: number, value: Uint8Array): this {
    this.#varint(BigInt((number << 3) | 2));
    this.#varint(BigInt(value.length));
    for (const byte of value) this.#bytes.push(byte);
    return this;
  }

  /** A string field, left out when empty. */
  text(number: number, value: string): this {
    return value === '' ? this : this.delimited(number, new TextEncoder().encode(value));
  }

  finish(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }

  #varint(value: bigint): void {
    let rest = value;
    for (; rest >= 128n; rest >>= 7n) this.#bytes.push(Number(rest & 127n) | 128);
    this.#bytes.push(Number(rest));
  }
}

/** Walks the fields of a message and throws unless every one is whole and none is a group. @throws TroupeError `ERR_MESSAGE_MALFORMED`. */
export function scanMessage(bytes: Uint8Array): void {
  const cursor = new FieldCursor(bytes);
  while (cursor.next());
}
