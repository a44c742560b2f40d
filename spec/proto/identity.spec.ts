/** Ids and keys against the vectors that real nodes share. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { ed25519 as noble } from '@noble/curves/ed25519.js';
import { TroupeError } from '../../proto/errors.ts';
import {
  generateNodeKey,
  isSmallOrderKey,
  nodeIdFromText,
  nodeIdOf,
  nodeKeyFromJson,
  nodeKeyFromSeed,
  nodeKeyToJson,
  parseNodeId,
  sha256,
  verifySignature,
} from '../../proto/identity.ts';

const vectors = JSON.parse(readFileSync(new URL('../vectors/identity.json', import.meta.url), 'utf8')) as Readonly<{
  keys: readonly { seedOf: string; publicKey: string; id: string }[];
  fooValue: string;
  challenge: string;
  signatures: readonly { seedOf: string; signature: string }[];
}>;
const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));
const keyOf = (text: string) => nodeKeyFromSeed(sha256(new TextEncoder().encode(text)));
const refusal = (run: () => unknown): TroupeError => {
  try {
    run();
  } catch (error) {
    if (error instanceof TroupeError) return error;
    throw error;
  }
  throw new Error('accepted');
};
const id = '0123456789abcdef0123456789abcdef01234567';

describe('a node id', () => {
  test('is forty lower-case hex characters', () => {
    expect(parseNodeId(id)).toBe(id);
  });

  test.each(['', 'foo', '01', id.slice(1), `${id}8`, `${id.slice(1)}g`, id.toUpperCase(), ` ${id.slice(1)}`, `${id}\n`, 'é'.repeat(40)])(
    '%j is refused as it stands',
    (text) => {
      expect(refusal(() => parseNodeId(text)).code).toBe('ERR_NODE_ID_INVALID');
    },
  );

  test('written by a person may have upper case', () => {
    expect(nodeIdFromText(id.toUpperCase())).toBe(id);
    expect(nodeIdFromText(id)).toBe(id);
  });

  test.each(['', 'foo', id.slice(1), `${id.slice(1)}g`, `${id}0`])('%j is refused from a person too', (text) => {
    expect(refusal(() => nodeIdFromText(text)).code).toBe('ERR_NODE_ID_INVALID');
  });

  test.each([0, 31, 33])('is not made from a key of %i bytes', (length) => {
    expect(refusal(() => nodeIdOf(new Uint8Array(length))).code).toBe('ERR_NODE_ID_INVALID');
  });
});

describe.each(vectors.keys)('the key whose seed is SHA-256 of $seedOf', ({ seedOf, publicKey, id: expected }) => {
  test('has the public key and the id that Go nodes derive', () => {
    const key = keyOf(seedOf);
    expect(Buffer.from(key.publicKey).toString('hex')).toBe(publicKey);
    expect(key.id).toBe(expected);
    expect(nodeIdOf(key.publicKey)).toBe(expected);
  });
});

test.each(vectors.signatures)('$seedOf signs a challenge as Go nodes do', ({ seedOf, signature }) => {
  const key = keyOf(seedOf);
  expect(Buffer.from(key.sign(bytes(vectors.challenge))).toString('hex')).toBe(signature);
  expect(verifySignature(key.publicKey, bytes(vectors.challenge), bytes(signature))).toBe(true);
});

describe('a node key', () => {
  test('is made fresh each time, and keeps working when its seed bytes are wiped by their owner', () => {
    expect(generateNodeKey().id).not.toBe(generateNodeKey().id);
    const seed = sha256(new Uint8Array(1));
    const key = nodeKeyFromSeed(seed);
    seed.fill(0);
    expect(nodeKeyFromSeed(key.seed).id).toBe(key.id);
  });

  test('does not show its seed when it is printed', () => {
    const key = keyOf('foo');
    expect(key.seed).toHaveLength(32);
    expect(JSON.stringify(key)).not.toContain('seed');
    expect(Object.keys(key)).not.toContain('seed');
  });

  test.each([0, 31, 33, 64])('is not made from a seed of %i bytes', (length) => {
    expect(refusal(() => nodeKeyFromSeed(new Uint8Array(length))).code).toBe('ERR_NODE_KEY_INVALID');
  });
});

describe('the JSON of a node key', () => {
  const member = { type: 'tendermint/PrivKeyEd25519', value: vectors.fooValue };

  test('is read in both layouts, and an id in it is recomputed', () => {
    expect(nodeKeyFromJson(JSON.stringify({ priv_key: member })).id).toBe(vectors.keys[0]!.id);
    expect(nodeKeyFromJson(JSON.stringify({ id: 'whatever', priv_key: member })).id).toBe(vectors.keys[0]!.id);
    expect(nodeKeyFromJson(` ${JSON.stringify({ priv_key: member }, null, 2)}\n`).id).toBe(vectors.keys[0]!.id);
  });

  test('is written as one line that gives the key back', () => {
    const text = nodeKeyToJson(keyOf('foo'));
    expect(text).toBe(`{"id":"${vectors.keys[0]!.id}","priv_key":{"type":"tendermint/PrivKeyEd25519","value":"${vectors.fooValue}"}}`);
    expect(nodeKeyFromJson(text)).toEqual(expect.objectContaining({ id: vectors.keys[0]!.id }));
    expect(nodeKeyFromJson(text).seed).toEqual(keyOf('foo').seed);
  });

  const raw = Buffer.from(vectors.fooValue, 'base64');
  const flipped = Buffer.from(raw);
  flipped[63]! ^= 1;
  test.each([
    ['nothing', ''],
    ['no JSON', '{"priv_key":'],
    ['null', 'null'],
    ['a list', '[]'],
    ['no key', '{}'],
    ['a key that is null', '{"priv_key":null}'],
    ['a key that is a list', '{"priv_key":[]}'],
    ['no type', JSON.stringify({ priv_key: { value: member.value } })],
    ['a secp256k1 key', JSON.stringify({ priv_key: { ...member, type: 'tendermint/PrivKeySecp256k1' } })],
    ['a type that is no text', JSON.stringify({ priv_key: { ...member, type: { toString: 1 } } })],
    ['no value', JSON.stringify({ priv_key: { type: member.type } })],
    ['a value that is no text', JSON.stringify({ priv_key: { ...member, value: 7 } })],
    ['63 bytes', JSON.stringify({ priv_key: { ...member, value: raw.subarray(1).toString('base64') } })],
    ['a seed alone', JSON.stringify({ priv_key: { ...member, value: raw.subarray(0, 32).toString('base64') } })],
    ['base64 without padding', JSON.stringify({ priv_key: { ...member, value: member.value.replace(/=+$/, '') } })],
    ['text that is no base64', JSON.stringify({ priv_key: { ...member, value: '*'.repeat(88) } })],
    ['a public half of another key', JSON.stringify({ priv_key: { ...member, value: flipped.toString('base64') } })],
    ['a text of 4,097 characters', JSON.stringify({ priv_key: member }).padEnd(4_097)],
  ])('with %s is refused', (_, text) => {
    expect(refusal(() => nodeKeyFromJson(text)).code).toBe('ERR_NODE_KEY_INVALID');
  });

  test('is never quoted by an error', () => {
    const error = refusal(() => nodeKeyFromJson(`{"priv_key":{"value":"${vectors.fooValue}"`));
    expect(`${error.message}${String(error.cause)}${error.stack ?? ''}`).not.toContain(vectors.fooValue.slice(0, 10));
  });
});

/** All encodings of the eight points of small order, those at or above p included. */
function smallOrderEncodings(): Uint8Array[] {
  const p = 2n ** 255n - 19n;
  // The y of a point of order 8, as curve arithmetic gives it; the rest follows by adding it to itself.
  const generator = noble.Point.fromHex('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a');
  const found = new Map<string, Uint8Array>();
  let point = generator;
  for (let index = 0; index < 8; index++, point = point.add(generator)) {
    for (const y of [point.toAffine().y, point.toAffine().y + p]) {
      if (y >= 2n ** 255n) continue;
      for (const sign of [0, 0x80]) {
        const encoded = bytes(y.toString(16).padStart(64, '0')).reverse();
        encoded[31]! |= sign;
        found.set(Buffer.from(encoded).toString('hex'), encoded);
      }
    }
  }
  return [...found.values()];
}

