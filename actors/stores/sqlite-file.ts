/** The peer database as a file: opened, brought to the present schema, checked, read, written. Everything here is synchronous and may throw SQLite's errors. */
import { closeSync, fsyncSync, lstatSync, openSync, readSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import { TroupeError } from '../../proto/errors.ts';
import type { PeerRow } from '../peer-store.ts';
import { applicationId, migrate, schemaVersion } from './migrations.ts';
import { decodeRow, GoodTexts, type encodeRow } from './row-codec.ts';
import type { Change } from './write-queue.ts';

/** Makes a connection; replaced in specs to make the disk fail. */
export type Connect = (
  path: string,
  options: Readonly<{ timeout: number; readonly?: boolean; fileMustExist?: boolean }>,
) => Database.Database;
export const connectSqlite: Connect = (path, options) => new Database(path, options);

/** Older ones can corrupt a database in WAL mode (the WAL-reset bug, 3.7.0 to 3.51.2). */
const oldestSqlite = [3, 51, 3] as const;
/** Memory for pages in KiB: after the start rows are written and never read. */
const cacheKib = 2_048;

const codeOf = (error: unknown): string => (error as { code?: string }).code ?? '';
export const isDamage = (error: unknown): boolean => /^SQLITE_(?:CORRUPT|NOTADB)/.test(codeOf(error));
export const isBusy = (error: unknown): boolean => /^SQLITE_(?:BUSY|LOCKED)/.test(codeOf(error));
export const isFull = (error: unknown): boolean => codeOf(error) === 'SQLITE_FULL';

class Damage extends Error {
  readonly code = 'SQLITE_CORRUPT';
}

/** An open database; `id` tells the file on the disk from any other. */
export type PeerFile = Readonly<{ db: Database.Database; id: string }>;

/** Opens or makes the file. @throws TroupeError `ERR_STORE_TOO_NEW`, `ERR_STORE_FAILED`, or SQLite's error. */
export function openFile(connect: Connect, path: string, busyMs: number): PeerFile {
  const isMade = fileId(path) === undefined;
  assertPlain(path);
  if (!isMade) refuseNewer(connect, path, busyMs);
  const db = connect(path, { timeout: busyMs });
  try {
    assertVersion(db);
    db.pragma(`cache_size = -${cacheKib}`);
    assertWritable(db);
    assertSound(db);
    db.pragma('journal_mode = WAL');
    db.pragma('synchronous = FULL');
    // Moving the log into the file costs syncs of its own; the store decides when.
    db.pragma('wal_autocheckpoint = 0');
    migrate(db);
    if (isMade) syncFolders(path);
    return { db, id: fileId(path) ?? '' };
  } catch (error) {
    db.close();
    throw error;
  }
}

/** What tells a file from another that takes its name; undefined when there is none. */
export function fileId(path: string): string | undefined {
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found && `${found.dev}:${found.ino}`;
}

/** Bytes in the log; 0 without one. */
export function logBytes(path: string): number {
  return statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
}

/** Folders, links, pipes: only a plain file is opened, as are the files that SQLite keeps beside it. */
function assertPlain(path: string): void {
  for (const suffix of ['', '-wal', '-shm', '-journal']) {
    const found = lstatSync(path + suffix, { throwIfNoEntry: false });
    if (found && !found.isFile()) throw new Damage(`something else lies where the file ${suffix} should be`);
  }
}

/** The name of a new file survives a power loss only once its folder does, and that folder's name, and so on. */
function syncFolders(path: string): void {
  let folder = path;
  while (folder !== dirname(folder)) {
    folder = dirname(folder);
    try {
      const handle = openSync(folder, 'r');
      try {
        fsyncSync(handle);
      } finally {
        closeSync(handle);
      }
    } catch {
      // Not every platform can sync a folder, nor is every folder ours to open.
    }
  }
}

const headerBytes = 100;

/** Version and application id as the first page of the file has them. */
function headerOf(path: string): Readonly<{ version: number; application: number }> {
  const header = Buffer.alloc(headerBytes);
  const file = openSync(path, 'r');
  try {
    readSync(file, header, 0, headerBytes, 0);
  } finally {
    closeSync(file);
  }
  return { version: header.readUInt32BE(60), application: header.readUInt32BE(68) };
}

/** Looks at the version without a chance of writing: even closing a writable connection would move the log into the file. */
function refuseNewer(connect: Connect, path: string, busyMs: number): void {
  let db: Database.Database | undefined;
  let version: number;
  try {
    if (fileId(`${path}-wal`) === undefined) {
      const { version: written, application } = headerOf(path);
      if (application === applicationId && written > schemaVersion) throw tooNew(path, written);
      return;
    }
    db = connect(path, { timeout: busyMs, readonly: true, fileMustExist: true });
    version = db.pragma('user_version', { simple: true }) as number;
    if (!isOurs(db)) version = 0;
  } catch (error) {
    if (isDamage(error) || error instanceof TroupeError) throw error;
    // A log that cannot be read without writing: the writable connection will tell.
    return;
  } finally {
    db?.close();
  }
  if (version > schemaVersion) throw tooNew(path, version);
}

const tooNew = (path: string, version: number): TroupeError =>
  new TroupeError('ERR_STORE_TOO_NEW', `${path}: version ${version}, this one writes ${schemaVersion}`);

const isOurs = (db: Database.Database): boolean => db.pragma('application_id', { simple: true }) === applicationId;

function assertVersion(db: Database.Database): void {
  const text = db.prepare('SELECT sqlite_version()').pluck().get() as string;
  const parts = text.split('.').map(Number);
  const at = oldestSqlite.findIndex((least, index) => parts[index] !== least);
  if (at >= 0 && (parts[at] ?? 0) < oldestSqlite[at]!)
    throw new TroupeError('ERR_STORE_FAILED', `SQLite ${text} is older than ${oldestSqlite.join('.')}`);
}

/** A file of somebody else is as useless as a broken one. */
function assertSound(db: Database.Database): void {
  const result = db.pragma('quick_check(1)', { simple: true });
  if (result !== 'ok') throw new Damage(String(result));
  const tables = db.prepare('SELECT count(*) FROM sqlite_schema').pluck().get() as number;
  if (tables > 0 && !isOurs(db)) throw new Damage('not a peer database');
}

/** A disk or file that may only be read shows it at the start, not at the first change. A lock passes. */
function assertWritable(db: Database.Database): void {
  try {
    if (isOurs(db)) db.exec('DELETE FROM peers WHERE FALSE');
  } catch (error) {
    if (!isBusy(error)) throw error;
  }
}

/** What a database holds: good rows, and how many are bad, with the keys of some of them. */
export type Contents = Readonly<{ rows: readonly PeerRow[]; skipped: number; badKeys: readonly Buffer[] }>;

/** As many peers as a node may be told to keep. */
const mostRows = 1_000_000;
/** Bad rows to be deleted in one go; the rest go after the next start. */
const mostBadKeys = 1_000;

/** Columns of a row as `decodeRow` takes them. */
export const rowColumns = 'id, row, lower(hex(checksum))';
type Columns = Iterable<readonly unknown[]>;

/** Reads every row, bad ones excepted. Throws damage when keys are out of order, which no check of SQLite's sees: such rows can be neither found nor deleted. */
export function readRows(db: Database.Database): Contents {
  const rows: PeerRow[] = [];
  const bad = new Set<unknown>();
  const texts = new GoodTexts();
  let skipped = 0;
  let before: string | undefined;
  for (const [id, text, checksum] of db
    .prepare(`SELECT ${rowColumns} FROM peers ORDER BY id LIMIT ${mostRows}`)
    .raw()
    .iterate() as Columns) {
    if (typeof id !== 'string' || (before !== undefined && id <= before)) throw new Damage('keys are out of order');
    before = id;
    const row = decodeRow(id, text, checksum, texts);
    if (row) {
      rows.push(row);
      continue;
    }
    skipped += 1;
    if (bad.size < mostBadKeys) bad.add(id);
  }
  const badKeys = bad.size > 0 ? keysOf(db, bad) : [];
  // Nothing is read again while the node runs.
  db.pragma('shrink_memory');
  return { rows, skipped, badKeys };
}

/** The bytes of keys, which may be no text at all. */
function keysOf(db: Database.Database, ids: ReadonlySet<unknown>): readonly Buffer[] {
  const keys: Buffer[] = [];
  for (const [id, key] of db.prepare('SELECT id, CAST(id AS BLOB) FROM peers').raw().iterate() as Columns)
    if (ids.has(id)) keys.push(key as Buffer);
  return keys;
}

/** A change with the bytes of its row. */
export type Encoded = Change & Readonly<{ bytes?: ReturnType<typeof encodeRow> | undefined }>;

/** Deletes bad rows, then writes and deletes rows, in one transaction, durable when it returns. */
export function writeRows(db: Database.Database, changes: readonly Encoded[], badKeys: readonly Buffer[] = []): void {
  const put = db.prepare(
    'INSERT INTO peers (id, row, checksum) VALUES (?, ?, unhex(?)) ON CONFLICT (id) DO UPDATE SET row = excluded.row, checksum = excluded.checksum',
  );
  const erase = db.prepare('DELETE FROM peers WHERE id = ?');
  const eraseBad = db.prepare('DELETE FROM peers WHERE id = CAST(? AS TEXT)');
  db.transaction(() => {
    for (const key of badKeys) eraseBad.run(key);
    for (const { id, bytes } of changes) {
      if (bytes) put.run(id, bytes.text, bytes.checksum);
      else erase.run(id);
    }
  }).immediate();
}

/** Moves the log into the file and cuts it to nothing; false when somebody reads an older state or writes. */
export function moveLog(db: Database.Database): boolean {
  try {
    const [result] = db.pragma('wal_checkpoint(TRUNCATE)') as readonly Readonly<{ busy: number }>[];
    return result?.busy === 0;
  } catch (error) {
    if (isBusy(error)) return false;
    throw error;
  }
}
