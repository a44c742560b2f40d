import { describe, expect, test } from '@jest/globals';
import { delimited } from '../../../proto/codec.ts';
import { encodeAuthSig, encodeEphemeral } from '../../../proto/handshake.ts';
import { generateNodeKey } from '../../../proto/identity.ts';
import { frameDataBytes } from '../../../transports/mconn/aead.ts';
import { keyAgreement } from '../../../transports/mconn/x25519.ts';
import { BytePipe } from '../../support/byte-pipe.ts';
import { a, b, begin, challenge, fromHex, hash, hex, hostile, pair, sharedSecret, type Given } from '../../support/secret-ends.ts';

const code = (name: string): unknown => expect.objectContaining({ code: name });

describe('an ephemeral key', () => {
  const good = encodeEphemeral(keyAgreement.publicKey(b.ephemeral));
  const answer = async (bytes: Uint8Array, given: Given = {}): Promise<Uint8Array> => {
    const from = new BytePipe();
    from.send(bytes);
    from.end();
    const out = new BytePipe();
    await begin(from, out, given).then(
      () => expect(true).toBe(false),
      (error: unknown) => expect(error).toEqual(code('ERR_HANDSHAKE_MALFORMED')),
    );
    return out.bytes;
  };

  test.each([0, 1, 33, 35, 0x7f, 0x80, 0xff])('is refused at once when its first byte says %d', async (prefix) => {
    const from = new BytePipe();
    from.send(Uint8Array.of(prefix));
    const asked: number[] = [];
    const watching = (count: number, signal: AbortSignal): Promise<Uint8Array> => {
      asked.push(count);
      return from.read(count, signal);
    };
    await expect(begin(from, new BytePipe(), { read: watching })).rejects.toEqual(code('ERR_HANDSHAKE_MALFORMED'));
    expect(asked).toEqual([1]);
  });

  test.each([
    ['of 31 bytes and another field', [...good.subarray(0, 2), 0x1f, ...good.subarray(3, 34), 0x00]],
    ['of 33 bytes', [0x22, 0x0a, 0x21, ...good.subarray(3)]],
    ['of the wrong wire type', [0x22, 0x08, ...good.subarray(2)]],
    ['in the wrong field', [0x22, 0x12, ...good.subarray(2)]],
    ['with an over-long length', [0x22, 0x0a, 0xa0, 0x00, ...good.subarray(4)]],
  ])('is refused %s, and nothing is sent after ours', async (_, bytes) => {
    expect(await answer(Uint8Array.from(bytes))).toHaveLength(35);
  });

  test.each([
    ['zero', '00'.repeat(32)],
    ['one', '01' + '00'.repeat(31)],
    ['of order eight', 'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800'],
    ['of order eight', '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157'],
    ['p - 1', 'ec' + 'ff'.repeat(30) + '7f'],
    ['p', 'ed' + 'ff'.repeat(30) + '7f'],
    ['p + 1', 'ee' + 'ff'.repeat(30) + '7f'],
    ['our own', a.ephemeralPublic],
  ])('is refused when it is %s, and no proof is sent', async (_, key) => {
    const from = new BytePipe();
    const out = new BytePipe();
    from.send(encodeEphemeral(fromHex(key)));
    await expect(begin(from, out)).rejects.toEqual(code('ERR_HANDSHAKE_WEAK_KEY'));
    expect(out.bytes).toHaveLength(35);
  });

  test('is refused when the shared secret is zero, even by a backend that lets it pass', async () => {
    const from = new BytePipe();
    const out = new BytePipe();
    from.send(good);
    const { fresh: _, ...backend } = keyAgreement;
    const agreement = { ...backend, sharedSecret: () => new Uint8Array(32) };
    await expect(begin(from, out, { agreement })).rejects.toEqual(code('ERR_HANDSHAKE_WEAK_KEY'));
    expect(out.bytes).toHaveLength(35);
  });

  test('echoed by the remote together with all that we say gets no proof out of us', async () => {
    const loop = new BytePipe();
    await expect(begin(loop, loop)).rejects.toEqual(code('ERR_HANDSHAKE_WEAK_KEY'));
    expect(loop.bytes).toHaveLength(35);
  });
});

