/** The reading half of a connection: what the socket delivers becomes packets and messages, at the pace of whoever reads them and no faster than the peer may. */
import { TroupeError } from '../../proto/errors.ts';
import type { LinkOptions } from '../../proto/options.ts';
import type { Clock, TimerHandle } from '../clock.ts';
import type { ChannelDescriptor, Message } from '../transport.ts';
import { frameBytes } from './aead.ts';
import type { FrameReader } from './frame.ts';
import { Inbox } from './inbox.ts';
import { PacketParser, type PacketSink } from './packet.ts';
import { Reassembly, type ReassemblyBudget } from './reassembly.ts';
import { SlidingCount, TokenBucket } from '../token-bucket.ts';
import type { Waits } from './waits.ts';

/** What is opened before the pace is looked at again: at most 3 million cost units, and half a millisecond of work. */
const sliceBytes = 16 * frameBytes;
/** What is opened before other work of the process gets its turn: about 5 ms with the slowest AEAD. */
const turnBytes = 262_144;
/** The least a packet costs, and what a whole message costs on top: the price of being small. */
const leastPacketCost = 256;
const messageCost = 1_024;
const minuteMs = 60_000;
const maxPingsPerMinute = 30;
const maxEmptyPacketsPerMinute = 100;

/** What a receiver needs. `fail` ends the connection at once; `over` says that what came before the end of the stream has all been read. */
export type ReceiverParts = Readonly<{
  clock: Clock;
  options: LinkOptions;
  channels: readonly ChannelDescriptor[];
  budget: ReassemblyBudget;
  reader: FrameReader;
  waits: Waits;
  source: Readonly<{ pause(): void; resume(): void }>;
  pinged: () => void;
  ponged: () => void;
  fail: (error: unknown) => void;
  over: (error: Error) => void;
}>;

/** Pings and pongs are handled as they come, whoever reads messages or does not. */
export class Receiver implements PacketSink {
  readonly #parts: ReceiverParts;
  readonly #inbox: Inbox;
  readonly #parser: PacketParser;
  readonly #reassembly: Reassembly;
  readonly #cost: TokenBucket;
  readonly #pings = new SlidingCount(maxPingsPerMinute, minuteMs);
  readonly #emptyPackets = new SlidingCount(maxEmptyPacketsPerMinute, minuteMs);
  /** Pieces from the socket that have not been opened; one, unless the stream delivers more while it is paused. */
  readonly #pieces: Uint8Array[] = [];
  #at = 0;
  #left = turnBytes;
  #now: number;
  #heardAt: number;
  /** Why the socket is left unread, as it is until `begin`: the reader is behind, the peer has to pay, or others have their turn. */
  #paused: 'new' | 'reader' | 'payment' | 'turn' | undefined = 'new';
  #pausedAt: number;
  #pausedMs = 0;
  #payTimer: TimerHandle;
  #parkTimer: TimerHandle;
  #finished = false;
  #broken: Error | undefined;
  #closed = false;
  #messages = 0;

