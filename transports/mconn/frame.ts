/** The sealed frames of a secret connection as a byte stream: plaintext in, frames out, and back. It knows no sockets and no packets. */
import { TroupeError } from '../../proto/errors.ts';
import { FrameRun, frameBytes, frameDataBytes, frameHeaderBytes, type Opener, type Sealer } from './aead.ts';

/** Frames in one run of the pool: a little over 64 KiB, what one write or read of a busy socket carries. */
export const runFrames = 64;
/** Empty frames in a row that a peer may send; Go's buffered reader gives up after as many. */
export const maxEmptyFrames = 100;

/** Runs to borrow. A connection holds one only while it has bytes to seal, in its socket, or to open, so idle connections hold none. */
export class RunPool {
  readonly #free: FrameRun[] = [];
  readonly #keep: number;

  /** Keeps at most `keep` unused runs (67 KB each, and their views); those given back beyond that are left to the garbage collector. */
  constructor(keep: number) {
    this.#keep = keep;
  }

  /** Unused runs at hand. */
  get free(): number {
    return this.#free.length;
  }

  take(): FrameRun {
    return this.#free.pop() ?? new FrameRun(runFrames);
  }

  give(run: FrameRun): void {
    if (this.#free.length < this.#keep) this.#free.push(run);
  }
}

/** The pool of this process: at most 2.1 MB at rest. */
export const runPool = new RunPool(32);

/** Sealed frames to hand to the socket in one write. Call `done` once, when the socket has taken them or will never: the buffer is used again. */
export type SealedFrames = Readonly<{ bytes: Uint8Array; done: () => void }>;

/** What a reader hands over: `bytes` from `start` to `end`, valid only until it returns. */
export type PlaintextSink = (bytes: Uint8Array, start: number, end: number) => void;

/** A run on loan and the writes that still need it. */
type Lease = { readonly run: FrameRun; writes: number; retired: boolean };

const leastFrames = 2;

/**
 * Lays plaintext straight into the data areas of a run, then seals it in place. Small writes share one run, so a peer that reads slowly holds
 * the memory of the bytes that wait for it and little more.
 */
export class FrameWriter {
  readonly #sealer: Sealer;
  readonly #pool: RunPool;
  #lease: Lease | undefined;
  /** The first frame that is not sealed, the frame being filled, and the bytes in it. */
  #first = 0;
  #frame = 0;
  #filled = 0;
  #closed = false;

  constructor(sealer: Sealer, pool: RunPool = runPool) {
    this.#sealer = sealer;
    this.#pool = pool;
  }

