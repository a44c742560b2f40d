/** The words of the peer manager's chart: what it holds, what happens to it, what it asks for. */
import type { NodeAddress } from '../proto/address.ts';
import type { DisconnectReason, ErrorCode } from '../proto/errors.ts';
import type { NodeId } from '../proto/identity.ts';
import type { DialerOptions, SlotsOptions, StoreOptions } from '../proto/options.ts';
import type { PeerBook } from './peer-book.ts';
import type { Arrival, LinkHandle, PeerContext, PeerEvent, PeerInput, Ruling } from './peer-context.ts';
import type { Crowd, Footprint, Usage } from './peer-footprint.ts';
import type { PeerNotice } from './peer-live.ts';
import type { PeerClass, PeerRow } from './peer-row.ts';
import type { Outcomes } from './peer-manager-reports.ts';
import type { Recent } from './policy/recent.ts';
import type { Behaviour, ReportSource, Reputation } from './policy/score.ts';
import type { Tree } from './policy/tree.ts';

/** What does not change while a manager lives. */
export type ManagerSetup = Readonly<{
  ownId: NodeId;
  options: Readonly<{ slots: SlotsOptions; dialer: DialerOptions; store: StoreOptions; loopbackIsPublic: boolean }>;
  persistent: readonly NodeAddress[];
  bootstrap: readonly NodeAddress[];
  persistentIds: ReadonlySet<NodeId>;
  unconditionalIds: ReadonlySet<NodeId>;
  /** The host's policy on reports; never throws, and what it says is within limits. */
  reputation?: Reputation;
}>;

/** What the manager starts from: the rows of the store. */
export type ManagerInput = Readonly<{ setup: ManagerSetup; rows: readonly PeerRow[]; now: number }>;

/** Where an address came from; gossip is limited a source, operator and host are not. */
export type AddressSource = Readonly<{ kind: 'operator' | 'host' } | { kind: 'gossip'; from: NodeId } | { kind: 'self'; from: NodeId }>;

/** A peer that runs as an actor, as it last described itself. */
export type LivePeer = Readonly<{
  id: NodeId;
  slot: number;
  context: PeerContext;
  /** When it wants a `peer.due`; Infinity for never. */
  dueAt: number;
  /** The link it wants closed, from then until that link is gone. */
  evicting: LinkHandle | undefined;
  footprint: Footprint;
}>;

/** When a live peer wants to hear of the time. */
export type Appointment = Readonly<{ id: NodeId; dueAt: number }>;

/** A candidate being dialed, and the peer that is to make room for it. */
export type Claim = Readonly<{ candidate: NodeId; victim: NodeId }>;
/** A link to be closed. An orphan's peer no longer knows it. */
export type Eviction = Readonly<{ id: NodeId; link: LinkHandle; reason: DisconnectReason; isOrphan?: true }>;
type Waiter = Readonly<{ id: NodeId; request: number }>;

export type ManagerContext = Readonly<{
  setup: ManagerSetup;
  /** Time and dice of the stimulus being handled. */
  now: number;
  roll: number;
  book: PeerBook;
  live: Tree<LivePeer>;
  /** Live peers by the time they want to hear of it. */
  agenda: Tree<Appointment>;
  usage: Usage;
  crowd: Crowd;
  claims: readonly Claim[];
  /** The latest times at which peers connected. */
  connects: Recent<readonly number[]>;
  /** Useful reports in this hour on those who rest: coming back earns nobody more of them. */
  praise: Recent<PeerContext['useful']>;
  /** When hosts were last dialed. */
  knocks: Recent<number>;
  /** What came of the addresses that peers told us. */
  outcomes: Recent<Outcomes>;
  /** Good outbound peers of before the start, not dialed since. */
  anchors: readonly NodeId[];
  /** Slots for actors: freed ones, and how many were ever made. */
  freeSlots: readonly number[];
  slotsMade: number;
  /** Events that live peers have not answered yet; nothing is handed out meanwhile. */
  unanswered: number;
  /** Persistent peers that the operator disconnected. */
  holds: ReadonlySet<NodeId>;
  /** Peers that the operator wants dialed now. */
  urgent: readonly Readonly<{ id: NodeId; triesLeft: number }>[];
  /** Ordinary peers handed out so far, modulo three. */
  picks: number;
  dialWaiters: readonly number[];
  evictions: readonly Eviction[];
  evictWaiters: readonly number[];
  /** Decisions on held connections that nobody has asked for yet, and those who ask. */
  rulings: readonly Readonly<{ link: LinkHandle; ruling: Ruling }>[];
  rulingWaiters: readonly Readonly<{ link: LinkHandle; request: number }>[];
  /** Operators who wait for a peer to be up, or gone. */
  upWaiters: readonly Waiter[];
  downWaiters: readonly Waiter[];
  /** What the one timer is set for. */
  timerAt: number;
}>;

