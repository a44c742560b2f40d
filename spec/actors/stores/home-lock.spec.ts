import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from '@jest/globals';
import { connectSqlite } from '../../../actors/stores/sqlite-file.ts';
import { rowOf } from '../../contracts/peer-store.ts';
import { failingDisk, idsOf, storeHome } from '../../support/store.ts';

const disk = storeHome();
const inUse = expect.objectContaining({ code: 'ERR_HOME_IN_USE' });

test('a second store on the same home is refused, and admitted when the first has closed', async () => {
  const first = disk.opened();
  const second = disk.make();
  expect(() => second.open()).toThrow(inUse);
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
const run = (...args: readonly string[]) =>
  spawnSync(process.execPath, ['-e', ...args], { encoding: 'utf8', cwd: dirname(import.meta.dirname) });

test('a lock held by another process holds, and one whose process was killed does not', async () => {
  const { stdout, signal } = run(holder, join(disk.home, 'lock.db'), taker);
  expect(stdout.trim()).toBe('SQLITE_BUSY');
  expect(signal).toBe('SIGKILL');
  expect(await disk.found()).toMatchObject({ state: 'ok' });
});

test('another process finds the home of a store that is open taken, and free once it has closed', async () => {
  const store = disk.opened();
  expect(run(taker, join(disk.home, 'lock.db')).stdout.trim()).toBe('SQLITE_BUSY');
  await store.close();
  expect(run(taker, join(disk.home, 'lock.db')).stdout.trim()).toBe('taken');
});

test.each<[string, (path: string) => void]>([
  ['garbage', (path) => writeFileSync(path, 'this is no database at all, but long enough to look like one. '.repeat(100))],
  ['a folder', (path) => mkdirSync(path)],
])('%s in place of the lock is put aside', (_, spoil) => {
  spoil(join(disk.home, 'lock.db'));
  disk.opened();
  expect(() => disk.make().open()).toThrow(inUse);
  expect(existsSync(join(disk.home, 'lock.db.damaged-1'))).toBe(true);
});

test('a place that takes no lock is open to many as long as none can write; then to whoever comes first', async () => {
  const path = join(disk.home, 'later', 'peers.db');
  writeFileSync(join(disk.home, 'later'), 'where the folder should be');
  const [first, second] = [disk.make(undefined, path), disk.make(undefined, path)];
  first.open();
  second.open();
  expect([first.state, second.state]).toEqual(['degraded', 'degraded']);
  first.put(rowOf('a')).catch(() => undefined);
  second.put(rowOf('b')).catch(() => undefined);
  const { renameSync } = await import('node:fs');
  renameSync(join(disk.home, 'later'), join(disk.home, 'moved'));
  mkdirSync(join(disk.home, 'later'));
  await disk.retry();
  expect([first.state, second.state]).toEqual(['ok', 'degraded']);
  expect([idsOf(first), idsOf(second)]).toEqual(['a', 'b']);
});

test('a lock is kept while the disk fails', async () => {
  const broken = failingDisk('SQLITE_IOERR');
  const store = disk.opened(broken.connect);
  expect(store.state).toBe('degraded');
  expect(() => disk.make(connectSqlite).open()).toThrow(inUse);
});
