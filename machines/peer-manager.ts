/**
 * The peer manager as a statechart (ADR 062, Peer Manager): parent of one actor for each live peer, owner of slots, index and the one timer.
 * Synchronous: one event, one transition, its answers among the effects. What it decides is in `peer-manager-calls.ts`, one function an event.
 */
import { enqueueActions, not, setup, type SnapshotFrom } from 'xstate';
import { TroupeError } from '../proto/errors.ts';
import type { NodeId } from '../proto/identity.ts';
import { bookOf, emptyBook, surplus, without } from './peer-book.ts';
import { emptyCrowd } from './peer-footprint.ts';
import { livePeer } from './peer-live.ts';
import * as calls from './peer-manager-calls.ts';
import * as orders from './peer-manager-operator.ts';
import {
  classOf,
  Decision,
  type ManagerContext,
  type ManagerEffects,
  type ManagerEvent,
  type ManagerInput,
  type ManagerSetup,
  type ManagerStep,
} from './peer-manager-context.ts';
import * as dials from './peer-manager-dials.ts';
import { keepTime, nextEviction } from './peer-manager-peers.ts';
import { reportBehaviour } from './peer-manager-reports.ts';
import { roomOf } from './peer-manager-slots.ts';
import { blankRow, type PeerRow } from './peer-row.ts';
import { withAddress } from './policy/intake.ts';
import { nothingRecent } from './policy/recent.ts';
import { clamped } from './policy/retry.ts';
import { byPromise } from './policy/select.ts';

function notProvided(name: string): never {
  throw new TroupeError('ERR_NOT_PROVIDED', name);
}

function fromInput({ setup: facts, now }: ManagerInput): ManagerContext {
  const { dialer, store, slots, loopbackIsPublic } = facts.options;
  const rules = {
    cooldownMs: dialer.cooldownMs,
    persistent: facts.persistentIds,
    unconditional: facts.unconditionalIds,
    outboundPerGroup: slots.outboundPerGroup,
    loopbackIsPublic,
    maxPeers: store.maxPeers,
  };
  return {
    setup: facts,
    now,
    roll: 0,
    book: emptyBook(rules),
    live: undefined,
    agenda: undefined,
    usage: { inbound: 0, outbound: 0 },
    crowd: emptyCrowd,
    claims: [],
    connects: nothingRecent,
    praise: nothingRecent,
    knocks: nothingRecent,
    outcomes: nothingRecent,
    anchors: [],
    freeSlots: [],
    slotsMade: 0,
    unanswered: 0,
    holds: new Set(),
    urgent: [],
    picks: 0,
    dialWaiters: [],
    evictions: [],
    evictWaiters: [],
    rulings: [],
    rulingWaiters: [],
    upWaiters: [],
    downWaiters: [],
    timerAt: Infinity,
  };
}

/** Fills the book: what was stored, with times that a wrong clock wrote set right, and what is configured. Our own id is nobody's. */
function open(decision: Decision, { rows, now }: ManagerInput): void {
  const { setup: facts, book } = decision.context;
  const hasRoom = roomOf(decision.context, 'outbound') >= 1;
  // Whoever had to make room need not wait: nobody is connected now.
  const kept = (row: PeerRow): PeerRow => {
    const sound = clamped(row, facts.options.dialer, now);
    return hasRoom && sound.displacedAt > 0 ? { ...sound, displacedAt: 0 } : sound;
  };
  const addresses = [...facts.persistent, ...facts.bootstrap];
  const configured = new Set(addresses.map(({ nodeId }) => nodeId));
  // Only those are looked up; an index of the others, who may be a hundred thousand, would serve nobody.
  const known = new Map<NodeId, PeerRow>();
  const others: PeerRow[] = [];
  for (const row of rows) {
    if (row.id === facts.ownId) decision.ask('erase', { id: row.id });
    else if (configured.has(row.id)) known.set(row.id, kept(row));
    else others.push(kept(row));
  }
  for (const address of addresses) {
    const row = known.get(address.nodeId) ?? blankRow(address.nodeId);
    const next = withAddress(row, address, 'operator', facts.options.store.addressesPerPeer);
    if (!next) continue;
    known.set(next.id, next);
    decision.ask('persist', { row: next });
  }
  const all = [...others, ...known.values()];
  decision.change({ book: bookOf(book.rules, all, now), anchors: anchorsOf(facts, all) });
  for (let row = surplus(decision.context.book); row; row = surplus(decision.context.book)) {
    decision.change({ book: without(decision.context.book, row.id) });
    decision.ask('erase', { id: row.id });
  }
}

/** The last good outbound peers are the ones least likely to have been put there by somebody. */
const anchorsKept = 2;

function anchorsOf(facts: ManagerSetup, rows: readonly PeerRow[]): readonly NodeId[] {
  const candidates = rows.filter((row) => row.anchoredAt > 0 && classOf(facts, row.id) === 'ordinary');
  const latest = candidates.sort((a, b) => b.anchoredAt - a.anchoredAt || byPromise(a, b));
  return latest.slice(0, anchorsKept).map(({ id }) => id);
}

interface Enqueue {
  (action: Readonly<{ type: string; params: unknown }>): void;
  assign(change: () => ManagerContext): void;
  spawnChild(logic: 'peer', options: Readonly<{ id: string; input: unknown }>): void;
  sendTo(target: string, event: unknown): void;
  stopChild(id: string): void;
}

