/** A lock on a home, held through SQLite by the operating system: whoever dies, however, lets go of it. */
import { lstatSync } from 'node:fs';
import Database from 'better-sqlite3';
import { TroupeError } from '../../proto/errors.ts';
import { setAside } from './salvage.ts';

/** Name of the file in a home that is locked. */
export const lockFile = 'lock.db';

/** A held lock. */
export interface HomeLock {
  release(): void;
}

/** Longest wait for another process that is just leaving, in milliseconds; it blocks the process, once, at the start. */
const waitMs = 500;

/**
 * Takes the lock by an exclusive transaction that never writes, so the file stays empty.
 * Undefined when the place takes no file at all (read-only, full): then nobody else can write there either.
 * @throws TroupeError `ERR_HOME_IN_USE`.
 */
export function lockHome(path: string): HomeLock | undefined {
  try {
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found && !found.isFile()) return replaced(path);
    return hold(path);
  } catch (error) {
    const code = (error as { code?: string }).code ?? '';
    if (code.startsWith('SQLITE_BUSY')) throw new TroupeError('ERR_HOME_IN_USE', path, { cause: error });
    if (code.startsWith('SQLITE_NOTADB') || code.startsWith('SQLITE_CORRUPT')) return replaced(path);
    return undefined;
  }
}

function hold(path: string): HomeLock {
  const lock = new Database(path, { timeout: waitMs });
  try {
    lock.exec('BEGIN EXCLUSIVE');
    return { release: () => lock.close() };
  } catch (error) {
    lock.close();
    throw error;
  }
}

/** Something else lies where the lock should be: it is put aside. */
function replaced(path: string): HomeLock | undefined {
  try {
    setAside(path, 'damaged');
    return hold(path);
  } catch {
    return undefined;
  }
}
