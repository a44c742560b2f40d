/** The file of the store through all that can happen to it: opened, put aside when it is damaged or another takes its name, its log kept small. Everything is synchronous. */
import type { Logger } from 'pino';
import { encodeRow } from './row-codec.ts';
import { salvage, setAside } from './salvage.ts';
import {
  fileId,
  isDamage,
  logBytes,
  moveLog,
  openFile,
  readRows,
  writeRows,
  type Connect,
  type Encoded,
  type PeerFile,
} from './sqlite-file.ts';
import type { PeerRow } from '../peer-store.ts';
import type { Change } from './write-queue.ts';

/** The log is moved into the file at this size, and never grows beyond the other. */
const fullLogBytes = 2 * 2 ** 20;
const mostLogBytes = 8 * 2 ** 20;
/** What one change may add to the log besides its bytes: its page and one that splits off. Some pages are written once a commit. */
const changePages = 2 * 4_096;
const commitPages = 16 * 4_096;
/** What one commit writes at most: it blocks the process for some ten milliseconds, and adds 5 MiB to the log at worst. */
const mostChanges = 500;
const mostChangeBytes = 1_048_576;

/** Somebody reads an old state of the database and so keeps the log from being emptied. */
export class LogHeld extends Error {}

/** What a file had to give: its rows, and those to be written again since they come from a damaged one. */
export type Found = Readonly<{ rows: readonly PeerRow[]; rescued: readonly PeerRow[]; skipped: number }>;

export type PeerDatabaseDeps = Readonly<{
  path: string;
  busyMs: number;
  connect: Connect;
  log: Logger;
  /** A file that was not read so far has been opened. */
  onFound(found: Found): void;
  /** The file is new and empty: everything known has to be written. */
  onRenewed(): void;
}>;

export class PeerDatabase {
  readonly #deps: PeerDatabaseDeps;
  #file: PeerFile | undefined;
  /** The file whose rows are known. */
  #knownId: string | undefined;
  /** The log as it was last written. */
  #logId: string | undefined;
  /** Keys of bad rows, to be deleted with the next commit. */
  #badKeys: readonly Buffer[] = [];

  constructor(deps: PeerDatabaseDeps) {
    this.#deps = deps;
  }

  /** Opens the file; a damaged one is put aside, and what it still holds is kept. @throws TroupeError `ERR_STORE_TOO_NEW`, `ERR_STORE_FAILED`, or SQLite's error. */
  attach(): void {
    const { path, connect, busyMs, log } = this.#deps;
    try {
      this.#openAndRead([]);
    } catch (error) {
      if (!isDamage(error)) throw error;
      const rescued = salvage(connect, path, busyMs);
      const aside = setAside(path, 'damaged');
      log.warn({ aside, why: (error as Error).message, rescued: rescued.length }, 'the peer store was damaged and is built anew');
      this.#openAndRead(rescued);
    }
  }

  #openAndRead(rescued: readonly PeerRow[]): void {
    const { path, connect, busyMs, onFound } = this.#deps;
    const file = openFile(connect, path, busyMs);
    try {
      if (file.id !== this.#knownId) {
        const { rows, skipped, badKeys } = readRows(file.db);
        onFound({ rows, rescued, skipped });
        this.#badKeys = badKeys;
        this.#knownId = file.id;
      }
      this.#file = file;
    } catch (error) {
      file.db.close();
      throw error;
    }
  }

  /** Writes some of these changes, all of them if they are few, in one commit; gives those that are on disk then. @throws LogHeld, SQLite's error. */
  write(changes: Iterable<Change>): readonly Change[] {
    const { path } = this.#deps;
    this.#findAgain();
    if (!this.#file) this.attach();
    const batch = batchOf(changes);
    const grown = batch.reduce((sum, { bytes }) => sum + changePages + (bytes?.text.length ?? 0), commitPages);
    if (batch.length > 0 && logBytes(path) + grown > mostLogBytes && !moveLog(this.#file!.db))
      throw new LogHeld('a reader of the database keeps its log from being emptied');
    try {
      writeRows(this.#file!.db, batch, this.#badKeys);
    } catch (error) {
      if (!isDamage(error)) throw error;
      this.#renew('damaged', (error as Error).message);
      writeRows(this.#file!.db, batch);
    }
    this.#badKeys = [];
    this.#logId = fileId(`${path}-wal`);
    return batch;
  }

  /** Whether the log has to be moved into the file before more is written. */
  get isLogFull(): boolean {
    return this.#file !== undefined && logBytes(this.#deps.path) >= fullLogBytes;
  }

  /** Moves the log into the file; false when a reader is in the way. */
  tidy(): boolean {
    this.#findAgain();
    return !this.#file || moveLog(this.#file.db);
  }

  /** Looks whether the file is still the one that is open. */
  #findAgain(): void {
    const { path } = this.#deps;
    if (!this.#file) return;
    const isSame = fileId(path) === this.#file.id && (this.#logId === undefined || fileId(`${path}-wal`) === this.#logId);
    if (!isSame) this.#renew('replaced', 'the file was deleted or replaced');
  }

  #renew(how: 'damaged' | 'replaced', why: string): void {
    const { path, log, onRenewed } = this.#deps;
    const [id, logId] = [this.#file?.id, this.#logId];
    this.close();
    const isOther = fileId(path) !== id;
    // A log stays behind when its file is moved away; what takes the name of the file must not find it.
    if (isOther && logId !== undefined && fileId(`${path}-wal`) === logId) setAside(`${path}-wal`, how);
    const aside = isOther || how === 'damaged' ? setAside(path, how) : undefined;
    log.warn({ why, aside }, 'the peer store is written anew');
    this.attach();
    onRenewed();
  }

  close(): void {
    try {
      this.#file?.db.close();
    } catch {
      // What cannot be closed cannot be saved either; the next open finds out.
    }
    this.#file = undefined;
    this.#logId = undefined;
  }

  /** Reads the file anew when it is opened next. */
  forget(): void {
    this.#knownId = undefined;
    this.#badKeys = [];
  }
}

function batchOf(changes: Iterable<Change>): readonly Encoded[] {
  const batch: Encoded[] = [];
  let total = 0;
  for (const change of changes) {
    const bytes = change.row && encodeRow(change.row);
    total += bytes?.text.length ?? 0;
    if (batch.length === mostChanges || (total > mostChangeBytes && batch.length > 0)) break;
    batch.push({ ...change, bytes });
  }
  return batch;
}
