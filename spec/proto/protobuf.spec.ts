/** Limits on what a decoder made by protobufjs gets to see. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { decodeMessage, encodeMessage, protobufType, type MessageType } from '../../proto/codec.ts';
import { TroupeError } from '../../proto/errors.ts';
import { tendermint } from '../../proto/generated/tendermint.js';
import { isProtobuf, maxUnknownBytes } from '../../proto/protobuf.ts';
import { FieldWriter } from '../../proto/wire.ts';

const { Packet, PacketMsg, PexMessage, NodeInfo } = tendermint.p2p;
const { Message } = tendermint.blocksync;
type Decoder = MessageType<object>;
const classes: readonly (readonly [string, Decoder])[] = [
  ['Packet', Packet],
  ['PexMessage', PexMessage],
  ['NodeInfo', NodeInfo],
  ['blocksync.Message', Message],
  ['Block', tendermint.types.Block],
];
const codeOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof TroupeError) return error.code;
    throw error;
  }
  return 'none';
};
const concat = (...parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(Buffer.concat(parts));
const groups = (field: number, depth: number): Uint8Array => {
  const open = (field << 3) | 3;
  return concat(new Uint8Array(depth).fill(open), new Uint8Array(depth).fill(open + 1));
};

describe.each(classes)('%s', (_, type) => {
  test.each([1, 101, 1_000, 10_500, 100_000])('with %i nested unknown groups is refused', (depth) => {
    expect(codeOf(() => decodeMessage(type, groups(15, depth)))).toBe('ERR_MESSAGE_MALFORMED');
  });

  test('tolerates a kilobyte in unknown fields and no more', () => {
    const filling = (length: number): Uint8Array => new FieldWriter().delimited(15, new Uint8Array(length)).finish();
    // A field of 1,020 bytes costs two bytes of length and its tag besides; the second is a tag and a value of one byte.
    expect(codeOf(() => decodeMessage(type, filling(maxUnknownBytes - 3)))).toBe('none');
    expect(codeOf(() => decodeMessage(type, concat(filling(maxUnknownBytes - 3), Uint8Array.of(0x78, 0))))).toBe('ERR_MESSAGE_MALFORMED');
    expect(
      codeOf(() =>
        decodeMessage(
          type,
          new Uint8Array(2 * 513).map((_, at) => (at % 2 === 0 ? 0x7a : 0)),
        ),
      ),
    ).toBe('ERR_MESSAGE_MALFORMED');
  });

  test.each([
    ['field number 0', '0001'],
    ['a tag above 32 bits', '888080801001'],
    ['a length beyond the end', '0affffffff0f'],
    ['a cut varint', '08ff'],
  ])('with %s is refused', (__, hex) => {
    expect(codeOf(() => decodeMessage(type, Uint8Array.from(Buffer.from(hex, 'hex'))))).toBe('ERR_MESSAGE_MALFORMED');
  });

  test('of any bytes throws nothing but our error and pollutes nothing', () => {
    const before = Object.getOwnPropertyNames(Object.prototype);
    const hostile = fc
      .array(fc.constantFrom(0x0a, 0x12, 0x1a, 0x22, 0x2a, 0x08, 0x10, 0x00, 0x02, 0x04, 0x0b, 0x0c, 0x80, 0xff), { maxLength: 40 })
      .map((list) => Uint8Array.from(list));
    fc.assert(
      fc.property(fc.oneof(hostile, fc.uint8Array({ maxLength: 80 })), (bytes) => {
        expect(['none', 'ERR_MESSAGE_MALFORMED']).toContain(codeOf(() => decodeMessage(type, bytes)));
      }),
      { seed: 62, numRuns: 2_000 },
    );
    expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(before);
  });
});

describe('below the surface', () => {
  const inside = (content: Uint8Array): Uint8Array => new FieldWriter().delimited(3, content).finish();

  test('groups are refused too, and unknown fields of all levels are counted together', () => {
    expect(codeOf(() => decodeMessage(Packet, inside(groups(15, 1))))).toBe('ERR_MESSAGE_MALFORMED');
    const half = new FieldWriter().delimited(15, new Uint8Array(600)).finish();
    expect(codeOf(() => decodeMessage(Packet, concat(half, inside(new Uint8Array(0)))))).toBe('none');
    expect(codeOf(() => decodeMessage(Packet, concat(half, inside(half))))).toBe('ERR_MESSAGE_MALFORMED');
  });

  test('a known field that happens to look like a group is left alone', () => {
    const message = new PacketMsg({ data: groups(15, 101) });
    expect(decodeMessage(PacketMsg, encodeMessage<tendermint.p2p.PacketMsg>(PacketMsg, message)).data).toEqual(message.data);
  });

  test('unknown fields are not stored', () => {
    const decoded = decodeMessage(PacketMsg, new FieldWriter().text(15, 'ballast').finish());
    expect(decoded.$unknowns).toBeUndefined();
  });

  test('text that is not UTF-8 is refused', () => {
    expect(codeOf(() => decodeMessage(NodeInfo, Uint8Array.from(Buffer.from('3a02c328', 'hex'))))).toBe('ERR_MESSAGE_MALFORMED');
  });
});

test('messages inside messages are read a hundred deep and no deeper', () => {
  const schema = protobuf.parse('syntax = "proto3"; message Tree { Tree child = 1; }').root.lookupType('Tree') as unknown as Decoder;
  const nested = (depth: number): Uint8Array => {
    let message: Uint8Array = new Uint8Array(0);
    for (let level = 0; level < depth; level++) message = new FieldWriter().delimited(1, message).finish();
    return message;
  };
  expect(codeOf(() => decodeMessage(schema, nested(100)))).toBe('none');
  expect(codeOf(() => decodeMessage(schema, nested(101)))).toBe('ERR_MESSAGE_MALFORMED');
  expect(codeOf(() => decodeMessage(schema, nested(3_000)))).toBe('ERR_MESSAGE_MALFORMED');
});

/** A decoder of another make, without a limit on depth. */
class Nested {
  depth = 0;
  static encode(): { finish(): Uint8Array } {
    return { finish: () => new Uint8Array(0) };
  }
  static decode(bytes: Uint8Array): Nested {
    const nested = new Nested();
    nested.depth = bytes.length > 2 ? Nested.decode(bytes.subarray(2)).depth + 1 : 0;
    return nested;
  }
}

