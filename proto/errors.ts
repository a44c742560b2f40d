/** Every error we throw: a code users match, and whose fault it was. `docs/errors.md` prints the tables; a spec compares them. */

/** Who is to blame: the remote peer, the network between, the local host and its configuration, or ourselves. */
export type Fault = 'peer' | 'network' | 'local' | 'internal';

const codes = {
  // what an address, an id, a key or an option says
  ERR_ADDRESS_INVALID: { fault: 'local', message: 'not a node address' },
  ERR_ENDPOINT_INVALID: { fault: 'local', message: 'not an endpoint this transport can use' },
  ERR_NODE_ID_INVALID: { fault: 'local', message: 'not a node id: 40 lower-case hex characters' },
  ERR_NODE_KEY_INVALID: { fault: 'local', message: 'the node key file does not hold a usable Ed25519 key' },
  ERR_NODE_KEY_UNREADABLE: { fault: 'local', message: 'the node key file cannot be read or written' },
  ERR_OPTION_INVALID: { fault: 'local', message: 'an option is unknown or out of range' },
  ERR_CONFIG_UNREADABLE: { fault: 'local', message: 'the configuration file cannot be read' },
  ERR_HOME_IN_USE: { fault: 'local', message: 'another process uses this home' },
  ERR_HOME_EXISTS: { fault: 'local', message: 'this home has been initialised already' },
  ERR_HOME_MISSING: { fault: 'local', message: 'this home has not been initialised' },
  // transports
  ERR_LISTEN_UNAVAILABLE: { fault: 'local', message: 'cannot listen on this address' },
  ERR_TRANSPORT_CLOSED: { fault: 'local', message: 'the transport is closed' },
  ERR_TRANSPORT_UNKNOWN: { fault: 'local', message: 'no transport serves this protocol' },
  ERR_RESOLVE_FAILED: { fault: 'network', message: 'the host name has no usable address' },
  ERR_DIAL_FAILED: { fault: 'network', message: 'no endpoint of the peer accepted a connection' },
  ERR_DIAL_TIMEOUT: { fault: 'network', message: 'the peer did not answer in time' },
  ERR_CONNECTION_CLOSED: { fault: 'network', message: 'the connection is closed' },
  ERR_CONNECTION_RESET: { fault: 'network', message: 'the connection broke' },
  ERR_CONNECTION_SILENT: { fault: 'network', message: 'the peer has been silent for too long' },
  ERR_CONNECTION_STALLED: { fault: 'peer', message: 'the peer stopped reading' },
  // handshake
  ERR_HANDSHAKE_TIMEOUT: { fault: 'peer', message: 'the handshake did not finish in time' },
  ERR_HANDSHAKE_STATE: { fault: 'internal', message: 'the connection is used before or twice in its handshake' },
  ERR_HANDSHAKE_MALFORMED: { fault: 'peer', message: 'a handshake message has the wrong size or shape' },
  ERR_HANDSHAKE_WEAK_KEY: { fault: 'peer', message: 'the peer offered a low-order, small-order or echoed key' },
  ERR_HANDSHAKE_KEY_TYPE: { fault: 'peer', message: 'the peer key is not Ed25519' },
  ERR_HANDSHAKE_SIGNATURE: { fault: 'peer', message: 'the peer does not hold the key it claims' },
  ERR_HANDSHAKE_WRONG_ID: { fault: 'peer', message: 'the peer is not the one that was dialed' },
  ERR_HANDSHAKE_SELF: { fault: 'local', message: 'the peer is this node itself' },
  ERR_NODE_INFO_INVALID: { fault: 'peer', message: 'the peer sent an invalid NodeInfo' },
  ERR_NODE_INFO_TOO_LARGE: { fault: 'peer', message: 'the peer sent a NodeInfo above 10,240 bytes' },
  ERR_PEER_INCOMPATIBLE: { fault: 'peer', message: 'the peer is of another network, block version or shares no channel' },
  ERR_PEER_REJECTED: { fault: 'peer', message: 'the peer closed the connection right after NodeInfo' },
  ERR_HANDSHAKES_PENDING: { fault: 'network', message: 'too many handshakes are under way' },
  // frames, packets, messages
  ERR_FRAME_UNSEALED: { fault: 'peer', message: 'a sealed frame does not open' },
  ERR_FRAME_MALFORMED: { fault: 'peer', message: 'a frame states an impossible length' },
  ERR_FRAMES_EMPTY: { fault: 'peer', message: 'too many empty frames in a row' },
  ERR_NONCE_EXHAUSTED: { fault: 'internal', message: 'the connection has used its last nonce' },
  ERR_AEAD_UNAVAILABLE: { fault: 'local', message: 'this AEAD backend cannot be loaded here' },
  ERR_PACKET_TOO_LARGE: { fault: 'peer', message: 'a packet is above the size limit' },
  ERR_PACKET_MALFORMED: { fault: 'peer', message: 'a packet does not decode' },
  ERR_CHANNEL_UNKNOWN: { fault: 'peer', message: 'a packet names a channel this connection does not have' },
  ERR_MESSAGE_TOO_LARGE: { fault: 'peer', message: 'a message is above the capacity of its channel' },
  ERR_MESSAGE_PARKED: { fault: 'peer', message: 'a partial message was left unfinished' },
  ERR_REASSEMBLY_FULL: { fault: 'peer', message: 'partial messages exceed the memory allowed for them' },
  ERR_MESSAGE_MALFORMED: { fault: 'peer', message: 'a message does not decode' },
  ERR_PINGS_FLOODING: { fault: 'peer', message: 'the peer sends too many pings' },
  ERR_PACKETS_EMPTY: { fault: 'peer', message: 'the peer sends too many empty packets' },
  // channels
  ERR_CHANNEL_CLOSED: { fault: 'local', message: 'the channel is closed' },
  ERR_CHANNEL_OPEN: { fault: 'local', message: 'a channel with this id is open already' },
  ERR_CHANNEL_ID_INVALID: { fault: 'local', message: 'a channel id is an integer from 0 to 255, and a node lists at most 16' },
  ERR_CHANNEL_READ_TWICE: { fault: 'local', message: 'a channel has one reader' },
  ERR_SEND_TOO_LARGE: { fault: 'local', message: 'the message is above the capacity of its channel' },
  ERR_SEND_INVALID: { fault: 'local', message: 'the message cannot be encoded' },
  ERR_REQUEST_TIMEOUT: { fault: 'peer', message: 'the peer did not answer the request in time' },
  ERR_REQUEST_PENDING: { fault: 'local', message: 'a request to this peer on this channel is still open' },
  ERR_REQUEST_FAILED: { fault: 'network', message: 'the request could not be sent or its peer went down' },
  // peers
  ERR_PEER_UNKNOWN: { fault: 'local', message: 'this peer is not known' },
  ERR_PEER_CONNECTED: { fault: 'local', message: 'this peer is connected already' },
  ERR_PEER_DUPLICATE: { fault: 'local', message: 'another connection to this peer is kept' },
  ERR_PEER_SELF: { fault: 'local', message: 'this is our own id' },
  ERR_PEER_BANNED: { fault: 'local', message: 'this peer is banned' },
  ERR_PEER_HELD: { fault: 'local', message: 'this peer was disconnected by the operator' },
  ERR_PEER_FLAPPING: { fault: 'local', message: 'this peer connected too often and is left alone for a while' },
  ERR_PEER_FILTERED: { fault: 'local', message: 'a filter refused this peer' },
  ERR_SLOTS_FULL: { fault: 'local', message: 'no slot is free' },
  ERR_PEERS_SUBSCRIBER_SLOW: { fault: 'local', message: 'this subscriber does not read its updates' },
  // store
  ERR_STORE_CLOSED: { fault: 'local', message: 'the peer store is closed' },
  ERR_STORE_FAILED: { fault: 'local', message: 'the peer store could not write' },
  ERR_STORE_TOO_NEW: { fault: 'local', message: 'the peer store was written by a newer version' },
  // simulations
  ERR_EXPECTATION_FAILED: { fault: 'local', message: 'what a simulation was expected to do did not happen' },
  // our own life
  ERR_MONITOR_UNAVAILABLE: { fault: 'local', message: 'the monitor cannot listen on this address' },
  ERR_PATH_UNKNOWN: { fault: 'local', message: 'the monitor has no page at this path' },
  ERR_METHOD_REFUSED: { fault: 'local', message: 'the monitor takes no request of this method here' },
  ERR_TOKEN_REQUIRED: { fault: 'local', message: 'this request needs the token of the monitor' },
  ERR_HOST_REFUSED: { fault: 'local', message: 'a monitor on loopback is addressed by an IP address or as localhost' },
  ERR_CONTENT_TYPE_REFUSED: { fault: 'local', message: 'a body that the monitor takes is application/json, uncompressed' },
  ERR_BODY_TOO_LARGE: { fault: 'local', message: 'the body of this request is too large' },
  ERR_BODY_INVALID: { fault: 'local', message: 'the body of this request is not the JSON object that belongs here' },
  ERR_ORDERS_PENDING: { fault: 'local', message: 'too many orders are under way' },
  ERR_ORDER_TIMEOUT: { fault: 'local', message: 'the order was not carried out in time; the node goes on with it' },
  ERR_NODE_NOT_RUNNING: { fault: 'local', message: 'no node runs in this home' },
  ERR_NODE_UNREACHABLE: { fault: 'local', message: 'the node that runs in this home does not answer' },
  ERR_NODE_STATE: { fault: 'local', message: 'the node is not in a state for this' },
  ERR_SUPERVISOR_GAVE_UP: { fault: 'internal', message: 'a child kept failing, so its supervisor gave up' },
  ERR_ACTOR_HUNG: { fault: 'internal', message: 'an actor shows no sign of life' },
  ERR_NOT_PROVIDED: { fault: 'internal', message: 'a machine asked for an effect that no actor supplies' },
  ERR_INTERNAL: { fault: 'internal', message: 'something is wrong inside' },
} as const satisfies Record<string, { fault: Fault; message: string }>;

