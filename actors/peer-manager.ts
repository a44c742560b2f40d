/** The peer manager: who is known, who is connected, whom to dial and whom to evict (ADR 062, Peer Manager). */
import type { Logger } from 'pino';
import type { AnyActorLogic } from 'xstate';
import { formatNodeAddress, parseNodeAddress, validateNodeAddress, type NodeAddress } from '../proto/address.ts';
import { TroupeError, type DisconnectReason } from '../proto/errors.ts';
import { parseNodeId, type NodeId } from '../proto/identity.ts';
import type { DialerOptions, SlotsOptions, StoreOptions } from '../proto/options.ts';
import { newsOf } from '../machines/peer-manager-dials.ts';
import { tellableSample } from '../machines/peer-book.ts';
import type { Arrival, LinkHandle } from '../machines/peer-context.ts';
import type { AddressSource, Answer, ManagerSetup } from '../machines/peer-manager-context.ts';
import { explanationOf, type Explanation } from '../machines/peer-explanation.ts';
import { countsOf, listOf, viewOf, type Counts as PeerCounts, type PeerRange, type PeerView } from '../machines/peer-views.ts';
import { sample } from '../machines/policy/advertise.ts';
import { itemsOf } from '../machines/policy/tree.ts';
import type { Clock, Random } from '../transports/clock.ts';
import type { ReportSource, Reputation } from '../machines/policy/score.ts';
import type { Behaviour } from './channel.ts';
import { ManagerLine, peerManagerLogic, type Call } from './peer-manager-logic.ts';
import type { PeerStore } from './peer-store.ts';
import { PeerUpdates, type PeerEvent } from './peer-updates.ts';
import { heeded } from './reputation.ts';

export type { Arrival, LinkHandle } from '../machines/peer-context.ts';
export type { AddressSource } from '../machines/peer-manager-context.ts';
export type { Explanation } from '../machines/peer-explanation.ts';
export type { Counts as PeerCounts, PeerRange, PeerState, PeerView } from '../machines/peer-views.ts';
export type { PeerEvent, PeerUpdate } from './peer-updates.ts';

/** The operator's and the host's face: `node.peers`. */
export interface Peers {
  /** Adds an address (`mconn://id@host:port`); resolves once durable, with false if it was known. @throws TroupeError `ERR_ADDRESS_INVALID`, `ERR_PEER_SELF`. */
  add(address: string): Promise<boolean>;
  /** What is known, in the order of ids; of many, page by page: a page costs what it shows. */
  list(range?: PeerRange): readonly PeerView[];
  /** Those that are connected or being dialed, in the order of ids; costs what it shows, however many are known. */
  live(): readonly PeerView[];
  /** How many there are of each kind, as `/status` shows them. */
  counts(): PeerCounts;
  explain(id: string): Explanation;
  /** Dials a known peer now; resolves when it is up, else rejects with a code. Lifts a hold. */
  dial(id: string): Promise<void>;
  /** Disconnects; a persistent peer is held until `dial` or a restart. Resolves when it is down. */
  disconnect(id: string, reason?: string): Promise<void>;
  /** Bans for a time and disconnects; resolves once durable. */
  ban(id: string, options: { forMs: number; reason: string }): Promise<void>;
  /** Forgets a peer, disconnecting it first; resolves once durable. */
  remove(id: string): Promise<void>;
  /** Peers that are up, the end of the snapshot, then changes. A reader too slow for its bounded buffer gets only the latest state of each peer. */
  updates(signal?: AbortSignal): AsyncIterable<PeerEvent>;
}

/** What to do with a connection that has just shaken hands. */
export type Admission =
  /** Route it. `replaces` names an older link to the same id that must be closed (as `duplicate`) and reported `disconnected` first. */
  | Readonly<{ verdict: 'route'; replaces?: LinkHandle }>
  /** Keep it unrouted, ping the older link, and wait for `settled(link)`. */
  | Readonly<{ verdict: 'hold'; older: LinkHandle }>
  | Readonly<{ verdict: 'refuse'; reason: DisconnectReason; error: TroupeError }>;

/** The router's face: the methods of ADR 062. All but the two `…Next` and `settled` are synchronous; time and wake-ups are the manager's. */
export interface PeerManager {
  readonly peers: Peers;
  /** Adds an address: resolves once durable what the operator or the host adds, and at once what others say or what changes nothing. */
  add(address: NodeAddress, source: AddressSource): Promise<boolean>;
  /** The next address to dial, now marked dialing; waits until there is one. Every address handed out is answered by exactly one `dialed` or `dialFailed`. */
  dialNext(signal: AbortSignal): Promise<NodeAddress>;
  dialFailed(address: NodeAddress, error: TroupeError): void;
  /** An outbound connection has shaken hands. */
  dialed(address: NodeAddress, arrival: Arrival): Admission;
  /** An inbound connection has shaken hands. */
  accepted(arrival: Arrival): Admission;
  /** Waits for the decision on a held connection. */
  settled(link: LinkHandle, signal: AbortSignal): Promise<Admission>;
  /** The peer's queue exists and its loops run: it is up. */
  ready(id: NodeId, link: LinkHandle): void;
  /** The next link to close, with the reason; waits until there is one. Each is handed out once. */
  evictNext(signal: AbortSignal): Promise<Readonly<{ id: NodeId; link: LinkHandle; reason: DisconnectReason }>>;
  /** A link that was admitted or held has ended. `rejected` says the remote closed it within two seconds of NodeInfo, before any packet. */
  disconnected(id: NodeId, link: LinkHandle, reason: DisconnectReason, detail?: string): void;
  /** A report on a peer's behaviour: seen in what the remote sent, unless the host says so. */
  report(id: NodeId, behaviour: Behaviour, reason: string, source?: ReportSource): void;
  /** Addresses to tell a peer: never its own, never private ones, at most `limit`. `remoteIp` decides which scopes it can reach. */
  advertise(asker: NodeId, limit: number, remoteIp?: string): readonly NodeAddress[];
  counts(): PeerCounts;
  /** A router has started: dials, links and evictions that an earlier one held are over, its links with reason `restart`. */
  routerRestarted(): void;
}

