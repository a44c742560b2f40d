/** X25519 (RFC 7748) by `node:crypto`, with noble as the fallback where the platform's OpenSSL has no X25519. */
import { createPrivateKey, createPublicKey, diffieHellman, type KeyObject } from 'node:crypto';
import { x25519 as noble } from '@noble/curves/ed25519.js';
import { TroupeError } from '../../proto/errors.ts';

/** What a backend does with 32-byte secrets and public keys. */
export interface KeyAgreement {
  readonly name: 'node' | 'noble';
  publicKey(secret: Uint8Array): Uint8Array;
  /**
   * The secret that both ends share.
   * @throws TroupeError `ERR_HANDSHAKE_WEAK_KEY` when it would be zero: the remote key is one of the low-order encodings of RFC 7748, section 6.1.
   */
  sharedSecret(secret: Uint8Array, remoteKey: Uint8Array): Uint8Array;
}

/** DER headers of RFC 8410 before the 32 bytes of a secret and of a public key. */
const pkcs8 = Buffer.from('302e020100300506032b656e04220420', 'hex');
const spki = Buffer.from('302a300506032b656e032100', 'hex');

function importSecret(secret: Uint8Array): KeyObject {
  const der = Buffer.alloc(pkcs8.length + secret.length);
  der.set(pkcs8);
  der.set(secret, pkcs8.length);
  try {
    return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  } finally {
    der.fill(0);
  }
}

/** Runs `derive`, which fails for a low-order remote key. What it says is not passed on: it may quote a key. */
function refusing(derive: () => Uint8Array): Uint8Array {
  try {
    return derive();
  } catch {
    throw new TroupeError('ERR_HANDSHAKE_WEAK_KEY');
  }
}

/** Backend on the platform's OpenSSL. */
export const nodeX25519: KeyAgreement = {
  name: 'node',
  publicKey(secret) {
    const der = createPublicKey(importSecret(secret)).export({ format: 'der', type: 'spki' });
    return Uint8Array.from(der.subarray(spki.length));
  },
  sharedSecret(secret, remoteKey) {
    const privateKey = importSecret(secret);
    return refusing(() => {
      const publicKey = createPublicKey({ key: Buffer.concat([spki, remoteKey]), format: 'der', type: 'spki' });
      return diffieHellman({ privateKey, publicKey });
    });
  },
};

/** Backend in JavaScript: the reference in tests. */
export const nobleX25519: KeyAgreement = {
  name: 'noble',
  publicKey: (secret) => noble.getPublicKey(secret),
  sharedSecret: (secret, remoteKey) => refusing(() => noble.getSharedSecret(secret, remoteKey)),
};

/** The first backend that can make a key and agree with itself, else the last. */
export function selectX25519(backends: readonly [KeyAgreement, ...KeyAgreement[]]): KeyAgreement {
  return backends.find(works) ?? backends[backends.length - 1]!;
}

function works(backend: KeyAgreement): boolean {
  try {
    const secret = new Uint8Array(32).fill(1);
    return backend.sharedSecret(secret, backend.publicKey(secret)).length === 32;
  } catch {
    return false;
  }
}

/** The backend of this process. */
export const keyAgreement: KeyAgreement = selectX25519([nodeX25519, nobleX25519]);
