/** Whoever watches a simulation: writes down what happens, and what must never happen. */
import type { Counted } from '../actors/metrics.ts';
import type { PeerUpdate } from '../actors/peer-manager.ts';
import type { NodeId } from '../proto/identity.ts';
import type { MemoryEvent } from '../transports/memory.ts';
import { pairOf } from './agreement.ts';
import type { EventLog } from './event-log.ts';
import type { SimulatedNode } from './simulated-node.ts';

export type WitnessDeps = Readonly<{ log: EventLog; now(): number; indexOf(id: NodeId): number | string }>;

/** Dials of one node: on their way to a connection, or shaking hands on it. */
type Dials = { connecting: number; greeting: number; most: number };

/** Violations kept; one is enough to fail. */
const mostViolations = 100;

/** See the module. */
export class Witness {
  readonly #deps: WitnessDeps;
  readonly #dials = new Map<number, Dials>();
  readonly #violations: string[] = [];
  readonly #links = new Map<string, number>();

  constructor(deps: WitnessDeps) {
    this.#deps = deps;
  }

  /** Something has happened on the network. */
  network(event: MemoryEvent): void {
    const { log, now, indexOf } = this.#deps;
    const atMs = now();
    switch (event.type) {
      case 'dial':
      case 'connected':
        this.#countDial(event);
        return log.add({ atMs, type: event.type, node: this.#number(event.from), peer: indexOf(event.to) });
      case 'dialFailed':
        this.#countDial(event);
        return log.add({ atMs, type: event.type, node: this.#number(event.from), peer: indexOf(event.to), detail: event.code });
      case 'greeted':
        this.#countDial(event);
        this.#countLink(event, 1);
        return log.add({ atMs, type: event.type, node: this.#number(event.at), peer: indexOf(event.remote), detail: event.direction });
      case 'ended': {
        this.#countDial(event);
        if (event.greeted) this.#countLink(event, -1);
        const detail = `${event.direction} ${event.code ?? 'by itself'}`;
        return log.add({ atMs, type: event.type, node: this.#number(event.at), peer: indexOf(event.remote), detail });
      }
      case 'delivered':
      case 'lost': {
        const detail = `${event.channelId} ${event.bytes.length} ${digestOf(event.bytes)}`;
        return log.add({ atMs, type: event.type, node: this.#number(event.to), peer: indexOf(event.from), detail });
      }
    }
  }

  /** A node was told of a peer. */
  update(node: number, { id, status, channels, reason }: PeerUpdate): void {
    const { log, now, indexOf } = this.#deps;
    log.add({ atMs: now(), type: status, node, peer: indexOf(id), detail: status === 'up' ? channels.join(',') : reason });
  }

  /** A node has counted something. */
  counted(node: number, { what, reason, place }: Counted): void {
    const { log, now, indexOf } = this.#deps;
    const where = place && { peer: place.peer && indexOf(place.peer), detail: `${place.channelId} ${reason}` };
    log.add({ atMs: now(), type: what, node, detail: reason, ...where });
  }

  /** A process is gone, and its dials with it. */
  forget(node: number): void {
    const dials = this.#dials.get(node);
    if (dials) Object.assign(dials, { connecting: 0, greeting: 0 });
  }

  violated(what: string): void {
    if (this.#violations.length < mostViolations) this.#violations.push(`at ${this.#deps.now()} ms: ${what}`);
  }

  /** What was seen so far, after a look at every running node. */
  violations(nodes: readonly SimulatedNode[]): readonly string[] {
    for (const node of nodes) if (node.isRunning) for (const problem of limitProblems(node)) this.violated(problem);
    return this.#violations;
  }

  /** Connections that have shaken hands and have not ended at their dialer, by the two nodes they join. */
  links(): ReadonlyMap<string, number> {
    return this.#links;
  }

  mostDials(node?: number): number {
    if (node !== undefined) return this.#dials.get(node)?.most ?? 0;
    return Math.max(0, ...[...this.#dials.values()].map(({ most }) => most));
  }

  #number(id: NodeId): number | undefined {
    const index = this.#deps.indexOf(id);
    return typeof index === 'number' ? index : undefined;
  }

  #countLink({ at, remote, direction }: Readonly<{ at: NodeId; remote: NodeId; direction: string }>, change: number): void {
    if (direction === 'inbound') return;
    const pair = pairOf(at, remote);
    const count = (this.#links.get(pair) ?? 0) + change;
    if (count > 0) this.#links.set(pair, count);
    else this.#links.delete(pair);
  }

  #countDial(event: Exclude<MemoryEvent, { type: 'delivered' | 'lost' }>): void {
    if ('direction' in event && event.direction === 'inbound') return;
    const node = this.#number('at' in event ? event.at : event.from);
    if (node === undefined) return;
    const dials = this.#dials.get(node) ?? { connecting: 0, greeting: 0, most: 0 };
    this.#dials.set(node, dials);
    if (event.type === 'dial') dials.connecting++;
    if (event.type === 'connected' || event.type === 'dialFailed') dials.connecting = Math.max(0, dials.connecting - 1);
    if (event.type === 'connected') dials.greeting++;
    if (event.type === 'greeted' || (event.type === 'ended' && !event.greeted)) dials.greeting = Math.max(0, dials.greeting - 1);
    dials.most = Math.max(dials.most, dials.connecting + dials.greeting);
  }
}

/** Limits that a node passes at this moment: slots of each direction with those for upgrades, peers known, itself among them. */
function limitProblems({ index, id, node: { peers }, limits }: SimulatedNode): readonly string[] {
  const count = { inbound: 0, outbound: 0, dialing: 0, linked: 0 };
  for (const { direction, class: standing } of peers.live()) {
    if (direction) count.linked++;
    else count.dialing++;
    if (direction === 'inbound' && standing === 'ordinary') count.inbound++;
    if (direction !== 'inbound' && standing !== 'unconditional') count.outbound++;
  }
  const beyond = Math.max(0, count.inbound - limits.inbound) + Math.max(0, count.outbound - limits.outbound);
  const problems: string[] = [];
  if (beyond > limits.upgrade)
    problems.push(`node ${index} has ${count.inbound} inbound and ${count.outbound} outbound peers, ${beyond} beyond its slots`);
  const { known } = peers.counts();
  if (known > limits.known + count.linked + count.dialing) problems.push(`node ${index} knows ${known} peers of ${limits.known}`);
  if (peers.list({ after: before(id), limit: 1 })[0]?.id === id) problems.push(`node ${index} knows itself as a peer`);
  return problems;
}

/** What comes before an id and after every other id before it. */
function before(id: NodeId): string {
  return id.slice(0, -1) + String.fromCharCode(id.charCodeAt(id.length - 1) - 1);
}

/** FNV-1a: tells payloads apart in the log, at a glance and the same everywhere. */
function digestOf(bytes: Uint8Array): string {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, '0');
}
