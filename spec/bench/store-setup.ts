/** What the soaks of the peer store agree on: rows, stores in a folder, and figures with their bounds. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { PeerRow, PeerStore } from '../../actors/peer-store.ts';
import { nodeLog } from '../../actors/log.ts';
import { sqliteStore } from '../../actors/stores/sqlite.ts';
import { realClock } from '../../actors/environment.ts';
import { blankRow } from '../../machines/peer-row.ts';
import { parseNodeId, type NodeId } from '../../proto/identity.ts';
import { parseOptions, storeOptions } from '../../proto/options.ts';

/** The n-th of as many ids as are wanted, spread like real ones. */
export const idAt = (n: number): NodeId => parseNodeId(createHash('sha1').update(`peer ${n}`).digest('hex'));

/** The row of the n-th peer as it is after so many changes; `lastConnected` tells which. */
export function rowAt(n: number, version: number): PeerRow {
  const id = idAt(n);
  const text = `mconn://${id}@${1 + (n % 200)}.${(n >> 8) & 255}.${n & 255}.${(n >> 4) & 255}:26656`;
  const address = {
    address: text,
    lastSuccess: n % 3 ? 0 : 1_700_000_000_000 - n,
    lastFailure: 1_600_000_000_000 + n,
    failures: n % 5,
    notBefore: 0,
  };
  return {
    ...blankRow(id),
    addresses: [{ ...address, source: n % 2 ? `gossip:${idAt(1_000_000 + (n % 50))}` : 'self' }],
    score: (n % 60) - 30,
    scoreEpoch: 78_700,
    lastConnected: version,
    ...(n % 20 === 0 && {
      lastDisconnected: 1_700_000_000_000 + n,
      inactiveUntil: 1_700_000_100_000 + n,
      dampedUntil: 1_700_000_200_000 + n,
    }),
    ...(n % 50 === 0 && { displacedAt: 1_700_000_000_000, anchoredAt: 1_700_000_000_000, bannedUntil: 1_700_000_000_000, strikes: 1 }),
    lastReason: n % 5 ? 'ERR_DIAL_TIMEOUT: peer did not answer in time' : '',
    reports: n % 10 ? [] : [{ at: 1_700_000_000_000, behaviour: 'useful', reason: 'sent addresses', times: 3 }],
  };
}

/** A store on the real clock; its trouble is not logged, since it is what a soak is about. */
export function diskStore(home: string, options: object = {}): PeerStore {
  const clock = realClock();
  const log = nodeLog({ level: 'fatal', clock });
  return sqliteStore({ path: join(home, 'peers.db'), options: parseOptions(storeOptions, options), clock, log });
}

let failures = 0;

/** Prints a figure beside its bound, and remembers whether it is past it. */
export function figure(name: string, value: number, bound: Readonly<{ most: number } | { least: number }>, unit = ''): void {
  const isPast = 'most' in bound ? value > bound.most : value < bound.least;
  if (isPast) failures++;
  const limit = 'most' in bound ? `at most ${bound.most}` : `at least ${bound.least}`;
  const shown = Number.isInteger(value) ? String(value) : value.toFixed(value < 10 ? 2 : 1);
  process.stdout.write(`${name.padEnd(46)}${shown.padStart(12)} ${unit.padEnd(4)} (bound: ${limit})${isPast ? '  PAST ITS BOUND' : ''}\n`);
}

/** Ends the process, with failure when a figure was past its bound. */
export function finish(): never {
  process.exit(failures > 0 ? 1 : 0);
}