/** What a peer manager is made of. */
export type PeerManagerDeps = Readonly<{
  ownId: NodeId;
  options: Readonly<{ slots: SlotsOptions; dialer: DialerOptions; store: StoreOptions; loopbackIsPublic: boolean }>;
  /** Kept connected: dialed first, never given up. At most `slots.outbound` ids. */
  persistent: readonly NodeAddress[];
  /** Known at the start, ordinary afterwards. */
  bootstrap: readonly NodeAddress[];
  /** Never told to others. */
  privateIds: readonly NodeId[];
  /** Admitted beyond the slots. */
  unconditionalIds: readonly NodeId[];
  /** Open before `logic` starts. */
  store: PeerStore;
  clock: Clock;
  random: Random;
  log: Logger;
  /** Our own address as others reach us, told first to those who can reach it; asked anew each time. */
  selfAddress?: () => NodeAddress | undefined;
  /** The host's policy on reports, instead of the default one. */
  reputation?: Reputation | undefined;
  /** Told each time that policy failed. */
  onCaught?: () => void;
  /** Last measured round trip of a link in milliseconds, for views. */
  roundTripOf?: (link: LinkHandle) => number | undefined;
}>;

/** The face, and the logic behind it: the supervisor starts and restarts `logic`, and each start loads the store anew. */
export type RunnablePeerManager = PeerManager &
  Readonly<{
    logic: AnyActorLogic;
    /** Ends every subscription and every wait for good. Idempotent. */
    close(): void;
  }>;

/**
 * Makes the peer manager of one node. While `logic` does not run, the methods that ask throw or reject with `ERR_NODE_STATE`; reports are ignored.
 * @throws TroupeError `ERR_OPTION_INVALID` listing every problem, `ERR_PEER_SELF`.
 */