  /** Plaintext bytes written and not yet sealed. */
  get pending(): number {
    return (this.#frame - this.#first) * frameDataBytes + this.#filled;
  }

  /** Plaintext bytes that may be written before the next `seal`; at least 2,048 while nothing is pending. */
  get room(): number {
    return ((this.#lease?.run.frames ?? runFrames) - this.#frame) * frameDataBytes - this.#filled;
  }

  /** Adds one byte of plaintext. Needs `room`. */
  writeByte(value: number): void {
    const run = this.#runWith(1);
    run.bytes[this.#frame * frameBytes + frameHeaderBytes + this.#filled] = value;
    this.#filled += 1;
    if (this.#filled === frameDataBytes) this.#closeFrame(run);
  }

  /** Copies `bytes` from `start` to `end` behind what was written. Needs `room` for all of it. */
  write(bytes: Uint8Array, start = 0, end = bytes.length): void {
    if (start === end) return;
    const run = this.#runWith(end - start);
    for (let from = start; from < end;) {
      const count = Math.min(end - from, frameDataBytes - this.#filled);
      run.bytes.set(bytes.subarray(from, from + count), this.#frame * frameBytes + frameHeaderBytes + this.#filled);
      this.#filled += count;
      from += count;
      if (this.#filled === frameDataBytes) this.#closeFrame(run);
    }
  }

  /**
   * Seals what was written; undefined when nothing was, so that no empty frame is ever made.
   * @throws TroupeError `ERR_NONCE_EXHAUSTED`: the connection is at its end.
   */
  seal(): SealedFrames | undefined {
    const lease = this.#lease;
    if (lease === undefined || this.pending === 0) return undefined;
    if (this.#filled > 0) this.#closeFrame(lease.run);
    this.#sealer.seal(lease.run, this.#first, this.#frame - this.#first);
    const bytes = lease.run.bytes.subarray(this.#first * frameBytes, this.#frame * frameBytes);
    this.#first = this.#frame;
    lease.writes += 1;
    if (lease.run.frames - this.#frame < leastFrames) this.#retire(lease);
    let isDone = false;
    const done = (): void => {
      if (isDone) return;
      isDone = true;
      lease.writes -= 1;
      this.#release(lease);
    };
    return { bytes, done };
  }

  /** Forgets what was not sealed and overwrites the key. Idempotent; writing afterwards throws `ERR_CONNECTION_CLOSED`. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#sealer.wipe();
    const lease = this.#lease;
    if (lease === undefined) return;
    lease.run.bytes.fill(0, this.#first * frameBytes);
    this.#retire(lease);
    this.#release(lease);
  }

  #runWith(wanted: number): FrameRun {
    if (this.#closed) throw new TroupeError('ERR_CONNECTION_CLOSED');
    if (wanted > this.room) throw new RangeError('no room: seal first');
    this.#lease ??= { run: this.#pool.take(), writes: 0, retired: false };
    return this.#lease.run;
  }

  /** Writes the length of the current frame, clears its padding, and moves on to the next. */
  #closeFrame(run: FrameRun): void {
    const at = this.#frame * frameBytes;
    run.bytes[at] = this.#filled & 0xff;
    run.bytes[at + 1] = this.#filled >>> 8;
    run.bytes[at + 2] = 0;
    run.bytes[at + 3] = 0;
    run.bytes.fill(0, at + frameHeaderBytes + this.#filled, at + frameHeaderBytes + frameDataBytes);
    this.#frame += 1;
    this.#filled = 0;
  }

  #retire(lease: Lease): void {
    lease.retired = true;
    this.#lease = undefined;
    this.#first = 0;
    this.#frame = 0;
    this.#filled = 0;
  }

  /** Gives a run back once no write needs it and no plaintext waits in it. */
  #release(lease: Lease): void {
    if (lease.writes > 0) return;
    if (!lease.retired) {
      if (this.pending > 0) return;
      this.#retire(lease);
    }
    this.#pool.give(lease.run);
  }
}

/** Takes what the socket delivers, in pieces of any size, and hands over the plaintext of each frame. Time and memory are linear in what comes in. */
export class FrameReader {
  readonly #opener: Opener;
  readonly #pool: RunPool;
  /** The beginning of a frame whose end has not come yet: the only bytes kept between two pieces. */
  #partial: Uint8Array | undefined;
  #kept = 0;
  #emptyFrames = 0;
  #failure: unknown;

  constructor(opener: Opener, pool: RunPool = runPool) {
    this.#opener = opener;
    this.#pool = pool;
  }

  /** Whether part of a frame has come in: an end of the stream here is a broken connection, at a frame's edge it is a clean one. */
  get insideFrame(): boolean {
    return this.#kept > 0;
  }

  /**
   * Opens every frame that `piece` completes and hands over their data, in order, that of many frames at a time; what came before a bad one first.
   * The piece is copied and may be used again. A reader that has thrown throws the same error for ever.
   * @throws TroupeError `ERR_FRAME_UNSEALED`, `ERR_FRAME_MALFORMED` (a length above 1,024), `ERR_FRAMES_EMPTY` (101 in a row), `ERR_NONCE_EXHAUSTED`,
   * `ERR_CONNECTION_CLOSED` after `close`; and whatever `sink` throws.
   */
  feed(piece: Uint8Array, sink: PlaintextSink): void {
    this.#assertUsable();
    try {
      let at = 0;
      while (this.#kept + piece.length - at >= frameBytes) at += this.#feedRun(piece, at, sink);
      this.#assertUsable();
      if (at < piece.length) this.#keep(piece.subarray(at));
    } catch (error) {
      this.#failure ??= error;
      throw error;
    }
  }

  /** Overwrites the key and forgets what is unfinished. Idempotent. Called from inside `sink`, it is the last call of it, and `feed` throws. */
  close(): void {
    this.#opener.wipe();
    this.#partial = undefined;
    this.#kept = 0;
    this.#failure ??= new TroupeError('ERR_CONNECTION_CLOSED');
  }

  /** Opens as many whole frames as one run holds; returns the bytes it used of `piece`. */
  #feedRun(piece: Uint8Array, at: number, sink: PlaintextSink): number {
    const run = this.#pool.take();
    try {
      const frames = Math.min(run.frames, Math.floor((this.#kept + piece.length - at) / frameBytes));
      const used = frames * frameBytes - this.#kept;
      if (this.#partial !== undefined && this.#kept > 0) run.bytes.set(this.#partial.subarray(0, this.#kept));
      run.bytes.set(piece.subarray(at, at + used), this.#kept);
      this.#kept = 0;
      for (let first = 0; first < frames;) {
        const opened = this.#opener.open(run, first, frames - first);
        this.#deliver(run, first, opened, sink);
        first += opened;
      }
      return used;
    } finally {
      this.#pool.give(run);
    }
  }

  /** Moves the data of opened frames together, so that a packet that lies in two frames need not be put together elsewhere, and hands it over. */
  #deliver({ bytes }: FrameRun, first: number, frames: number, sink: PlaintextSink): void {
    this.#assertUsable();
    const start = first * frameBytes + frameHeaderBytes;
    let end = start;
    let refused: TroupeError | undefined;
    for (let frame = first; frame < first + frames; frame += 1) {
      const at = frame * frameBytes;
      const length = (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
      refused = this.#refusal(length);
      if (refused) break;
      if (end !== at + frameHeaderBytes && length > 0) bytes.copyWithin(end, at + frameHeaderBytes, at + frameHeaderBytes + length);
      end += length;
    }
    if (end > start) sink(bytes, start, end);
    if (refused) throw refused;
  }

  /** What is wrong with a frame of this length, after those before it. */
  #refusal(length: number): TroupeError | undefined {
    if (length > frameDataBytes) return new TroupeError('ERR_FRAME_MALFORMED', `${length} bytes`);
    this.#emptyFrames = length === 0 ? this.#emptyFrames + 1 : 0;
    return this.#emptyFrames > maxEmptyFrames ? new TroupeError('ERR_FRAMES_EMPTY') : undefined;
  }

  #assertUsable(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  #keep(rest: Uint8Array): void {
    this.#partial ??= new Uint8Array(frameBytes);
    this.#partial.set(rest, this.#kept);
    this.#kept += rest.length;
  }
}
