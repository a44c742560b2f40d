import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import Database from 'better-sqlite3';
import { connectSqlite, type Connect } from '../../../actors/stores/sqlite-file.ts';
import type { PeerStore } from '../../../actors/peer-store.ts';
import { peerStoreContract, rowOf } from '../../contracts/peer-store.ts';
import { ManagerHarness, addressOf, idOf } from '../../support/manager.ts';
import { failingDisk, idsOf, options, storeHome } from '../../support/store.ts';

const disk = storeHome();
const failed = { code: 'ERR_STORE_FAILED' };

peerStoreContract('sqlite', () => ({
  make: () => disk.make(),
  commit: () => disk.commit(),
  settle: () => disk.clock.advanceAsync(options.spacingMs + 10 * options.commitMs),
  end: () => undefined,
}));

/** Connections that tell what they execute. */
function listening(): { connect: Connect; statements: string[] } {
  const statements: string[] = [];
  const verbose = (sql?: unknown): void => void statements.push(String(sql));
  return { connect: (path, given) => new Database(path, { ...given, verbose }), statements };
}
const count = (statements: readonly string[], what: RegExp): number => statements.filter((each) => what.test(each)).length;
const stored = (): number => disk.inFile((db) => db.prepare('SELECT count(*) FROM peers').pluck().get()) as number;
const write = async (store: PeerStore, ...digits: readonly string[]): Promise<void> => {
  const written = digits.map((digit) => store.put(rowOf(digit)));
  await disk.commit();
  await Promise.all(written);
};

test('a change is acknowledged only once its commit is done', async () => {
  const store = disk.opened();
  let isAcknowledged = false;
  const first = store.put(rowOf('a'));
  await disk.clock.advanceAsync(0);
  await first;
  const second = store.put(rowOf('b')).then(() => (isAcknowledged = true));
  await disk.clock.advanceAsync(options.commitMs - 1);
  expect(isAcknowledged).toBe(false);
  expect(stored()).toBe(1);
  await disk.clock.advanceAsync(1);
  await second;
  expect(stored()).toBe(2);
});

test('after a quiet time a change is committed at once', async () => {
  const store = disk.opened();
  await write(store, 'a');
  disk.clock.advance(options.commitMs);
  const later = store.put(rowOf('b'));
  await disk.clock.advanceAsync(0);
  await later;
});

test('however many changes come, there are at most ten commits in a second, and none blocks the process for more than 500 rows', async () => {
  const { connect, statements } = listening();
  const store = disk.opened(connect);
  statements.length = 0;
  for (let ms = 0; ms < 1_000; ms++) {
    const row = rowOf((ms * 7).toString(16).padStart(8, '0'));
    store.put(row).catch(() => undefined);
    await disk.clock.advanceAsync(1);
  }
  expect(count(statements, /^COMMIT/)).toBeLessThanOrEqual(11);
  expect(count(statements, /^INSERT/)).toBeGreaterThan(800);
  const many = Array.from({ length: 1_200 }, (_, n) => store.put(rowOf(`${(n + 1).toString(16).padStart(8, '0')}f`)));
  statements.length = 0;
  await disk.commit();
  expect(count(statements, /^INSERT/)).toBe(500);
  await disk.clock.advanceAsync(5 * options.commitMs);
  await Promise.all(many);
});

describe('a peer that is written again and again', () => {
  test('is written at most once in five seconds, as it is then', async () => {
    const { connect, statements } = listening();
    const store = disk.opened(connect);
    statements.length = 0;
    const all: Promise<void>[] = [];
    for (let second = 0; second < 60; second++) {
      for (let n = 0; n < 10; n++) all.push(store.put(rowOf('a', { lastConnected: second * 10 + n })));
      await disk.clock.advanceAsync(1_000);
    }
    expect(count(statements, /^INSERT/)).toBeLessThanOrEqual(13);
    expect(count(statements, /^INSERT/)).toBeGreaterThanOrEqual(12);
    await disk.clock.advanceAsync(options.spacingMs);
    await Promise.all(all);
    await store.close();
    store.open();
    expect(store.load()).toEqual([rowOf('a', { lastConnected: 599 })]);
  });

  test('does not hold up the others', async () => {
    const store = disk.opened();
    await write(store, 'a');
    const again = store.put(rowOf('a', { score: 3 }));
    await write(store, 'b');
    await disk.clock.advanceAsync(options.spacingMs);
    await again;
  });

  test('is written at once when it is flushed, alone', async () => {
    const store = disk.opened();
    await write(store, 'a', 'b');
    const other = store.put(rowOf('b', { score: 3 }));
    store.put(rowOf('a', { score: 4 })).catch(() => undefined);
    const flushed = store.flush([rowOf('a').id]);
    await disk.commit();
    await flushed;
    const scores = disk.inFile((db) => db.prepare("SELECT row ->> 'score' FROM peers ORDER BY id").pluck().all());
    expect(scores).toEqual([4, -7]);
    await disk.clock.advanceAsync(options.spacingMs);
    await other;
  });
});

