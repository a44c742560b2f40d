/** Two whole nodes on a memory network under virtual time, with nothing between them but what the network does: their routers dial each other. */
import { expect } from '@jest/globals';
import { pino } from 'pino';
import { createNode, type Node } from '../../actors/node.ts';
import type { Channel } from '../../actors/channel.ts';
import { memoryStore } from '../../actors/stores/memory.ts';
import type { PeerStore } from '../../actors/peer-store.ts';
import { bytes } from '../../proto/codec.ts';
import type { Clock, Random } from '../../transports/clock.ts';
import { memoryNetwork, type MemoryNetwork } from '../../transports/memory.ts';
import { settle, type VirtualClock } from '../../transports/simulated.ts';
import type { Connection, Transport } from '../../transports/transport.ts';
import { keyOf } from './transport-bench.ts';

const log = pino({ level: 'silent' });
/** The one with the lower id first. */
const keys = [keyOf('a'), keyOf('b')].sort((a, b) => (a.id < b.id ? -1 : 1));
const talk = { id: 1, type: bytes, priority: 1, maxMessageBytes: 10 };

/** What a pair is made of: the network's clock may be another than the nodes'. */
export type PairOptions = Readonly<{ wire: Clock; random: Random; latencyMs: number; jitterMs?: number; persistent: boolean }>;

/** See the module. */
export class Pair {
  readonly clock: VirtualClock;
  readonly network: MemoryNetwork;
  readonly nodes: Node[] = [];
  readonly stores: PeerStore[] = [];
  /** When the first dial began, and when the latest handshake was done at both ends. */
  dialedAt: number | undefined;
  shookAt = 0;
  readonly #channels: Channel<Uint8Array>[] = [];

  private constructor(clock: VirtualClock, network: MemoryNetwork) {
    this.clock = clock;
    this.network = network;
  }

  /** Two nodes that listen. Persistent ones dial each other at once, others when they are told the address. */
  static async start(clock: VirtualClock, { wire, random, persistent, ...line }: PairOptions): Promise<Pair> {
    const pair = new Pair(clock, memoryNetwork({ clock: wire, random, silenceMs: 2_000_000_000, ...line }));
    for (const [n, key] of keys.entries()) {
      const store = memoryStore();
      const node = await createNode({
        network: 'pair',
        key,
        store,
        persistentPeers: persistent ? [pair.addressOf(1 - n)] : [],
        transports: [pair.#tapped(pair.network.transport(key.id))],
        monitor: false,
        environment: { clock, random },
        log,
      });
      pair.stores.push(store);
      pair.nodes.push(node);
      pair.#channels.push(node.openChannel(talk));
    }
    const started = Promise.all(pair.nodes.map((node) => node.start()));
    await clock.advanceAsync(0);
    await started;
    return pair;
  }

  addressOf(n: number): string {
    return `memory:${keys[n]!.id}`;
  }

  /** Notes when dials begin and handshakes end. */
  #tapped(transport: Transport): Transport {
    const tap = (connection: Connection): Connection => {
      const shake = connection.handshake.bind(connection);
      connection.handshake = async (own, signal) => {
        const remote = await shake(own, signal);
        this.shookAt = this.clock.now();
        return remote;
      };
      return connection;
    };
    const dial = transport.dial.bind(transport);
    const accept = transport.accept.bind(transport);
    transport.dial = async (endpoint, signal) => {
      this.dialedAt ??= this.clock.now();
      return tap(await dial(endpoint, signal));
    };
    transport.accept = async (signal) => {
      const connection = await accept(signal);
      return connection && tap(connection);
    };
    return transport;
  }

  /** Which node dialed the one link that both have and that alone is open; undefined when there is no such thing. */
  agreed(): number | undefined {
    if (this.network.counts().connections !== 2) return undefined;
    const [low, high] = this.nodes.map((node) => node.peers.list()[0]);
    if (low?.state !== 'up' || high?.state !== 'up' || low.direction === high.direction) return undefined;
    return low.direction === 'outbound' ? 0 : 1;
  }

  /** A message gets through each way: the link that one has is the link that the other has. Over a network whose time is the nodes'. */
  async expectTalk(): Promise<void> {
    for (const [n, channel] of this.#channels.entries()) {
      expect(await channel.send({ to: keys[1 - n]!.id, message: Uint8Array.of(n) })).toBe(true);
    }
    for (const [n, channel] of this.#channels.entries()) {
      const reader = channel[Symbol.asyncIterator]();
      const next = reader.next();
      await this.clock.advanceAsync(3_000);
      expect((await next).value).toMatchObject({ message: Uint8Array.of(1 - n) });
    }
  }

  /**
   * Crossing dials cost nobody score, ban or pause. The lower id fails no dial; the higher one may count one failure, when the end of its dial, which the
   * lower refused, overtakes all of the handshake of the link that is kept.
   */
  expectNoBlame(): void {
    for (const [n, store] of this.stores.entries()) {
      for (const { addresses, ...row } of store.load()) {
        expect(row).toMatchObject({ score: 0, reports: [], bannedUntil: 0, inactiveUntil: 0 });
        for (const { failures } of addresses) expect(failures).toBeLessThanOrEqual(n);
      }
    }
  }

  /** Stops both; `run` keeps a network going that has a clock of its own. */
  async stop(run: () => void = () => undefined): Promise<void> {
    const progress = { isStopped: false };
    const stopping = Promise.all(this.nodes.map((node) => node.stop())).then(() => (progress.isStopped = true));
    while (!progress.isStopped) {
      run();
      await settle(1);
      const { nextAt } = this.clock;
      if (nextAt !== undefined) await this.clock.advanceAsync(nextAt - this.clock.now());
    }
    await stopping;
    // The news of the end is still on its way.
    await this.clock.advanceAsync(2_000);
    expect(this.network.counts()).toMatchObject({ connections: 0, listening: 0 });
    expect(this.clock.pending).toBe(0);
  }
}
