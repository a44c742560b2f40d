/** The peer store on disk: SQLite in WAL mode, synced at each commit, commits shared by what comes within `commitMs`. It runs on from memory when the disk fails. */
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Logger } from 'pino';
import { TroupeError, asTroupeError } from '../../proto/errors.ts';
import type { NodeId } from '../../proto/identity.ts';
import type { StoreOptions } from '../../proto/options.ts';
import type { Clock, TimerHandle } from '../../transports/clock.ts';
import type { PeerRow, PeerStore, StoreState } from '../peer-store.ts';
import { lockHome, type HomeLock } from './home-lock.ts';
import { LogHeld, PeerDatabase, type Found } from './peer-database.ts';
import { readCopy } from './salvage.ts';
import { connectSqlite, isBusy, isFull, type Connect } from './sqlite-file.ts';
import { WriteQueue } from './write-queue.ts';

export type SqliteStoreDeps = Readonly<{
  /** The database, for example `<home>/peers.db`. The lock of the home is `lock.db` beside it. */
  path: string;
  options: StoreOptions;
  clock: Clock;
  log: Logger;
  connect?: Connect;
}>;

/** The log is moved into the file after this long without a change, and not tried again sooner when a reader is in the way. */
const idleMs = 5_000;
/** A lock is met this often, at doubling distances, before it counts as a failure of the disk. */
const mostBusyTries = 5;
/** Time between two lines about a disk that fails. */
const warnEveryMs = 60_000;

const inMemory = 'kept in memory until the disk recovers';

/** Makes the store; nothing is touched before `open`. */
export function sqliteStore(deps: SqliteStoreDeps): PeerStore {
  return new SqliteStore(deps);
}

class SqliteStore implements PeerStore {
  readonly #deps: SqliteStoreDeps;
  readonly #connect: Connect;
  readonly #database: PeerDatabase;
  readonly #queue: WriteQueue;
  /** All rows, so that a failing or vanishing file costs nothing but durability. Shared with the manager, which holds the same objects. */
  readonly #rows = new Map<NodeId, PeerRow>();
  #lock: HomeLock | undefined;
  #isOpen = false;
  #state: StoreState = 'ok';
  #skipped = 0;
  #busyTries = 0;
  #warnedAt = -Infinity;
  /** The one timer. Nothing happens before `#restUntil`; the log is emptied at `#tidyAt`, and not before `#heldUntil`. */
  #timer: TimerHandle;
  #timerAt = Infinity;
  #restUntil = -Infinity;
  #tidyAt = Infinity;
  #heldUntil = -Infinity;

