import { createServer, type AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { delimited } from '../../../proto/codec.ts';
import { encodeNodeInfo } from '../../../proto/node-info.ts';
import { handshakeOptions, parseOptions, type LinkOptions } from '../../../proto/options.ts';
import { selectAead } from '../../../transports/mconn/aead.ts';
import { pingPacket, pongPacket } from '../../../transports/mconn/packet.ts';
import { mconnTransport } from '../../../transports/mconn/transport.ts';
import { settle, VirtualClock } from '../../../transports/simulated.ts';
import type { Connection, Transport } from '../../../transports/transport.ts';
import { fastLink, packetOf } from '../../support/mconn-halves.ts';
import { RawPeer } from '../../support/raw-peer.ts';
import { failureOf, handshakeOf, keyOf, live, nodeInfoOf, pattern, receive, sendAll } from '../../support/transport-bench.ts';

const code = (name: string): unknown => expect.objectContaining({ code: name });

let clock: VirtualClock;
let transport: Transport;
const peers: RawPeer[] = [];
const connections: Connection[] = [];
const transports: Transport[] = [];

async function listen(link: LinkOptions = fastLink(), handshake: object = {}): Promise<Transport> {
  const made = mconnTransport({ clock, link, handshake: parseOptions(handshakeOptions, handshake), aead: selectAead('auto') });
  transports.push(made);
  await made.listen({ protocol: 'mconn', ip: '127.0.0.1', port: 0, path: '' });
  return made;
}

beforeEach(async () => {
  clock = new VirtualClock();
  transport = await listen();
});

afterEach(async () => {
  for (const peer of peers.splice(0)) peer.close();
  await Promise.all(connections.splice(0).map((connection) => connection.close()));
  await Promise.all(transports.splice(0).map((made) => made.close()));
  expect(clock.pending).toBe(0);
});

/** A raw peer and our end of its connection, not yet shaken hands. */
async function meet(to = transport): Promise<{ peer: RawPeer; ours: Connection }> {
  const [peer, ours] = await Promise.all([RawPeer.dial(to.endpoints()[0]!), to.accept(live())]);
  peers.push(peer);
  connections.push(ours!);
  return { peer, ours: ours! };
}

async function open(to = transport): Promise<{ peer: RawPeer; ours: Connection }> {
  const met = await meet(to);
  await Promise.all([met.peer.handshake(keyOf('a'), nodeInfoOf(keyOf('a'))), met.ours.handshake(handshakeOf(keyOf('b')), live())]);
  return met;
}

/** Both ends of ours. */
async function pair(to = transport): Promise<{ near: Connection; far: Connection }> {
  const [near, far] = await Promise.all([to.dial(to.endpoints()[0]!, live()), to.accept(live())]);
  connections.push(near, far!);
  await Promise.all([near.handshake(handshakeOf(keyOf('a')), live()), far!.handshake(handshakeOf(keyOf('b')), live())]);
  return { near, far: far! };
}

/** Turns of the event loop until something has happened, which does not depend on time. */
async function until(happened: () => boolean): Promise<void> {
  for (let turn = 0; turn < 5_000 && !happened(); turn++) await settle(1);
  expect(happened()).toBe(true);
}

const part = (size: number, final = true, channelId = 0x01): Uint8Array => packetOf(channelId, final, pattern(size));
const said = async (peer: RawPeer): Promise<string> => Buffer.from(await peer.frame()).toString('hex');

describe('the handshake', () => {
  test('takes proof, NodeInfo and packets that come in one frame', async () => {
    const { peer, ours } = await meet();
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

  test('takes all of it, and more frames, in one piece from the socket', async () => {
    const { peer, ours } = await meet();
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
    const { peer, ours } = await meet();
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
    const fits = await meet();
    const shaking = fits.ours.handshake(handshakeOf(keyOf('b')), live());
    await fits.peer.send(await fits.peer.agree(keyOf('a')));
    await fits.peer.send(delimited(info(10_240)));
    expect((await shaking).nodeId).toBe(keyOf('a').id);

    for (const prefix of [delimited(info(10_241)).subarray(0, 2), Uint8Array.of(0xff, 0xff, 0xff)]) {
      const { peer, ours } = await meet();
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
    const { peer, ours } = await meet();
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
    connections.push(ours);
    const failure = failureOf(() => ours.handshake(handshakeOf(keyOf('b'), { expectedId: keyOf('c').id }), live()));
    const peer = await arrived;
    peers.push(peer);
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
    const { peer, ours } = await meet();
    const failure = failureOf(() => ours.handshake(handshakeOf(keyOf('b')), live()));
    void honest(peer, cut);
    await until(() => ours.status().bytesReceived >= cut);
    await clock.advanceAsync(endsAt - 1);
    expect(transport.status!()).toMatchObject({ pendingHandshakes: 1 });
    await clock.advanceAsync(1);
    expect(await failure).toEqual(code('ERR_HANDSHAKE_TIMEOUT'));
    await peer.ended;
    expect(transport.status!()).toMatchObject({ pendingHandshakes: 0 });
  });

  test.each([0, 1, 34, 35, 36, 1_079, 1_080, 2_122])('that ends after %i bytes fails at once, and is counted no longer', async (cut) => {
    const { peer, ours } = await meet();
    const failure = failureOf(() => ours.handshake(handshakeOf(keyOf('b')), live()));
    await honest(peer, cut);
    peer.socket.end();
    const inside = ![0, 35, 1_079].includes(cut);
    expect(await failure).toEqual(code(inside && cut !== 1 ? 'ERR_CONNECTION_RESET' : 'ERR_CONNECTION_CLOSED'));
    expect(transport.status!()).toMatchObject({ pendingHandshakes: 0 });
  });

  test('that drips a byte every 2.9 s is ended at ten seconds', async () => {
    const { peer, ours } = await meet();
    const failure = failureOf(() => ours.handshake(handshakeOf(keyOf('b')), live()));
    for (let sent = 0; sent < 3; sent++) {
      await peer.write(Uint8Array.of([0x22, 0x0a, 0x20][sent]!));
      await until(() => ours.status().bytesReceived === sent + 1);
      await clock.advanceAsync(2_900);
    }
    await clock.advanceAsync(1_299);
    expect(transport.status!()).toMatchObject({ pendingHandshakes: 1 });
    await clock.advanceAsync(1);
    expect(await failure).toEqual(code('ERR_HANDSHAKE_TIMEOUT'));
  });

  test('reads what has come before it calls a remote late, after the process itself stood still', async () => {
    const { peer, ours } = await meet();
    const shaking = ours.handshake(handshakeOf(keyOf('b')), live());
    const proof = peer.agree(keyOf('a'));
    await until(() => peer.received.written.length > 0);
    clock.advance(5_000);
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
      const { peer, ours } = await meet();
      expect(await failureOf(() => ours.handshake(handshakeOf(keyOf('b'), { channels }), live()))).toEqual(code(expected));
      await peer.ended;
      expect(peer.received.bytes.length).toBe(0);
    }
  });
});

/** Shakes hands honestly, but sends no more than `limit` bytes of it. */
async function honest(peer: RawPeer, limit: number): Promise<void> {
  let left = limit;
  const write = peer.write.bind(peer);
  peer.write = (bytes) => {
    const some = bytes.subarray(0, Math.min(left, bytes.length));
    left -= some.length;
    return some.length === 0 ? Promise.resolve() : write(some);
  };
  if (limit < 35) return peer.write(Uint8Array.from([0x22, 0x0a, 0x20, ...new Uint8Array(32).fill(5)]));
  const proof = await peer.agree(keyOf('a'));
  await peer.send(proof);
  await peer.send(delimited(encodeNodeInfo(nodeInfoOf(keyOf('a')))));
}

describe('a connection', () => {
  test('carries messages of every size both ways', async () => {
    const { near, far } = await pair();
    const sizes = [0, 1, 1_023, 1_024, 1_025, 1_400, 1_401, 65_536, 1_048_576];
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      const sending = sendAll(
        from,
        sizes.map((size) => ({ channelId: 0x77, bytes: pattern(size, size) })),
      );
      const received = await receive(to, sizes.length);
      received.forEach(({ bytes }, index) => expect(Buffer.from(bytes).equals(pattern(sizes[index]!, sizes[index]))).toBe(true));
      await sending;
    }
  });

  test('takes packets with a payload of 1,400, straddling frames, and several in a frame', async () => {
    const { peer, ours } = await open();
    await peer.send(Buffer.concat([part(1_400, false), part(1_400, false), part(1_400), part(1), part(2), part(3)]));
    expect((await receive(ours, 4)).map(({ bytes }) => bytes.length)).toEqual([4_200, 1, 2, 3]);
  });

  test('takes bytes one by one', async () => {
    const { peer, ours } = await open();
    for (const byte of peer.seal(part(100))) await peer.write(Uint8Array.of(byte));
    expect((await receive(ours, 1))[0]!.bytes.length).toBe(100);
  });

  test('sends packets that a Go peer with its default limit reads, also on channels from 0x80 up', async () => {
    const { peer, ours } = await open();
    await ours.sendMessage({ channelId: 0xff, bytes: pattern(1_000) }, live());
    await ours.sendMessage({ channelId: 0x01, bytes: pattern(1_024) }, live());
    let plain = Buffer.alloc(0);
    while (plain.length < 1_013 + 1_036) plain = Buffer.concat([plain, await peer.frame()]);
    expect(plain.subarray(0, 14).toString('hex')).toBe('f3071af00708ff0110011ae807' + '00');
    expect(plain.subarray(1_013, 1_013 + 12).toString('hex')).toBe('8a081a870808011001' + '1a8008');
  });

  test('answers a ping that comes while nobody reads messages', async () => {
    const { peer } = await open();
    await peer.send(Buffer.concat([part(1_000), part(1_000), pingPacket]));
    expect(await said(peer)).toBe('021200');
  });

  test('measures its round trip and shows it', async () => {
    const { peer, ours } = await open();
    expect(ours.status().roundTripMs).toBeUndefined();
    const trip = ours.ping!(live());
    expect(await said(peer)).toBe('020a00');
    await clock.advanceAsync(25);
    await peer.send(pongPacket);
    expect([await trip, ours.status().roundTripMs]).toEqual([25, 25]);
  });

  test('pings after a minute and drops a peer that has been silent', async () => {
    const { peer, ours } = await open();
    await clock.advanceAsync(60_000);
    expect(await said(peer)).toBe('020a00');
    await clock.advanceAsync(45_000);
    expect(await ours.ended).toEqual(code('ERR_CONNECTION_SILENT'));
    await peer.ended;
  });

  test.each([
    ['garbage', () => pattern(1_044), 'ERR_FRAME_UNSEALED'],
    ['an unknown channel', (peer: RawPeer) => peer.seal(part(1, true, 0x55)), 'ERR_CHANNEL_UNKNOWN'],
    ['a packet above the limit', (peer: RawPeer) => peer.seal(part(1_401)), 'ERR_PACKET_TOO_LARGE'],
    ['an empty packet', (peer: RawPeer) => peer.seal(Uint8Array.of(0)), 'ERR_PACKET_MALFORMED'],
    [
      'a message above the capacity',
      (peer: RawPeer) => peer.seal(Buffer.concat([part(1_000, false, 0xff), part(1, true, 0xff)])),
      'ERR_MESSAGE_TOO_LARGE',
    ],
    ['a flood of pings', (peer: RawPeer) => peer.seal(Buffer.concat(Array.from({ length: 341 }, () => pingPacket))), 'ERR_PINGS_FLOODING'],
  ])('ends on %s, for senders and readers', async (_, bytes, expected) => {
    const { peer, ours } = await open();
    const reading = failureOf(() => ours.receiveMessage(live()));
    await peer.write(bytes(peer));
    expect(await ours.ended).toEqual(code(expected));
    expect(await reading).toEqual(code(expected));
    expect(await failureOf(() => ours.sendMessage({ channelId: 1, bytes: pattern(1) }, live()))).toEqual(code(expected));
    expect(await failureOf(() => ours.ping!(live()))).toEqual(code(expected));
    await peer.ended;
  });

  test('that the remote ends between frames is closed, after all that came before was read', async () => {
    const { peer, ours } = await open();
    await peer.send(Buffer.concat([part(10), part(20), part(1_000, false)]));
    peer.socket.end();
    await until(() => peer.socket.destroyed);
    expect((await receive(ours, 2)).map(({ bytes }) => bytes.length)).toEqual([10, 20]);
    expect(await failureOf(() => receive(ours, 1))).toEqual(code('ERR_CONNECTION_CLOSED'));
    expect(await ours.ended).toEqual(code('ERR_CONNECTION_CLOSED'));
  });

  test('that the remote ends inside a frame is broken', async () => {
    const { peer, ours } = await open();
    await peer.write(peer.seal(part(10)).subarray(0, 700));
    peer.socket.end();
    expect(await ours.ended).toEqual(code('ERR_CONNECTION_RESET'));
  });

  test('that the remote resets in the middle of a long message is broken, and gives its memory back', async () => {
    const { peer, ours } = await open();
    await peer.send(Buffer.concat(Array.from({ length: 100 }, () => part(1_000, false))));
    await until(() => Number(transport.status!()['reassemblyBytes']) > 90_000);
    const sending = failureOf(() =>
      sendAll(
        ours,
        Array.from({ length: 100 }, () => ({ channelId: 0x77, bytes: pattern(1_000_000) })),
      ),
    );
    peer.socket.resetAndDestroy();
    expect(await ours.ended).toEqual(code('ERR_CONNECTION_RESET'));
    expect(await sending).toEqual(code('ERR_CONNECTION_RESET'));
    expect(transport.status!()).toMatchObject({ reassemblyBytes: 0 });
  });

  test('survives a reset at every stage', async () => {
    for (let cut = 0; cut <= 2_200; cut += 100) {
      const { peer, ours } = await meet();
      const failure = failureOf(() => ours.handshake(handshakeOf(keyOf('b')), live()).then(() => ours.receiveMessage(live())));
      await honest(peer, cut);
      peer.socket.resetAndDestroy();
      expect(await failure).toMatchObject({ code: expect.stringMatching(/^ERR_CONNECTION_(RESET|CLOSED)$/) });
      expect(await ours.ended).toMatchObject({ code: expect.stringMatching(/^ERR_CONNECTION_(RESET|CLOSED)$/) });
    }
  });

  test('that flushes delivers everything, although the remote is sending all the while', async () => {
    const { near, far } = await pair();
    const incoming = sendAll(
      far,
      Array.from({ length: 50 }, () => ({ channelId: 0x77, bytes: pattern(300_000) })),
    ).catch(() => undefined);
    const sent = [
      near.sendMessage({ channelId: 0x01, bytes: pattern(1_000_000) }, live()),
      near.sendMessage({ channelId: 0x77, bytes: pattern(1_000_000) }, live()),
    ];
    const closing = near.close({ flush: true });
    expect((await receive(far, 2)).map(({ bytes }) => bytes.length)).toEqual([1_000_000, 1_000_000]);
    await Promise.all([...sent, closing, incoming]);
    expect(await near.ended).toBeUndefined();
    expect(await far.ended).toEqual(code('ERR_CONNECTION_CLOSED'));
  });

  test('that flushes to a remote that never closes gives up after the time in which it would call it stalled', async () => {
    const { peer, ours } = await open();
    peer.socket.allowHalfOpen = true;
    const closing = ours.close({ flush: true });
    await until(() => peer.socket.readableEnded);
    await clock.advanceAsync(10_000);
    await closing;
    expect(await ours.ended).toBeUndefined();
  });

  test('drops a peer that stops reading', async () => {
    const slow = await listen(fastLink({ stallMs: 10_000, silenceMs: 1_000_000 }));
    const { peer, ours } = await open(slow);
    peer.socket.pause();
    const sending = failureOf(() =>
      sendAll(
        ours,
        Array.from({ length: 100 }, () => ({ channelId: 0x77, bytes: pattern(1_000_000) })),
      ),
    );
    const state = { ended: false };
    void ours.ended.then(() => (state.ended = true));
    // The buffers of the system have to fill first; how many turns that takes is its own affair.
    for (let second = 0; second < 500 && !state.ended; second++) {
      await settle(10);
      await clock.advanceAsync(1_000);
    }
    expect(await ours.ended).toEqual(code('ERR_CONNECTION_STALLED'));
    expect(await sending).toEqual(code('ERR_CONNECTION_STALLED'));
  });

  test('leaves the socket of a fast peer unread while it has to pay, and then reads on', async () => {
    const limited = await listen(fastLink({ receiveRate: 1_000_000 }));
    const { peer, ours } = await open(limited);
    void peer.send(Buffer.concat(Array.from({ length: 3_000 }, () => part(1_000))));
    let count = 0;
    const reading = (async () => {
      while (count < 3_000) {
        await ours.receiveMessage(live());
        count++;
      }
    })();
    await settle(50);
    expect(count).toBeLessThan(600);
    const before = count;
    await clock.advanceAsync(1_000);
    await settle(50);
    expect(count - before).toBeGreaterThan(400);
    expect(count - before).toBeLessThan(600);
    await clock.advanceAsync(6_000);
    await reading;
  });

  test('whose nonces run out ends itself before one is used twice', async () => {
    const link = fastLink();
    const handshake = parseOptions(handshakeOptions, {});
    const late = mconnTransport({ clock, link, handshake, aead: selectAead('auto'), nonceStart: 2n ** 64n - 6n });
    transports.push(late);
    await late.listen({ protocol: 'mconn', ip: '127.0.0.1', port: 0, path: '' });
    const { near, far } = await pair(late);
    await near.sendMessage({ channelId: 0x01, bytes: pattern(10) }, live());
    expect((await receive(far, 1))[0]!.bytes.length).toBe(10);
    await near.sendMessage({ channelId: 0x01, bytes: pattern(5_000) }, live());
    expect(await near.ended).toEqual(code('ERR_NONCE_EXHAUSTED'));
  });
});
