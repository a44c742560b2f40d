import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import Database from 'better-sqlite3';
import { pino } from 'pino';
import { parseOptions, storeOptions } from '../../../proto/options.ts';
import { sqliteStore } from '../../../actors/stores/sqlite.ts';
import { connectSqlite, type Connect } from '../../../actors/stores/sqlite-file.ts';
import type { PeerStore } from '../../../actors/peer-store.ts';
import { peerStoreContract, rowOf } from '../../contracts/peer-store.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const log = pino({ level: 'silent' });
const options = parseOptions(storeOptions, {});
const made: PeerStore[] = [];
let home = '';
let path = '';
let clock = new VirtualClock();

function make(connect?: Connect): PeerStore {
  const store = sqliteStore({ path, options, clock, log, ...(connect && { connect }) });
  made.push(store);
  return store;
}

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'troupe-store-'));
  path = join(home, 'peers.db');
  clock = new VirtualClock();
});
afterEach(async () => {
  for (const store of made.splice(0)) await store.close();
  expect(clock.pending).toBe(0);
  rmSync(home, { recursive: true, force: true });
});

peerStoreContract('sqlite', () => ({ make, commit: () => clock.advanceAsync(options.commitMs), end: () => undefined }));

/** Leaves a store with these rows behind. */
async function written(...digits: readonly string[]): Promise<void> {
  const store = make();
  store.open();
  const all = digits.map((digit) => store.put(rowOf(digit)));
  await store.close();
  await Promise.all(all);
}

/** Opens the store and closes it, giving what it found. */
async function found(): Promise<Readonly<{ ids: string; skipped: number; state: string }>> {
  const store = make();
  store.open();
  const result = {
    ids: store
      .load()
      .map((row) => row.id[0])
      .sort()
      .join(''),
    skipped: store.skipped,
    state: store.state,
  };
  await store.close();
  return result;
}

function inFile<T>(run: (db: Database.Database) => T): T {
  const db = new Database(path);
  try {
    return run(db);
  } finally {
    db.close();
  }
}

test('a change is acknowledged only once its commit is done', async () => {
  const store = make();
  store.open();
  let isAcknowledged = false;
  const first = store.put(rowOf('a'));
  await clock.advanceAsync(0);
  await first;
  const second = store.put(rowOf('b')).then(() => (isAcknowledged = true));
  await clock.advanceAsync(options.commitMs - 1);
  expect(isAcknowledged).toBe(false);
  expect(inFile((db) => db.prepare('SELECT count(*) FROM peers').pluck().get())).toBe(1);
  await clock.advanceAsync(1);
  await second;
  expect(inFile((db) => db.prepare('SELECT count(*) FROM peers').pluck().get())).toBe(2);
});

test('after a quiet time a change is committed at once', async () => {
  const store = make();
  store.open();
  const put = store.put(rowOf('a'));
  await clock.advanceAsync(0);
  await put;
  clock.advance(options.commitMs);
  const later = store.put(rowOf('b'));
  await clock.advanceAsync(0);
  await later;
});

test('a file has a schema version, a log and a full sync at each commit', async () => {
  let connection: Database.Database | undefined;
  const store = make((...given) => (connection = connectSqlite(...given)));
  store.open();
  const pragma = (name: string): unknown => connection!.pragma(name, { simple: true });
  expect([pragma('user_version'), pragma('journal_mode'), pragma('synchronous'), pragma('application_id')]).toEqual([
    1,
    'wal',
    2,
    0x54525550,
  ]);
});

test('bad rows are skipped and counted, good ones are kept', async () => {
  await written('a', 'b', 'c', 'd', 'e', 'f');
  inFile((db) => {
    const change = (sql: string, digit: string): void => void db.prepare(`UPDATE peers SET ${sql} WHERE id = ?`).run(rowOf(digit).id);
    change("row = replace(row, '26656', '26657')", 'a');
    change('checksum = zeroblob(8)', 'b');
    change('checksum = zeroblob(0)', 'c');
    change("id = 'short'", 'd');
    db.prepare('INSERT INTO peers VALUES (?, ?, ?)').run('0'.repeat(40), 'not json', Buffer.alloc(8));
  });
  expect(await found()).toEqual({ ids: 'ef', skipped: 5, state: 'ok' });
});

