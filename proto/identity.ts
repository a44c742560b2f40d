/** Who a node is: its Ed25519 key and the id derived from it. The key's file belongs to `actors/node-key.ts`. */
import { createHash, randomBytes } from 'node:crypto';
import { ed25519 } from './ed25519.ts';
import { TroupeError } from './errors.ts';

/** Forty lower-case hex characters: the first 20 bytes of SHA-256 over the Ed25519 public key. Made only by the functions of this module. */
export type NodeId = string & { readonly __brand: 'NodeId' };

/** A node's key pair. `seed` is the 32-byte secret of RFC 8032; it is not enumerable, so that logging a key does not print it. */
export type NodeKey = Readonly<{ id: NodeId; publicKey: Uint8Array; seed: Uint8Array; sign(message: Uint8Array): Uint8Array }>;

const idPattern = /^[0-9a-f]{40}$/;
const keyType = 'tendermint/PrivKeyEd25519';
/** A real file has about 200 characters. */
const maxKeyText = 4_096;

/** Reads an id as it stands on the wire. @throws TroupeError `ERR_NODE_ID_INVALID` unless it is 40 lower-case hex characters. */
export function parseNodeId(text: string): NodeId {
  if (text.length !== 40 || !idPattern.test(text)) throw new TroupeError('ERR_NODE_ID_INVALID', JSON.stringify(text.slice(0, 64)));
  return text as NodeId;
}

/** Reads an id that a person wrote: upper case is accepted and lowered. @throws TroupeError `ERR_NODE_ID_INVALID`. */
export function nodeIdFromText(text: string): NodeId {
  return parseNodeId(text.length === 40 ? text.toLowerCase() : text);
}

/** The id that belongs to a public key of 32 bytes. @throws TroupeError `ERR_NODE_ID_INVALID` for any other length. */
export function nodeIdOf(publicKey: Uint8Array): NodeId {
  if (publicKey.length !== 32) throw new TroupeError('ERR_NODE_ID_INVALID', `a public key has 32 bytes, not ${publicKey.length}`);
  return Buffer.from(sha256(publicKey).subarray(0, 20)).toString('hex') as NodeId;
}

/** SHA-256 of some bytes: 32 bytes. */
export function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(bytes).digest());
}

/** A key from the operating system's randomness. */
export function generateNodeKey(): NodeKey {
  return nodeKeyFromSeed(new Uint8Array(randomBytes(32)));
}

/** The key that belongs to a seed (RFC 8032). @throws TroupeError `ERR_NODE_KEY_INVALID` unless the seed has 32 bytes. */
export function nodeKeyFromSeed(seed: Uint8Array): NodeKey {
  if (seed.length !== 32) throw new TroupeError('ERR_NODE_KEY_INVALID', `a seed has 32 bytes, not ${seed.length}`);
  const secret = Uint8Array.from(seed);
  const { publicKey, sign } = ed25519.keyPair(secret);
  const key = { id: nodeIdOf(publicKey), publicKey, sign };
  Object.defineProperty(key, 'seed', { value: secret, enumerable: false });
  return Object.freeze(key) as NodeKey;
}

/**
 * Reads the JSON of a node key file, with or without the `id` member; the id is always recomputed, as Go nodes do.
 * @throws TroupeError `ERR_NODE_KEY_INVALID` for another key type, or when the stored public half does not belong to the seed.
 */
export function nodeKeyFromJson(text: string): NodeKey {
  const { type, value } = privateKeyMember(text);
  if (type !== keyType)
    throw new TroupeError(
      'ERR_NODE_KEY_INVALID',
      `priv_key.type must be ${keyType}${typeof type === 'string' ? `, not ${JSON.stringify(type.slice(0, 64))}` : ''}`,
    );
  if (typeof value !== 'string') throw new TroupeError('ERR_NODE_KEY_INVALID', 'priv_key.value is not a string');
  const bytes = Buffer.from(value, 'base64');
  if (bytes.length !== 64 || bytes.toString('base64') !== value)
    throw new TroupeError('ERR_NODE_KEY_INVALID', 'priv_key.value is not the base64 of 64 bytes');
  const key = nodeKeyFromSeed(bytes.subarray(0, 32));
  if (!bytes.subarray(32).equals(key.publicKey))
    throw new TroupeError('ERR_NODE_KEY_INVALID', 'the stored public key does not belong to the seed');
  return key;
}

function privateKeyMember(text: string): { readonly type?: unknown; readonly value?: unknown } {
  if (text.length > maxKeyText) throw new TroupeError('ERR_NODE_KEY_INVALID', `longer than ${maxKeyText} characters`);
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    // The parser's message would quote the text, and with it the secret.
    throw new TroupeError('ERR_NODE_KEY_INVALID', 'not JSON');
  }
  const member = isObject(parsed) ? parsed['priv_key'] : undefined;
  if (!isObject(member)) throw new TroupeError('ERR_NODE_KEY_INVALID', 'no priv_key member');
  return member;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The JSON of a node key file in the layout of Tendermint 0.35, which every release reads. Holds the secret. */
export function nodeKeyToJson(key: NodeKey): string {
  const value = Buffer.concat([key.seed, key.publicKey]).toString('base64');
  return JSON.stringify({ id: key.id, priv_key: { type: keyType, value } });
}

/** Whether a signature is the key's over the message. Never throws; false for small-order keys, wrong lengths and an S of L or more. */
export function verifySignature(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== 32 || signature.length !== 64 || isSmallOrderKey(publicKey) || !isReducedScalar(signature.subarray(32)))
    return false;
  try {
    return ed25519.verify(publicKey, message, signature);
  } catch {
    return false;
  }
}

/** The y coordinates, little-endian, of all points of order 1, 2, 4 and 8, and of their encodings at or above p; each stands for two keys (sign bit). */
const smallOrderY: readonly string[] = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
];

/** Whether a public key is one of the 14 encodings of the 8 small-order points: with such a key one signature fits every message. */
export function isSmallOrderKey(publicKey: Uint8Array): boolean {
  const y = Buffer.from(publicKey);
  if (y.length !== 32) return false;
  y[31]! &= 0x7f;
  return smallOrderY.includes(y.toString('hex'));
}

/** The order L of the base point, big-endian hex. */
const groupOrder = '1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed';

function isReducedScalar(scalar: Uint8Array): boolean {
  return Buffer.from(scalar).reverse().toString('hex') < groupOrder;
}
