/** Which of several connected peers has to go first. */

/** What decides about one of them. */
export type Standing = Readonly<{
  score: number;
  /** Peers connected from its network, itself included. */
  crowd: number;
  /** When its connection was admitted. */
  since: number;
  id: string;
}>;

/** Points by which the score of a newcomer must pass that of the peer whose place it takes. */
export const upgradePoints = 10;

/** First to go first: those with a negative score, then the most crowded network, then the lowest score, then the youngest. */
export function byEviction(a: Standing, b: Standing): number {
  if (a.score < 0 !== b.score < 0) return a.score < 0 ? -1 : 1;
  return b.crowd - a.crowd || a.score - b.score || b.since - a.since || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}

/** The first to go, of any number. */
export function worstOf<T extends Standing>(peers: Iterable<T>): T | undefined {
  let worst: T | undefined;
  for (const peer of peers) if (!worst || byEviction(peer, worst) < 0) worst = peer;
  return worst;
}
