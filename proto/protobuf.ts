/** Decoding with static classes of protobufjs under our own limits: no groups, little that is unknown, bounded depth. */
import protobuf from 'protobufjs/minimal.js';
import { TroupeError } from './errors.ts';
import { scanMessage } from './wire.ts';

/** What a static class of protobufjs has, as far as we use it. */
export interface ProtobufClass<M> {
  encode(message: M): { finish(): Uint8Array };
  decode(bytes: Uint8Array): M;
}

/** Bytes of fields that a decoder does not know, all levels of one message together: room for newer releases, not for ballast. */
export const maxUnknownBytes = 1_024;

/**
 * The reader that generated code pulls from, so that check and decoder cannot disagree: what it does not know passes here and is
 * counted, nothing of it is stored. The depth of known messages is bounded by protobufjs itself (100).
 */
class GuardedReader extends protobuf.Reader {
  #unknown = 0;

  constructor(bytes: Uint8Array) {
    super(bytes);
    this.discardUnknown = true;
  }

  override skipType(wireType: number, depth?: number, fieldNumber?: number): protobuf.Reader {
    if (wireType === 3 || wireType === 4) throw new TroupeError('ERR_MESSAGE_MALFORMED', 'a group');
    const start = this.pos;
    super.skipType(wireType, depth, fieldNumber);
    // A field without a value still costs its tag.
    this.#unknown += this.pos - start + 1;
    if (this.#unknown > maxUnknownBytes)
      throw new TroupeError('ERR_MESSAGE_MALFORMED', `more than ${maxUnknownBytes} bytes in unknown fields`);
    return this;
  }
}

/** What a type writes: protobuf by generated code that shares our protobufjs, protobuf by anything else, or some other format. */
type Format = 'shared' | 'protobuf' | 'other';

const formats = new WeakMap<object, Format>();

/** Learned once a type from what it makes of a message without content: whoever gives a writer to finish writes protobuf. */
function formatOf(type: object): Format {
  let format = formats.get(type);
  if (format === undefined) formats.set(type, (format = probe(type)));
  return format;
}

function probe(type: object): Format {
  try {
    const blank: unknown = typeof type === 'function' ? new (type as new () => unknown)() : {};
    const written = (type as { encode(message: unknown): unknown }).encode(blank);
    // Only a generated class takes a reader for bytes, and only one made by the same copy of protobufjs.
    if (written instanceof protobuf.Writer) return typeof type === 'function' ? 'shared' : 'protobuf';
    return typeof written === 'object' && written !== null && 'finish' in written ? 'protobuf' : 'other';
  } catch {
    return 'other';
  }
}

/** Whether the bytes of a type are protobuf: its `encode` gives a writer rather than bytes. */
export function isProtobuf<M>(type: object): type is ProtobufClass<M> {
  return formatOf(type) !== 'other';
}

/** Decodes protobuf: a scan first, then the type's own decoder, under our reader where it takes one. @throws TroupeError `ERR_MESSAGE_MALFORMED`, or whatever the type throws. */
export function decodeProtobuf<M>(type: ProtobufClass<M>, bytes: Uint8Array): M {
  scanMessage(bytes);
  return type.decode(formatOf(type) === 'shared' ? (new GuardedReader(bytes) as unknown as Uint8Array) : bytes);
}
