import { execFile } from 'node:child_process';
import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { loadNodeKey, loadOrMakeNodeKey, saveNodeKey } from '../../actors/node-key.ts';
import { nodeKeyFromSeed, nodeKeyToJson, sha256 } from '../../proto/identity.ts';

const key = nodeKeyFromSeed(sha256(Buffer.from('foo')));
const posix = process.platform === 'win32' ? test.skip : test;

let home: string;
let path: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'troupe-key-'));
  path = join(home, 'node_key.json');
});
afterEach(() => rm(home, { recursive: true, force: true }));

describe('a node key file', () => {
  test('is made once, and is the same key ever after', async () => {
    const first = await loadOrMakeNodeKey(path);
    const second = await loadOrMakeNodeKey(path);
    expect(first.made).toBe(true);
    expect(second.made).toBe(false);
    expect(second.key.id).toBe(first.key.id);
    expect(Buffer.from(second.key.seed).equals(first.key.seed)).toBe(true);
  });

  test('is one key for all who make it at the same time', async () => {
    const made = await Promise.all(Array.from({ length: 8 }, () => loadOrMakeNodeKey(path)));
    expect(new Set(made.map((loaded) => loaded.key.id)).size).toBe(1);
    expect(made.filter((loaded) => loaded.made)).toHaveLength(1);
  });

  test('holds what was saved, on one line, and nothing is left beside it', async () => {
    await saveNodeKey(path, key);
    const text = await readFile(path, 'utf8');
    expect(text).toBe(nodeKeyToJson(key));
    expect(text).not.toContain('\n');
    expect((await loadNodeKey(path)).key.id).toBe('045f5600654182cfeaccfe6cb19f0642e8a59898');
    expect(await readdir(home)).toEqual(['node_key.json']);
  });

  test('replaces the one before when saved again', async () => {
    await loadOrMakeNodeKey(path);
    await saveNodeKey(path, key);
    expect((await loadNodeKey(path)).key.id).toBe(key.id);
  });

  test('is read in the layout without an id, too', async () => {
    const { priv_key } = JSON.parse(nodeKeyToJson(key)) as { priv_key: unknown };
    await writeFile(path, JSON.stringify({ priv_key }));
    expect((await loadNodeKey(path)).key.id).toBe(key.id);
  });

  posix('is for its owner only, whatever the umask, and says so when it is not', async () => {
    const umask = process.umask(0o277);
    try {
      await saveNodeKey(path, key);
    } finally {
      process.umask(umask);
    }
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await loadNodeKey(path)).exposed).toBe(false);
    await chmod(path, 0o640);
    const loaded = await loadNodeKey(path);
    expect(loaded.exposed).toBe(true);
    expect(loaded.key.id).toBe(key.id);
    expect((await stat(path)).mode & 0o777).toBe(0o640);
  });
});

describe('a node key file that cannot be used', () => {
  test.each([
    ['no JSON', 'garbage'],
    ['an empty file', ''],
    ['a half of the file', nodeKeyToJson(key).slice(0, 100)],
    ['another key type', nodeKeyToJson(key).replace('Ed25519', 'Secp256k1')],
    ['more than 4 KiB', nodeKeyToJson(key) + ' '.repeat(4_096)],
  ])('is refused as invalid and left alone: %s', async (_what, text) => {
    await writeFile(path, text);
    await expect(loadNodeKey(path)).rejects.toMatchObject({ code: 'ERR_NODE_KEY_INVALID' });
    await expect(loadOrMakeNodeKey(path)).rejects.toMatchObject({ code: 'ERR_NODE_KEY_INVALID' });
    expect(await readFile(path, 'utf8')).toBe(text);
  });

  test('is refused as invalid when its public half belongs to another seed', async () => {
    const other = nodeKeyFromSeed(sha256(Buffer.from('bar')));
    const value = Buffer.concat([key.seed, other.publicKey]).toString('base64');
    await writeFile(path, JSON.stringify({ priv_key: { type: 'tendermint/PrivKeyEd25519', value } }));
    await expect(loadNodeKey(path)).rejects.toMatchObject({ code: 'ERR_NODE_KEY_INVALID' });
  });

  test('is unreadable when it does not exist, and the error says so', async () => {
    await expect(loadNodeKey(path)).rejects.toMatchObject({
      code: 'ERR_NODE_KEY_UNREADABLE',
      message: expect.stringContaining('does not exist'),
    });
  });

  test('is unreadable when it is a directory', async () => {
    await mkdir(path);
    await expect(loadNodeKey(path)).rejects.toMatchObject({ code: 'ERR_NODE_KEY_UNREADABLE' });
    await expect(loadOrMakeNodeKey(path)).rejects.toMatchObject({ code: 'ERR_NODE_KEY_UNREADABLE' });
    await expect(saveNodeKey(path, key)).rejects.toMatchObject({ code: 'ERR_NODE_KEY_UNREADABLE' });
    expect(await readdir(home)).toEqual(['node_key.json']);
  });

  posix('is unreadable when it is a named pipe, without waiting for a writer', async () => {
    await promisify(execFile)('mkfifo', [path]);
    await expect(loadNodeKey(path)).rejects.toMatchObject({ code: 'ERR_NODE_KEY_UNREADABLE' });
  });

  test('cannot be written where there is no directory', async () => {
    await expect(saveNodeKey(join(home, 'none', 'node_key.json'), key)).rejects.toMatchObject({ code: 'ERR_NODE_KEY_UNREADABLE' });
    await expect(loadOrMakeNodeKey(join(home, 'none', 'node_key.json'))).rejects.toMatchObject({ code: 'ERR_NODE_KEY_UNREADABLE' });
  });
});

describe('a symbolic link', () => {
  posix('is followed when reading, and stays when what it points at is replaced', async () => {
    const secret = join(home, 'secret.json');
    await symlink(secret, path);
    await writeFile(secret, nodeKeyToJson(nodeKeyFromSeed(sha256(Buffer.from('bar')))));
    await saveNodeKey(path, key);
    expect((await lstat(path)).isSymbolicLink()).toBe(true);
    expect((await loadNodeKey(path)).key.id).toBe(key.id);
    expect(await readFile(secret, 'utf8')).toBe(nodeKeyToJson(key));
  });

  posix('to nothing never becomes a new identity', async () => {
    await symlink(join(home, 'unmounted', 'key.json'), path);
    await expect(loadOrMakeNodeKey(path)).rejects.toMatchObject({ code: 'ERR_NODE_KEY_UNREADABLE' });
    await expect(saveNodeKey(path, key)).rejects.toMatchObject({ code: 'ERR_NODE_KEY_UNREADABLE' });
    expect((await lstat(path)).isSymbolicLink()).toBe(true);
  });
});
