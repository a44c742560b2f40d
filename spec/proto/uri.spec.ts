/** The pieces of addresses and endpoints, at their edges; their sum is in the specs of both. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { decodePath, encodePath, parseHost, parsePort, parseScheme, splitHostPort, textProblem } from '../../proto/uri.ts';

test.each([
  ['', 0],
  ['0', 0],
  ['00080', 80],
  ['65535', 65_535],
  ['0000000000000000000000065535', 65_535],
  ['65536', undefined],
  ['100000', undefined],
  ['9'.repeat(300), undefined],
  ['1x', undefined],
  [' 1', undefined],
  ['１', undefined],
])('the port %j is %j', (digits, port) => {
  expect(parsePort(digits)).toBe(port);
});

test.each([
  ['MConn', 'mconn'],
  ['a+b-c.1', 'a+b-c.1'],
  ['', undefined],
  ['1a', undefined],
  ['a b', undefined],
  ['é', undefined],
  ['a\n', undefined],
])('the scheme %j is %j', (text, scheme) => {
  expect(parseScheme(text)).toBe(scheme);
});

test.each([
  ['Example.COM', 'example.com'],
  ['a.b.', 'a.b.'],
  ['under_score', 'under_score'],
  ['1and1.com', '1and1.com'],
  ['a'.repeat(63), 'a'.repeat(63)],
  ['a'.repeat(64), undefined],
  [`${'a.'.repeat(126)}a`, `${'a.'.repeat(126)}a`],
  [`${'a.'.repeat(127)}a`, undefined],
  ['1.2.3', undefined],
  ['a.1', undefined],
  ['a.0x', undefined],
  ['a.0xg', 'a.0xg'],
  ['', undefined],
  ['a b', undefined],
])('the host %j is %j', (text, host) => {
  expect(parseHost(text)).toBe(host);
});

test.each([
  ['h', { host: 'h', bracketed: false, port: undefined }],
  ['h:', { host: 'h', bracketed: false, port: '' }],
  ['a:b:1', { host: 'a:b', bracketed: false, port: '1' }],
  ['[::1]', { host: '::1', bracketed: true, port: undefined }],
  ['[::1]:', { host: '::1', bracketed: true, port: '' }],
  ['[::1]:1', { host: '::1', bracketed: true, port: '1' }],
  ['[::1', undefined],
  ['[::1]1', undefined],
])('%j splits into %j', (text, parts) => {
  expect(splitHostPort(text)).toEqual(parts);
});

describe('a path', () => {
  test.each([
    ['', ''],
    ['/a%20b', '/a b'],
    ['a', '/a'],
    ['?a=%3D', '?a=='],
    ['/a?b#c#d', '/a?b#c#d'],
    ['/%2525', '/%25'],
    ['/?', '/?'],
    ['/%00', undefined],
    ['/%7f', undefined],
    ['/%c3%28', undefined],
    ['/%e2%82', undefined],
    ['?%', undefined],
    ['#%4', undefined],
    ['/%EF%BB%BFx', '/\ufeffx'],
  ])('written as %j means %j', (text, path) => {
    expect(decodePath(text)).toBe(path);
  });

  test('comes back from its text whatever is in it', () => {
    const characters = fc.string({
      unit: fc.oneof(
        fc.constantFrom('?', '#', '%', '/', ' ', '\u00e9', '\ufeff'),
        fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 }),
      ),
      maxLength: 20,
    });
    fc.assert(
      fc.property(fc.constantFrom('/', '?', '#'), characters, (first, rest) => {
        const path = first + rest;
        const text = encodePath(path);
        expect(decodePath(text)).toBe(path);
        expect(text).toMatch(/^[\x21-\x7e]*$/);
      }),
      { seed: 62, numRuns: 2_000 },
    );
  });
});

test.each([
  ['', 'empty'],
  ['a b', 'blank, control character or broken text'],
  ['a\u0000', 'blank, control character or broken text'],
  ['\udfff', 'blank, control character or broken text'],
  ['x'.repeat(257), 'longer than 256 bytes'],
  ['é'.repeat(129), 'longer than 256 bytes'],
  ['é'.repeat(128), undefined],
  ['👋', undefined],
])('the text %j is a problem: %j', (text, problem) => {
  expect(textProblem(text)).toBe(problem);
});
