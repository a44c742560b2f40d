/** The links of a router: all that live, those that are routed, and the small numbers that name them in mailboxes and in the actor tree. */
import { networkGroup } from '../proto/address.ts';
import type { NodeId } from '../proto/identity.ts';
import type { Burden } from '../machines/policy/shed.ts';
import type { Link } from './link.ts';
import type { LinkHandle } from './peer-manager.ts';

/** Handles are never used twice; slots are, so that there are never more than links at once. */
export class Links {
  readonly #all = new Map<LinkHandle, Link>();
  readonly #routed = new Map<NodeId, Link>();
  readonly #freeSlots: number[] = [];
  #slots = 0;
  #handles = 0;

  /** Links that live, whether or not their peer is up. */
  get size(): number {
    return this.#all.size;
  }

  [Symbol.iterator](): IterableIterator<Link> {
    return this.#all.values();
  }

  /** Those of peers that are up. */
  routed(): Iterable<Link> {
    return this.#routed.values();
  }

  /** What those that are up, and stay, cost us and are worth to us. */
  burdens(now: number, scores: ReadonlyMap<NodeId, number>): readonly Burden[] {
    const staying = [...this.#routed].filter(([, { ending }]) => !ending);
    return staying.map(([id, { queue, upAt }]) => ({
      id,
      score: scores.get(id) ?? 0,
      queuedBytes: queue.bytes,
      connectedForMs: now - (upAt ?? now),
    }));
  }

  find(handle: LinkHandle): Link | undefined {
    return this.#all.get(handle);
  }

  /** The link of a peer that is up. */
  of(id: NodeId): Link | undefined {
    return this.#routed.get(id);
  }

  /** Makes a link that has a name of its own. */
  add(make: (name: Readonly<{ handle: LinkHandle; slot: number }>) => Link): Link {
    const link = make({ handle: String(this.#handles++), slot: this.#freeSlots.pop() ?? this.#slots++ });
    this.#all.set(link.handle, link);
    return link;
  }

  route(link: Link): void {
    this.#routed.set(link.remote!.nodeId, link);
  }

  unroute(link: Link): void {
    const { id } = link;
    if (id && this.#routed.get(id) === link) this.#routed.delete(id);
  }

  /** A link is over. Its slot is free only once its actor has ended. */
  remove(link: Link): void {
    this.unroute(link);
    this.#all.delete(link.handle);
  }

  freeSlot(slot: number): void {
    this.#freeSlots.push(slot);
  }

  /** Every link is over, and every actor of one. */
  clear(): void {
    this.#all.clear();
    this.#routed.clear();
    this.#freeSlots.length = 0;
    this.#slots = 0;
  }

  /** How many links there are with the host of an address, which of IPv6 has a /64 to itself, and with its network. */
  near(ip: string): Readonly<{ ofHost: number; ofNet: number }> {
    const [host, net] = [networkGroup(ip, 'host'), networkGroup(ip, 'net')];
    let ofHost = 0;
    let ofNet = 0;
    for (const { connection } of this.#all.values()) {
      const other = connection.remoteEndpoint.ip;
      if (!other || networkGroup(other, 'net') !== net) continue;
      ofNet++;
      if (networkGroup(other, 'host') === host) ofHost++;
    }
    return { ofHost, ofNet };
  }

  /** Whether another connection to the same peer lives, or shakes hands because it was dialed. */
  hasRival(link: Link): boolean {
    for (const other of this.#all.values()) {
      if (other === link || other.ending || link.id === undefined) continue;
      if ((other.id ?? other.address?.nodeId) === link.id) return true;
    }
    return false;
  }
}
