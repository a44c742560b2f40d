/** NodeInfo: bytes, every rule that real nodes check, and compatibility. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { delimited } from '../../proto/codec.ts';
import { TroupeError } from '../../proto/errors.ts';
import { tendermint } from '../../proto/generated/tendermint.js';
import { generateNodeKey, parseNodeId } from '../../proto/identity.ts';
import {
  compatibility,
  decodeNodeInfo,
  encodeNodeInfo,
  listenAddressOf,
  maxNodeInfoBytes,
  validateNodeInfo,
  type NodeInfo,
} from '../../proto/node-info.ts';
import { FieldWriter } from '../../proto/wire.ts';

const vector = JSON.parse(readFileSync(new URL('../vectors/node-info.json', import.meta.url), 'utf8')) as Readonly<{
  encoded: string;
  nodeId: string;
  listenAddr: string;
  network: string;
  version: string;
  channels: number[];
  moniker: string;
  txIndex: string;
}>;
const { listenAddr, network, version, channels, moniker } = vector;
const info: NodeInfo = {
  protocolVersion: { p2p: 8n, block: 11n, app: 0n },
  nodeId: parseNodeId(vector.nodeId),
  listenAddr,
  network,
  version,
  channels,
  moniker,
  other: { txIndex: vector.txIndex, rpcAddress: '' },
};
const body = Uint8Array.from(Buffer.from(vector.encoded, 'hex').subarray(1));
const codeOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof TroupeError) return error.code;
    throw error;
  }
  return 'none';
};
const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const concat = (...parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(Buffer.concat(parts));
/** What a Go node would send with this field changed, whatever we think of it. */
const raw = (
  change: Partial<Record<'nodeId' | 'listenAddr' | 'network' | 'version' | 'moniker', string>> & {
    channels?: Uint8Array;
    txIndex?: string;
    rpcAddress?: string;
  },
): Uint8Array => {
  const is = {
    nodeId: vector.nodeId,
    listenAddr,
    network,
    version,
    moniker,
    channels: Uint8Array.from(channels),
    txIndex: 'on',
    rpcAddress: '',
    ...change,
  };
  const versions = new FieldWriter().uint64(1, 8n).uint64(2, 11n).finish();
  const writer = new FieldWriter().delimited(1, versions).text(2, is.nodeId).text(3, is.listenAddr).text(4, is.network).text(5, is.version);
  const other = new FieldWriter().text(1, is.txIndex).text(2, is.rpcAddress).finish();
  return writer.delimited(6, is.channels).text(7, is.moniker).delimited(8, other).finish();
};

