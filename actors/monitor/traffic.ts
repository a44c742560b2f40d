/** What goes over a node's connections: totals that outlive them, and those that live now. Links count as they go, nobody looks before somebody asks. */
import type { DisconnectReason } from '../../proto/errors.ts';
import type { NodeId } from '../../proto/identity.ts';
import type { AttemptResult } from '../../transports/resolve.ts';
import type { Connection } from '../../transports/transport.ts';

export type Direction = Connection['direction'];

/** Bytes and messages of one connection, or of all that there were. Bytes are those on the wire, handshakes and packet headers included. */
export type Totals = Readonly<{ bytesSent: number; bytesReceived: number; messagesSent: number; messagesReceived: number }>;

/** Messages of one channel since the node was made, and the bytes of their payloads. */
export type ChannelTotals = Totals & Readonly<{ id: number }>;

/** How a handshake failed: the reason of its disconnect, or `cancelled` when we gave it up ourselves. */
export type HandshakeFailure = DisconnectReason | 'cancelled';

/** One live connection. */
export type ConnectionView = Readonly<{
  connection: Connection;
  /** Who the remote proved to be, once hands are shaken. */
  remote: NodeId | undefined;
  totals: Totals;
  roundTripMs: number | undefined;
}>;

/** All of it, now. */
export type TrafficView = Readonly<{
  totals: Totals;
  /** Channels that have carried a message, by id. */
  channels: readonly ChannelTotals[];
  /** Oldest first. */
  connections: readonly ConnectionView[];
  opened: Readonly<Record<Direction, number>>;
  dials: ReadonlyMap<AttemptResult, number>;
  handshakeFailures: Readonly<Record<Direction, ReadonlyMap<HandshakeFailure, number>>>;
  /** Round trips measured since the last look, in milliseconds; of each connection the latest. */
  roundTripsMs: readonly number[];
}>;

type Live = { readonly connection: Connection; remote: NodeId | undefined; totals: Totals; roundTripMs: number | undefined };

const channels = 256;
const nothing: Totals = Object.freeze({ bytesSent: 0, bytesReceived: 0, messagesSent: 0, messagesReceived: 0 });

/** The counts of one node. Passing a message costs two additions; an id that is no channel's is left out. */
export class Traffic {
  readonly #sent = { messages: new Float64Array(channels), bytes: new Float64Array(channels) };
  readonly #received = { messages: new Float64Array(channels), bytes: new Float64Array(channels) };
  readonly #live = new Map<Connection, Live>();
  readonly #opened = { inbound: 0, outbound: 0 };
  readonly #dials = new Map<AttemptResult, number>();
  readonly #failures = { inbound: new Map<HandshakeFailure, number>(), outbound: new Map<HandshakeFailure, number>() };
  /** Of the connections that have ended. */
  #past = nothing;
  /** Told of each handshake that succeeded, with its seconds. */
  onHandshake: (direction: Direction, seconds: number) => void = () => undefined;

  /** A connection was made; it counts as live until it has ended. */
  opened(connection: Connection): void {
    const live: Live = { connection, remote: undefined, totals: nothing, roundTripMs: undefined };
    this.#live.set(connection, live);
    this.#opened[connection.direction]++;
    void connection.ended.then(() => {
      this.#live.delete(connection);
      this.#past = sum(this.#past, latest(live));
    });
  }

  dialed(result: AttemptResult): void {
    add(this.#dials, result);
  }

  shookHands(connection: Connection, remote: NodeId, ms: number): void {
    const live = this.#live.get(connection);
    if (live) live.remote = remote;
    this.onHandshake(connection.direction, ms / 1_000);
  }

  handshakeFailed(direction: Direction, reason: HandshakeFailure): void {
    add(this.#failures[direction], reason);
  }

  sent(channelId: number, bytes: number): void {
    this.#sent.messages[channelId]! += 1;
    this.#sent.bytes[channelId]! += bytes;
  }

  received(channelId: number, bytes: number): void {
    this.#received.messages[channelId]! += 1;
    this.#received.bytes[channelId]! += bytes;
  }

  /** Looks at every live connection. One reader, for the sake of `roundTripsMs`. */
  look(): TrafficView {
    let totals = this.#past;
    const roundTripsMs: number[] = [];
    const connections = [...this.#live.values()].map((live): ConnectionView => {
      const { roundTripMs } = live.connection.status();
      if (roundTripMs !== undefined && roundTripMs !== live.roundTripMs) roundTripsMs.push(roundTripMs);
      live.roundTripMs = roundTripMs;
      totals = sum(totals, latest(live));
      return { ...live };
    });
    return {
      totals,
      channels: this.#channels(),
      connections,
      opened: this.#opened,
      dials: this.#dials,
      handshakeFailures: this.#failures,
      roundTripsMs,
    };
  }

  #channels(): ChannelTotals[] {
    const used: ChannelTotals[] = [];
    for (let id = 0; id < channels; id++) {
      const messagesSent = this.#sent.messages[id]!;
      const messagesReceived = this.#received.messages[id]!;
      if (messagesSent + messagesReceived === 0) continue;
      used.push({ id, messagesSent, messagesReceived, bytesSent: this.#sent.bytes[id]!, bytesReceived: this.#received.bytes[id]! });
    }
    return used;
  }
}

/** What a connection says now; never less than it said before, because a socket forgets at its end what it had not written. */
function latest(live: Live): Totals {
  const { totals, connection } = live;
  const now = connection.status();
  live.totals = {
    bytesSent: Math.max(totals.bytesSent, now.bytesSent),
    bytesReceived: Math.max(totals.bytesReceived, now.bytesReceived),
    messagesSent: Math.max(totals.messagesSent, now.messagesSent),
    messagesReceived: Math.max(totals.messagesReceived, now.messagesReceived),
  };
  return live.totals;
}

function sum(one: Totals, other: Totals): Totals {
  return {
    bytesSent: one.bytesSent + other.bytesSent,
    bytesReceived: one.bytesReceived + other.bytesReceived,
    messagesSent: one.messagesSent + other.messagesSent,
    messagesReceived: one.messagesReceived + other.messagesReceived,
  };
}

function add<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
