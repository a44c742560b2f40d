/** The echo message on the wire. */
import { describe, expect, test } from '@jest/globals';
import { decodeMessage, encodeMessage } from '../../proto/codec.ts';
import { echoMessage } from '../../proto/echo.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const raw = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'));

describe('the echo message', () => {
  test.each([
    ['', false, ''],
    ['', true, '1001'],
    ['616263', false, '0a03616263'],
    ['616263', true, '0a036162631001'],
  ])('payload %s with reply %s is %s, a BytesValue with a mark', (payload, reply, wire) => {
    expect(hex(encodeMessage(echoMessage, { payload: raw(payload), reply }))).toBe(wire);
    const decoded = decodeMessage(echoMessage, raw(wire));
    expect([hex(decoded.payload), decoded.reply]).toEqual([payload, reply]);
  });

  test('a payload of more than 127 bytes has a longer length', () => {
    const payload = new Uint8Array(300).fill(7);
    const wire = encodeMessage(echoMessage, { payload, reply: true });
    expect(hex(wire.subarray(0, 3))).toBe('0aac02');
    expect(decodeMessage(echoMessage, wire)).toEqual({ payload, reply: true });
  });

  test('unknown fields are skipped, a false mark is none, the last payload counts', () => {
    const decoded = decodeMessage(echoMessage, raw('0a01611000' + '1a0162' + '2005' + '0a0163'));
    expect([hex(decoded.payload), decoded.reply]).toEqual(['63', false]);
  });

  test.each([['0a05616263'], ['0801'], ['0b'], ['0a']])('%s does not decode', (wire) => {
    expect(() => decodeMessage(echoMessage, raw(wire))).toThrow(expect.objectContaining({ code: 'ERR_MESSAGE_MALFORMED' }));
  });
});
