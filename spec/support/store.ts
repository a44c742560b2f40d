/** A peer store on a real disk under a virtual clock, in a home that is gone after the test. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect } from '@jest/globals';
import Database from 'better-sqlite3';
import { pino, type Logger } from 'pino';
import { parseOptions, storeOptions } from '../../proto/options.ts';
import type { PeerStore } from '../../actors/peer-store.ts';
import { sqliteStore } from '../../actors/stores/sqlite.ts';
import { connectSqlite, type Connect } from '../../actors/stores/sqlite-file.ts';
import { rowOf } from '../contracts/peer-store.ts';
import { VirtualClock } from './virtual-clock.ts';

export const options = parseOptions(storeOptions, {});

/** What a store was found to hold: the first digits of its ids. */
export type Found = Readonly<{ ids: string; skipped: number; state: string }>;

export class StoreHome {
  home = '';
  clock = new VirtualClock();
  /** Lines that the stores have logged. */
  readonly lines: Readonly<{ level: number; msg: string; [fact: string]: unknown }>[] = [];
  readonly #made: PeerStore[] = [];
  readonly #log: Logger = pino({ level: 'info' }, { write: (line: string) => void this.lines.push(JSON.parse(line) as never) });

  get path(): string {
    return join(this.home, 'peers.db');
  }

  begin(): void {
    this.home = mkdtempSync(join(tmpdir(), 'troupe-store-'));
    this.clock = new VirtualClock();
    this.lines.length = 0;
  }

  /** Closes every store; none may leave a timer or a file that is open. */
  async end(): Promise<void> {
    for (const store of this.#made.splice(0)) await store.close();
    expect(this.clock.pending).toBe(0);
    rmSync(this.home, { recursive: true, force: true });
  }

  make(connect?: Connect, path = this.path): PeerStore {
    const store = sqliteStore({ path, options, clock: this.clock, log: this.#log, ...(connect && { connect }) });
    this.#made.push(store);
    return store;
  }

  opened(connect?: Connect): PeerStore {
    const store = this.make(connect);
    store.open();
    return store;
  }

  /** Leaves a store with these rows behind. */
  async written(...digits: readonly string[]): Promise<void> {
    const store = this.opened();
    const all = digits.map((digit) => store.put(rowOf(digit)));
    await store.close();
    await Promise.all(all);
  }

  /** Opens a store and closes it, giving what it found. */
  async found(): Promise<Found> {
    const store = this.opened();
    const { skipped, state } = store;
    const ids = idsOf(store);
    await store.close();
    return { ids, skipped, state };
  }

  inFile<T>(run: (db: Database.Database) => T): T {
    const db = new Database(this.path);
    try {
      return run(db);
    } finally {
      db.close();
    }
  }

  /** Time for a commit that is due. */
  commit(): Promise<void> {
    return this.clock.advanceAsync(options.commitMs);
  }

  /** Time for the next attempt to write while degraded. */
  retry(): Promise<void> {
    return this.clock.advanceAsync(options.retryMs);
  }
}

export const idsOf = (store: PeerStore): string =>
  store
    .load()
    .map((row) => row.id[0])
    .sort()
    .join('');

/** A home for each test of a file. */
export function storeHome(): StoreHome {
  const home = new StoreHome();
  beforeEach(() => home.begin());
  afterEach(() => home.end());
  return home;
}

/** Fails every use of the disk with this error of SQLite while `isFailing`. */
export function failingDisk(code: string): { isFailing: boolean; connect: Connect } {
  const disk = {
    isFailing: true,
    connect: (...given: Parameters<Connect>): Database.Database => {
      if (disk.isFailing) throw Object.assign(new Error(code), { code });
      return connectSqlite(...given);
    },
  };
  return disk;
}
