/** Ed25519 (RFC 8032) by `node:crypto`, with noble as the fallback where the platform's OpenSSL has no Ed25519. Refusal of weak keys is in `identity.ts`. */
import { createPrivateKey, createPublicKey, sign as signWith, verify as verifyWith, type KeyObject } from 'node:crypto';
import { ed25519 as noble } from '@noble/curves/ed25519.js';

/** What a backend does. Signing is deterministic, so every backend gives the same bytes. */
export interface Ed25519 {
  readonly name: 'node' | 'noble';
  keyPair(seed: Uint8Array): Readonly<{ publicKey: Uint8Array; sign(message: Uint8Array): Uint8Array }>;
  /** May throw when the key is not a point. */
  verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
}

/** DER header of RFC 8410 before the 32 bytes of a seed. */
const pkcs8 = Buffer.from('302e020100300506032b657004220420', 'hex');

/** As JWK (RFC 8037): OpenSSL reads that ten times faster than DER. */
function importPublic(key: Uint8Array): KeyObject {
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(key).toString('base64url') }, format: 'jwk' });
}

/** Backend on the platform's OpenSSL. */
export const nodeEd25519: Ed25519 = {
  name: 'node',
  keyPair(seed) {
    const secret = createPrivateKey({ key: Buffer.concat([pkcs8, seed]), format: 'der', type: 'pkcs8' });
    const der = createPublicKey(secret).export({ format: 'der', type: 'spki' });
    return { publicKey: Uint8Array.from(der.subarray(-32)), sign: (message) => Uint8Array.from(signWith(null, message, secret)) };
  },
  verify(publicKey, message, signature) {
    return verifyWith(null, message, importPublic(publicKey), signature);
  },
};

/** Backend in JavaScript: the reference in tests. RFC 8032 rules rather than the wider ZIP-215, as OpenSSL has. */
export const nobleEd25519: Ed25519 = {
  name: 'noble',
  keyPair: (seed) => ({ publicKey: noble.getPublicKey(seed), sign: (message) => noble.sign(message, seed) }),
  verify: (publicKey, message, signature) => noble.verify(signature, message, publicKey, { zip215: false }),
};

/** The first backend that can make a key and check its own signature, else the last. */
export function selectEd25519(backends: readonly [Ed25519, ...Ed25519[]]): Ed25519 {
  return backends.find(works) ?? backends[backends.length - 1]!;
}

function works(backend: Ed25519): boolean {
  try {
    const message = new Uint8Array(1);
    const { publicKey, sign } = backend.keyPair(new Uint8Array(32));
    return backend.verify(publicKey, message, sign(message));
  } catch {
    return false;
  }
}

/** The backend in use. */
export const ed25519: Ed25519 = selectEd25519([nodeEd25519, nobleEd25519]);
