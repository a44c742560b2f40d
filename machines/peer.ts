/**
 * The life of one peer as a statechart: what is known of it, whether it is dialed, which connection it has, whether it must go.
 * The same chart decides for a live peer, which runs as an actor, and for one at rest, which is a row: `transition(peerMachine, restingSnapshot(input), event)`.
 * It has no timers and no children: time and chance come with each event, effects leave as named actions.
 */
import { and, assign, enqueueActions, initialTransition, not, raise, setup, type SnapshotFrom } from 'xstate';
import { TroupeError, type DisconnectReason } from '../proto/errors.ts';
import { admissionOf, duplicateRuling } from './peer-admission.ts';
import * as change from './peer-changes.ts';
import { timeOf, type PeerContext, type PeerEffects, type PeerEvent, type PeerInput, type PeerLink, type Ruling } from './peer-context.ts';
import { dialableAt } from './policy/retry.ts';
import { isBanned } from './policy/score.ts';

function notProvided(name: string): never {
  throw new TroupeError('ERR_NOT_PROVIDED', name);
}

type Facts = Readonly<{ context: PeerContext; event: PeerEvent }>;
type On<T extends PeerEvent['type']> = Extract<PeerEvent, { type: T }>;

const ruling = ({ context, event }: Facts): Ruling | undefined =>
  event.type === 'peer.dialed' || event.type === 'peer.accepted' ? admissionOf(context, event) : undefined;
const isOfLink = (link: PeerLink | undefined, event: PeerEvent): boolean => 'link' in event && link?.handle === event.link;

/** A change of `peer-changes.ts`, for the events it is made for. */
const by = <T extends PeerEvent['type']>(make: (context: PeerContext, event: On<T>) => Partial<PeerContext>) =>
  assign<PeerContext, PeerEvent, undefined, PeerEvent, never>(({ context, event }) => make(context, event as On<T>));

/** A report may cost a peer its connection. */
const judgeReport = enqueueActions<PeerContext, PeerEvent, undefined, PeerEvent, never, never, never, never, never>(
  ({ context, event, enqueue }) => {
    const report = event as On<'peer.reported'>;
    const { change: changed, consequence } = change.judged(context, report);
    enqueue.assign(() => changed);
    if (consequence !== 'none')
      enqueue.raise({ type: 'peer.evict', reason: consequence === 'ban' ? 'banned' : 'misbehaved', now: report.now });
  },
);
const evictFor = (reason: DisconnectReason) =>
  raise<PeerContext, PeerEvent, PeerEvent, undefined, never>(({ event }) => ({ type: 'peer.evict', reason, now: timeOf(event) }));

const base = setup({
  types: { context: {} as PeerContext, events: {} as PeerEvent, input: {} as PeerInput },
  actions: {
    answer: (_, _params: PeerEffects['answer']) => notProvided('answer'),
    settle: (_, _params: PeerEffects['settle']) => notProvided('settle'),
    publish: (_, _params: PeerEffects['publish']) => notProvided('publish'),
    closeLink: (_, _params: PeerEffects['closeLink']) => notProvided('closeLink'),
    addAddress: by(change.addAddress),
    beginDial: by(change.beginDial),
    failDial: by(change.failDial),
    endDial: by(change.endDial),
    takeLink: by(change.takeLink),
    noteRefusal: by(change.noteRefusal),
    holdRival: by(change.holdRival),
    dropRival: by(change.dropRival),
    dropLeaving: by(change.dropLeaving),
    promoteRival: by<'peer.due' | 'peer.disconnected'>(change.promoteRival),
    markUp: by(change.markUp),
    endLink: by(change.endLink),
    beginSettling: by(change.beginSettling),
    countRejection: by(change.countRejection),
    earn: by(() => ({ durable: true })),
    endHour: by(change.endHour),
    release: by(change.release),
    dismiss: by(change.dismiss),
    ban: by(change.ban),
    forget: by(change.forget),
    judge: judgeReport,
    evictBanned: evictFor('banned'),
    evictDismissed: evictFor('operator'),
  },
  guards: {
    isBanned: ({ context, event }) => isBanned(context.row, timeOf(event)),
    isHeld: ({ context }) => context.held,
    isForgotten: ({ context }) => context.forgotten,
    isWaiting: ({ context, event }) => dialableAt(context.row, context.retry.cooldownMs) > timeOf(event),
    isRefused: (facts: Facts) => ruling(facts)?.verdict === 'refuse',
    isHeldBack: (facts: Facts) => ruling(facts)?.verdict === 'hold',
    isRouted: (facts: Facts) => ruling(facts)?.verdict === 'route',
    isLink: ({ context, event }) => isOfLink(context.link, event),
    isRival: ({ context, event }) => isOfLink(context.rival, event),
    isLeaving: ({ context, event }) => context.leaving !== undefined && 'link' in event && context.leaving === event.link,
    hasLeaving: ({ context }) => context.leaving !== undefined,
    hasRival: ({ context }) => context.rival !== undefined,
    hasLink: ({ context }) => context.link !== undefined,
    isRejection: ({ context, event }) =>
      event.type === 'peer.disconnected' &&
      event.reason === 'rejected' &&
      isOfLink(context.link, event) &&
      !context.rival &&
      context.link?.address !== '',
    isSettled: ({ context, event }) => context.rejection !== undefined && !context.link && timeOf(event) >= context.rejection.until,
    isHoldOver: ({ context, event }) => context.rival !== undefined && timeOf(event) >= context.rivalUntil,
    isRivalKept: ({ context }) => change.isRivalKept(context),
    isEarned: ({ context, event }) => change.isEarned(context, timeOf(event)),
    isHourOver: ({ context, event }) => context.link !== undefined && context.link.upSince > 0 && timeOf(event) >= context.link.hourEnd,
  },
});

