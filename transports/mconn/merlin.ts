/** The Merlin transcript over STROBE-128, as far as the secret connection needs it: append, and extract a challenge. Not a general STROBE. */
import { keccakP } from '@noble/hashes/sha3.js';
import { swap32IfBE } from '@noble/hashes/utils.js';

const rate = 166;
const metaAdFlags = 0x12;
const adFlags = 0x02;
const prfFlags = 0x07;
const cipherFlag = 0x04;

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

function littleEndian32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

/** A running hash of everything both ends said, from which both extract the same challenge (merlin.cool, version 1.0). */
export class Transcript {
  readonly #words = new Uint32Array(50);
  readonly #state = new Uint8Array(this.#words.buffer);
  #position = 0;
  #begin = 0;

  /** Begins a transcript for the protocol that `label` names. */
  constructor(label: string) {
    this.#state.set([1, rate + 2, 1, 0, 1, 96]);
    this.#state.set(ascii('STROBEv1.0.2'), 6);
    this.#permute();
    this.#operate(metaAdFlags, ascii('Merlin v1.0'));
    this.append('dom-sep', ascii(label));
  }

  /** Adds a message under a label. */
  append(label: string, message: Uint8Array): void {
    this.#label(label, message.length);
    this.#operate(adFlags, message);
  }

  /** The next `length` bytes that depend on everything appended so far. */
  extract(label: string, length: number): Uint8Array {
    this.#label(label, length);
    this.#operate(prfFlags, new Uint8Array(0));
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; at += 1) {
      bytes[at] = this.#state[this.#position]!;
      this.#state[this.#position] = 0;
      this.#step();
    }
    return bytes;
  }

  /** Overwrites the state: it was computed from a secret. */
  wipe(): void {
    this.#state.fill(0);
  }

  /** Label and length are one metadata operation: the length continues it, so it has no header of its own. */
  #label(label: string, length: number): void {
    this.#operate(metaAdFlags, ascii(label));
    this.#absorb(littleEndian32(length));
  }

  #operate(flags: number, data: Uint8Array): void {
    const before = this.#begin;
    this.#begin = this.#position + 1;
    this.#absorb([before, flags]);
    if ((flags & cipherFlag) !== 0 && this.#position !== 0) this.#runF();
    this.#absorb(data);
  }

  #absorb(data: ArrayLike<number>): void {
    for (let at = 0; at < data.length; at += 1) {
      this.#state[this.#position]! ^= data[at]!;
      this.#step();
    }
  }

  #step(): void {
    this.#position += 1;
    if (this.#position === rate) this.#runF();
  }

  #runF(): void {
    this.#state[this.#position]! ^= this.#begin;
    this.#state[this.#position + 1]! ^= 0x04;
    this.#state[rate + 1]! ^= 0x80;
    this.#permute();
    this.#position = 0;
    this.#begin = 0;
  }

  #permute(): void {
    swap32IfBE(this.#words);
    keccakP(this.#words);
    swap32IfBE(this.#words);
  }
}
