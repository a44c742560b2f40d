/** Peers as a person reads them on a terminal: a table, and the facts behind an explanation. */
import type { PeerState, PeerView } from '../actors/peer-manager.ts';
import { formatDuration } from './duration.ts';

/** Connected ones first: they are what one looks for. */
const order: readonly PeerState[] = ['up', 'connected', 'evicting', 'dialing', 'banned', 'known'];

/** One line a peer under a line of headings, with the count of each state below. */
export function peersTable(peers: readonly PeerView[]): readonly string[] {
  if (peers.length === 0) return ['no peers are known'];
  const sorted = peers.toSorted((one, other) => order.indexOf(one.state) - order.indexOf(other.state));
  const counts = order.flatMap((state) => {
    const count = peers.filter((peer) => peer.state === state).length;
    return count === 0 ? [] : [`${count} ${state}`];
  });
  return [
    ...columns([['ID', 'STATE', 'FOR', 'DIRECTION', 'CLASS', 'SCORE', 'ADDRESS', 'LAST REASON'], ...sorted.map(cellsOf)]),
    counts.join(', '),
  ];
}

function cellsOf(peer: PeerView): readonly string[] {
  const { id, state, connectedForMs, direction = '-', score, lastReason = '-' } = peer;
  const time = connectedForMs === undefined ? '-' : formatDuration(connectedForMs);
  return [id, state, time, direction, peer.class, String(score), placeOf(peer), lastReason];
}

/** The first address without the id, which stands in a column of its own, and how many more there are. */
function placeOf({ id, addresses: [first, ...more], remoteAddress = '-' }: PeerView): string {
  if (first === undefined) return remoteAddress;
  return `${first.replace(`mconn://${id}@`, '')}${more.length === 0 ? '' : ` +${more.length}`}`;
}

/** The facts of an explanation, one a line; a list has a line for each of its items. */
export function factLines(facts: Readonly<Record<string, unknown>>): readonly string[] {
  return columns(
    Object.entries(facts).flatMap(([name, fact]) => {
      if (!Array.isArray(fact)) return [[`  ${name}`, textOf(name, fact)]];
      return fact.length === 0 ? [[`  ${name}`, 'none']] : fact.map((item, index) => [index === 0 ? `  ${name}` : '', textOf(name, item)]);
    }),
  );
}

const times = ['now', 'at', 'notBefore', 'bannedUntil', 'inactiveUntil', 'lastConnected', 'lastDisconnected', 'lastSuccess', 'lastFailure'];

function textOf(name: string, fact: unknown): string {
  if (typeof fact === 'number' && times.includes(name)) return timeText(fact);
  if (typeof fact !== 'object' || fact === null) return fact === '' ? '-' : String(fact);
  return Object.entries(fact)
    .map(([key, value]) => `${key} ${textOf(key, value)}`)
    .join(', ');
}

/** What no date can say is shown as the number it is. */
function timeText(ms: number): string {
  if (ms === 0) return 'never';
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : String(ms);
}

/** Cells under each other, columns two blanks apart. */
function columns(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = rows.reduce<number[]>((sum, row) => row.map((cell, index) => Math.max(cell.length, sum[index] ?? 0)), []);
  return rows.map((row) => row.map((cell, index) => (index === row.length - 1 ? cell : cell.padEnd(widths[index] ?? 0))).join('  '));
}
