/** A persistent ordered set: a weight-balanced tree whose every change costs a path from the root, so old versions stay valid. It knows nothing of peers. */

/** An empty set is undefined. Items that compare equal are the same item. */
export type Tree<T> = Branch<T> | undefined;
type Branch<T> = Readonly<{ item: T; left: Tree<T>; right: Tree<T>; size: number }>;

/** Negative when the first comes first, 0 when both are the same item. */
export type Order<T> = (a: T, b: T) => number;

/** Weights of the balance (Adams 1993, with the corrected pair): no side weighs more than three times the other. */
const delta = 3;
const ratio = 2;

export const sizeOf = (tree: Tree<unknown>): number => tree?.size ?? 0;

function branch<T>(item: T, left: Tree<T>, right: Tree<T>): Branch<T> {
  return { item, left, right, size: sizeOf(left) + sizeOf(right) + 1 };
}

function balance<T>(item: T, left: Tree<T>, right: Tree<T>): Branch<T> {
  const [l, r] = [sizeOf(left), sizeOf(right)];
  if (l + r <= 1) return branch(item, left, right);
  if (right && r > delta * l) {
    const inner = right.left;
    if (inner && sizeOf(inner) >= ratio * sizeOf(right.right)) {
      return branch(inner.item, branch(item, left, inner.left), branch(right.item, inner.right, right.right));
    }
    return branch(right.item, branch(item, left, inner), right.right);
  }
  if (left && l > delta * r) {
    const inner = left.right;
    if (inner && sizeOf(inner) >= ratio * sizeOf(left.left)) {
      return branch(inner.item, branch(left.item, left.left, inner.left), branch(item, inner.right, right));
    }
    return branch(left.item, left.left, branch(item, inner, right));
  }
  return branch(item, left, right);
}

/** The set with the item in it, in place of an equal one. */
export function insert<T>(tree: Tree<T>, item: T, order: Order<T>): Tree<T> {
  if (!tree) return branch(item, undefined, undefined);
  const side = order(item, tree.item);
  if (side === 0) return branch(item, tree.left, tree.right);
  return side < 0
    ? balance(tree.item, insert(tree.left, item, order), tree.right)
    : balance(tree.item, tree.left, insert(tree.right, item, order));
}

/** The set without the item; the same set when it is not in it. */
export function remove<T>(tree: Tree<T>, item: T, order: Order<T>): Tree<T> {
  if (!tree) return undefined;
  const side = order(item, tree.item);
  if (side < 0) {
    const left = remove(tree.left, item, order);
    return left === tree.left ? tree : balance(tree.item, left, tree.right);
  }
  if (side > 0) {
    const right = remove(tree.right, item, order);
    return right === tree.right ? tree : balance(tree.item, tree.left, right);
  }
  if (!tree.left) return tree.right;
  if (!tree.right) return tree.left;
  const heir = first(tree.right)!;
  return balance(heir, tree.left, remove(tree.right, heir, order));
}

/** The item for which `side` gives 0; `side` is negative when what is sought comes before the item it is given. */
export function find<T>(tree: Tree<T>, side: (item: T) => number): T | undefined {
  let at = tree;
  while (at) {
    const turn = side(at.item);
    if (turn === 0) return at.item;
    at = turn < 0 ? at.left : at.right;
  }
  return undefined;
}

export function first<T>(tree: Tree<T>): T | undefined {
  let at = tree;
  while (at?.left) at = at.left;
  return at?.item;
}

export function last<T>(tree: Tree<T>): T | undefined {
  let at = tree;
  while (at?.right) at = at.right;
  return at?.item;
}

/** The item at a position, counted from 0. */
export function nth<T>(tree: Tree<T>, position: number): T | undefined {
  let at = tree;
  let index = position;
  while (at) {
    const before = sizeOf(at.left);
    if (index === before) return at.item;
    if (index < before) at = at.left;
    else {
      index -= before + 1;
      at = at.right;
    }
  }
  return undefined;
}

/** Every item in order. */
export function* itemsOf<T>(tree: Tree<T>): Generator<T> {
  const path: Branch<T>[] = [];
  let at = tree;
  while (at || path.length > 0) {
    while (at) {
      path.push(at);
      at = at.left;
    }
    const next = path.pop()!;
    yield next.item;
    at = next.right;
  }
}

/** A balanced set of items that are in order already, in linear time. */
export function fromSorted<T>(items: readonly T[], from = 0, to = items.length): Tree<T> {
  if (from >= to) return undefined;
  const middle = (from + to) >> 1;
  return branch(items[middle]!, fromSorted(items, from, middle), fromSorted(items, middle + 1, to));
}