describe('the bytes of a NodeInfo', () => {
  test('are those of a Go node', () => {
    expect(Buffer.from(delimited(encodeNodeInfo(info))).toString('hex')).toBe(vector.encoded);
    expect(decodeNodeInfo(body)).toEqual(info);
  });

  test('are those of the generated code', () => {
    expect(raw({})).toEqual(body);
    const { protocolVersion, other, channels: ids, ...rest } = info;
    expect(tendermint.p2p.NodeInfo.encode({ protocolVersion, ...rest, channels: Uint8Array.from(ids), other }).finish()).toEqual(
      encodeNodeInfo(info),
    );
  });

  test('have both sub-messages even when all in them is default', () => {
    const bare: NodeInfo = {
      ...info,
      protocolVersion: { p2p: 0n, block: 0n, app: 0n },
      channels: [],
      version: '',
      network: '',
      other: { txIndex: '', rpcAddress: '' },
    };
    const encoded = Buffer.from(encodeNodeInfo(bare)).toString('hex');
    expect(encoded.startsWith('0a00')).toBe(true);
    expect(encoded.endsWith('4200')).toBe(true);
    expect(decodeNodeInfo(encodeNodeInfo(bare))).toEqual(bare);
  });

  test.each([0n, 1n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n])('carry the app version %d exactly', (app) => {
    const exact = { ...info, protocolVersion: { p2p: app, block: app, app } };
    expect(decodeNodeInfo(encodeNodeInfo(exact)).protocolVersion).toEqual(exact.protocolVersion);
  });

  test.each([-1n, 2n ** 64n])('are not made for the app version %d', (app) => {
    expect(codeOf(() => encodeNodeInfo({ ...info, protocolVersion: { ...info.protocolVersion, app } }))).toBe('ERR_NODE_INFO_INVALID');
  });

  test('may be 10,240 and no more, in both directions', () => {
    const frame = encodeNodeInfo({ ...info, moniker: 'm'.repeat(5_000) }).length;
    const fits = { ...info, moniker: 'm'.repeat(5_000 + maxNodeInfoBytes - frame) };
    expect(encodeNodeInfo(fits)).toHaveLength(10_240);
    expect(decodeNodeInfo(encodeNodeInfo(fits)).moniker).toBe(fits.moniker);
    const larger = { ...fits, moniker: `${fits.moniker}m` };
    expect(codeOf(() => encodeNodeInfo(larger))).toBe('ERR_NODE_INFO_TOO_LARGE');
    expect(codeOf(() => decodeNodeInfo(new Uint8Array(10_241)))).toBe('ERR_NODE_INFO_TOO_LARGE');
  });

  test('may hold fields of other releases, which are ignored', () => {
    expect(decodeNodeInfo(concat(body, new FieldWriter().delimited(9, text('pro-tx-hash')).uint64(99, 7n).finish()))).toEqual(info);
  });

  test('with a field twice take the last one', () => {
    expect(decodeNodeInfo(concat(body, new FieldWriter().text(7, 'later').finish())).moniker).toBe('later');
  });

  test.each([
    ['nothing', ''],
    ['field number 0', '00'],
    ['a group', '0b0c'],
    ['a length beyond the end', '1aff'],
    ['a varint where text belongs', '1801'],
    ['text that is not UTF-8', '3a02c328'],
    ['text that is cut inside a character', '3a01c3'],
    ['a half surrogate', '3a03eda080'],
    ['a version above 64 bits', '0a0b08ffffffffffffffffff02'],
  ])('that end in %s are refused', (_, tail) => {
    const encoded = tail === '' ? new Uint8Array(0) : concat(body, Buffer.from(tail, 'hex'));
    expect(codeOf(() => decodeNodeInfo(encoded))).toBe('ERR_NODE_INFO_INVALID');
  });

  test('cut at any place are refused or valid, never another error', () => {
    for (let length = 0; length < body.length; length++) {
      expect(['none', 'ERR_NODE_INFO_INVALID']).toContain(codeOf(() => decodeNodeInfo(body.subarray(0, length))));
    }
  });

  test('of any content throw nothing but our errors', () => {
    const broken = fc
      .tuple(fc.uint8Array({ maxLength: 40 }), fc.nat(body.length), fc.nat(20))
      .map(([noise, at, cut]) => concat(body.subarray(0, at), noise, body.subarray(at + cut)));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), broken), (bytes) => {
        expect(['none', 'ERR_NODE_INFO_INVALID']).toContain(codeOf(() => decodeNodeInfo(bytes)));
      }),
      { seed: 62, numRuns: 5_000 },
    );
  });
});

