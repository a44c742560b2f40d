/** X25519 (RFC 7748) by `node:crypto`, with noble as the fallback where the platform's OpenSSL has no X25519. */
import { createPrivateKey, createPublicKey, diffieHellman, generateKeyPairSync, type KeyObject } from 'node:crypto';
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
  /** A new pair whose secret never leaves the platform, where it can: ten times cheaper than bringing a secret in. Agrees as `sharedSecret` does. */
  fresh?(): Readonly<{ publicKey: Uint8Array; sharedSecret(remoteKey: Uint8Array): Uint8Array }>;
}

/** DER header of RFC 8410 before the 32 bytes of a secret. */
const pkcs8 = Buffer.from('302e020100300506032b656e04220420', 'hex');

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

/** Public keys travel as JWK (RFC 8037): OpenSSL reads that ten times faster than DER. */
function importPublic(key: Uint8Array): KeyObject {
  return createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x: Buffer.from(key).toString('base64url') }, format: 'jwk' });
}

function exportPublic(key: KeyObject): Uint8Array {
  return Uint8Array.from(Buffer.from(key.export({ format: 'jwk' }).x ?? '', 'base64url'));
}

function agree(privateKey: KeyObject, remoteKey: Uint8Array): Uint8Array {
  return refusing(() => diffieHellman({ privateKey, publicKey: importPublic(remoteKey) }));
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
  publicKey: (secret) => exportPublic(createPublicKey(importSecret(secret))),
  sharedSecret: (secret, remoteKey) => agree(importSecret(secret), remoteKey),
  fresh() {
    const { privateKey, publicKey } = generateKeyPairSync('x25519');
    return { publicKey: exportPublic(publicKey), sharedSecret: (remoteKey) => agree(privateKey, remoteKey) };
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
