/** The wire reader: what is a message, and that it sees what protobufjs sees. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import protobuf from 'protobufjs/minimal.js';
import { TroupeError } from '../../proto/errors.ts';
import { FieldCursor, FieldWriter, scanMessage } from '../../proto/wire.ts';

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));
const codeOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof TroupeError) return error.code;
    throw error;
  }
  return 'none';
};

test('fields are walked in the order of their bytes', () => {
  const message = new FieldWriter().uint64(1, 300n).delimited(16, Uint8Array.of(1, 2)).text(3, 'é').finish();
  const cursor = new FieldCursor(message);
  expect(cursor.next() && cursor.is(1, 0) && cursor.uint64()).toBe(300n);
  expect(cursor.next() && cursor.is(16, 2) && Array.from(cursor.bytes())).toEqual([1, 2]);
  expect(cursor.next() && cursor.is(3, 2) && cursor.text()).toBe('é');
  expect(cursor.next()).toBe(false);
});

test('fields of 32 and 64 bits are stepped over', () => {
  const cursor = new FieldCursor(bytes('0d01020304110102030405060708'));
  expect(cursor.next() && cursor.is(1, 5)).toBe(true);
  expect(cursor.next() && cursor.is(2, 1)).toBe(true);
  expect(cursor.end).toBe(14);
  expect(cursor.next()).toBe(false);
});

test('a field with another wire type than asked for is malformed', () => {
  const cursor = new FieldCursor(bytes('0801'));
  cursor.next();
  expect(codeOf(() => cursor.is(1, 2))).toBe('ERR_MESSAGE_MALFORMED');
  expect(cursor.is(2, 2)).toBe(false);
});

test.each([
  ['the empty message', ''],
  ['the largest varint', '08ffffffffffffffffff01'],
  ['a varint longer than it needs', '08808000'],
  ['the largest field number', 'f8ffffff0f01'],
])('%s is a message', (_, hex) => {
  expect(codeOf(() => scanMessage(bytes(hex)))).toBe('none');
});

test.each([
  ['field number 0', '0001'],
  ['field number 0 by a long tag', '8000'],
  ['the beginning of a group', '0b'],
  ['a whole group', '0b0c'],
  ['the end of a group', '0c'],
  ['wire type 6', '0e'],
  ['wire type 7', '0f'],
  ['a tag cut short', '80'],
  ['a tag above 32 bits', '888080801001'],
  ['a tag of six bytes', '88808080800001'],
  ['a varint cut short', '08ff'],
  ['a varint above 64 bits', '08ffffffffffffffffff02'],
  ['a varint of eleven bytes', '08ffffffffffffffffffff01'],
  ['a length cut short', '0a80'],
  ['a length beyond the end', '0a02ff'],
  ['a length of 4 GiB', '0affffffff0f'],
  ['a length above 32 bits', '0affffffff1f'],
  ['32 bits cut short', '0d010203'],
  ['64 bits cut short', '0901020304050607'],
])('%s is malformed', (_, hex) => {
  expect(codeOf(() => scanMessage(bytes(hex)))).toBe('ERR_MESSAGE_MALFORMED');
});

describe('text', () => {
  test.each(['0a02c328', '0a03eda080', '0a01ff', '0a04f4908080'])('%s is refused', (hex) => {
    const cursor = new FieldCursor(bytes(hex));
    cursor.next();
    expect(codeOf(() => cursor.text())).toBe('ERR_MESSAGE_MALFORMED');
  });

  test('keeps a byte order mark', () => {
    const cursor = new FieldCursor(bytes('0a04efbbbf41'));
    cursor.next();
    expect(cursor.text()).toBe('\ufeffA');
  });
});

/** What protobufjs sees, or nothing when it fails. */
function fieldsOfReader(message: Uint8Array): unknown[] | undefined {
  try {
    const reader = protobuf.Reader.create(message);
    const fields: unknown[] = [];
    while (reader.pos < reader.len) {
      const tag = reader.tag();
      const start = reader.pos;
      reader.skipType(tag & 7, 0, tag >>> 3);
      fields.push([tag >>> 3, tag & 7, reader.pos - start]);
    }
    return fields;
  } catch {
    return undefined;
  }
}

test('every message that passes the scan is read by protobufjs with the same fields', () => {
  const hostile = fc
    .array(fc.constantFrom(0x08, 0x0a, 0x00, 0x01, 0x02, 0x7f, 0x80, 0xff, 0x0b, 0x0c, 0x0d, 0x09), { maxLength: 24 })
    .map((list) => Uint8Array.from(list));
  let accepted = 0;
  fc.assert(
    fc.property(fc.oneof(hostile, fc.uint8Array({ maxLength: 24 })), (message) => {
      const seen: unknown[] = [];
      const code = codeOf(() => {
        const cursor = new FieldCursor(message);
        let before = 0;
        while (cursor.next()) {
          // Behind the tag, whose length is what the field number needs or more, protobufjs counts a length prefix too.
          let tagLength = 1;
          while (message[before + tagLength - 1]! >= 128) tagLength++;
          seen.push([cursor.number, cursor.wire, cursor.end - before - tagLength]);
          before = cursor.end;
        }
      });
      if (code === 'none') {
        accepted++;
        expect(fieldsOfReader(message)).toEqual(seen);
      } else expect(code).toBe('ERR_MESSAGE_MALFORMED');
    }),
    { seed: 62, numRuns: 20_000 },
  );
  expect(accepted).toBeGreaterThan(500);
});
