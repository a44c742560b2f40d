/** Contents of messages, and their digests as the Go side reports them. */
import { createHash } from 'node:crypto';

/** Bytes that differ from message to message and repeat nowhere soon. */
export function filler(size: number, seed: number): Uint8Array {
  const made = Buffer.alloc(size);
  let x = (seed * 2_654_435_761 + 1) >>> 0 || 1;
  for (let at = 0; at < size; at++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    made[at] = x;
  }
  return made;
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
