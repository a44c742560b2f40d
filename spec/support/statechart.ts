/** A statechart as text: its transitions by name, and drawn as Mermaid state diagrams, one for each region. Printed from the machine itself, always the same way. */
import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from 'xstate';

/** One transition of a chart. `name` is unique in it and survives a change elsewhere. */
export type Edge = Readonly<{
  name: string;
  source: AnyStateNode;
  targets: readonly AnyStateNode[];
  label: string;
}>;

/** One picture: the direct children of a state, and what goes on between them. */
export type Region = Readonly<{ id: string; states: number; edges: number; text: string }>;

type Named = Readonly<{ name?: string; type?: string; guards?: readonly unknown[]; to?: unknown; event?: unknown; params?: unknown }>;

function guardName(guard: unknown): string {
  if (typeof guard === 'string') return guard;
  const { name = '', type = '', guards = [] } = guard as Named;
  if (name === 'and') return guards.map(guardName).join(' and ');
  if (name === 'or') return guards.map(guardName).join(' or ');
  if (name === 'not') return `not ${guards.map(guardName).join()}`;
  return type || name;
}

/** A built-in action says what it does; one that is only a function says nothing, and is to be given a name in the machine. */
function actionName(action: unknown): string {
  if (typeof action === 'string') return action;
  const { type = '', name = '', to, event } = action as Named;
  if (type === 'xstate.sendTo') return `tell ${String(to)} ${(event as { type: string }).type}`;
  return type || name;
}

/** What has no name in the machine has none in its diagram either, which a spec finds. */
export const nameless = /\bxstate\.(assign|enqueueActions|emit|raise|spawnChild)\b|\[\s*\]|\/ *$|, *,/;

function eventName(event: string): string {
  const [, kind, rest = ''] = /^xstate\.(done\.actor|error\.actor|after)\.(.*)$/.exec(event) ?? [];
  if (kind === 'after') return `after ${rest.split('.')[0]}`;
  if (kind) return `${rest === '*' ? 'a child' : rest} ${kind === 'done.actor' ? 'done' : 'failed'}`;
  return event === '' ? 'always' : event;
}

function labelOf(transition: AnyTransitionDefinition): string {
  const guard = transition.guard ? ` [${guardName(transition.guard)}]` : '';
  const actions = transition.actions.length > 0 ? ` / ${transition.actions.map(actionName).join(', ')}` : '';
  return `${eventName(transition.eventType)}${guard}${actions}`;
}

/** The name of a transition: where it starts, what takes it, and, of several for one event, its guard. */
export function edgeName(transition: AnyTransitionDefinition): string {
  const guard = transition.guard ? ` [${guardName(transition.guard)}]` : '';
  return `${transition.source.id}: ${eventName(transition.eventType)}${guard}`;
}

function nodesOf(node: AnyStateNode): readonly AnyStateNode[] {
  return [node, ...Object.values(node.states).flatMap(nodesOf)];
}

function edgesFrom(node: AnyStateNode): readonly Edge[] {
  const all = [...(node.always ?? []), ...[...node.transitions.values()].flat()] as AnyTransitionDefinition[];
  return all.map((transition) => ({
    name: edgeName(transition),
    source: node,
    targets: (transition.target ?? []) as readonly AnyStateNode[],
    label: labelOf(transition),
  }));
}

/** Every transition of a machine, in the order in which it is written. */
export function edgesOf(machine: AnyStateMachine): readonly Edge[] {
  return nodesOf(machine.root).flatMap(edgesFrom);
}

const isWithin = (node: AnyStateNode, ancestor: AnyStateNode): boolean => node === ancestor || node.id.startsWith(`${ancestor.id}.`);

/** The timer of an `after`, which has an arrow of its own. */
const isTimer = (action: unknown): boolean => /^xstate\.(raise|cancel)$/.test(actionName(action));
const effectsOf = (when: string, actions: readonly unknown[]): readonly string[] => {
  const own = actions.filter((each) => !isTimer(each));
  return own.length > 0 ? [`${when} / ${own.map(actionName).join(', ')}`] : [];
};

