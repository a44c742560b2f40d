/** Endpoints as text, and what makes one valid. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { formatEndpoint, parseEndpoint, validateEndpoint, type Endpoint } from '../../proto/endpoint.ts';
import { TroupeError } from '../../proto/errors.ts';

const endpoint = (partial: Partial<Endpoint>): Endpoint => ({ protocol: '', ip: '', port: 0, path: '', ...partial });
const codeOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof TroupeError) return error.code;
    throw error;
  }
  return 'none';
};

describe('the text of an endpoint', () => {
  test.each<[string, Partial<Endpoint>, string?]>([
    ['mconn://0.0.0.0:26656', { protocol: 'mconn', ip: '0.0.0.0', port: 26_656 }],
    ['mconn://127.0.0.1:0', { protocol: 'mconn', ip: '127.0.0.1', port: 0 }],
    ['mconn://127.0.0.1', { protocol: 'mconn', ip: '127.0.0.1', port: 26_656 }, 'mconn://127.0.0.1:26656'],
    ['mconn://127.0.0.1:', { protocol: 'mconn', ip: '127.0.0.1', port: 26_656 }, 'mconn://127.0.0.1:26656'],
    ['TCP://[::1]:8080', { protocol: 'tcp', ip: '::1', port: 8080 }, 'tcp://[::1]:8080'],
    ['tcp://[::]', { protocol: 'tcp', ip: '::', port: 26_656 }, 'tcp://[::]:26656'],
    ['tcp://[::ffff:1.2.3.4]:8080', { protocol: 'tcp', ip: '1.2.3.4', port: 8080 }, 'tcp://1.2.3.4:8080'],
    ['tcp://1.2.3.4:8080/path', { protocol: 'tcp', ip: '1.2.3.4', port: 8080, path: '/path' }],
    ['tcp://1.2.3.4:8080/path/%F0%9F%91%8B', { protocol: 'tcp', ip: '1.2.3.4', port: 8080, path: '/path/👋' }],
    ['tcp://[b10c::1]:8080/path', { protocol: 'tcp', ip: 'b10c::1', port: 8080, path: '/path' }],
    ['memory:00112233445566778899aabbccddeeff00112233', { protocol: 'memory', path: '00112233445566778899aabbccddeeff00112233' }],
    ['file:///foo', { protocol: 'file', path: '/foo' }],
    ['file:///%F0%9F%91%8B', { protocol: 'file', path: '/👋' }],
  ])('%s is read and comes back', (text, partial, printed = text) => {
    expect(parseEndpoint(text)).toEqual(endpoint(partial));
    expect(formatEndpoint(parseEndpoint(text))).toBe(printed);
    expect(parseEndpoint(printed)).toEqual(endpoint(partial));
  });

  test.each([
    '',
    'tcp:',
    'tcp://',
    '1.2.3.4',
    '1.2.3.4:80',
    '[::1]:80',
    'mconn://localhost:80',
    'mconn://host',
    'mconn://id@1.2.3.4:80',
    'mconn://1.2.3.4:65536',
    'mconn://1.2.3.4:x',
    'mconn://::1:80',
    'mconn://[1.2.3.4]:80',
    'mconn://[::1',
    'mconn://[fe80::1%eth0]:80',
    'mconn://:80',
    '://1.2.3.4:80',
    '1://1.2.3.4:80',
    ' mconn://1.2.3.4:80',
    'mconn://1.2.3.4:80/%zz',
    'memory:%zz',
    `memory:${'x'.repeat(250)}`,
  ])('%j is refused', (text) => {
    expect(codeOf(() => parseEndpoint(text))).toBe('ERR_ENDPOINT_INVALID');
  });

  test.each<[Partial<Endpoint>, string]>([
    [{}, ''],
    [{ protocol: 'tcp' }, 'tcp:'],
    [{ ip: '1.2.3.4', port: 1 }, '1.2.3.4:1'],
    [{ ip: 'b10c::1', port: 1 }, '[b10c::1]:1'],
    [{ port: 8080 }, ''],
    [{ path: 'foo' }, '/foo'],
    [{ protocol: 'tcp', ip: '1.2.3.4', port: 1, path: 'path/👋' }, 'tcp://1.2.3.4:1/path/%F0%9F%91%8B'],
  ])('of the partial endpoint %j is %j', (partial, text) => {
    expect(formatEndpoint(endpoint(partial))).toBe(text);
  });

  test('is bounded in what an error quotes of it', () => {
    expect(() => parseEndpoint('x'.repeat(10_000))).toThrow(/^.{0,180}$/);
  });
});

describe('an endpoint', () => {
  test.each<Partial<Endpoint>>([
    { protocol: 'tcp', ip: '1.2.3.4' },
    { protocol: 'tcp', ip: '::1' },
    { protocol: 'tcp', ip: '1.2.3.4', port: 8080 },
    { protocol: 'tcp', ip: '1.2.3.4', port: 8080, path: '/path' },
    { protocol: 'memory', path: 'foo' },
  ])('%j is valid', (partial) => {
    const value = endpoint(partial);
    expect(validateEndpoint(value)).toBe(value);
  });

  test('with IPv4 inside IPv6 is valid and equals its IPv4 form', () => {
    const inside = validateEndpoint(endpoint({ protocol: 'tcp', ip: '::ffff:1.2.3.4', port: 1 }));
    expect(inside).toEqual(endpoint({ protocol: 'tcp', ip: '1.2.3.4', port: 1 }));
  });

  test.each<Partial<Endpoint>>([
    {},
    { ip: '1.2.3.4' },
    { protocol: 'tcp' },
    { protocol: 'TCP', ip: '1.2.3.4' },
    { protocol: 'tcp', ip: '1.2.3' },
    { protocol: 'tcp', ip: 'localhost' },
    { protocol: 'tcp', port: 8080, path: '/path' },
    { protocol: 'tcp', ip: '1.2.3.4', port: 65_536 },
    { protocol: 'tcp', ip: '1.2.3.4', port: -1 },
    { protocol: 'tcp', ip: '1.2.3.4', port: NaN },
  ])('%j is not valid', (partial) => {
    expect(codeOf(() => validateEndpoint(endpoint(partial)))).toBe('ERR_ENDPOINT_INVALID');
  });

  test('that was read comes back from its text form', () => {
    const texts = fc
      .tuple(
        fc.constantFrom('mconn', 'tcp'),
        fc.oneof(
          fc.ipV4(),
          fc.ipV6().map((ip) => `[${ip}]`),
        ),
        fc.nat(65_535),
        fc.webPath(),
      )
      .map(([scheme, ip, port, path]) => `${scheme}://${ip}:${port}${path}`);
    fc.assert(
      fc.property(texts, (text) => {
        fc.pre(codeOf(() => parseEndpoint(text)) === 'none');
        const value = parseEndpoint(text);
        expect(parseEndpoint(formatEndpoint(value))).toEqual(value);
      }),
      { seed: 62, numRuns: 500 },
    );
  });
});
