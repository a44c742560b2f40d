/** Every metric there is: its name, what it says, and where it is read. `docs/metrics.md` is printed from it; `docs/grafana.json` is compared with it. */
import { disconnectReasons } from '../proto/errors.ts';
import { maxLabelledPeers, type Facts, type UpPeer } from './monitor/facts.ts';
import {
  by,
  byDirection,
  channelLabel,
  connectionsByState,
  directions,
  dropsByChannel,
  dropsByPeer,
  each,
  holding,
  loopStates,
  memoryStates,
  ofChannels,
  ofPeers,
  ofTransports,
  one,
  peersByState,
  refusedByTransports,
  storeStates,
  type Sample,
} from './monitor/readings.ts';

/** One metric. */
export type Metric = Readonly<{
  /** `p2p_noun_what_unit`, or the usual name of what is the process's; counters end in `_total`. */
  name: string;
  kind: 'counter' | 'gauge' | 'histogram';
  labels: readonly string[];
  help: string;
  /** Its series, or the new observations of a histogram; none for what is observed as it happens. */
  read(facts: Facts): Iterable<Sample>;
  /** Upper bounds of a histogram's buckets, and how many sets of labels it can have. */
  buckets?: readonly number[];
  labelSets?: number;
  /** Has one series for each peer of its own. */
  perPeer?: true;
}>;

/** Series of one scrape, at most; about 120 bytes each. */
export const maxSeries = 2_000;
/** Observed at the end of each handshake. */
export const handshakeSeconds = 'p2p_connection_handshake_seconds';
/** Written by the exposition itself. */
export const omittedSeries = 'p2p_metric_omitted_series';

const durations = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

const sum = (peers: readonly UpPeer[], value: (peer: UpPeer) => number): number => peers.reduce((total, peer) => total + value(peer), 0);

/** A metric without labels. */
function plain(name: string, kind: 'counter' | 'gauge', help: string, value: (facts: Facts) => number | undefined): Metric {
  return { name, kind, labels: [], help, read: (facts) => one(value(facts)) };
}

const peers: readonly Metric[] = [
  {
    name: 'p2p_peer_state_peers',
    kind: 'gauge',
    labels: ['state', 'direction'],
    help: 'Peers by state and direction. Known counts all of them, connected those that are up too, and a connection that is not admitted yet.',
    read: peersByState,
  },
];

const connections: readonly Metric[] = [
  {
    name: 'p2p_connection_live_connections',
    kind: 'gauge',
    labels: ['direction', 'state'],
    help: 'Connections that live now, handshaking or open.',
    read: connectionsByState,
  },
  {
    name: 'p2p_connection_opened_total',
    kind: 'counter',
    labels: ['direction'],
    help: 'Connections made, before their handshake.',
    read: ({ traffic }) => byDirection((direction) => traffic.opened[direction]),
  },
  {
    name: 'p2p_connection_dials_total',
    kind: 'counter',
    labels: ['result'],
    help: 'Endpoints dialed: connected, failed, or cancelled because another was faster or time was up.',
    read: ({ traffic }) => each('result', ['connected', 'failed', 'cancelled'], Object.fromEntries(traffic.dials)),
  },
  {
    name: handshakeSeconds,
    kind: 'histogram',
    labels: ['direction'],
    help: 'Seconds from the start of a handshake to NodeInfo, of those that succeeded.',
    buckets: durations,
    labelSets: 2,
    read: () => [],
  },
  {
    name: 'p2p_connection_handshake_failures_total',
    kind: 'counter',
    labels: ['direction', 'reason'],
    help: 'Handshakes that failed, by the reason of the disconnect, or cancelled by us.',
    *read({ traffic }) {
      for (const direction of directions) yield* by('reason', traffic.handshakeFailures[direction], { direction });
    },
  },
  {
    name: 'p2p_connection_rejections_total',
    kind: 'counter',
    labels: ['stage', 'reason'],
    help: 'Connections refused before a handshake, by stage and reason. What the router refuses is a disconnect too.',
    *read(facts) {
      yield* refusedByTransports(facts);
      yield* by('reason', facts.rejections, { stage: 'router' });
    },
  },
  {
    name: 'p2p_connection_disconnects_total',
    kind: 'counter',
    labels: ['reason'],
    help: 'Connections that ended, by reason; those refused before admission included.',
    read: ({ status }) => each('reason', disconnectReasons, status.disconnects),
  },
  {
    name: 'p2p_connection_round_trip_seconds',
    kind: 'histogram',
    labels: [],
    help: 'Round trips of pings in seconds; of each connection the latest, once, when a scrape finds it new.',
    buckets: durations,
    labelSets: 1,
    *read({ traffic }) {
      for (const ms of traffic.roundTripsMs) yield [{}, ms / 1_000];
    },
  },
  plain(
    'p2p_connection_send_bytes_total',
    'counter',
    'Bytes written, handshakes and packet headers included.',
    (f) => f.traffic.totals.bytesSent,
  ),
  plain(
    'p2p_connection_receive_bytes_total',
    'counter',
    'Bytes read, handshakes and packet headers included.',
    (f) => f.traffic.totals.bytesReceived,
  ),
  plain('p2p_connection_send_messages_total', 'counter', 'Whole messages sent over all channels.', (f) => f.traffic.totals.messagesSent),
  plain(
    'p2p_connection_receive_messages_total',
    'counter',
    'Whole messages received over all channels.',
    (f) => f.traffic.totals.messagesReceived,
  ),
  {
    name: 'p2p_transport_pending_handshakes',
    kind: 'gauge',
    labels: ['transport'],
    help: 'Inbound handshakes under way.',
    read: (facts) => ofTransports(facts, 'pendingHandshakes'),
  },
  {
    name: 'p2p_transport_reassembly_bytes',
    kind: 'gauge',
    labels: ['transport'],
    help: 'Bytes held in messages that have arrived in part.',
    read: (facts) => ofTransports(facts, 'reassemblyBytes'),
  },
  {
    name: 'p2p_transport_accept_errors_total',
    kind: 'counter',
    labels: ['transport'],
    help: 'Errors of a listening socket.',
    read: (facts) => ofTransports(facts, 'acceptErrors'),
  },
  {
    name: 'p2p_transport_aead_info',
    kind: 'gauge',
    labels: ['aead'],
    help: 'The AEAD backend in use; always 1.',
    read: ({ status }) => [[{ aead: status.aead }, 1]],
  },
];

