/** When our NodeInfo may leave on a connection: connections to one peer are introduced one after the other. */
import type { NodeId } from '../proto/identity.ts';
import { sleep, type Clock } from '../transports/clock.ts';

/**
 * Time between two NodeInfos to one peer. A Go switch looks for a duplicate when it has read NodeInfo and enters the peer a moment later; of two connections
 * that pass the look together it starts both, and closing the second may take the first out of its list of peers while it lives on.
 */
const spacingMs = 100;
/** Longest wait of one; Go peers hang up when they have waited 3 seconds. */
const longestMs = 1_000;

/** Remembers a peer for no longer than it would have to wait, so it holds what shook hands in the last second. */
export class Introductions {
  readonly #clock: Clock;
  /** When the next may leave. */
  readonly #next = new Map<NodeId, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Peers remembered now. */
  get size(): number {
    return this.#next.size;
  }

  /** Nothing when NodeInfo may leave at once, else a promise that resolves when it may; rejects with the signal's reason. */
  turn(id: NodeId, signal: AbortSignal): Promise<void> | undefined {
    const now = this.#clock.now();
    for (const [other, at] of this.#next) if (at <= now) this.#next.delete(other);
    const at = Math.min(this.#next.get(id) ?? now, now + longestMs);
    this.#next.set(id, at + spacingMs);
    return at > now ? sleep(this.#clock, at - now, signal) : undefined;
  }
}