describe('a NodeInfo from the wire', () => {
  test.each([
    '0.0.0.0:26656',
    'tcp://0.0.0.0:26656',
    'tcp://0.0.0.0:0',
    'localhost:1',
    '[::1]:26656',
    'tcp://[::1]:26656',
    '[localhost]:1',
    'a.name.that.does.not.resolve.invalid:26656',
    'mconn://1.2.3.4:00026656',
    'x://y:65535',
  ])('may listen on %s, and no name is resolved', (address) => {
    expect(decodeNodeInfo(raw({ listenAddr: address })).listenAddr).toBe(address);
  });

  test.each([
    '',
    'not-an-address',
    '0.0.0.0',
    ':26656',
    'tcp://:26656',
    '0.0.0.0:',
    '1.2.3.4:65536',
    '1.2.3.4:x',
    '1.2.3.4:-1',
    '::1:26656',
    'id@1.2.3.4:26656',
    '1.2.3.4:5@6',
    'a b:1',
    'é:1',
    '1.2.3.4:1/path',
    'http://a://b:1',
    `${'a'.repeat(600)}:1`,
  ])('may not listen on %j', (address) => {
    expect(codeOf(() => decodeNodeInfo(raw({ listenAddr: address })))).toBe('ERR_NODE_INFO_INVALID');
  });

  test.each(['\u00a2\u00a7\u00b5', '\t', '  ', ' ', '\u001b[31m', 'a\u007f', 'a\n', '名'])('may not have %j in any text', (bad) => {
    for (const field of ['version', 'moniker', 'txIndex', 'rpcAddress'] as const) {
      expect(codeOf(() => decodeNodeInfo(raw({ [field]: bad })))).toBe('ERR_NODE_INFO_INVALID');
    }
  });

  test.each([
    [{ version: '' }],
    [{ version: '1.0.1 (rc 1)' }],
    [{ moniker: 'hey its me' }],
    [{ moniker: '__proto__' }],
    [{ moniker: ' x ' }],
    [{ txIndex: '' }],
    [{ txIndex: 'off' }],
    [{ rpcAddress: '' }],
    [{ rpcAddress: '0.0.0.0:26657' }],
    [{ network: '' }],
    [{ network: '網\t' }],
    [{ channels: new Uint8Array(0) }],
    [{ channels: Uint8Array.from({ length: 16 }, (_, id) => id * 16) }],
  ])('may have %j', (change) => {
    expect(codeOf(() => decodeNodeInfo(raw(change)))).toBe('none');
  });

  test.each([
    [{ moniker: '' }],
    [{ txIndex: 'ON' }],
    [{ txIndex: 'yes' }],
    [{ nodeId: '' }],
    [{ nodeId: vector.nodeId.toUpperCase() }],
    [{ nodeId: `${vector.nodeId}0` }],
    [{ channels: Uint8Array.from({ length: 17 }, (_, id) => id) }],
    [{ channels: Uint8Array.of(1, 2, 1) }],
    [{ channels: new Uint8Array(9_000) }],
  ])('may not have %j', (change) => {
    expect(codeOf(() => decodeNodeInfo(raw(change)))).toBe('ERR_NODE_INFO_INVALID');
  });

  test('must name the id of the key that signed', () => {
    expect(codeOf(() => validateNodeInfo(info, info.nodeId))).toBe('none');
    expect(codeOf(() => validateNodeInfo(info, generateNodeKey().id))).toBe('ERR_NODE_INFO_INVALID');
  });

  test('of our own is checked too: a channel is one byte', () => {
    for (const id of [-1, 256, 1.5, NaN]) expect(codeOf(() => encodeNodeInfo({ ...info, channels: [id] }))).toBe('ERR_NODE_INFO_INVALID');
  });
});

test.each([
  ['tcp://127.0.0.1:26656', { host: '127.0.0.1', port: 26_656 }],
  ['[FD80::0:2]:1', { host: 'fd80::2', port: 1 }],
  ['tcp://[::ffff:1.2.3.4]:1', { host: '1.2.3.4', port: 1 }],
  ['Seed.Example.COM:0', { host: 'seed.example.com', port: 0 }],
  ['nonsense', undefined],
])('the listen address %s is %j', (address, expected) => {
  expect(listenAddressOf({ listenAddr: address })).toEqual(expected);
});

describe('compatibility', () => {
  const remote: NodeInfo = { ...info, nodeId: generateNodeKey().id };

  test.each<[string, NodeInfo, NodeInfo]>([
    ['the same', info, remote],
    ['an additional channel of the remote', info, { ...remote, channels: [...info.channels, 0x70] }],
    ['one common channel', info, { ...remote, channels: [0] }],
    ['no channel of ours', { ...info, channels: [] }, remote],
    ['no channel at all', { ...info, channels: [] }, { ...remote, channels: [] }],
    ['another p2p version', info, { ...remote, protocolVersion: { p2p: 9n, block: 11n, app: 0n } }],
    ['another app version', info, { ...remote, protocolVersion: { p2p: 8n, block: 11n, app: 77n } }],
    ['another software version', info, { ...remote, version: '1.0.1' }],
  ])('holds with %s', (_, own, other) => {
    expect(compatibility(own, other)).toBeUndefined();
  });

  test.each<[string, NodeInfo, RegExp]>([
    ['block version 10', { ...remote, protocolVersion: { p2p: 8n, block: 10n, app: 0n } }, /block protocol 10, we have 11\.$/],
    ['block version 12', { ...remote, protocolVersion: { p2p: 8n, block: 12n, app: 0n } }, /block protocol 12/],
    ['another network', { ...remote, network: 'Test-chain' }, /network "Test-chain"/],
    ['a network that would write to a terminal', { ...remote, network: '\u001b[2J' }, /"\\u001b\[2J"/],
    ['no common channel', { ...remote, channels: [1] }, /no channel/],
    ['no channel of theirs', { ...remote, channels: [] }, /no channel/],
  ])('fails with %s, and says why', (_, other, sentence) => {
    expect(compatibility(info, other)).toMatch(sentence);
  });
});
