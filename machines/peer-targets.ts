/**
 * Whom to dial next: the addresses of peers at rest, by the time they may be dialed and, from then on, by promise.
 * Those of ordinary peers are kept by network too, so that a network with its share of connections costs one look, however many addresses it has.
 */
import type { NodeId } from '../proto/identity.ts';
import type { AddressRow, PeerRow } from './peer-row.ts';
import { groupOfAddress } from './policy/place.ts';
import { compareAddresses, restingUntil } from './policy/retry.ts';
import { scoreRank } from './policy/score.ts';
import { byId, byReach, lastFailureOf, lastSuccessOf, pickIndex } from './policy/select.ts';
import { countOf, counted, type Tally } from './policy/tally.ts';
import { find, first, fromSorted, insert, nth, remove, sizeOf, sortedBy, type Order, type Tree } from './policy/tree.ts';

/** What the order depends on besides the rows; fixed for the life of a manager. */
export type TargetRules = Readonly<{
  cooldownMs: number;
  /** Dialed before all others, wherever they are. */
  persistent: ReadonlySet<NodeId>;
  /** Dialed wherever they are. */
  unconditional: ReadonlySet<NodeId>;
  /** Connections to one network. */
  outboundPerGroup: number;
  loopbackIsPublic: boolean;
}>;

/** One address of a peer at rest. */
export type Target = Readonly<{
  row: PeerRow;
  address: AddressRow;
  /** When it may be dialed. */
  at: number;
  /** The network whose share it takes; empty when it takes none. */
  group: string;
  rank: number;
}>;

type Group = Readonly<{ name: string; targets: Tree<Target> }>;

export type Targets = Readonly<{
  rules: TargetRules;
  /** Whoever may be dialed by now is due. */
  now: number;
  /** Not yet to be dialed, by the time they may. */
  waiting: Tree<Target>;
  /** Due: those of persistent peers, those of all others, best first. */
  persistent: Tree<Target>;
  due: Tree<Target>;
  /** Due, but of peers that had to make room: they wait for a slot. */
  displaced: Tree<Target>;
  /** The due ones by network. */
  groups: Tree<Group>;
  /** The best of each network that has not got its share. */
  heads: Tree<Target>;
  /** Outbound connections and dials by network. */
  busy: Tally;
}>;

