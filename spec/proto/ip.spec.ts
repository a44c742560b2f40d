/** IP literals: what is one, its one text, and the network it belongs to. */
import { describe, expect, test } from '@jest/globals';
import { ipFromText, ipScope, ipv4At, networkGroup, normalizeIp } from '../../proto/ip.ts';

describe('an IP literal', () => {
  test.each([
    ['1.2.3.4', '1.2.3.4'],
    ['0.0.0.0', '0.0.0.0'],
    ['255.255.255.255', '255.255.255.255'],
    ['::', '::'],
    ['::1', '::1'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['FD80:B10C::2', 'fd80:b10c::2'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['::ffff:1.2.3.4', '1.2.3.4'],
    ['::FFFF:102:304', '1.2.3.4'],
    ['0:0:0:0:0:ffff:1.2.3.4', '1.2.3.4'],
    ['64:ff9b::1.2.3.4', '64:ff9b::102:304'],
  ])('%s has the text %s', (text, canonical) => {
    expect(ipFromText(text)).toBe(canonical);
    expect(normalizeIp(text)).toBe(canonical);
    expect(ipFromText(canonical)).toBe(canonical);
  });

  test.each([
    '',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.256',
    '01.2.3.4',
    '1.2.3.4 ',
    ' 1.2.3.4',
    '0x1.2.3.4',
    '127.1',
    '2130706433',
    '0x7f000001',
    '[::1]',
    '::1]',
    'fe80::1%eth0',
    'fe80::1%1',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '12345::',
    'g::1',
    '::1.2.3',
    '::1.2.3.04',
    '::ffff:1.2.3.256',
    'localhost',
    '1.2.3.4:80',
    '::1/64',
    '१.२.३.४',
    'a'.repeat(10_000),
    ':'.repeat(10_000),
  ])('%j is none', (text) => {
    expect(ipFromText(text)).toBeUndefined();
    expect(normalizeIp(text)).toBe(text);
    expect(ipScope(text)).toBe('unusable');
    expect(networkGroup(text, 'net')).toBe('');
  });
});

describe('the scope', () => {
  test.each([
    ['8.8.8.8', 'public'],
    ['1.0.0.1', 'public'],
    ['::ffff:8.8.8.8', 'public'],
    ['2001:4860:4860::8888', 'public'],
    ['2a00:1450::1', 'public'],
    ['10.0.0.1', 'private'],
    ['172.16.0.1', 'private'],
    ['172.31.255.255', 'private'],
    ['172.32.0.1', 'public'],
    ['192.168.1.1', 'private'],
    ['::ffff:192.168.1.1', 'private'],
    ['100.64.0.1', 'private'],
    ['fd00::1', 'private'],
    ['fc00::1', 'private'],
    ['127.0.0.1', 'loopback'],
    ['127.255.0.1', 'loopback'],
    ['::1', 'loopback'],
    ['::ffff:127.0.0.1', 'loopback'],
    ['169.254.1.1', 'linkLocal'],
    ['fe80::1', 'linkLocal'],
    ['0.0.0.0', 'unusable'],
    ['0.1.2.3', 'unusable'],
    ['::', 'unusable'],
    ['255.255.255.255', 'unusable'],
    ['224.0.0.1', 'unusable'],
    ['240.0.0.1', 'unusable'],
    ['192.0.2.1', 'unusable'],
    ['198.51.100.1', 'unusable'],
    ['203.0.113.1', 'unusable'],
    ['198.18.0.1', 'unusable'],
    ['192.0.0.1', 'unusable'],
    ['2001:db8::1', 'unusable'],
    ['3fff::1', 'unusable'],
    ['ff02::1', 'unusable'],
    ['2001:10::1', 'unusable'],
    ['2001:20::1', 'unusable'],
    ['2001::1', 'unusable'],
    ['2002:7f00:1::', 'unusable'],
    ['64:ff9b::7f00:1', 'unusable'],
    ['::7f00:1', 'unusable'],
    ['fec0::1', 'unusable'],
    ['100::1', 'unusable'],
    ['4000::1', 'unusable'],
  ])('of %s is %s', (ip, scope) => {
    expect(ipScope(ip)).toBe(scope);
  });
});

describe('the network', () => {
  test.each([
    ['1.2.3.4', '1.2.3.0/24', '1.2.0.0/16'],
    ['::ffff:1.2.3.4', '1.2.3.0/24', '1.2.0.0/16'],
    ['255.255.255.255', '255.255.255.0/24', '255.255.0.0/16'],
    ['2001:db8:1:2345:6:7:8:9', '2001:db8:1:2300::/56', '2001:db8::/32'],
    ['2001:db8:1:23ff::', '2001:db8:1:2300::/56', '2001:db8::/32'],
    ['::1', '::/56', '::/32'],
  ])('of %s is %s, its group %s', (ip, net, group) => {
    expect(networkGroup(ip, 'net')).toBe(net);
    expect(networkGroup(ip, 'group')).toBe(group);
  });

  test.each([
    ['1.2.3.4', '1.2.3.4/32'],
    ['::ffff:1.2.3.4', '1.2.3.4/32'],
    ['2001:db8:1:2345:6:7:8:9', '2001:db8:1:2345::/64'],
  ])('of the one host that has %s is %s', (ip, host) => {
    expect(networkGroup(ip, 'host')).toBe(host);
  });

  test('tells neighbours apart at its edge', () => {
    expect(networkGroup('2001:db8:1:2300::1', 'net')).not.toBe(networkGroup('2001:db8:1:2400::1', 'net'));
    expect(networkGroup('1.2.3.255', 'net')).not.toBe(networkGroup('1.2.4.0', 'net'));
  });
});

test.each([
  ['0.0.0.0', 0],
  ['1.2.3.4', 0x01_02_03_04],
  ['255.255.255.255', 2 ** 32 - 1],
  ['256.0.0.1', -1],
  ['1.2.3', -1],
  ['1.2.3.', -1],
  ['.1.2.3', -1],
  ['1..2.3', -1],
  ['1.2.3.4.5', -1],
  ['01.2.3.4', -1],
  ['1.00.3.4', -1],
  ['1.2.3.4x', -1],
  ['1.2.3.-4', -1],
  ['1.2.3./4', -1],
  ['', -1],
])('%s is the IPv4 address %i wherever it stands in a text', (text, ip) => {
  expect([ipv4At(text, 0, text.length), ipv4At(`9${text}9`, 1, text.length + 1)]).toEqual([ip, ip]);
});
