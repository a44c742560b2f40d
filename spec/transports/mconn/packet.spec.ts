import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { delimited } from '../../../proto/codec.ts';
import { TroupeError } from '../../../proto/errors.ts';
import { tendermint } from '../../../proto/generated/tendermint.js';
import {
  maxPacketHeaderBytes,
  nextPayloadBytes,
  packetBodyBytes,
  PacketParser,
  pingPacket,
  pongPacket,
  writePacketHeader,
} from '../../../transports/mconn/packet.ts';

const { Packet } = tendermint.p2p;

/** A ping, a pong, a part, or at the end the code of a failure. */
type Found = string | Readonly<{ channelId: number; final: boolean; data: string }>;

/** Parses pieces and says what was found, then the code of the failure if there was one. */
function parse(pieces: readonly Uint8Array[], maxBodyBytes = 1_410): Found[] {
  const found: Found[] = [];
  const parser = new PacketParser(maxBodyBytes, {
    ping: () => found.push('ping'),
    pong: () => found.push('pong'),
    part: (channelId, final, bytes, start, end) => found.push({ channelId, final, data: hex(bytes.subarray(start, end)) }),
  });
  try {
    for (const piece of pieces) parser.push(piece, 0, piece.length);
  } catch (error) {
    if (!(error instanceof TroupeError)) throw error;
    found.push(error.code);
  }
  return found;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const fromHex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));
const ofBody = (text: string): Uint8Array => {
  const body = fromHex(text);
  return Uint8Array.from([...(body.length < 0x80 ? [body.length] : [(body.length & 0x7f) | 0x80, body.length >> 7]), ...body]);
};

function packet(channelId: number, final: boolean, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(maxPacketHeaderBytes + data.length);
  const at = writePacketHeader(bytes, 0, channelId, final, data.length);
  bytes.set(data, at);
  return bytes.subarray(0, at + data.length);
}

const hi = Buffer.from('hi');

describe('a packet', () => {
  test.each([
    ['channel 0x20, final', 0x20, true, '6869', '0a 1a08 0820 1001 1a02 6869'],
    ['channel 0x20, not final', 0x20, false, '6869', '08 1a06 0820 1a02 6869'],
    ['channel 0x00, final', 0x00, true, '0a00', '08 1a06 1001 1a02 0a00'],
    ['channel 0x80, final', 0x80, true, '6869', '0b 1a09 088001 1001 1a02 6869'],
    ['without data, final', 0x20, true, '', '06 1a04 0820 1001'],
    [
      'channel 1, not final',
      1,
      false,
      hex(Buffer.from('data transmitted over the wire')),
      '24 1a2208011a1e64617461207472616e736d6974746564206f766572207468652077697265',
    ],
  ])('has the bytes of a Go peer: %s', (_, channelId, final, data, expected) => {
    const bytes = packet(channelId, final, fromHex(data));
    expect(hex(bytes)).toBe(expected.replaceAll(' ', ''));
    expect(parse([bytes])).toEqual([{ channelId, final, data }]);
  });

  test('that is a ping or a pong has the bytes of a Go peer', () => {
    expect([hex(pingPacket), hex(pongPacket)]).toEqual(['020a00', '021200']);
    expect(parse([pingPacket, pongPacket])).toEqual(['ping', 'pong']);
  });

  test('is what protobufjs makes of the same fields, and is read as protobufjs reads it', () => {
    const fields = fc.record({ channelId: fc.integer({ min: 0, max: 255 }), eof: fc.boolean(), data: fc.uint8Array({ maxLength: 1_400 }) });
    fc.assert(
      fc.property(fields, ({ channelId, eof, data }) => {
        const packetMsg = { ...(channelId === 0 ? {} : { channelId }), ...(eof ? { eof } : {}), ...(data.length === 0 ? {} : { data }) };
        const reference = delimited(Packet.encode({ packetMsg }).finish());
        const ours = packet(channelId, eof, data);
        expect(hex(ours)).toBe(hex(reference));
        expect(parse([reference])).toEqual([{ channelId, final: eof, data: hex(data) }]);
        const decoded = Packet.decode(ours.subarray(ours.length - packetBodyBytes(channelId, eof, data.length))).packetMsg;
        expect([decoded?.channelId, decoded?.eof, hex(decoded?.data ?? new Uint8Array())]).toEqual([channelId, eof, hex(data)]);
      }),
    );
  });

  test('states the size of its body', () => {
    for (const channelId of [0, 1, 0x7f, 0x80, 0xff]) {
      for (const final of [true, false]) {
        for (const size of [0, 1, 100, 118, 119, 120, 121, 122, 123, 127, 128, 1_023, 1_024, 1_400, 16_383, 16_384]) {
          const body = packetBodyBytes(channelId, final, size);
          const prefix = body < 0x80 ? 1 : body < 0x4000 ? 2 : 3;
          expect(packet(channelId, final, new Uint8Array(size)).length).toBe(prefix + body);
        }
      }
    }
    expect([packetBodyBytes(1, true, 1_024), packetBodyBytes(1, true, 1_400), packetBodyBytes(0x80, true, 1_024)]).toEqual([
      1_034, 1_410, 1_035,
    ]);
  });

  test('never has a body above what a Go peer with the same payload limit reads, on any channel, and loses no byte', () => {
    const cases = fc.record({
      channelId: fc.integer({ min: 0, max: 255 }),
      length: fc.integer({ min: 0, max: 6_000 }),
      max: fc.integer({ min: 2, max: 1_400 }),
    });
    fc.assert(
      fc.property(cases, ({ channelId, length, max }) => {
        const limit = packetBodyBytes(1, true, max);
        let sent = 0;
        let packets = 0;
        do {
          const count = nextPayloadBytes(channelId, length - sent, max);
          const final = sent + count === length;
          expect(packetBodyBytes(channelId, final, count)).toBeLessThanOrEqual(limit);
          expect(count > 0 || length === 0).toBe(true);
          sent += count;
          packets++;
        } while (sent < length);
        expect(packets).toBeLessThanOrEqual(Math.max(1, Math.ceil(length / max)) + 1);
      }),
      { examples: [[{ channelId: 0x80, length: 1_024, max: 1_024 }], [{ channelId: 0x80, length: 2_048, max: 1_024 }]] },
    );
    expect([1_023, 1_024, 1_025, 2_048].map((length) => nextPayloadBytes(0x80, length, 1_024))).toEqual([1_023, 1_023, 1_024, 1_024]);
    expect(nextPayloadBytes(0x7f, 1_024, 1_024)).toBe(1_024);
  });
});

