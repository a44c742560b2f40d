import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { forgetKilledNode, isHomeInUse, publishedUrl, publishUrl, urlFile } from '../../../actors/monitor/whereabouts.ts';
import { lockFile, lockHome } from '../../../actors/stores/home-lock.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'troupe-whereabouts-'));
});
afterEach(() => {
  rmSync(home, { recursive: true });
});

describe('the URL of a running node', () => {
  test.each(['http://127.0.0.1:26680', 'http://[::1]:1', 'http://node.example:65535'])(
    '%s is found by its owner until it is withdrawn',
    (url) => {
      expect(publishedUrl(home)).toBeUndefined();
      const withdraw = publishUrl(home, url);
      expect(publishedUrl(home)).toBe(url);
      expect(statSync(join(home, urlFile)).mode & 0o777).toBe(0o600);
      expect(readdirSync(home)).toEqual([urlFile]);
      withdraw();
      expect(publishedUrl(home)).toBeUndefined();
      withdraw();
    },
  );

  test.each([
    '',
    'nonsense',
    'https://x:1',
    'http://user@x:1',
    'http://x:1/path',
    'http://x',
    'http://x:1\nhttp://y:1',
    `http://${'x'.repeat(400)}:1`,
  ])('is not %j', (text) => {
    writeFileSync(join(home, urlFile), text);
    expect(() => publishedUrl(home)).toThrow(expect.objectContaining({ code: 'ERR_NODE_UNREACHABLE' }));
  });

  test('is not in a place that cannot be read', () => {
    mkdirSync(join(home, urlFile));
    expect(() => publishedUrl(home)).toThrow(expect.objectContaining({ code: 'ERR_NODE_UNREACHABLE' }));
  });
});

describe('a home', () => {
  test('is in use while its lock is held, and to look neither takes it nor makes a file', () => {
    expect(isHomeInUse(home)).toBe(false);
    expect(readdirSync(home)).toEqual([]);
    const lock = lockHome(join(home, lockFile))!;
    expect(isHomeInUse(home)).toBe(true);
    expect(isHomeInUse(home)).toBe(true);
    lock.release();
    expect(isHomeInUse(home)).toBe(false);
    lockHome(join(home, lockFile))!.release();
  });

  test('is not in use when something else lies where the lock should be', () => {
    writeFileSync(join(home, lockFile), 'something else '.repeat(100));
    expect(isHomeInUse(home)).toBe(false);
  });

  test('whose node was killed is not in use, and its URL is forgotten; that of a node that runs stays', async () => {
    const holder = `
      const Database = require('better-sqlite3');
      const lock = new Database(process.argv[1]);
      lock.exec('BEGIN EXCLUSIVE');
      console.log('locked');
      setInterval(() => undefined, 1_000);`;
    const child = spawn(process.execPath, ['-e', holder, join(home, lockFile)], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    publishUrl(home, 'http://127.0.0.1:1');
    forgetKilledNode(home);
    expect([isHomeInUse(home), existsSync(join(home, urlFile))]).toEqual([true, true]);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(isHomeInUse(home)).toBe(false);
    forgetKilledNode(home);
    expect(existsSync(join(home, urlFile))).toBe(false);
  });
});
