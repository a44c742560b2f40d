/** Our end of a connection with nothing above it: the mconn transport, a key, and connections that were shaken hands with. */
import {
  generateNodeKey,
  mconnTransport,
  nodeOptions,
  parseNodeId,
  parseOptions,
  realClock,
  selectAead,
  type ChannelDescriptor,
  type Connection,
  type Message,
  type NodeInfo,
  type NodeKey,
  type NodeOptionsInput,
  type RemotePeer,
  type Transport,
} from '../../index.ts';
import { within } from './within.ts';

export const network = 'interop';
/** The channels that every Go peer opens. The last needs two bytes in each packet. */
export const echo = 0x77;
export const bulk = 0x78;
export const high = 0x88;
/** No limit worth the name, in bytes a second. */
export const fast = 1_000_000_000;

/** Channels of both sides in most cases, with the priorities that the Go side has. */
export const plainChannels = (maxMessageBytes = 22_020_096): readonly ChannelDescriptor[] => [
  { id: echo, priority: 5, maxMessageBytes },
  { id: bulk, priority: 1, maxMessageBytes },
  { id: high, priority: 5, maxMessageBytes },
];

export type OursOptions = Readonly<{
  key?: NodeKey;
  channels?: readonly ChannelDescriptor[];
  link?: NodeOptionsInput['link'];
  nodeInfo?: Partial<NodeInfo>;
}>;

const waitMs = 20_000;

/** One identity of ours on loopback. */
export class Ours {
  readonly key: NodeKey;
  readonly channels: readonly ChannelDescriptor[];
  readonly transport: Transport;
  readonly #nodeInfo: Partial<NodeInfo>;
  readonly #signal: AbortSignal;

  constructor({ key = generateNodeKey(), channels = plainChannels(), link = {}, nodeInfo = {} }: OursOptions, signal: AbortSignal) {
    const options = parseOptions(nodeOptions, { link: { sendRate: fast, receiveRate: fast, ...link } });
    this.key = key;
    this.channels = channels;
    this.transport = mconnTransport({ clock: realClock(), link: options.link, handshake: options.handshake, aead: selectAead('auto') });
    this.#nodeInfo = nodeInfo;
    this.#signal = signal;
  }

  listen(): Promise<void> {
    return this.transport.listen({ protocol: 'mconn', ip: '127.0.0.1', port: 0, path: '' });
  }

  /** host:port that it listens on. */
  get endpoint(): string {
    return `127.0.0.1:${this.transport.endpoints()[0]!.port}`;
  }

  get address(): string {
    return `${this.key.id}@${this.endpoint}`;
  }

  get nodeInfo(): NodeInfo {
    return {
      protocolVersion: { p2p: 8n, block: 11n, app: 0n },
      nodeId: this.key.id,
      listenAddr: `tcp://${this.endpoint}`,
      network,
      version: 'troupe/interop',
      channels: this.channels.map(({ id }) => id),
      moniker: 'ours',
      other: { txIndex: 'off', rpcAddress: '' },
      ...this.#nodeInfo,
    };
  }

  dial(endpoint: string): Promise<Connection> {
    const [ip = '', port] = endpoint.split(':');
    return within(waitMs, 'our dial', this.transport.dial({ protocol: 'mconn', ip, port: Number(port), path: '' }, this.#signal));
  }

  async accept(): Promise<Connection> {
    const connection = await within(waitMs, 'a connection to us', this.transport.accept(this.#signal));
    if (!connection) throw new Error('our transport is closed');
    return connection;
  }

  /** Shakes hands; with an id, only with that one. */
  async shake(connection: Connection, expectedId?: string): Promise<Session> {
    const { key, channels, nodeInfo } = this;
    const expected = expectedId === undefined ? {} : { expectedId: parseNodeId(expectedId) };
    const remote = await within(waitMs, 'our handshake', connection.handshake({ key, nodeInfo, channels, ...expected }, this.#signal));
    return new Session(connection, remote, this.#signal);
  }
}

/** A connection after its handshake. */
export class Session {
  readonly connection: Connection;
  readonly remote: RemotePeer;
  readonly #signal: AbortSignal;
  #ended = false;

  constructor(connection: Connection, remote: RemotePeer, signal: AbortSignal) {
    this.connection = connection;
    this.remote = remote;
    this.#signal = signal;
    void connection.ended.then(() => (this.#ended = true));
  }

  get isOpen(): boolean {
    return !this.#ended;
  }

  /** Hands a message over; resolves when its channel can take another. */
  async send(channelId: number, bytes: Uint8Array): Promise<void> {
    await this.connection.sendMessage({ channelId, bytes }, this.#signal);
  }

  /** The next message, of the given channel if there is one. */
  async receive(channelId?: number, ms = waitMs): Promise<Message> {
    for (;;) {
      const message = await within(ms, 'a message to us', Promise.resolve(this.connection.receiveMessage(this.#signal)));
      if (channelId === undefined || message.channelId === channelId) return message;
    }
  }

  /** Reads and forgets what comes until the connection ends; gives the error that ended it. */
  async end(ms = waitMs): Promise<Error | undefined> {
    const read = async (): Promise<void> => {
      for (;;) await this.connection.receiveMessage(this.#signal);
    };
    read().catch(() => undefined);
    return within(ms, 'the end of our connection', this.connection.ended);
  }

  close(options?: Parameters<Connection['close']>[0]): Promise<void> {
    return this.connection.close(options);
  }
}