describe('the parser', () => {
  const stream = [
    pingPacket,
    packet(0x20, false, hi),
    packet(0x80, true, Buffer.alloc(300, 7)),
    packet(0, true, new Uint8Array(0)),
    pongPacket,
  ];
  const expected: readonly Found[] = [
    'ping',
    { channelId: 0x20, final: false, data: '6869' },
    { channelId: 0x80, final: true, data: '07'.repeat(300) },
    { channelId: 0, final: true, data: '' },
    'pong',
  ];
  const whole = Buffer.concat(stream);

  test('finds the same packets wherever the stream is cut', () => {
    for (let cut = 0; cut <= whole.length; cut++) expect(parse([whole.subarray(0, cut), whole.subarray(cut)])).toEqual(expected);
    expect(parse([...whole].map((byte) => Uint8Array.of(byte)))).toEqual(expected);
  });

  test('finds the same packets in pieces of any size', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 64 }), { minLength: 1 }), (sizes) => {
        const pieces: Uint8Array[] = [];
        for (let at = 0, index = 0; at < whole.length; index++) {
          const size = sizes[index % sizes.length]!;
          pieces.push(whole.subarray(at, at + size));
          at += size;
        }
        expect(parse(pieces)).toEqual(expected);
      }),
    );
  });

  test('says whether the stream could end here', () => {
    const parser = new PacketParser(1_410, { ping: () => undefined, pong: () => undefined, part: () => undefined });
    const boundaries: number[] = [0];
    whole.forEach((byte, index) => {
      parser.push(Uint8Array.of(byte), 0, 1);
      if (parser.atBoundary) boundaries.push(index + 1);
    });
    const ends = stream.map((_, index) => Buffer.concat(stream.slice(0, index + 1)).length);
    expect(boundaries).toEqual([0, ...ends]);
  });

  test('hands on the size on the wire, prefix included', () => {
    const sizes: number[] = [];
    const note = (bytes: number): void => void sizes.push(bytes);
    const parser = new PacketParser(1_410, {
      ping: note,
      pong: note,
      part: (_channel, _final, _bytes, _start, _end, wireBytes) => note(wireBytes),
    });
    parser.push(whole, 0, whole.length);
    expect(sizes).toEqual(stream.map(({ length }) => length));
  });

  test('takes a body of exactly the limit and refuses one byte more on its prefix alone', () => {
    const full = packet(1, true, Buffer.alloc(1_400, 1));
    expect(full.length).toBe(2 + 1_410);
    expect(parse([full])).toEqual([{ channelId: 1, final: true, data: '01'.repeat(1_400) }]);
    expect(parse([packet(1, true, Buffer.alloc(1_401, 1)).subarray(0, 2)])).toEqual(['ERR_PACKET_TOO_LARGE']);
    expect(parse([packet(1, true, Buffer.alloc(1_024, 1))], 1_034)).toHaveLength(1);
    expect(parse([packet(1, true, Buffer.alloc(1_025, 1)).subarray(0, 2)], 1_034)).toEqual(['ERR_PACKET_TOO_LARGE']);
  });

  test.each([
    ['1 MiB', '808040'],
    ['2 GiB', '8080808008'],
    ['an unending prefix', 'ffffffffffffffffffffff'],
    ['a prefix padded with zeros to four bytes', '82808000 0a00'],
  ])('refuses a prefix of more than three bytes before anything is kept: %s', (_, bytes) => {
    expect(parse([fromHex(bytes)])).toEqual(['ERR_PACKET_TOO_LARGE']);
  });

  test('reads a prefix that is longer than it has to be, as Go does', () => {
    expect(parse([fromHex('82 80 00 0a00')])).toEqual(['ping']);
  });

  test.each([
    ['an empty packet', ''],
    ['only an unknown member', '2200'],
    ['only an unknown field', '2001'],
    ['a ping that is a number', '0801'],
    ['a message that is a number', '1801'],
    ['a channel that is bytes', '1a030a0101'],
    ['a flag that is fixed', '1a0511 00000000'.replaceAll(' ', '')],
    ['data that is a number', '1a021801'],
    ['field number 0', '0000'],
    ['a tag above 32 bits', '8880808010 00'],
    ['a field that reaches past its end', '0a05'],
    ['data that reaches past its message', '1a031a0568'],
    ['a number that ends early', '1a020880'],
    ['a number of eleven bytes', '1a0c08ffffffffffffffffffff01'],
    ['an unknown fixed field that is cut', '0a00210000'],
    ['an end of a group that never began', '0a0024'],
    ['a group that never ends', '0a0023'],
    ['wire type 6', '0a0026'],
    ['rubbish inside a ping', '0a01ff'],
  ])('refuses %s', (_, body) => {
    expect(parse([ofBody(body)])).toEqual(['ERR_PACKET_MALFORMED']);
  });

  test.each([
    ['a number', '2001'],
    ['bytes', '2a03616263'],
    ['four bytes', '2501020304'],
    ['eight bytes', '210102030405060708'],
    ['a group with a group inside', '232b30012c24'],
  ])('passes over unknown fields that hold %s', (_, field) => {
    const inner = `0820${field}10011a026869${field}`.replaceAll(' ', '');
    const body = `${field}1a${(inner.length / 2).toString(16).padStart(2, '0')}${inner}${field}`;
    expect(parse([ofBody(body)])).toEqual([{ channelId: 0x20, final: true, data: '6869' }]);
    expect(parse([ofBody(`0a${(field.replaceAll(' ', '').length / 2).toString(16).padStart(2, '0')}${field}`)])).toEqual(['ping']);
  });

  test.each([
    ['256', '088002'],
    ['1025, which is 1 in eight bits', '088108'],
    ['-1', '08ffffffffffffffffff01'],
    ['2^31', '088080808008'],
    ['2^32 + 0x20, which is 0x20 in 32 bits', '08a080808010'],
  ])('refuses channel %s', (_, channel) => {
    const inner = `${channel}1001`;
    expect(parse([ofBody(`1a${(inner.length / 2).toString(16).padStart(2, '0')}${inner}`)])).toEqual(['ERR_CHANNEL_UNKNOWN']);
  });

  test('lets the last of several members win, whole, as Go does', () => {
    expect(parse([ofBody('0a00 1200')])).toEqual(['pong']);
    expect(parse([ofBody('1a02 0820 0a00')])).toEqual(['ping']);
    expect(parse([ofBody('0a00 1a06 0820 1a02 6869')])).toEqual([{ channelId: 0x20, final: false, data: '6869' }]);
    // A second message replaces the first, it is not merged into it.
    expect(parse([ofBody('1a06 0820 1a02 6869 1a02 1001')])).toEqual([{ channelId: 0, final: true, data: '' }]);
    // A bad channel in a member that does not count harms nothing.
    expect(parse([ofBody('1a03 088002 0a00')])).toEqual(['ping']);
  });

  test('lets the last of repeated fields win', () => {
    expect(parse([ofBody('1a0f 0820 0821 1001 1000 1a0161 1a026869')])).toEqual([{ channelId: 0x21, final: false, data: '6869' }]);
  });

  test('reads fields in any order', () => {
    expect(parse([ofBody('1a08 1a026869 1001 0820')])).toEqual([{ channelId: 0x20, final: true, data: '6869' }]);
  });

  test('meets random bytes with an error of ours or with packets, and agrees with itself in pieces', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      // Closer to packets: random bodies behind a right prefix.
      fc.uint8Array({ minLength: 1, maxLength: 100 }).map((body) => Uint8Array.of(body.length, ...body)),
      fc
        .array(fc.constantFrom(0x0a, 0x12, 0x1a, 0x08, 0x10, 0x00, 0x01, 0x02, 0x04, 0x80, 0xff, 0x23, 0x24), { maxLength: 60 })
        .map((body) => Uint8Array.of(body.length, ...body)),
    );
    fc.assert(
      fc.property(bytes, fc.integer({ min: 1, max: 40 }), (stream, size) => {
        const pieces: Uint8Array[] = [];
        for (let at = 0; at < stream.length; at += size) pieces.push(stream.subarray(at, at + size));
        expect(parse(pieces)).toEqual(parse([stream]));
      }),
      { numRuns: 2_000 },
    );
  });
});
