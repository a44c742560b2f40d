/** The contract of a queue: the one place where a message waits or is dropped. Lanes keep their own order; the policy chooses among lanes. */
import type { DropReason } from '../proto/errors.ts';
import type { DropPolicy } from './channel.ts';

/** What a queue may hold. A message larger than a limit enters alone: when its lane is empty, or the queue is. */
export type QueueLimits = Readonly<{
  maxBytes: number;
  maxMessages: number;
  /** Limits of one lane, if tighter. */
  laneMaxBytes?: number;
  laneMaxMessages?: number;
  /**
   * Percent of the whole that a lane may fill while the others are empty. It may hold so many times what is still free, so that of several that
   * want more each gets the same, and room is left for one that wanted nothing so far (dynamic thresholds of Choudhury and Hahne).
   */
  laneShare?: number;
}>;

/** One waiting message: its lane (a channel, or a peer; a number from a bounded set), its size and what it is. */
export type Entry<T> = Readonly<{ lane: number; bytes: number; item: T }>;

/** What became of a `put`: taken, or dropped for a reason from the closed list. */
export type PutResult = true | DropReason;

/** Called for each message that the queue drops after it had taken it; whatever else it drops is the result of its `put`. */
export type OnDrop<T> = (entry: Entry<T>, reason: DropReason) => void;

/** A bounded queue of messages in lanes, with one reader. What was put = what was taken + what was dropped + `size`, in messages and in bytes. */
export interface Queue<T> {
  /** Messages and bytes waiting now. */
  readonly size: number;
  readonly bytes: number;
  readonly closed: boolean;
  /** Messages and bytes waiting in one lane. */
  laneSize(lane: number): number;
  laneBytes(lane: number): number;
  /**
   * Adds a message, at once when there is room; else waits, drops it or drops older ones of its lane, by policy. Room of the whole queue that a
   * waiting writer needs is not taken by one that comes after it. An abort rejects with the signal's reason.
   */
  put(entry: Entry<T>, policy: DropPolicy, signal?: AbortSignal): PutResult | Promise<PutResult>;
  /** The next message of a lane that `accepts` allows, removed; undefined if there is none. */
  take(accepts?: (lane: number) => boolean): Entry<T> | undefined;
  /** The same for a reader that goes on holding the message: the budget of the process counts it until `done`, which is called once for each. */
  takeOver(accepts?: (lane: number) => boolean): Entry<T> | undefined;
  done(entry: Entry<T>): void;
  /** Calls back, once, when a message has been added or the queue closed; replaces an earlier callback. */
  onAdded(wake: (() => void) | undefined): void;
  /** Drops what the writers of one lane wait to add and releases them; what the lane holds stays. */
  releaseWriters(lane: number, reason: DropReason): void;
  /** Removes one lane; its messages are dropped with the reason given. Writers that wait for it are released. */
  removeLane(lane: number, reason: DropReason): void;
  /** Drops everything, releases every writer and the reader. Idempotent. */
  close(reason?: DropReason): void;
}
