import { createServer, type AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { delimited } from '../../../proto/codec.ts';
import { encodeNodeInfo } from '../../../proto/node-info.ts';
import { pingPacket } from '../../../transports/mconn/packet.ts';
import type { Transport } from '../../../transports/transport.ts';
import { honestUpTo, MconnBench, until } from '../../support/mconn-bench.ts';
import { packetOf } from '../../support/mconn-halves.ts';
import { RawPeer } from '../../support/raw-peer.ts';
import { failureOf, handshakeOf, keyOf, live, nodeInfoOf, pattern, receive, staysPending } from '../../support/transport-bench.ts';

const code = (name: string): unknown => expect.objectContaining({ code: name });

let bench: MconnBench;
let transport: Transport;
beforeEach(async () => {
  bench = new MconnBench();
  transport = await bench.listen();
});
afterEach(() => bench.aftermath());

const part = (size: number, final = true, channelId = 0x01): Uint8Array => packetOf(channelId, final, pattern(size));
const said = async (peer: RawPeer): Promise<string> => Buffer.from(await peer.frame()).toString('hex');

describe('the handshake', () => {
  test('takes proof, NodeInfo and packets that come in one frame', async () => {
    const { peer, ours } = await bench.meet(transport);
    const shaking = ours.handshake(handshakeOf(keyOf('b')), live());
    const proof = await peer.agree(keyOf('a'));
    const info = delimited(encodeNodeInfo(nodeInfoOf(keyOf('a'))));
    await peer.send(Buffer.concat([proof, info, part(3), part(5), pingPacket]));
    expect((await shaking).nodeId).toBe(keyOf('a').id);
    expect((await receive(ours, 2)).map(({ bytes }) => bytes.length)).toEqual([3, 5]);
    await peer.frame();
    await peer.frame();
    expect(await said(peer)).toBe('021200');
  });

  test('keeps NodeInfo back until it may leave, once it knows to whom', async () => {
    const { peer, ours } = await bench.meet(transport);
    const asked: string[] = [];
    let release = (): void => undefined;
    const beforeNodeInfo = (id: string): Promise<void> => {
      asked.push(id);
      return new Promise((resolve) => (release = resolve));
    };
    const shaking = ours.handshake(handshakeOf(keyOf('b'), { beforeNodeInfo }), live());
    const proof = await peer.agree(keyOf('a'));
    expect(asked).toEqual([]);
    await peer.send(Buffer.concat([proof, delimited(encodeNodeInfo(nodeInfoOf(keyOf('a'))))]));
    await peer.frame();
    await until(() => asked.length > 0);
    expect(asked).toEqual([keyOf('a').id]);
    const info = peer.frame();
    expect(await staysPending(info)).toBe(true);
    expect(await staysPending(shaking)).toBe(true);
    release();
    await info;
    expect((await shaking).nodeId).toBe(keyOf('a').id);
  });

  test('takes all of it, and more frames, in one piece from the socket', async () => {
    const { peer, ours } = await bench.meet(transport);
    const shaking = ours.handshake(handshakeOf(keyOf('b')), live());
    const proof = peer.seal(await peer.agree(keyOf('a')));
    const rest = peer.seal(
      Buffer.concat([delimited(encodeNodeInfo(nodeInfoOf(keyOf('a')))), part(1_000, false), part(1_000, false), part(1_000)]),
    );
    await peer.write(Buffer.concat([proof, rest, peer.seal(part(7)).subarray(0, 500)]));
    await shaking;
    expect((await receive(ours, 1))[0]!.bytes.length).toBe(3_000);
  });

  test('takes NodeInfo byte by byte, each in a frame of its own', async () => {
    const { peer, ours } = await bench.meet(transport);
    const shaking = ours.handshake(handshakeOf(keyOf('b')), live());
    await peer.send(await peer.agree(keyOf('a')));
    for (const byte of delimited(encodeNodeInfo(nodeInfoOf(keyOf('a'))))) void peer.send(Uint8Array.of(byte));
    expect((await shaking).nodeInfo).toEqual(nodeInfoOf(keyOf('a')));
  });

  test('takes a NodeInfo of 10,240 bytes and refuses 10,241 on their length alone', async () => {
    const info = (bytes: number): Uint8Array => {
      const plain = encodeNodeInfo(nodeInfoOf(keyOf('a')));
      // An unknown field fills it up.
      const filler = bytes - plain.length - 3;
      return Uint8Array.from([...plain, 0x7a, (filler & 0x7f) | 0x80, filler >> 7, ...new Uint8Array(filler)]);
    };
    const fits = await bench.meet(transport);
    const shaking = fits.ours.handshake(handshakeOf(keyOf('b')), live());
    await fits.peer.send(await fits.peer.agree(keyOf('a')));
    await fits.peer.send(delimited(info(10_240)));
    expect((await shaking).nodeId).toBe(keyOf('a').id);

    for (const prefix of [delimited(info(10_241)).subarray(0, 2), Uint8Array.of(0xff, 0xff, 0xff)]) {
      const { peer, ours } = await bench.meet(transport);
      const failure = failureOf(() => ours.handshake(handshakeOf(keyOf('b')), live()));
      await peer.send(await peer.agree(keyOf('a')));
      await peer.send(prefix);
      expect(await failure).toEqual(code('ERR_NODE_INFO_TOO_LARGE'));
      await peer.ended;
    }
  });

  test.each([
    ['does not decode', Uint8Array.of(3, 0xff, 0xff, 0xff), 'ERR_NODE_INFO_INVALID'],
    ['has a length that is longer than it has to be', Uint8Array.of(0x85, 0x00), 'ERR_NODE_INFO_INVALID'],
    ['is empty', Uint8Array.of(0), 'ERR_NODE_INFO_INVALID'],
    ['names another id', delimited(encodeNodeInfo(nodeInfoOf(keyOf('c')))), 'ERR_NODE_INFO_INVALID'],
  ])('refuses a NodeInfo that %s', async (_, plain, expected) => {
    const { peer, ours } = await bench.meet(transport);
    const failure = failureOf(() => ours.handshake(handshakeOf(keyOf('b')), live()));
    await peer.send(await peer.agree(keyOf('a')));
    await peer.send(plain);
    expect(await failure).toEqual(code(expected));
    expect(await ours.ended).toEqual(code(expected));
    await peer.ended;
  });

  test('sends no NodeInfo to a peer that is not the one dialed, and closes', async () => {
    const server = createServer();
    const arrived = new Promise<RawPeer>((resolve) => server.once('connection', (socket) => resolve(new RawPeer(socket))));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const ours = await transport.dial({ protocol: 'mconn', ip: '127.0.0.1', port, path: '' }, live());
    const failure = failureOf(() => ours.handshake(handshakeOf(keyOf('b'), { expectedId: keyOf('c').id }), live()));
    const peer = await arrived;
    bench.track(peer, ours);
    await peer.send(await peer.agree(keyOf('a')));
    expect(await failure).toEqual(code('ERR_HANDSHAKE_WRONG_ID'));
    await peer.ended;
    expect(peer.received.bytes.length).toBe(35 + 1_044);
    server.close();
  });

  test.each([
    [0, 3_000],
    [1, 10_000],
    [34, 10_000],
    [35, 10_000],
    [36, 10_000],
    [1_078, 10_000],
    [1_079, 10_000],
    [1_080, 10_000],
    [1_800, 10_000],
    [2_122, 10_000],
  ])('that stops after %i bytes is ended at %i ms, not before', async (cut, endsAt) => {
    const { peer, ours } = await bench.meet(transport);
    const failure = failureOf(() => ours.handshake(handshakeOf(keyOf('b')), live()));
    void honestUpTo(peer, cut);
    await until(() => ours.status().bytesReceived >= cut);
    await bench.clock.advanceAsync(endsAt - 1);
    expect(transport.status!()).toMatchObject({ pendingHandshakes: 1 });
    await bench.clock.advanceAsync(1);
    expect(await failure).toEqual(code('ERR_HANDSHAKE_TIMEOUT'));
    await peer.ended;
    expect(transport.status!()).toMatchObject({ pendingHandshakes: 0 });
  });

  test.each([0, 1, 34, 35, 36, 1_079, 1_080, 2_122])('that ends after %i bytes fails at once, and is counted no longer', async (cut) => {
    const { peer, ours } = await bench.meet(transport);
    const failure = failureOf(() => ours.handshake(handshakeOf(keyOf('b')), live()));
    await honestUpTo(peer, cut);
    peer.socket.end();
    const inside = ![0, 35, 1_079].includes(cut);
    expect(await failure).toEqual(code(inside && cut !== 1 ? 'ERR_CONNECTION_RESET' : 'ERR_CONNECTION_CLOSED'));
    expect(transport.status!()).toMatchObject({ pendingHandshakes: 0 });
  });

  test('that drips a byte every 2.9 s is ended at ten seconds', async () => {
    const { peer, ours } = await bench.meet(transport);
    const failure = failureOf(() => ours.handshake(handshakeOf(keyOf('b')), live()));
    for (let sent = 0; sent < 3; sent++) {
      await peer.write(Uint8Array.of([0x22, 0x0a, 0x20][sent]!));
      await until(() => ours.status().bytesReceived === sent + 1);
      await bench.clock.advanceAsync(2_900);
    }
    await bench.clock.advanceAsync(1_299);
    expect(transport.status!()).toMatchObject({ pendingHandshakes: 1 });
    await bench.clock.advanceAsync(1);
    expect(await failure).toEqual(code('ERR_HANDSHAKE_TIMEOUT'));
  });

  test('reads what has come before it calls a remote late, after the process itself stood still', async () => {
    const { peer, ours } = await bench.meet(transport);
    const shaking = ours.handshake(handshakeOf(keyOf('b')), live());
    const proof = peer.agree(keyOf('a'));
    await until(() => peer.received.written.length > 0);
    bench.clock.advance(5_000);
    await peer.send(await proof);
    await peer.send(delimited(encodeNodeInfo(nodeInfoOf(keyOf('a')))));
    await shaking;
  });

  test('refuses channels that cannot be used, before a byte is sent', async () => {
    const channel = { id: 1, priority: 1, maxMessageBytes: 1 };
    for (const [channels, expected] of [
      [[channel, channel], 'ERR_CHANNEL_ID_INVALID'],
      [[{ ...channel, id: 256 }], 'ERR_CHANNEL_ID_INVALID'],
      [[{ ...channel, id: 1.5 }], 'ERR_CHANNEL_ID_INVALID'],
      [Array.from({ length: 17 }, (_, id) => ({ ...channel, id })), 'ERR_CHANNEL_ID_INVALID'],
      [[{ ...channel, priority: 0 }], 'ERR_OPTION_INVALID'],
      [[{ ...channel, priority: Number.NaN }], 'ERR_OPTION_INVALID'],
      [[{ ...channel, maxMessageBytes: 0 }], 'ERR_OPTION_INVALID'],
    ] as const) {
      const { peer, ours } = await bench.meet(transport);
      expect(await failureOf(() => ours.handshake(handshakeOf(keyOf('b'), { channels }), live()))).toEqual(code(expected));
      await peer.ended;
      expect(peer.received.bytes.length).toBe(0);
    }
  });
});
