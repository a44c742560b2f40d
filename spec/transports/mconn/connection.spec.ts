import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { pingPacket, pongPacket } from '../../../transports/mconn/packet.ts';
import { settle } from '../../../transports/simulated.ts';
import type { Transport } from '../../../transports/transport.ts';
import { honestUpTo, MconnBench, until } from '../../support/mconn-bench.ts';
import { fastLink, packetOf } from '../../support/mconn-halves.ts';
import type { RawPeer } from '../../support/raw-peer.ts';
import { failureOf, handshakeOf, keyOf, live, pattern, receive, sendAll } from '../../support/transport-bench.ts';

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

describe('a connection', () => {
  test('carries messages of every size both ways', async () => {
    const { near, far } = await bench.pair(transport);
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
    const { peer, ours } = await bench.open(transport);
    await peer.send(Buffer.concat([part(1_400, false), part(1_400, false), part(1_400), part(1), part(2), part(3)]));
    expect((await receive(ours, 4)).map(({ bytes }) => bytes.length)).toEqual([4_200, 1, 2, 3]);
  });

  test('takes bytes one by one', async () => {
    const { peer, ours } = await bench.open(transport);
    for (const byte of peer.seal(part(100))) await peer.write(Uint8Array.of(byte));
    expect((await receive(ours, 1))[0]!.bytes.length).toBe(100);
  });

  test('sends packets that a Go peer with its default limit reads, also on channels from 0x80 up', async () => {
    const { peer, ours } = await bench.open(transport);
    await ours.sendMessage({ channelId: 0xff, bytes: pattern(1_000) }, live());
    await ours.sendMessage({ channelId: 0x01, bytes: pattern(1_024) }, live());
    let plain = Buffer.alloc(0);
    while (plain.length < 1_013 + 1_036) plain = Buffer.concat([plain, await peer.frame()]);
    expect(plain.subarray(0, 14).toString('hex')).toBe('f3071af00708ff0110011ae807' + '00');
    expect(plain.subarray(1_013, 1_013 + 12).toString('hex')).toBe('8a081a870808011001' + '1a8008');
  });

  test('answers a ping that comes while nobody reads messages', async () => {
    const { peer } = await bench.open(transport);
    await peer.send(Buffer.concat([part(1_000), part(1_000), pingPacket]));
    expect(await said(peer)).toBe('021200');
  });

  test('measures its round trip and shows it', async () => {
    const { peer, ours } = await bench.open(transport);
    expect(ours.status().roundTripMs).toBeUndefined();
    const trip = ours.ping!(live());
    expect(await said(peer)).toBe('020a00');
    await bench.clock.advanceAsync(25);
    await peer.send(pongPacket);
    expect([await trip, ours.status().roundTripMs]).toEqual([25, 25]);
  });

  test('pings after a minute and drops a peer that has been silent', async () => {
    const { peer, ours } = await bench.open(transport);
    await bench.clock.advanceAsync(60_000);
    expect(await said(peer)).toBe('020a00');
    await bench.clock.advanceAsync(45_000);
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
    const { peer, ours } = await bench.open(transport);
    const reading = failureOf(() => ours.receiveMessage(live()));
    await peer.write(bytes(peer));
    expect(await ours.ended).toEqual(code(expected));
    expect(await reading).toEqual(code(expected));
    expect(await failureOf(() => ours.sendMessage({ channelId: 1, bytes: pattern(1) }, live()))).toEqual(code(expected));
    expect(await failureOf(() => ours.ping!(live()))).toEqual(code(expected));
    await peer.ended;
  });

  test('that the remote ends between frames is closed, after all that came before was read', async () => {
    const { peer, ours } = await bench.open(transport);
    await peer.send(Buffer.concat([part(10), part(20), part(1_000, false)]));
    peer.socket.end();
    await until(() => peer.socket.destroyed);
    expect((await receive(ours, 2)).map(({ bytes }) => bytes.length)).toEqual([10, 20]);
    expect(await failureOf(() => receive(ours, 1))).toEqual(code('ERR_CONNECTION_CLOSED'));
    expect(await ours.ended).toEqual(code('ERR_CONNECTION_CLOSED'));
  });

  test('that the remote ends inside a frame is broken', async () => {
    const { peer, ours } = await bench.open(transport);
    await peer.write(peer.seal(part(10)).subarray(0, 700));
    peer.socket.end();
    expect(await ours.ended).toEqual(code('ERR_CONNECTION_RESET'));
  });

  test('that the remote resets in the middle of a long message is broken, and gives its memory back', async () => {
    const { peer, ours } = await bench.open(transport);
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
      const { peer, ours } = await bench.meet(transport);
      const failure = failureOf(() => ours.handshake(handshakeOf(keyOf('b')), live()).then(() => ours.receiveMessage(live())));
      await honestUpTo(peer, cut);
      peer.socket.resetAndDestroy();
      expect(await failure).toMatchObject({ code: expect.stringMatching(/^ERR_CONNECTION_(RESET|CLOSED)$/) });
      expect(await ours.ended).toMatchObject({ code: expect.stringMatching(/^ERR_CONNECTION_(RESET|CLOSED)$/) });
    }
  });

  test('that flushes delivers everything, although the remote is sending all the while', async () => {
    const { near, far } = await bench.pair(transport);
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
    const { peer, ours } = await bench.open(transport);
    peer.socket.allowHalfOpen = true;
    const closing = ours.close({ flush: true });
    await until(() => peer.socket.readableEnded);
    await bench.clock.advanceAsync(10_000);
    await closing;
    expect(await ours.ended).toBeUndefined();
  });

  test('drops a peer that stops reading', async () => {
    const slow = await bench.listen({ link: fastLink({ stallMs: 10_000, silenceMs: 1_000_000 }) });
    const { peer, ours } = await bench.open(slow);
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
      await bench.clock.advanceAsync(1_000);
    }
    expect(await ours.ended).toEqual(code('ERR_CONNECTION_STALLED'));
    expect(await sending).toEqual(code('ERR_CONNECTION_STALLED'));
  });

  test('leaves the socket of a fast peer unread while it has to pay, and then reads on', async () => {
    const limited = await bench.listen({ link: fastLink({ receiveRate: 1_000_000 }) });
    const { peer, ours } = await bench.open(limited);
    void peer.send(Buffer.concat(Array.from({ length: 3_000 }, () => part(1_000))));
    const read = { count: 0 };
    const reading = (async () => {
      for (; read.count < 3_000; read.count++) await ours.receiveMessage(live());
    })();
    await settle(50);
    expect(read.count).toBeLessThan(600);
    const start = bench.clock.now();
    for (let step = 0; step < 5_000 && read.count < 3_000; step++) await bench.clock.advanceAsync(10);
    await reading;
    // 3,000 times 1,012 bytes and 1,024 for the message, less the burst of one second.
    expect(bench.clock.now() - start).toBeGreaterThan(5_000);
  });

  test('whose nonces run out ends itself before one is used twice', async () => {
    const late = await bench.listen({ nonceStart: 2n ** 64n - 6n });
    const { near, far } = await bench.pair(late);
    await near.sendMessage({ channelId: 0x01, bytes: pattern(10) }, live());
    expect((await receive(far, 1))[0]!.bytes.length).toBe(10);
    await near.sendMessage({ channelId: 0x01, bytes: pattern(5_000) }, live());
    expect(await near.ended).toEqual(code('ERR_NONCE_EXHAUSTED'));
  });
});
