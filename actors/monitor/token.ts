/** The token that opens the monitor: 32 random bytes in hex, kept in the home so that other programs of the same user find it. */
import { randomBytes } from 'node:crypto';
import { chmodSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TroupeError } from '../../proto/errors.ts';

/** Name of the token's file in a home. */
export const tokenFile = 'monitor.token';

/** The token of a home, made on first use and readable by its owner only; without a home, a new one. @throws TroupeError `ERR_MONITOR_UNAVAILABLE`. */
export function monitorToken(home?: string): string {
  if (home === undefined) return newToken();
  const path = join(home, tokenFile);
  try {
    return readToken(path) ?? writeToken(path);
  } catch (error) {
    throw new TroupeError('ERR_MONITOR_UNAVAILABLE', `token: ${(error as Error).message}`, { cause: error });
  }
}

const newToken = (): string => randomBytes(32).toString('hex');

function readToken(path: string): string | undefined {
  try {
    const token = readFileSync(path, 'utf8').trim();
    if (!/^[0-9a-f]{64}$/.test(token)) return undefined;
    chmodSync(path, 0o600);
    return token;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Written beside and renamed, so that a reader never sees half a token. */
function writeToken(path: string): string {
  const token = newToken();
  writeFileSync(`${path}.new`, `${token}\n`, { mode: 0o600 });
  chmodSync(`${path}.new`, 0o600);
  renameSync(`${path}.new`, path);
  return token;
}
