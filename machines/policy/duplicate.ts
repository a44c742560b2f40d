/** Two connections to one id: which is kept. The rules agree with Go nodes, which keep the first registered, and with ourselves. */

export type Direction = 'inbound' | 'outbound';

/** The remote of a link this old has lost it, or it would not have dialed again. */
export const staleLinkMs = 40_000;
/** One replacement by a younger connection of the same direction in this time. */
export const replaceIntervalMs = 10_000;
/** How long a younger connection waits for the remote to close one of the two. */
export const holdMs = 8_000;

export type Contest = Readonly<{
  older: Direction;
  younger: Direction;
  /** Milliseconds since the older link was admitted. */
  olderAgeMs: number;
  /** Milliseconds since this peer's link was last replaced by one of the same direction; Infinity for never. */
  sinceReplacedMs: number;
  /** The remote runs this runtime and decides as we do. */
  ours: boolean;
  /** Our id is the lower one. */
  ownIdLower: boolean;
}>;

/** Keeps the younger (`replace`), refuses it, or holds it until the remote has shown which one it keeps. */
export function contest(facts: Contest): 'replace' | 'refuse' | 'hold' {
  if (facts.olderAgeMs > staleLinkMs) return 'replace';
  if (facts.older === facts.younger) return facts.sinceReplacedMs >= replaceIntervalMs ? 'replace' : 'refuse';
  if (!facts.ours) return 'hold';
  return isDialedByLower(facts.younger, facts.ownIdLower) ? 'replace' : 'refuse';
}

/** Whether a held connection wins when the remote has closed neither: the one dialed by the lower id; of two in one direction the younger. */
export function isHeldKept(older: Direction, held: Direction, ownIdLower: boolean): boolean {
  return older === held || isDialedByLower(held, ownIdLower);
}

function isDialedByLower(direction: Direction, ownIdLower: boolean): boolean {
  return (direction === 'outbound') === ownIdLower;
}