/** An action that makes one decision and asks for what comes of it. */
const decide = (make: (decision: Decision, event: never) => void) =>
  enqueueActions<ManagerContext, ManagerEvent, undefined, ManagerEvent, never, never, never, never, never>(
    ({ context, event, enqueue }) => {
      const decision = new Decision(context);
      if ('now' in event) keepTime(decision, event);
      make(decision, event as never);
      dials.releaseDisplaced(decision);
      const at = calls.nextDueAt(decision.context);
      if (at !== decision.context.timerAt) {
        decision.ask('armTimer', { at });
        decision.change({ timerAt: at });
      }
      const ask = enqueue as unknown as Enqueue;
      ask.assign(() => decision.context);
      for (const step of decision.steps) take(ask, step);
    },
  );

function take(ask: Enqueue, step: ManagerStep): void {
  switch (step.type) {
    case 'spawn':
      return ask.spawnChild('peer', { id: String(step.slot), input: step.input });
    case 'tell':
      return ask.sendTo(String(step.slot), step.event);
    case 'stop':
      return ask.stopChild(String(step.slot));
    case 'reply':
    case 'persist':
    case 'erase':
    case 'publish':
    case 'armTimer':
      return ask(step);
  }
}

/** The slot in the id of a peer's actor. */
const slotOf = Number;

/** The chart. Its answers come out of the five effects, before `send` returns. */
export const peerManagerMachine = setup({
  types: { context: {} as ManagerContext, events: {} as ManagerEvent, input: {} as ManagerInput },
  actors: { peer: livePeer },
  actions: {
    reply: (_, _params: ManagerEffects['reply']) => notProvided('reply'),
    persist: (_, _params: ManagerEffects['persist']) => notProvided('persist'),
    erase: (_, _params: ManagerEffects['erase']) => notProvided('erase'),
    publish: (_, _params: ManagerEffects['publish']) => notProvided('publish'),
    armTimer: (_, _params: ManagerEffects['armTimer']) => notProvided('armTimer'),
    open: decide((decision, event: { input: ManagerInput }) => open(decision, event.input)),
    addAddress: decide(dials.addAddress),
    awaitDial: decide(dials.awaitDial),
    withdrawDial: decide(dials.withdrawDial),
    handOutDial: decide(dials.handOutDial),
    failDial: decide(dials.failDial),
    admitDialed: decide(calls.admitDialed),
    admitAccepted: decide(calls.admitAccepted),
    markReady: decide(calls.markReady),
    endLink: decide(calls.endLink),
    awaitRuling: decide(calls.awaitRuling),
    withdrawRuling: decide(calls.withdrawRuling),
    awaitEviction: decide(calls.awaitEviction),
    withdrawEviction: decide(calls.withdrawEviction),
    handOutEviction: decide(calls.handOutEviction),
    reportBehaviour: decide(reportBehaviour),
    dialNow: decide(orders.dialNow),
    disconnectNow: decide(orders.disconnectNow),
    banNow: decide(orders.banNow),
    removeNow: decide(orders.removeNow),
    forgetRouter: decide(calls.forgetRouter),
    heedClock: decide(calls.heedClock),
    hearPeer: decide(calls.hearPeer),
    grantWish: decide(calls.grantWish),
    buryPeer: decide((decision, event: { actorId: string }) => calls.buryPeer(decision, slotOf(event.actorId))),
  },
  guards: {
    isDialAwaited: ({ context }) => context.dialWaiters.length > 0,
    isDialDue: ({ context }) => context.unanswered === 0 && dials.choiceOf(context) !== undefined,
    isEvictionAwaited: ({ context }) => context.evictWaiters.length > 0,
    isEvictionDue: ({ context }) => context.unanswered === 0 && nextEviction(context) !== undefined,
  },
}).createMachine({
  id: 'peerManager',
  options: { maxIterations: 1_000 },
  type: 'parallel',
  context: ({ input }) => fromInput(input),
  entry: 'open',
  on: {
    'address.added': { actions: 'addAddress' },
    'dial.requested': { actions: 'awaitDial' },
    'dial.withdrawn': { actions: 'withdrawDial' },
    'dial.failed': { actions: 'failDial' },
    'link.dialed': { actions: 'admitDialed' },
    'link.accepted': { actions: 'admitAccepted' },
    'link.ready': { actions: 'markReady' },
    'link.ended': { actions: 'endLink' },
    'ruling.requested': { actions: 'awaitRuling' },
    'ruling.withdrawn': { actions: 'withdrawRuling' },
    'eviction.requested': { actions: 'awaitEviction' },
    'eviction.withdrawn': { actions: 'withdrawEviction' },
    'behaviour.reported': { actions: 'reportBehaviour' },
    'operator.dial': { actions: 'dialNow' },
    'operator.disconnect': { actions: 'disconnectNow' },
    'operator.ban': { actions: 'banNow' },
    'operator.remove': { actions: 'removeNow' },
    'router.restarted': { actions: 'forgetRouter' },
    'clock.due': { actions: 'heedClock' },
    'peer.changed': { actions: 'hearPeer' },
    'peer.asked': { actions: 'grantWish' },
    'xstate.error.actor.*': { actions: 'buryPeer' },
  },
  states: {
    /** Whether somebody waits for a peer to dial. */
    dialing: {
      initial: 'idle',
      states: {
        idle: { always: { guard: 'isDialAwaited', target: 'waiting' } },
        waiting: {
          always: [
            { guard: not('isDialAwaited'), target: 'idle' },
            { guard: 'isDialDue', actions: 'handOutDial' },
          ],
        },
      },
    },
    /** Whether somebody waits for a link to close. */
    evicting: {
      initial: 'idle',
      states: {
        idle: { always: { guard: 'isEvictionAwaited', target: 'waiting' } },
        waiting: {
          always: [
            { guard: not('isEvictionAwaited'), target: 'idle' },
            { guard: 'isEvictionDue', actions: 'handOutEviction' },
          ],
        },
      },
    },
  },
});

export type ManagerSnapshot = SnapshotFrom<typeof peerManagerMachine>;
