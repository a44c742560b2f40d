/** Troupe: the peer-to-peer stack of Tendermint's ADR 062 as supervised XState actors. Every public name, by the ADR's nouns. */

// Node
export { createNode, nodeLogic, type Node } from './actors/node.ts';
export type { CreateNodeOptions } from './actors/assembly.ts';
export type { NodeStatus } from './actors/status.ts';
export type { Counted, DropPlace } from './actors/metrics.ts';
export type { NodeEvent, NodeNews, NodeOutput } from './machines/node.ts';
export { realClock, realEnvironment, realLoad, realRandom, type CountingClock, type Environment } from './actors/environment.ts';
export type { Load } from './actors/pressure.ts';
export {
  nodeOptions,
  parseOptions,
  type HandshakeOptions,
  type LinkOptions,
  type NodeOptions,
  type NodeOptionsInput,
  type QueuePolicy,
  type StoreOptions,
} from './proto/options.ts';
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
export { loadNodeKey, loadOrMakeNodeKey, saveNodeKey, type LoadedNodeKey } from './actors/node-key.ts';
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
export { mconnTransport, type MconnTransportOptions, type Sockets } from './transports/mconn/transport.ts';
export { memoryNetwork, type MemoryEvent, type MemoryNetwork, type MemoryNetworkOptions } from './transports/memory.ts';
export type { ConditionChange, WayConditions } from './transports/memory/ways.ts';
export { availableAeads, selectAead, type Aead, type AeadName, type Opener, type Sealer } from './transports/mconn/aead.ts';
export type { Lookup } from './transports/resolve.ts';
export type { Clock, Random, TimerHandle } from './transports/clock.ts';
export type { AddressQuestion, Filters, IdQuestion, Verdict } from './actors/filter.ts';

// Channels and messages
export type { Behaviour, Channel, ChannelOptions, DropPolicy, Envelope } from './actors/channel.ts';
export type { ReceiveRate, SendRate } from './actors/rate.ts';
export type { Request } from './actors/request.ts';
export { bytes, protobufType, type MessageType } from './proto/codec.ts';
export type { ProtobufClass } from './proto/protobuf.ts';
export { echoMessage, type Echo } from './proto/echo.ts';

// Reactors
export {
  PeerFault,
  reactor,
  type ChannelDeclarations,
  type Incoming,
  type Reactor,
  type ReactorContext,
  type ReactorHandlers,
} from './actors/reactor.ts';
export { echoReactor, type EchoOptions } from './actors/echo.ts';
export { pexReactor } from './actors/pex.ts';

// Peers
export type { Explanation, PeerCounts, PeerRange, Peers, PeerEvent, PeerState, PeerUpdate, PeerView } from './actors/peer-manager.ts';
export { defaultReputation, type Judgement, type ReportFacts, type ReportSource, type Reputation } from './machines/policy/score.ts';
export type { AddressRow, PeerRow, PeerStore, StoreState } from './actors/peer-store.ts';
export type { PeerClass, ReportRow } from './machines/peer-row.ts';
export type { Direction } from './machines/policy/duplicate.ts';
export { memoryStore } from './actors/stores/memory.ts';
export { sqliteStore, type SqliteStoreDeps } from './actors/stores/sqlite.ts';

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
