/**
 * A persistent ordered set: a weight-balanced tree whose every change costs a path from the root, so old versions stay valid. It knows nothing of peers.
 * Its lowest level are small sorted lists: with a branch for each item the tree would weigh three times as much.
 */

/** An empty set is undefined. Items that compare equal are the same item. */
export type Tree<T> = Branch<T> | Leaf<T> | undefined;
type Leaf<T> = readonly T[];
type Branch<T> = Readonly<{ item: T; left: Tree<T>; right: Tree<T>; size: number }>;

/** Negative when the first comes first, 0 when both are the same item. */
export type Order<T> = (a: T, b: T) => number;

/** Whatever fits into one leaf is one. */
const mostInLeaf = 16;
/** Weights of the balance (Adams 1993, with the corrected pair): no side weighs more than three times the other. */
const delta = 3;
const ratio = 2;

const isLeaf = <T>(tree: Branch<T> | Leaf<T>): tree is Leaf<T> => Array.isArray(tree);

export const sizeOf = (tree: Tree<unknown>): number => (!tree ? 0 : isLeaf(tree) ? tree.length : tree.size);

const leafOf = <T>(items: Leaf<T>): Tree<T> => (items.length > 0 ? items : undefined);

/** A set that is not empty as a branch, so that it can be turned. */
function opened<T>(tree: Branch<T> | Leaf<T>): Branch<T> {
  if (!isLeaf(tree)) return tree;
  const middle = tree.length >> 1;
  return { item: tree[middle]!, left: leafOf(tree.slice(0, middle)), right: leafOf(tree.slice(middle + 1)), size: tree.length };
}

/** What is left of the item, the item, and what is right of it; the sides are as balanced as one change leaves them. */
function join<T>(item: T, left: Tree<T>, right: Tree<T>): Tree<T> {
  const [l, r] = [sizeOf(left), sizeOf(right)];
  if (l + r < mostInLeaf) return [...itemsOf(left), item, ...itemsOf(right)];
  if (right && r > delta * l) {
    const { item: pivot, left: inner, right: outer } = opened(right);
    if (!inner || sizeOf(inner) < ratio * sizeOf(outer)) return branch(pivot, join(item, left, inner), outer);
    const turned = opened(inner);
    return branch(turned.item, join(item, left, turned.left), join(pivot, turned.right, outer));
  }
  if (left && l > delta * r) {
    const { item: pivot, left: outer, right: inner } = opened(left);
    if (!inner || sizeOf(inner) < ratio * sizeOf(outer)) return branch(pivot, outer, join(item, inner, right));
    const turned = opened(inner);
    return branch(turned.item, join(pivot, outer, turned.left), join(item, turned.right, right));
  }
  return branch(item, left, right);
}

function branch<T>(item: T, left: Tree<T>, right: Tree<T>): Branch<T> {
  return { item, left, right, size: sizeOf(left) + sizeOf(right) + 1 };
}

