/** What is to happen next, as an assertion that lets virtual time pass until it has, or until it cannot any more. */
import { TroupeError } from '../proto/errors.ts';

/** Whether things are to happen in the order in which they are listed. */
export type Order = 'given' | 'any';

/** Longest wait where none is given, in virtual milliseconds. */
export const defaultWithinMs = 1_000;

export type NextExpected<T, E> = Readonly<{
  /** What has happened and was not read yet, oldest first; what is expected is taken from its front. */
  unread: T[];
  expected: readonly E[];
  matches: (happened: T, expected: E) => boolean;
  what: string;
  /** What a failure shows of something that happened; all of it if left out. */
  shown?: (happened: T) => unknown;
  withinMs?: number;
  order?: Order;
  /** Lets time pass until a condition holds or so many milliseconds are over; says whether it holds. */
  until: (isDone: () => boolean, withinMs: number) => Promise<boolean>;
}>;

/** Takes what is expected from what happens next. @throws TroupeError `ERR_EXPECTATION_FAILED`. */
export async function expectNext<T, E>(next: NextExpected<T, E>): Promise<void> {
  const { unread, expected, order = 'given', withinMs = defaultWithinMs } = next;
  const look = (): Found => (order === 'given' ? inOrder(next) : inAnyOrder(next));
  await next.until(() => look() !== 'early', withinMs);
  const found = look();
  if (found === 'all') return void unread.splice(0, expected.length);
  const seen = unread.slice(0, expected.length + 3).map((each) => show(next.shown?.(each) ?? each));
  throw new TroupeError(
    'ERR_EXPECTATION_FAILED',
    `${next.what}: expected ${expected.length} ${order === 'any' ? 'in any order' : 'in order'}${found === 'early' ? ` within ${withinMs} ms` : ''}: ` +
      `${expected.map((each) => show(each)).join(', ')}; saw ${seen.length === 0 ? 'nothing' : seen.join(', ')}`,
  );
}

type Found = 'all' | 'early' | 'other';

function inOrder<T, E>({ unread, expected, matches }: NextExpected<T, E>): Found {
  for (const [place, wanted] of expected.entries()) {
    const happened = unread[place];
    if (happened === undefined) return 'early';
    if (!matches(happened, wanted)) return 'other';
  }
  return 'all';
}

function inAnyOrder<T, E>({ unread, expected, matches }: NextExpected<T, E>): Found {
  const missing = [...expected];
  for (const happened of unread.slice(0, expected.length)) {
    const place = missing.findIndex((wanted) => matches(happened, wanted));
    if (place < 0) return 'other';
    missing.splice(place, 1);
  }
  return missing.length === 0 ? 'all' : 'early';
}

/** A value as a failure shows it: short, ids cut to eight characters, functions as such. */
export function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'function'
      ? '(a condition)'
      : typeof inner === 'bigint'
        ? String(inner)
        : inner instanceof Uint8Array
          ? Buffer.from(inner).toString('hex').slice(0, 64)
          : inner,
  );
  return text.slice(0, 240);
}
