/** What `/status` shows: one object of plain facts. */
import { version } from './version.ts';
import type { StoreState } from './peer-store.ts';
import type { Memory } from './pressure.ts';
import type { Parts } from './assembly.ts';
import type { CountingClock } from './environment.ts';

/** The status of a node; counts are since its start, times in milliseconds. */
export type NodeStatus = Readonly<{
  nodeId: string;
  network: string;
  moniker: string;
  version: string;
  uptimeMs: number;
  listen: readonly string[];
  peers: Readonly<{ known: number; dialing: number; connected: number; up: number; banned: number }>;
  drops: Readonly<Record<string, number>>;
  disconnects: Readonly<Record<string, number>>;
  store: Readonly<{ state: StoreState; skipped: number }>;
  aead: string;
  transports: Readonly<Record<string, Readonly<Record<string, string | number>>>>;
  eventLoopDelayMs: Readonly<{ p50: number; p99: number; max: number }>;
  /** What the process leaves us to work with, as of the last look. */
  pressure: Readonly<{ loop: 'keptUp' | 'delayed'; memory: Memory }>;
  restarts: Readonly<Record<string, number>>;
  isolated: readonly string[];
  caught: Readonly<Record<string, number>>;
  links: number;
  actors: number;
  timers: number;
  heapUsedBytes: number;
  rssBytes: number;
}>;

/** Reads the status of a node now. */
export function status(parts: Parts): NodeStatus {
  const { counters, environment, options } = parts;
  const memory = process.memoryUsage();
  const transports = Object.fromEntries(parts.transports.map((transport) => [transport.protocols[0] ?? '', transport.status?.() ?? {}]));
  const aead = Object.values(transports).find((facts) => facts.aead !== undefined)?.aead;
  return {
    nodeId: parts.key.id,
    network: options.network,
    moniker: options.moniker,
    version,
    uptimeMs: Math.round(environment.clock.now() - parts.startedAt),
    listen: parts.addresses(),
    peers: parts.manager.counts(),
    drops: Object.fromEntries(counters.drops),
    disconnects: Object.fromEntries(counters.disconnects),
    store: { state: parts.store.state, skipped: parts.store.skipped },
    aead: String(aead ?? 'none'),
    transports,
    eventLoopDelayMs: parts.loopDelay.read(),
    pressure: parts.router.pressure(),
    restarts: Object.fromEntries(counters.restarts),
    isolated: [...parts.isolated],
    caught: Object.fromEntries(counters.caught),
    links: parts.router.linkCount,
    actors: parts.actors(),
    timers: (environment.clock as Partial<CountingClock>).pending ?? 0,
    heapUsedBytes: memory.heapUsed,
    rssBytes: memory.rss,
  };
}
