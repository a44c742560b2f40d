/** The contract between the router and anything that moves messages between nodes (ADR 062, Transport). Open to a user's own transport. */
import type { Endpoint } from '../proto/endpoint.ts';
import type { NodeId, NodeKey } from '../proto/identity.ts';
import type { NodeInfo } from '../proto/node-info.ts';

/** The scheme of an address or endpoint that a transport serves, lower case: `mconn`, `tcp`, `memory`. */
export type Protocol = string;

/** What both ends of a connection agree to carry on one channel. Ids are 0 to 255. */
export type ChannelDescriptor = Readonly<{
  id: number;
  /** Weight in the packet scheduler, 1 or more: a larger one gets more of the bandwidth. */
  priority: number;
  /** Largest message in bytes, both ways. There is no implicit limit. */
  maxMessageBytes: number;
}>;

/** One whole message: the unit that a connection carries, in order within its channel. */
export type Message = Readonly<{ channelId: number; bytes: Uint8Array }>;

/** What we present in a handshake. */
export type Handshake = Readonly<{
  key: NodeKey;
  nodeInfo: NodeInfo;
  /** The id that was dialed; a remote that authenticates as another is refused with `ERR_HANDSHAKE_WRONG_ID`. */
  expectedId?: NodeId;
  /** The channels that this connection will carry for its whole life. */
  channels: readonly ChannelDescriptor[];
  /** Awaited, where the transport can, once the remote has proved who it is and before our NodeInfo leaves. */
  beforeNodeInfo?: (remote: NodeId, signal: AbortSignal) => Promise<void> | undefined;
}>;

/** Who the remote proved to be. `nodeInfo` is decoded and validated (wire rules of NodeInfo), but not yet compared with ours. */
export type RemotePeer = Readonly<{ nodeId: NodeId; publicKey: Uint8Array; nodeInfo: NodeInfo }>;

/** Counters of a connection since it was made. Never throws, even before the handshake. */
export type ConnectionStatus = Readonly<{
  bytesSent: number;
  bytesReceived: number;
  messagesSent: number;
  messagesReceived: number;
  /** Milliseconds since the last byte from the remote. */
  idleMs: number;
  /** Last measured round trip of a ping in milliseconds, once there was one. */
  roundTripMs?: number;
}>;

/**
 * One connection to one remote, owned by one link.
 * Sending before the handshake is `ERR_HANDSHAKE_STATE`; after the end, every call fails with the error that ended it.
 */
export interface Connection {
  readonly direction: 'inbound' | 'outbound';
  readonly localEndpoint: Endpoint;
  readonly remoteEndpoint: Endpoint;
  /** Resolves once, when the connection has ended: with undefined after our own `close`, else with the error that ended it. Never rejects. */
  readonly ended: Promise<Error | undefined>;
  /** Proves who both ends are and exchanges NodeInfo, once. An abort rejects with exactly the signal's reason and closes the connection. */
  handshake(own: Handshake, signal: AbortSignal): Promise<RemotePeer>;
  /**
   * Hands over one message. Returns nothing when the channel can take another at once, else a promise that resolves when it can, and
   * rejects when the connection ends, whoever ends it: what it holds counts against limits of the whole process until then.
   * At most one message a channel is held: calling again before that promise has resolved is a programming error.
   * The bytes must not change afterwards.
   * @throws TroupeError `ERR_CHANNEL_UNKNOWN`, `ERR_SEND_TOO_LARGE`, or the error that ended the connection.
   */
  sendMessage(message: Message, signal: AbortSignal): void | Promise<void>;
  /** The next message, at once if one is waiting. The bytes belong to the caller. One caller at a time. While nobody asks, the remote is slowed down. */
  receiveMessage(signal: AbortSignal): Message | Promise<Message>;
  status(): ConnectionStatus;
  /** Where the transport can: sends a ping and resolves with its round trip in milliseconds. Rejects with the error that ended the connection, or the signal's reason. */
  ping?(signal: AbortSignal): Promise<number>;
  /** Ends the connection. With `flush`, what was handed over is written first, until the signal aborts. Idempotent; never rejects. */
  close(options?: { flush?: boolean; signal?: AbortSignal; reason?: Error }): Promise<void>;
}

/** Makes connections, and accepts them on the endpoints it listens on. */
export interface Transport {
  /** Never empty; the first names the transport in logs. */
  readonly protocols: readonly Protocol[];
  /** What it listens on now; empty before `listen` and after `close`. */
  endpoints(): readonly Endpoint[];
  /** Starts listening, once. @throws TroupeError `ERR_LISTEN_UNAVAILABLE`, `ERR_ENDPOINT_INVALID`. */
  listen(endpoint: Endpoint, signal?: AbortSignal): Promise<void>;
  /** The next inbound connection, not yet shaken hands with; undefined once the transport is closed, and at every later call. */
  accept(signal: AbortSignal): Promise<Connection | undefined>;
  /** Connects to an endpoint. An aborted signal rejects with exactly its reason. Works on a closed transport too. @throws TroupeError `ERR_DIAL_FAILED`, `ERR_ENDPOINT_INVALID`. */
  dial(endpoint: Endpoint, signal: AbortSignal): Promise<Connection>;
  /** Stops listening and accepting; connections that exist live on. Idempotent. */
  close(): Promise<void>;
  /** Facts for the status page, for example the AEAD backend in use. */
  status?(): Readonly<Record<string, string | number>>;
}
