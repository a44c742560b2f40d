/** Messages on their way from packets to whole, and the bounds on their memory: a message, a connection, all connections of a transport. */
import { TroupeError } from '../../proto/errors.ts';
import type { ChannelDescriptor } from '../transport.ts';

/** The first bytes of an unfinished message that do not count towards the bound of a connection: 16 channels times this is 512 KiB. */
export const freePartialBytes = 32_768;
/** What a message of the same channel may make us allocate in advance, from the size of the one before it. */
const maxHintBytes = 131_072;
const leastBytes = 4_096;

/** Bytes of unfinished messages one connection may hold at once: its largest message, and 1 MiB for those between whose packets it comes. */
export function partialLimitBytes(channels: readonly ChannelDescriptor[]): number {
  return channels.reduce((most, { maxMessageBytes }) => Math.max(most, maxMessageBytes), 0) + 1_048_576;
}

/** What all connections of a transport hold of unfinished messages. Beyond the limit the oldest one ends its connection, so a newcomer never waits. */
export class ReassemblyBudget {
  readonly #maxBytes: number;
  /** In the order in which they began. */
  readonly #charged = new Map<PartialMessage, number>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes allocated for unfinished messages now. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Counts memory before it is allocated. @throws TroupeError `ERR_REASSEMBLY_FULL` when the one that grows is itself the oldest that must go. */
  charge(partial: PartialMessage, bytes: number): void {
    this.#charged.set(partial, (this.#charged.get(partial) ?? 0) + bytes);
    this.#bytes += bytes;
    for (const oldest of this.#charged.keys()) {
      if (this.#bytes <= this.#maxBytes) break;
      oldest.evict();
      this.release(oldest);
    }
    if (!this.#charged.has(partial)) throw new TroupeError('ERR_REASSEMBLY_FULL', `more than ${this.#maxBytes} bytes on all connections`);
  }

  release(partial: PartialMessage): void {
    this.#bytes -= this.#charged.get(partial) ?? 0;
    this.#charged.delete(partial);
  }
}

/** The unfinished message of one channel. */
class PartialMessage {
  readonly maxBytes: number;
  readonly evict: () => void;
  readonly #budget: ReassemblyBudget;
  #bytes: Uint8Array | undefined;
  #hint = 0;
  length = 0;
  startedAt = 0;
  touchedAt = 0;

  constructor(maxBytes: number, budget: ReassemblyBudget, evict: () => void) {
    this.maxBytes = maxBytes;
    this.#budget = budget;
    this.evict = evict;
  }

  get isOpen(): boolean {
    return this.#bytes !== undefined;
  }

  append(from: Uint8Array, start: number, end: number, now: number): void {
    const length = this.length + end - start;
    if (this.#bytes === undefined) this.startedAt = now;
    if (this.#bytes === undefined || length > this.#bytes.length) this.#grow(length);
    this.#bytes!.set(from.subarray(start, end), this.length);
    this.length = length;
    this.touchedAt = now;
  }

  /** The message, in memory of its own, of exactly its size. */
  take(): Uint8Array {
    const bytes = this.#bytes!;
    const { length } = this;
    this.#hint = Math.min(length, maxHintBytes);
    this.discard();
    return length === bytes.length ? bytes : bytes.slice(0, length);
  }

  discard(): void {
    this.#budget.release(this);
    this.#bytes = undefined;
    this.length = 0;
  }

  /** Doubles, or takes what the last message took, and never passes the capacity of the channel. */
  #grow(length: number): void {
    const before = this.#bytes;
    const size = Math.min(this.maxBytes, Math.max(length, before ? before.length * 2 : Math.max(this.#hint, leastBytes)));
    this.#budget.charge(this, size - (before?.length ?? 0));
    const bytes = new Uint8Array(Buffer.allocUnsafeSlow(size).buffer);
    if (before) bytes.set(before.subarray(0, this.length));
    this.#bytes = bytes;
  }
}

/** When an unfinished message has been left lying. */
export type ParkingLimits = Readonly<{ partialIdleMs: number; partialTotalMs: number }>;

/** Puts the parts of each channel of a connection together. Time is what its caller says, so that pauses of ours need not count. */
export class Reassembly {
  readonly #partials: readonly (PartialMessage | undefined)[];
  readonly #open = new Set<PartialMessage>();
  readonly #limitBytes: number;
  #countedBytes = 0;

  /** `evict` ends the connection when the transport needs its memory back. */
  constructor(channels: readonly ChannelDescriptor[], budget: ReassemblyBudget, evict: () => void) {
    const partials: (PartialMessage | undefined)[] = Array.from({ length: 256 }, () => undefined);
    for (const { id, maxMessageBytes } of channels) partials[id] = new PartialMessage(maxMessageBytes, budget, evict);
    this.#partials = partials;
    this.#limitBytes = partialLimitBytes(channels);
  }

  /** Whether a message is unfinished. */
  get hasPartial(): boolean {
    return this.#open.size > 0;
  }

  /**
   * Adds one part, copying it; the message if it is whole now.
   * @throws TroupeError `ERR_CHANNEL_UNKNOWN`, `ERR_MESSAGE_TOO_LARGE`, `ERR_REASSEMBLY_FULL`.
   */
  add(channelId: number, final: boolean, from: Uint8Array, start: number, end: number, now: number): Uint8Array | undefined {
    const partial = this.#partials[channelId];
    if (partial === undefined) throw new TroupeError('ERR_CHANNEL_UNKNOWN', `channel ${channelId}`);
    const before = partial.length;
    const length = before + end - start;
    if (length > partial.maxBytes)
      throw new TroupeError('ERR_MESSAGE_TOO_LARGE', `more than ${partial.maxBytes} bytes on channel ${channelId}`);
    if (!partial.isOpen) {
      // Most messages are one packet.
      if (final) return Uint8Array.prototype.slice.call(from, start, end);
      if (start === end) return undefined;
      this.#open.add(partial);
    }
    this.#countedBytes += counted(length) - counted(before);
    if (this.#countedBytes > this.#limitBytes)
      throw new TroupeError('ERR_REASSEMBLY_FULL', `more than ${this.#limitBytes} bytes on one connection`);
    if (start < end) partial.append(from, start, end, now);
    if (!final) return undefined;
    this.#countedBytes -= counted(length);
    this.#open.delete(partial);
    return partial.take();
  }

  /** When, if no byte comes before, an unfinished message will have been parked; undefined if there is none. */
  parkedAt({ partialIdleMs, partialTotalMs }: ParkingLimits): number | undefined {
    let first: number | undefined;
    for (const { touchedAt, startedAt, length } of this.#open) {
      const slowAt = startedAt + Math.max(partialTotalMs, (length * 1_000) / 1_024);
      first = Math.min(first ?? Infinity, touchedAt + partialIdleMs, slowAt);
    }
    return first;
  }

  /** Gives all memory back. */
  close(): void {
    for (const partial of this.#open) partial.discard();
    this.#open.clear();
    this.#countedBytes = 0;
  }
}

const counted = (length: number): number => Math.max(0, length - freePartialBytes);
