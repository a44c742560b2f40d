/** What both ends say before the first packet: the handshake of the secret connection, then NodeInfo, on bytes that are read only when asked for. */
import { delimited, readUvarint } from '../../proto/codec.ts';
import { TroupeError } from '../../proto/errors.ts';
import { decodeNodeInfo, encodeNodeInfo, maxNodeInfoBytes, validateNodeInfo } from '../../proto/node-info.ts';
import type { ChannelDescriptor, Handshake, RemotePeer } from '../transport.ts';
import { frameBytes, type Aead } from './aead.ts';
import { handshakeSecrets, type SecretSession } from './secret.ts';

/** Bytes from the socket for a reader that asks for so many at a time. Holds what one read of the socket delivered, and leaves the socket unread until it needs more. */
export class HandshakeInput {
  readonly #source: Readonly<{ pause(): void; resume(): void }>;
  #bytes: Uint8Array = new Uint8Array(0);
  #wanted = 0;
  #settle: { resolve: (bytes: Uint8Array) => void; reject: (error: unknown) => void } | undefined;
  #failure: { error: unknown } | undefined;

  constructor(source: Readonly<{ pause(): void; resume(): void }>) {
    this.#source = source;
  }

  /** Whether bytes have come that nobody has asked for or that are too few. */
  get hasRest(): boolean {
    return this.#bytes.length > 0;
  }

  push(piece: Uint8Array): void {
    this.#bytes = this.#bytes.length === 0 ? piece : Buffer.concat([this.#bytes, piece]);
    if (!this.#serve()) this.#source.pause();
  }

  /** Exactly `count` bytes; rejects once the input has failed. */
  read(count: number): Promise<Uint8Array> {
    if (this.#failure) return Promise.reject(this.#failure.error);
    return new Promise((resolve, reject) => {
      this.#wanted = count;
      this.#settle = { resolve, reject };
      if (this.#serve()) this.#source.resume();
    });
  }

  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#settle?.reject(error);
    this.#settle = undefined;
  }

  /** What is left when the handshake is over. */
  takeRest(): Uint8Array {
    const rest = this.#bytes;
    this.#bytes = new Uint8Array(0);
    return rest;
  }

  /** Serves a read for which there is enough; true while one waits. */
  #serve(): boolean {
    if (!this.#settle) return false;
    if (this.#bytes.length < this.#wanted) return true;
    const { resolve } = this.#settle;
    this.#settle = undefined;
    const bytes = this.#bytes.subarray(0, this.#wanted);
    this.#bytes = this.#bytes.subarray(this.#wanted);
    resolve(bytes);
    return false;
  }
}

const maxChannels = 16;

/** What a greeting needs from the owner of the socket. */
export type GreetingParts = Readonly<{
  own: Handshake;
  aead: Aead;
  nonceStart?: bigint;
  input: HandshakeInput;
  send: (bytes: Uint8Array, done?: () => void) => void;
  signal: AbortSignal;
}>;

/** A remote that has proved who it is and said what it is; `leftover` is plaintext that came behind its NodeInfo. */
export type Greeting = Readonly<{ remote: RemotePeer; session: SecretSession; leftover: Uint8Array }>;

/**
 * Shakes hands. Both ends write without waiting for the other; NodeInfo leaves only after the remote has proved to be who was dialed, and when we let it.
 * @throws TroupeError `ERR_CHANNEL_ID_INVALID`, `ERR_OPTION_INVALID`, `ERR_NODE_INFO_INVALID`, `ERR_NODE_INFO_TOO_LARGE`, the errors of `handshakeSecrets`, and what `input` fails with.
 */
export async function greet({ own, aead, nonceStart, input, send, signal }: GreetingParts): Promise<Greeting> {
  checkChannels(own.channels);
  const nodeInfo = encodeNodeInfo(own.nodeInfo);
  const session = await handshakeSecrets({
    key: own.key,
    ...(own.expectedId === undefined ? {} : { expectedId: own.expectedId }),
    ...(nonceStart === undefined ? {} : { nonceStart }),
    aead,
    send,
    read: (count) => input.read(count),
    signal,
  });
  try {
    await own.beforeNodeInfo?.(session.remoteId, signal);
    session.writer.write(delimited(nodeInfo));
    const sealed = session.writer.seal()!;
    send(sealed.bytes, sealed.done);
    const { body, leftover } = await readNodeInfo(session, input);
    const info = decodeNodeInfo(body);
    validateNodeInfo(info, session.remoteId);
    return { remote: { nodeId: session.remoteId, publicKey: session.remotePublicKey, nodeInfo: info }, session, leftover };
  } catch (error) {
    session.writer.close();
    session.reader.close();
    throw error;
  }
}

/** Refuses channels that cannot be told apart on the wire or not be scheduled. */
function checkChannels(channels: readonly ChannelDescriptor[]): void {
  const isWhole = (value: number, least: number, most: number): boolean => Number.isSafeInteger(value) && value >= least && value <= most;
  if (channels.length > maxChannels) throw new TroupeError('ERR_CHANNEL_ID_INVALID', `${channels.length} channels`);
  for (const { id, priority, maxMessageBytes } of channels) {
    if (!isWhole(id, 0, 255) || channels.filter((other) => other.id === id).length > 1)
      throw new TroupeError('ERR_CHANNEL_ID_INVALID', `${id}`);
    if (!isWhole(priority, 1, 2 ** 31) || !isWhole(maxMessageBytes, 1, 2 ** 31))
      throw new TroupeError('ERR_OPTION_INVALID', `channel ${id}`);
  }
}

type Body = Readonly<{ body: Uint8Array; leftover: Uint8Array }>;

/** Reads frames until NodeInfo is whole; its length is looked at before more than one frame of it is kept. */
async function readNodeInfo(session: SecretSession, input: HandshakeInput): Promise<Body> {
  let plain = new Uint8Array(Math.max(frameBytes, session.leftover.length));
  plain.set(session.leftover);
  let length = session.leftover.length;
  const keep = (bytes: Uint8Array, start: number, end: number): void => {
    const needed = length + end - start;
    if (needed > plain.length) {
      const larger = new Uint8Array(Math.max(needed, plain.length * 2));
      larger.set(plain.subarray(0, length));
      plain = larger;
    }
    plain.set(bytes.subarray(start, end), length);
    length = needed;
  };
  for (;;) {
    const place = placeOfNodeInfo(plain.subarray(0, length));
    if (place !== undefined && length >= place.end)
      return { body: plain.slice(place.start, place.end), leftover: plain.slice(place.end, length) };
    session.reader.feed(await input.read(frameBytes), keep);
  }
}

const prefixBytes = 3;

/** Where NodeInfo begins and ends in the stream, once its length is known. */
function placeOfNodeInfo(plain: Uint8Array): Readonly<{ start: number; end: number }> | undefined {
  const prefix = plain.subarray(0, prefixBytes);
  if (prefix.length === prefixBytes && prefix.every((byte) => byte >= 0x80)) throw new TroupeError('ERR_NODE_INFO_TOO_LARGE');
  let length: ReturnType<typeof readUvarint>;
  try {
    length = readUvarint(prefix, 0, prefixBytes);
  } catch (cause) {
    throw new TroupeError('ERR_NODE_INFO_INVALID', 'its length', { cause });
  }
  if (length === undefined) return undefined;
  if (length.value > maxNodeInfoBytes) throw new TroupeError('ERR_NODE_INFO_TOO_LARGE', `${length.value} bytes`);
  return { start: length.next, end: length.next + length.value };
}
