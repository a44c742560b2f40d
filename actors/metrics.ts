/** Counters by closed lists of reasons, and the gauges that `/status` shows. */
import { monitorEventLoopDelay, type IntervalHistogram } from 'node:perf_hooks';
import type { DisconnectReason, DropReason } from '../proto/errors.ts';
import type { NodeId } from '../proto/identity.ts';

/** The channel of a dropped message and, if it was for or from somebody, the peer. */
export type DropPlace = Readonly<{ channelId: number; peer?: NodeId }>;

/** Drops by channel id and reason; ids are bytes and reasons a closed list, so it cannot grow without bound. */
export type DropsByChannel = ReadonlyMap<number, ReadonlyMap<DropReason, number>>;

type DropTable = Map<number, Map<DropReason, number>>;

/** Counts of one node since it was made. */
export class Counters {
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
  }

  /** A connection refused before it was admitted. */
  reject(reason: DisconnectReason): void {
    add(this.rejections, reason, 1);
  }

  /** A restart of a supervised actor, by its declared name. */
  restart(actor: string): void {
    add(this.restarts, actor, 1);
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

/** Event-loop delay over the last window, in milliseconds. */
export class LoopDelay {
  #histogram: IntervalHistogram | undefined;

  start(): void {
    this.#histogram ??= monitorEventLoopDelay({ resolution: 10 });
    this.#histogram.enable();
  }

  stop(): void {
    this.#histogram?.disable();
    this.#histogram = undefined;
  }

  read(): Readonly<{ p50: number; p99: number; max: number }> {
    const histogram = this.#histogram;
    if (!histogram || histogram.count === 0) return { p50: 0, p99: 0, max: 0 };
    return { p50: toMs(histogram.percentile(50)), p99: toMs(histogram.percentile(99)), max: toMs(histogram.max) };
  }
}

function toMs(nanoseconds: number): number {
  return Math.round(nanoseconds / 1e4) / 100;
}
