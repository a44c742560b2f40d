/** The writing half of a connection: messages become packets, packets fill runs of frames, and a run is one write to the socket. */
import { TroupeError } from '../../proto/errors.ts';
import type { LinkOptions } from '../../proto/options.ts';
import type { Clock, TimerHandle } from '../clock.ts';
import type { ChannelDescriptor, Message } from '../transport.ts';
import { frameBytes } from './aead.ts';
import type { FrameWriter } from './frame.ts';
import type { Outlet } from './outlet.ts';
import { maxPacketHeaderBytes, pingPacket, pongPacket, writePacketHeader } from './packet.ts';
import { PacketScheduler, type Lane } from './scheduler.ts';
import { StallWatch } from './stall.ts';
import { TokenBucket } from '../token-bucket.ts';
import type { Waits } from './waits.ts';

/** Packets of one message that are written before others may join, as in a batch of Go's. Beyond it, channels take turns by the scheduler. */
const batchPackets = 10;
/** Plaintext written in one go before other work of the process gets its turn: about 5 ms with the slowest AEAD. */
const sliceBytes = 262_144;
/** What may wait in the socket under a rate limit, and what one wake-up of the limiter lets through, as parts of a second. */
const bufferedSeconds = 0.05;
const wakeSeconds = 0.01;

/** What a sender needs; `fail` ends the connection at once. */
export type SenderParts = Readonly<{
  clock: Clock;
  options: LinkOptions;
  channels: readonly ChannelDescriptor[];
  writer: FrameWriter;
  outlet: Outlet;
  waits: Waits;
  fail: (error: unknown) => void;
}>;

/**
 * Holds one message a channel. It packs as soon as the socket can take more and seals when the work of this turn of the process is done (a
 * `nextTick` after all promises), so that what is sent together shares frames and a message alone leaves at once; there is no flush timer.
 */
export class Sender {
  readonly #parts: SenderParts;
  readonly #scheduler: PacketScheduler;
  readonly #bucket: TokenBucket;
  readonly #stall: StallWatch;
  readonly #backlogLimit: number;
  readonly #header = new Uint8Array(maxPacketHeaderBytes);
  #pingDue = false;
  #pongDue = false;
  #batch = batchPackets;
  #slice = sliceBytes;
  #turnDue = false;
  #yielding = false;
  #rateTimer: TimerHandle;
  #drained: (() => void) | undefined;
  #closed = false;
  #messages = 0;

  constructor(parts: SenderParts) {
    const { channels, clock, options, outlet, fail } = parts;
    const now = clock.now();
    this.#parts = parts;
    this.#scheduler = new PacketScheduler(channels, options.maxSendPayloadBytes, now);
    this.#bucket = new TokenBucket(options.sendRate, Math.max(1, options.sendRate * bufferedSeconds), now);
    this.#stall = new StallWatch(clock, options.stallMs, outlet, fail);
    this.#backlogLimit = Math.min(options.maxSocketBytes, Math.max(options.sendRate * bufferedSeconds, 2 * frameBytes));
  }

  get messages(): number {
    return this.#messages;
  }

  /** Takes a message; a promise if its channel cannot take another at once. @throws TroupeError `ERR_CHANNEL_UNKNOWN`, `ERR_SEND_TOO_LARGE`. */
  send({ channelId, bytes }: Message, signal: AbortSignal): void | Promise<void> {
    const lane = this.#scheduler.lane(channelId);
    if (lane === undefined) throw new TroupeError('ERR_CHANNEL_UNKNOWN', `channel ${channelId}`);
    if (bytes.length > lane.maxMessageBytes)
      throw new TroupeError('ERR_SEND_TOO_LARGE', `${bytes.length} of ${lane.maxMessageBytes} bytes`);
    if (!this.#scheduler.isIdle(lane)) {
      if (lane.wait?.pending) throw new TroupeError('ERR_INTERNAL', `channel ${channelId} still holds a message`);
      return this.#sendAfter(lane, bytes, signal);
    }
    this.#load(lane, bytes);
    if (this.#scheduler.waiting === 1) this.#packAlone(lane);
    return this.#scheduler.isIdle(lane) ? undefined : this.#idle(lane, signal);
  }

  /** Sends a ping before anything else; none is lost, two that wait are one. */
  ping(): void {
    this.#pingDue = true;
    this.#schedule();
  }

  pong(): void {
    this.#pongDue = true;
    this.#schedule();
  }

  /** Resolves once everything handed over is with the socket, or the sender is closed. */
  drained(): Promise<void> {
    return new Promise((resolve) => {
      this.#drained = resolve;
      if (this.#closed) resolve();
      else this.#schedule();
    });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#parts.clock.clearTimeout(this.#rateTimer);
    this.#stall.close();
    this.#scheduler.clear();
    this.#parts.writer.close();
    this.#drained?.();
  }

  #load(lane: Lane, bytes: Uint8Array): void {
    this.#scheduler.load(lane, bytes);
    this.#schedule();
  }

  #idle(lane: Lane, signal: AbortSignal): Promise<void> {
    lane.wait = this.#parts.waits.add<void>(signal);
    return lane.wait.promise;
  }

