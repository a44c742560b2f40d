import { describe, expect, test } from '@jest/globals';
import { formatNodeAddress, parseNodeAddress, type NodeAddress } from '../../../proto/address.ts';
import { blankRow, type AddressRow, type PeerRow } from '../../../machines/peer-row.ts';
import { isBelievable, isOwnHost, withAddress, type Source } from '../../../machines/policy/intake.ts';
import { idOf } from '../../support/manager.ts';

const id = idOf('a');
const teller = `gossip:${idOf('b')}` as Source;
const at = (host: string): NodeAddress => parseNodeAddress(`mconn://${id}@${host}`);
const known = (host: string, changes: Partial<AddressRow> = {}): AddressRow => ({
  address: formatNodeAddress(at(host)),
  lastSuccess: 0,
  lastFailure: 0,
  failures: 0,
  notBefore: 0,
  source: 'host',
  ...changes,
});
const rowOf = (...addresses: readonly AddressRow[]): PeerRow => ({ ...blankRow(id), addresses });
const hostsAfter = (row: PeerRow, host: string, source: Source, limit = 4): readonly string[] | undefined =>
  withAddress(row, at(host), source, limit)?.addresses.map((each) => parseNodeAddress(each.address).host);

describe('what is kept of a peer', () => {
  test('a first address', () => {
    expect(hostsAfter(rowOf(), '1.1.1.1:1', teller)).toEqual(['1.1.1.1']);
  });

  test('nothing new when the address is known', () => {
    expect(withAddress(rowOf(known('1.1.1.1:1')), at('1.1.1.1:1'), teller, 4)).toBeUndefined();
    expect(withAddress(rowOf(known('1.1.1.1:1', { source: teller })), at('1.1.1.1:1'), teller, 4)).toBeUndefined();
  });

  test('a verified address, whatever gossip says, and beside it one that gossip gave', () => {
    const verified = rowOf(known('1.1.1.1:1', { lastSuccess: 5, source: teller }));
    const once = withAddress(verified, at('2.2.2.2:1'), teller, 4)!;
    expect(hostsAfter(verified, '2.2.2.2:1', teller)).toEqual(['1.1.1.1', '2.2.2.2']);
    expect(hostsAfter(once, '3.3.3.3:1', teller)).toBeUndefined();
  });

  test('the first hearsay, until it has failed', () => {
    expect(hostsAfter(rowOf(known('1.1.1.1:1', { source: teller })), '2.2.2.2:1', teller)).toBeUndefined();
    expect(hostsAfter(rowOf(known('1.1.1.1:1', { source: teller, failures: 1 })), '2.2.2.2:1', teller)).toEqual(['2.2.2.2']);
  });

  test('what the peer says of itself, in place of hearsay and of what it said before, not of what was verified', () => {
    expect(hostsAfter(rowOf(known('1.1.1.1:1', { source: teller })), '2.2.2.2:1', 'self')).toEqual(['2.2.2.2']);
    expect(hostsAfter(rowOf(known('1.1.1.1:1', { source: 'self' })), '2.2.2.2:1', 'self')).toEqual(['2.2.2.2']);
    expect(hostsAfter(rowOf(known('1.1.1.1:1', { source: 'self', lastSuccess: 1 })), '2.2.2.2:1', 'self')).toEqual(['1.1.1.1', '2.2.2.2']);
  });

  test('hearsay that the peer confirms becomes its own word', () => {
    const row = withAddress(rowOf(known('1.1.1.1:1', { source: teller })), at('1.1.1.1:1'), 'self', 4);
    expect(row?.addresses).toEqual([known('1.1.1.1:1', { source: 'self' })]);
  });

  test('no more addresses than allowed; the operator takes the place of the worst', () => {
    const full = rowOf(known('1.1.1.1:1', { lastSuccess: 9 }), known('2.2.2.2:1', { lastSuccess: 3, failures: 2 }));
    expect(hostsAfter(full, '3.3.3.3:1', teller, 2)).toBeUndefined();
    expect(hostsAfter(full, '3.3.3.3:1', 'self', 2)).toBeUndefined();
    expect(hostsAfter(full, '3.3.3.3:1', 'operator', 2)).toEqual(['1.1.1.1', '3.3.3.3']);
  });

  test('ten thousand addresses of one peer leave one', () => {
    let row = rowOf();
    for (let n = 0; n < 10_000; n++) row = withAddress(row, at(`9.9.${n >> 8}.${n & 255}:1`), teller, 4) ?? row;
    expect(row.addresses).toHaveLength(1);
  });
});

describe('gossip is believed only if its teller could use it', () => {
  test.each<[string, string, boolean]>([
    ['8.8.8.8:26656', '1.2.3.4', true],
    ['8.8.8.8:26656', '', true],
    ['8.8.8.8', '1.2.3.4', false],
    ['10.0.0.1:26656', '1.2.3.4', false],
    ['10.0.0.1:26656', '10.0.0.9', true],
    ['127.0.0.1:26656', '10.0.0.9', false],
    ['127.0.0.1:26656', '127.0.0.1', true],
    ['127.0.0.1:26656', '', false],
    ['169.254.1.1:26656', '127.0.0.1', false],
    ['0.0.0.0:26656', '127.0.0.1', false],
    ['224.0.0.1:26656', '1.2.3.4', false],
    ['[::1]:26656', '::1', true],
    ['[fe80::1]:26656', '::1', false],
    ['[2600::1]:26656', '1.2.3.4', true],
    ['example.com:26656', '1.2.3.4', false],
    ['localhost:26656', '127.0.0.1', false],
    ['8.8.8.8:26656/path', '1.2.3.4', false],
  ])('%s from %s: %s', (host, ip, believed) => {
    expect(isBelievable(at(host), ip)).toBe(believed);
  });

  test('an address without a host only from a remote without an IP', () => {
    const bare = parseNodeAddress(`memory:${id}`);
    expect([isBelievable(bare, ''), isBelievable(bare, '1.2.3.4')]).toEqual([true, false]);
  });
});

test('a host is the own one of a remote that connected from it', () => {
  expect(isOwnHost(at('1.2.3.4:1'), '::ffff:1.2.3.4')).toBe(true);
  expect(isOwnHost(at('1.2.3.5:1'), '1.2.3.4')).toBe(false);
  expect(isOwnHost(at('example.com:1'), '1.2.3.4')).toBe(false);
});
