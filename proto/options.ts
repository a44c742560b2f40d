/** Every option, declared once: type, default, limits and description together. `--help`, the configuration file and `docs/configuration.md` are printed from it. */
import * as v from 'valibot';
import { TroupeError } from './errors.ts';

const day = 86_400_000;
/** Node timers fire at once above this; no duration may pass it. */
const longestMs = 2_147_483_647;

const whole = (fallback: number, least: number, most: number, description: string) =>
  v.pipe(v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(least), v.maxValue(most)), fallback), v.description(description));
/** A duration in milliseconds, 1 or more. */
const millis = (fallback: number, description: string, most = longestMs) => whole(fallback, 1, most, description);
/** A number of things, 1 or more unless said otherwise. */
const count = (fallback: number, description: string, least = 1, most = 1_000_000) => whole(fallback, least, most, description);
/** A size in bytes, 1 or more. */
const bytes = (fallback: number, description: string, most = 2 ** 40) => whole(fallback, 1, most, description);
const text = (fallback: string, description: string) => v.pipe(v.optional(v.string(), fallback), v.description(description));
const flag = (fallback: boolean, description: string) => v.pipe(v.optional(v.boolean(), fallback), v.description(description));
const texts = (description: string) => v.pipe(v.optional(v.array(v.string()), []), v.description(description));
const choice = <const T extends readonly [string, ...string[]]>(values: T, fallback: T[number], description: string) =>
  v.pipe(v.optional(v.picklist(values), fallback), v.description(description));
const group = <T extends v.ObjectEntries>(entries: T) => v.optional(v.strictObject(entries), {} as never);

/** Handshake and the admission of strangers. */
export const handshakeOptions = v.strictObject({
  totalMs: millis(10_000, 'Absolute time from accept or connect to a verified NodeInfo; never extended by received bytes.', 20_000),
  firstByteMs: millis(3_000, 'Longest wait for the first byte of a remote that connected to us.', 20_000),
  maxPending: count(32, 'Inbound handshakes under way, whole process; each holds one socket and at most 16 KiB.'),
  maxPendingPerIp: count(4, 'Inbound handshakes under way from one address; loopback is spared.'),
  maxPendingPerNet: count(16, 'Inbound handshakes under way from one IPv4 /24 or IPv6 /56; loopback is spared.'),
  startRate: count(50, 'Inbound handshakes begun a second, with a burst of twice as many; loopback is spared.'),
  startRatePerIp: count(5, 'Inbound handshakes begun a second from one address; loopback is spared.'),
  filterMs: millis(1_000, 'Longest wait for the answer of a filter of the host; no answer refuses.', 10_000),
});
/** Slots: three budgets that never borrow from each other. */
export const slotsOptions = v.strictObject({
  inbound: count(40, 'Inbound peers at once.', 1, 10_000),
  outbound: count(12, 'Outbound peers at once.', 1, 10_000),
  upgrade: count(4, 'Peers beyond the slots of either direction, for as long as a better one takes the place of a worse one.', 1, 10_000),
  outboundPerGroup: count(
    2,
    'Outbound peers at once, dials included, in one IPv4 /16 or IPv6 /32; persistent and unconditional peers, private networks and loopback are spared.',
    1,
    10_000,
  ),
  perIp: count(2, 'Peers at once from one address; loopback is spared.', 1, 10_000),
  perNet: count(8, 'Peers at once from one IPv4 /24 or IPv6 /56; loopback is spared.', 1, 10_000),
});
/** Dialing and retry. */
export const dialerOptions = v.strictObject({
  timeoutMs: millis(3_000, 'Longest wait for a TCP connection to all endpoints of one address.', 60_000),
  resolveMs: millis(3_000, 'Longest wait for a name to resolve.', 60_000),
  maxDialing: count(16, 'Dials in flight; each may hold one socket and one handshake.', 1, 1_000),
  minRetryMs: millis(250, 'Back-off after the first failed dial; doubles with each further one.'),
  maxRetryMs: millis(1_800_000, 'Longest back-off for ordinary peers.', 30 * day > longestMs ? longestMs : 30 * day),
  maxRetryPersistentMs: millis(30_000, 'Longest back-off for persistent peers.', 300_000),
  cooldownMs: millis(2_000, 'No dial to a peer for this long after it disconnected.'),
  flapCooldownMs: millis(600_000, 'No connection with a peer, either way, for this long after five within a minute.', day),
  hostIntervalMs: millis(
    60_000,
    'Shortest time between two dials to one host that we only know by hearsay; private hosts and loopback are spared.',
    day,
  ),
});
/** One live connection. */
export const linkOptions = v.strictObject({
  maxSendPayloadBytes: bytes(1_024, 'Payload of a packet we send; Go peers of 0.34 and CometBFT take no more than 1,024.', 1_400),
  maxReceivePacketBytes: bytes(1_410, 'Largest packet body we accept.', 65_536),
  sendRate: bytes(5_120_000, 'Bytes a second we send to one peer.'),
  receiveRate: bytes(
    5_120_000,
    'Cost units a second one peer may make us read, with a burst of one second: a packet costs its bytes but at least 256, a completed message 1,024 more.',
  ),
  pingIntervalMs: millis(60_000, 'Time between our pings.'),
  pongTimeoutMs: millis(
    45_000,
    'A ping unanswered for this long counts against the peer, which is dropped when it was silent for silenceMs too.',
  ),
  silenceMs: millis(90_000, 'A peer that sent nothing at all for this long is dropped.'),
  stallMs: millis(10_000, 'A peer that takes none of our bytes for this long is dropped.'),
  maxSocketBytes: bytes(1_048_576, 'Sealed bytes waiting in one socket before we wait for it to drain.', 16_777_216),
  partialIdleMs: millis(30_000, 'A partial message without a new byte for this long ends the connection.'),
  partialTotalMs: millis(60_000, 'A partial message older than this that came in slower than 1 KiB a second ends the connection.'),
  maxReassemblyBytes: bytes(
    134_217_728,
    'Partial messages of all peers together; beyond it the oldest partial message ends its connection.',
  ),
});
/** Which lane of a queue goes next: the oldest message, the greatest weight, or shares by weight. */
export const queuePolicies = ['fifo', 'priority', 'wdrr'] as const;
export type QueuePolicy = (typeof queuePolicies)[number];

