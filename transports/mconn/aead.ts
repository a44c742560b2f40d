/** ChaCha20-Poly1305 (RFC 8439) over runs of frames, by whichever backend is fastest here. It knows no sockets and no handshake. */
import { createCipheriv, createDecipheriv } from 'node:crypto';
import { createRequire } from 'node:module';
import { chacha20poly1305 } from '@noble/ciphers/chacha.js';
import { TroupeError } from '../../proto/errors.ts';

/** Bytes of the little-endian length that opens a plain frame. */
export const frameHeaderBytes = 4;
/** Bytes of the data area of a frame, used or not. */
export const frameDataBytes = 1_024;
/** Bytes of a frame before it is sealed: length and data area. */
export const framePlainBytes = frameHeaderBytes + frameDataBytes;
/** Bytes of the Poly1305 tag behind a frame. */
const frameTagBytes = 16;
/** Bytes of a sealed frame on the wire, and the distance between two frames of a run. */
export const frameBytes = framePlainBytes + frameTagBytes;

const keyBytes = 32;
const lastWord = 0xffff_ffff;

/**
 * A preallocated buffer of frames with a view of each, made once: native calls take views, and a view a call costs a tenth of the sealing.
 * Frame `i` begins at byte `i * frameBytes`.
 */
export class FrameRun {
  readonly bytes: Uint8Array;
  readonly frames: number;
  /** The 1,028 bytes of each frame that are sealed. */
  readonly plain: readonly Uint8Array[];
  /** The 1,044 bytes of each frame as they travel. */
  readonly sealed: readonly Uint8Array[];
  /** The 16 bytes behind each frame that hold its tag. */
  readonly tag: readonly Uint8Array[];

  constructor(frames: number) {
    const bytes = new Uint8Array(frames * frameBytes);
    const views = (from: number, to: number): readonly Uint8Array[] =>
      Array.from({ length: frames }, (_, frame) => bytes.subarray(frame * frameBytes + from, frame * frameBytes + to));
    this.bytes = bytes;
    this.frames = frames;
    this.plain = views(0, framePlainBytes);
    this.sealed = views(0, frameBytes);
    this.tag = views(framePlainBytes, frameBytes);
  }
}

/** Seals the frames of one direction; the nonce of each frame follows that of the one before. */
export interface Sealer {
  /**
   * Seals `frames` frames of a run in place, the first at index `first`. All or none.
   * @throws TroupeError `ERR_NONCE_EXHAUSTED` when that many nonces are not left; `ERR_CONNECTION_CLOSED` after `wipe`.
   */
  seal(run: FrameRun, first: number, frames: number): void;
  /** Overwrites the key; nothing can be sealed afterwards. Idempotent. */
  wipe(): void;
}

/** Opens the frames of one direction in the order in which they were sealed. */
export interface Opener {
  /**
   * Opens up to `frames` frames of a run in place, the first at index `first`, and returns how many did; fewer than asked means that the next
   * one does not open. From then on every call throws: a frame that failed is never tried again.
   * @throws TroupeError `ERR_FRAME_UNSEALED` when the first frame asked for does not open; `ERR_NONCE_EXHAUSTED`; `ERR_CONNECTION_CLOSED` after `wipe`.
   */
  open(run: FrameRun, first: number, frames: number): number;
  /** Overwrites the key; nothing can be opened afterwards. Idempotent. */
  wipe(): void;
}

/** The backends by name, fastest first. */
export const aeadNames = ['sodium', 'node', 'noble'] as const;
/** Which implementation seals: `sodium-native`, `node:crypto` or `@noble/ciphers`. */
export type AeadName = (typeof aeadNames)[number];

/** One backend. Keys are 32 bytes and are copied; counters start at `nonceStart`, 0 unless a test says otherwise. */
export interface Aead {
  readonly name: AeadName;
  sealer(key: Uint8Array, nonceStart?: bigint): Sealer;
  opener(key: Uint8Array, nonceStart?: bigint): Opener;
}

