/** The two messages before NodeInfo: the ephemeral key in the clear and the sealed proof of the node key. Exact shapes; no cryptography here. */
import { TroupeError } from './errors.ts';
import { FieldCursor } from './wire.ts';

const keyBytes = 32;
const signatureBytes = 64;
/** A body is 102 bytes; the rest is room for fields of newer releases. */
const maxAuthBytes = 256;

/** A public X25519 key as it goes out first: 35 bytes, length included. @throws TroupeError `ERR_HANDSHAKE_MALFORMED` unless the key has 32 bytes. */
export function encodeEphemeral(publicKey: Uint8Array): Uint8Array {
  if (publicKey.length !== keyBytes) throw malformed(`an ephemeral key of ${publicKey.length} bytes`);
  return Uint8Array.of(0x22, 0x0a, 0x20, ...publicKey);
}

/**
 * The key in the 34 bytes behind the length. Go pads and cuts other lengths; no honest peer sends them, so we refuse all but the exact shape.
 * @throws TroupeError `ERR_HANDSHAKE_MALFORMED`.
 */
export function decodeEphemeral(body: Uint8Array): Uint8Array {
  if (body.length !== keyBytes + 2 || body[0] !== 0x0a || body[1] !== 0x20) throw malformed('not an ephemeral key of 32 bytes');
  return body.slice(2);
}

/** The node key and its signature over the challenge: 103 bytes, length included. @throws TroupeError `ERR_HANDSHAKE_MALFORMED` for other lengths than 32 and 64. */
export function encodeAuthSig(publicKey: Uint8Array, signature: Uint8Array): Uint8Array {
  if (publicKey.length !== keyBytes || signature.length !== signatureBytes)
    throw malformed('a key of 32 bytes and a signature of 64 are needed');
  return Uint8Array.of(0x66, 0x0a, 0x22, 0x0a, 0x20, ...publicKey, 0x12, 0x40, ...signature);
}

/**
 * Key and signature in the body of an AuthSigMessage, at most 256 bytes. Unknown fields are ignored; whether the signature is good is for the caller.
 * @throws TroupeError `ERR_HANDSHAKE_KEY_TYPE` unless there is exactly one key and it is Ed25519, `ERR_HANDSHAKE_MALFORMED` for the rest.
 */
export function decodeAuthSig(body: Uint8Array): Readonly<{ publicKey: Uint8Array; signature: Uint8Array }> {
  if (body.length > maxAuthBytes) throw malformed(`an AuthSigMessage of ${body.length} bytes`);
  try {
    return readAuthSig(body);
  } catch (cause) {
    if (cause instanceof TroupeError && cause.code !== 'ERR_MESSAGE_MALFORMED') throw cause;
    throw new TroupeError('ERR_HANDSHAKE_MALFORMED', cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

function readAuthSig(body: Uint8Array): Readonly<{ publicKey: Uint8Array; signature: Uint8Array }> {
  let publicKey: Uint8Array | undefined;
  let signature: Uint8Array | undefined;
  const field = new FieldCursor(body);
  while (field.next()) {
    if (field.is(1, 2)) {
      if (publicKey !== undefined) throw new TroupeError('ERR_HANDSHAKE_KEY_TYPE', 'two keys');
      publicKey = readPublicKey(field.bytes());
    } else if (field.is(2, 2)) {
      if (signature !== undefined) throw malformed('two signatures');
      signature = field.bytes().slice();
    }
  }
  if (publicKey === undefined) throw new TroupeError('ERR_HANDSHAKE_KEY_TYPE', 'no key');
  if (signature?.length !== signatureBytes) throw malformed(`a signature of ${signature?.length ?? 0} bytes`);
  return { publicKey, signature };
}

/** Every member of the key's oneof but the first is another type of key, those of later releases too. */
function readPublicKey(bytes: Uint8Array): Uint8Array {
  let key: Uint8Array | undefined;
  const field = new FieldCursor(bytes);
  while (field.next()) {
    if (!field.is(1, 2)) throw new TroupeError('ERR_HANDSHAKE_KEY_TYPE', `key type ${field.number}`);
    if (key !== undefined) throw new TroupeError('ERR_HANDSHAKE_KEY_TYPE', 'two keys');
    key = field.bytes().slice();
  }
  if (key === undefined) throw new TroupeError('ERR_HANDSHAKE_KEY_TYPE', 'no key');
  if (key.length !== keyBytes) throw malformed(`an Ed25519 key of ${key.length} bytes`);
  return key;
}

function malformed(problem: string): TroupeError {
  return new TroupeError('ERR_HANDSHAKE_MALFORMED', problem);
}
