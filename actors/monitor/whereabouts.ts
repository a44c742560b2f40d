/** Where the monitor of a running node is found: its URL, in a file of the home that is there while the monitor listens. */
import { chmodSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { TroupeError } from '../../proto/errors.ts';
import { lockFile } from '../stores/home-lock.ts';

/** Name of the file in a home. */
export const urlFile = 'monitor.url';
/** `http://` with the longest host name there is, and a port. */
const maxUrlBytes = 300;

/** Whether a node, or a command that acts for one, has this home open. Waits for nothing and makes no file. */
export function isHomeInUse(home: string): boolean {
  try {
    const lock = new Database(join(home, lockFile), { readonly: true, fileMustExist: true, timeout: 0 });
    try {
      // Its holder shares it with nobody, not even for a look.
      lock.prepare('SELECT count(*) FROM sqlite_master').get();
    } finally {
      lock.close();
    }
    return false;
  } catch (error) {
    return ((error as { code?: string }).code ?? '').startsWith('SQLITE_BUSY');
  }
}

/**
 * Forgets where the monitor of a node that was killed has been, unless another node has this home. Before the home's lock is taken:
 * then the file of a locked home is always of the node that holds it, and nobody sends the token to whoever has the port now.
 */
export function forgetKilledNode(home: string): void {
  if (!isHomeInUse(home)) removeUrl(home);
}

/** Writes down a URL, readable by the owner only; the function returned removes it. @throws what the file system says. */
export function publishUrl(home: string, url: string): () => void {
  const path = join(home, urlFile);
  // Written beside and renamed, so that a reader never sees half of it.
  writeFileSync(`${path}.new`, `${url}\n`, { mode: 0o600 });
  chmodSync(`${path}.new`, 0o600);
  renameSync(`${path}.new`, path);
  return () => removeUrl(home);
}

/** The URL of the monitor of the node that has this home; undefined when it has none, or not yet. @throws TroupeError `ERR_NODE_UNREACHABLE` when the file is no good. */
export function publishedUrl(home: string): string | undefined {
  const path = join(home, urlFile);
  try {
    const text = statSync(path).size > maxUrlBytes ? '' : readFileSync(path, 'utf8').trim();
    if (/^http:\/\/[\w.:[\]-]+:\d{1,5}$/.test(text)) return text;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new TroupeError('ERR_NODE_UNREACHABLE', (error as Error).message, { cause: error });
  }
  throw new TroupeError('ERR_NODE_UNREACHABLE', `${path} holds no URL`);
}

/** A place that cannot be written keeps the file, but its lock cannot be held either, so nobody reads it. */
function removeUrl(home: string): void {
  try {
    rmSync(join(home, urlFile), { force: true });
  } catch {
    // see above
  }
}
