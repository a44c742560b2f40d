/** Troupe: the peer-to-peer stack of Tendermint's ADR 062 as supervised XState actors. Every public name, by the ADR's nouns. */

// Node
export { createNode, nodeLogic, type Node } from './actors/node.ts';
export type { CreateNodeOptions } from './actors/assembly.ts';
export type { NodeStatus } from './actors/status.ts';
export type { NodeEvent, NodeNews, NodeOutput } from './machines/node.ts';
export { realClock, realEnvironment, realRandom, type Environment } from './actors/environment.ts';
export { nodeOptions, parseOptions, type NodeOptions, type NodeOptionsInput } from './proto/options.ts';
export { version } from './actors/version.ts';

// Identity
export {
  generateNodeKey,
  nodeIdFromText,
  nodeIdOf,
  nodeKeyFromJson,
  nodeKeyFromSeed,
  nodeKeyToJson,
  parseNodeId,
  type NodeId,
  type NodeKey,
} from './proto/identity.ts';
export { loadNodeKey, loadOrMakeNodeKey, saveNodeKey } from './actors/node-key.ts';
export { compatibility, decodeNodeInfo, encodeNodeInfo, validateNodeInfo, type NodeInfo } from './proto/node-info.ts';

// Addresses and endpoints
export { formatNodeAddress, nodeAddressOf, parseNodeAddress, type NodeAddress } from './proto/address.ts';
export { formatEndpoint, parseEndpoint, type Endpoint } from './proto/endpoint.ts';

// Transports
export type {
  ChannelDescriptor,
  Connection,
  ConnectionStatus,
  Handshake,
  Message,
  Protocol,
  RemotePeer,
  Transport,
} from './transports/transport.ts';
export { mconnTransport, type MconnTransportOptions } from './transports/mconn/transport.ts';
export { memoryNetwork, type MemoryNetwork } from './transports/memory.ts';
export { availableAeads, selectAead, type Aead } from './transports/mconn/aead.ts';
export type { Clock, Random, TimerHandle } from './transports/clock.ts';

// Channels and messages
export type { Behaviour, Channel, ChannelOptions, DropPolicy, Envelope } from './actors/channel.ts';
export { bytes, type MessageType } from './proto/codec.ts';
export { echoMessage, type Echo } from './proto/echo.ts';

// Reactors
export { PeerFault, reactor, type Incoming, type Reactor, type ReactorContext, type ReactorHandlers } from './actors/reactor.ts';
export { echoReactor } from './actors/echo.ts';
export { pexReactor } from './actors/pex.ts';

// Peers
export type { Explanation, Peers, PeerEvent, PeerState, PeerUpdate, PeerView } from './actors/peer-manager.ts';
export type { AddressRow, PeerRow, PeerStore, StoreState } from './actors/peer-store.ts';
export { memoryStore } from './actors/stores/memory.ts';
export { sqliteStore } from './actors/stores/sqlite.ts';

// Errors
export {
  TroupeError,
  disconnectReasons,
  dropReasons,
  errorCodes,
  type DisconnectReason,
  type DropReason,
  type ErrorCode,
  type Fault,
} from './proto/errors.ts';
