/** What the chart of `peer.ts` names: its guards, its changes, its effects and their parameters. */
import { assign, enqueueActions, raise, setup } from 'xstate';
import { TroupeError, type DisconnectReason, type ErrorCode } from '../proto/errors.ts';
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
  raise<PeerContext, PeerEvent, PeerEvent, undefined>(({ event }) => ({ type: 'peer.evict', reason, now: timeOf(event) }));

/** Actions and guards of the chart by name. The four effects throw until an actor provides them. */
export const peerSetup = setup({
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
    earn: by(change.earn),
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

export const answer = {
  type: 'answer',
  params: ({ context, event }: Facts) => ({ request: 'request' in event ? event.request : 0, ruling: ruling({ context, event })! }),
} as const;
/** The rival is kept: alone when the link ended, else in the link's place. */
export const routeRival = {
  type: 'settle',
  params: ({ context, event }: Facts): PeerEffects['settle'] => ({
    link: context.rival!.handle,
    ruling: event.type === 'peer.disconnected' ? { verdict: 'route' } : { verdict: 'route', replaces: context.link!.handle },
  }),
} as const;
const dismissalCodes: Partial<Record<DisconnectReason, ErrorCode>> = { banned: 'ERR_PEER_BANNED', displaced: 'ERR_SLOTS_FULL' };
const dismissalOf = (reason: DisconnectReason): Ruling => ({ verdict: 'refuse', reason, code: dismissalCodes[reason] ?? 'ERR_PEER_HELD' });

export const refuseRival = {
  type: 'settle',
  params: ({ context, event }: Facts): PeerEffects['settle'] => ({
    link: context.rival!.handle,
    ruling: event.type === 'peer.evict' ? dismissalOf(event.reason) : duplicateRuling,
  }),
} as const;
export const publishUp = {
  type: 'publish',
  params: ({ context }: Facts): PeerEffects['publish'] => ({ status: 'up', channels: context.link!.channels }),
} as const;
export const publishDown = {
  type: 'publish',
  params: ({ event }: Facts): PeerEffects['publish'] => ({
    status: 'down',
    channels: [],
    reason: event.type === 'peer.disconnected' ? event.reason : 'duplicate',
  }),
} as const;
export const closeLink = {
  type: 'closeLink',
  params: ({ context, event }: Facts): PeerEffects['closeLink'] => ({
    link: context.link!.handle,
    reason: event.type === 'peer.evict' ? event.reason : 'internal',
  }),
} as const;