/** Messages waiting for one peer. */
export const peerQueueOptions = v.strictObject({
  queue: choice(
    queuePolicies,
    'wdrr',
    'Which channel goes next, and gets room first when the queue is full: wdrr shares by channel priority, priority always the highest, fifo the oldest message.',
  ),
  maxBytes: bytes(16_000_000, 'Encoded bytes waiting for one peer.'),
  maxMessages: count(1_024, 'Messages waiting for one peer.'),
  channelShare: count(
    50,
    'Percent of the queue of a peer that one channel may fill while the others are empty; several get equal parts, and as much stays free for the rest.',
    1,
    75,
  ),
  maxTotalBytes: bytes(134_217_728, 'Encoded bytes that wait for all peers, in queues or in connections; a broadcast counts once.'),
  maxTotalMessages: count(131_072, 'Messages waiting for all peers; a broadcast counts once.'),
});
/** Messages waiting for one reactor. */
export const mailboxOptions = v.strictObject({
  queue: choice(
    queuePolicies,
    'wdrr',
    'Whose message is read next, and gets room first when the mailbox is full, unless the channel says otherwise: wdrr lets peers take turns, priority prefers persistent and unconditional peers, fifo the oldest message.',
  ),
  maxBytes: bytes(8_388_608, 'Encoded bytes waiting in one channel.'),
  maxMessages: count(1_024, 'Messages waiting in one channel.'),
  peerShare: count(25, 'Percent of a mailbox that one peer may fill.', 1, 100),
  stallMs: millis(
    15_000,
    'A channel whose reactor takes nothing for this long while full drops what arrives until the reactor reads again.',
  ),
});
/** What a node does when its process is loaded. */
export const pressureOptions = v.strictObject({
  lookMs: millis(250, 'Time between two looks at the load of the process.', 60_000),
  maxLoopDelayMs: millis(250, 'Delay of the event loop beyond which nobody is accepted until it is shorter again.', 60_000),
  softBytes: bytes(
    536_870_912,
    'Resident memory, beyond what the process had when the node was made, above which whoever connects is refused as overloaded.',
  ),
  hardBytes: bytes(
    805_306_368,
    'The same, above which nobody is dialed and the worst peer is disconnected, one a second; persistent and unconditional peers stay.',
  ),
});
/** Peer exchange. */
export const pexOptions = v.strictObject({
  enabled: flag(true, 'Ask peers for addresses and answer them.'),
  dialect: choice(
    ['ip', 'url'],
    'ip',
    'Dialect of our requests: ip for Tendermint 0.34, 0.35 and CometBFT, url for 0.36 and Sei. Answers use the dialect asked.',
  ),
  askIntervalMs: millis(30_000, 'Time between two requests to one peer; CometBFT bans below 10 seconds.', day),
  tickMs: millis(1_000, 'Time between looks at whom to ask.'),
  answerDeadlineMs: millis(15_000, 'A request unanswered for this long counts as unhelpful.'),
  maxSent: count(100, 'Addresses in an answer we send; Tendermint 0.35 takes no more.', 1, 100),
  maxReceived: count(250, 'Addresses in an answer we read.', 1, 250),
  answerIntervalMs: millis(200, 'Requests of one peer closer than this are misbehaviour.'),
  sampleMs: millis(5_000, 'Requests of one peer closer than this are answered from the last sample.'),
  intakePerSecond: v.pipe(
    v.optional(v.pipe(v.number(), v.minValue(0.001), v.maxValue(1_000)), 0.1),
    v.description('Addresses a second taken from one peer beyond the 100 tokens of each request we sent.'),
  ),
});
/** The peer store. */
export const storeOptions = v.strictObject({
  maxPeers: count(1_024, 'Stored peers.', 1, 1_000_000),
  addressesPerPeer: count(4, 'Addresses kept for one peer.', 1, 64),
  addressesPerHost: count(
    4,
    'Addresses kept for one host that others told us of and that were never dialed; private hosts and loopback are spared.',
    1,
    1_000,
  ),
  sourcePercent: count(5, 'Percent of the store that one source may fill; operator and host are exempt.', 1, 100),
  groupPercent: count(
    10,
    'Percent of the store that addresses in one IPv4 /16 or IPv6 /32 may fill; what operator and host add is exempt, and private networks and loopback are spared.',
    1,
    100,
  ),
  commitMs: millis(100, 'Longest wait of a change for its group commit.', 1_000),
  spacingMs: millis(5_000, 'Shortest time between two writes of one peer; what the operator changes is written at once.', 600_000),
  busyMs: millis(50, 'Longest wait for a locked database; it blocks the process.', 1_000),
  retryMs: millis(30_000, 'Time between attempts to write again while degraded.'),
});
/** Restarts. */
export const supervisionOptions = v.strictObject({
  maxRestarts: count(5, 'Restarts of one supervisor within its window before it gives up.', 1, 1_000),
  withinMs: millis(30_000, 'Window in which restarts are counted.'),
  minBackoffMs: millis(250, 'Wait before the first restart; doubles while failures follow each other.'),
  maxBackoffMs: millis(30_000, 'Longest wait before a restart.'),
  watchdogMs: millis(10_000, 'Time between two looks of the watchdog at each actor.'),
  maxMissed: count(3, 'Looks in a row without a sign of life after which an actor counts as crashed.', 1, 1_000),
});
/** The echo reactor that the command line runs. */
export const echoOptions = v.strictObject({
  ask: flag(false, 'Ask every peer on the echo channel, and print how long the answers took; for test networks. Read by troupe start.'),
  everyMs: millis(1_000, 'Time between two questions.', day),
});
/** Ending in time. */
export const stopOptions = v.strictObject({
  flushMs: millis(2_000, 'Time to flush channels when the node stops.', 60_000),
  totalMs: millis(5_000, 'Time in which a stop must be finished, forced at the end.', 120_000),
});

