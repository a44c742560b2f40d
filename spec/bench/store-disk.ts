/** A disk that loses power: system calls of a traced process in, and out come the files as they may be found afterwards. Nothing but a sync makes anything last. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Random } from '../../transports/clock.ts';

/** A system call that changes files, or bytes written to standard output. */
export type DiskCall =
  | Readonly<{ type: 'write'; path: string; at: number; bytes: Buffer }>
  | Readonly<{ type: 'truncate'; path: string; size: number }>
  | Readonly<{ type: 'create' | 'unlink' | 'sync'; path: string }>
  | Readonly<{ type: 'said'; text: string }>;

/** Reads one line of `strace -y -xx`; undefined when it changes nothing. */
export function diskCallOf(line: string): DiskCall | undefined {
  const [, name = '', rest = '', result = ''] = /^(\w+)\((.*)\) += (-?\d+)/.exec(line) ?? [];
  if (Number(result) < 0) return undefined;
  const path = unescape(/^\d+<([^>]*)>/.exec(rest)?.[1] ?? '').toString();
  const quoted = (): Buffer => unescape(/"([^"]*)"/.exec(rest)?.[1] ?? '');
  const last = Number(/(\d+)$/.exec(rest)?.[1]);
  switch (name) {
    case 'pwrite64':
      return { type: 'write', path, at: last, bytes: quoted() };
    case 'write':
      return rest.startsWith('1<') ? { type: 'said', text: quoted().toString() } : undefined;
    case 'ftruncate':
      return { type: 'truncate', path, size: last };
    case 'fsync':
    case 'fdatasync':
      return { type: 'sync', path };
    case 'openat':
      return /O_CREAT/.test(rest) ? { type: 'create', path: quoted().toString() } : undefined;
    case 'unlink':
      return { type: 'unlink', path: quoted().toString() };
    default:
      return undefined;
  }
}

const unescape = (text: string): Buffer => Buffer.from(text.replaceAll('\\x', ''), 'hex');

const sectorBytes = 512;
type Change = Readonly<{ at: number; bytes: Buffer }> | Readonly<{ size: number }>;
/** `name` says whether the file will have its name after a power loss, or whether chance decides. */
type File = { content: Buffer; changes: Change[]; name: 'sure' | 'chance' };

export class Disk {
  readonly #folder: string;
  readonly #files = new Map<string, File>();
  /** Files that were unlinked, until the folder is synced. */
  #unlinked: [name: string, file: File][] = [];

  /** Only files in this folder matter. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  apply(call: DiskCall): void {
    if (call.type === 'said') return;
    if (call.type === 'sync' && call.path === this.#folder) {
      for (const file of this.#files.values()) file.name = 'sure';
      this.#unlinked = [];
      return;
    }
    const name = basename(call.path);
    // The lock is empty for ever, and the index of the log is not written but mapped: SQLite makes it anew.
    if (join(this.#folder, name) !== call.path || !/^peers\.db(?:-wal|-journal)?$/.test(name)) return;
    const file = this.#files.get(name) ?? { content: Buffer.alloc(0), changes: [], name: 'chance' };
    if (call.type === 'unlink') {
      this.#unlinked.push([name, file]);
      this.#files.delete(name);
      return;
    }
    this.#files.set(name, file);
    if (call.type === 'write') file.changes.push({ at: call.at, bytes: call.bytes });
    if (call.type === 'truncate') file.changes.push({ size: call.size });
    if (call.type === 'sync') {
      for (const change of file.changes) file.content = changed(file.content, change);
      file.changes = [];
    }
  }

  /** Whether everything written to a file is on disk. */
  isSynced(): boolean {
    return [...this.#files.values()].every(({ changes }) => changes.length === 0);
  }

  /** Leaves in a folder what a power loss at this moment could leave: of what was not synced some sectors, some cuts, some names. */
  loseInto(folder: string, random: Random): void {
    mkdirSync(folder, { recursive: true });
    const put = (name: string, { content, changes }: File): void => {
      let bytes = content;
      for (const change of changes) for (const part of sectorsOf(change)) if (random() < 0.5) bytes = changed(bytes, part);
      writeFileSync(join(folder, name), bytes);
    };
    for (const [name, file] of this.#unlinked) if (random() < 0.5) put(name, file);
    for (const [name, file] of this.#files) if (file.name === 'sure' || random() < 0.5) put(name, file);
  }
}

function changed(content: Buffer, change: Change): Buffer {
  if ('size' in change) return change.size <= content.length ? content.subarray(0, change.size) : padded(content, change.size);
  const bytes = Buffer.from(padded(content, change.at + change.bytes.length));
  change.bytes.copy(bytes, change.at);
  return bytes;
}

const padded = (content: Buffer, size: number): Buffer =>
  content.length >= size ? content : Buffer.concat([content, Buffer.alloc(size - content.length)]);

/** The parts of a change that a disk writes or does not write, each as a whole. */
function sectorsOf(change: Change): readonly Change[] {
  if ('size' in change) return [change];
  const parts: Change[] = [];
  for (let from = 0; from < change.bytes.length;) {
    const to = Math.min(change.bytes.length, (Math.floor((change.at + from) / sectorBytes) + 1) * sectorBytes - change.at);
    parts.push({ at: change.at + from, bytes: change.bytes.subarray(from, to) });
    from = to;
  }
  return parts;
}