describe('a small-order key', () => {
  const encodings = smallOrderEncodings();

  test('has fourteen encodings', () => {
    expect(encodings).toHaveLength(14);
  });

  test('is refused in every encoding, though one signature of it fits every message elsewhere', () => {
    const signature = new Uint8Array(64);
    signature[0] = 1;
    for (const key of encodings) {
      expect(isSmallOrderKey(key)).toBe(true);
      expect(verifySignature(key, bytes(vectors.challenge), signature)).toBe(false);
    }
    expect(noble.verify(signature, bytes(vectors.challenge), encodings[0]!, { zip215: true })).toBe(true);
  });

  test('is not taken for an honest one', () => {
    expect(vectors.keys.some(({ publicKey }) => isSmallOrderKey(bytes(publicKey)))).toBe(false);
    expect(isSmallOrderKey(new Uint8Array(31))).toBe(false);
  });
});

describe('a signature', () => {
  const { seedOf, signature } = vectors.signatures[0]!;
  const publicKey = keyOf(seedOf).publicKey;
  const message = bytes(vectors.challenge);
  const order = 2n ** 252n + 27742317777372353535851937790883648493n;

  test('with any bit of it, of the key or of the message flipped is refused', () => {
    for (const part of [0, 1, 2] as const) {
      const length = [32, 32, 64][part]!;
      for (let bit = 0; bit < length * 8; bit += 7) {
        const parts = [publicKey.slice(), message.slice(), bytes(signature)] as const;
        parts[part][bit >> 3]! ^= 1 << (bit & 7);
        expect(verifySignature(...parts)).toBe(false);
      }
    }
  });

  test.each([1n, 2n, 7n])('with its S raised by %d times the group order is refused', (times) => {
    const raised = bytes(signature);
    const s = BigInt(`0x${Buffer.from(raised.slice(32)).reverse().toString('hex')}`) + times * order;
    raised.set(bytes(s.toString(16).padStart(64, '0')).reverse(), 32);
    expect(verifySignature(publicKey, message, raised)).toBe(false);
  });

  test.each([
    [0, 64],
    [31, 64],
    [33, 64],
    [32, 0],
    [32, 63],
    [32, 65],
  ])('of wrong lengths (%i, %i) is refused without a throw', (keyLength, signatureLength) => {
    expect(verifySignature(new Uint8Array(keyLength).fill(7), message, new Uint8Array(signatureLength))).toBe(false);
  });

  test('by a key that is no point is refused without a throw', () => {
    const noPoint = new Uint8Array(32).fill(0);
    noPoint[0] = 2;
    expect(verifySignature(noPoint, message, bytes(signature))).toBe(false);
  });
});
