import { createHash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { keyAgreement, nobleX25519, nodeX25519, selectX25519, type KeyAgreement } from '../../../transports/mconn/x25519.ts';

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));
const hex = (value: Uint8Array): string => Buffer.from(value).toString('hex');
const secret = Uint8Array.from(createHash('sha256').update('eph-a').digest());

/** Every encoding below 2^255 of a point whose order divides 8, RFC 7748 section 6.1. */
const lowOrder = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
];
/** Numbers from 2^255 that are such a point modulo p, but another one once X25519 has cleared the high bit. */
const highForms = [
  'cdeb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b880',
  '4c9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f11d7',
  'd9ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  'daffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  'dbffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
];
const weakKey: unknown = expect.objectContaining({ code: 'ERR_HANDSHAKE_WEAK_KEY' });

describe.each([nodeX25519, nobleX25519])('X25519 by $name', (agreement) => {
  test('gives the vector of RFC 7748, section 6.1', () => {
    const alice = bytes('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a');
    const bob = bytes('5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb');
    expect(hex(agreement.publicKey(alice))).toBe('8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a');
    expect(hex(agreement.publicKey(bob))).toBe('de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f');
    for (const [mine, theirs] of [
      [alice, bob],
      [bob, alice],
    ] as const) {
      const shared = agreement.sharedSecret(mine, agreement.publicKey(theirs));
      expect(hex(shared)).toBe('4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742');
    }
  });

  test.each(lowOrder)('refuses the low-order key %s, with and without its high bit', (key) => {
    const high = bytes(key);
    high[31]! |= 0x80;
    expect(() => agreement.sharedSecret(secret, bytes(key))).toThrow(weakKey);
    expect(() => agreement.sharedSecret(secret, high)).toThrow(weakKey);
  });

  test.each(highForms)('takes %s for the ordinary key that it is without its high bit', (key) => {
    const masked = bytes(key);
    masked[31]! &= 0x7f;
    expect(hex(agreement.sharedSecret(secret, bytes(key)))).toBe(hex(agreement.sharedSecret(secret, masked)));
  });

  test('tells no key and no cause in its refusal', () => {
    const refused = expect.not.objectContaining({ cause: expect.anything() }) as unknown;
    expect(() => agreement.sharedSecret(secret, new Uint8Array(32))).toThrow(refused);
    expect(() => agreement.sharedSecret(secret, new Uint8Array(32))).not.toThrow(hex(secret));
  });
});

test('both backends agree on any secret and any key', () => {
  const key = fc.uint8Array({ minLength: 32, maxLength: 32 });
  const outcome = (run: () => Uint8Array): string => {
    try {
      return hex(run());
    } catch {
      return 'refused';
    }
  };
  fc.assert(
    fc.property(key, key, (mine, theirs) => {
      expect(hex(nodeX25519.publicKey(mine))).toBe(hex(nobleX25519.publicKey(mine)));
      expect(outcome(() => nodeX25519.sharedSecret(mine, theirs))).toBe(outcome(() => nobleX25519.sharedSecret(mine, theirs)));
    }),
  );
});

describe('the choice of a backend', () => {
  const broken: KeyAgreement = {
    name: 'node',
    publicKey: () => {
      throw new Error('X25519 is disabled');
    },
    sharedSecret: () => new Uint8Array(32),
  };

  test('falls to the next one where the platform has no X25519', () => {
    expect(selectX25519([broken, nobleX25519])).toBe(nobleX25519);
    expect(selectX25519([nodeX25519, nobleX25519])).toBe(nodeX25519);
  });

  test('is the platform here', () => {
    expect(keyAgreement.name).toBe('node');
  });
});

test('a fresh pair agrees with every backend, and is another each time', () => {
  const [one, two] = [nodeX25519.fresh!(), nodeX25519.fresh!()];
  expect(hex(one.publicKey)).not.toBe(hex(two.publicKey));
  expect(hex(one.sharedSecret(two.publicKey))).toBe(hex(two.sharedSecret(one.publicKey)));
  const secret = new Uint8Array(32).fill(5);
  expect(hex(one.sharedSecret(nobleX25519.publicKey(secret)))).toBe(hex(nobleX25519.sharedSecret(secret, one.publicKey)));
  expect(() => one.sharedSecret(new Uint8Array(32))).toThrow(expect.objectContaining({ code: 'ERR_HANDSHAKE_WEAK_KEY' }));
});
