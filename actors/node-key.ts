/** The file that holds a node's key: one line of JSON, readable by its owner only. What it says is `proto/identity.ts`'s affair. */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { link, lstat, open, realpath, rename, unlink, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { TroupeError } from '../proto/errors.ts';
import { generateNodeKey, nodeKeyFromJson, nodeKeyToJson, type NodeKey } from '../proto/identity.ts';

/** A real file has about 200 bytes. */
const maxKeyFileBytes = 4_096;

/** A key as it was found. */
export type LoadedNodeKey = Readonly<{
  key: NodeKey;
  /** Others than the owner may read or write the file. It is left as it is, because a copy may be out already: tell the operator. */
  exposed: boolean;
}>;

/**
 * Reads a key file of either layout, through symbolic links (secrets are mounted that way).
 * @throws TroupeError `ERR_NODE_KEY_UNREADABLE` if there is no such file or it is not a regular one, `ERR_NODE_KEY_INVALID` for its contents or a size above 4 KiB.
 */
export async function loadNodeKey(path: string): Promise<LoadedNodeKey> {
  try {
    // Without O_NONBLOCK, opening a named pipe would wait for a writer for ever.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      return await readKey(file, path);
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

/** As `loadNodeKey`; where there is no file, makes a key and the file first. Of two processes at once, one makes it and both use it. @throws TroupeError as `loadNodeKey` and `saveNodeKey`. */
export async function loadOrMakeNodeKey(path: string): Promise<LoadedNodeKey & Readonly<{ made: boolean }>> {
  const made = !(await exists(path)) && (await writeKey(path, generateNodeKey(), placeNew));
  return { ...(await loadNodeKey(path)), made };
}

/**
 * Writes a key file with mode 0600, in place of the one before: after a crash there is the old or the new one, whole. The directory must exist.
 * Where the path is a symbolic link, what it points at is replaced. @throws TroupeError `ERR_NODE_KEY_UNREADABLE`.
 */
export async function saveNodeKey(path: string, key: NodeKey): Promise<void> {
  await writeKey(path, key, replace);
}

async function readKey(file: FileHandle, path: string): Promise<LoadedNodeKey> {
  const stats = await file.stat();
  if (!stats.isFile()) throw new TroupeError('ERR_NODE_KEY_UNREADABLE', `${path} is not a regular file`);
  if (stats.size > maxKeyFileBytes) throw new TroupeError('ERR_NODE_KEY_INVALID', `${path} has ${stats.size} bytes`);
  const bytes = Buffer.alloc(maxKeyFileBytes);
  const length = await fill(file, bytes);
  const key = nodeKeyFromJson(bytes.toString('utf8', 0, length));
  bytes.fill(0); // the secret's copies should be few
  // Windows has no such mode bits: it reports every file as open to all.
  const exposed = process.platform !== 'win32' && (stats.mode & 0o077) !== 0;
  return { key, exposed };
}

/** Reads until the buffer is full or the file ends: one read may give less than there is. */
async function fill(file: FileHandle, bytes: Buffer): Promise<number> {
  let length = 0;
  while (length < bytes.length) {
    const { bytesRead } = await file.read(bytes, length, bytes.length - length, length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return length;
}

type Place = (temporary: string, target: string) => Promise<boolean>;

/** Writes beside the target, syncs, and puts it in place; false when `place` found another file there. */
async function writeKey(path: string, key: NodeKey, place: Place): Promise<boolean> {
  try {
    const target = await targetOf(path);
    const temporary = `${target}.${process.pid}.${randomBytes(6).toString('hex')}.tmp`;
    try {
      await writeSynced(temporary, nodeKeyToJson(key));
      const placed = await place(temporary, target);
      await syncDirectory(dirname(target));
      return placed;
    } finally {
      await unlink(temporary).catch(() => undefined); // gone already when it was renamed
    }
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

async function writeSynced(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.chmod(0o600); // an odd umask may have taken the owner's rights away
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function replace(temporary: string, target: string): Promise<boolean> {
  await rename(temporary, target);
  return true;
}

/** A hard link fails where a file exists, which a rename would replace. */
async function placeNew(temporary: string, target: string): Promise<boolean> {
  try {
    await link(temporary, target);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    // Some file systems have no hard links; there, two processes that start at once are kept apart by the lock on the home.
    if (['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(codeOf(error))) return replace(temporary, target);
    throw error;
  }
}

/** The rename is durable once the directory is; not every platform can sync one. */
async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** The file itself behind a symbolic link. A link to nothing is an error: a new key there would be a new identity that nobody asked for. */
async function targetOf(path: string): Promise<string> {
  return (await exists(path)) ? realpath(path) : path;
}

/** Whether the name is taken, if only by a link to nothing. */
async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw unreadable(path, error);
  }
}

function codeOf(error: unknown): string {
  return String((error as NodeJS.ErrnoException).code);
}

function unreadable(path: string, cause: unknown): TroupeError {
  if (cause instanceof TroupeError) return cause;
  const code = codeOf(cause);
  return new TroupeError('ERR_NODE_KEY_UNREADABLE', code === 'ENOENT' ? `${path} does not exist` : `${path} (${code})`, { cause });
}
