/** Who is up, told to any number of subscribers: a snapshot, then changes. A subscriber that never reads costs a bounded buffer and stops nobody. */
import type { DisconnectReason } from '../proto/errors.ts';
import type { NodeId } from '../proto/identity.ts';

/** A peer came up or went down; strictly alternating for each peer and subscriber. */
export type PeerUpdate = Readonly<{ id: NodeId; status: 'up' | 'down'; channels: readonly number[]; reason?: DisconnectReason }>;
/** What `updates()` yields: a `PeerUpdate` for each peer that is up, then the end of the snapshot, then changes. */
export type PeerEvent = PeerUpdate | Readonly<{ snapshotEnd: true }>;

/** The hub: knows who is up, so that a late subscriber learns it too. Survives the manager's restarts. */
export class PeerUpdates {
  readonly #up = new Map<NodeId, PeerUpdate>();
  readonly #subscriptions = new Set<Subscription>();
  #isClosed = false;

  publish(update: PeerUpdate): void {
    if (this.#up.has(update.id) === (update.status === 'up')) return;
    if (update.status === 'up') this.#up.set(update.id, update);
    else this.#up.delete(update.id);
    for (const subscription of this.#subscriptions) subscription.push(update);
  }

  /** Nobody is up any more. */
  reset(reason: DisconnectReason): void {
    for (const id of [...this.#up.keys()]) this.publish({ id, status: 'down', channels: [], reason });
  }

  /** A subscription begins where its iterator is made, and ends with its loop, its signal, or the node. */
  subscribe(signal?: AbortSignal): AsyncIterable<PeerEvent> {
    return { [Symbol.asyncIterator]: () => this.#open(signal) };
  }

  close(): void {
    this.#isClosed = true;
    for (const subscription of [...this.#subscriptions]) subscription.end();
  }

  #open(signal?: AbortSignal): AsyncIterator<PeerEvent> {
    const subscription = new Subscription(this.#up.values(), () => {
      this.#subscriptions.delete(subscription);
      signal?.removeEventListener('abort', end);
    });
    const end = (): void => subscription.end();
    this.#subscriptions.add(subscription);
    signal?.addEventListener('abort', end, { once: true });
    if (this.#isClosed || signal?.aborted) subscription.end();
    return subscription;
  }
}

/** One reader. For each peer it keeps at most a down and an up, and only what makes them alternate with what it has read. */
class Subscription implements AsyncIterator<PeerEvent> {
  readonly #onEnd: () => void;
  /** Peers of the snapshot that are not read yet; undefined once its end has been read. */
  #snapshot: Map<NodeId, PeerUpdate> | undefined;
  /** Changes not read yet, oldest first. */
  readonly #changes = new Map<NodeId, readonly PeerUpdate[]>();
  /** Peers that were up when last read of. */
  readonly #readUp = new Set<NodeId>();
  readonly #waiting: ((result: IteratorResult<PeerEvent>) => void)[] = [];
  #isEnded = false;

  constructor(up: Iterable<PeerUpdate>, onEnd: () => void) {
    this.#snapshot = new Map([...up].map((update) => [update.id, update]));
    this.#onEnd = onEnd;
  }

  push(update: PeerUpdate): void {
    if (this.#isEnded) return;
    if (update.status === 'down' && this.#snapshot?.delete(update.id)) return;
    const queued = this.#changes.get(update.id) ?? [];
    const isReadUp = this.#readUp.has(update.id);
    const next = update.status === 'up' ? [...queued, update] : isReadUp ? [update] : [];
    this.#changes.delete(update.id);
    if (next.length > 0) this.#changes.set(update.id, next);
    while (this.#waiting.length > 0) {
      const event = this.#take();
      if (!event) return;
      this.#waiting.shift()!({ done: false, value: event });
    }
  }

  #take(): PeerEvent | undefined {
    if (this.#snapshot) {
      const [update] = this.#snapshot.values();
      if (!update) {
        this.#snapshot = undefined;
        return { snapshotEnd: true };
      }
      this.#snapshot.delete(update.id);
      this.#readUp.add(update.id);
      return update;
    }
    const [queued] = this.#changes.values();
    const update = queued?.[0];
    if (!queued || !update) return undefined;
    if (queued.length === 1) this.#changes.delete(update.id);
    else this.#changes.set(update.id, queued.slice(1));
    if (update.status === 'up') this.#readUp.add(update.id);
    else this.#readUp.delete(update.id);
    return update;
  }

  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#onEnd();
    this.#changes.clear();
    this.#snapshot = undefined;
    for (const resolve of this.#waiting.splice(0)) resolve({ done: true, value: undefined });
  }

  next(): Promise<IteratorResult<PeerEvent>> {
    if (this.#isEnded) return Promise.resolve({ done: true, value: undefined });
    const event = this.#take();
    if (event) return Promise.resolve({ done: false, value: event });
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  return(): Promise<IteratorResult<PeerEvent>> {
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }
}
