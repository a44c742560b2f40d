/** The peer store on disk: SQLite in WAL mode, synced at each commit, commits shared by what comes within `commitMs`. It runs on from memory when the disk fails. */
import { mkdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Logger } from 'pino';
import { TroupeError, asTroupeError } from '../../proto/errors.ts';
import type { NodeId } from '../../proto/identity.ts';
import type { StoreOptions } from '../../proto/options.ts';
import type { Clock, TimerHandle } from '../../transports/clock.ts';
import type { PeerRow, PeerStore, StoreState } from '../peer-store.ts';
import { lockHome, type HomeLock } from './home-lock.ts';
import { connectSqlite, isDamage, openFile, quarantine, salvage, writeRows, type Connect, type PeerFile } from './sqlite-file.ts';

export type SqliteStoreDeps = Readonly<{
  /** The database, for example `<home>/peers.db`. The lock of the home is `lock.db` beside it. */
  path: string;
  options: StoreOptions;
  clock: Clock;
  log: Logger;
  connect?: Connect;
}>;

type Waiter = Readonly<{ resolve(): void; reject(error: Error): void }>;

/** Makes the store; nothing is touched before `open`. */
export function sqliteStore(deps: SqliteStoreDeps): PeerStore {
  return new SqliteStore(deps);
}

class SqliteStore implements PeerStore {
  readonly #deps: SqliteStoreDeps;
  readonly #connect: Connect;
  /** All rows, so that a failing or vanishing file costs nothing but durability. Shared with the manager, which holds the same objects. */
  readonly #rows = new Map<NodeId, PeerRow>();
  /** Changes that are not on disk; undefined for a row to delete. */
  readonly #changes = new Map<NodeId, PeerRow | undefined>();
  #waiters: Waiter[] = [];
  #lock: HomeLock | undefined;
  #file: PeerFile | undefined;
  #isOpen = false;
  #state: StoreState = 'ok';
  #skipped = 0;
  #timer: TimerHandle;
  #lastCommitAt = -Infinity;

  constructor(deps: SqliteStoreDeps) {
    this.#deps = deps;
    this.#connect = deps.connect ?? connectSqlite;
  }

  get state(): StoreState {
    return this.#state;
  }

  get skipped(): number {
    return this.#skipped;
  }

