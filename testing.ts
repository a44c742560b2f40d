/** `troupe/testing`: what a test or simulation runs nodes on. A network in memory, time and chance that repeat, and encrypted TCP near the end of its nonces. */
import { realClock } from './actors/environment.ts';
import { handshakeOptions, linkOptions, parseOptions, type HandshakeOptions, type LinkOptions } from './proto/options.ts';
import type { Clock } from './transports/clock.ts';
import { selectAead, type Aead } from './transports/mconn/aead.ts';
import { mconnTransport as makeTransport } from './transports/mconn/transport.ts';
import type { Transport } from './transports/transport.ts';

export { simulate, type ExpectedUpdate, type Simulation } from './testing/simulation.ts';
export type { SimulatedNodeOptions, SimulationOptions } from './testing/options.ts';
export type { Limits, SimulatedNode } from './testing/simulated-node.ts';
export type { Delivery, ExpectedDelivery, SimulatedChannel, Waiting } from './testing/simulated-channel.ts';
export { formatEvent, type EventLog, type SimulationEvent } from './testing/event-log.ts';
export type { Order } from './testing/expectations.ts';
export type { Acquaintances, Shape } from './testing/topology.ts';
export {
  memoryNetwork,
  type ConditionChange,
  type MemoryEvent,
  type MemoryNetwork,
  type MemoryNetworkOptions,
  type WayConditions,
} from './transports/memory.ts';
export { seededRandom, settle, VirtualClock } from './transports/simulated.ts';
export type { Clock, Random, TimerHandle } from './transports/clock.ts';

/** What a test may set of an mconn transport; everything else has the defaults of a node. */
export type TestMconnOptions = Readonly<{
  clock?: Clock;
  aead?: Aead;
  link?: Partial<LinkOptions>;
  handshake?: Partial<HandshakeOptions>;
  /** Applies to loopback the limits that spare it. */
  loopbackIsPublic?: boolean;
  /** First nonce of both directions, 0 to 2^64 - 1. Both ends of a connection must start at the same one. */
  nonceStart?: bigint;
}>;

/**
 * A transport over encrypted TCP, for `transports` of a node or for use by itself. With a late `nonceStart` a connection runs out of nonces
 * after a few frames instead of after centuries, and ends with `ERR_NONCE_EXHAUSTED`.
 * @throws TroupeError `ERR_OPTION_INVALID`, `ERR_AEAD_UNAVAILABLE`.
 */
export function mconnTransport({
  clock = realClock(),
  aead = selectAead('auto'),
  link = {},
  handshake = {},
  ...rest
}: TestMconnOptions = {}): Transport {
  return makeTransport({
    clock,
    aead,
    link: parseOptions(linkOptions, link),
    handshake: parseOptions(handshakeOptions, handshake),
    ...rest,
  });
}
