/** What disks do to files: a peer database damaged by chance, and the rows that reading it afterwards may miss. */
import type { Random } from '../../transports/clock.ts';

const pageBytes = 4_096;
/** First byte of a page of the table, by SQLite's file format: rows alone, and rows with pages below them. */
const leaf = 0x0a;

export const damages = [
  'two bytes',
  'a sector of noise',
  'a page of noise',
  'a page of zeros',
  'two pages swapped',
  'a shorter file',
] as const;

export type Damaged = Readonly<{
  kind: (typeof damages)[number];
  bytes: Buffer;
  /** Rows that lie in damaged pages, as far as the others can be reached without them; undefined where that cannot be said. */
  hidden: ReadonlySet<string> | undefined;
}>;

/** A damaged copy of a database file. */
export function damagedCopy(file: Buffer, random: Random): Damaged {
  const bytes = Buffer.from(file);
  const upTo = (most: number): number => Math.floor(random() * most);
  const kind = damages[upTo(damages.length)]!;
  const pages = file.length / pageBytes;
  const hit = new Set<number>();
  const noise = (from: number, length: number): void => {
    for (let at = from; at < from + length; at++) bytes[at] = upTo(256);
    hit.add(Math.floor(from / pageBytes));
  };
  switch (kind) {
    case 'two bytes':
      for (const at of [upTo(file.length), upTo(file.length)]) noise(at, 1);
      break;
    case 'a sector of noise':
      noise(upTo(file.length / 512) * 512, 512);
      break;
    case 'a page of noise':
      noise(upTo(pages) * pageBytes, pageBytes);
      break;
    case 'a page of zeros': {
      const page = upTo(pages);
      bytes.fill(0, page * pageBytes, (page + 1) * pageBytes);
      hit.add(page);
      break;
    }
    case 'two pages swapped': {
      const [a, b] = [upTo(pages), upTo(pages)];
      file.copy(bytes, a * pageBytes, b * pageBytes, (b + 1) * pageBytes);
      file.copy(bytes, b * pageBytes, a * pageBytes, (a + 1) * pageBytes);
      hit.add(a).add(b);
      break;
    }
    case 'a shorter file':
      return { kind, bytes: bytes.subarray(0, upTo(file.length)), hidden: undefined };
  }
  return { kind, bytes, hidden: hiddenIn(file, hit) };
}

function hiddenIn(file: Buffer, pages: ReadonlySet<number>): ReadonlySet<string> | undefined {
  const hidden = new Set<string>();
  for (const page of pages) {
    const start = page * pageBytes;
    // The first page has the schema; a page with others below it hides more than its own rows.
    if (page === 0 || file[start] !== leaf) return undefined;
    for (const [id] of file.toString('latin1', start, start + pageBytes).matchAll(/[0-9a-f]{40}(?=\{)/g)) hidden.add(id);
  }
  return hidden;
}
