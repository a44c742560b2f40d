/** What peer exchange keeps of each peer, and for how long: limits hold across reconnects and across a restart of the reactor. */
import type { NodeAddress } from '../proto/address.ts';
import type { NodeId } from '../proto/identity.ts';
import { purePex, type PexInput, type PexSnapshot } from '../machines/pex.ts';

/** Peers remembered, up or gone; about 300 bytes each. Beyond it the one gone longest is forgotten. */
const maxPeers = 1_024;

/** One peer. Times are monotonic milliseconds, undefined for never. */
export type PexPeer = {
  readonly id: NodeId;
  up: boolean;
  /** When it last came up. */
  upAt: number;
  outbound: boolean;
  /** Empty without one. */
  remoteIp: string;
  /** How far we are with asking it. */
  asking: PexSnapshot;
  /** Addresses that may still be taken from it, as of `tokensAt`. */
  tokens: number;
  tokensAt: number;
  /** Its last request that was no flooding, and its last answer that nobody asked for; as early as they can have been sent. */
  requestedAt: number | undefined;
  unaskedAt: number | undefined;
  /** What it was told last. */
  sample: readonly NodeAddress[] | undefined;
  sampledAt: number;
};

export class PexPeers {
  readonly #peers = new Map<NodeId, PexPeer>();
  /** Those that are up, which a tick looks at every second. */
  readonly #present = new Set<PexPeer>();
  readonly #resting: PexSnapshot;

  constructor(input: PexInput) {
    this.#resting = purePex.initial(input);
  }

  get(id: NodeId): PexPeer | undefined {
    return this.#peers.get(id);
  }

  /** Those that are up. */
  present(): ReadonlySet<PexPeer> {
    return this.#present;
  }

  /** A peer has come up: what is remembered of it, or a new entry. */
  arrive(id: NodeId, now: number, facts: Readonly<{ outbound: boolean; remoteIp: string }>): PexPeer {
    const peer = this.#peers.get(id) ?? this.#make(id, now);
    this.#present.add(peer);
    return Object.assign(peer, facts, { up: true, upAt: now });
  }

  /** A peer is gone. It becomes the last to be forgotten. */
  leave(peer: PexPeer): void {
    peer.up = false;
    this.#present.delete(peer);
    peer.sample = undefined;
    this.#peers.delete(peer.id);
    this.#peers.set(peer.id, peer);
  }

  /** Nobody is up as far as a new run knows; what was asked before may still be answered. */
  restart(): void {
    for (const peer of this.#present) peer.up = false;
    this.#present.clear();
  }

  #make(id: NodeId, now: number): PexPeer {
    if (this.#peers.size >= maxPeers) this.#forgetOne();
    const limits = { tokens: 0, tokensAt: now, requestedAt: undefined, unaskedAt: undefined, sample: undefined, sampledAt: 0 };
    const peer: PexPeer = { id, up: false, upAt: now, outbound: false, remoteIp: '', asking: this.#resting, ...limits };
    this.#peers.set(id, peer);
    return peer;
  }

  #forgetOne(): void {
    for (const peer of this.#peers.values()) {
      if (peer.up) continue;
      this.#peers.delete(peer.id);
      return;
    }
  }
}
