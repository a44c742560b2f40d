/** The contract of a queue: the one place where a message waits or is dropped. Lanes keep their own order; the policy chooses among lanes. */
import type { DropReason } from '../proto/errors.ts';
import type { DropPolicy } from './channel.ts';

/** What a queue may hold. A message larger than a limit enters alone, when its lane is empty. */
export type QueueLimits = Readonly<{
  maxBytes: number;
  maxMessages: number;
  /** Limits of one lane, if tighter. */
  laneMaxBytes?: number;
  laneMaxMessages?: number;
}>;

/** Bytes shared by many queues: a message held by several of them counts once, through its `hold`. */
export interface Budget {
  readonly held: number;
  readonly max: number;
}

/** One waiting message: its lane (a channel, or a peer), its size and what it is. */
export type Entry<T> = Readonly<{ lane: number; bytes: number; item: T }>;

/** What became of a `put`: taken, or dropped for a reason from the closed list. */
export type PutResult = true | DropReason;

/** A bounded queue of messages in lanes, with one reader. */
export interface Queue<T> {
  /** Messages and bytes waiting now. */
  readonly size: number;
  readonly bytes: number;
  readonly closed: boolean;
  /** Messages waiting in one lane. */
  laneSize(lane: number): number;
  /** Adds a message, at once when there is room; else waits, drops it or drops older ones of its lane, by policy. An abort rejects with the signal's reason. */
  put(entry: Entry<T>, policy: DropPolicy, signal?: AbortSignal): PutResult | Promise<PutResult>;
  /** The next message of a lane that `accepts` allows, removed; undefined if there is none. */
  take(accepts?: (lane: number) => boolean): Entry<T> | undefined;
  /** Calls back, once, when a message has been added or the queue closed; replaces an earlier callback. */
  onAdded(wake: (() => void) | undefined): void;
  /** Removes one lane; its messages are dropped with the reason given. Writers that wait for it are released. */
  removeLane(lane: number, reason: DropReason): void;
  /** Drops everything, releases every writer and the reader. Idempotent. */
  close(reason?: DropReason): void;
}
