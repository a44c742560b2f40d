/** A bounded memory of what happened lately to whom: the oldest is forgotten first. */
import { find, first, insert, remove, sizeOf, type Order, type Tree } from './tree.ts';

type Entry<T> = Readonly<{ key: string; at: number; value: T }>;
export type Recent<T> = Readonly<{ byKey: Tree<Entry<T>>; byTime: Tree<Entry<T>> }>;

const keyOrder: Order<Entry<unknown>> = (a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0);
const timeOrder: Order<Entry<unknown>> = (a, b) => a.at - b.at || keyOrder(a, b);

export const nothingRecent: Recent<never> = { byKey: undefined, byTime: undefined };

function entryOf<T>(recent: Recent<T>, key: string): Entry<T> | undefined {
  return find(recent.byKey, (each) => (key < each.key ? -1 : key > each.key ? 1 : 0));
}

/** What is remembered of a key. */
export const recalled = <T>(recent: Recent<T>, key: string): T | undefined => entryOf(recent, key)?.value;

/** With a value for a key as of now; of more than `limit` keys the one remembered for longest goes. */
export function remembered<T>(recent: Recent<T>, key: string, value: T, facts: Readonly<{ now: number; limit: number }>): Recent<T> {
  const entry = { key, at: facts.now, value };
  const kept = forgotten(recent, key);
  const next = { byKey: insert(kept.byKey, entry, keyOrder), byTime: insert(kept.byTime, entry, timeOrder) };
  return sizeOf(next.byKey) > facts.limit ? forgotten(next, first(next.byTime)!.key) : next;
}

/** Without a key. */
export function forgotten<T>(recent: Recent<T>, key: string): Recent<T> {
  const entry = entryOf(recent, key);
  return entry ? { byKey: remove(recent.byKey, entry, keyOrder), byTime: remove(recent.byTime, entry, timeOrder) } : recent;
}

/** Without what is older than a moment. */
export function since<T>(recent: Recent<T>, moment: number): Recent<T> {
  let next = recent;
  for (let oldest = first(next.byTime); oldest && oldest.at < moment; oldest = first(next.byTime)) next = forgotten(next, oldest.key);
  return next;
}