/** What a state does while it lasts, on the way in and on the way out. */
function linesOf(node: AnyStateNode): readonly string[] {
  return [
    ...node.invoke.map((each) => `does ${typeof each.src === 'string' ? each.src : each.id}`),
    ...effectsOf('entry', node.entry),
    ...effectsOf('exit', node.exit),
  ];
}

/** Where an edge points in the picture of a region's children: one of them, or the outside. Undefined when it stays where it is. */
function pointsTo(region: AnyStateNode, from: AnyStateNode, { targets }: Edge): string | undefined {
  const inside = targets.find((target) => isWithin(target, region) && target !== region);
  if (inside) {
    const child = Object.values(region.states).find((each) => isWithin(inside, each))!;
    return child === from && inside !== from ? undefined : child.key;
  }
  return targets.length > 0 ? '[*]' : undefined;
}

function draw(region: AnyStateNode): Region {
  const children = Object.values(region.states);
  const lines: string[] = [];
  let edges = 0;
  for (const child of children) {
    const isCompound = Object.keys(child.states).length > 0;
    lines.push(`  state "${child.key}${isCompound ? ' …' : ''}" as ${child.key}`);
    const inner = edgesFrom(child).filter((edge) => edge.targets.length === 0);
    for (const line of [...linesOf(child), ...inner.map(({ label }) => label)]) lines.push(`  ${child.key} : ${line}`);
    edges += inner.length;
  }
  const initial = region.initial.target[0] as AnyStateNode | undefined;
  if (initial) lines.push(`  [*] --> ${initial.key}`);
  const drawn = new Set<string>();
  for (const child of children) {
    for (const edge of nodesOf(child).flatMap(edgesFrom)) {
      const to = pointsTo(region, child, edge);
      const line = `  ${child.key} --> ${to} : ${edge.label}`;
      if (to === undefined || drawn.has(line)) continue;
      drawn.add(line);
      lines.push(line);
      edges += 1;
    }
    if (child.type === 'final') lines.push(`  ${child.key} --> [*]`);
  }
  return { id: region.id, states: children.length, edges, text: ['stateDiagram-v2', ...lines].join('\n') };
}

/** A picture of each state that has states which exclude each other, outermost first. */
export function regionsOf(machine: AnyStateMachine): readonly Region[] {
  return nodesOf(machine.root)
    .filter((node) => node.type === 'compound')
    .map(draw);
}

/** What is handled in whatever state: by states that are made of others and are no part of a picture. */
function sharedOf(machine: AnyStateMachine): readonly string[] {
  const shared = nodesOf(machine.root).filter((node) => Object.keys(node.states).length > 0 && node.parent?.type !== 'compound');
  return shared.flatMap((node) => {
    const labels = [...linesOf(node), ...edgesFrom(node).map(({ label, targets }) => label + targets.map(({ key }) => ` → ${key}`).join())];
    return labels.length === 0 ? [] : [`Anywhere in \`${node.id}\`:\n\n${labels.map((label) => `- \`${label}\``).join('\n')}`];
  });
}

function outline(node: AnyStateNode, depth = 0): string {
  const kind = node.type === 'parallel' ? ' (all at once)' : node.type === 'compound' ? ' (one of)' : '';
  const inner = Object.values(node.states)
    .filter((each) => each.type === 'parallel' || each.type === 'compound')
    .map((each) => outline(each, depth + 1))
    .join('');
  return `${'  '.repeat(depth)}- \`${node.id}\`${kind}: ${Object.keys(node.states).join(', ')}\n${inner}`;
}

/** The page of a machine. */
export function statechartPage(machine: AnyStateMachine, source: string, intro: string): string {
  const pictures = regionsOf(machine).map(({ id, text }) => `## ${id}\n\n\`\`\`mermaid\n${text}\n\`\`\``);
  return [
    `# The machine \`${machine.id}\``,
    `Printed from \`${source}\` by \`npm run docs\`; a spec compares the two.`,
    intro,
    'An arrow reads *event [guard] / actions*. A state with … has states of its own, drawn below; an arrow to the end leaves the picture. A line inside a state is handled without leaving it.',
    outline(machine.root).trimEnd(),
    ...sharedOf(machine),
    ...pictures,
  ]
    .join('\n\n')
    .trimEnd()
    .concat('\n');
}