/** All options that a configuration file, the environment or a flag can set. */
export const nodeOptions = v.strictObject({
  network: text('troupe', 'Chain id, compared byte for byte.'),
  moniker: text('troupe', 'Name shown to peers: printable ASCII.'),
  listen: v.pipe(
    v.optional(v.array(v.string()), ['mconn://0.0.0.0:26656']),
    v.description('Endpoints to listen on; port 0 takes any free port.'),
  ),
  externalAddress: text('', 'host:port under which others reach us, advertised in NodeInfo; empty advertises the listen address.'),
  persistentPeers: texts('Addresses (mconn://id@host:port) of peers kept connected.'),
  bootstrapPeers: texts('Addresses of peers known at the start.'),
  privatePeers: texts('Ids of peers never told to others.'),
  unconditionalPeers: texts('Ids of peers admitted beyond the slots.'),
  monitor: text('127.0.0.1:26680', 'host:port of the monitor, or off.'),
  loopbackIsPublic: flag(false, 'Apply to 127.0.0.0/8 the limits that spare loopback; for tests.'),
  logLevel: choice(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], 'info', 'Least level that is logged.'),
  aead: choice(['auto', 'sodium', 'node', 'noble'], 'auto', 'AEAD backend: auto takes the fastest that loads.'),
  blockVersion: count(11, 'Block protocol version; peers must have the same.', 0),
  p2pVersion: count(8, 'P2P protocol version shown to peers.', 0),
  appVersion: count(0, 'Application protocol version shown to peers.', 0),
  handshake: group(handshakeOptions.entries),
  slots: group(slotsOptions.entries),
  dialer: group(dialerOptions.entries),
  link: group(linkOptions.entries),
  peerQueue: group(peerQueueOptions.entries),
  mailbox: group(mailboxOptions.entries),
  pressure: group(pressureOptions.entries),
  pex: group(pexOptions.entries),
  store: group(storeOptions.entries),
  supervision: group(supervisionOptions.entries),
  echo: group(echoOptions.entries),
  stop: group(stopOptions.entries),
});