export function createPeerManager(deps: PeerManagerDeps): RunnablePeerManager {
  const { ownId, options, persistent, bootstrap, clock, random } = deps;
  checkSetup(deps);
  const setup: ManagerSetup = {
    ownId,
    options,
    persistent,
    bootstrap,
    persistentIds: new Set(persistent.map((each) => each.nodeId)),
    unconditionalIds: new Set(deps.unconditionalIds),
    ...(deps.reputation && { reputation: heeded(deps.reputation, deps) }),
  };
  const updates = new PeerUpdates();
  const line = new ManagerLine({ setup, store: deps.store, updates, clock, random, log: deps.log });
  const privateIds = new Set(deps.privateIds);
  const add = async (address: NodeAddress, source: AddressSource): Promise<boolean> => {
    const valid = validateNodeAddress(address);
    // Most of what peers tell is known: that is no event.
    if ('from' in source && valid.nodeId !== ownId && line.context && !newsOf(line.context, valid, source)) return false;
    const { answer, durable } = line.ask({ type: 'address.added', address: valid, source });
    if (answer.kind !== 'added' || !answer.added) return answer.kind === 'added' ? false : raise(answer);
    // Hearsay is written when its turn comes: nobody was promised more.
    if (!('from' in source)) await durable();
    return true;
  };
  const order = async (call: Call): Promise<void> => {
    const { answer, durable } = await line.wait(call);
    if (answer.kind === 'error') raise(answer);
    await durable();
  };
  const counts = (): PeerCounts => (line.context ? countsOf(line.context, line.now()) : noPeers);
  const peers: Peers = {
    add: (address) => rejecting(() => add(parseNodeAddress(address), { kind: 'operator' })),
    list: (range) => (line.context ? listOf(line.context, line.now(), range, deps.roundTripOf) : []),
    live() {
      const { context } = line;
      if (!context) return [];
      const now = line.now();
      // A peer that was just turned away runs on until it knows, without a link.
      const live = [...itemsOf(context.live)].filter((peer) => peer.context.link || peer.context.dialing);
      return live.map((peer) => viewOf(context, peer.context.row, now, deps.roundTripOf));
    },
    counts,
    explain(id) {
      if (!line.context) throw new TroupeError('ERR_NODE_STATE', 'the peer manager is not running');
      return explanationOf(line.context, parseNodeId(id), line.now());
    },
    dial: (id) =>
      rejecting(async () => {
        const { answer } = await line.wait({ type: 'operator.dial', id: parseNodeId(id) });
        if (answer.kind === 'error') raise(answer);
      }),
    disconnect: (id, reason = '') => rejecting(() => order({ type: 'operator.disconnect', id: parseNodeId(id), reason })),
    ban: (id, { forMs, reason }) => rejecting(() => order({ type: 'operator.ban', id: parseNodeId(id), forMs, reason })),
    remove: (id) => rejecting(() => order({ type: 'operator.remove', id: parseNodeId(id) })),
    updates: (signal) => updates.subscribe(signal),
  };
  return {
    peers,
    add: (address, source) => rejecting(async () => (address.nodeId === ownId && 'from' in source ? false : add(address, source))),
    async dialNext(signal) {
      const { answer } = await line.wait({ type: 'dial.requested' }, { signal, withdrawal: { type: 'dial.withdrawn' } });
      return answer.kind === 'address' ? parseNodeAddress(answer.address) : raise(answer);
    },
    dialFailed: (address, { code }) => line.tell({ type: 'dial.failed', address, code }),
    dialed: (address, arrival) => admissionOf(line.ask({ type: 'link.dialed', address, arrival }).answer),
    accepted: (arrival) => admissionOf(line.ask({ type: 'link.accepted', arrival }).answer),
    async settled(link, signal) {
      const { answer } = await line.wait({ type: 'ruling.requested', link }, { signal, withdrawal: { type: 'ruling.withdrawn', link } });
      return admissionOf(answer);
    },
    ready: (id, link) => line.tell({ type: 'link.ready', id, link }),
    async evictNext(signal) {
      const { answer } = await line.wait({ type: 'eviction.requested' }, { signal, withdrawal: { type: 'eviction.withdrawn' } });
      return answer.kind === 'eviction' ? answer.eviction : raise(answer);
    },
    disconnected: (id, link, reason, detail = '') => line.tell({ type: 'link.ended', id, link, reason, detail }),
    report: (id, behaviour, reason, source = 'remote') => line.report({ type: 'behaviour.reported', id, behaviour, reason, source }),
    advertise(asker, limit, remoteIp = '') {
      if (!line.context) return [];
      const rows = tellableSample(line.context.book, mostSampled, random);
      return sample(rows, { asker: { id: asker, ip: remoteIp }, limit, own: deps.selfAddress?.(), privateIds, now: line.now() }, random);
    },
    counts,
    routerRestarted: () => line.tell({ type: 'router.restarted' }),
    logic: peerManagerLogic(line),
    close() {
      updates.close();
    },
  };
}

const noPeers: PeerCounts = { known: 0, dialing: 0, connected: 0, up: 0, banned: 0 };

/** Peers looked at for one answer to who asks for addresses. */
const mostSampled = 1_024;

/** A throw becomes a rejection, so that callers of a promise have one place to look. */
async function rejecting<T>(run: () => Promise<T>): Promise<T> {
  return run();
}

function raise(answer: Answer): never {
  throw answer.kind === 'error'
    ? new TroupeError(answer.code, answer.detail)
    : new TroupeError('ERR_INTERNAL', `unexpected answer: ${answer.kind}`);
}

function admissionOf(answer: Answer): Admission {
  if (answer.kind !== 'ruling') return raise(answer);
  const { ruling } = answer;
  return ruling.verdict === 'refuse' ? { verdict: 'refuse', reason: ruling.reason, error: new TroupeError(ruling.code) } : ruling;
}

/** What no single option can say of itself. */
function checkSetup({ ownId, options, persistent, bootstrap }: PeerManagerDeps): void {
  const { slots, dialer, store } = options;
  if ([...persistent, ...bootstrap].some((each) => each.nodeId === ownId)) throw new TroupeError('ERR_PEER_SELF', ownId);
  const ids = new Set(persistent.map((each) => each.nodeId));
  const problems = [
    ids.size > slots.outbound && `persistentPeers: ${ids.size} peers need as many slots.outbound (${slots.outbound})`,
    new Set(persistent.map(formatNodeAddress)).size < persistent.length && 'persistentPeers: an address is listed twice',
    slots.inbound + slots.upgrade > store.maxPeers &&
      `slots.inbound and slots.upgrade (${slots.inbound} + ${slots.upgrade}) must not exceed store.maxPeers (${store.maxPeers})`,
    slots.outbound + slots.upgrade > store.maxPeers &&
      `slots.outbound and slots.upgrade (${slots.outbound} + ${slots.upgrade}) must not exceed store.maxPeers (${store.maxPeers})`,
    dialer.maxRetryMs < dialer.minRetryMs && 'dialer.maxRetryMs must not be below dialer.minRetryMs',
    dialer.maxRetryPersistentMs < dialer.minRetryMs && 'dialer.maxRetryPersistentMs must not be below dialer.minRetryMs',
  ].filter((each) => each !== false);
  if (problems.length > 0) throw new TroupeError('ERR_OPTION_INVALID', problems.join('; '));
}
