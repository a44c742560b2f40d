/** Encoding and decoding by a channel's type, and delimited framing. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  bytes,
  decodeMessage,
  delimited,
  encodeMessage,
  protobufType,
  readUvarint,
  uvarintLength,
  writeUvarint,
  type MessageType,
} from '../../proto/codec.ts';
import { TroupeError } from '../../proto/errors.ts';
import { tendermint } from '../../proto/generated/tendermint.js';

const raw = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));
const errorOf = (run: () => unknown): TroupeError | undefined => {
  try {
    run();
  } catch (error) {
    if (error instanceof TroupeError) return error;
    throw error;
  }
  return undefined;
};

describe('the type of a channel', () => {
  test('may be a static class of protobufjs as it is', () => {
    // The annotation is part of the test: the class must fit without a cast.
    const type: MessageType<tendermint.p2p.PacketMsg> = tendermint.p2p.PacketMsg;
    const encoded = encodeMessage(type, new tendermint.p2p.PacketMsg({ channelId: 0x20, eof: true, data: Uint8Array.of(0x68, 0x69) }));
    expect(Buffer.from(encoded).toString('hex')).toBe('082010011a026869');
    expect(decodeMessage(type, encoded)).toMatchObject({ channelId: 32, eof: true });
  });

  test('may be bytes: nothing is copied', () => {
    const message = Uint8Array.of(0x0b, 0xff);
    expect(encodeMessage(bytes, message)).toBe(message);
    expect(decodeMessage(bytes, message)).toBe(message);
  });

  test('may be of a format that is not protobuf', () => {
    const json: MessageType<unknown> = {
      encode: (message) => new TextEncoder().encode(JSON.stringify(message)),
      decode: (encoded) => JSON.parse(new TextDecoder().decode(encoded)) as unknown,
    };
    expect(decodeMessage(json, encodeMessage(json, { a: [1] }))).toEqual({ a: [1] });
    expect(errorOf(() => decodeMessage(json, raw('7b')))?.code).toBe('ERR_MESSAGE_MALFORMED');
    class Text {
      readonly text = '';
      static encode(message: string): Uint8Array {
        return new TextEncoder().encode(message);
      }
      static decode(encoded: Uint8Array): string {
        return new TextDecoder().decode(encoded);
      }
    }
    expect(decodeMessage<string>(Text, encodeMessage<string>(Text, '\u000b#'))).toBe('\u000b#');
  });

  test('may wrap and unwrap what it carries', () => {
    type Status = Readonly<{ height: bigint }>;
    const { Message } = tendermint.blocksync;
    const type: MessageType<Status> = {
      encode: (message) => Message.encode(message as object),
      decode: (encoded) => Message.decode(encoded) as unknown as Status,
      wrap: (inner) => ({ statusResponse: inner }),
      unwrap: (outer) => (outer as unknown as { statusResponse: Status }).statusResponse,
    };
    expect(Buffer.from(encodeMessage(type, { height: 5n })).toString('hex')).toBe('2a020805');
    expect(decodeMessage(type, raw('2a020805'))).toMatchObject({ height: 5n });
  });

  test('may look at the bytes first, and nothing is decoded that it refuses', () => {
    let decoded = 0;
    const type: MessageType<Uint8Array> = {
      encode: (message) => message,
      decode: (encoded) => {
        decoded++;
        return encoded;
      },
      precheck: (encoded) => {
        if (encoded.length > 2) throw new Error('too many');
      },
    };
    expect(errorOf(() => decodeMessage(type, new Uint8Array(3)))?.message).toContain('too many');
    expect(decoded).toBe(0);
    decodeMessage(type, new Uint8Array(2));
    expect(decoded).toBe(1);
  });

  test('that throws has its error wrapped once, with whose fault it is', () => {
    const failing: MessageType<string> = {
      encode: () => {
        throw new RangeError('stack');
      },
      decode: () => {
        throw 'a string';
      },
    };
    expect(errorOf(() => encodeMessage(failing, ''))).toMatchObject({ code: 'ERR_SEND_INVALID', fault: 'local' });
    expect(errorOf(() => decodeMessage(failing, new Uint8Array(0)))).toMatchObject({ code: 'ERR_MESSAGE_MALFORMED', fault: 'peer' });
    const once = protobufType(tendermint.p2p.PacketMsg);
    expect(errorOf(() => decodeMessage(once, raw('0b')))?.message).toBe('a message does not decode: a group');
  });

  test('that encodes to something else than bytes is refused', () => {
    const wrong = { encode: () => ({ finish: () => 'text' as unknown as Uint8Array }), decode: () => '' } as MessageType<string>;
    expect(errorOf(() => encodeMessage(wrong, ''))?.code).toBe('ERR_SEND_INVALID');
  });
});

describe('an unsigned varint', () => {
  test.each([
    [0, '00'],
    [127, '7f'],
    [128, '8001'],
    [16_383, 'ff7f'],
    [16_384, '808001'],
    [2 ** 32 - 1, 'ffffffff0f'],
    [2 ** 32, '8080808010'],
    [2 ** 35 - 1, 'ffffffff7f'],
    [2 ** 49 - 1, 'ffffffffffff7f'],
  ])('of %i is %s', (value, hex) => {
    const into = new Uint8Array(uvarintLength(value));
    expect(writeUvarint(value, into, 0)).toBe(into.length);
    expect(Buffer.from(into).toString('hex')).toBe(hex);
    expect(readUvarint(into, 0, 7)).toEqual({ value, next: into.length });
  });

  test('is read at an offset and comes back for every number', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 31 - 1), fc.nat(5), (value, offset) => {
        const into = new Uint8Array(offset + uvarintLength(value));
        writeUvarint(value, into, offset);
        expect(readUvarint(into, offset)).toEqual({ value, next: into.length });
        expect(readUvarint(into.subarray(0, into.length - 1), offset)).toBeUndefined();
      }),
      { seed: 62, numRuns: 200 },
    );
  });

  test.each(['8000', '808000', 'ff8000', '808080808000'])('with bytes it does not need (%s) is refused', (hex) => {
    expect(errorOf(() => readUvarint(raw(hex), 0, 7))?.code).toBe('ERR_MESSAGE_MALFORMED');
  });

  test('that goes on too long is refused as soon as that is seen', () => {
    expect(readUvarint(raw('ffffffff'), 0)).toBeUndefined();
    expect(errorOf(() => readUvarint(raw('ffffffffff'), 0))?.code).toBe('ERR_MESSAGE_MALFORMED');
    expect(errorOf(() => readUvarint(raw('8001'), 0, 1))?.code).toBe('ERR_MESSAGE_MALFORMED');
  });
});

test('a delimited body stands behind its length', () => {
  expect(Buffer.from(delimited(raw('0a00'))).toString('hex')).toBe('020a00');
  expect(delimited(new Uint8Array(0))).toEqual(Uint8Array.of(0));
  expect(Buffer.from(delimited(new Uint8Array(300)).subarray(0, 3)).toString('hex')).toBe('ac0200');
});
