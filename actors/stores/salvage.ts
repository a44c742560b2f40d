/** What can be had from a peer database that cannot be used as it lies: rows between damaged pages, rows on a disk that takes no file. Never deletes anything. */
import { chmodSync, copyFileSync, existsSync, lstatSync, mkdtempSync, renameSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type Database from 'better-sqlite3';
import type { NodeId } from '../../proto/identity.ts';
import type { PeerRow } from '../peer-store.ts';
import { decodeRow, GoodTexts } from './row-codec.ts';
import { readRows, rowColumns, type Connect, type Contents } from './sqlite-file.ts';

/** Gaps looked into in one damaged file, with two queries each: a fraction of a second. */
const mostGaps = 5_000;
/** Ids as numbers: their first eight digits. */
const idSpace = 2 ** 32;
/** A gap is left alone once it is this part of the usual distance between two ids. */
const narrowest = 1 / 16;

/** The good rows of a damaged file. */
export function salvage(connect: Connect, path: string, busyMs: number): readonly PeerRow[] {
  // Opening a pipe waits for somebody at its other end.
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) return [];
  let db: Database.Database | undefined;
  try {
    db = connect(path, { timeout: busyMs, readonly: true, fileMustExist: true });
    return rowsBetweenDamage(db);
  } catch {
    // Not even its schema can be read.
    return [];
  } finally {
    db?.close();
  }
}

/**
 * Ids are the key, so rows are read upwards until a damaged page stops that, and downwards from the other end;
 * the gap that remains is halved, and again, for what lies between two damaged pages.
 */
function rowsBetweenDamage(db: Database.Database): readonly PeerRow[] {
  const rows = new Map<NodeId, PeerRow>();
  const texts = new GoodTexts();
  const query = (order: 'ASC' | 'DESC'): Database.Statement =>
    db.prepare(`SELECT ${rowColumns} FROM peers WHERE id >= ? AND id < ? ORDER BY id ${order}`).raw();
  /** The first and the last good row that reading comes to. */
  const read = (
    statement: Database.Statement,
    from: number,
    to: number,
  ): readonly [first: NodeId | undefined, last: NodeId | undefined] => {
    let first: NodeId | undefined;
    let last: NodeId | undefined;
    try {
      for (const [id, text, checksum] of statement.iterate(keyOf(from), keyOf(to)) as Iterable<readonly unknown[]>) {
        const row = decodeRow(id, text, checksum, texts);
        if (!row) continue;
        rows.set(row.id, row);
        first ??= row.id;
        last = row.id;
      }
    } catch {
      // A damaged page; a changed key may end reading without a word.
    }
    return [first, last];
  };
  const [upwards, downwards] = [query('ASC'), query('DESC')];
  const gaps: (readonly [from: number, to: number])[] = [[0, idSpace]];
  for (let looked = 0; looked < mostGaps && gaps.length > 0; looked++) {
    const [from, to] = gaps.shift()!;
    if (to - from < Math.max(2, (narrowest * idSpace) / (rows.size + 1))) continue;
    const [lowest, below] = read(upwards, from, to);
    const [highest, above] = read(downwards, from, to);
    const isWhole = lowest !== undefined && lowest === above && below === highest;
    if (isWhole) continue;
    const [begin, end] = [below === undefined ? from : numberOf(below), above === undefined ? to : numberOf(above) + 1];
    const middle = Math.floor((begin + end) / 2);
    gaps.push([begin, middle], [middle, end]);
  }
  return [...rows.values()];
}

const numberOf = (id: NodeId): number => parseInt(id.slice(0, 8), 16);
/** The first key of those that begin with a number; of the last number, one after all keys. */
const keyOf = (number: number): string => (number === idSpace ? 'g' : number.toString(16).padStart(8, '0'));

/** Reads a file where SQLite cannot open it, since the disk is full or may only be read, from a copy elsewhere. Undefined when that fails too. */
export function readCopy(connect: Connect, path: string, busyMs: number): Contents | undefined {
  let folder: string | undefined;
  let db: Database.Database | undefined;
  try {
    folder = mkdtempSync(join(tmpdir(), 'troupe-'));
    const copy = join(folder, 'peers.db');
    for (const suffix of ['', '-wal']) {
      if (!existsSync(path + suffix)) continue;
      copyFileSync(path + suffix, copy + suffix);
      chmodSync(copy + suffix, 0o600);
    }
    db = connect(copy, { timeout: busyMs, fileMustExist: true });
    return readRows(db);
  } catch {
    return undefined;
  } finally {
    db?.close();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  }
}

/** Puts a file and what SQLite keeps beside it aside under the first free name, and says which. */
export function setAside(path: string, why: 'damaged' | 'replaced'): string {
  let n = 1;
  while (isTaken(`${path}.${why}-${n}`)) n += 1;
  const aside = `${path}.${why}-${n}`;
  for (const suffix of ['', '-wal', '-shm', '-journal']) {
    if (isTaken(path + suffix)) renameSync(path + suffix, aside + suffix);
  }
  return aside;
}

/** Whether anything has this name, a link that leads nowhere included. */
const isTaken = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined;
