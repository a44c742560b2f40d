/** Bad input against a whole node on real sockets: each is refused with its reason, and the peer beside it notices nothing. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pino from 'pino';
import { createNode, type Node } from '../../actors/node.ts';
import type { Channel } from '../../actors/channel.ts';
import { parseNodeAddress } from '../../proto/address.ts';
import { bytes, type MessageType } from '../../proto/codec.ts';
import { generateNodeKey, type NodeKey } from '../../proto/identity.ts';
import type { NodeInfo } from '../../proto/node-info.ts';
import { RawPeer } from '../support/raw-peer.ts';

/** A channel whose messages must begin with 1. */
const picky: MessageType<Uint8Array> = {
  encode: (message) => message,
  decode: (encoded) => {
    if (encoded[0] !== 1) throw new Error('not one of ours');
    return encoded;
  },
};
const log = pino({ level: 'silent' });
const talk = { id: 0x10, type: bytes, priority: 1, maxMessageBytes: 100 };
const strict = { id: 0x11, type: picky, priority: 1, maxMessageBytes: 100 };

const ownKey = generateNodeKey();
let node: Node;
let honest: Node;
let words: Channel<Uint8Array>;
let heard: AsyncIterator<{ message: Uint8Array }>;

beforeAll(async () => {
  node = await createNode({
    network: 'hostile',
    key: ownKey,
    monitor: false,
    listen: ['mconn://127.0.0.1:0'],
    log,
    handshake: { firstByteMs: 200, totalMs: 400 },
  });
  heard = node.openChannel(talk)[Symbol.asyncIterator]();
  node.openChannel(strict);
  await node.start();
  honest = await createNode({ network: 'hostile', monitor: false, listen: [], log, persistentPeers: [...node.addresses] });
  words = honest.openChannel(talk);
  await honest.start();
  for await (const update of honest.peers.updates()) if ('status' in update && update.status === 'up') break;
});

afterAll(async () => {
  await Promise.all([honest.stop(), node.stop()]);
});

const infoOf = (key: NodeKey, more: Partial<NodeInfo> = {}): NodeInfo => ({
  protocolVersion: { p2p: 8n, block: 11n, app: 0n },
  nodeId: key.id,
  listenAddr: 'tcp://127.0.0.1:0',
  network: 'hostile',
  version: '',
  channels: [0x10, 0x11],
  moniker: 'stranger',
  other: { txIndex: '', rpcAddress: '' },
  ...more,
});

const packet = (channel: number, data: readonly number[], eof = true): Uint8Array => {
  const inner = [0x08, channel, ...(eof ? [0x10, 1] : []), 0x1a, data.length, ...data];
  return Uint8Array.from([inner.length + 2, 0x1a, inner.length, ...inner]);
};

async function stranger(): Promise<RawPeer> {
  const { host, port } = parseNodeAddress(node.addresses[0]!);
  return RawPeer.dial({ protocol: 'mconn', ip: host, port, path: '' });
}

/** The honest peer is still up on the same link, and a message of its gets through. */
async function expectUntouched(): Promise<void> {
  expect(honest.status().disconnects).toEqual({});
  await words.send({ to: node.nodeId, message: Uint8Array.of(42) });
  expect((await heard.next()).value).toMatchObject({ message: Uint8Array.of(42) });
}

async function counted<T>(what: () => Promise<T>): Promise<Record<string, number>> {
  const before = node.status().disconnects;
  await what();
  // The counter moves once the link's actor is through with its end, a few turns after the socket.
  for (let turn = 0; turn < 200 && JSON.stringify(node.status().disconnects) === JSON.stringify(before); turn++)
    await new Promise((resolve) => setTimeout(resolve, 5));
  const after = node.status().disconnects;
  return Object.fromEntries(
    Object.entries(after).flatMap(([reason, times]) => (times > (before[reason] ?? 0) ? [[reason, times - (before[reason] ?? 0)]] : [])),
  );
}

