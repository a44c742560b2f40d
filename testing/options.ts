/** What a simulation is made of: its options, checked. */
import * as v from 'valibot';
import type { CreateNodeOptions } from '../actors/assembly.ts';
import type { Reactor } from '../actors/reactor.ts';
import { parseOptions } from '../proto/options.ts';
import type { MemoryNetworkOptions } from '../transports/memory.ts';
import type { Acquaintances, Shape } from './topology.ts';

/** Options of a node that a simulation leaves to the caller; the rest is its own. */
export type SimulatedNodeOptions = Omit<
  CreateNodeOptions,
  | 'home'
  | 'store'
  | 'key'
  | 'listen'
  | 'transports'
  | 'environment'
  | 'witness'
  | 'monitor'
  | 'reactors'
  | 'persistentPeers'
  | 'bootstrapPeers'
>;

/** What `simulate` takes. */
export type SimulationOptions = Readonly<{
  /** How many nodes there are at the start, from 1. */
  nodes: number;
  /** A whole number; keys, chance and with them everything else follow from it. 1 by default. */
  seed?: number;
  /** Who are persistent peers of each other, as a shape or as a function from a node's number. A full mesh if nothing is said of peers at all. */
  topology?: Shape | Acquaintances;
  /** The same as `topology`, for those who like to say what it sets: the numbers of a node's persistent peers. */
  persistent?: Acquaintances;
  /** The numbers of the nodes that one knows at the start without insisting on them. */
  bootstrap?: Acquaintances;
  /** Reactors of a node, made anew for each of its lives. */
  reactors?: (index: number) => readonly Reactor[];
  /** Options of every node, or of each by its number. Peer exchange speaks the url dialect unless they say otherwise: the other cannot name a node in memory. */
  options?: SimulatedNodeOptions | ((index: number) => SimulatedNodeOptions);
  /** The IP literal that a node's connections are seen to come from, for limits by address and network. From nowhere if left out. */
  ip?: (index: number) => string;
  /** The network at the start: latency 20 ms with 10 ms of jitter, no faults, unless said otherwise. */
  network?: Omit<MemoryNetworkOptions, 'clock' | 'random' | 'onEvent'>;
  /** Events of the log that can be read, the latest first to stay; the hash is over all. 100,000 by default. */
  keepEvents?: number;
}>;

const count = (least: number, most: number) => v.pipe(v.number(), v.safeInteger(), v.minValue(least), v.maxValue(most));
const checked = v.object({
  nodes: count(1, 10_000),
  seed: v.optional(count(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER), 1),
  keepEvents: v.optional(count(1, 10_000_000), 100_000),
});

/** Numbers that are in range, defaults filled in. @throws TroupeError `ERR_OPTION_INVALID`. */
export function checkedNumbers({ nodes, seed, keepEvents }: SimulationOptions): v.InferOutput<typeof checked> {
  return parseOptions(checked, { nodes, seed, keepEvents });
}
