/**
 * The handshake of the secret connection: ephemeral keys in the clear, then proofs of identity in sealed frames (station to station).
 * It drives two functions, one that sends and one that reads; sockets and deadlines belong to its caller.
 */
import { hkdfSync, randomFillSync } from 'node:crypto';
import { TroupeError } from '../../proto/errors.ts';
import { readUvarint } from '../../proto/codec.ts';
import { decodeAuthSig, decodeEphemeral, encodeAuthSig, encodeEphemeral } from '../../proto/handshake.ts';
import { isSmallOrderKey, nodeIdOf, verifySignature, type NodeId, type NodeKey } from '../../proto/identity.ts';
import { frameBytes, type Aead } from './aead.ts';
import { FrameReader, FrameWriter, maxEmptyFrames, runPool, type RunPool } from './frame.ts';
import { Transcript } from './merlin.ts';
import { keyAgreement, type KeyAgreement } from './x25519.ts';

/** Bytes of the first message either way: a length of one byte and 34 bytes of key message. */
const ephemeralBytes = 35;
/** Longest proof of identity that is read, without its length; an honest one has 102 bytes. */
const maxAuthSigBytes = 256;

/** The two keys of a connection, each for one direction. */
export type DerivedSecrets = Readonly<{ receiveKey: Uint8Array; sendKey: Uint8Array }>;

/** Both keys from the shared secret (HKDF-SHA256); the end with the lower ephemeral key takes them in one order, the other reversed. */
export function deriveSecrets(sharedSecret: Uint8Array, localIsLower: boolean): DerivedSecrets {
  const derived = new Uint8Array(
    hkdfSync('sha256', sharedSecret, new Uint8Array(0), 'TENDERMINT_SECRET_CONNECTION_KEY_AND_CHALLENGE_GEN', 96),
  );
  const [first, second] = [derived.slice(0, 32), derived.slice(32, 64)];
  derived.fill(0);
  return localIsLower ? { receiveKey: first, sendKey: second } : { receiveKey: second, sendKey: first };
}

/** The 32 bytes that both ends sign: a Merlin transcript of both ephemeral keys, the lower one first, and of the shared secret. */
export function challengeOf(lowerKey: Uint8Array, upperKey: Uint8Array, sharedSecret: Uint8Array): Uint8Array {
  const transcript = new Transcript('TENDERMINT_SECRET_CONNECTION_TRANSCRIPT_HASH');
  transcript.append('EPHEMERAL_LOWER_PUBLIC_KEY', lowerKey);
  transcript.append('EPHEMERAL_UPPER_PUBLIC_KEY', upperKey);
  transcript.append('DH_SECRET', sharedSecret);
  const challenge = transcript.extract('SECRET_CONNECTION_MAC', 32);
  transcript.wipe();
  return challenge;
}

/** What a handshake needs from the owner of the socket, and who we are. */
export type SecretHandshake = Readonly<{
  key: NodeKey;
  /** The id that was dialed, when we dialed. */
  expectedId?: NodeId;
  aead: Aead;
  /** Queues bytes for the socket, without waiting; `done` says that it needs them no longer. */
  send(bytes: Uint8Array, done?: () => void): void;
  /** Exactly `count` bytes, at most 1,044, kept unchanged until the next read; rejects at the end of the stream, and with the signal's reason. */
  read(count: number, signal: AbortSignal): Promise<Uint8Array>;
  signal: AbortSignal;
  pool?: RunPool;
  agreement?: KeyAgreement;
  /** The 32-byte secret of our ephemeral key, for vectors; otherwise a fresh one. Never use one twice. */
  ephemeral?: Uint8Array;
  /** Where both counters start, for tests of their end. Both ends must agree. */
  nonceStart?: bigint;
}>;

/** A stream of sealed frames with a peer that has proved who it is. */
export type SecretSession = Readonly<{
  remoteId: NodeId;
  remotePublicKey: Uint8Array;
  writer: FrameWriter;
  reader: FrameReader;
  /** Plaintext that came in the same frame as the proof: the beginning of what follows. A copy. */
  leftover: Uint8Array;
}>;

/**
 * Agrees on keys and proves who both ends are. It reads not a byte more than that takes.
 * @throws TroupeError `ERR_HANDSHAKE_MALFORMED`, `ERR_HANDSHAKE_WEAK_KEY`, `ERR_HANDSHAKE_KEY_TYPE`, `ERR_HANDSHAKE_SIGNATURE`, `ERR_HANDSHAKE_SELF`,
 * `ERR_HANDSHAKE_WRONG_ID`, the errors of `FrameReader`, and what `read` rejects with.
 */
