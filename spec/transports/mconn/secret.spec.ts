import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { hkdf } from '@noble/hashes/hkdf.js';
import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js';
import fc from 'fast-check';
import { generateNodeKey, type NodeId } from '../../../proto/identity.ts';
import { availableAeads, frameBytes, selectAead, type Aead } from '../../../transports/mconn/aead.ts';
import { challengeOf, deriveSecrets, handshakeSecrets, type SecretSession } from '../../../transports/mconn/secret.ts';
import { keyAgreement, nobleX25519, nodeX25519, type KeyAgreement } from '../../../transports/mconn/x25519.ts';
import { BytePipe } from '../../support/byte-pipe.ts';
import { a, b, begin, challenge, fromHex, hash, hex, never, pair, sharedSecret, type Given } from '../../support/secret-ends.ts';

const code = (name: string): unknown => expect.objectContaining({ code: name });
const goldenUrl = new URL('../../vectors/derive-secrets.golden', import.meta.url);

const read = (session: SecretSession, wire: Uint8Array): string => {
  let text = '';
  session.reader.feed(wire, (bytes, start, end) => (text += Buffer.from(bytes.subarray(start, end)).toString('latin1')));
  return text;
};

describe('the derived secrets', () => {
  const golden = readFileSync(goldenUrl);

  test('are tested against the published data, unchanged', () => {
    expect(golden).toHaveLength(8_495);
    expect(hex(hash(golden))).toBe('1421afe49abe872a71ea23869f44353ae73bb7c29032cb8f9bcfa68f45e4c1f4');
  });

  test.each(golden.toString().trim().split('\n'))('match line %# of it', (line) => {
    const [dh, localIsLower, receiveKey, sendKey, tail] = line.split(',') as [string, string, string, string, string];
    const secrets = deriveSecrets(fromHex(dh), localIsLower === 'true');
    expect(hex(secrets.receiveKey)).toBe(receiveKey);
    expect(hex(secrets.sendKey)).toBe(sendKey);
    const derived = hkdf(nobleSha256, fromHex(dh), undefined, Buffer.from('TENDERMINT_SECRET_CONNECTION_KEY_AND_CHALLENGE_GEN'), 96);
    const [lower, upper] = localIsLower === 'true' ? [receiveKey, sendKey] : [sendKey, receiveKey];
    expect(hex(derived)).toBe(lower + upper + tail);
  });
});

describe('the worked example', () => {
  test.each([nodeX25519, nobleX25519])('has the keys and the challenge, by $name', (agreement) => {
    for (const end of [a, b]) {
      expect(hex(agreement.publicKey(end.ephemeral))).toBe(end.ephemeralPublic);
      expect(hex(end.key.publicKey)).toBe(end.publicKey);
      expect(end.key.id).toBe(end.id);
      expect(hex(end.key.sign(fromHex(challenge)))).toBe(end.signature);
    }
    expect(hex(agreement.sharedSecret(a.ephemeral, fromHex(b.ephemeralPublic)))).toBe(sharedSecret);
    expect(hex(agreement.sharedSecret(b.ephemeral, fromHex(a.ephemeralPublic)))).toBe(sharedSecret);
    expect(hex(challengeOf(fromHex(a.ephemeralPublic), fromHex(b.ephemeralPublic), fromHex(sharedSecret)))).toBe(challenge);
    const [ofA, ofB] = [deriveSecrets(fromHex(sharedSecret), true), deriveSecrets(fromHex(sharedSecret), false)];
    expect([hex(ofA.sendKey), hex(ofA.receiveKey), hex(ofB.sendKey), hex(ofB.receiveKey)]).toEqual([
      a.sendKey,
      b.sendKey,
      b.sendKey,
      a.sendKey,
    ]);
  });

  test.each(availableAeads())('is what both ends put on the wire, by $name', async (aead) => {
    const { left, right, fromLeft, fromRight } = await pair({ aead }, { aead });
    for (const [end, { bytes }] of [[a, fromLeft] as const, [b, fromRight] as const]) {
      expect(bytes).toHaveLength(35 + frameBytes);
      expect(hex(bytes.subarray(0, 35))).toBe('220a20' + end.ephemeralPublic);
      const frame = bytes.subarray(35);
      expect(hex(frame.subarray(0, 32))).toBe(end.proof.start);
      expect(hex(frame.subarray(-16))).toBe(end.proof.tag);
      expect(hex(hash(frame))).toBe(end.proof.sha256);
    }
    expect(hex(hash(fromRight.bytes))).toBe('9244a23468cd7a57f88ebeb29bebecfd018212dcb86df29762720606caa145bc');
    expect([left.remoteId, right.remoteId]).toEqual([b.id, a.id]);
    expect([hex(left.remotePublicKey), hex(right.remotePublicKey)]).toEqual([b.publicKey, a.publicKey]);

    left.writer.write(Buffer.from('hello'));
    const { bytes } = left.writer.seal()!;
    expect(hex(bytes.subarray(0, 32))).toBe('255f3dcfcece102791f545bf017bc78e13713949ea3347d1f2869100ecfb0391');
    expect(hex(bytes.subarray(-16))).toBe('0e81c0b57ccbb57f5c68c2c2060b754e');
    expect(hex(hash(bytes))).toBe('acc46eb24f0a9b8c56502d3ef470e7b17c53983c19e820da9033b251b2abd440');
    expect(read(right, bytes)).toBe('hello');
  });
});

