/** Waiting with an end: every wait of the suite is named, so that a hang is a named failure. */

/** The value of `work`, or an error that says what did not come. */
export async function within<T>(ms: number, what: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${ms} ms for ${what}`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

const lookMs = 50;

/** Waits until `look` gives something, looking often. */
export async function until<T>(ms: number, what: string, look: () => T | undefined | false | Promise<T | undefined | false>): Promise<T> {
  const end = performance.now() + ms;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > end) throw new Error(`waited ${ms} ms for ${what}`);
    await pause(lookMs);
  }
}

/** Throws unless a claim holds. */
export function check(claim: boolean, text: string): asserts claim {
  if (!claim) throw new Error(text);
}

/** Throws unless both are the same, compared as JSON. */
export function same(got: unknown, wanted: unknown, what: string): void {
  const [left, right] = [got, wanted].map((value) =>
    JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? `${each}n` : each)),
  );
  if (left !== right) throw new Error(`${what}: got ${left?.slice(0, 300)}, wanted ${right?.slice(0, 300)}`);
}

/** The code of an error, or its text if it has none. */
export function codeOf(error: unknown): string {
  return error instanceof Error ? ((error as { code?: string }).code ?? error.message) : String(error);
}

/** What `work` fails with; throws if it does not fail. */
export async function failure(what: string, work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return error;
  }
  throw new Error(`${what} succeeded`);
}