/** Where in a list the first item is that does not come before what is sought: `side` is positive for those that do. */
function placeIn<T>(items: Leaf<T>, side: (item: T) => number): number {
  let [from, to] = [0, items.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (side(items[middle]!) > 0) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** The set with the item in it, in place of an equal one. */
export function insert<T>(tree: Tree<T>, item: T, order: Order<T>): Tree<T> {
  if (!tree) return [item];
  if (isLeaf(tree)) {
    const at = placeIn(tree, (each) => order(item, each));
    const isKnown = at < tree.length && order(item, tree[at]!) === 0;
    const items = [...tree.slice(0, at), item, ...tree.slice(isKnown ? at + 1 : at)];
    return items.length > mostInLeaf ? opened(items) : items;
  }
  const side = order(item, tree.item);
  if (side === 0) return { ...tree, item };
  return side < 0
    ? join(tree.item, insert(tree.left, item, order), tree.right)
    : join(tree.item, tree.left, insert(tree.right, item, order));
}

/** The set without the item; the same set when it is not in it. */
export function remove<T>(tree: Tree<T>, item: T, order: Order<T>): Tree<T> {
  if (!tree) return undefined;
  if (isLeaf(tree)) {
    const at = placeIn(tree, (each) => order(item, each));
    if (at === tree.length || order(item, tree[at]!) !== 0) return tree;
    return leafOf([...tree.slice(0, at), ...tree.slice(at + 1)]);
  }
  const side = order(item, tree.item);
  if (side < 0) {
    const left = remove(tree.left, item, order);
    return left === tree.left ? tree : join(tree.item, left, tree.right);
  }
  if (side > 0) {
    const right = remove(tree.right, item, order);
    return right === tree.right ? tree : join(tree.item, tree.left, right);
  }
  const heir = first(tree.right);
  return heir === undefined ? tree.left : join(heir, tree.left, remove(tree.right, heir, order));
}

/** The item for which `side` gives 0; `side` is negative when what is sought comes before the item it is given. */
export function find<T>(tree: Tree<T>, side: (item: T) => number): T | undefined {
  let at = tree;
  while (at && !isLeaf(at)) {
    const turn = side(at.item);
    if (turn === 0) return at.item;
    at = turn < 0 ? at.left : at.right;
  }
  const item = at?.[placeIn(at, side)];
  return item !== undefined && side(item) === 0 ? item : undefined;
}

export function first<T>(tree: Tree<T>): T | undefined {
  let at = tree;
  while (at && !isLeaf(at)) {
    if (!at.left) return at.item;
    at = at.left;
  }
  return at?.[0];
}

export function last<T>(tree: Tree<T>): T | undefined {
  let at = tree;
  while (at && !isLeaf(at)) {
    if (!at.right) return at.item;
    at = at.right;
  }
  return at?.at(-1);
}

/** The item at a position, counted from 0. */
export function nth<T>(tree: Tree<T>, position: number): T | undefined {
  let at = tree;
  let index = position;
  while (at && !isLeaf(at)) {
    const before = sizeOf(at.left);
    if (index === before) return at.item;
    at = index < before ? at.left : at.right;
    if (index > before) index -= before + 1;
  }
  return at?.[index];
}

/** Every item in order. */
export function* itemsOf<T>(tree: Tree<T>): Generator<T> {
  const path: Branch<T>[] = [];
  let at = tree;
  for (;;) {
    for (; at && !isLeaf(at); at = at.left) path.push(at);
    if (at) yield* at;
    const next = path.pop();
    if (!next) return;
    yield next.item;
    at = next.right;
  }
}

/** In order, the items that `isIn` takes, which takes none or all that follow the first it takes; those before it cost a walk down the tree. */
export function* itemsFrom<T>(tree: Tree<T>, isIn: (item: T) => boolean): Generator<T> {
  const path: Branch<T>[] = [];
  let at = tree;
  while (at && !isLeaf(at)) {
    const isTaken = isIn(at.item);
    if (isTaken) path.push(at);
    at = isTaken ? at.left : at.right;
  }
  if (at) yield* at.slice(placeIn(at, (item) => (isIn(item) ? 0 : 1)));
  for (let next = path.pop(); next; next = path.pop()) {
    yield next.item;
    yield* itemsOf(next.right);
  }
}

/** A balanced set of items that are in order already, in linear time. */
export function fromSorted<T>(items: readonly T[], from = 0, to = items.length): Tree<T> {
  if (to - from <= mostInLeaf) return leafOf(items.slice(from, to));
  const middle = (from + to) >> 1;
  return branch(items[middle]!, fromSorted(items, from, middle), fromSorted(items, middle + 1, to));
}

/** Items in the order of these numbers, smallest first, equal ones as they were. Each number is worked out once, and they lie side by side: sorting makes nothing for each item. */
export function sortedBy<T>(items: readonly T[], numbers: readonly ((item: T) => number)[]): readonly T[] {
  const columns = numbers.map((numberOf) => {
    const column = new Float64Array(items.length);
    for (let at = 0; at < items.length; at++) column[at] = numberOf(items[at]!);
    return column;
  });
  const places = new Uint32Array(items.length).map((_, at) => at);
  places.sort((a, b) => {
    for (const column of columns) {
      // A difference of dates would be an object in memory, a million times over.
      if (column[a]! < column[b]!) return -1;
      if (column[a]! > column[b]!) return 1;
    }
    return a - b;
  });
  const sorted = [...items];
  for (let at = 0; at < sorted.length; at++) sorted[at] = items[places[at]!]!;
  return sorted;
}
