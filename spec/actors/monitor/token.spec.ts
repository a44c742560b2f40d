import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { monitorToken, tokenFile } from '../../../actors/monitor/token.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'troupe-token-'));
});
afterEach(() => {
  rmSync(home, { recursive: true });
});

test('a token is 32 bytes in hex, stays the same for its home, and only its owner reads it', () => {
  const token = monitorToken(home);
  expect(token).toMatch(/^[0-9a-f]{64}$/);
  expect(monitorToken(home)).toBe(token);
  expect(statSync(join(home, tokenFile)).mode & 0o777).toBe(0o600);
  expect(readdirSync(home)).toEqual([tokenFile]);
});

test('a token that others could read is closed to them', () => {
  monitorToken(home);
  chmodSync(join(home, tokenFile), 0o644);
  monitorToken(home);
  expect(statSync(join(home, tokenFile)).mode & 0o777).toBe(0o600);
});

test('a file that holds no token is replaced', () => {
  writeFileSync(join(home, tokenFile), 'short');
  expect(monitorToken(home)).toMatch(/^[0-9a-f]{64}$/);
});

test('without a home each token is new', () => {
  expect(monitorToken()).not.toBe(monitorToken());
});

test('a home that cannot be written is a clear error with a code', () => {
  expect(() => monitorToken(join(home, 'nowhere'))).toThrow(expect.objectContaining({ code: 'ERR_MONITOR_UNAVAILABLE' }));
});
