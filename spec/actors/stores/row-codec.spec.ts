import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { checksumOf, decodeRow, encodeRow, maxRowBytes } from '../../../actors/stores/row-codec.ts';
import { rowOf } from '../../contracts/peer-store.ts';

const row = rowOf('a');
/** A row written as it is given, with a good checksum. */
const written = (change: (value: Record<string, unknown>) => void) => {
  const value = JSON.parse(encodeRow(row).text) as Record<string, unknown>;
  change(value);
  const text = JSON.stringify(value);
  return decodeRow(row.id, text, checksumOf(row.id, text));
};
const address = (change: Record<string, unknown>) => (value: Record<string, unknown>) => {
  value['addresses'] = [{ ...row.addresses[0], ...change }];
};

test('a row is read as it was written', () => {
  const { text, checksum } = encodeRow(row);
  expect(decodeRow(row.id, text, checksum)).toEqual(row);
  expect(written(() => undefined)).toEqual(row);
});

describe('a row is refused', () => {
  test.each<[string, (value: Record<string, unknown>) => void]>([
    ['with a negative time', (value) => (value['lastConnected'] = -1)],
    ['with a time beyond whole numbers', (value) => (value['bannedUntil'] = 2 ** 53)],
    ['with a fraction', (value) => (value['score'] = 0.5)],
    ['with a score beyond its range', (value) => (value['score'] = 101)],
    ['with a number as text', (value) => (value['strikes'] = '1')],
    ['without a field', (value) => delete value['scoreEpoch']],
    ['with a list that is none', (value) => (value['addresses'] = {})],
    ['with 65 addresses', (value) => (value['addresses'] = Array.from({ length: 65 }, () => row.addresses[0]))],
    ['with eleven reports', (value) => (value['reports'] = Array.from({ length: 11 }, () => row.reports[0]))],
    ['with an unknown behaviour', (value) => (value['reports'] = [{ ...row.reports[0], behaviour: 'rude' }])],
    ['with a reason that is too long', (value) => (value['lastReason'] = 'x'.repeat(81))],
    ['with an address that is none', address({ address: 'mconn://[1.2.3.4:26656]:26656' })],
    ['with an address of somebody else', address({ address: `mconn://${'b'.repeat(40)}@1.2.3.4:26656` })],
    ['with an unknown source', address({ source: 'rumour' })],
    ['with failures below zero', address({ failures: -1 })],
    ['with an address that is null', (value) => (value['addresses'] = [null])],
  ])('%s', (_, change) => {
    expect(written(change)).toBeUndefined();
  });

  test('under an id of 39 characters, or another id than it was written for', () => {
    const { text } = encodeRow(row);
    const short = row.id.slice(1);
    expect(decodeRow(short, text, checksumOf(short, text))).toBeUndefined();
    expect(decodeRow('b'.repeat(40), text, checksumOf(row.id, text))).toBeUndefined();
  });

  test('when it is no JSON, no object, or too long, whatever its checksum says', () => {
    for (const text of ['', 'null', '[]', '7', '{', 'x'.repeat(maxRowBytes + 1)])
      expect(decodeRow(row.id, text, checksumOf(row.id, text))).toBeUndefined();
  });
});

test('a changed byte anywhere is noticed', () => {
  const { text, checksum } = encodeRow(row);
  fc.assert(
    fc.property(fc.nat(text.length - 1), fc.integer({ min: 1, max: 126 }), (at, by) => {
      const changed = text.slice(0, at) + String.fromCharCode((text.charCodeAt(at) + by) % 127) + text.slice(at + 1);
      expect(decodeRow(row.id, changed, checksum)).toBeUndefined();
    }),
  );
});

test('whatever a damaged file gives, reading never throws', () => {
  fc.assert(
    fc.property(fc.anything(), fc.anything(), fc.anything(), (id, text, checksum) => {
      expect(decodeRow(id, text, checksum)).toBeUndefined();
    }),
  );
  fc.assert(
    fc.property(fc.json(), (text) => {
      expect(decodeRow(row.id, text, checksumOf(row.id, text))).toBeUndefined();
    }),
  );
});