const byName: Order<Group> = (a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
const byRank: Order<Target> = (a, b) => b.rank - a.rank || byReach(a.row, b.row) || compareAddresses(a.address, b.address);
const byTime: Order<Target> = (a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : byId(a.row, b.row) || compareAddresses(a.address, b.address));

export function noTargets(rules: TargetRules, now = 0): Targets {
  const none = undefined;
  return { rules, now, waiting: none, persistent: none, due: none, displaced: none, groups: none, heads: none, busy: none };
}

/** Instead of a network, for peers that need no slot. */
export const slotless = '*';

/** The network whose share an address of this peer takes; empty when it takes none. */
export function shareGroupOf(rules: TargetRules, id: NodeId, address: string): string {
  if (rules.persistent.has(id)) return '';
  if (rules.unconditional.has(id)) return slotless;
  return groupOfAddress(address, rules.loopbackIsPublic);
}

/** So that a time of 0 takes no memory of its own, as in `rowShapes`. */
export const targetShape: object = { row: '', address: '', at: '', group: '', rank: '' };

function targetsOf(rules: TargetRules, row: PeerRow): readonly Target[] {
  const rests = restingUntil(row, rules.cooldownMs);
  const rank = scoreRank(row);
  return row.addresses.map((address) => ({
    row,
    address,
    at: Math.max(rests, address.notBefore),
    group: shareGroupOf(rules, row.id, address.address),
    rank,
  }));
}

/** What `byRank` compares before ids, in its order, smallest first. */
const rankNumbers: readonly ((target: Target) => number)[] = [
  ({ rank }) => -rank,
  ({ row }) => -lastSuccessOf(row),
  ({ row }) => lastFailureOf(row),
];

/** The addresses of many peers, who come in the order of their ids; of one peer the best first. */
export function targetsOfAll(rules: TargetRules, rows: readonly PeerRow[]): readonly Target[] {
  const all: Target[] = [];
  for (const row of rows) {
    const targets = targetsOf(rules, row);
    for (const each of targets.length > 1 ? [...targets].sort(byRank) : targets) all.push(each);
  }
  return all;
}

/** All of them in their places: sorting once costs a fraction of filing them one by one. */
export function filedAtOnce(rules: TargetRules, targets: readonly Target[], now: number): Targets {
  const [waiting, due]: [Target[], Target[]] = [[], []];
  for (const each of targets) (each.at > now ? waiting : due).push(each);
  const [persistent, displaced, ordinary]: [Target[], Target[], Target[]] = [[], [], []];
  for (const each of sortedBy(due, rankNumbers)) {
    const { id, displacedAt } = each.row;
    (rules.persistent.has(id) ? persistent : displacedAt > 0 ? displaced : ordinary).push(each);
  }
  const groups = groupsOf(ordinary);
  return {
    rules,
    now,
    waiting: fromSorted(sortedBy(waiting, [({ at }) => at])),
    persistent: fromSorted(persistent),
    due: fromSorted(ordinary),
    displaced: fromSorted(displaced),
    // Networks came in the order of their best.
    heads: fromSorted(groups.map(({ targets }) => first(targets)!)),
    groups: fromSorted(groups.sort((a, b) => (a.name < b.name ? -1 : 1))),
    busy: undefined,
  };
}

/** Each network with its targets, in the order in which they come; networks in that of their first. Lists that grow one by one would leave as much garbage behind. */
function groupsOf(targets: readonly Target[]): Group[] {
  const numbers = new Map<string, number>();
  for (const { group } of targets) if (!numbers.has(group)) numbers.set(group, numbers.size);
  const together = sortedBy(targets, [({ group }) => numbers.get(group)!]);
  const groups: Group[] = [];
  for (let from = 0, to = 0; from < together.length; from = to) {
    const name = together[from]!.group;
    while (together[to]?.group === name) to += 1;
    groups.push({ name, targets: fromSorted(together, from, to) });
  }
  return groups;
}

/** With the addresses of a peer that has come to rest. */
export function filed(targets: Targets, row: PeerRow): Targets {
  return targetsOf(targets.rules, row).reduce(put, targets);
}

/** Without those of a peer that was at rest with this row. */
export function unfiled(targets: Targets, row: PeerRow): Targets {
  return targetsOf(targets.rules, row).reduce(take, targets);
}

function put(targets: Targets, target: Target): Targets {
  if (target.at > targets.now) return { ...targets, waiting: insert(targets.waiting, target, byTime) };
  if (targets.rules.persistent.has(target.row.id)) return { ...targets, persistent: insert(targets.persistent, target, byRank) };
  if (target.row.displacedAt > 0) return { ...targets, displaced: insert(targets.displaced, target, byRank) };
  const inGroup = insert(groupNamed(targets, target.group), target, byRank);
  return regrouped({ ...targets, due: insert(targets.due, target, byRank) }, target.group, inGroup);
}

function take(targets: Targets, target: Target): Targets {
  if (target.at > targets.now) return { ...targets, waiting: remove(targets.waiting, target, byTime) };
  if (targets.rules.persistent.has(target.row.id)) return { ...targets, persistent: remove(targets.persistent, target, byRank) };
  if (target.row.displacedAt > 0) return { ...targets, displaced: remove(targets.displaced, target, byRank) };
  const inGroup = remove(groupNamed(targets, target.group), target, byRank);
  return regrouped({ ...targets, due: remove(targets.due, target, byRank) }, target.group, inGroup);
}

function groupNamed(targets: Targets, name: string): Tree<Target> {
  return find(targets.groups, (each) => (name < each.name ? -1 : name > each.name ? 1 : 0))?.targets;
}

const isOpen = ({ rules, busy }: Targets, name: string): boolean => name === '' || countOf(busy, name) < rules.outboundPerGroup;

/** With other targets in a network, and its best among the heads if it is open. */
function regrouped(targets: Targets, name: string, inGroup: Tree<Target>): Targets {
  const before = first(groupNamed(targets, name));
  const after = first(inGroup);
  const group = { name, targets: inGroup };
  const groups = inGroup ? insert(targets.groups, group, byName) : remove(targets.groups, group, byName);
  if (before === after || !isOpen(targets, name)) return { ...targets, groups };
  const kept = before ? remove(targets.heads, before, byRank) : targets.heads;
  return { ...targets, groups, heads: after ? insert(kept, after, byRank) : kept };
}

/** With more or fewer connections to a network, which may close or open it. */
export function busied(targets: Targets, name: string, change: number): Targets {
  if (name === '' || change === 0) return targets;
  const next = { ...targets, busy: counted(targets.busy, name, change) };
  const [wasOpen, isOpenNow] = [isOpen(targets, name), isOpen(next, name)];
  const head = first(groupNamed(targets, name));
  if (wasOpen === isOpenNow || !head) return next;
  return { ...next, heads: isOpenNow ? insert(next.heads, head, byRank) : remove(next.heads, head, byRank) };
}

/** At a later time: whoever has become due is due. Each moves once, whatever the number of looks. */
export function targetsAt(targets: Targets, now: number): Targets {
  if (now <= targets.now) return targets;
  let next: Targets = { ...targets, now };
  for (let target = first(next.waiting); target && target.at <= now; target = first(next.waiting)) {
    next = put({ ...next, waiting: remove(next.waiting, target, byTime) }, target);
  }
  return next;
}

/** When `targetsAt` has something to do next; Infinity for never. */
export const nextTargetAt = ({ waiting }: Targets): number => first(waiting)?.at ?? Infinity;

/** A due one of an ordinary peer: the best, or, one pick in three, any whose network has room; a few throws of the dice, then the best. */
export function ordinaryTarget(targets: Targets, picks: number, roll: number): Target | undefined {
  const best = first(targets.heads);
  for (let throws = 0; best && throws < mostThrows; throws++) {
    const index = pickIndex(picks, (roll + throws * goldenRatio) % 1, sizeOf(targets.due));
    const target = index === 0 ? best : nth(targets.due, index)!;
    if (isOpen(targets, target.group)) return target;
  }
  return best;
}

const mostThrows = 8;
/** Multiples of it, modulo 1, never fall on the same place twice. */
export const goldenRatio = 0.618_033_988_749_895;

/** The best due one of a peer that is neither persistent nor needs a slot. */
export const slotlessTarget = (targets: Targets): Target | undefined => first(groupNamed(targets, slotless));

/** The best due one of a peer at rest in a network that has room, or anywhere, and however long it was to rest; undefined when it has none. */
export function targetOf(targets: Targets, row: PeerRow, where: 'open' | 'anywhere' = 'open'): Target | undefined {
  const due = targetsOf(targets.rules, row).filter(
    (each) => each.at <= targets.now && (where === 'anywhere' || isOpen(targets, each.group)),
  );
  return due.sort(byRank)[0];
}
