/** Facts for specs of metrics: those of a node at rest, and peers made up by number. */
import type { Facts, UpPeer } from '../../actors/monitor/facts.ts';
import { maxLabelledPeers } from '../../actors/monitor/facts.ts';
import { Traffic } from '../../actors/monitor/traffic.ts';
import { disconnectReasons, dropReasons } from '../../proto/errors.ts';
import type { NodeId } from '../../proto/identity.ts';

const nothing = { bytesSent: 0, bytesReceived: 0, messagesSent: 0, messagesReceived: 0 };

export const quiet: Facts = {
  status: {
    nodeId: 'a'.repeat(40),
    network: 'spec',
    moniker: 'spec',
    version: '0.0.0',
    uptimeMs: 1_500,
    listen: [],
    peers: { known: 3, dialing: 1, connected: 0, up: 0, banned: 1 },
    drops: {},
    disconnects: {},
    store: { state: 'ok', skipped: 0 },
    aead: 'node',
    transports: { mconn: { aead: 'node', pendingHandshakes: 2, reassemblyBytes: 10, acceptErrors: 1, 'rejected.startRate': 4 } },
    eventLoopDelayMs: { p50: 1, p99: 2, max: 3 },
    pressure: { loop: 'keptUp', memory: 'enough' },
    restarts: {},
    isolated: [],
    caught: {},
    links: 0,
    actors: 5,
    timers: 2,
    heapUsedBytes: 100,
    rssBytes: 200,
  },
  channelDrops: new Map(),
  rejections: new Map(),
  traffic: new Traffic().look(),
  mailboxes: [],
  up: [],
  labelled: [],
  process: { cpuUserSeconds: 1, cpuSystemSeconds: 2, startedAt: 3, heapTotalBytes: 4, externalBytes: 5, openFiles: 6 },
};

/** A peer that is up, with something to say under every metric. */
export function peer(number: number): UpPeer {
  const id = number.toString(16).padStart(40, '0') as NodeId;
  return {
    id,
    remote: id,
    connection: { direction: number % 2 ? 'inbound' : 'outbound' } as UpPeer['connection'],
    totals: { bytesSent: 1, bytesReceived: 2, messagesSent: 3, messagesReceived: 4 },
    roundTripMs: 5,
    link: { queued: { messages: 6, bytes: 7 }, drops: new Map([[0x77, new Map([['queueFull', 8]])]]) } as unknown as UpPeer['link'],
  };
}

/** A node with peers up. */
export function crowded(peers: readonly UpPeer[]): Facts {
  return { ...quiet, up: peers, labelled: peers.slice(0, maxLabelledPeers), traffic: { ...quiet.traffic, connections: peers } };
}

/** More than a node can ever say: every peer, channel, reason and name there could be. */
export function boundless(): Facts {
  const ids = Array.from({ length: 256 }, (_, id) => id);
  const facts = crowded(Array.from({ length: 5_000 }, (_, number) => peer(number)));
  const names = Object.fromEntries(ids.map((number) => [`name${number}`, 1]));
  return {
    ...facts,
    status: { ...facts.status, restarts: names, caught: names },
    channelDrops: new Map(ids.map((id) => [id, new Map(dropReasons.map((reason) => [reason, 1]))])),
    rejections: new Map(disconnectReasons.map((reason) => [reason, 1])),
    traffic: { ...facts.traffic, channels: ids.map((id) => ({ ...nothing, id })) },
    mailboxes: ids.map((id) => ({ id, waiting: 1 })),
  };
}