  open(): void {
    if (this.#isOpen) return;
    const { path } = this.#deps;
    try {
      mkdirSync(dirname(path), { recursive: true });
    } catch {
      // A place that cannot be made cannot be written either; that is what degraded means.
    }
    this.#lock = lockHome(join(dirname(path), 'lock.db'));
    this.#skipped = 0;
    this.#state = 'ok';
    try {
      this.#attach();
    } catch (error) {
      if (error instanceof TroupeError) {
        this.#release();
        throw error;
      }
      this.#degrade(error);
    }
    this.#isOpen = true;
    if (this.#changes.size > 0 && this.#file) this.#commit();
  }

  load(): readonly PeerRow[] {
    if (!this.#isOpen) throw new TroupeError('ERR_STORE_CLOSED');
    return [...this.#rows.values()];
  }

  put(row: PeerRow): Promise<void> {
    return this.#change(row.id, row);
  }

  delete(id: NodeId): Promise<void> {
    return this.#change(id, undefined);
  }

  flush(): Promise<void> {
    if (!this.#isOpen) return Promise.reject(new TroupeError('ERR_STORE_CLOSED'));
    return this.#changes.size === 0 ? Promise.resolve() : this.#whenWritten();
  }

  close(): Promise<void> {
    if (!this.#isOpen) return Promise.resolve();
    if (this.#changes.size > 0) this.#commit();
    this.#isOpen = false;
    this.#disarm();
    this.#release();
    this.#rows.clear();
    this.#changes.clear();
    return Promise.resolve();
  }

  #change(id: NodeId, row: PeerRow | undefined): Promise<void> {
    if (!this.#isOpen) return Promise.reject(new TroupeError('ERR_STORE_CLOSED'));
    if (row) this.#rows.set(id, row);
    else this.#rows.delete(id);
    this.#changes.set(id, row);
    return this.#whenWritten();
  }

  #whenWritten(): Promise<void> {
    if (this.#state === 'degraded') return Promise.reject(new TroupeError('ERR_STORE_FAILED', 'kept in memory until the disk recovers'));
    const { clock, options } = this.#deps;
    // At once after a quiet time, else together with what else comes until the next commit is due.
    this.#timer ??= clock.setTimeout(() => this.#commit(), Math.max(0, this.#lastCommitAt + options.commitMs - clock.now()));
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  #commit(): void {
    const { clock, log } = this.#deps;
    this.#disarm();
    const waiters = this.#waiters;
    this.#waiters = [];
    try {
      this.#write();
      this.#changes.clear();
      this.#lastCommitAt = clock.now();
      if (this.#state === 'degraded') log.info('the peer store is on disk again');
      this.#state = 'ok';
      for (const waiter of waiters) waiter.resolve();
    } catch (error) {
      this.#degrade(error);
      const failure = new TroupeError('ERR_STORE_FAILED', 'kept in memory until the disk recovers', { cause: error });
      for (const waiter of waiters) waiter.reject(failure);
    }
  }

  /** Writes the changes, into a new file when the old one is gone or turns out to be damaged. */
  #write(): void {
    if (this.#file && this.#isReplaced(this.#file)) this.#renew('the file was replaced or deleted');
    if (!this.#file) this.#attach();
    try {
      writeRows(this.#file!.db, this.#changes);
    } catch (error) {
      if (!isDamage(error)) throw error;
      this.#renew((error as Error).message, true);
      writeRows(this.#file!.db, this.#changes);
    }
  }

  #isReplaced(file: PeerFile): boolean {
    return statSync(this.#deps.path, { throwIfNoEntry: false })?.ino !== file.inode;
  }

  /** Everything known goes into a new file. */
  #renew(why: string, isDamaged = false): void {
    const { path, log } = this.#deps;
    this.#closeFile();
    const aside = isDamaged ? quarantine(path) : undefined;
    log.warn({ why, aside }, 'the peer store is written anew');
    this.#attach();
    for (const [id, row] of this.#rows) this.#changes.set(id, row);
  }

  /** Opens the file and takes in its rows, those excepted that have changed since; a damaged file is put aside and what it still holds is kept. */
  #attach(): void {
    const { path, options, log } = this.#deps;
    try {
      this.#file = openFile(this.#connect, path, options.busyMs);
    } catch (error) {
      if (!isDamage(error)) throw error;
      const rescued = salvage(this.#connect, path, options.busyMs);
      for (const row of rescued) {
        if (this.#changes.has(row.id)) continue;
        this.#rows.set(row.id, row);
        this.#changes.set(row.id, row);
      }
      const aside = quarantine(path);
      log.warn({ aside, why: (error as Error).message, rescued: rescued.length }, 'the peer store was damaged and is built anew');
      this.#file = openFile(this.#connect, path, options.busyMs);
    }
    this.#skipped += this.#file.skipped;
    for (const row of this.#file.rows) if (!this.#changes.has(row.id)) this.#rows.set(row.id, row);
  }

  #degrade(error: unknown): void {
    const { clock, options, log } = this.#deps;
    if (this.#state !== 'degraded') log.warn({ error: asTroupeError(error).message }, 'the peer store cannot write; it goes on in memory');
    this.#state = 'degraded';
    this.#disarm();
    this.#timer = clock.setTimeout(() => this.#commit(), options.retryMs);
  }

  #disarm(): void {
    if (this.#timer !== undefined) this.#deps.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #closeFile(): void {
    try {
      this.#file?.db.close();
    } catch {
      // What cannot be closed cannot be saved either; the next open finds out.
    }
    this.#file = undefined;
  }

  #release(): void {
    this.#closeFile();
    this.#lock?.release();
    this.#lock = undefined;
  }
}