/** The answer to a request. */
export type Answer =
  | Readonly<{ kind: 'done' }>
  | Readonly<{ kind: 'added'; added: boolean }>
  | Readonly<{ kind: 'address'; address: string }>
  | Readonly<{ kind: 'ruling'; ruling: Ruling }>
  | Readonly<{ kind: 'eviction'; eviction: Eviction }>
  | Readonly<{ kind: 'error'; code: ErrorCode; detail: string }>;

/** Every stimulus brings the time (milliseconds) and a roll in [0, 1). */
type Stimulus<T> = Readonly<T & { now: number; roll: number }>;
export type ManagerStimulus =
  | Stimulus<{ type: 'address.added'; address: NodeAddress; source: AddressSource; request: number }>
  | Stimulus<{ type: 'dial.requested' | 'dial.withdrawn'; request: number }>
  | Stimulus<{ type: 'dial.failed'; address: NodeAddress; code: ErrorCode }>
  | Stimulus<{ type: 'link.dialed'; address: NodeAddress; arrival: Arrival; request: number }>
  | Stimulus<{ type: 'link.accepted'; arrival: Arrival; request: number }>
  | Stimulus<{ type: 'link.ready'; id: NodeId; link: LinkHandle }>
  | Stimulus<{ type: 'link.ended'; id: NodeId; link: LinkHandle; reason: DisconnectReason; detail: string }>
  | Stimulus<{ type: 'ruling.requested' | 'ruling.withdrawn'; link: LinkHandle; request: number }>
  | Stimulus<{ type: 'eviction.requested' | 'eviction.withdrawn'; request: number }>
  | Stimulus<{ type: 'behaviour.reported'; id: NodeId; behaviour: Behaviour; reason: string; source?: ReportSource }>
  | Stimulus<{ type: 'operator.dial'; id: NodeId; request: number }>
  | Stimulus<{ type: 'operator.disconnect'; id: NodeId; reason: string; request: number }>
  | Stimulus<{ type: 'operator.ban'; id: NodeId; forMs: number; reason: string; request: number }>
  | Stimulus<{ type: 'operator.remove'; id: NodeId; request: number }>
  /** The router has started anew: what an earlier one held is over. */
  | Stimulus<{ type: 'router.restarted' }>
  | Stimulus<{ type: 'clock.due' }>;
export type ManagerEvent = ManagerStimulus | PeerNotice;

/** What the manager asks for. */
export type ManagerEffects = Readonly<{
  reply: Readonly<{ request: number; answer: Answer }>;
  persist: Readonly<{ row: PeerRow }>;
  erase: Readonly<{ id: NodeId }>;
  publish: Readonly<{ id: NodeId; status: 'up' | 'down'; channels: readonly number[]; reason?: DisconnectReason }>;
  armTimer: Readonly<{ at: number }>;
}>;

/** What the chart does with its children besides. */
export type ManagerStep =
  | { [K in keyof ManagerEffects]: Readonly<{ type: K; params: ManagerEffects[K] }> }[keyof ManagerEffects]
  | Readonly<{ type: 'spawn'; slot: number; input: PeerInput }>
  | Readonly<{ type: 'tell'; slot: number; event: PeerEvent }>
  | Readonly<{ type: 'stop'; slot: number }>;

export function classOf(setup: ManagerSetup, id: NodeId): PeerClass {
  if (setup.unconditionalIds.has(id) && !setup.persistentIds.has(id)) return 'unconditional';
  return setup.persistentIds.has(id) ? 'persistent' : 'ordinary';
}

/** One decision being made: the context so far, and what is asked for, in order. Lives for one event. */
export class Decision {
  context: ManagerContext;
  readonly steps: ManagerStep[] = [];

  constructor(context: ManagerContext) {
    this.context = context;
  }

  change(part: Partial<ManagerContext>): void {
    this.context = { ...this.context, ...part };
  }

  ask<K extends keyof ManagerEffects>(type: K, params: ManagerEffects[K]): void {
    this.steps.push({ type, params } as ManagerStep);
  }

  reply(request: number, answer: Answer): void {
    this.ask('reply', { request, answer });
  }

  fail(request: number, code: ErrorCode, detail = ''): void {
    this.reply(request, { kind: 'error', code, detail });
  }
}