describe('what counts as protobuf', () => {
  test('is a type that writes with a writer', () => {
    expect(isProtobuf(Packet)).toBe(true);
    expect(isProtobuf({ encode: (message: object) => Packet.encode(message), decode: (bytes: Uint8Array) => Packet.decode(bytes) })).toBe(
      true,
    );
    expect(isProtobuf(Nested)).toBe(true);
    expect(isProtobuf({ encode: () => new Uint8Array(0) })).toBe(false);
    expect(isProtobuf({ encode: () => undefined })).toBe(false);
    expect(
      isProtobuf({
        encode: () => {
          throw new Error('no');
        },
      }),
    ).toBe(false);
  });

  test('is scanned for a decoder of another make, which is given bytes', () => {
    const seen: Uint8Array[] = [];
    const other: MessageType<unknown> = {
      encode: () => ({ finish: () => new Uint8Array(0) }),
      decode: (bytes) => {
        seen.push(bytes);
        return {};
      },
    };
    expect(codeOf(() => decodeMessage(other, groups(1, 1)))).toBe('ERR_MESSAGE_MALFORMED');
    expect(seen).toHaveLength(0);
    const message = Uint8Array.of(0x08, 1);
    decodeMessage(other, message);
    expect(seen).toEqual([message]);
  });

  test('that overflows the stack of its decoder is malformed, not a crash', () => {
    const deep = new Uint8Array(2_000_000).map((_, at) => (at % 2 === 0 ? 0x0a : 0));
    expect(codeOf(() => decodeMessage(Nested, deep))).toBe('ERR_MESSAGE_MALFORMED');
  });

  test('keeps wrapper and precheck of a type made from a class', () => {
    const type = protobufType(PacketMsg, {
      precheck: (bytes) => {
        if (bytes.length > 2) throw new Error('long');
      },
    });
    expect(decodeMessage(type, encodeMessage(type, new PacketMsg({ channelId: 7 }))).channelId).toBe(7);
    expect(codeOf(() => decodeMessage(type, new Uint8Array(3)))).toBe('ERR_MESSAGE_MALFORMED');
    expect(codeOf(() => decodeMessage(type, groups(1, 1)))).toBe('ERR_MESSAGE_MALFORMED');
  });
});