/** A code from the table; codes are documented in `docs/errors.md` and never reused. */
export type ErrorCode = keyof typeof codes;

/** The table itself, frozen: for docs and for those who print every code. */
export const errorCodes: Readonly<Record<ErrorCode, Readonly<{ fault: Fault; message: string }>>> = Object.freeze(codes);

/** An error with a `code` from the closed table and the `fault` that goes with it; `detail` says what exactly. */
export class TroupeError extends Error {
  override readonly name = 'TroupeError';
  readonly code: ErrorCode;
  readonly fault: Fault;

  constructor(code: ErrorCode, detail?: string, options?: { cause?: unknown }) {
    super(detail ? `${codes[code].message}: ${detail}` : codes[code].message, options);
    this.code = code;
    this.fault = codes[code].fault;
  }
}

/** The same error if it is one of ours, else `ERR_INTERNAL` (or the code given) around it. Never throws. */
export function asTroupeError(error: unknown, code: ErrorCode = 'ERR_INTERNAL'): TroupeError {
  if (error instanceof TroupeError) return error;
  return new TroupeError(code, error instanceof Error ? error.message : String(error), { cause: error });
}

/** Why a connection ended, as `disconnects` counts it. */
export const disconnectReasons = [
  'operator',
  'shutdown',
  'duplicate',
  'full',
  'displaced',
  'banned',
  'self',
  'incompatible',
  'filtered',
  'rejected',
  'handshake',
  'wrongId',
  'remoteClosed',
  'reset',
  'silent',
  'stalled',
  'frame',
  'packet',
  'unknownChannel',
  'oversize',
  'parked',
  'flooding',
  'flapping',
  'misbehaved',
  'overloaded',
  'restart',
  'timeout',
  'internal',
] as const;
/** One of the closed list of reasons for the end of a connection. */
export type DisconnectReason = (typeof disconnectReasons)[number];

