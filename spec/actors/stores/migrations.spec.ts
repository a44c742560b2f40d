import { copyFileSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import Database from 'better-sqlite3';
import { applicationId, migrate, migrations, schemaVersion, type Migrations } from '../../../actors/stores/migrations.ts';
import { storeHome } from '../../support/store.ts';

const disk = storeHome();

/** Two versions that came after the present one, with statements of every kind that a migration is made of. */
const later: Migrations = [
  ...migrations,
  ['ALTER TABLE peers ADD COLUMN note TEXT', "UPDATE peers SET note = 'old'", 'CREATE INDEX notes ON peers (note)'],
  ['CREATE TABLE extra (id TEXT PRIMARY KEY) STRICT', 'INSERT INTO extra SELECT id FROM peers', 'DROP INDEX notes'],
];

type Facts = Readonly<{ version: unknown; rows: unknown; tables: unknown }>;

/** What a database holds, from the outside. */
function factsOf(path: string): Facts {
  const db = new Database(path);
  const one = (sql: string): unknown => db.prepare(sql).pluck().get();
  try {
    const tables = db.prepare('SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name').all();
    const hasPeers = one("SELECT count(*) FROM sqlite_schema WHERE name = 'peers'") === 1;
    expect(one('PRAGMA quick_check')).toBe('ok');
    return { version: one('PRAGMA user_version'), tables, rows: hasPeers ? db.prepare('SELECT * FROM peers').all() : [] };
  } finally {
    db.close();
  }
}

/** A database of an earlier version with some rows in it, its log not yet moved into the file. */
function earlier(version: number): Database.Database {
  const db = new Database(disk.path);
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = FULL');
  migrate(db, later.slice(0, version));
  if (version > 0) {
    const columns = (db.pragma('table_info(peers)') as unknown[]).length;
    const insert = db.prepare(`INSERT INTO peers VALUES (?, ?, ?${', NULL'.repeat(columns - 3)})`);
    for (let n = 0; n < 50; n++) insert.run(`peer ${n}`, 'x'.repeat(500), Buffer.alloc(8));
  }
  return db;
}

/** Migrates, taking a picture of the disk as a killed process would leave it before each statement and after the last. */
function migrateWithPictures(db: Database.Database): readonly string[] {
  const pictures: string[] = [];
  const picture = (): void => {
    const folder = join(disk.home, `picture-${pictures.length}`);
    mkdirSync(folder);
    pictures.push(join(folder, 'peers.db'));
    for (const suffix of ['', '-wal', '-journal'])
      if (existsSync(disk.path + suffix)) copyFileSync(disk.path + suffix, pictures.at(-1)! + suffix);
  };
  const exec = db.exec.bind(db);
  db.exec = (sql) => {
    picture();
    return exec(sql);
  };
  migrate(db, later);
  db.exec = exec;
  picture();
  return pictures;
}

test.each([0, 1, 2])('a process killed at any statement of the migration from version %i leaves the old version or the new', (version) => {
  const db = earlier(version);
  const before = factsOf(disk.path);
  const pictures = migrateWithPictures(db);
  const after = factsOf(disk.path);
  db.close();
  expect([before.version, after.version]).toEqual([version, later.length]);
  expect(pictures.length).toBe(later.slice(version).flat().length + 2);
  expect(pictures.map(factsOf)).toEqual([...pictures.slice(1).map(() => before), after]);
});

test('what a killed migration left behind is migrated by the next start', () => {
  const db = earlier(1);
  const pictures = migrateWithPictures(db);
  const after = factsOf(disk.path);
  db.close();
  for (const path of pictures) {
    const next = new Database(path);
    migrate(next, later);
    next.close();
    expect(factsOf(path)).toEqual(after);
  }
});

test('a statement that fails undoes those before it', () => {
  const db = earlier(1);
  const before = factsOf(disk.path);
  const broken = [...later.slice(0, 2), ['CREATE TABLE extra (id TEXT) STRICT', 'CREATE TABLE extra (id TEXT) STRICT']];
  expect(() => migrate(db, broken)).toThrow('already exists');
  expect(factsOf(disk.path)).toEqual(before);
  db.close();
});

test('a database of this version, or a later one, is left as it is', () => {
  const db = earlier(later.length);
  const before = factsOf(disk.path);
  migrate(db);
  migrate(db, later);
  expect(factsOf(disk.path)).toEqual(before);
  db.close();
});

test('a new database is of the present version and marked as ours', () => {
  const db = new Database(disk.path);
  migrate(db);
  expect([db.pragma('user_version', { simple: true }), db.pragma('application_id', { simple: true })]).toEqual([
    schemaVersion,
    applicationId,
  ]);
  db.close();
});