const proof = (of: Uint8Array): Uint8Array => encodeAuthSig(b.key.publicKey, b.key.sign(of));
const ld = (...body: number[]): Uint8Array => delimited(Uint8Array.from(body));
const key32 = [...b.key.publicKey];
const keyField = [0x0a, 0x22, 0x0a, 0x20, ...key32];
const signatureField = (of: Uint8Array): number[] => [0x12, 0x40, ...b.key.sign(of)];

describe('a proof of identity', () => {
  test('may come split over frames at any byte, with empty frames between', async () => {
    for (let cut = 1; cut < 103; cut += 6) {
      const { session } = await hostile((of) => [0, proof(of).subarray(0, cut), 0, 0, proof(of).subarray(cut)]);
      expect(session?.remoteId).toBe(b.id);
      expect(session?.leftover).toHaveLength(0);
    }
    const { session } = await hostile((of) => [...proof(of)].map((byte) => Uint8Array.of(byte)));
    expect(session?.remoteId).toBe(b.id);
  });

  test('leaves to the caller what follows it in its frame', async () => {
    const { session } = await hostile((of) => [
      Buffer.concat([proof(of).subarray(0, 50)]),
      Buffer.concat([proof(of).subarray(50), Buffer.from('node info')]),
    ]);
    expect(Buffer.from(session!.leftover).toString()).toBe('node info');
    const full = await hostile((of) => [Buffer.concat([proof(of), new Uint8Array(frameDataBytes - 103).fill(7)])]);
    expect(full.session!.leftover).toEqual(new Uint8Array(921).fill(7));
  });

  test('may have fields that we do not know', async () => {
    const { session } = await hostile((of) => [ld(...keyField, ...signatureField(of), 0x1a, 0x02, 1, 2)]);
    expect(session?.remoteId).toBe(b.id);
  });

  test.each<[string, string, Parameters<typeof hostile>[0]]>([
    ['a wrong signature', 'ERR_HANDSHAKE_SIGNATURE', (of) => [proof(of).map((byte, at) => (at === 60 ? byte ^ 1 : byte))]],
    ['a signature over something else', 'ERR_HANDSHAKE_SIGNATURE', (of) => [proof(hash(of))]],
    ['the signature of another key', 'ERR_HANDSHAKE_SIGNATURE', (of) => [encodeAuthSig(b.key.publicKey, a.key.sign(of))]],
    ['our own proof', 'ERR_HANDSHAKE_SELF', (_, ours) => [ours]],
    ['our own key without our signature', 'ERR_HANDSHAKE_SIGNATURE', (of) => [encodeAuthSig(a.key.publicKey, b.key.sign(of))]],
    [
      'a small-order key',
      'ERR_HANDSHAKE_WEAK_KEY',
      () => [encodeAuthSig(fromHex('01' + '00'.repeat(31)), fromHex('01' + '00'.repeat(63)))],
    ],
    ['a secp256k1 key', 'ERR_HANDSHAKE_KEY_TYPE', (of) => [ld(0x0a, 0x23, 0x12, 0x21, 2, ...key32, ...signatureField(of))]],
    ['a key of type 3', 'ERR_HANDSHAKE_KEY_TYPE', (of) => [ld(0x0a, 0x22, 0x1a, 0x20, ...key32, ...signatureField(of))]],
    ['no key', 'ERR_HANDSHAKE_KEY_TYPE', (of) => [ld(...signatureField(of))]],
    ['an empty key', 'ERR_HANDSHAKE_KEY_TYPE', (of) => [ld(0x0a, 0x00, ...signatureField(of))]],
    ['two keys', 'ERR_HANDSHAKE_KEY_TYPE', (of) => [ld(...keyField, ...keyField, ...signatureField(of))]],
    ['a short signature', 'ERR_HANDSHAKE_MALFORMED', () => [ld(...keyField, 0x12, 0x03, 1, 2, 3)]],
    ['no signature', 'ERR_HANDSHAKE_MALFORMED', () => [ld(...keyField)]],
    ['nothing in it', 'ERR_HANDSHAKE_KEY_TYPE', () => [Uint8Array.of(0)]],
    ['something that is no message', 'ERR_HANDSHAKE_MALFORMED', () => [ld(0x0b, 0x0c)]],
    ['a length of 257', 'ERR_HANDSHAKE_MALFORMED', () => [Uint8Array.of(0x81, 0x02)]],
    ['a length of 1 MiB', 'ERR_HANDSHAKE_MALFORMED', () => [Uint8Array.of(0x80, 0x80, 0x40)]],
    ['a length of ten bytes', 'ERR_HANDSHAKE_MALFORMED', () => [new Uint8Array(10).fill(0xff)]],
    ['a padded length', 'ERR_HANDSHAKE_MALFORMED', (of) => [Buffer.concat([Uint8Array.of(0xe6, 0x00), proof(of).subarray(1)])]],
    ['an end before it is whole', 'ERR_CONNECTION_CLOSED', (of) => [proof(of).subarray(0, 102)]],
    ['a frame of 1,025 bytes', 'ERR_FRAME_MALFORMED', () => [1_025]],
    ['101 empty frames', 'ERR_FRAMES_EMPTY', () => Array.from({ length: 101 }, () => 0)],
    [
      'bytes dripped among empty frames',
      'ERR_FRAMES_EMPTY',
      (of) => [...proof(of).subarray(0, 4)].flatMap((byte) => [Uint8Array.of(byte), ...Array.from({ length: 60 }, () => 0)]),
    ],
  ])('is refused with %s', async (_, expected, say) => {
    const { error, pool } = await hostile(say);
    expect(error?.code).toBe(expected);
    expect(pool.free).toBe(1);
  });

  test('is refused when it is good but of another node than the one dialed', async () => {
    expect((await hostile((of) => [proof(of)], { expectedId: generateNodeKey().id })).error?.code).toBe('ERR_HANDSHAKE_WRONG_ID');
    expect((await hostile((of) => [proof(of)], { expectedId: b.key.id })).session?.remoteId).toBe(b.id);
  });

  test('is refused when it was tampered with on the way', async () => {
    const { fromRight } = await pair({}, {});
    const from = new BytePipe();
    from.send(fromRight.bytes.map((byte, at) => (at === 40 ? byte ^ 0x10 : byte)));
    await expect(begin(from, new BytePipe())).rejects.toEqual(code('ERR_FRAME_UNSEALED'));
  });
});

test('secrets are in no error', async () => {
  const errors: unknown[] = [];
  errors.push((await hostile((of) => [proof(hash(of))])).error);
  errors.push((await hostile(() => [1_025])).error);
  errors.push((await hostile((_, ours) => [ours])).error);
  const from = new BytePipe();
  from.send(encodeEphemeral(new Uint8Array(32)));
  errors.push(await begin(from, new BytePipe()).catch((error: unknown) => error));
  const secrets = [a.ephemeral, a.key.seed, fromHex(a.sendKey), fromHex(b.sendKey), fromHex(sharedSecret), fromHex(challenge)];
  for (const error of errors) {
    expect(error).toBeInstanceOf(Error);
    for (let at: unknown = error; at instanceof Error; at = at.cause) {
      const text = `${at.message} ${at.stack} ${JSON.stringify(at)}`;
      for (const secret of secrets) {
        expect(text).not.toContain(hex(secret));
        expect(text).not.toContain(Buffer.from(secret).toString('base64'));
        expect(text).not.toContain(secret.join(','));
      }
    }
  }
});
