/** Whom to let go when the process runs out of memory. A pure function over the peers that are up. */
import type { NodeId } from '../../proto/identity.ts';

/** A peer as this choice sees it. */
export type Burden = Readonly<{
  id: NodeId;
  score: number;
  /** Bytes that wait for it. */
  queuedBytes: number;
  connectedForMs: number;
}>;

const order = (a: Burden, b: Burden): number =>
  Number(a.score >= 0) - Number(b.score >= 0) ||
  b.queuedBytes - a.queuedBytes ||
  a.score - b.score ||
  a.connectedForMs - b.connectedForMs ||
  (a.id < b.id ? -1 : 1);

/** The peer that is missed least: of those in disrepute if there are any, the one for which most waits; then the lowest score, then the youngest link. */
export function worstOf(peers: readonly Burden[]): Burden | undefined {
  return peers.reduce<Burden | undefined>((worst, peer) => (worst === undefined || order(peer, worst) < 0 ? peer : worst), undefined);
}