const messages: readonly Metric[] = [
  {
    name: 'p2p_channel_send_bytes_total',
    kind: 'counter',
    labels: ['channel'],
    help: 'Payload bytes of messages handed to connections.',
    read: ofChannels('bytesSent'),
  },
  {
    name: 'p2p_channel_receive_bytes_total',
    kind: 'counter',
    labels: ['channel'],
    help: 'Payload bytes of messages taken from connections.',
    read: ofChannels('bytesReceived'),
  },
  {
    name: 'p2p_channel_send_messages_total',
    kind: 'counter',
    labels: ['channel'],
    help: 'Messages handed to connections.',
    read: ofChannels('messagesSent'),
  },
  {
    name: 'p2p_channel_receive_messages_total',
    kind: 'counter',
    labels: ['channel'],
    help: 'Messages taken from connections.',
    read: ofChannels('messagesReceived'),
  },
  {
    name: 'p2p_message_drops_total',
    kind: 'counter',
    labels: ['channel', 'reason'],
    help: 'Messages dropped, by channel and reason.',
    read: dropsByChannel,
  },
  {
    name: 'p2p_channel_mailbox_messages',
    kind: 'gauge',
    labels: ['channel'],
    help: 'Messages that wait for the reader of a channel.',
    read: ({ mailboxes }) => mailboxes.map(({ id, waiting }) => [{ channel: channelLabel(id) }, waiting]),
  },
  plain('p2p_queue_waiting_messages', 'gauge', 'Messages that wait in the queues of all peers; a broadcast counts in each.', ({ up }) =>
    sum(up, ({ link }) => link.queued.messages),
  ),
  plain('p2p_queue_waiting_bytes', 'gauge', 'Encoded bytes that wait in the queues of all peers; a broadcast counts in each.', ({ up }) =>
    sum(up, ({ link }) => link.queued.bytes),
  ),
];

const node: readonly Metric[] = [
  {
    name: 'p2p_node_build_info',
    kind: 'gauge',
    labels: ['version', 'network'],
    help: 'The version of this runtime and the network it is in; always 1.',
    read: ({ status }) => [[{ version: status.version, network: status.network }, 1]],
  },
  plain('p2p_node_uptime_seconds', 'gauge', 'Seconds since the node was made.', ({ status }) => status.uptimeMs / 1_000),
  {
    name: 'p2p_actor_restarts_total',
    kind: 'counter',
    labels: ['actor'],
    help: 'Restarts of supervised actors, by their declared names.',
    read: ({ status }) => by('actor', Object.entries(status.restarts)),
  },
  plain('p2p_actor_live_actors', 'gauge', 'Actors that live now.', ({ status }) => status.actors),
  {
    name: 'p2p_reactor_errors_total',
    kind: 'counter',
    labels: ['reactor'],
    help: 'Errors of handlers that a reactor survived.',
    read: ({ status }) => by('reactor', Object.entries(status.caught)),
  },
  plain('p2p_reactor_isolated_reactors', 'gauge', 'Reactors given up after too many restarts.', ({ status }) => status.isolated.length),
  plain('p2p_timer_pending_timers', 'gauge', 'Timers that are set.', ({ status }) => status.timers),
  {
    name: 'p2p_store_state_info',
    kind: 'gauge',
    labels: ['state'],
    help: 'State of the peer store: 1 for the one it is in. Degraded means that the disk fails.',
    read: ({ status }) => holding(storeStates, status.store.state),
  },
  plain('p2p_store_skipped_rows', 'gauge', 'Rows that could not be read since the store was opened.', ({ status }) => status.store.skipped),
  {
    name: 'p2p_loop_delay_seconds',
    kind: 'gauge',
    labels: ['quantile'],
    help: 'Delay of the event loop in seconds over the last half to one minute; quantile 1 is the longest.',
    read: ({ status: { eventLoopDelayMs } }) => [
      [{ quantile: '0.5' }, eventLoopDelayMs.p50 / 1_000],
      [{ quantile: '0.99' }, eventLoopDelayMs.p99 / 1_000],
      [{ quantile: '1' }, eventLoopDelayMs.max / 1_000],
    ],
  },
  {
    name: 'p2p_pressure_loop_info',
    kind: 'gauge',
    labels: ['state'],
    help: 'State of the event loop at the last look: 1 for the one it is in. While it is delayed nobody is accepted.',
    read: ({ status }) => holding(loopStates, status.pressure.loop),
  },
  {
    name: 'p2p_pressure_memory_info',
    kind: 'gauge',
    labels: ['state'],
    help: 'State of memory at the last look: 1 for the one it is in. Short of it nobody is accepted; once it is spent peers are let go.',
    read: ({ status }) => holding(memoryStates, status.pressure.memory),
  },
];

