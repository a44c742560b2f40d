import { describe, expect, test } from '@jest/globals';
import { formatNodeAddress, ipScope, networkGroup, parseNodeAddress } from '../../../proto/address.ts';
import { groupOf, groupOfAddress, hostOf, isCountedHost } from '../../../machines/policy/place.ts';
import { idOf } from '../../support/manager.ts';

const id = idOf('a');

test.each([
  [`mconn://${id}@1.2.3.4:26656`, '1.2.3.4'],
  [`mconn://${id}@[2001:db8::1]:26656/path`, '2001:db8::1'],
  [`mconn://${id}@example.com:26656`, 'example.com'],
  [`mconn://${id}@1.2.3.4`, '1.2.3.4'],
  [`memory:${id}`, ''],
])('the host of %s is %s', (text, host) => {
  const address = parseNodeAddress(text);
  expect(hostOf(formatNodeAddress(address))).toBe(host);
  expect(address.host).toBe(host);
});

describe('the network that has a share', () => {
  test('is that of the address scheme for every kind of host', () => {
    const octets = Array.from({ length: 256 }, (_, n) => n);
    const hosts = octets.flatMap((a) => [`${a}.0.0.1`, `${a}.51.100.7`, `${a}.168.3.4`, `${a}.64.0.9`, `${a}.254.1.1`]);
    for (const host of [...hosts, '2600::1', 'fd00::1', 'fe80::1', '::1', 'example.com', '']) {
      const isPublic = ipScope(host) === 'public';
      expect([host, groupOf(host, false), isCountedHost(host, false)]).toEqual([
        host,
        isPublic ? networkGroup(host, 'group') : '',
        isPublic,
      ]);
    }
  });

  test('is that of its host for every form of an address', () => {
    const texts = [
      '1.2.3.4:26656',
      '1.2.3.4',
      '1.2.3.4:1/path',
      '1.2.3.4/path',
      '10.2.3.4:1',
      '[2600::1]:26656',
      'example.com:1',
      '127.0.0.1:1',
    ];
    for (const text of [...texts, '1.2.3.4.5:1', '1.999.3.4:1', '1.02.3.4:1', '1.2.3:1', '1.2.3.4?query'].map(
      (rest) => `mconn://${id}@${rest}`,
    ))
      for (const loopbackIsPublic of [false, true])
        expect([text, groupOfAddress(text, loopbackIsPublic)]).toEqual([text, groupOf(hostOf(text), loopbackIsPublic)]);
    expect([groupOfAddress(`mconn://${id}@1.2.3.4:26656`, false), groupOfAddress(`memory:${id}`, false)]).toEqual(['1.2.0.0/16', '']);
    expect([groupOf('1.999.3.4', false), groupOf('1.02.3.4', false), groupOf('1.2.3.4.5', false)]).toEqual(['', '', '']);
  });

  test('of loopback is none, unless loopback counts as public', () => {
    expect([groupOf('127.0.0.1', false), groupOf('127.0.0.1', true)]).toEqual(['', '127.0.0.0/16']);
    expect([isCountedHost('127.0.0.1', false), isCountedHost('127.0.0.1', true)]).toEqual([false, true]);
    expect(groupOf('10.0.0.1', true)).toBe('');
  });
});
