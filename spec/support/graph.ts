/** Walks a model edge by edge: `xstate/graph` finds its states and the shortest way to each, and something real goes every way that the model can go. */
import { getAdjacencyMap } from 'xstate/graph';
import type { ActorLogic, EventObject, Snapshot } from 'xstate';

/** What can be explored. States are values; two with one key count as one, and the first that is found, by a shortest path, stands for both. */
export interface Model<S, E extends EventObject> {
  initial(): S;
  /** What can happen in a state. */
  events(state: S): readonly E[];
  next(state: S, event: E): S;
  key(state: S): string;
}

type Node<S, E> = { readonly key: string; readonly state: S; readonly edges: readonly Edge<S, E>[]; readonly path: readonly Edge<S, E>[] };
type Edge<S, E> = { readonly event: E; readonly name: string; readonly state: S; readonly key: string };
type Wrapped<S> = Snapshot<unknown> & { readonly state: S };

/** A model's states and edges. */
export type Graph<S, E extends EventObject> = Readonly<{
  model: Model<S, E>;
  nodes: ReadonlyMap<string, Node<S, E>>;
  states: number;
  edges: number;
}>;

/** The real thing, at the model's initial state when it is made. */
export interface Walker<S, E> {
  /** Does what the event says. The first time on an edge (`isNew`) it compares what came of it with the state that the model foretells. */
  step(event: E, foretold: S, isNew: boolean): void | Promise<void>;
  /** At the end of a journey: nothing may be left over. */
  end(): void | Promise<void>;
}

const nameOf = (event: EventObject): string => {
  const { type, ...rest } = event;
  return [type, ...Object.entries(rest).map(([key, value]) => `${key}=${String(value)}`)].join(' ');
};

/** Every state that the model can reach, each with a shortest path. @throws Error beyond `mostEdges`. */
export function explore<S, E extends EventObject>(model: Model<S, E>, mostEdges: number): Graph<S, E> {
  const wrap = (state: S): Wrapped<S> => ({ status: 'active', output: undefined, error: undefined, state });
  const logic = {
    getInitialSnapshot: () => wrap(model.initial()),
    transition: (snapshot: Wrapped<S>, event: E) => wrap(model.next(snapshot.state, event)),
    getPersistedSnapshot: (snapshot: Wrapped<S>) => snapshot,
  } as unknown as ActorLogic<Wrapped<S>, E>;
  const map = getAdjacencyMap(logic, {
    events: ({ state }) => model.events(state),
    serializeState: ({ state }) => model.key(state),
    serializeEvent: nameOf,
    limit: mostEdges,
  });
  const nodes = new Map<string, Node<S, E>>();
  const paths = new Map<unknown, readonly Edge<S, E>[]>();
  let count = 0;
  // In the order in which they were found, so that the way to a state is known before its own edges are looked at.
  type Found = Readonly<{ state: Wrapped<S>; transitions: Readonly<Record<string, Readonly<{ event: E; state: Wrapped<S> }>>> }>;
  for (const [key, { state: snapshot, transitions }] of Object.entries(map as unknown as Record<string, Found>)) {
    const path = paths.get(snapshot) ?? [];
    const edges = Object.entries(transitions).map(([name, { event, state: next }]): Edge<S, E> => {
      const edge = { event, name, state: next.state, key: model.key(next.state) };
      paths.set(next, [...path, edge]);
      return edge;
    });
    count += edges.length;
    nodes.set(key, { key, state: snapshot.state, edges, path });
  }
  return { model, nodes, states: nodes.size, edges: count };
}

/** Journeys longer than this are hard to read when they fail. */
const longestJourney = 100;
/** How far a journey goes over known ground to an edge that nobody has walked, before it ends. */
const longestDetour = 4;

/**
 * Walks every edge at least once. A journey takes the shortest path to a state with an edge that nobody has walked, and goes on to the nearest such edges as
 * long as there are any. A failure names the events since the start.
 */
export async function walkEveryEdge<S, E extends EventObject>({ model, nodes }: Graph<S, E>, start: () => Walker<S, E>): Promise<void> {
  const unwalked = new Map([...nodes.values()].map((node) => [node.key, new Set(node.edges.map(({ name }) => name))]));
  const [first] = nodes.values();
  for (const origin of nodes.values()) {
    while (unwalked.get(origin.key)!.size > 0) {
      const walker = start();
      const names: string[] = [];
      let [key, state] = [first!.key, first!.state];
      const go = async (edge: Edge<S, E>): Promise<void> => {
        const foretold = state === nodes.get(key)?.state ? edge.state : model.next(state, edge.event);
        names.push(edge.name);
        await walker.step(edge.event, foretold, unwalked.get(key)?.delete(edge.name) ?? false);
        [key, state] = [model.key(foretold), foretold];
      };
      try {
        for (
          let way = origin.path.length > 0 ? origin.path : wayToUnwalked(nodes, unwalked, key);
          way.length > 0 && names.length < longestJourney;
          way = wayToUnwalked(nodes, unwalked, key)
        ) {
          for (const edge of way) {
            // What stands for a state may go another way than the one that is there.
            if (!nodes.get(key)?.edges.includes(edge)) break;
            await go(edge);
          }
        }
        await walker.end();
      } catch (error) {
        if (error instanceof Error) error.message = `${names.join('\n')}\n\n${error.message}`;
        throw error;
      }
    }
  }
  const left = [...unwalked].flatMap(([key, names]) => [...names].map((name) => `${key}: ${name}`));
  if (left.length > 0) throw new Error(`never walked: ${left.join('\n')}`);
}

/** The shortest way to the nearest edge that nobody has walked, that edge included; empty when there is none near. */
function wayToUnwalked<S, E extends EventObject>(
  nodes: Graph<S, E>['nodes'],
  unwalked: ReadonlyMap<string, ReadonlySet<string>>,
  from: string,
): readonly Edge<S, E>[] {
  type Step = { readonly key: string; readonly way: readonly Edge<S, E>[] };
  const seen = new Set([from]);
  const front: Step[] = [{ key: from, way: [] }];
  for (const { key, way } of front) {
    const { edges = [] } = nodes.get(key) ?? {};
    const open = unwalked.get(key)?.size ? edges.find(({ name }) => unwalked.get(key)!.has(name)) : undefined;
    if (open) return [...way, open];
    if (way.length === longestDetour) continue;
    for (const edge of edges) {
      if (seen.has(edge.key)) continue;
      seen.add(edge.key);
      front.push({ key: edge.key, way: [...way, edge] });
    }
  }
  return [];
}
