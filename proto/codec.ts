/** How messages become bytes and back: the `type` of a channel, the checks before a decoder sees remote bytes, and delimited framing. */
import { TroupeError } from './errors.ts';
import { decodeProtobuf, isProtobuf, type ProtobufClass } from './protobuf.ts';

/**
 * How one kind of message is written and read. A static class made by protobufjs fits as it is.
 * `wrap` and `unwrap` carry a message inside the oneof wrapper of its channel; `precheck` throws when bytes must not be decoded.
 */
export interface MessageType<M> {
  encode(message: M): Uint8Array | { finish(): Uint8Array };
  decode(bytes: Uint8Array): M;
  /** The wrapper to encode for a message that is not one. */
  wrap?(inner: M): unknown;
  /** The message inside a decoded wrapper. */
  unwrap?(outer: M): M;
  /** Looks at the bytes before anything is allocated for them, and throws when they must not be decoded. */
  precheck?(bytes: Uint8Array): void;
}

/** Messages that are their own bytes. Nothing is copied or checked. */
export const bytes: MessageType<Uint8Array> = Object.freeze({
  encode: (message: Uint8Array) => message,
  decode: (encoded: Uint8Array) => encoded,
});

/**
 * A type from a static class of protobufjs with a wrapper or a precheck of its own; a class alone needs no call.
 * Both ways its bytes are scanned first and decoded under limits: no groups, depth 100, 1,024 bytes in unknown fields.
 */
export function protobufType<M>(type: ProtobufClass<M>, more: Pick<MessageType<M>, 'wrap' | 'unwrap' | 'precheck'> = {}): MessageType<M> {
  return Object.freeze({
    ...more,
    encode: (message: M) => type.encode(message),
    decode: (encoded: Uint8Array) => decodeProtobuf(type, encoded),
  });
}

/** The bytes of a message, wrapped where its type says so. @throws TroupeError `ERR_SEND_INVALID` when the type cannot encode it. */
export function encodeMessage<M>(type: MessageType<M>, message: M): Uint8Array {
  try {
    const outer = type.wrap === undefined ? message : (type.wrap(message) as M);
    const encoded = type.encode(outer);
    const result: unknown = encoded instanceof Uint8Array ? encoded : encoded.finish();
    if (!(result instanceof Uint8Array)) throw new TypeError('encode gave no bytes');
    return result;
  } catch (error) {
    throw wrapped('ERR_SEND_INVALID', error);
  }
}

/**
 * The message in bytes from a remote, unwrapped where its type says so. A `precheck` runs before anything is decoded.
 * A type whose `encode` gives a protobufjs writer decodes under the limits of `protobufType`; any other answers for its own format.
 * @throws TroupeError `ERR_MESSAGE_MALFORMED` whatever the type throws.
 */
export function decodeMessage<M>(type: MessageType<M>, encoded: Uint8Array): M {
  try {
    type.precheck?.(encoded);
    const outer = isProtobuf<M>(type) ? decodeProtobuf(type, encoded) : type.decode(encoded);
    return type.unwrap === undefined ? outer : type.unwrap(outer);
  } catch (error) {
    throw wrapped('ERR_MESSAGE_MALFORMED', error);
  }
}

function wrapped(code: 'ERR_MESSAGE_MALFORMED' | 'ERR_SEND_INVALID', cause: unknown): TroupeError {
  if (cause instanceof TroupeError && cause.code === code) return cause;
  return new TroupeError(code, cause instanceof Error ? cause.message : String(cause), { cause });
}

/** Bytes that `n` takes as an unsigned varint; `n` is an integer from 0 to 2^53 - 1. */
export function uvarintLength(n: number): number {
  let length = 1;
  for (let rest = n; rest >= 128; rest = Math.floor(rest / 128)) length++;
  return length;
}

/** Writes `n` (0 to 2^53 - 1) as an unsigned varint and gives the offset behind it. */
export function writeUvarint(n: number, into: Uint8Array, offset: number): number {
  let rest = n;
  let at = offset;
  while (rest >= 128) {
    into[at++] = (rest % 128) | 128;
    rest = Math.floor(rest / 128);
  }
  into[at++] = rest;
  return at;
}

/**
 * Reads an unsigned varint of at most `maxBytes` bytes (5 by default, at most 7, so that the value is exact).
 * Gives undefined while bytes are missing.
 * @throws TroupeError `ERR_MESSAGE_MALFORMED` when it is longer, or longer than its value needs.
 */
export function readUvarint(from: Uint8Array, offset: number, maxBytes = 5): Readonly<{ value: number; next: number }> | undefined {
  let value = 0;
  let scale = 1;
  for (let count = 0; count < maxBytes; count++) {
    const byte = from[offset + count];
    if (byte === undefined) return undefined;
    value += (byte & 127) * scale;
    if (byte < 128) {
      if (byte === 0 && count > 0) throw new TroupeError('ERR_MESSAGE_MALFORMED', 'a varint is longer than its value needs');
      return { value, next: offset + count + 1 };
    }
    scale *= 128;
  }
  throw new TroupeError('ERR_MESSAGE_MALFORMED', `a varint is longer than ${maxBytes} bytes`);
}

/** The bytes behind their length as an unsigned varint. */
export function delimited(body: Uint8Array): Uint8Array {
  const header = uvarintLength(body.length);
  const framed = new Uint8Array(header + body.length);
  writeUvarint(body.length, framed, 0);
  framed.set(body, header);
  return framed;
}
