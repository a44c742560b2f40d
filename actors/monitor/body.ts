/** The body of a request to the monitor: one small JSON object with fields that are known, or nothing. */
import type { IncomingMessage } from 'node:http';
import { TroupeError } from '../../proto/errors.ts';

/** An address has at most 256 bytes and a reason is cut at 80 characters: nothing we take is near this. */
export const maxBodyBytes = 4_096;

export type Body = Readonly<Record<string, unknown>>;

/** Reads the body; an empty object when the request has none. @throws TroupeError `ERR_CONTENT_TYPE_REFUSED`, `ERR_BODY_TOO_LARGE`, `ERR_BODY_INVALID`. */
export async function readBody(request: IncomingMessage): Promise<Body> {
  const { 'content-length': length, 'transfer-encoding': chunked, 'content-encoding': coding } = request.headers;
  if (chunked === undefined && Number(length ?? 0) === 0) return {};
  if (!isJson(request.headers['content-type']) || (coding !== undefined && coding !== 'identity')) {
    throw new TroupeError('ERR_CONTENT_TYPE_REFUSED');
  }
  if (Number(length ?? 0) > maxBodyBytes) throw tooLarge();
  return parsed(await bytesOf(request));
}

/** The fields of a body. @throws TroupeError `ERR_BODY_INVALID` for one that is not among those named: a misspelt field must not be a default. */
export function onlyFields(body: Body, ...fields: readonly string[]): Body {
  const stranger = Object.keys(body).find((key) => !fields.includes(key));
  if (stranger === undefined) return body;
  const known = fields.length === 0 ? 'none' : fields.join(', ');
  throw new TroupeError('ERR_BODY_INVALID', `unknown field ${JSON.stringify(stranger.slice(0, 40))}; known here: ${known}`);
}

/** A field that is a text, or `fallback` when it is missing. @throws TroupeError `ERR_BODY_INVALID`. */
export function textField(body: Body, name: string, fallback?: string): string {
  const value = body[name] ?? fallback;
  if (typeof value !== 'string') throw new TroupeError('ERR_BODY_INVALID', `${name}: a text`);
  return value;
}

const isJson = (type = ''): boolean => /^application\/json\s*(;\s*charset\s*=\s*"?utf-8"?\s*)?$/i.test(type);
const tooLarge = (): TroupeError => new TroupeError('ERR_BODY_TOO_LARGE', `at most ${maxBodyBytes} bytes`);

function parsed(bytes: Uint8Array): Body {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw new TroupeError('ERR_BODY_INVALID', 'no JSON', { cause: error });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new TroupeError('ERR_BODY_INVALID', 'not an object');
  return value as Body;
}

/** Listens instead of iterating: to leave a loop over the request would destroy the socket before the answer. */
function bytesOf(request: IncomingMessage): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    let size = 0;
    request.on('data', (chunk: Uint8Array) => {
      size += chunk.length;
      if (size <= maxBodyBytes) return void chunks.push(chunk);
      chunks.length = 0;
      request.pause();
      reject(tooLarge());
    });
    request.once('end', () => resolve(Buffer.concat(chunks)));
    const onBreak = (): void => reject(new TroupeError('ERR_BODY_INVALID', 'it ended early'));
    request.once('error', onBreak).once('close', onBreak);
  });
}
