/** Counts by key that never change in place. Zero is not kept. */
import { find, fromSorted, insert, remove, type Order, type Tree } from './tree.ts';

type Count = Readonly<{ key: string; count: number }>;
export type Tally = Tree<Count>;

const byKey: Order<Count> = (a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0);

export function countOf(tally: Tally, key: string): number {
  return find(tally, (each) => (key < each.key ? -1 : key > each.key ? 1 : 0))?.count ?? 0;
}

/** Counts many at once for a tally; the empty key is not counted. */
export class Counts {
  readonly #byKey = new Map<string, { readonly key: string; count: number }>();

  add(key: string): void {
    if (key === '') return;
    const known = this.#byKey.get(key);
    if (known) known.count += 1;
    else this.#byKey.set(key, { key, count: 1 });
  }

  tally(): Tally {
    // No two have the same key, so one comparison says it all.
    return fromSorted([...this.#byKey.values()].sort((a, b) => (a.key < b.key ? -1 : 1)));
  }
}

/** The tally with a key's count changed; the empty key is not counted. */
export function counted(tally: Tally, key: string, change: number): Tally {
  if (key === '' || change === 0) return tally;
  const count = countOf(tally, key) + change;
  return count > 0 ? insert(tally, { key, count }, byKey) : remove(tally, { key, count }, byKey);
}
