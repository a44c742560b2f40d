/** An mconn transport on loopback under a virtual clock, and the two kinds of remotes that specs connect to it: raw ones, and our own. */
import { expect } from '@jest/globals';
import { delimited } from '../../proto/codec.ts';
import { encodeNodeInfo } from '../../proto/node-info.ts';
import { handshakeOptions, parseOptions, type LinkOptions } from '../../proto/options.ts';
import { selectAead } from '../../transports/mconn/aead.ts';
import { mconnTransport } from '../../transports/mconn/transport.ts';
import { settle, VirtualClock } from '../../transports/simulated.ts';
import type { Connection, Transport } from '../../transports/transport.ts';
import { fastLink } from './mconn-halves.ts';
import { RawPeer } from './raw-peer.ts';
import { handshakeOf, keyOf, live, nodeInfoOf } from './transport-bench.ts';

/** A raw peer with our end of its connection. */
export type Meeting = Readonly<{ peer: RawPeer; ours: Connection }>;

/** Everything one spec opens, so that it can be closed and looked for afterwards. */
export class MconnBench {
  readonly clock = new VirtualClock();
  readonly #peers: RawPeer[] = [];
  readonly #connections: Connection[] = [];
  readonly #transports: Transport[] = [];

  async listen({ link = fastLink(), nonceStart }: { link?: LinkOptions; nonceStart?: bigint } = {}): Promise<Transport> {
    const { clock } = this;
    const handshake = parseOptions(handshakeOptions, {});
    const made = mconnTransport({ clock, link, handshake, aead: selectAead('auto'), ...(nonceStart === undefined ? {} : { nonceStart }) });
    this.#transports.push(made);
    await made.listen({ protocol: 'mconn', ip: '127.0.0.1', port: 0, path: '' });
    return made;
  }

  track(peer: RawPeer | undefined, ours: Connection): void {
    if (peer) this.#peers.push(peer);
    this.#connections.push(ours);
  }

  /** Not yet shaken hands. */
  async meet(to: Transport): Promise<Meeting> {
    const [peer, accepted] = await Promise.all([RawPeer.dial(to.endpoints()[0]!), to.accept(live())]);
    const ours = accepted!;
    this.track(peer, ours);
    return { peer, ours };
  }

  /** After an honest handshake: the raw peer is `a`, we are `b`. */
  async open(to: Transport): Promise<Meeting> {
    const met = await this.meet(to);
    await Promise.all([met.peer.handshake(keyOf('a'), nodeInfoOf(keyOf('a'))), met.ours.handshake(handshakeOf(keyOf('b')), live())]);
    return met;
  }

  /** Both ends ours, after their handshake. */
  async pair(to: Transport): Promise<Readonly<{ near: Connection; far: Connection }>> {
    const [near, accepted] = await Promise.all([to.dial(to.endpoints()[0]!, live()), to.accept(live())]);
    const far = accepted!;
    this.track(undefined, near);
    this.track(undefined, far);
    await Promise.all([near.handshake(handshakeOf(keyOf('a')), live()), far.handshake(handshakeOf(keyOf('b')), live())]);
    return { near, far };
  }

  async aftermath(): Promise<void> {
    for (const peer of this.#peers) peer.close();
    await Promise.all(this.#connections.map((connection) => connection.close()));
    await Promise.all(this.#transports.map((made) => made.close()));
    expect(this.clock.pending).toBe(0);
  }
}

/** Turns of the event loop until something has happened, which does not depend on time. */
export async function until(happened: () => boolean): Promise<void> {
  for (let turn = 0; turn < 5_000 && !happened(); turn++) await settle(1);
  expect(happened()).toBe(true);
}

/** Shakes hands honestly as `a`, but sends no more than `limit` bytes of it. */
export async function honestUpTo(peer: RawPeer, limit: number): Promise<void> {
  let left = limit;
  const write = peer.write.bind(peer);
  peer.write = (bytes) => {
    const some = bytes.subarray(0, Math.min(left, bytes.length));
    left -= some.length;
    return some.length === 0 ? Promise.resolve() : write(some);
  };
  if (limit < 35) return peer.write(Uint8Array.from([0x22, 0x0a, 0x20, ...new Uint8Array(32).fill(5)]));
  await peer.send(await peer.agree(keyOf('a')));
  await peer.send(delimited(encodeNodeInfo(nodeInfoOf(keyOf('a')))));
}
