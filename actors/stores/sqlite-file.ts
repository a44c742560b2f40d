/** The peer database as a file: opened, brought to the present schema, checked; put aside when it is damaged. Everything here is synchronous and may throw SQLite's errors. */
import { closeSync, existsSync, openSync, readSync, renameSync, statSync } from 'node:fs';
import Database from 'better-sqlite3';
import { TroupeError } from '../../proto/errors.ts';
import type { NodeId } from '../../proto/identity.ts';
import type { PeerRow } from '../peer-store.ts';
import { decodeRow, encodeRow } from './row-codec.ts';

/** Makes a connection; replaced in specs to make the disk fail. */
export type Connect = (
  path: string,
  options: Readonly<{ timeout: number; readonly?: boolean; fileMustExist?: boolean }>,
) => Database.Database;
export const connectSqlite: Connect = (path, options) => new Database(path, options);

/** Marks the file as ours (SQLite's application id): "TRUP". */
const applicationId = 0x54_52_55_50;
/** Older ones can corrupt a database in WAL mode (the WAL-reset bug, 3.7.0 to 3.51.2). */
const oldestSqlite = [3, 51, 3] as const;

/** What brings a database from the version that is its index to the next. */
const migrations: readonly string[] = [
  `CREATE TABLE peers (id TEXT PRIMARY KEY NOT NULL, row TEXT NOT NULL, checksum BLOB NOT NULL) STRICT, WITHOUT ROWID;
   PRAGMA application_id = ${applicationId};`,
];
/** Version of the schema that this code writes. */
export const schemaVersion = migrations.length;

export const isDamage = (error: unknown): boolean => /^SQLITE_(?:CORRUPT|NOTADB)/.test((error as { code?: string }).code ?? '');

class Damage extends Error {
  readonly code = 'SQLITE_CORRUPT';
}

/** An open database with what it held. */
export type PeerFile = Readonly<{ db: Database.Database; rows: readonly PeerRow[]; skipped: number; inode: number }>;

/** Opens or makes the file. @throws TroupeError `ERR_STORE_TOO_NEW`, `ERR_STORE_FAILED`, or SQLite's error. */
export function openFile(connect: Connect, path: string, busyMs: number): PeerFile {
  if (existsSync(path)) {
    if (statSync(path).isDirectory()) throw new Damage('a directory lies where the file should be');
    refuseNewer(connect, path, busyMs);
  }
  const db = connect(path, { timeout: busyMs });
  try {
    assertVersion(db);
    assertSound(db);
    db.pragma('journal_mode = WAL');
    db.pragma('synchronous = FULL');
    db.pragma('journal_size_limit = 4194304');
    migrate(db);
    return { db, ...readRows(db), inode: statSync(path).ino };
  } catch (error) {
    db.close();
    throw error;
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
    if (!existsSync(`${path}-wal`)) {
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

function migrate(db: Database.Database): void {
  const from = db.pragma('user_version', { simple: true }) as number;
  if (from >= schemaVersion) return;
  db.transaction(() => {
    for (const step of migrations.slice(from)) db.exec(step);
    db.pragma(`user_version = ${schemaVersion}`);
  }).immediate();
}

function readRows(db: Database.Database): Readonly<{ rows: readonly PeerRow[]; skipped: number }> {
  const rows: PeerRow[] = [];
  let skipped = 0;
  for (const each of db.prepare('SELECT id, row, checksum FROM peers').iterate() as Iterable<Readonly<Record<string, unknown>>>) {
    const row = decodeRow(each['id'], each['row'], each['checksum']);
    if (row) rows.push(row);
    else skipped += 1;
  }
  return { rows, skipped };
}

/** The good rows of a damaged file, as far as they can be reached. */
export function salvage(connect: Connect, path: string, busyMs: number): readonly PeerRow[] {
  const rows: PeerRow[] = [];
  let db: Database.Database | undefined;
  try {
    db = connect(path, { timeout: busyMs, fileMustExist: true });
    for (const each of db.prepare('SELECT id, row, checksum FROM peers').iterate() as Iterable<Readonly<Record<string, unknown>>>) {
      const row = decodeRow(each['id'], each['row'], each['checksum']);
      if (row) rows.push(row);
    }
  } catch {
    // As far as it went.
  } finally {
    db?.close();
  }
  return rows;
}

/** Puts a damaged file and its log aside under the first free name, and says which. Never deletes. */
export function quarantine(path: string): string {
  let n = 1;
  while (existsSync(`${path}.damaged-${n}`)) n += 1;
  const aside = `${path}.damaged-${n}`;
  renameSync(path, aside);
  for (const suffix of ['-wal', '-shm']) {
    if (existsSync(path + suffix)) renameSync(path + suffix, aside + suffix);
  }
  return aside;
}

/** Writes and deletes rows in one transaction, durable when it returns. */
export function writeRows(db: Database.Database, changes: ReadonlyMap<NodeId, PeerRow | undefined>): void {
  const put = db.prepare(
    'INSERT INTO peers (id, row, checksum) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET row = excluded.row, checksum = excluded.checksum',
  );
  const erase = db.prepare('DELETE FROM peers WHERE id = ?');
  db.transaction(() => {
    for (const [id, row] of changes) {
      if (!row) {
        erase.run(id);
        continue;
      }
      const { text, checksum } = encodeRow(row);
      put.run(id, text, checksum);
    }
  }).immediate();
}