/** What a backend supplies: one frame with one nonce. `open` answers whether the tag was right. */
type Cipher = Readonly<{
  seal(key: Uint8Array, nonce: Uint8Array, run: FrameRun, frame: number): void;
  open(key: Uint8Array, nonce: Uint8Array, run: FrameRun, frame: number): boolean;
}>;

/** The 96-bit nonce: four zero bytes, then a 64-bit little-endian counter kept in two words, because numbers are exact only to 2^53. */
class Nonce {
  readonly bytes = new Uint8Array(12);
  readonly #view = new DataView(this.bytes.buffer);
  #low: number;
  #high: number;

  constructor(start: bigint) {
    if (start < 0n || start > 0xffff_ffff_ffff_ffffn) throw new RangeError('a nonce counter has 64 bits');
    this.#low = Number(start & 0xffff_ffffn);
    this.#high = Number(start >> 32n);
    this.#write();
  }

  /** How many frames may still use this counter, at most `wanted`. The last value, 2^64 - 1, is never used. */
  available(wanted: number): number {
    return this.#high === lastWord ? Math.min(wanted, lastWord - this.#low) : wanted;
  }

  advance(): void {
    if (this.#low === lastWord) {
      this.#low = 0;
      this.#high += 1;
    } else this.#low += 1;
    this.#write();
  }

  #write(): void {
    this.#view.setUint32(4, this.#low, true);
    this.#view.setUint32(8, this.#high, true);
  }
}

/** What both directions share: a key of their own, a counter, and an end. */
class Direction {
  protected readonly cipher: Cipher;
  protected readonly key: Uint8Array;
  protected readonly nonce: Nonce;
  #wiped = false;

  constructor(cipher: Cipher, key: Uint8Array, nonceStart: bigint) {
    if (key.length !== keyBytes) throw new RangeError('a key has 32 bytes');
    this.cipher = cipher;
    this.key = Uint8Array.from(key);
    this.nonce = new Nonce(nonceStart);
  }

  wipe(): void {
    this.#wiped = true;
    this.key.fill(0);
  }

  /** Checks a request and returns how many of its frames have a nonce. */
  protected check(run: FrameRun, first: number, frames: number): number {
    if (this.#wiped) throw new TroupeError('ERR_CONNECTION_CLOSED', 'its keys are gone');
    if (first < 0 || frames < 0 || first + frames > run.frames) throw new RangeError('these frames are not in the run');
    return this.nonce.available(frames);
  }
}

class RunSealer extends Direction implements Sealer {
  seal(run: FrameRun, first: number, frames: number): void {
    if (this.check(run, first, frames) < frames) throw new TroupeError('ERR_NONCE_EXHAUSTED');
    for (let frame = first; frame < first + frames; frame += 1) {
      this.cipher.seal(this.key, this.nonce.bytes, run, frame);
      this.nonce.advance();
    }
  }
}

class RunOpener extends Direction implements Opener {
  #failed = false;