const answer = {
  type: 'answer',
  params: ({ context, event }: Facts) => ({ request: 'request' in event ? event.request : 0, ruling: ruling({ context, event })! }),
} as const;
/** The rival is kept: alone when the link ended, else in the link's place. */
const routeRival = {
  type: 'settle',
  params: ({ context, event }: Facts): PeerEffects['settle'] => ({
    link: context.rival!.handle,
    ruling: event.type === 'peer.disconnected' ? { verdict: 'route' } : { verdict: 'route', replaces: context.link!.handle },
  }),
} as const;
const refuseRival = {
  type: 'settle',
  params: ({ context, event }: Facts): PeerEffects['settle'] => ({
    link: context.rival!.handle,
    ruling: event.type === 'peer.evict' ? { verdict: 'refuse', reason: event.reason, code: 'ERR_PEER_HELD' } : duplicateRuling,
  }),
} as const;
const publishUp = {
  type: 'publish',
  params: ({ context }: Facts): PeerEffects['publish'] => ({ status: 'up', channels: context.link!.channels }),
} as const;
const publishDown = {
  type: 'publish',
  params: ({ event }: Facts): PeerEffects['publish'] => ({
    status: 'down',
    channels: [],
    reason: event.type === 'peer.disconnected' ? event.reason : 'duplicate',
  }),
} as const;
const closeLink = {
  type: 'closeLink',
  params: ({ context, event }: Facts): PeerEffects['closeLink'] => ({
    link: context.link!.handle,
    reason: event.type === 'peer.evict' ? event.reason : 'internal',
  }),
} as const;

/** What is known. Follows the facts and the time of each event; nothing here depends on the other regions. */
const knowledge = base.createStateConfig({
  initial: 'known',
  on: {
    'peer.addressAdded': { actions: 'addAddress' },
    'peer.release': { actions: 'release' },
    'peer.dismiss': { actions: ['dismiss', 'evictDismissed'] },
    'peer.ban': { actions: ['ban', 'evictBanned'] },
    'peer.forget': { actions: ['forget', 'evictDismissed'] },
  },
  states: {
    known: {
      always: [
        { guard: 'isForgotten', target: 'forgotten' },
        { guard: 'isBanned', target: 'banned' },
        { guard: 'isHeld', target: 'held' },
      ],
      on: { 'peer.reported': { actions: 'judge' } },
    },
    /** Disconnected by the operator, until the operator dials. */
    held: {
      always: [
        { guard: 'isForgotten', target: 'forgotten' },
        { guard: 'isBanned', target: 'banned' },
        { guard: not('isHeld'), target: 'known' },
      ],
      on: { 'peer.reported': { actions: 'judge' } },
    },
    banned: {
      always: [
        { guard: 'isForgotten', target: 'forgotten' },
        { guard: not('isBanned'), target: 'known' },
      ],
    },
    /** Removed by the operator; gone as soon as it rests. */
    forgotten: { always: { guard: not('isForgotten'), target: 'known' } },
  },
});

const dial = base.createStateConfig({
  initial: 'idle',
  states: {
    idle: {
      always: { guard: 'isWaiting', target: 'waiting' },
      on: {
        'peer.dial': { target: 'dialing', actions: 'beginDial' },
        'peer.dialed': { actions: 'endDial' },
        'peer.disconnected': { guard: 'isRejection', target: 'settling', actions: 'beginSettling' },
      },
    },
    /** Backing off, cooling down, or without an address. */
    waiting: {
      always: { guard: not('isWaiting'), target: 'idle' },
      on: {
        'peer.dial': { target: 'dialing', actions: 'beginDial' },
        'peer.dialed': { actions: 'endDial' },
        'peer.disconnected': { guard: 'isRejection', target: 'settling', actions: 'beginSettling' },
      },
    },
    dialing: {
      on: {
        'peer.dialFailed': { target: 'idle', actions: 'failDial' },
        'peer.dialed': { target: 'idle', actions: 'endDial' },
      },
    },
    /** Rejected after NodeInfo: a failed dial, unless another connection comes up in time. */
    settling: {
      on: {
        'peer.ready': { guard: 'isLink', target: 'idle' },
        'peer.due': { guard: 'isSettled', target: 'idle', actions: 'countRejection' },
        'peer.dialed': { actions: 'endDial' },
        'peer.disconnected': { guard: 'isRejection', actions: 'beginSettling' },
        'peer.release': { target: 'idle' },
      },
    },
  },
});

