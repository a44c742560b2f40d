import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { GoodTexts, checksumOf, decodeRow, encodeRow, maxRowBytes } from '../../../actors/stores/row-codec.ts';
import { formatNodeAddress, parseNodeAddress } from '../../../proto/address.ts';
import { rowShapes } from '../../../machines/peer-row.ts';
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

test('a row is read into the shape in which a zero takes no memory of its own', () => {
  const read = written(() => undefined)!;
  expect(Object.keys(read)).toEqual(Object.keys(rowShapes.row));
  expect(Object.keys(read.addresses[0]!)).toEqual(Object.keys(rowShapes.address));
});

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
    ['with an address twice', (value) => (value['addresses'] = [row.addresses[0], row.addresses[0]])],
    ['with a time beyond the last date', (value) => (value['lastDisconnected'] = 8_640_000_000_000_001)],
    ['with an epoch beyond the last date', (value) => (value['scoreEpoch'] = 400_000_001)],
    ['with a negative epoch', (value) => (value['scoreEpoch'] = -1)],
    ['with a time that is no number', (value) => (value['bannedUntil'] = null)],
    ['with a reason that rings', (value) => (value['lastReason'] = 'a\u0007')],
    ['with a report that rings', (value) => (value['reports'] = [{ ...row.reports[0], reason: '\u009b' }])],
    ['with a reason that is no text', (value) => (value['lastReason'] = 7)],
    ['with a source that is no text', address({ source: ['host'] })],
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

/** The address as it is read, or undefined. */
const read = (text: string): string | undefined => written(address({ address: text }))?.addresses[0]?.address;
const parsed = (text: string): string | undefined => {
  try {
    const result = parseNodeAddress(text);
    return result.nodeId === row.id ? formatNodeAddress(result) : undefined;
  } catch {
    return undefined;
  }
};

test('an address is read as the parser of addresses reads it, whatever short cut is taken for common ones', () => {
  const part = fc.oneof(fc.nat(255).map(String), fc.constantFrom('256', '01', '', '-1', '1e1', '١'));
  const port = fc.oneof(fc.nat(65_535).map(String), fc.constantFrom('0', '65536', '99999', '026656', '', '+1', '1 '));
  const host = fc.oneof(
    fc.tuple(part, part, part, part).map((parts) => parts.join('.')),
    fc.constantFrom('[2001:db8::1]', '[2001:DB8::0:1]', 'example.com', 'EXAMPLE.com', '127.1', ''),
  );
  fc.assert(
    fc.property(
      fc.constantFrom('mconn://', 'MCONN://', '', 'memory:'),
      host,
      port,
      fc.constantFrom('', '/', '/a b', '\n'),
      (scheme, at, to, path) => {
        const text = `${scheme}${row.id}@${at}:${to}${path}`;
        expect(read(text)).toBe(parsed(text));
      },
    ),
  );
  expect(read(`mconn://${row.id}@1.2.3.4:26656`)).toBe(`mconn://${row.id}@1.2.3.4:26656`);
  expect(read(`mconn://${'b'.repeat(40)}@1.2.3.4:26656`)).toBeUndefined();
});

test('a row written before a field existed is read with nothing in it', () => {
  const { dampedUntil: _, displacedAt: __, anchoredAt: ___, ...older } = JSON.parse(encodeRow(row).text) as Record<string, unknown>;
  const text = JSON.stringify(older);
  expect(decodeRow(row.id, text, checksumOf(row.id, text))).toEqual({ ...row, dampedUntil: 0, displacedAt: 0, anchoredAt: 0 });
});

test('texts found good in one row are found good in the next, and bad ones never', () => {
  const texts = new GoodTexts();
  for (let n = 0; n < 2; n++) {
    expect(texts.source('host')).toBe('host');
    expect(texts.reason('gone')).toBe('gone');
    for (const bad of ['gone', `gossip:${'A'.repeat(40)}`, 7, undefined]) expect(() => texts.source(bad)).toThrow('text');
    for (const bad of ['x'.repeat(81), '\u0000', null]) expect(() => texts.reason(bad)).toThrow('text');
  }
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