describe('before the handshake', () => {
  test.each([
    ['garbage', Uint8Array.from({ length: 64 }, (_, i) => i + 100), 'handshake'],
    ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'), 'handshake'],
    ['a length prefix of a gigabyte', Uint8Array.from([0x80, 0x80, 0x80, 0x80, 0x04]), 'handshake'],
    ['a length prefix that never ends', new Uint8Array(11).fill(0xff), 'handshake'],
    ['an ephemeral key of zeros', Uint8Array.from([0x22, 0x0a, 0x20, ...new Array<number>(32).fill(0)]), 'handshake'],
  ] as const)('%s is refused at once', async (_name, sent, reason) => {
    const peer = await stranger();
    expect(await counted(async () => (await peer.write(sent), peer.ended))).toEqual({ [reason]: 1 });
    await expectUntouched();
  });

  test('silence, and a handshake held open half way, end at their deadlines', async () => {
    const mute = await stranger();
    expect(await counted(() => mute.ended)).toEqual({ timeout: 1 });
    const half = await stranger();
    await half.agree(generateNodeKey());
    expect(await counted(() => half.ended)).toEqual({ timeout: 1 });
    await expectUntouched();
  });

  test('a peer of another network, of another block version, without a common channel, and one with our own key are refused', async () => {
    for (const [info, reason] of [
      [{ network: 'elsewhere' }, 'incompatible'],
      [{ channels: [0x77] }, 'incompatible'],
      [{ protocolVersion: { p2p: 8n, block: 12n, app: 0n } }, 'incompatible'],
    ] as const) {
      const key = generateNodeKey();
      const peer = await stranger();
      expect(await counted(async () => (await peer.handshake(key, infoOf(key, info)).catch(() => undefined), peer.ended))).toEqual({
        [reason]: 1,
      });
    }
    const mirror = await stranger();
    expect(await counted(async () => (await mirror.handshake(ownKey, infoOf(ownKey)).catch(() => undefined), mirror.ended))).toEqual({
      self: 1,
    });
    await expectUntouched();
  });
});

describe('after the handshake', () => {
  const admitted = async (): Promise<RawPeer> => {
    const key = generateNodeKey();
    const peer = await stranger();
    await peer.handshake(key, infoOf(key));
    return peer;
  };

  test.each([
    ['a packet on a channel we do not have', packet(0x55, [1]), 'unknownChannel'],
    ['a packet of no kind', Uint8Array.of(0), 'packet'],
    ['a packet above the limit', Uint8Array.from([0x80, 0x10]), 'packet'],
    [
      'a message above the capacity of its channel',
      Uint8Array.from([...packet(0x10, new Array<number>(60).fill(1), false), ...packet(0x10, new Array<number>(60).fill(1))]),
      'oversize',
    ],
  ] as const)('%s ends the connection', async (_name, sent, reason) => {
    const peer = await admitted();
    expect(await counted(async () => (await peer.send(sent), peer.ended))).toEqual({ [reason]: 1 });
    await expectUntouched();
  });

  test('a message that does not decode is dropped and the peer stays, until it has earned its leave', async () => {
    const peer = await admitted();
    await peer.send(packet(0x11, [9]));
    await peer.send(packet(0x10, [7]));
    expect((await heard.next()).value).toMatchObject({ message: Uint8Array.of(7) });
    expect(node.status().drops).toMatchObject({ malformed: 1 });
    const reasons = await counted(async () => {
      for (let i = 0; i < 5; i++) await peer.send(packet(0x11, [9]));
      return peer.ended;
    });
    expect(reasons).toEqual({ banned: 1 });
    await expectUntouched();
  });

  test('a sealed frame with one bit flipped ends the connection', async () => {
    const peer = await admitted();
    const frame = peer.seal(packet(0x10, [1]));
    frame[500]! ^= 1;
    expect(await counted(async () => (await peer.write(frame), peer.ended))).toEqual({ frame: 1 });
    await expectUntouched();
  });
});
