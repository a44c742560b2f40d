import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import Database from 'better-sqlite3';
import { encodeRow } from '../../../actors/stores/row-codec.ts';
import { salvage } from '../../../actors/stores/salvage.ts';
import { connectSqlite } from '../../../actors/stores/sqlite-file.ts';
import type { PeerRow } from '../../../actors/peer-store.ts';
import { rowOf } from '../../contracts/peer-store.ts';
import { damagedCopy, damages } from '../../support/damage.ts';
import { seededRandom } from '../../support/random.ts';
import { idsOf, storeHome } from '../../support/store.ts';

const disk = storeHome();
const garbage = Buffer.from('this is no database at all, but long enough to look like a page of one. '.repeat(200));
const aside = (): readonly string[] => readdirSync(disk.home).filter((name) => name.includes('damaged'));
const many = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, n) => ((n * 2_654_435_761) % 2 ** 32).toString(16).padStart(8, '0'));

describe('in place of the file', () => {
  test.each<[string, () => void]>([
    ['garbage', () => writeFileSync(disk.path, garbage)],
    ['a few bytes', () => writeFileSync(disk.path, 'SQLite')],
    ['a folder', () => mkdirSync(join(disk.path, 'with', 'things in it'), { recursive: true })],
    ['a link that leads nowhere', () => symlinkSync(join(disk.home, 'nowhere'), disk.path)],
    ['a pipe', () => void execFileSync('mkfifo', [disk.path])],
    ['a folder in place of the log', () => mkdirSync(`${disk.path}-wal`)],
    [
      'a database of another program',
      () => {
        const db = new Database(disk.path);
        db.exec('CREATE TABLE things (a)');
        db.close();
      },
    ],
  ])('%s is put aside, and a new file is made', async (_, spoil) => {
    spoil();
    expect(await disk.found()).toEqual({ ids: '', skipped: 0, state: 'ok' });
    expect(aside()).toHaveLength(1);
    await disk.written('a');
    expect(await disk.found()).toEqual({ ids: 'a', skipped: 0, state: 'ok' });
    expect(aside()).toHaveLength(1);
  });

  test('a link is put aside, not what it leads to, whose rows are taken over', async () => {
    await disk.written('a', 'b');
    const elsewhere = join(disk.home, 'elsewhere.db');
    renameSync(disk.path, elsewhere);
    symlinkSync(elsewhere, disk.path);
    const before = readFileSync(elsewhere);
    expect(await disk.found()).toEqual({ ids: 'ab', skipped: 0, state: 'ok' });
    expect(lstatSync(disk.path).isFile()).toBe(true);
    expect(readlinkSync(join(disk.home, aside()[0]!))).toBe(elsewhere);
    expect(readFileSync(elsewhere).equals(before)).toBe(true);
  });

  test('an empty file is a new file', async () => {
    writeFileSync(disk.path, '');
    await disk.written('a');
    expect(await disk.found()).toEqual({ ids: 'a', skipped: 0, state: 'ok' });
    expect(aside()).toEqual([]);
  });

  test('a file cut short at any page is put aside or emptied, never trusted', async () => {
    await disk.written(...many(60));
    const whole = readFileSync(disk.path);
    for (let pages = 1; pages * 4_096 < whole.length; pages += 3) {
      writeFileSync(disk.path, whole);
      truncateSync(disk.path, pages * 4_096);
      expect((await disk.found()).state).toBe('ok');
      rmSync(disk.path);
    }
  });

  test('what cannot be put aside is left alone: the store is degraded', async () => {
    writeFileSync(disk.path, garbage);
    const store = disk.make((...given) => {
      // Nothing in a folder that is gone can be renamed.
      rmSync(disk.home, { recursive: true, force: true });
      return connectSqlite(...given);
    });
    store.open();
    expect(store.state).toBe('degraded');
  });
});

test('damaged files are never overwritten by later ones', async () => {
  for (const text of ['first', 'second']) {
    writeFileSync(disk.path, text + garbage.toString());
    await disk.found();
    rmSync(disk.path);
  }
  expect(['1', '2'].map((n) => readFileSync(`${disk.path}.damaged-${n}`, 'utf8').slice(0, 5))).toEqual(['first', 'secon']);
});