  constructor(deps: SqliteStoreDeps) {
    const { path, options, log, connect = connectSqlite } = deps;
    this.#deps = deps;
    this.#connect = connect;
    this.#queue = new WriteQueue(options.spacingMs);
    this.#database = new PeerDatabase({
      path,
      busyMs: options.busyMs,
      connect,
      log,
      onFound: (found) => this.#learn(found),
      onRenewed: () => this.#writeAll(),
    });
  }

  get state(): StoreState {
    return this.#state;
  }

  get skipped(): number {
    return this.#skipped;
  }

  open(): void {
    if (this.#isOpen) return;
    const { path, options } = this.#deps;
    try {
      mkdirSync(dirname(path), { recursive: true });
    } catch {
      // A place that cannot be made cannot be written either; that is what degraded means.
    }
    this.#takeLock();
    this.#skipped = 0;
    this.#state = 'ok';
    this.#busyTries = 0;
    this.#restUntil = -Infinity;
    this.#tidyAt = Infinity;
    try {
      this.#database.attach();
    } catch (error) {
      if (error instanceof TroupeError) {
        this.#release();
        throw error;
      }
      this.#degrade(error);
      const copy = readCopy(this.#connect, path, options.busyMs);
      if (copy) this.#learn({ ...copy, rescued: [] });
    }
    this.#isOpen = true;
    this.#schedule();
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

  flush(ids?: readonly NodeId[]): Promise<void> {
    if (!this.#isOpen) return Promise.reject(new TroupeError('ERR_STORE_CLOSED'));
    const isWaiting = ids ? ids.some((id) => this.#queue.has(id)) : this.#queue.size > 0;
    if (isWaiting && this.#state === 'degraded') return Promise.reject(new TroupeError('ERR_STORE_FAILED', inMemory));
    this.#queue.hurry(ids);
    const settled = this.#queue.settled(ids);
    this.#schedule();
    return settled;
  }

  close(): Promise<void> {
    if (!this.#isOpen) return Promise.resolve();
    this.#queue.hurry();
    let isWritten = true;
    do isWritten = this.#commit();
    while (isWritten && this.#queue.size > 0);
    this.#isOpen = false;
    this.#disarm();
    this.#release();
    // What the disk did not take is still known when the store is opened again.
    if (isWritten) this.#rows.clear();
    else this.#queue.fail(new TroupeError('ERR_STORE_FAILED', 'closed before the disk recovered'));
    return Promise.resolve();
  }

  #change(id: NodeId, row: PeerRow | undefined): Promise<void> {
    if (!this.#isOpen) return Promise.reject(new TroupeError('ERR_STORE_CLOSED'));
    this.#queue.put({ id, row }, { isNew: !this.#rows.has(id), now: this.#deps.clock.now() });
    if (row) this.#rows.set(id, row);
    else this.#rows.delete(id);
    if (this.#state === 'degraded') return Promise.reject(new TroupeError('ERR_STORE_FAILED', inMemory));
    const written = this.#queue.written(id);
    this.#schedule();
    return written;
  }

  /** Takes in what a file holds. What is known already is newer. */
  #learn({ rows, rescued, skipped }: Found): void {
    this.#skipped = Math.max(this.#skipped, skipped);
    const isFresh = this.#rows.size === 0 && this.#queue.size === 0;
    for (const row of rows) if (isFresh || this.#isUnknown(row.id)) this.#rows.set(row.id, row);
    for (const row of rescued) {
      if (!this.#isUnknown(row.id)) continue;
      this.#rows.set(row.id, row);
      this.#queue.restore({ id: row.id, row });
    }
  }

  #isUnknown(id: NodeId): boolean {
    return !this.#rows.has(id) && !this.#queue.has(id);
  }

  /** In the order of the table, which fills its pages one after the other. */
  #writeAll(): void {
    const rows = [...this.#rows.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
    for (const row of rows) this.#queue.restore({ id: row.id, row });
  }

  /** Sets the timer for whatever comes next. */
  #schedule(): void {
    const { clock } = this.#deps;
    const wantedAt = this.#state === 'degraded' ? -Infinity : Math.min(this.#queue.dueAt(), this.#tidyAt);
    const at = Math.max(this.#restUntil, wantedAt);
    if (at === this.#timerAt) return;
    this.#disarm();
    if (at === Infinity) return;
    this.#timerAt = at;
    this.#timer = clock.setTimeout(() => this.#beat(), Math.max(0, Math.ceil(at - clock.now())));
  }

  #disarm(): void {
    if (this.#timer !== undefined) this.#deps.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#timerAt = Infinity;
  }

  /** One turn: a commit or the log, never both, so that a slow disk holds the process up for two syncs at most. */
  #beat(): void {
    this.#disarm();
    const { clock, options } = this.#deps;
    const now = clock.now();
    const isDue = this.#state === 'degraded' || this.#queue.dueAt() <= now;
    if (this.#isLogDue(now, isDue)) this.#tidy();
    else if (isDue) this.#commit();
    // Else the timer was early.
    else return this.#schedule();
    this.#restUntil = Math.max(this.#restUntil, clock.now() + options.commitMs);
    this.#schedule();
  }

  /** After a while without changes, and when it is full. */
  #isLogDue(now: number, isCommitDue: boolean): boolean {
    if (this.#state === 'degraded' || now < this.#heldUntil) return false;
    return (now >= this.#tidyAt && !isCommitDue) || this.#database.isLogFull;
  }

  #tidy(): void {
    try {
      const isDone = this.#database.tidy();
      const again = this.#deps.clock.now() + idleMs;
      this.#tidyAt = isDone ? Infinity : again;
      this.#heldUntil = isDone ? -Infinity : again;
    } catch (error) {
      this.#degrade(error);
    }
  }

  /** Writes what is due, or as much of it as goes into one commit; false when the disk did not take it. */
  #commit(): boolean {
    const { clock, options, log } = this.#deps;
    try {
      this.#takeLock();
      const written = this.#database.write(this.#queue.due(clock.now()));
      const now = clock.now();
      this.#queue.done(written, now);
      this.#busyTries = 0;
      this.#tidyAt = now + idleMs;
      if (this.#state === 'degraded') log.info('the peer store is on disk again');
      this.#state = 'ok';
      return true;
    } catch (error) {
      if (isBusy(error) && this.#state === 'ok' && this.#busyTries < mostBusyTries) {
        this.#restUntil = clock.now() + options.commitMs * 2 ** this.#busyTries++;
      } else {
        this.#degrade(error);
      }
      return false;
    }
  }

  /** From here on everything is kept in memory, and tried again every `retryMs`. */
  #degrade(error: unknown): void {
    const { clock, options, log } = this.#deps;
    const now = clock.now();
    if (now >= this.#warnedAt + warnEveryMs) {
      log.warn({ error: asTroupeError(error).message }, 'the peer store cannot write; it goes on in memory');
      this.#warnedAt = now;
    }
    this.#state = 'degraded';
    this.#busyTries = 0;
    this.#restUntil = now + options.retryMs;
    // A full disk or a lock passes; after anything else a new connection has a better chance.
    if (!isFull(error) && !isBusy(error) && !(error instanceof LogHeld)) this.#database.close();
    this.#queue.fail(new TroupeError('ERR_STORE_FAILED', inMemory, { cause: error }));
  }

  /** A place that took no lock at first may do so once it can be written, and another process may have been sooner. */
  #takeLock(): void {
    this.#lock ??= lockHome(join(dirname(this.#deps.path), 'lock.db'));
  }

  #release(): void {
    this.#database.close();
    this.#database.forget();
    this.#lock?.release();
    this.#lock = undefined;
  }
}