const garbage = Buffer.from('this is no database at all, but long enough to look like a page of one. '.repeat(200));
test.each([
  ['garbage', (file: string) => writeFileSync(file, garbage)],
  ['a directory', (file: string) => mkdirSync(file)],
  [
    'a database of another program',
    (file: string) => {
      const db = new Database(file);
      db.exec('CREATE TABLE things (a)');
      db.close();
    },
  ],
  [
    'a truncated file',
    (file: string) => {
      const db = new Database(file);
      db.exec(
        'CREATE TABLE peers (id TEXT); PRAGMA application_id = 1414681936; INSERT INTO peers SELECT hex(randomblob(2000)) FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50) SELECT i FROM n)',
      );
      db.close();
      writeFileSync(file, readFileSync(file).subarray(0, 5_000));
    },
  ],
])('%s in place of the file is put aside and a new file is made', async (_, spoil) => {
  spoil(path);
  expect(await found()).toEqual({ ids: '', skipped: 0, state: 'ok' });
  expect(readdirSync(home).filter((name) => name.includes('damaged'))).toEqual(['peers.db.damaged-1']);
  await written('a');
  expect(await found()).toEqual({ ids: 'a', skipped: 0, state: 'ok' });
});

test('an empty file is a new file', async () => {
  writeFileSync(path, '');
  await written('a');
  expect(await found()).toEqual({ ids: 'a', skipped: 0, state: 'ok' });
  expect(existsSync(`${path}.damaged-1`)).toBe(false);
});

test('what a damaged file still holds is taken over', async () => {
  await written(...Array.from({ length: 400 }, (_, n) => n.toString(16).padStart(8, '0')));
  const bytes = readFileSync(path);
  const { size } = statSync(path);
  // One page in the middle of the table.
  bytes.fill(0xa5, Math.floor(size / 2 / 4096) * 4096, Math.floor(size / 2 / 4096) * 4096 + 4096);
  writeFileSync(path, bytes);
  const store = make();
  store.open();
  const kept = store.load().length;
  expect(kept).toBeGreaterThan(50);
  expect(kept).toBeLessThan(400);
  await store.close();
  expect(existsSync(`${path}.damaged-1`)).toBe(true);
  store.open();
  expect(store.load()).toHaveLength(kept);
});

test('damaged files are never overwritten by later ones', async () => {
  for (const text of ['first', 'second']) {
    writeFileSync(path, text + garbage.toString());
    await found();
    rmSync(path);
    rmSync(`${path}-wal`, { force: true });
  }
  expect(['1', '2'].map((n) => readFileSync(`${path}.damaged-${n}`, 'utf8').slice(0, 5))).toEqual(['first', 'secon']);
});

test('a file of a newer version is refused and not touched', async () => {
  await written('a');
  inFile((db) => db.pragma('user_version = 2'));
  const before = readFileSync(path);
  const store = make();
  expect(() => store.open()).toThrow(expect.objectContaining({ code: 'ERR_STORE_TOO_NEW' }));
  expect(readFileSync(path).equals(before)).toBe(true);
  expect(readdirSync(home).sort()).toEqual(['lock.db', 'peers.db']);
  const db = new Database(path);
  db.pragma('user_version = 3');
  // With a log that another version left behind.
  const log = readFileSync(`${path}-wal`);
  expect(() => store.open()).toThrow(expect.objectContaining({ code: 'ERR_STORE_TOO_NEW' }));
  expect(readFileSync(`${path}-wal`).equals(log)).toBe(true);
  db.close();
  // The home is free again.
  inFile((db) => db.pragma('user_version = 1'));
  expect(await found()).toMatchObject({ ids: 'a' });
});

test('a full disk makes the store degraded: rows stay readable, and are written when there is room again', async () => {
  let pages = 3;
  const limited = (...given: Parameters<Connect>): Database.Database => {
    const db = connectSqlite(...given);
    if (!given[1].readonly) db.pragma(`max_page_count = ${pages}`);
    return db;
  };
  let connection: Database.Database | undefined;
  const store = make((...given) => (connection = limited(...given)));
  store.open();
  expect(store.state).toBe('ok');
  const rows = Array.from({ length: 40 }, (_, n) => rowOf(n.toString(16).padStart(8, '0')));
  const refused = Promise.allSettled(rows.map((row) => store.put(row)));
  await clock.advanceAsync(options.commitMs);
  expect((await refused).every((each) => each.status === 'rejected' && (each.reason as { code: string }).code === 'ERR_STORE_FAILED')).toBe(
    true,
  );
  expect(store.state).toBe('degraded');
  expect(store.load()).toHaveLength(40);
  await expect(store.put(rowOf('a'))).rejects.toMatchObject({ code: 'ERR_STORE_FAILED' });
  await expect(store.flush()).rejects.toMatchObject({ code: 'ERR_STORE_FAILED' });
  await clock.advanceAsync(options.retryMs);
  expect(store.state).toBe('degraded');
  pages = 1_000_000;
  connection!.pragma(`max_page_count = ${pages}`);
  await clock.advanceAsync(options.retryMs);
  expect(store.state).toBe('ok');
  await store.close();
  store.open();
  expect(store.load()).toHaveLength(41);
});

