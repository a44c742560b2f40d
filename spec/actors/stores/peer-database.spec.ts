import { copyFileSync, existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import Database from 'better-sqlite3';
import { rowOf } from '../../contracts/peer-store.ts';
import { idsOf, options, storeHome } from '../../support/store.ts';

const disk = storeHome();
const mib = 2 ** 20;
const logBytes = (): number => statSync(`${disk.path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
const ids = Array.from({ length: 20_000 }, (_, n) => n.toString(16).padStart(8, '0'));

test('the log stays below 8 MiB, however much is written, and is emptied when nothing is', async () => {
  const store = disk.opened();
  let longest = 0;
  for (let round = 0; round < 20; round++) {
    const written = Array.from({ length: 900 }, (_, n) => store.put(rowOf(ids[(n * 7_919 + round * 131) % ids.length]!, { score: round })));
    while (await Promise.race([Promise.all(written).then(() => false), disk.commit().then(() => true)]))
      longest = Math.max(longest, logBytes());
  }
  expect(longest).toBeGreaterThan(mib);
  expect(longest).toBeLessThanOrEqual(8 * mib);
  await disk.clock.advanceAsync(10_000);
  expect(logBytes()).toBe(0);
  expect(disk.clock.pending).toBe(0);
});

test('a reader that keeps the log from being emptied makes the store degraded before the log passes 8 MiB, until the reader is gone', async () => {
  await disk.written('a');
  const store = disk.opened();
  const reader = new Database(disk.path, { readonly: true });
  reader.exec('BEGIN');
  reader.prepare('SELECT count(*) FROM peers').get();
  const outcomes: Promise<unknown>[] = [];
  for (let n = 0; n < 40 && store.state === 'ok'; n++) {
    outcomes.push(...ids.slice(n * 400, n * 400 + 400).map((id) => store.put(rowOf(id)).catch((error: unknown) => error)));
    await disk.commit();
    expect(logBytes()).toBeLessThanOrEqual(8 * mib);
  }
  expect(store.state).toBe('degraded');
  expect((await Promise.all(outcomes)).at(-1)).toMatchObject({ code: 'ERR_STORE_FAILED' });
  const known = store.load().length;
  reader.close();
  await disk.retry();
  expect(store.state).toBe('ok');
  await store.close();
  store.open();
  expect(store.load().length).toBe(known);
});

test('a file that is deleted while it is open is written anew, at the latest when the store closes', async () => {
  await disk.written('a', 'b');
  const store = disk.opened();
  rmSync(disk.path);
  await store.close();
  expect(await disk.found()).toEqual({ ids: 'ab', skipped: 0, state: 'ok' });
});

test('a file that is moved away is written anew with the next commit, and its log does not stay behind', async () => {
  await disk.written('a');
  const store = disk.opened();
  const first = store.put(rowOf('b'));
  await disk.commit();
  await first;
  renameSync(disk.path, join(disk.home, 'elsewhere.db'));
  const second = store.put(rowOf('c'));
  await disk.commit();
  await second;
  expect(existsSync(`${disk.path}-wal.replaced-1`)).toBe(true);
  await store.close();
  expect(await disk.found()).toEqual({ ids: 'abc', skipped: 0, state: 'ok' });
});

test('a file that takes its place is put aside: what was acknowledged stays, what was removed stays removed', async () => {
  await disk.written('a', 'b');
  const backup = join(disk.home, 'backup.db');
  copyFileSync(disk.path, backup);
  const store = disk.opened();
  const removed = store.delete(rowOf('a').id);
  await disk.commit();
  await removed;
  renameSync(backup, disk.path);
  const added = store.put(rowOf('c'));
  await disk.commit();
  await added;
  expect(readdirSync(disk.home)).toContain('peers.db.replaced-1');
  await store.close();
  expect(await disk.found()).toEqual({ ids: 'bc', skipped: 0, state: 'ok' });
});

test('a file that is replaced is noticed when the log is emptied, without a further change', async () => {
  const store = disk.opened();
  const put = store.put(rowOf('a'));
  await disk.commit();
  await put;
  rmSync(disk.path);
  await disk.clock.advanceAsync(10_000);
  expect(disk.inFile((db) => db.prepare('SELECT count(*) FROM peers').pluck().get())).toBe(1);
});

test('a log that is deleted while it is open costs nothing that was acknowledged', async () => {
  const store = disk.opened();
  const first = store.put(rowOf('a'));
  await disk.commit();
  await first;
  rmSync(`${disk.path}-wal`);
  const second = store.put(rowOf('b'));
  await disk.commit();
  await second;
  const picture = join(disk.home, 'picture.db');
  for (const suffix of ['', '-wal']) if (existsSync(disk.path + suffix)) copyFileSync(disk.path + suffix, picture + suffix);
  await disk.commit();
  await store.close();
  const killed = disk.make(undefined, picture);
  expect(() => killed.open()).not.toThrow();
  expect(idsOf(killed)).toBe('ab');
});

test('a page that turns out to be damaged while the store runs costs nothing: everything known is written anew', async () => {
  await disk.written(...ids.slice(0, 300));
  const store = disk.opened();
  // The store's connection reads the schema again when its version has changed, and is led to a page that is none.
  const other = new Database(disk.path);
  other.unsafeMode().pragma('writable_schema = 1');
  other.exec("UPDATE sqlite_schema SET rootpage = 900000 WHERE name = 'peers'");
  other.pragma('schema_version = 99');
  other.close();
  const put = store.put(rowOf('f'));
  await disk.commit();
  await put;
  await disk.clock.advanceAsync(10 * options.commitMs);
  await store.close();
  expect(existsSync(`${disk.path}.damaged-1`)).toBe(true);
  store.open();
  expect(store.load().length).toBe(301);
});
