import { expect, test } from '@jest/globals';
import { isDirectHost, isLoopback, monitorAddress, monitorUrl } from '../../../actors/monitor/address.ts';

test.each([
  ['127.0.0.1:26680', { host: '127.0.0.1', port: 26_680 }],
  ['localhost:0', { host: 'localhost', port: 0 }],
  ['[::1]:1', { host: '::1', port: 1 }],
  ['node.example:65535', { host: 'node.example', port: 65_535 }],
  ['off', undefined],
])('%s is read as %p', (text, address) => {
  expect(monitorAddress(text)).toEqual(address);
});

test.each(['', 'on', '127.0.0.1', ':1', '127.0.0.1:', '127.0.0.1:65536', '::1:1', '[127.0.0.1]:1', 'http://x:1', 'a b:1', '127.0.0.1:1\n'])(
  '%p is refused',
  (text) => {
    expect(() => monitorAddress(text)).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID' }));
  },
);

test.each([
  ['127.0.0.1', true],
  ['127.9.9.9', true],
  ['::1', true],
  ['localhost', true],
  ['0.0.0.0', false],
  ['::', false],
  ['10.0.0.1', false],
  ['node.example', false],
])('that only this machine reaches %s is %p', (host, expected) => {
  expect(isLoopback(host)).toBe(expected);
});

test.each([
  ['127.0.0.1:26680', true],
  ['10.0.0.1', true],
  ['[::1]:26680', true],
  ['LOCALHOST:1', true],
  ['evil.example', false],
  ['localhost.evil.example:1', false],
  ['127.0.0.1.nip.io:26680', false],
  ['', false],
  [undefined, false],
  ['::1', false],
])('that the Host header %p names an address is %p', (header, expected) => {
  expect(isDirectHost(header)).toBe(expected);
});

test('the URL of a server that listens on every address is one a client can use', () => {
  expect(monitorUrl({ host: '0.0.0.0', port: 1 })).toBe('http://127.0.0.1:1');
  expect(monitorUrl({ host: '::', port: 1 })).toBe('http://[::1]:1');
  expect(monitorUrl({ host: '10.0.0.1', port: 1 })).toBe('http://10.0.0.1:1');
});
