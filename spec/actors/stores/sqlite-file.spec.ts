import { readFileSync, readdirSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import Database from 'better-sqlite3';
import { checksumOf, encodeRow } from '../../../actors/stores/row-codec.ts';
import { connectSqlite, type Connect } from '../../../actors/stores/sqlite-file.ts';
import { rowOf } from '../../contracts/peer-store.ts';
import { storeHome } from '../../support/store.ts';

const disk = storeHome();

/** Connections whose SQLite says that it is of this version. */
const ofVersion =
  (version: string): Connect =>
  (...given) => {
    const db = connectSqlite(...given);
    const prepare = db.prepare.bind(db);
    db.prepare = (sql: string) => prepare(sql.includes('sqlite_version') ? `SELECT '${version}'` : sql);
    return db;
  };

test('a file has a schema version, a log and a full sync at each commit', () => {
  let connection: Database.Database | undefined;
  disk.opened((...given) => (connection = connectSqlite(...given)));
  const pragma = (name: string): unknown => connection!.pragma(name, { simple: true });
  expect(['user_version', 'journal_mode', 'synchronous', 'application_id', 'wal_autocheckpoint'].map(pragma)).toEqual([
    1,
    'wal',
    2,
    0x54525550,
    0,
  ]);
});

test.each(['3.7.0', '3.50.4', '3.51.2'])('SQLite %s, which can corrupt a database, is refused', (version) => {
  expect(() => disk.make(ofVersion(version)).open()).toThrow(expect.objectContaining({ code: 'ERR_STORE_FAILED' }));
});

test.each(['3.51.3', '3.52.0', '4.0.0'])('SQLite %s is taken', (version) => {
  expect(disk.opened(ofVersion(version)).state).toBe('ok');
});

/** A bad row of each kind, under the id that repeats a digit. */
const spoiled: Readonly<Record<string, (digit: string) => readonly [id: string | Buffer, row: string, checksum: Buffer]>> = {
  'a changed byte': (digit) => [rowOf(digit).id, encodeRow(rowOf(digit)).text.replace('26656', '26657'), sumOf(digit)],
  'no checksum': (digit) => [rowOf(digit).id, encodeRow(rowOf(digit)).text, Buffer.alloc(0)],
  'the checksum of another row': (digit) => [rowOf(digit).id, encodeRow(rowOf(digit)).text, sumOf('f')],
  'an id of 39 characters': (digit) => written(rowOf(digit).id.slice(1), encodeRow(rowOf(digit)).text),
  'an id in capitals': (digit) => written(rowOf(digit).id.toUpperCase(), encodeRow(rowOf(digit)).text),
  'an id that is no text': (digit) => [Buffer.from([0xff, 0xfe, digit.charCodeAt(0)]), encodeRow(rowOf(digit)).text, sumOf(digit)],
  'no JSON': (digit) => written(rowOf(digit).id, 'not json'),
  'a list': (digit) => written(rowOf(digit).id, '[]'),
  'a negative time': (digit) => changed(digit, { lastConnected: -1 }),
  'a time beyond the last date': (digit) => changed(digit, { bannedUntil: 8_640_000_000_000_001 }),
  'a score beyond its range': (digit) => changed(digit, { score: 101 }),
  'an epoch beyond the last date': (digit) => changed(digit, { scoreEpoch: 400_000_001 }),
  'an address of somebody else': (digit) => changed(digit, { addresses: rowOf('f').addresses }),
  'an address twice': (digit) => changed(digit, { addresses: [rowOf(digit).addresses[0], rowOf(digit).addresses[0]] }),
  'a reason with a control character': (digit) => changed(digit, { lastReason: 'a\u001b[2J' }),
};
const sumOf = (digit: string): Buffer => Buffer.from(encodeRow(rowOf(digit)).checksum, 'hex');
const written = (id: string, text: string): readonly [string, string, Buffer] => [id, text, Buffer.from(checksumOf(id, text), 'hex')];
const changed = (digit: string, change: object): readonly [string, string, Buffer] =>
  written(rowOf(digit).id, JSON.stringify({ ...rowOf(digit), id: undefined, ...change }));

test.each(Object.entries(spoiled))('a row with %s is skipped and counted, the others are kept', async (_, spoil) => {
  await disk.written('e', 'f');
  disk.inFile((db) => db.prepare('INSERT INTO peers VALUES (CAST(? AS TEXT), ?, ?)').run(...spoil('a')));
  expect(await disk.found()).toEqual({ ids: 'ef', skipped: 1, state: 'ok' });
});

test('bad rows are deleted with the next commit, unless they have become good meanwhile', async () => {
  await disk.written('f');
  disk.inFile((db) => {
    const insert = db.prepare('INSERT INTO peers VALUES (CAST(? AS TEXT), ?, ?)');
    Object.values(spoiled).forEach((spoil, n) => insert.run(...spoil(`a${n.toString(16)}`)));
  });
  const count = (): unknown => disk.inFile((db) => db.prepare('SELECT count(*) FROM peers').pluck().get());
  const all = Object.keys(spoiled).length + 1;
  const store = disk.opened();
  expect([store.skipped, count()]).toEqual([all - 1, all]);
  const put = store.put(rowOf('a0'));
  await disk.commit();
  await put;
  expect(count()).toBe(2);
  await store.close();
  expect(await disk.found()).toEqual({ ids: 'af', skipped: 0, state: 'ok' });
});

test('a file of a newer version is refused and not touched', async () => {
  await disk.written('a');
  disk.inFile((db) => db.pragma('user_version = 2'));
  const before = readFileSync(disk.path);
  const store = disk.make();
  expect(() => store.open()).toThrow(expect.objectContaining({ code: 'ERR_STORE_TOO_NEW' }));
  expect(readFileSync(disk.path).equals(before)).toBe(true);
  expect(readdirSync(disk.home).sort()).toEqual(['lock.db', 'peers.db']);
  const db = new Database(disk.path);
  db.pragma('user_version = 3');
  // With a log that another version left behind.
  const log = readFileSync(`${disk.path}-wal`);
  expect(() => store.open()).toThrow(expect.objectContaining({ code: 'ERR_STORE_TOO_NEW' }));
  expect(readFileSync(`${disk.path}-wal`).equals(log)).toBe(true);
  db.close();
  // The home is free again.
  disk.inFile((file) => file.pragma('user_version = 1'));
  expect(await disk.found()).toMatchObject({ ids: 'a' });
});