/** Why a message was dropped, as `drops` counts it. */
export const dropReasons = [
  'queueFull',
  'rateLimited',
  'peerDown',
  'channelNotListed',
  'self',
  'mailboxFull',
  'mailboxClosed',
  'malformed',
  'withdrawn',
  'unencodable',
  'linkClosed',
  'shutdown',
] as const;
/** One of the closed list of reasons for dropping a message. */
export type DropReason = (typeof dropReasons)[number];

const disconnectOfCode: Partial<Record<ErrorCode, DisconnectReason>> = {
  ERR_CONNECTION_CLOSED: 'remoteClosed',
  ERR_CONNECTION_RESET: 'reset',
  ERR_CONNECTION_SILENT: 'silent',
  ERR_CONNECTION_STALLED: 'stalled',
  ERR_HANDSHAKE_TIMEOUT: 'timeout',
  ERR_DIAL_TIMEOUT: 'timeout',
  ERR_HANDSHAKE_WRONG_ID: 'wrongId',
  ERR_HANDSHAKE_SELF: 'self',
  ERR_PEER_SELF: 'self',
  ERR_HANDSHAKE_MALFORMED: 'handshake',
  ERR_HANDSHAKE_WEAK_KEY: 'handshake',
  ERR_HANDSHAKE_KEY_TYPE: 'handshake',
  ERR_HANDSHAKE_SIGNATURE: 'handshake',
  ERR_NODE_INFO_INVALID: 'handshake',
  ERR_NODE_INFO_TOO_LARGE: 'handshake',
  ERR_PEER_INCOMPATIBLE: 'incompatible',
  ERR_PEER_REJECTED: 'rejected',
  ERR_FRAME_UNSEALED: 'frame',
  ERR_FRAME_MALFORMED: 'frame',
  ERR_FRAMES_EMPTY: 'frame',
  ERR_NONCE_EXHAUSTED: 'frame',
  ERR_PACKET_TOO_LARGE: 'packet',
  ERR_PACKET_MALFORMED: 'packet',
  ERR_PACKETS_EMPTY: 'flooding',
  ERR_CHANNEL_UNKNOWN: 'unknownChannel',
  ERR_MESSAGE_TOO_LARGE: 'oversize',
  ERR_REASSEMBLY_FULL: 'oversize',
  ERR_MESSAGE_PARKED: 'parked',
  ERR_PINGS_FLOODING: 'flooding',
  ERR_PEER_DUPLICATE: 'duplicate',
  ERR_PEER_CONNECTED: 'duplicate',
  ERR_PEER_BANNED: 'banned',
  ERR_PEER_HELD: 'operator',
  ERR_PEER_FLAPPING: 'flapping',
  ERR_PEER_FILTERED: 'filtered',
  ERR_SLOTS_FULL: 'full',
  ERR_HANDSHAKES_PENDING: 'full',
};

/** The reason under which an error that ended a connection is counted; `internal` for what has no row of its own. */
export function disconnectReason(error: unknown): DisconnectReason {
  return (error instanceof TroupeError && disconnectOfCode[error.code]) || 'internal';
}
