/** Whole nodes on one memory network under one virtual clock, and reactors that talk so that every message can be counted. */
import pino from 'pino';
import type { CreateNodeOptions } from '../../actors/assembly.ts';
import { createNode, type Node } from '../../actors/node.ts';
import { reactor, type Reactor } from '../../actors/reactor.ts';
import { nodeKeyFromSeed, type NodeId } from '../../proto/identity.ts';
import type { MessageType } from '../../proto/codec.ts';
import { memoryNetwork } from '../../transports/memory.ts';
import { seededRandom } from './random.ts';
import { settle, VirtualClock } from './virtual-clock.ts';

const silent = pino({ level: 'silent' });

/** Messages that are numbers. */
const numbers: MessageType<number> = {
  encode: (n) => Uint8Array.of(n >>> 24, n >>> 16, n >>> 8, n),
  decode: (encoded) => new DataView(encoded.buffer, encoded.byteOffset).getUint32(0),
};

/** A channel of numbers. */
export const numbered = (id: number) => ({ id, type: numbers, priority: 1, maxMessageBytes: 4 });

/** A network and what is needed to start nodes on it. `stop` stops them all. */
export function nodes(seed = 1) {
  const clock = new VirtualClock();
  const random = seededRandom(seed);
  const net = memoryNetwork({ clock, random });
  const running: Node[] = [];
  let made = 0;
  const options = (more: CreateNodeOptions = {}): CreateNodeOptions => {
    const key = nodeKeyFromSeed(new Uint8Array(32).fill(++made));
    return {
      network: 'sim',
      key,
      transports: [net.transport(key.id)],
      monitor: false,
      environment: { clock, random },
      log: silent,
      ...more,
    };
  };
  const start = async (more?: CreateNodeOptions): Promise<Node> => {
    const node = await createNode(options(more));
    running.push(node);
    await node.start();
    return node;
  };
  /** Stops every node; time goes on meanwhile. */
  const stop = async (): Promise<void> => {
    const stopped = Promise.all(running.splice(0).map((node) => node.stop()));
    await clock.advanceAsync(10_000);
    await stopped;
  };
  return { clock, net, options, start, stop };
}

/** Sends the numbers from 0 on to every peer, on each of its channels, one every `everyMs`. */
export function counting(channels: Readonly<Record<string, ReturnType<typeof numbered>>>, everyMs: number) {
  const sent: Record<string, number> = Object.fromEntries(Object.keys(channels).map((name) => [name, 0]));
  const up = new Set<NodeId>();
  const made: Reactor = reactor({
    name: 'counting',
    channels,
    onPeerUpdate: ({ id, status }) => {
      if (status === 'up') up.add(id);
      else up.delete(id);
    },
    every: [
      [
        everyMs,
        async (context) => {
          for (const [name, channel] of Object.entries(context.channels)) {
            for (const to of up) if (await channel.send({ to, message: sent[name]! })) sent[name]!++;
          }
        },
      ],
    ],
  });
  return { reactor: made, sent };
}

/** Writes down what it hears. */
export function listening(name: string, id: number) {
  const heard: number[] = [];
  const made = reactor({ name, channels: { [name]: numbered(id) }, onMessage: ({ message }) => void heard.push(message) });
  return { reactor: made, heard };
}

/** What a node's peers go through: each update from now on, as text. */
export function updatesOf(node: Node): string[] {
  const seen: string[] = [];
  void (async () => {
    for await (const update of node.peers.updates())
      if (!('snapshotEnd' in update)) seen.push(`${update.status} ${update.reason ?? ''}`.trim());
  })();
  return seen;
}

export { settle };
