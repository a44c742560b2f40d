/** What the nodes of a simulation agree on once things have settled: who is up with whom, and that persistent peers are. */
import type { NodeId } from '../proto/identity.ts';
import type { SimulatedNode } from './simulated-node.ts';

/** Sentences on what running nodes see differently, or should have and have not. `hasOneLink` says whether one connection joins two nodes. */
export function disagreements(nodes: readonly SimulatedNode[], links: ReadonlyMap<string, number>): readonly string[] {
  const running = nodes.filter((node) => node.isRunning);
  const byId = new Map<NodeId, SimulatedNode>(running.map((node) => [node.id, node]));
  const problems: string[] = [];
  for (const node of running) {
    for (const id of node.up.keys()) {
      const peer = byId.get(id);
      if (!peer?.up.has(node.id))
        problems.push(`node ${node.index} is up with ${peer ? `node ${peer.index}` : id}, which is not up with it`);
      else if (node.index < peer.index && links.get(pairOf(node.id, id)) !== 1)
        problems.push(`${links.get(pairOf(node.id, id)) ?? 0} connections join nodes ${node.index} and ${peer.index}`);
    }
    for (const index of node.persistent) {
      const peer = nodes[index];
      if (peer?.isRunning && !node.up.has(peer.id)) problems.push(`node ${node.index} is not up with its persistent peer ${index}`);
    }
  }
  return problems;
}

/** How many parts the running nodes fall into, by who is up with whom. */
export function componentsOf(nodes: readonly SimulatedNode[]): number {
  const left = new Map<NodeId, SimulatedNode>(nodes.filter((node) => node.isRunning).map((node) => [node.id, node]));
  let components = 0;
  for (let [first] = left.values(); first; [first] = left.values()) {
    components++;
    const reached = [first];
    left.delete(first.id);
    for (let node = reached.pop(); node; node = reached.pop()) {
      for (const id of node.up.keys()) {
        const peer = left.get(id);
        if (peer && left.delete(id)) reached.push(peer);
      }
    }
  }
  return components;
}

/** One key for two nodes, in either order. */
export function pairOf(a: NodeId, b: NodeId): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}