  open(run: FrameRun, first: number, frames: number): number {
    const available = this.check(run, first, frames);
    if (this.#failed) throw new TroupeError('ERR_FRAME_UNSEALED');
    if (available === 0 && frames > 0) throw new TroupeError('ERR_NONCE_EXHAUSTED');
    for (let opened = 0; opened < available; opened += 1) {
      if (!this.cipher.open(this.key, this.nonce.bytes, run, first + opened)) {
        this.#failed = true;
        if (opened === 0) throw new TroupeError('ERR_FRAME_UNSEALED');
        return opened;
      }
      this.nonce.advance();
    }
    return available;
  }
}

const aead = (name: AeadName, cipher: Cipher): Aead => ({
  name,
  sealer: (key, nonceStart = 0n) => new RunSealer(cipher, key, nonceStart),
  opener: (key, nonceStart = 0n) => new RunOpener(cipher, key, nonceStart),
});

/** The part of `sodium-native` 5 that is used; its published types are of an older line. Both calls work in place and throw when they cannot. */
type Sodium = Readonly<{
  crypto_aead_chacha20poly1305_ietf_encrypt(
    sealed: Uint8Array,
    plain: Uint8Array,
    data: null,
    secret: null,
    nonce: Uint8Array,
    key: Uint8Array,
  ): number;
  crypto_aead_chacha20poly1305_ietf_decrypt(
    plain: Uint8Array,
    secret: null,
    sealed: Uint8Array,
    data: null,
    nonce: Uint8Array,
    key: Uint8Array,
  ): number;
}>;

function sodiumCipher(): Cipher {
  const sodium = createRequire(import.meta.url)('sodium-native') as Sodium;
  return {
    seal: (key, nonce, run, frame) => {
      sodium.crypto_aead_chacha20poly1305_ietf_encrypt(run.sealed[frame]!, run.plain[frame]!, null, null, nonce, key);
    },
    open: (key, nonce, run, frame) => {
      try {
        return (
          sodium.crypto_aead_chacha20poly1305_ietf_decrypt(run.plain[frame]!, null, run.sealed[frame]!, null, nonce, key) ===
          framePlainBytes
        );
      } catch {
        return false;
      }
    },
  };
}

function nodeCipher(): Cipher {
  const options = { authTagLength: frameTagBytes };
  createCipheriv('chacha20-poly1305', new Uint8Array(keyBytes), new Uint8Array(12), options);
  return {
    seal: (key, nonce, run, frame) => {
      const cipher = createCipheriv('chacha20-poly1305', key, nonce, options);
      run.plain[frame]!.set(cipher.update(run.plain[frame]!));
      cipher.final();
      run.tag[frame]!.set(cipher.getAuthTag());
    },
    open: (key, nonce, run, frame) => {
      const decipher = createDecipheriv('chacha20-poly1305', key, nonce, options);
      decipher.setAuthTag(run.tag[frame]!);
      const plain = decipher.update(run.plain[frame]!);
      try {
        decipher.final();
      } catch {
        return false;
      }
      run.plain[frame]!.set(plain);
      return true;
    },
  };
}

function nobleCipher(): Cipher {
  return {
    seal: (key, nonce, run, frame) => {
      run.sealed[frame]!.set(chacha20poly1305(key, nonce).encrypt(run.plain[frame]!));
    },
    open: (key, nonce, run, frame) => {
      try {
        run.plain[frame]!.set(chacha20poly1305(key, nonce).decrypt(run.sealed[frame]!));
        return true;
      } catch {
        return false;
      }
    },
  };
}

/** Loads one backend, or throws where it cannot be had. */
type Loaders = Readonly<Record<AeadName, () => Cipher>>;

/** How each backend is loaded on this machine. */
export const aeadLoaders: Loaders = { sodium: sodiumCipher, node: nodeCipher, noble: nobleCipher };

/**
 * The backend asked for, or with `auto` the fastest that loads.
 * @throws TroupeError `ERR_AEAD_UNAVAILABLE` when the one asked for does not load.
 */
export function selectAead(choice: 'auto' | AeadName, loaders: Loaders = aeadLoaders): Aead {
  if (choice === 'auto') {
    const [fastest] = availableAeads(loaders);
    if (fastest === undefined) throw new TroupeError('ERR_AEAD_UNAVAILABLE', 'none of them');
    return fastest;
  }
  try {
    return aead(choice, loaders[choice]());
  } catch (cause) {
    throw new TroupeError('ERR_AEAD_UNAVAILABLE', choice, { cause });
  }
}

/** Every backend that loads on this machine, fastest first; `noble` always does. */
export function availableAeads(loaders: Loaders = aeadLoaders): readonly Aead[] {
  return aeadNames.flatMap((name) => {
    try {
      return [selectAead(name, loaders)];
    } catch {
      return [];
    }
  });
}