describe('a handshake', () => {
  test('works between any two backends, with fresh keys, and both directions carry on', async () => {
    for (const one of availableAeads()) {
      for (const other of availableAeads()) {
        const [keyOne, keyOther] = [generateNodeKey(), generateNodeKey()];
        const toOne = new BytePipe();
        const toOther = new BytePipe();
        const start = (from: BytePipe, to: BytePipe, key: typeof keyOne, aead: Aead, expectedId?: NodeId) =>
          handshakeSecrets({ key, aead, send: to.send, read: from.read, signal: never, ...(expectedId && { expectedId }) });
        const [left, right] = await Promise.all([start(toOne, toOther, keyOne, one, keyOther.id), start(toOther, toOne, keyOther, other)]);
        expect([left.remoteId, right.remoteId]).toEqual([keyOther.id, keyOne.id]);
        for (const [sender, receiver] of [[left, right] as const, [right, left] as const]) {
          sender.writer.write(Buffer.from('there and back'));
          expect(read(receiver, sender.writer.seal()!.bytes)).toBe('there and back');
        }
      }
    }
  });

  test('uses another ephemeral key each time', async () => {
    const keys = new Set<string>();
    for (let round = 0; round < 4; round += 1) {
      const out = new BytePipe();
      const from = new BytePipe();
      from.end();
      const { key, aead } = { key: a.key, aead: selectAead('auto') };
      await expect(handshakeSecrets({ key, aead, send: out.send, read: from.read, signal: never })).rejects.toEqual(
        code('ERR_CONNECTION_CLOSED'),
      );
      expect(out.bytes).toHaveLength(35);
      keys.add(hex(out.bytes));
    }
    expect(keys.size).toBe(4);
  });

  test('starts its counters where it is told', async () => {
    const last = { nonceStart: 2n ** 64n - 2n };
    const { left, right } = await pair(last, last);
    left.writer.write(Buffer.from('one too many'));
    expect(() => left.writer.seal()).toThrow(code('ERR_NONCE_EXHAUSTED'));
    expect(right.reader.insideFrame).toBe(false);
  });

  test('ends with the reason of its signal', async () => {
    for (const bytes of [0, 1, 20, 35, 900]) {
      const { fromRight } = await pair({}, {});
      const stalled = new BytePipe();
      stalled.send(fromRight.bytes.subarray(0, bytes));
      const stop = new AbortController();
      const handshake = begin(stalled, new BytePipe(), { signal: stop.signal });
      const reason = new Error('out of time');
      setImmediate(() => stop.abort(reason));
      await expect(handshake).rejects.toBe(reason);
    }
  });

  test('ends when the stream ends, at whatever byte', async () => {
    const { fromRight } = await pair({}, {});
    const wire = fromRight.bytes;
    for (let cut = 0; cut < wire.length; cut += 1) {
      const from = new BytePipe();
      from.send(wire.subarray(0, cut));
      from.end();
      const out = new BytePipe();
      await expect(begin(from, out)).rejects.toEqual(code('ERR_CONNECTION_CLOSED'));
      expect(out.bytes.length).toBe(cut < 35 ? 35 : 35 + frameBytes);
    }
  });

  test('fails when any bit of the remote ephemeral key or of the sealed proof is another', async () => {
    const { fromRight } = await pair({}, {});
    const wire = fromRight.bytes;
    const bits = fc.integer({ min: 24, max: wire.length * 8 - 1 });
    await fc.assert(
      fc.asyncProperty(bits, async (bit) => {
        const from = new BytePipe();
        const changed = Uint8Array.from(wire);
        changed[bit >> 3]! ^= 1 << (bit & 7);
        from.send(changed);
        from.end();
        // bit 255 of the key changes the transcript alone, and still the challenge
        await expect(begin(from, new BytePipe())).rejects.toEqual(code(bit === 279 ? 'ERR_HANDSHAKE_SIGNATURE' : 'ERR_FRAME_UNSEALED'));
      }),
      { examples: [[24], [279], [280]], numRuns: 60 },
    );
  });

  test('refuses a recorded session of a peer', async () => {
    const { fromRight } = await pair({}, {});
    const from = new BytePipe();
    from.send(fromRight.bytes);
    from.end();
    await expect(begin(from, new BytePipe(), { ephemeral: hash('another') })).rejects.toEqual(code('ERR_FRAME_UNSEALED'));
  });
});

describe('secrets', () => {
  /** Everything secret that goes through the parts we can watch, by reference. */
  function watched(): { secrets: Uint8Array[]; given: Given } {
    const secrets: Uint8Array[] = [];
    const keep = <T extends Uint8Array>(secret: T): T => {
      secrets.push(secret);
      return secret;
    };
    const agreement: KeyAgreement = {
      name: 'node',
      publicKey: (secret) => keyAgreement.publicKey(keep(secret)),
      sharedSecret: (secret, remote) => keep(Uint8Array.from(keyAgreement.sharedSecret(secret, remote))),
    };
    const real = selectAead('auto');
    const aead: Aead = {
      name: 'sodium',
      sealer: (key, start) => real.sealer(keep(key), start),
      opener: (key, start) => real.opener(keep(key), start),
    };
    return { secrets, given: { agreement, aead } };
  }

  test('are overwritten after a handshake, good or not, and the ephemeral key of the caller is left alone', async () => {
    for (const remoteKey of [b.key, a.key]) {
      const { secrets, given } = watched();
      const ephemeral = Uint8Array.from(a.ephemeral);
      await pair({ ...given, ephemeral }, { key: remoteKey }).catch(() => undefined);
      expect(secrets).toHaveLength(4);
      for (const secret of secrets) expect(hex(secret)).toBe('00'.repeat(32));
      expect(ephemeral).toEqual(a.ephemeral);
    }
  });
});