  constructor(parts: ReceiverParts) {
    const { budget, channels, clock, options, waits } = parts;
    this.#parts = parts;
    this.#now = this.#heardAt = this.#pausedAt = clock.now();
    this.#inbox = new Inbox(waits);
    this.#parser = new PacketParser(options.maxReceivePacketBytes, this);
    this.#reassembly = new Reassembly(channels, budget, () =>
      parts.fail(new TroupeError('ERR_REASSEMBLY_FULL', 'its message is the oldest unfinished one')),
    );
    this.#cost = new TokenBucket(options.receiveRate, options.receiveRate, this.#now);
  }

  get messages(): number {
    return this.#messages;
  }

  /** Milliseconds that do not pass while we leave the socket unread: by this clock the peer is judged. */
  readingNow(): number {
    const now = this.#parts.clock.now();
    return (this.#paused ? this.#pausedAt : now) - this.#pausedMs;
  }

  /** Reading time of the last whole packet. */
  get heardAt(): number {
    return this.#heardAt;
  }

  /** Takes plaintext that came with the handshake, then what the socket delivers. */
  begin(plaintext: Uint8Array, piece: Uint8Array): void {
    this.#try(() => this.#parser.push(plaintext, 0, plaintext.length));
    if (piece.length > 0) this.#pieces.push(piece);
    this.#drive();
  }

  /** Takes a piece from the socket; it must not change afterwards. */
  push(piece: Uint8Array): void {
    if (this.#closed) return;
    this.#pieces.push(piece);
    if (!this.#paused) this.#drive();
  }

  /** The stream has ended, by an error or in order. What came before is still handed out, then `over` is called. */
  finish(error: Error | undefined): void {
    if (this.#closed) return;
    this.#finished = true;
    this.#broken = error;
    if (this.#paused !== 'payment' && this.#paused !== 'turn') this.#drive();
  }

  take(signal: AbortSignal): Message | Promise<Message> {
    const message = this.#inbox.take();
    if (message === undefined) return this.#inbox.next(signal);
    if (this.#paused === 'reader' ? !this.#inbox.isFull : this.#finished && !this.#paused && this.#inbox.size === 0) this.#drive();
    return message;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#parts.clock.clearTimeout(this.#payTimer);
    this.#parts.clock.clearTimeout(this.#parkTimer);
    this.#parts.reader.close();
    this.#reassembly.close();
    this.#inbox.clear();
    this.#pieces.length = 0;
  }

  ping(wireBytes: number): void {
    if (!this.#hear(wireBytes)) return;
    if (!this.#pings.admit(this.#now)) throw new TroupeError('ERR_PINGS_FLOODING', `more than ${maxPingsPerMinute} in ${minuteMs} ms`);
    this.#parts.pinged();
  }

  pong(wireBytes: number): void {
    if (this.#hear(wireBytes)) this.#parts.ponged();
  }

  part(channelId: number, final: boolean, bytes: Uint8Array, start: number, end: number, wireBytes: number): void {
    if (!this.#hear(wireBytes)) return;
    if (start === end && !final && !this.#emptyPackets.admit(this.#now)) {
      throw new TroupeError('ERR_PACKETS_EMPTY', `more than ${maxEmptyPacketsPerMinute} in ${minuteMs} ms`);
    }
    const message = this.#reassembly.add(channelId, final, bytes, start, end, this.#heardAt);
    if (message === undefined) return this.#watchPartial();
    this.#cost.take(messageCost);
    this.#messages++;
    this.#inbox.put({ channelId, bytes: message });
  }

  #hear(wireBytes: number): boolean {
    if (this.#closed) return false;
    this.#cost.take(Math.max(wireBytes, leastPacketCost));
    this.#heardAt = this.#now - this.#pausedMs;
    return true;
  }

  /** It may become so by anything that is called in between. */
  #isClosed(): boolean {
    return this.#closed;
  }

  /** Opens what there is, slice by slice, until the reader is behind or the peer has to wait. */
  #drive(): void {
    if (this.#closed) return;
    const { clock, reader, source } = this.#parts;
    const wasPaused = this.#resumed();
    this.#now = clock.now();
    while (!this.#isClosed() && this.#pieces.length > 0) {
      this.#now = clock.now();
      if (this.#pauseIfDue()) return;
      const piece = this.#pieces[0]!;
      const slice = piece.subarray(this.#at, this.#at + sliceBytes);
      this.#at += slice.length;
      this.#left -= slice.length;
      if (this.#at >= piece.length) {
        this.#pieces.shift();
        this.#at = 0;
      }
      this.#try(() => reader.feed(slice, this.#sink));
    }
    if (this.#isClosed()) return;
    if (this.#finished) {
      if (this.#inbox.size === 0) this.#parts.over(this.#broken ?? endOfStream(reader.insideFrame));
    } else if (!this.#pauseIfDue() && wasPaused) source.resume();
  }

  readonly #sink = (bytes: Uint8Array, start: number, end: number): void => this.#parser.push(bytes, start, end);

  #try(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#parts.fail(error);
    }
  }

  /** Leaves the socket unread for one of the reasons, if there is one, and sees to it that it is read again. */
  #pauseIfDue(): boolean {
    if (this.#inbox.isFull) this.#pause('reader');
    else if (this.#cost.available(this.#now) < 0) {
      this.#pause('payment');
      this.#payTimer = this.#parts.clock.setTimeout(() => this.#drive(), this.#cost.waitMs(0, this.#now));
    } else if (this.#left <= 0) {
      this.#pause('turn');
      setImmediate(() => {
        this.#left = turnBytes;
        this.#drive();
      });
    } else return false;
    return true;
  }

  #pause(reason: 'reader' | 'payment' | 'turn'): void {
    this.#paused = reason;
    this.#pausedAt = this.#parts.clock.now();
    this.#parts.source.pause();
  }

  #resumed(): boolean {
    if (!this.#paused) return false;
    this.#paused = undefined;
    this.#pausedMs += this.#parts.clock.now() - this.#pausedAt;
    return true;
  }

  /** One timer for all unfinished messages; it outlives them, because most are whole long before it fires. */
  #watchPartial(): void {
    if (this.#parkTimer !== undefined) return;
    const parkedAt = this.#reassembly.parkedAt(this.#parts.options);
    if (parkedAt === undefined) return;
    const { clock, fail, options } = this.#parts;
    this.#parkTimer = clock.setTimeout(
      () => {
        // After a stall of ours, what has come in meanwhile is read before anybody is judged.
        setImmediate(() => {
          this.#parkTimer = undefined;
          if (this.#closed) return;
          const at = this.#reassembly.parkedAt(options);
          if (at !== undefined && at <= this.readingNow()) fail(new TroupeError('ERR_MESSAGE_PARKED'));
          else this.#watchPartial();
        });
      },
      Math.max(1, parkedAt - this.readingNow()),
    );
  }
}

/** What a FIN means: at the edge of a frame an orderly end, inside one a connection that broke. */
export function endOfStream(insideFrame: boolean): TroupeError {
  return insideFrame
    ? new TroupeError('ERR_CONNECTION_RESET', 'inside a frame')
    : new TroupeError('ERR_CONNECTION_CLOSED', 'by the remote');
}