  /** The wait for the message before was aborted, but the message was handed over and goes first. */
  async #sendAfter(lane: Lane, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    await this.#idle(lane, signal);
    await this.send({ channelId: lane.id, bytes }, signal);
  }

  #schedule(): void {
    if (this.#turnDue || this.#closed) return;
    this.#turnDue = true;
    queueMicrotask(this.#afterPromises);
  }

  /** A tick asked for by a promise runs when no promise is left to run; one asked for by a tick would run before them. */
  readonly #afterPromises = (): void => process.nextTick(this.#turn);

  readonly #turn = (): void => {
    this.#turnDue = false;
    if (this.#closed) return;
    this.#batch = batchPackets;
    try {
      // A channel that has just become idle may get its next message from a promise that has not run yet: it shall have its turn.
      if (this.#pack()) return this.#schedule();
      this.#flush();
    } catch (error) {
      return this.#parts.fail(error);
    }
    if (this.#drained && this.#scheduler.waiting === 0) this.#drained();
    else if (this.#scheduler.waiting > 0) this.#wakeLater();
  };

  /** The first packets of a message while no other channel has one. */
  #packAlone(lane: Lane): void {
    const now = this.#parts.clock.now();
    while (lane.bytes !== undefined && this.#batch > 0 && this.#mayPack(now) && this.#hasRoom()) {
      this.#packNext(lane);
      this.#batch--;
    }
  }

  /** Packs by turns until nothing is left or nothing more may go out (false), or a channel becomes idle whose sender waits (true). */
  #pack(): boolean {
    const now = this.#parts.clock.now();
    for (;;) {
      if (!this.#hasRoom()) this.#flush();
      this.#packControl();
      if (!this.#mayPack(now)) return false;
      const lane = this.#scheduler.next(now);
      if (lane === undefined) return false;
      if (this.#packNext(lane)) return true;
    }
  }

  #mayPack(now: number): boolean {
    const { outlet, writer } = this.#parts;
    return this.#slice > 0 && outlet.backlogBytes + writer.pending < this.#backlogLimit && this.#bucket.available(now) > 0;
  }

  #hasRoom(): boolean {
    return (
      this.#parts.writer.room >= this.#parts.options.maxSendPayloadBytes + maxPacketHeaderBytes + pingPacket.length + pongPacket.length
    );
  }

  /** Pings and pongs wait for nothing but the socket. */
  #packControl(): void {
    if (!this.#pingDue && !this.#pongDue) return;
    const { outlet, options, writer } = this.#parts;
    if (outlet.backlogBytes >= options.maxSocketBytes) return;
    if (this.#pongDue) writer.write(pongPacket);
    if (this.#pingDue) writer.write(pingPacket);
    this.#pingDue = this.#pongDue = false;
  }

  #packNext(lane: Lane): boolean {
    const { writer } = this.#parts;
    const { wait } = lane;
    const bytes = lane.bytes!;
    const start = lane.offset;
    const count = this.#scheduler.payloadBytes(lane);
    const final = start + count === bytes.length;
    const headerBytes = writePacketHeader(this.#header, 0, lane.id, final, count);
    writer.write(this.#header, 0, headerBytes);
    writer.write(bytes, start, start + count);
    this.#slice -= headerBytes + count;
    this.#bucket.take(headerBytes + count);
    if (!this.#scheduler.sent(lane, count, headerBytes + count, final)) return false;
    this.#messages++;
    if (!wait?.pending) return false;
    wait.settle();
    return true;
  }

  #flush(): void {
    const { outlet, writer } = this.#parts;
    const sealed = writer.seal();
    if (sealed === undefined) return;
    outlet.write(sealed.bytes, () => {
      sealed.done();
      if (this.#closed) return;
      this.#stall.progressed();
      if (this.#scheduler.waiting > 0 || this.#pingDue || this.#pongDue) this.#schedule();
    });
    this.#stall.watch();
  }

  /** Arranges for another turn; a backlog needs nothing, because the write that ends it does. */
  #wakeLater(): void {
    const { clock, options } = this.#parts;
    if (this.#slice <= 0) {
      if (this.#yielding) return;
      this.#yielding = true;
      setImmediate(() => {
        this.#yielding = false;
        this.#slice = sliceBytes;
        this.#schedule();
      });
      return;
    }
    const now = clock.now();
    // The limiter may have let go since the packing looked at it; then nothing else would wake us.
    if (this.#mayPack(now)) return this.#schedule();
    if (this.#rateTimer !== undefined || this.#bucket.available(now) > 0) return;
    this.#rateTimer = clock.setTimeout(
      () => {
        this.#rateTimer = undefined;
        this.#schedule();
      },
      this.#bucket.waitMs(options.sendRate * wakeSeconds, now),
    );
  }
}