describe('under a peer manager', () => {
  const managed = (connect?: Connect) => {
    const store = disk.opened(connect);
    return new ManagerHarness({ store, clock: disk.clock });
  };

  test('a peer to which something happens all the time costs one write in five seconds; what the operator changes is on disk before it is answered', async () => {
    const { connect, statements } = listening();
    const harness = managed(connect);
    const added = harness.manager.peers.add(`mconn://${idOf('a')}@1.2.3.4:26656`);
    await disk.commit();
    await added;
    await disk.clock.advanceAsync(options.spacingMs);
    statements.length = 0;
    const link = harness.up('a', { remoteIp: '1.2.3.4' });
    for (let n = 0; n < 300; n++) {
      harness.manager.report(idOf('a'), 'unhelpful', `no answer ${n}`);
      await disk.clock.advanceAsync(100);
    }
    harness.manager.disconnected(idOf('a'), link, 'reset');
    expect(count(statements, /^INSERT/)).toBeLessThanOrEqual(7);
    expect(count(statements, /^INSERT/)).toBeGreaterThan(2);
    const banned = harness.manager.peers.ban(idOf('a'), { forMs: 60_000, reason: 'enough' });
    await disk.commit();
    await banned;
    expect(disk.inFile((db) => db.prepare("SELECT row ->> 'lastReason' FROM peers").pluck().get())).toBe('enough');
    const removed = harness.manager.peers.remove(idOf('a'));
    await disk.commit();
    await removed;
    expect(stored()).toBe(0);
    harness.stop();
  });

  test('hearsay is not waited for, what the host adds is', async () => {
    const harness = managed();
    harness.up('b', { remoteIp: '1.2.3.9' });
    expect(await harness.manager.add(addressOf('a'), { kind: 'gossip', from: idOf('b') })).toBe(true);
    let isDurable = false;
    const added = harness.manager.add(addressOf('c'), { kind: 'host' }).then(() => (isDurable = true));
    await Promise.resolve();
    expect([isDurable, stored()]).toEqual([false, 0]);
    await disk.commit();
    await added;
    expect(stored()).toBe(2);
    harness.stop();
  });
});

describe('when the disk fails', () => {
  test('a full disk makes the store degraded: rows stay readable, and are written when there is room again', async () => {
    let connection: Database.Database | undefined;
    const store = disk.opened((...given) => {
      connection = connectSqlite(...given);
      if (!given[1].readonly) connection.pragma('max_page_count = 3');
      return connection;
    });
    expect(store.state).toBe('ok');
    const refused = Promise.allSettled(Array.from({ length: 40 }, (_, n) => store.put(rowOf(n.toString(16).padStart(8, '0')))));
    await disk.commit();
    expect((await refused).map((each) => each.status === 'rejected' && (each.reason as { code: string }).code)).toEqual(
      Array.from({ length: 40 }, () => 'ERR_STORE_FAILED'),
    );
    expect(store.state).toBe('degraded');
    expect(store.load().length).toBe(40);
    await expect(store.put(rowOf('a'))).rejects.toMatchObject(failed);
    await expect(store.flush()).rejects.toMatchObject(failed);
    await expect(store.flush([rowOf('a').id])).rejects.toMatchObject(failed);
    await disk.retry();
    expect(store.state).toBe('degraded');
    connection!.pragma('max_page_count = 1000000');
    await disk.retry();
    expect(store.state).toBe('ok');
    await store.close();
    store.open();
    expect(store.load().length).toBe(41);
  });

  test('a disk that takes no file at all makes it degraded from the start; the file is made once there is room', async () => {
    const full = failingDisk('SQLITE_FULL');
    const store = disk.opened(full.connect);
    expect(store.state).toBe('degraded');
    await expect(store.put(rowOf('a'))).rejects.toMatchObject(failed);
    full.isFailing = false;
    await disk.retry();
    expect(store.state).toBe('ok');
    await store.close();
    expect(await disk.found()).toEqual({ ids: 'a', skipped: 0, state: 'ok' });
  });

  test('it is said once a minute, however often writing is tried', async () => {
    const broken = failingDisk('SQLITE_IOERR');
    const store = disk.opened(broken.connect);
    const warnings = (): number => disk.lines.filter(({ msg }) => msg.includes('goes on in memory')).length;
    for (let minute = 1; minute <= 5; minute++) {
      await disk.clock.advanceAsync(60_000);
      expect(warnings()).toBeLessThanOrEqual(minute + 1);
    }
    expect(warnings()).toBeGreaterThanOrEqual(5);
    broken.isFailing = false;
    await disk.retry();
    expect(store.state).toBe('ok');
    expect(disk.lines.at(-1)?.msg).toBe('the peer store is on disk again');
  });

  test('rows found on a disk that recovers late do not undo what changed meanwhile', async () => {
    await disk.written('a', 'b', 'c');
    const broken = failingDisk('SQLITE_IOERR');
    const store = disk.opened(broken.connect);
    await Promise.allSettled([store.put(rowOf('a', { score: 9 })), store.delete(rowOf('b').id)]);
    broken.isFailing = false;
    await disk.retry();
    const scores = store.load().map((row) => [row.id[0], row.score]);
    expect(scores.sort()).toEqual([
      ['a', 9],
      ['c', -7],
    ]);
    await store.close();
    expect(await disk.found()).toMatchObject({ ids: 'ac' });
  });

  test('a deletion that the disk did not take leaves no ghost', async () => {
    await disk.written('a', 'b');
    let isFailing = false;
    const store = disk.opened((...given) => {
      const db = connectSqlite(...given);
      const prepare = db.prepare.bind(db);
      db.prepare = (sql: string) => {
        if (isFailing && sql.startsWith('DELETE')) throw Object.assign(new Error('disk I/O error'), { code: 'SQLITE_IOERR' });
        return prepare(sql);
      };
      return db;
    });
    isFailing = true;
    const deleted = store.delete(rowOf('a').id);
    await Promise.allSettled([deleted, disk.commit()]);
    await expect(deleted).rejects.toMatchObject(failed);
    expect(idsOf(store)).toBe('b');
    isFailing = false;
    await disk.retry();
    await store.close();
    expect(await disk.found()).toMatchObject({ ids: 'b' });
  });

  test('what it does not take until the store closes is written when the store is opened again', async () => {
    const broken = failingDisk('SQLITE_IOERR');
    const store = disk.opened(broken.connect);
    await expect(store.put(rowOf('a'))).rejects.toMatchObject(failed);
    await store.close();
    broken.isFailing = false;
    store.open();
    expect([idsOf(store), store.state]).toEqual(['a', 'ok']);
    await disk.commit();
    await store.close();
    expect(await disk.found()).toMatchObject({ ids: 'a' });
  });

  test('who waits when the store closes on a failing disk hears that it failed', async () => {
    const broken = failingDisk('SQLITE_IOERR');
    broken.isFailing = false;
    let connection: Database.Database | undefined;
    const store = disk.opened((...given) => (connection = broken.connect(...given)));
    const put = store.put(rowOf('a'));
    broken.isFailing = true;
    connection!.close();
    await store.close();
    await expect(put).rejects.toMatchObject(failed);
  });

  test('a file that may only be read is read, and the store is degraded from the start, until it may be written', async () => {
    await disk.written('a');
    let isReadOnly = true;
    const store = disk.opened((path, given) =>
      connectSqlite(path, isReadOnly && path === disk.path ? { ...given, readonly: true, fileMustExist: true } : given),
    );
    expect([store.state, idsOf(store)]).toEqual(['degraded', 'a']);
    await expect(store.put(rowOf('b'))).rejects.toMatchObject(failed);
    await disk.retry();
    expect(store.state).toBe('degraded');
    isReadOnly = false;
    await disk.retry();
    expect(store.state).toBe('ok');
    await store.close();
    expect(await disk.found()).toMatchObject({ ids: 'ab' });
  });
});