test('a disk that takes no file at all makes the store degraded from the start; it is made once there is room', async () => {
  let isFull = true;
  const store = make((...given) => {
    if (isFull) throw Object.assign(new Error('database or disk is full'), { code: 'SQLITE_FULL' });
    return connectSqlite(...given);
  });
  store.open();
  expect(store.state).toBe('degraded');
  await expect(store.put(rowOf('a'))).rejects.toMatchObject({ code: 'ERR_STORE_FAILED' });
  isFull = false;
  await clock.advanceAsync(options.retryMs);
  expect(store.state).toBe('ok');
  await store.close();
  expect(await found()).toEqual({ ids: 'a', skipped: 0, state: 'ok' });
});

test('rows found on a disk that recovers late do not undo what changed meanwhile', async () => {
  await written('a', 'b', 'c');
  let isBroken = true;
  const store = make((...given) => {
    if (isBroken) throw Object.assign(new Error('disk I/O error'), { code: 'SQLITE_IOERR' });
    return connectSqlite(...given);
  });
  store.open();
  const changes = [store.put(rowOf('a', { score: 9 })), store.delete(rowOf('b').id)];
  await Promise.allSettled(changes);
  isBroken = false;
  await clock.advanceAsync(options.retryMs);
  expect(
    store
      .load()
      .map((row) => [row.id[0], row.score])
      .sort(),
  ).toEqual([
    ['a', 9],
    ['c', -7],
  ]);
  await store.close();
  expect(await found()).toMatchObject({ ids: 'ac' });
});

test('a file that is deleted or replaced while it is open is written anew', async () => {
  await written('a');
  const store = make();
  store.open();
  renameSync(path, join(home, 'elsewhere.db'));
  const put = store.put(rowOf('b'));
  await clock.advanceAsync(options.commitMs);
  await put;
  await store.close();
  expect(await found()).toMatchObject({ ids: 'ab' });
});

test('a second store on the same home is refused, and admitted when the first has closed', async () => {
  const first = make();
  first.open();
  const second = make();
  expect(() => second.open()).toThrow(expect.objectContaining({ code: 'ERR_HOME_IN_USE' }));
  await first.close();
  second.open();
});

const holder = `
  const Database = require('better-sqlite3');
  const lock = new Database(process.argv[1]);
  lock.exec('BEGIN EXCLUSIVE');
  require('node:child_process').spawnSync(process.execPath, ['-e', process.argv[2], process.argv[1]], { stdio: 'inherit' });
  process.kill(process.pid, 'SIGKILL');
`;
const taker = `
  const Database = require('better-sqlite3');
  try { new Database(process.argv[1], { timeout: 50 }).exec('BEGIN EXCLUSIVE'); console.log('taken'); } catch (error) { console.log(error.code); }
`;

test('a lock held by another process holds, and one whose process was killed does not', async () => {
  const { stdout, signal } = spawnSync(process.execPath, ['-e', holder, join(home, 'lock.db'), taker], {
    encoding: 'utf8',
    cwd: dirname(import.meta.dirname),
  });
  expect(stdout.trim()).toBe('SQLITE_BUSY');
  expect(signal).toBe('SIGKILL');
  expect(await found()).toMatchObject({ state: 'ok' });
});

test('something else in place of the lock is put aside', async () => {
  writeFileSync(join(home, 'lock.db'), garbage);
  const store = make();
  store.open();
  expect(() => make().open()).toThrow(expect.objectContaining({ code: 'ERR_HOME_IN_USE' }));
  expect(existsSync(join(home, 'lock.db.damaged'))).toBe(true);
});

test('the home is made when it is missing', async () => {
  path = join(home, 'deep', 'down', 'peers.db');
  await written('a');
  expect(await found()).toMatchObject({ ids: 'a' });
});

test('a file that may only be read is read, and the store is degraded at the first write', async () => {
  await written('a');
  const store = make((...given) => {
    const db = connectSqlite(...given);
    db.pragma('query_only = 1');
    return db;
  });
  store.open();
  expect(store.load()).toHaveLength(1);
  const put = store.put(rowOf('b'));
  await Promise.allSettled([put, clock.advanceAsync(options.commitMs)]);
  expect(store.state).toBe('degraded');
  expect(store.load()).toHaveLength(2);
});
