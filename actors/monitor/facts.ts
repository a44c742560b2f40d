/** What a scrape looks at: the facts of one node at one moment, gathered once, from which every metric is read. */
import { readdirSync } from 'node:fs';
import type { NodeId } from '../../proto/identity.ts';
import type { Counters, DropsByChannel } from '../metrics.ts';
import type { LinkView } from '../router.ts';
import type { NodeStatus } from '../status.ts';
import type { ConnectionView, Traffic, TrafficView } from './traffic.ts';

/** Peers that get series of their own, at most: those that have been up longest. */
export const maxLabelledPeers = 150;

/** The process that the node runs in; every node of one process says the same. */
export type ProcessFacts = Readonly<{
  cpuUserSeconds: number;
  cpuSystemSeconds: number;
  /** Seconds since 1970. */
  startedAt: number;
  heapTotalBytes: number;
  externalBytes: number;
  /** Undefined where the system does not tell. */
  openFiles: number | undefined;
}>;

/** A peer that is up: its connection, and what the router says of it. */
export type UpPeer = ConnectionView & Readonly<{ id: NodeId; link: LinkView }>;

export type Facts = Readonly<{
  status: NodeStatus;
  /** Messages dropped, by channel; `status.drops` has those of no channel too. */
  channelDrops: DropsByChannel;
  /** Connections that the router refused before it began a handshake, by reason. */
  rejections: ReadonlyMap<string, number>;
  traffic: TrafficView;
  /** Messages that wait for the reader of a channel, by channel id. */
  mailboxes: readonly Readonly<{ id: number; waiting: number }>[];
  up: readonly UpPeer[];
  /** Those of them with series of their own; never more than `maxLabelledPeers`. */
  labelled: readonly UpPeer[];
  process: ProcessFacts;
}>;

/** What the facts are gathered from. */
export type FactSources = Readonly<{
  status(): NodeStatus;
  counters: Counters;
  traffic: Traffic;
  mailboxes(): readonly Readonly<{ id: number; waiting: number }>[];
  link(id: NodeId): LinkView | undefined;
}>;

/** Looks at a node now. */
export function facts({ status, counters, traffic, mailboxes, link }: FactSources): Facts {
  const view = traffic.look();
  const up = [...new Map(view.connections.flatMap((each) => routed(each, link)).map((peer) => [peer.id, peer])).values()];
  return {
    status: status(),
    channelDrops: counters.channelDrops,
    rejections: counters.rejections,
    traffic: view,
    mailboxes: mailboxes(),
    up,
    labelled: up.slice(0, maxLabelledPeers),
    process: processFacts(),
  };
}

/** A peer may have a second connection, held or on its way out; the routed one is known by its ends. */
function routed(view: ConnectionView, find: FactSources['link']): UpPeer[] {
  const { connection, remote: id } = view;
  const link = id && find(id);
  if (!link || link.direction !== connection.direction) return [];
  const [one, other] = [link.remoteEndpoint, connection.remoteEndpoint];
  const isSame = one.protocol === other.protocol && one.ip === other.ip && one.port === other.port && one.path === other.path;
  return isSame ? [{ ...view, id, link }] : [];
}

function processFacts(): ProcessFacts {
  const { user, system } = process.cpuUsage();
  const { heapTotal, external } = process.memoryUsage();
  return {
    cpuUserSeconds: user / 1e6,
    cpuSystemSeconds: system / 1e6,
    startedAt: performance.timeOrigin / 1_000,
    heapTotalBytes: heapTotal,
    externalBytes: external,
    openFiles: openFiles(),
  };
}

function openFiles(): number | undefined {
  try {
    return readdirSync('/proc/self/fd').length - 1; // one of them is the folder being read
  } catch {
    return undefined;
  }
}