const locker = `
  const Database = require('better-sqlite3');
  const db = new Database(process.argv[1]);
  db.exec('BEGIN IMMEDIATE');
  process.stdout.write('locked');
  process.stdin.on('end', () => db.close()).resume();
`;

describe('a database that another process locks', () => {
  const lock = async (): Promise<() => Promise<unknown>> => {
    const child = spawn(process.execPath, ['-e', locker, disk.path], {
      cwd: dirname(import.meta.dirname),
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    return () => {
      child.stdin.end();
      return once(child, 'exit');
    };
  };

  test('is tried again with growing distance, each time for store.busyMs at most; the change is acknowledged when the lock is gone', async () => {
    const timeouts: number[] = [];
    const store = disk.opened((path, given) => {
      timeouts.push(given.timeout);
      return connectSqlite(path, given);
    });
    const release = await lock();
    let isWritten = false;
    const put = store.put(rowOf('a')).then(() => (isWritten = true));
    await disk.clock.advanceAsync(3 * options.commitMs);
    expect([isWritten, store.state]).toEqual([false, 'ok']);
    await release();
    await disk.clock.advanceAsync(10 * options.commitMs);
    await put;
    expect(store.state).toBe('ok');
    expect(timeouts).toEqual([options.busyMs]);
  });

  test('for long makes the store degraded, until the lock is gone', async () => {
    const { connect, statements } = listening();
    const store = disk.opened(connect);
    const release = await lock();
    statements.length = 0;
    const put = store.put(rowOf('a'));
    put.catch(() => undefined);
    await disk.clock.advanceAsync(40 * options.commitMs);
    await expect(put).rejects.toMatchObject(failed);
    expect(store.state).toBe('degraded');
    expect(count(statements, /^BEGIN/)).toBe(6);
    await release();
    await disk.retry();
    expect([store.state, stored()]).toEqual(['ok', 1]);
  });

  test('while the store starts is read all the same', async () => {
    await disk.written('a');
    const release = await lock();
    const store = disk.opened();
    expect([idsOf(store), store.state]).toEqual(['a', 'ok']);
    await release();
  });
});

test('the home is made when it is missing', async () => {
  const store = disk.make(undefined, join(disk.home, 'deep', 'down', 'peers.db'));
  store.open();
  await write(store, 'a');
  expect(existsSync(join(disk.home, 'deep', 'down', 'peers.db'))).toBe(true);
});
