/** The two handshake messages: exact bytes, and every other shape refused. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { TroupeError } from '../../proto/errors.ts';
import { tendermint } from '../../proto/generated/tendermint.js';
import { decodeAuthSig, decodeEphemeral, encodeAuthSig, encodeEphemeral } from '../../proto/handshake.ts';
import { FieldWriter } from '../../proto/wire.ts';

const key = Uint8Array.from({ length: 32 }, (_, index) => index + 1);
const signature = Uint8Array.from({ length: 64 }, (_, index) => 255 - index);
const concat = (...parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(Buffer.concat(parts));
const codeOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof TroupeError) return error.code;
    throw error;
  }
  return 'none';
};

describe('the ephemeral message', () => {
  test('is 35 bytes: length, field, key', () => {
    const encoded = encodeEphemeral(key);
    expect(encoded).toHaveLength(35);
    expect(Buffer.from(encoded.subarray(0, 3)).toString('hex')).toBe('220a20');
    expect(decodeEphemeral(encoded.subarray(1))).toEqual(key);
  });

  test('gives a key that does not share memory with what was read', () => {
    const body = encodeEphemeral(key).slice(1);
    const decoded = decodeEphemeral(body);
    body.fill(0);
    expect(decoded).toEqual(key);
  });

  test.each([
    ['nothing', new Uint8Array(0)],
    ['an empty key', Uint8Array.of(0x0a, 0)],
    ['31 bytes', new FieldWriter().delimited(1, key.subarray(1)).finish()],
    ['33 bytes', new FieldWriter().delimited(1, concat(key, key.subarray(0, 1))).finish()],
    ['31 bytes and an unknown field of one', concat(new FieldWriter().delimited(1, key.subarray(3)).finish(), Uint8Array.of(0x10, 1, 1))],
    ['an unknown field behind the key', concat(encodeEphemeral(key).subarray(1), Uint8Array.of(0x10, 1))],
    ['another field number', concat(Uint8Array.of(0x12, 0x20), key)],
    ['another wire type', concat(Uint8Array.of(0x08, 0x20), key)],
    ['a length that does not fit', concat(Uint8Array.of(0x0a, 0x1f), key)],
    ['trailing bytes', concat(encodeEphemeral(key).subarray(1), new Uint8Array(1))],
    ['a mebibyte', new Uint8Array(1 << 20)],
  ])('with %s is refused', (_, body) => {
    expect(codeOf(() => decodeEphemeral(body))).toBe('ERR_HANDSHAKE_MALFORMED');
  });

  test.each([0, 31, 33])('is not made from a key of %i bytes', (length) => {
    expect(codeOf(() => encodeEphemeral(new Uint8Array(length)))).toBe('ERR_HANDSHAKE_MALFORMED');
  });
});

describe('the AuthSig message', () => {
  const good = encodeAuthSig(key, signature).subarray(1);
  const ed25519 = new FieldWriter().delimited(1, key).finish();
  const withKey = (publicKey: Uint8Array): Uint8Array => new FieldWriter().delimited(1, publicKey).delimited(2, signature).finish();

  test('is 103 bytes, those of the generated code behind their length', () => {
    const encoded = encodeAuthSig(key, signature);
    expect(encoded).toHaveLength(103);
    expect(encoded[0]).toBe(102);
    expect(good).toEqual(tendermint.p2p.AuthSigMessage.encode({ pubKey: { ed25519: key }, sig: signature }).finish());
    expect(decodeAuthSig(good)).toEqual({ publicKey: key, signature });
  });

  test('may hold fields of newer releases up to 256 bytes in all, in any order', () => {
    const swapped = new FieldWriter().delimited(2, signature).delimited(1, ed25519).finish();
    expect(decodeAuthSig(swapped)).toEqual({ publicKey: key, signature });
    const room = concat(good, new FieldWriter().delimited(15, new Uint8Array(256 - 102 - 3)).finish());
    expect(room.length).toBeLessThanOrEqual(256);
    expect(decodeAuthSig(room)).toEqual({ publicKey: key, signature });
    expect(codeOf(() => decodeAuthSig(concat(good, new Uint8Array(155))))).toBe('ERR_HANDSHAKE_MALFORMED');
  });

  test.each([
    ['nothing', new Uint8Array(0)],
    ['no key', new FieldWriter().delimited(2, signature).finish()],
    ['an empty key message', withKey(new Uint8Array(0))],
    ['a secp256k1 key', withKey(new FieldWriter().delimited(2, new Uint8Array(33)).finish())],
    ['an sr25519 or bls key', withKey(new FieldWriter().delimited(3, key).finish())],
    ['a key of a type nobody knows yet', withKey(new FieldWriter().delimited(9, key).finish())],
    ['an Ed25519 and a secp256k1 key', withKey(concat(ed25519, new FieldWriter().delimited(2, new Uint8Array(33)).finish()))],
    ['two Ed25519 keys', withKey(concat(ed25519, ed25519))],
    ['two key messages', concat(good, new FieldWriter().delimited(1, ed25519).finish())],
  ])('with %s is refused for its key', (_, body) => {
    expect(codeOf(() => decodeAuthSig(body))).toBe('ERR_HANDSHAKE_KEY_TYPE');
  });

  test.each([
    ['a key of 31 bytes', withKey(new FieldWriter().delimited(1, key.subarray(1)).finish())],
    ['a key of 33 bytes', withKey(new FieldWriter().delimited(1, concat(key, key.subarray(31))).finish())],
    ['an empty Ed25519 key', withKey(new FieldWriter().delimited(1, new Uint8Array(0)).finish())],
    ['a key that is a number', withKey(new FieldWriter().uint64(1, 7n).finish())],
    ['no signature', new FieldWriter().delimited(1, ed25519).finish()],
    ['a signature of 63 bytes', new FieldWriter().delimited(1, ed25519).delimited(2, signature.subarray(1)).finish()],
    [
      'a signature of 65 bytes',
      new FieldWriter()
        .delimited(1, ed25519)
        .delimited(2, concat(signature, key.subarray(31)))
        .finish(),
    ],
    ['two signatures', concat(good, new FieldWriter().delimited(2, signature).finish())],
    ['a group', concat(good, Uint8Array.of(0x1b, 0x1c))],
    ['a field that is cut', good.subarray(0, 101)],
  ])('with %s is refused', (_, body) => {
    expect(codeOf(() => decodeAuthSig(body))).toBe('ERR_HANDSHAKE_MALFORMED');
  });

  test.each([
    [31, 64],
    [33, 64],
    [32, 63],
    [32, 65],
  ])('is not made from %i and %i bytes', (keyLength, signatureLength) => {
    expect(codeOf(() => encodeAuthSig(new Uint8Array(keyLength), new Uint8Array(signatureLength)))).toBe('ERR_HANDSHAKE_MALFORMED');
  });
});

test('no bytes make either reader throw anything but its own errors', () => {
  const good = encodeAuthSig(key, signature).subarray(1);
  const broken = fc
    .tuple(fc.uint8Array({ maxLength: 8 }), fc.nat(102), fc.nat(8))
    .map(([noise, at, cut]) => concat(good.subarray(0, at), noise, good.subarray(at + cut)));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), broken), (body) => {
      expect(['none', 'ERR_HANDSHAKE_MALFORMED', 'ERR_HANDSHAKE_KEY_TYPE']).toContain(codeOf(() => decodeAuthSig(body)));
      expect(['none', 'ERR_HANDSHAKE_MALFORMED']).toContain(codeOf(() => decodeEphemeral(body)));
    }),
    { seed: 62, numRuns: 5_000 },
  );
});
