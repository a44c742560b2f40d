/** Both backends of Ed25519 against each other. */
import { describe, expect, test } from '@jest/globals';
import { ed25519, nobleEd25519, nodeEd25519, selectEd25519, type Ed25519 } from '../../proto/ed25519.ts';
import { sha256 } from '../../proto/identity.ts';

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

describe.each([nodeEd25519, nobleEd25519])('the backend $name', (backend) => {
  test('gives the keys and signatures of RFC 8032', () => {
    const { publicKey, sign } = backend.keyPair(Buffer.from('4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb', 'hex'));
    expect(Buffer.from(publicKey).toString('hex')).toBe('3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c');
    expect(Buffer.from(sign(Uint8Array.of(0x72))).toString('hex')).toBe(
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    );
  });

  test('accepts what the other signs, and nothing else', () => {
    for (let index = 0; index < 20; index++) {
      const other = backend === nodeEd25519 ? nobleEd25519 : nodeEd25519;
      const { publicKey, sign } = other.keyPair(sha256(text(`seed ${index}`)));
      const message = text('m'.repeat(index));
      expect(backend.verify(publicKey, message, sign(message))).toBe(true);
      expect(backend.verify(publicKey, text('another'), sign(message))).toBe(false);
      expect(backend.keyPair(sha256(text(`seed ${index}`))).publicKey).toEqual(publicKey);
    }
  });
});

test('the platform is preferred', () => {
  expect(ed25519.name).toBe('node');
});

test('a backend that throws or cannot check its own signature is passed over', () => {
  const absent: Ed25519 = {
    ...nodeEd25519,
    keyPair: () => {
      throw new Error('unsupported');
    },
  };
  const broken: Ed25519 = { ...nodeEd25519, verify: () => false };
  expect(selectEd25519([absent, broken, nobleEd25519]).name).toBe('noble');
});
