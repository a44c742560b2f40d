/** The monitor of a running node as a command asks it: with the token of its home, and errors under the codes that the node gave them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { tokenFile } from '../actors/monitor/token.ts';
import { publishedUrl } from '../actors/monitor/whereabouts.ts';
import { errorCodes, TroupeError, type ErrorCode } from '../proto/errors.ts';
import { withDeadline, type Clock } from '../transports/clock.ts';

/** More than the node takes for the slowest order; then the node itself is stuck. */
const answerMs = 40_000;
/** A page of a thousand peers has about one; more than this is no answer of ours. */
const maxAnswerBytes = 33_554_432;

/** A running node to ask. */
export interface MonitorClient {
  /** @throws TroupeError with the code of the node's answer, `ERR_NODE_UNREACHABLE` without one. */
  get(path: string): Promise<unknown>;
  post(path: string, body: Readonly<Record<string, unknown>>): Promise<unknown>;
}

/** The monitor of the node that has this home. @throws TroupeError `ERR_HOME_IN_USE` when that node has no monitor, `ERR_TOKEN_REQUIRED` when its token cannot be read. */
export function monitorClient(home: string, clock: Clock): MonitorClient {
  const url = publishedUrl(home);
  if (url === undefined) {
    throw new TroupeError('ERR_HOME_IN_USE', `${home}; it is starting, stopping, or runs without a monitor, so it cannot be asked`);
  }
  const headers = { authorization: `Bearer ${tokenOf(home)}`, connection: 'close' };
  const ask = (path: string, init: RequestInit): Promise<unknown> =>
    withDeadline(clock, answerMs, 'ERR_NODE_UNREACHABLE', undefined, async (signal) => {
      const response = await reach(`${url}${path}`, { ...init, signal });
      const answer = await bodyOf(response);
      if (response.ok) return answer;
      throw errorOf(answer, `${url} answered ${response.status}`);
    });
  return {
    get: (path) => ask(path, { headers }),
    post: (path, body) =>
      ask(path, { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  };
}

function tokenOf(home: string): string {
  try {
    return readFileSync(join(home, tokenFile), 'utf8').trim();
  } catch (error) {
    throw new TroupeError('ERR_TOKEN_REQUIRED', (error as Error).message, { cause: error });
  }
}

/** A redirect is never followed: the token is for nobody else. */
async function reach(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, { ...init, redirect: 'error' });
  } catch (error) {
    if (error instanceof TroupeError) throw error;
    const { cause = error } = error as { cause?: unknown };
    throw new TroupeError('ERR_NODE_UNREACHABLE', `${url}: ${(cause as Error).message}`, { cause: error });
  }
}

async function bodyOf(response: Response): Promise<unknown> {
  if (Number(response.headers.get('content-length') ?? Infinity) > maxAnswerBytes) throw foreign(response.url);
  try {
    return await response.json();
  } catch (error) {
    throw error instanceof TroupeError ? error : foreign(response.url, error);
  }
}

const foreign = (url: string, cause?: unknown): TroupeError =>
  new TroupeError('ERR_NODE_UNREACHABLE', `what answers at ${url} is no monitor of ours`, { cause });

/** The node's error under its own code; its message holds what the code says already. */
function errorOf(answer: unknown, otherwise: string): TroupeError {
  const { code, message } = (answer as { error?: { code?: unknown; message?: unknown } } | null)?.error ?? {};
  if (typeof code !== 'string' || typeof message !== 'string' || !Object.hasOwn(errorCodes, code)) {
    return new TroupeError('ERR_NODE_UNREACHABLE', otherwise);
  }
  const said = errorCodes[code as ErrorCode].message;
  return new TroupeError(code as ErrorCode, message.startsWith(`${said}: `) ? message.slice(said.length + 2) : '');
}