export type HandshakeOptions = Readonly<v.InferOutput<typeof handshakeOptions>>;
export type SlotsOptions = Readonly<v.InferOutput<typeof slotsOptions>>;
export type DialerOptions = Readonly<v.InferOutput<typeof dialerOptions>>;
export type LinkOptions = Readonly<v.InferOutput<typeof linkOptions>>;
export type PressureOptions = Readonly<v.InferOutput<typeof pressureOptions>>;
export type MailboxOptions = Readonly<v.InferOutput<typeof mailboxOptions>>;
export type StoreOptions = Readonly<v.InferOutput<typeof storeOptions>>;
export type SupervisionOptions = Readonly<v.InferOutput<typeof supervisionOptions>>;
/** Every option with its value, frozen. */
export type NodeOptions = Readonly<v.InferOutput<typeof nodeOptions>>;
/** What a user may leave out is optional here. */
export type NodeOptionsInput = v.InferInput<typeof nodeOptions>;

/** Checks options against a schema, fills defaults and freezes the result. @throws TroupeError `ERR_OPTION_INVALID` listing every problem. */
export function parseOptions<T extends v.GenericSchema>(schema: T, input: unknown): Readonly<v.InferOutput<T>> {
  const result = v.safeParse(schema, input);
  if (!result.success) {
    const problems = result.issues.map((issue) => `${v.getDotPath(issue) ?? 'options'}: ${issue.message}`);
    throw new TroupeError('ERR_OPTION_INVALID', problems.join('; '));
  }
  return deepFreeze(result.output as object) as Readonly<v.InferOutput<T>>;
}

function deepFreeze<T>(value: T): T {
  if (value !== null && typeof value === 'object' && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}
