/** Peer exchange messages: both dialects byte for byte, limits, and entries that are no address. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { formatNodeAddress, parseNodeAddress, type NodeAddress } from '../../proto/address.ts';
import { decodeMessage, encodeMessage } from '../../proto/codec.ts';
import { TroupeError } from '../../proto/errors.ts';
import { tendermint } from '../../proto/generated/tendermint.js';
import { maxPexAddresses, maxPexBytes, pexMessage, type PexDialect, type PexMessage } from '../../proto/pex.ts';
import { FieldWriter } from '../../proto/wire.ts';

const vectors = JSON.parse(readFileSync(new URL('../vectors/pex.json', import.meta.url), 'utf8')) as Readonly<{
  requests: Record<PexDialect, string>;
  emptyResponses: Record<PexDialect, string>;
  ipEntry: { id: string; host: string; port: number; encoded: string };
}>;
const id = '00112233445566778899aabbccddeeff00112233';
const dialects: readonly PexDialect[] = ['ip', 'url'];
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));
const encode = (message: PexMessage): Uint8Array => encodeMessage(pexMessage, message);
const decode = (encoded: Uint8Array): PexMessage => decodeMessage(pexMessage, encoded);
const response = (dialect: PexDialect, addresses: readonly string[]): PexMessage => ({
  kind: 'response',
  dialect,
  addresses: addresses.map(parseNodeAddress),
});
const texts = (message: PexMessage): string[] => message.addresses.map(formatNodeAddress);
const codeOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof TroupeError) return error.code;
    throw error;
  }
  return 'none';
};
const proto = tendermint.p2p.PexMessage;

describe.each(dialects)('in the %s dialect', (dialect) => {
  test('a request is two bytes', () => {
    expect(hex(encode({ kind: 'request', dialect, addresses: [] }))).toBe(vectors.requests[dialect]);
    expect(decode(bytes(vectors.requests[dialect]))).toEqual({ kind: 'request', dialect, addresses: [] });
  });

  test('an empty response is two bytes', () => {
    expect(hex(encode(response(dialect, [])))).toBe(vectors.emptyResponses[dialect]);
    expect(decode(bytes(vectors.emptyResponses[dialect]))).toEqual({ kind: 'response', dialect, addresses: [], skipped: 0 });
  });

  test('addresses come back, IPv6 too', () => {
    const list = [`mconn://${id}@1.2.3.4:26656`, `mconn://${id}@[fd80::2]:1`, `mconn://${id}@0.0.0.0:65535`];
    const decoded = decode(encode(response(dialect, list)));
    expect(texts(decoded)).toEqual(list);
    expect(decoded.skipped).toBe(0);
  });

  test('a missing port is written as 26656', () => {
    expect(texts(decode(encode(response(dialect, [`${id}@1.2.3.4`]))))).toEqual([`mconn://${id}@1.2.3.4:26656`]);
  });

  test('250 addresses are read and written, 251 are neither', () => {
    const list = Array.from({ length: 251 }, (_, index) => `mconn://${id}@10.0.0.${index}:26656`);
    expect(decode(encode(response(dialect, list.slice(0, 250)))).addresses).toHaveLength(maxPexAddresses);
    expect(codeOf(() => encode(response(dialect, list)))).toBe('ERR_SEND_INVALID');
    const entries = new FieldWriter();
    for (let index = 0; index < 251; index++) entries.delimited(1, new Uint8Array(0));
    expect(codeOf(() => decode(new FieldWriter().delimited(dialect === 'ip' ? 2 : 4, entries.finish()).finish()))).toBe(
      'ERR_MESSAGE_MALFORMED',
    );
  });
});

test('one address in the IP form has the bytes of Go nodes, and an id that is none is skipped when read', () => {
  const { id: short, host, port, encoded } = vectors.ipEntry;
  const address = { protocol: 'mconn', nodeId: short, host, port, path: '' } as NodeAddress;
  expect(hex(encode({ kind: 'response', dialect: 'ip', addresses: [address] }))).toBe(encoded);
  expect(decode(bytes(encoded))).toEqual({ kind: 'response', dialect: 'ip', addresses: [], skipped: 1 });
});

test('both dialects have the bytes of the generated code', () => {
  const ip = { id, ip: 'fd80::2', port: 26_656 };
  const address = `mconn://${id}@[fd80::2]:26656`;
  expect(encode(response('ip', [address]))).toEqual(proto.encode({ pexResponse: { addresses: [ip] } }).finish());
  expect(encode(response('url', [address]))).toEqual(proto.encode({ pexResponseV2: { addresses: [{ url: address }] } }).finish());
});

describe('what the IP form cannot say', () => {
  test('is left out: names, local addresses, other transports', () => {
    const list = [`mconn://${id}@seed.example.com:26656`, `memory:${id}`, `quic://${id}@1.2.3.4:1`, `tcp://${id}@1.2.3.4:26656`];
    expect(texts(decode(encode(response('ip', list))))).toEqual([`mconn://${id}@1.2.3.4:26656`]);
  });

  test('the URL form says', () => {
    const list = [`mconn://${id}@seed.example.com:26656`, `memory:${id}`, `tcp://${id}@1.2.3.4:26656`];
    expect(texts(decode(encode(response('url', list))))).toEqual(list);
  });
});

describe('an entry that is no address is skipped and counted', () => {
  test.each([
    { id, ip: 'localhost', port: 26_656 },
    { id, ip: 'seed.example.com', port: 26_656 },
    { id, ip: '', port: 26_656 },
    { id, ip: '[::1]', port: 26_656 },
    { id, ip: '1.2.3.4', port: 0 },
    { id, ip: '1.2.3.4', port: 65_536 },
    { id, ip: '1.2.3.4', port: 4_294_967_295 },
    { id: '', ip: '1.2.3.4', port: 26_656 },
    { id: id.replace('aa', 'AA'), ip: '1.2.3.4', port: 26_656 },
    { id: 'x'.repeat(40), ip: '1.2.3.4', port: 26_656 },
    {},
  ])('%j', (bad) => {
    const good = { id, ip: '1.2.3.4', port: 26_656 };
    const decoded = decode(proto.encode({ pexResponse: { addresses: [bad, good, bad] } }).finish());
    expect(texts(decoded)).toEqual([`mconn://${id}@1.2.3.4:26656`]);
    expect(decoded.skipped).toBe(2);
  });

  test.each(['', 'nonsense', `mconn://${id}@1.2.3.4:65536`, `mconn://${id}@1.2.3.4:1/${'p'.repeat(300)}`, `${id}@\u001b:1`])(
    'the URL %j',
    (url) => {
      const decoded = decode(proto.encode({ pexResponseV2: { addresses: [{ url }, { url: `${id}@1.2.3.4:1` }] } }).finish());
      expect(texts(decoded)).toEqual([`mconn://${id}@1.2.3.4:1`]);
      expect(decoded.skipped).toBe(1);
    },
  );

  test('a port of 64 bits', () => {
    const entry = new FieldWriter()
      .text(1, id)
      .text(2, '1.2.3.4')
      .uint64(3, 2n ** 63n)
      .finish();
    expect(decode(new FieldWriter().delimited(2, new FieldWriter().delimited(1, entry).finish()).finish()).skipped).toBe(1);
  });
});

describe('a message', () => {
  test.each([
    ['without a member', ''],
    ['of a later release', '2a00'],
    ['of a later release with another wire type', '3001'],
  ])('%s is unknown, not a fault', (_, encoded) => {
    expect(decode(bytes(encoded)).kind).toBe('unknown');
  });

  test('of an unknown kind is never sent', () => {
    expect(codeOf(() => encode({ kind: 'unknown', dialect: 'ip', addresses: [] }))).toBe('ERR_SEND_INVALID');
  });

  test('may hold unknown fields at every level', () => {
    const entry = new FieldWriter().text(1, id).text(2, '1.2.3.4').uint64(3, 1n).text(9, 'new').finish();
    const list = new FieldWriter().delimited(1, entry).uint64(7, 7n).finish();
    expect(texts(decode(new FieldWriter().delimited(2, list).text(99, 'new').finish()))).toEqual([`mconn://${id}@1.2.3.4:1`]);
  });

  test.each([
    ['two members', '0a000a00'],
    ['a request and a response', '0a001200'],
    ['a number for a request', '0801'],
    ['a number for a response', '1001'],
    ['a list of numbers', '12020801'],
    ['a group', '0b0c'],
    ['a group among the entries', '12020b0c'],
    ['an entry that is cut', '12020a05'],
    ['an entry whose text is not UTF-8', '12050a030a01ff'],
    ['a URL whose text is not UTF-8', '22050a030a01ff'],
    ['a request behind which bytes are missing', '0a05'],
  ])('with %s is refused', (_, encoded) => {
    expect(codeOf(() => decode(bytes(encoded)))).toBe('ERR_MESSAGE_MALFORMED');
  });

  test('of 64,000 bytes is read and of 64,001 is not', () => {
    const padding = (length: number): Uint8Array => new FieldWriter().delimited(9, new Uint8Array(length - 4)).finish();
    expect(padding(maxPexBytes)).toHaveLength(64_000);
    expect(codeOf(() => decode(padding(maxPexBytes)))).toBe('none');
    expect(codeOf(() => decode(padding(maxPexBytes + 1)))).toBe('ERR_MESSAGE_MALFORMED');
  });

  test('of a hundred thousand empty entries is refused by the size, and 31,000 by the count, before any is decoded', () => {
    for (const count of [100_000, 31_000]) {
      const list = new Uint8Array(count * 2);
      for (let at = 0; at < list.length; at += 2) list[at] = 0x0a;
      const message = new FieldWriter().delimited(2, list).finish();
      expect(codeOf(() => pexMessage.precheck!(message))).toBe('ERR_MESSAGE_MALFORMED');
    }
  });

  test('of any bytes throws nothing but our error, and leaves Object.prototype alone', () => {
    const good = encode(response('url', [`${id}@__proto__:1`, `${id}@1.2.3.4:1`]));
    const broken = fc
      .tuple(fc.uint8Array({ maxLength: 6 }), fc.nat(good.length), fc.nat(6))
      .map(([noise, at, cut]) => Uint8Array.from(Buffer.concat([good.subarray(0, at), noise, good.subarray(at + cut)])));
    const before = Object.getOwnPropertyNames(Object.prototype);
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 60 }), broken), (encoded) => {
        expect(['none', 'ERR_MESSAGE_MALFORMED']).toContain(codeOf(() => decode(encoded)));
      }),
      { seed: 62, numRuns: 5_000 },
    );
    expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(before);
  });
});