export async function handshakeSecrets(handshake: SecretHandshake): Promise<SecretSession> {
  const { aead, key, nonceStart = 0n, pool = runPool, send } = handshake;
  const { challenge, secrets } = await agree(handshake);
  const writer = new FrameWriter(aead.sealer(secrets.sendKey, nonceStart), pool);
  const reader = new FrameReader(aead.opener(secrets.receiveKey, nonceStart), pool);
  secrets.sendKey.fill(0);
  secrets.receiveKey.fill(0);
  try {
    writer.write(encodeAuthSig(key.publicKey, key.sign(challenge)));
    const sealed = writer.seal()!;
    send(sealed.bytes, sealed.done);
    const { body, leftover } = await readProof(handshake, reader);
    const remotePublicKey = checkProof(handshake, challenge, body);
    return { remoteId: nodeIdOf(remotePublicKey), remotePublicKey, writer, reader, leftover };
  } catch (error) {
    writer.close();
    reader.close();
    throw error;
  } finally {
    challenge.fill(0);
  }
}

/** Exchanges ephemeral keys. Everything secret that it makes is overwritten, but for its result. */
async function agree(handshake: SecretHandshake): Promise<Readonly<{ challenge: Uint8Array; secrets: DerivedSecrets }>> {
  const { read, send, signal } = handshake;
  const pair = ephemeralPair(handshake);
  try {
    const local = pair.publicKey;
    send(encodeEphemeral(local));
    const [length] = await read(1, signal);
    if (length !== ephemeralBytes - 1) throw new TroupeError('ERR_HANDSHAKE_MALFORMED', 'not an ephemeral key');
    const remote = decodeEphemeral(await read(ephemeralBytes - 1, signal));
    const order = Buffer.compare(local, remote);
    if (order === 0) throw new TroupeError('ERR_HANDSHAKE_WEAK_KEY', 'our own key came back');
    const shared = pair.sharedSecret(remote);
    // every backend refuses low-order keys itself; a zero secret would be known to everybody, so none is trusted with this
    if (shared.reduce((bits, byte) => bits | byte, 0) === 0) throw new TroupeError('ERR_HANDSHAKE_WEAK_KEY');
    const localIsLower = order < 0;
    const challenge = localIsLower ? challengeOf(local, remote, shared) : challengeOf(remote, local, shared);
    const secrets = deriveSecrets(shared, localIsLower);
    shared.fill(0);
    return { challenge, secrets };
  } finally {
    pair.wipe();
  }
}

/** Our ephemeral pair: the one that was given, else a new one, made where its secret stays out of reach if the backend can. */
function ephemeralPair({ agreement = keyAgreement, ephemeral }: SecretHandshake) {
  const fresh = ephemeral === undefined ? agreement.fresh?.() : undefined;
  if (fresh) return { ...fresh, wipe: () => undefined };
  const secret = ephemeral === undefined ? randomFillSync(new Uint8Array(32)) : Uint8Array.from(ephemeral);
  return {
    publicKey: agreement.publicKey(secret),
    sharedSecret: (remoteKey: Uint8Array) => agreement.sharedSecret(secret, remoteKey),
    wipe: () => void secret.fill(0),
  };
}

/** Reads frames until one message is whole. A proof spread over more frames than it has bytes, but for the empty ones allowed, is refused. */
async function readProof(
  { read, signal }: SecretHandshake,
  reader: FrameReader,
): Promise<Readonly<{ body: Uint8Array; leftover: Uint8Array }>> {
  let plaintext = new Uint8Array(0);
  for (let frames = 1; ; frames += 1) {
    reader.feed(await read(frameBytes, signal), (bytes, start, end) => {
      plaintext = Uint8Array.from(Buffer.concat([plaintext, bytes.subarray(start, end)]));
    });
    const length = proofLength(plaintext);
    if (length !== undefined && plaintext.length >= length.next + length.value) {
      const end = length.next + length.value;
      return { body: plaintext.slice(length.next, end), leftover: plaintext.slice(end) };
    }
    if (frames > plaintext.length + maxEmptyFrames) throw new TroupeError('ERR_FRAMES_EMPTY');
  }
}

function proofLength(plaintext: Uint8Array): ReturnType<typeof readUvarint> {
  try {
    const length = readUvarint(plaintext, 0, 2);
    if (length === undefined || length.value <= maxAuthSigBytes) return length;
  } catch {
    // the same to the peer: a length that no honest proof has
  }
  throw new TroupeError('ERR_HANDSHAKE_MALFORMED', `a proof of identity above ${maxAuthSigBytes} bytes`);
}

/** The key that the remote has proved to hold. Our own id is refused because both ends sign the same challenge: our proof sent back to us verifies. */
function checkProof({ expectedId, key }: SecretHandshake, challenge: Uint8Array, body: Uint8Array): Uint8Array {
  const { publicKey, signature } = decodeAuthSig(body);
  if (isSmallOrderKey(publicKey)) throw new TroupeError('ERR_HANDSHAKE_WEAK_KEY', 'its identity has no owner');
  if (!verifySignature(publicKey, challenge, signature)) throw new TroupeError('ERR_HANDSHAKE_SIGNATURE');
  const remoteId = nodeIdOf(publicKey);
  if (remoteId === key.id) throw new TroupeError('ERR_HANDSHAKE_SELF');
  if (expectedId !== undefined && remoteId !== expectedId) throw new TroupeError('ERR_HANDSHAKE_WRONG_ID', `it is ${remoteId}`);
  return publicKey;
}