test('behind a damaged page reading goes on: all rows of all other pages are kept, and written anew', async () => {
  await disk.written(...many(400));
  const bytes = readFileSync(disk.path);
  const pages = bytes.length / 4_096;
  // A leaf near the beginning, one in the middle and one near the end.
  const hit = [0.1, 0.5, 0.9].map((part) => {
    let page = Math.floor(pages * part);
    while (bytes[page * 4_096] !== 0x0a) page++;
    return page;
  });
  const hidden = new Set(
    hit.flatMap((page) => bytes.toString('latin1', page * 4_096, (page + 1) * 4_096).match(/[0-9a-f]{40}(?=\{)/g) ?? []),
  );
  expect(hidden.size).toBeGreaterThan(5);
  for (const page of hit) bytes.fill(0xa5, page * 4_096, (page + 1) * 4_096);
  writeFileSync(disk.path, bytes);
  const store = disk.opened();
  expect(store.load().length).toBe(400 - hidden.size);
  await store.close();
  expect(existsSync(`${disk.path}.damaged-1`)).toBe(true);
  store.open();
  expect(store.load().length).toBe(400 - hidden.size);
  expect(store.skipped).toBe(0);
});

test('a file of which nothing can be read costs a bounded number of queries', async () => {
  await disk.written(...many(300));
  const db = new Database(disk.path);
  const root = db.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'peers'").pluck().get() as number;
  db.close();
  const bytes = readFileSync(disk.path);
  bytes.fill(0xa5, (root - 1) * 4_096, root * 4_096);
  writeFileSync(disk.path, bytes);
  let queries = 0;
  const counting: typeof connectSqlite = (...given) => {
    const connection = connectSqlite(...given);
    const prepare = connection.prepare.bind(connection);
    connection.prepare = ((sql: string) => {
      const statement = prepare(sql);
      const iterate = statement.iterate.bind(statement);
      statement.iterate = (...range: unknown[]) => {
        queries += 1;
        return iterate(...range);
      };
      return statement;
    }) as typeof connection.prepare;
    return connection;
  };
  expect(salvage(counting, disk.path, 50)).toEqual([]);
  expect(queries).toBeGreaterThan(10);
  expect(queries).toBeLessThanOrEqual(10_000);
});

test('whatever happens to the bytes of a file, the node starts, trusts no changed row, keeps those in sound pages, and starts again', async () => {
  const digits = many(200);
  await disk.written(...digits);
  const file = readFileSync(disk.path);
  const original = new Map(digits.map((each) => [rowOf(each).id as string, encodeRow(rowOf(each)).text]));
  const random = seededRandom(7);
  const seen = new Set<string>();
  const isOriginal = (row: PeerRow): boolean => original.get(row.id) === encodeRow(row).text;
  for (let n = 0; n < 30; n++) {
    const { kind, bytes, hidden } = damagedCopy(file, random);
    seen.add(kind);
    writeFileSync(disk.path, bytes);
    const store = disk.opened();
    const rows = store.load();
    expect(rows.filter((row) => !isOriginal(row))).toEqual([]);
    if (hidden) expect(rows.length).toBeGreaterThanOrEqual(Math.floor(0.99 * (200 - hidden.size)));
    await store.close();
    store.open();
    expect([store.state, store.load().length]).toEqual(['ok', rows.length]);
    await store.close();
    rmSync(disk.path);
  }
  expect([...seen].sort()).toEqual([...damages].sort());
});

test('a disk that may only be read is read all the same: from a copy, with what the log holds', async () => {
  await disk.written('a');
  const db = new Database(disk.path);
  const { text, checksum } = encodeRow(rowOf('b'));
  db.prepare('INSERT INTO peers VALUES (?, ?, unhex(?))').run(rowOf('b').id, text, checksum);
  const store = disk.opened((path, given) => {
    if (path === disk.path) throw Object.assign(new Error('unable to open database file'), { code: 'SQLITE_CANTOPEN' });
    return connectSqlite(path, given);
  });
  expect(store.state).toBe('degraded');
  expect(idsOf(store)).toBe('ab');
  db.close();
});
