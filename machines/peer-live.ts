/** A live peer: the chart of `peer.ts` as an actor that tells its parent what it asks for and, after each event, what has become of it. */
import { sendParent } from 'xstate';
import type { NodeId } from '../proto/identity.ts';
import { peerRegions } from './peer.ts';
import { fromInput } from './peer-changes.ts';
import type { PeerContext, PeerEffects, PeerEvent } from './peer-context.ts';
import { peerSetup } from './peer-setup.ts';

/** One of a peer's effects with its parameters. */
export type PeerEffect = { [K in keyof PeerEffects]: Readonly<{ type: K }> & PeerEffects[K] }[keyof PeerEffects];

/**
 * What a live peer's parent hears: what the peer asks for, then what has become of it. Each event of the parent is answered by one `peer.changed` with `isAnswer`.
 * After a report that did not come by the parent, whoever brought it tells it what has become of the peer.
 */
export type PeerNotice =
  | Readonly<{ type: 'peer.asked'; id: NodeId; effect: PeerEffect }>
  | Readonly<{ type: 'peer.changed'; context: PeerContext; isAnswer: boolean }>;

/** Whether a peer is more than its row: dialing, connected, or waiting to learn whether it was rejected. */
export function isLive(context: PeerContext): boolean {
  return context.dialing !== '' || context.link !== undefined || context.rejection !== undefined;
}

const effectTypes: Readonly<Record<keyof PeerEffects, true>> = { answer: true, settle: true, publish: true, closeLink: true };

/** The effects among the actions of a pure transition. */
export function effectsOf(actions: readonly Readonly<{ type: string; params: unknown }>[]): readonly PeerEffect[] {
  return actions.filter(({ type }) => type in effectTypes).map(({ type, params }) => ({ type, ...(params as object) }) as PeerEffect);
}

const ask = <K extends keyof PeerEffects>(type: K) =>
  sendParent<PeerContext, PeerEvent, PeerEffects[K], PeerNotice, PeerEvent>(({ context }, params) => ({
    type: 'peer.asked',
    id: context.row.id,
    effect: { type, ...params } as unknown as PeerEffect,
  }));
const tellChange = sendParent<PeerContext, PeerEvent, undefined, PeerNotice, PeerEvent>(({ context, event }) => ({
  type: 'peer.changed',
  context,
  // The one event that the chart may send itself, as part of another.
  isAnswer: event.type !== 'peer.evict' || event.isOrder === true,
}));
const isFromParent = ({ event }: Readonly<{ event: PeerEvent }>): boolean => event.type !== 'peer.reported' || !event.isDirect;

const told = [
  'peer.addressAdded',
  'peer.dial',
  'peer.dialFailed',
  'peer.dialed',
  'peer.accepted',
  'peer.ready',
  'peer.disconnected',
  'peer.reported',
  'peer.due',
  'peer.evicting',
  'peer.release',
  'peer.dismiss',
  'peer.ban',
  'peer.forget',
  'peer.evict',
] as const satisfies readonly PeerEvent['type'][];

/** The logic of a live peer: the same regions, and a last one that reports once the others have changed what they change. */
export const livePeer = peerSetup
  .createMachine({
    id: 'peer',
    options: { maxIterations: 1_000 },
    type: 'parallel',
    context: ({ input }) => fromInput(input),
    states: {
      ...peerRegions,
      report: { on: Object.fromEntries(told.map((type) => [type, { guard: isFromParent, actions: tellChange }])) },
    },
  })
  .provide({ actions: { answer: ask('answer'), settle: ask('settle'), publish: ask('publish'), closeLink: ask('closeLink') } });
