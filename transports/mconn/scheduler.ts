/** Which channel sends the next packet: the rule of MConnection in Go, exactly. It holds one message a channel and knows no frames and no sockets. */
import type { ChannelDescriptor } from '../transport.ts';
import { nextPayloadBytes } from './packet.ts';
import { freePartialBytes, partialLimitBytes } from './reassembly.ts';
import type { Wait } from './waits.ts';

/** Time between two decays of what channels have sent recently. */
export const decayIntervalMs = 2_000;
/** After this many decays nothing is left of any number. */
const maxDecays = 200;

/** A channel with the message it is sending. */
export type Lane = {
  readonly id: number;
  readonly priority: number;
  readonly maxMessageBytes: number;
  /** What is being sent; undefined when the channel is idle. */
  bytes: Uint8Array | undefined;
  /** How much of it is in packets already. */
  offset: number;
  /** Bytes of its packets, prefixes included, decaying. */
  recentlySent: number;
  /** Whoever waits until it is idle again. */
  wait: Wait<void> | undefined;
};

/** The channels of one connection in the order in which they were registered. */
export class PacketScheduler {
  readonly #lanes: readonly Lane[];
  readonly #byId: readonly (Lane | undefined)[];
  readonly #maxPayloadBytes: number;
  readonly #reservableBytes: number;
  readonly #startedAt: number;
  #decays = 0;
  #waiting = 0;
  #reserved = 0;

  constructor(channels: readonly ChannelDescriptor[], maxPayloadBytes: number, now: number) {
    this.#lanes = channels.map(({ id, priority, maxMessageBytes }) => ({
      id,
      priority,
      maxMessageBytes,
      bytes: undefined,
      offset: 0,
      recentlySent: 0,
      wait: undefined,
    }));
    const byId: (Lane | undefined)[] = Array.from({ length: 256 }, () => undefined);
    for (const lane of this.#lanes) byId[lane.id] = lane;
    this.#byId = byId;
    this.#maxPayloadBytes = maxPayloadBytes;
    this.#reservableBytes = partialLimitBytes(channels);
    this.#startedAt = now;
  }

  /** How many channels have something to send. */
  get waiting(): number {
    return this.#waiting;
  }

  lane(channelId: number): Lane | undefined {
    return this.#byId[channelId];
  }

  isIdle(lane: Lane): boolean {
    return lane.bytes === undefined;
  }

  /** Gives an idle channel its next message. */
  load(lane: Lane, bytes: Uint8Array): void {
    // A view of a Buffer costs several times that of a plain array, and every packet takes some.
    lane.bytes = bytes.length > this.#maxPayloadBytes ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length) : bytes;
    lane.offset = 0;
    lane.wait = undefined;
    this.#waiting++;
  }

  /** Forgets every message. */
  clear(): void {
    for (const lane of this.#lanes) if (lane.bytes) this.#clear(lane);
  }

  /** The channel whose turn it is: least sent for its priority, of equals the one registered first. */
  next(now: number): Lane | undefined {
    if (this.#waiting === 0) return undefined;
    this.#decay(now);
    let next: Lane | undefined;
    let least = Infinity;
    for (const lane of this.#lanes) {
      if (lane.bytes === undefined || !this.#mayBegin(lane)) continue;
      const share = Math.fround(Math.fround(lane.recentlySent) / Math.fround(lane.priority));
      if (share >= least) continue;
      least = share;
      next = lane;
    }
    return next;
  }

  /** Payload bytes of the channel's next packet; it is the last one if they reach the end of the message. */
  payloadBytes(lane: Lane): number {
    return nextPayloadBytes(lane.id, lane.bytes!.length - lane.offset, this.#maxPayloadBytes);
  }

  /** Counts a packet of the channel; true when it was the last of its message, and the channel is idle now. */
  sent(lane: Lane, payloadBytes: number, packetBytes: number, final: boolean): boolean {
    lane.recentlySent += packetBytes;
    if (lane.offset === 0 && !final) this.#reserved += reservation(lane);
    lane.offset += payloadBytes;
    if (final) this.#clear(lane);
    return final;
  }

  /** A receiver bounds what it keeps of unfinished messages, so long ones are not begun beyond that bound. */
  #mayBegin(lane: Lane): boolean {
    if (lane.offset > 0 || this.#reserved === 0) return true;
    const wanted = reservation(lane);
    return wanted === 0 || this.#reserved + wanted <= this.#reservableBytes;
  }

  #clear(lane: Lane): void {
    if (lane.offset > 0) this.#reserved -= reservation(lane);
    lane.bytes = undefined;
    lane.offset = 0;
    this.#waiting--;
  }

  /** Lazily what a ticker would do: nobody looks between two calls of `next`. */
  #decay(now: number): void {
    const due = Math.floor((now - this.#startedAt) / decayIntervalMs);
    const times = Math.min(due - this.#decays, maxDecays);
    if (times <= 0) return;
    this.#decays = due;
    for (const lane of this.#lanes) {
      for (let time = 0; time < times && lane.recentlySent > 0; time++) lane.recentlySent = Math.trunc(lane.recentlySent * 0.8);
    }
  }
}

const reservation = (lane: Lane): number => Math.max(0, (lane.bytes?.length ?? 0) - freePartialBytes);