const refuse = { guard: 'isRefused', actions: [answer, 'noteRefusal'] } as const;
const route = { guard: 'isRouted', target: 'live', actions: [answer, 'takeLink'] } as const;
const hold = { guard: 'isHeldBack', target: 'held', actions: [answer, 'holdRival'] } as const;
const holdNext = { guard: 'isHeldBack', actions: [answer, refuseRival, 'holdRival'] } as const;

const connection = base.createStateConfig({
  initial: 'none',
  states: {
    none: { on: { 'peer.dialed': [refuse, route], 'peer.accepted': [refuse, route] } },
    live: {
      type: 'parallel',
      states: {
        routing: {
          initial: 'connected',
          states: {
            connected: {
              on: {
                'peer.ready': [
                  { guard: and(['isLink', 'hasLeaving']), target: 'up', actions: [publishDown, 'markUp', publishUp] },
                  { guard: 'isLink', target: 'up', actions: ['markUp', publishUp] },
                ],
                'peer.dialed': { guard: 'isRouted', actions: [answer, 'takeLink'] },
                'peer.accepted': { guard: 'isRouted', actions: [answer, 'takeLink'] },
                'peer.disconnected': [
                  { guard: and(['isLink', 'hasRival']), actions: [routeRival, 'promoteRival'] },
                  { guard: and(['isLink', 'hasLeaving']), target: '#peer.connection.none', actions: [publishDown, 'endLink'] },
                  { guard: 'isLink', target: '#peer.connection.none', actions: 'endLink' },
                  { guard: 'isLeaving', actions: [publishDown, 'dropLeaving'] },
                ],
                'peer.due': { guard: and(['isHoldOver', 'isRivalKept']), actions: [routeRival, 'promoteRival'] },
              },
            },
            up: {
              on: {
                'peer.dialed': { guard: 'isRouted', target: 'connected', actions: [answer, 'takeLink'] },
                'peer.accepted': { guard: 'isRouted', target: 'connected', actions: [answer, 'takeLink'] },
                'peer.disconnected': [
                  { guard: and(['isLink', 'hasRival']), target: 'connected', actions: [publishDown, routeRival, 'promoteRival'] },
                  { guard: 'isLink', target: '#peer.connection.none', actions: [publishDown, 'endLink'] },
                ],
                'peer.due': [
                  { guard: and(['isHoldOver', 'isRivalKept']), target: 'connected', actions: [routeRival, 'promoteRival'] },
                  { guard: 'isEarned', actions: 'earn' },
                  { guard: 'isHourOver', actions: 'endHour' },
                ],
              },
            },
          },
        },
        rival: {
          initial: 'absent',
          states: {
            absent: { on: { 'peer.dialed': [refuse, hold], 'peer.accepted': [refuse, hold] } },
            held: {
              on: {
                'peer.dialed': [refuse, holdNext],
                'peer.accepted': [refuse, holdNext],
                'peer.disconnected': [
                  { guard: 'isLink', target: 'absent' },
                  { guard: 'isRival', target: 'absent', actions: [refuseRival, 'dropRival'] },
                ],
                'peer.due': [
                  { guard: and(['isHoldOver', 'isRivalKept']), target: 'absent' },
                  { guard: 'isHoldOver', target: 'absent', actions: [refuseRival, 'dropRival'] },
                ],
                'peer.evict': { target: 'absent', actions: [refuseRival, 'dropRival'] },
              },
            },
          },
        },
      },
    },
  },
});

/** The link it concerned is gone, or another has taken its place. */
const relieved = {
  'peer.dialed': { guard: 'isRouted', target: 'none' },
  'peer.accepted': { guard: 'isRouted', target: 'none' },
  'peer.disconnected': { guard: 'isLink', target: 'none' },
  'peer.due': { guard: and(['isHoldOver', 'isRivalKept']), target: 'none' },
} as const;

const eviction = base.createStateConfig({
  initial: 'none',
  states: {
    none: { on: { 'peer.evict': { guard: 'hasLink', target: 'scheduled', actions: closeLink } } },
    scheduled: { on: { ...relieved, 'peer.evicting': { target: 'handedOut' } } },
    handedOut: { on: relieved },
  },
});

/** The four regions of a peer. */
export const peerRegions = { knowledge, dial, connection, eviction } as const;
export { base as peerSetup };

/** The chart. Every context value is bounded but the clock's. */
export const peerMachine = base.createMachine({
  id: 'peer',
  type: 'parallel',
  context: ({ input }) => change.fromInput(input),
  states: peerRegions,
});

export type PeerSnapshot = SnapshotFrom<typeof peerMachine>;

/** The snapshot of a peer at rest. Never stored: a row is enough to make it. */
export function restingSnapshot(input: PeerInput): PeerSnapshot {
  return initialTransition(peerMachine, input)[0];
}
