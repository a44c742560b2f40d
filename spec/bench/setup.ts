/** What both processes of a bench agree on. */
import {
  createNode,
  echoMessage,
  generateNodeKey,
  memoryStore,
  type ChannelOptions,
  type CreateNodeOptions,
  type Echo,
  type Node,
} from '../../index.ts';

/** Rates of the bench, printed with its figures: nothing here is limited but by the machine. */
export const unlimited = 2 ** 40;

export const dataChannel: ChannelOptions<Echo> = { id: 0x78, name: 'data', type: echoMessage, priority: 5, maxMessageBytes: 1 << 20 };
export const echoChannel: ChannelOptions<Echo> = { id: 0x79, name: 'echo', type: echoMessage, priority: 5, maxMessageBytes: 1 << 20 };

export type Backend = 'sodium' | 'node' | 'noble';

/** A node that only the bench's own limits hold back. */
export function benchNode(aead: Backend, options: CreateNodeOptions = {}): Promise<Node> {
  return createNode({
    network: 'bench',
    store: memoryStore(),
    key: generateNodeKey(),
    listen: ['mconn://127.0.0.1:0'],
    monitor: false,
    logLevel: 'error',
    aead,
    link: { sendRate: unlimited, receiveRate: unlimited },
    mailbox: { peerShare: 100 },
    slots: { inbound: 1_000 },
    pressure: { softBytes: 2 ** 36, hardBytes: 2 ** 36, maxLoopDelayMs: 60_000 },
    ...options,
  });
}

/** Scale of a run: 1 in full, less for a short form. */
export const scale = Number(process.env.TROUPE_SCALE ?? 1);

/** How much longer than its bound a short form may take: it runs on machines that do other things too. */
export const slack = scale < 1 ? 2 : 1;