const ofProcess: readonly Metric[] = [
  plain('process_cpu_user_seconds_total', 'counter', 'Processor seconds spent in our code.', (f) => f.process.cpuUserSeconds),
  plain('process_cpu_system_seconds_total', 'counter', 'Processor seconds spent in the kernel for us.', (f) => f.process.cpuSystemSeconds),
  plain('process_start_time_seconds', 'gauge', 'When the process started, in seconds since 1970.', (f) => f.process.startedAt),
  plain('process_resident_memory_bytes', 'gauge', 'Resident memory in bytes.', ({ status }) => status.rssBytes),
  plain('process_open_fds', 'gauge', 'Open file descriptors, where the system tells.', (f) => f.process.openFiles),
  plain('nodejs_heap_size_used_bytes', 'gauge', 'Heap in use, in bytes.', ({ status }) => status.heapUsedBytes),
  plain('nodejs_heap_size_total_bytes', 'gauge', 'Heap taken from the system, in bytes.', (f) => f.process.heapTotalBytes),
  plain('nodejs_external_memory_bytes', 'gauge', 'Memory outside the heap that it holds on to, in bytes.', (f) => f.process.externalBytes),
];

/** One series for each peer that has its own. */
function ofPeer(name: string, kind: 'counter' | 'gauge', help: string, value: (peer: UpPeer) => number | undefined): Metric {
  return { name, kind, labels: ['peer_id'], help, read: ofPeers(value), perPeer: true };
}

const byPeer: readonly Metric[] = [
  ofPeer(
    'p2p_peer_send_bytes_total',
    'counter',
    'Bytes written to a peer that is up, over its present connection.',
    (peer) => peer.totals.bytesSent,
  ),
  ofPeer(
    'p2p_peer_receive_bytes_total',
    'counter',
    'Bytes read from a peer that is up, over its present connection.',
    (peer) => peer.totals.bytesReceived,
  ),
  ofPeer(
    'p2p_peer_send_messages_total',
    'counter',
    'Messages sent to a peer that is up, over its present connection.',
    (peer) => peer.totals.messagesSent,
  ),
  ofPeer(
    'p2p_peer_receive_messages_total',
    'counter',
    'Messages received from a peer that is up, over its present connection.',
    (peer) => peer.totals.messagesReceived,
  ),
  ofPeer('p2p_peer_queue_messages', 'gauge', 'Messages that wait for a peer that is up.', (peer) => peer.link.queued.messages),
  ofPeer('p2p_peer_queue_bytes', 'gauge', 'Encoded bytes that wait for a peer that is up.', (peer) => peer.link.queued.bytes),
  ofPeer('p2p_peer_round_trip_seconds', 'gauge', 'Latest round trip of a ping to a peer that is up.', ({ roundTripMs }) =>
    roundTripMs === undefined ? undefined : roundTripMs / 1_000,
  ),
  {
    name: 'p2p_peer_drops_total',
    kind: 'counter',
    labels: ['peer_id', 'reason'],
    help: 'Messages for or from a peer that is up that were dropped since it came up, by reason.',
    read: dropsByPeer,
  },
];

/** The table. What grows with peers comes last, so that a bound on series is felt there first. */
export const metrics: readonly Metric[] = Object.freeze([
  ...peers,
  ...connections,
  ...messages,
  ...node,
  ...ofProcess,
  {
    name: omittedSeries,
    kind: 'gauge',
    labels: [],
    help: `Series left out because a scrape has at most ${maxSeries.toLocaleString('en')} and at most ${maxLabelledPeers} peers have series of their own.`,
    read: () => [],
  },
  ...byPeer,
]);
