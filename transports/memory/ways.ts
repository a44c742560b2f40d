/** The ways between the nodes of a memory network: which are open, and how messages travel on them. Both can change while it runs. */
import * as v from 'valibot';
import { TroupeError } from '../../proto/errors.ts';
import type { NodeId } from '../../proto/identity.ts';
import { parseOptions } from '../../proto/options.ts';

const longestMs = 2_147_483_647;
const duration = v.pipe(v.number(), v.minValue(0), v.maxValue(longestMs));
const chance = v.pipe(v.number(), v.minValue(0), v.maxValue(1));
const rate = v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(1)));

/** The schema of `WayConditions`, with defaults. */
export const conditionEntries = {
  latencyMs: v.optional(duration, 0),
  jitterMs: v.optional(duration, 0),
  loss: v.optional(chance, 0),
  reorder: v.optional(chance, 0),
  duplicate: v.optional(chance, 0),
  bytesPerSecond: rate,
};

const changes = v.strictObject({
  latencyMs: v.optional(duration),
  jitterMs: v.optional(duration),
  loss: v.optional(chance),
  reorder: v.optional(chance),
  duplicate: v.optional(chance),
  bytesPerSecond: rate,
});

/** How messages travel one way. */
export type WayConditions = Readonly<{
  /** Time on the way in milliseconds; with 0 nothing waits for the clock. */
  latencyMs: number;
  /** Up to this much more, drawn for each message, in milliseconds. What was sent before is not overtaken. */
  jitterMs: number;
  /** Chance from 0 to 1 that a message vanishes. Handshakes and ends never do. */
  loss: number;
  /**
   * Chance from 0 to 1 that a message is late by up to `latencyMs + jitterMs`, so that later messages of other channels pass it.
   * The order within a channel always holds, as it does on every transport. Without latency and jitter there is nothing to pass.
   */
  reorder: number;
  /** Chance from 0 to 1 that a message arrives twice, which no real transport does: for readers that claim to bear it. */
  duplicate: number;
  /** Bytes of messages a second that one connection carries this way; as many as are sent if left out. */
  bytesPerSecond?: number | undefined;
}>;

/** A change of some conditions; what is left out stays as it is, and an explicit undefined lifts a rate. */
export type ConditionChange = Readonly<{ [K in keyof WayConditions]?: WayConditions[K] | undefined }>;

/** See the module. */
export class Ways {
  #general: WayConditions;
  readonly #special = new Map<NodeId, ConditionChange>();
  #groups: ReadonlyMap<NodeId, number> | undefined;
  readonly #cuts: (readonly [from: ReadonlySet<NodeId>, to: ReadonlySet<NodeId>])[] = [];
  readonly #frozen = new Set<NodeId>();

  constructor(general: WayConditions) {
    this.#general = general;
  }

  /** The conditions from one node to another: the general ones, but for what was said of either node, of the sender last. */
  of(from: NodeId, to: NodeId): WayConditions {
    if (this.#special.size === 0) return this.#general;
    const ofSender = this.#special.get(from);
    const ofReader = this.#special.get(to);
    return ofSender || ofReader ? ({ ...this.#general, ...ofReader, ...ofSender } as WayConditions) : this.#general;
  }

  /** Changes the conditions everywhere, or on all ways from and to one node. @throws TroupeError `ERR_OPTION_INVALID`. */
  change(change: ConditionChange, nodeId?: NodeId): void {
    const given = Object.entries(parseOptions(changes, change)).filter(([name, value]) => value !== undefined || name === 'bytesPerSecond');
    const checked: ConditionChange = Object.fromEntries(given);
    if (nodeId === undefined) this.#general = { ...this.#general, ...(checked as Partial<WayConditions>) };
    else this.#special.set(nodeId, { ...this.#special.get(nodeId), ...checked });
  }

  /** Opens all ways, then closes those between nodes of different groups. @throws TroupeError `ERR_OPTION_INVALID` for a node in two groups. */
  partition(groups: readonly (readonly NodeId[])[]): void {
    const byNode = new Map<NodeId, number>();
    groups.forEach((group, index) => {
      for (const nodeId of group) {
        if ((byNode.get(nodeId) ?? index) !== index) throw new TroupeError('ERR_OPTION_INVALID', `${nodeId} is in two groups`);
        byNode.set(nodeId, index);
      }
    });
    this.heal();
    this.#groups = byNode;
  }

  /** Closes the ways in one direction, besides those that are closed already. */
  cut(from: readonly NodeId[], to: readonly NodeId[]): void {
    this.#cuts.push([new Set(from), new Set(to)]);
  }

  heal(): void {
    this.#groups = undefined;
    this.#cuts.length = 0;
  }

  freeze(nodeId: NodeId): void {
    this.#frozen.add(nodeId);
  }

  thaw(nodeId: NodeId): void {
    this.#frozen.delete(nodeId);
  }

  isFrozen(nodeId: NodeId): boolean {
    return this.#frozen.has(nodeId);
  }

  isCut(from: NodeId, to: NodeId): boolean {
    if (from === to) return false;
    if (this.#groups !== undefined && this.#groups.get(from) !== this.#groups.get(to)) return true;
    return this.#cuts.some(([senders, readers]) => senders.has(from) && readers.has(to));
  }

  /** Whether nothing that is sent this way arrives now. */
  isClosed(from: NodeId, to: NodeId): boolean {
    return this.isCut(from, to) || this.#frozen.has(to);
  }
}
