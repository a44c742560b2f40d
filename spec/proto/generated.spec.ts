/** The generated code: made from the schemas as they are, exact in 64 bits, and right about a real block. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { tendermint } from '../../proto/generated/tendermint.js';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const { Message } = tendermint.blocksync;

test('what is committed is what the schemas give', () => {
  const script = fileURLToPath(new URL('../../scripts/proto.js', import.meta.url));
  const { status, stderr } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8', env: {} });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
}, 60_000);

describe('64-bit integers', () => {
  test.each([1n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 63n - 1n, -1n, -(2n ** 63n)])(
    'signed: %d comes back as a bigint',
    (height) => {
      const decoded = Message.decode(Message.encode({ statusResponse: { height, base: height } }).finish());
      expect(decoded.statusResponse).toEqual(expect.objectContaining({ height, base: height }));
    },
  );

  test.each([1n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n])('unsigned: %d comes back as a bigint', (p2p) => {
    const { ProtocolVersion } = tendermint.p2p;
    expect(ProtocolVersion.decode(ProtocolVersion.encode({ p2p }).finish()).p2p).toBe(p2p);
  });

  test('are 0n when absent and left out when 0n', () => {
    expect(tendermint.blocksync.StatusResponse.decode(new Uint8Array(0)).height).toBe(0n);
    expect(hex(Message.encode({ statusResponse: { height: 0n } }).finish())).toBe('2a00');
  });

  test.each([2n ** 63n, -(2n ** 63n) - 1n])('signed: %d is refused', (height) => {
    expect(() => Message.encode({ statusResponse: { height } }).finish()).toThrow('64 bits');
  });

  test.each([2n ** 64n, -1n])('unsigned: %d is refused', (p2p) => {
    expect(() => tendermint.p2p.ProtocolVersion.encode({ p2p }).finish()).toThrow('64 bits');
  });
});

describe('packets', () => {
  test.each([
    [{ packetPing: {} }, '0a00'],
    [{ packetPong: {} }, '1200'],
    [{ packetMsg: { channelId: 0x20, eof: true, data: Buffer.from('hi') } }, '1a08082010011a026869'],
    [{ packetMsg: { channelId: 0x20, eof: false, data: Buffer.from('hi') } }, '1a0608201a026869'],
    [{ packetMsg: { channelId: 0, eof: true, data: Buffer.from('0a00', 'hex') } }, '1a0610011a020a00'],
    [{ packetMsg: { channelId: 0x80, eof: true, data: Buffer.from('hi') } }, '1a0908800110011a026869'],
    [
      { packetMsg: { channelId: 1, data: Buffer.from('data transmitted over the wire') } },
      '1a2208011a1e64617461207472616e736d6974746564206f766572207468652077697265',
    ],
  ])('%j', (packet, encoded) => {
    expect(hex(tendermint.p2p.Packet.encode(packet).finish())).toBe(encoded);
  });
});

test('block sync: a request, and a block with its extended commit, come back', () => {
  expect(hex(Message.encode({ blockRequest: { height: 1n } }).finish())).toBe('0a020801');
  expect(hex(Message.encode({ statusRequest: {} }).finish())).toBe('2200');
  const time = { seconds: 1_700_000_000n, nanos: 5 };
  const encoded = Message.encode({
    blockResponse: {
      block: {
        header: { version: { block: 11n }, chainId: 'test-chain', height: 1n, time, proposerAddress: new Uint8Array(20).fill(7) },
        data: { txs: [Buffer.from('a=b'), new Uint8Array(0)] },
        evidence: { evidence: [] },
        lastCommit: { blockId: { partSetHeader: {} }, signatures: [] },
      },
      extCommit: {
        height: 1n,
        blockId: { partSetHeader: { total: 1 } },
        extendedSignatures: [{ blockIdFlag: tendermint.types.BlockIDFlag.BLOCK_ID_FLAG_COMMIT, extension: Buffer.from('x') }],
      },
    },
  }).finish();
  const { blockResponse } = Message.decode(encoded);
  expect(blockResponse?.block?.header).toMatchObject({ version: { block: 11n, app: 0n }, chainId: 'test-chain', height: 1n, time });
  expect(blockResponse?.block?.data?.txs?.map(hex)).toEqual(['613d62', '']);
  expect(blockResponse?.extCommit?.extendedSignatures?.[0]?.blockIdFlag).toBe(2);
});
