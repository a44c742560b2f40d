import { expect, test } from '@jest/globals';
import { formatNodeAddress, parseNodeAddress } from '../../../proto/address.ts';
import { blankRow, type AddressRow, type PeerRow } from '../../../machines/peer-row.ts';
import { sample } from '../../../machines/policy/advertise.ts';
import { idOf } from '../../support/manager.ts';
import { seededRandom } from '../../support/random.ts';

const now = 1_700_000_000_000;
const rowOf = (digit: string, hosts: readonly string[], address: Partial<AddressRow> = {}, changes: Partial<PeerRow> = {}): PeerRow => ({
  ...blankRow(idOf(digit)),
  addresses: hosts.map((host) => ({
    address: formatNodeAddress(parseNodeAddress(host === '' ? `memory:${idOf(digit)}` : `mconn://${idOf(digit)}@${host}`)),
    lastSuccess: 1,
    lastFailure: 0,
    failures: 0,
    notBefore: 0,
    source: 'host',
    ...address,
  })),
  ...changes,
});
const told = (rows: readonly PeerRow[], facts: Partial<Parameters<typeof sample>[1]> & { ip?: string; by?: string } = {}): string =>
  sample(
    rows,
    { asker: { id: idOf(facts.by ?? 'f'), ip: facts.ip ?? '8.8.8.8' }, limit: 100, privateIds: new Set(), now, ...facts },
    seededRandom(7),
  )
    .map((address) => address.nodeId[0])
    .join('');
const sorted = (text: string): string => Array.from(text).sort().join('');

test('only addresses that were reached, or that a peer said of itself, are told', () => {
  const rows = [
    rowOf('a', ['1.1.1.1:1']),
    rowOf('b', ['1.1.1.2:1'], { lastSuccess: 0 }),
    rowOf('c', ['1.1.1.3:1'], { lastSuccess: 0, source: 'self' }),
  ];
  expect(sorted(told(rows))).toBe('ac');
  expect(told([])).toBe('');
});

test("never the asker's own, a private peer's or a banned one's", () => {
  const rows = [rowOf('a', ['1.1.1.1:1', '1.1.1.9:1']), rowOf('b', ['1.1.1.2:1']), rowOf('c', ['1.1.1.3:1'], {}, { bannedUntil: now + 1 })];
  expect(sorted(told(rows))).toBe('aab');
  expect(told(rows, { by: 'a' })).toBe('b');
  expect(told(rows, { by: 'a', privateIds: new Set([idOf('b')]) })).toBe('');
});

test('only what the asker can reach', () => {
  const rows = [
    rowOf('a', ['1.1.1.1:1']),
    rowOf('b', ['10.0.0.1:1']),
    rowOf('c', ['127.0.0.1:1']),
    rowOf('d', ['']),
    rowOf('e', ['name.example:1']),
  ];
  expect(sorted(told(rows, { ip: '8.8.8.8' }))).toBe('a');
  expect(sorted(told(rows, { ip: '10.9.9.9' }))).toBe('ab');
  expect(sorted(told(rows, { ip: '127.0.0.1' }))).toBe('abc');
  expect(sorted(told(rows, { ip: '' }))).toBe('ad');
});

test('our own address comes first and counts towards the limit', () => {
  const rows = [rowOf('a', ['1.1.1.1:1']), rowOf('b', ['1.1.1.2:1'])];
  const own = parseNodeAddress(`mconn://${idOf('0')}@9.9.9.9:1`);
  expect(['', '0', '0a', '0b']).toEqual(expect.arrayContaining([0, 1, 2].map((limit) => told(rows, { own, limit }))));
  expect(told(rows, { own, limit: 0 })).toBe('');
  expect(told(rows, { own, limit: 1 })).toBe('0');
  expect(told(rows, { own, limit: 2 })).toHaveLength(2);
  expect(sorted(told(rows, { own, limit: 3 }))).toBe('0ab');
  expect(told([], { own })).toBe('0');
});

test('our own address is not told to those who cannot reach it', () => {
  const own = parseNodeAddress(`mconn://${idOf('0')}@127.0.0.1:1`);
  expect(told([], { own, ip: '8.8.8.8' })).toBe('');
  expect(told([], { own, ip: '127.0.0.1' })).toBe('0');
});

test('better scores are told more often, and nothing twice', () => {
  const rows = [
    rowOf('a', ['1.1.1.1:1'], {}, { score: 100, scoreEpoch: 1e6 }),
    rowOf('b', ['1.1.1.2:1'], {}, { score: -49, scoreEpoch: 1e6 }),
  ];
  const random = seededRandom(3);
  let best = 0;
  for (let n = 0; n < 300; n++) {
    const [first] = sample(rows, { asker: { id: idOf('f'), ip: '8.8.8.8' }, limit: 1, privateIds: new Set(), now }, random);
    if (first!.nodeId === rows[0]!.id) best += 1;
  }
  expect(best).toBeGreaterThan(200);
  expect(best).toBeLessThan(300);
});
