/** Counters by closed lists of reasons. */
import type { DisconnectReason, DropReason } from '../proto/errors.ts';
import type { NodeId } from '../proto/identity.ts';

/** The channel of a dropped message and, if it was for or from somebody, the peer. */
export type DropPlace = Readonly<{ channelId: number; peer?: NodeId }>;

/** Drops by channel id and reason; ids are bytes and reasons a closed list, so it cannot grow without bound. */
export type DropsByChannel = ReadonlyMap<number, ReadonlyMap<DropReason, number>>;

type DropTable = Map<number, Map<DropReason, number>>;

/** Something a node has just counted: with the reason or, for a restart, the name of the actor. */
export type Counted = Readonly<{ what: 'drop' | 'disconnect' | 'rejection' | 'restart'; reason: string; place?: DropPlace }>;

/** Counts of one node since it was made. */
export class Counters {
  /** Told of each thing counted; must not throw. */
  witness: ((counted: Counted) => void) | undefined;
  readonly drops = new Map<DropReason, number>();
  readonly #channelDrops: DropTable = new Map();
  /** Of peers that have a link, for as long as they have it: ids come from strangers. */
  readonly #peerDrops = new Map<NodeId, DropTable>();
  readonly disconnects = new Map<DisconnectReason, number>();
  readonly rejections = new Map<string, number>();
  readonly restarts = new Map<string, number>();
  /** Handler errors that a reactor survived, by reactor. */
  readonly caught = new Map<string, number>();

  drop(reason: DropReason, place?: DropPlace): void {
    add(this.drops, reason, 1);
    this.witness?.({ what: 'drop', reason, ...(place && { place }) });
    if (!place) return;
    addTo(this.#channelDrops, place.channelId, reason);
    const ofPeer = place.peer === undefined ? undefined : this.#peerDrops.get(place.peer);
    if (ofPeer) addTo(ofPeer, place.channelId, reason);
  }

  /** Drops since the start, of every peer. */
  get channelDrops(): DropsByChannel {
    return this.#channelDrops;
  }

  /** Drops of one peer since its link came up; none without a link. */
  peerDrops(peer: NodeId): DropsByChannel {
    return this.#peerDrops.get(peer) ?? new Map<number, ReadonlyMap<DropReason, number>>();
  }

  /** Begins to count the drops of a peer by itself. */
  followPeer(peer: NodeId): void {
    this.#peerDrops.set(peer, new Map());
  }

  forgetPeer(peer: NodeId): void {
    this.#peerDrops.delete(peer);
  }

  disconnect(reason: DisconnectReason): void {
    add(this.disconnects, reason, 1);
    this.witness?.({ what: 'disconnect', reason });
  }

  /** A connection refused before it was admitted. */
  reject(reason: DisconnectReason): void {
    add(this.rejections, reason, 1);
    this.witness?.({ what: 'rejection', reason });
  }

  /** A restart of a supervised actor, by its declared name. */
  restart(actor: string): void {
    add(this.restarts, actor, 1);
    this.witness?.({ what: 'restart', reason: actor });
  }

  catch(reactor: string): void {
    add(this.caught, reactor, 1);
  }
}

function add<K>(counts: Map<K, number>, key: K, times: number): void {
  counts.set(key, (counts.get(key) ?? 0) + times);
}

function addTo(table: DropTable, channelId: number, reason: DropReason): void {
  const counts = table.get(channelId) ?? new Map<DropReason, number>();
  table.set(channelId, counts);
  add(counts, reason, 1);
}
