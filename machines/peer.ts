/**
 * The life of one peer as a statechart: what is known of it, whether it is dialed, which connection it has, whether it must go.
 * The same chart decides for a live peer, which runs as an actor, and for one at rest, which is a row: `purePeer.step(restingSnapshot(input), event)`.
 * It has no timers and no children: time and chance come with each event, effects leave as named actions.
 */
import { and, not, type SnapshotFrom } from 'xstate';
import { fromInput } from './peer-changes.ts';
import type { PeerInput } from './peer-context.ts';
import { answer, closeLink, peerSetup, publishDown, publishUp, refuseRival, routeRival } from './peer-setup.ts';
import { pure } from './pure.ts';

/** What is known. Follows the facts and the time of each event; nothing here depends on the other regions. */
const knowledge = peerSetup.createStateConfig({
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

const dial = peerSetup.createStateConfig({
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

const connection = peerSetup.createStateConfig({
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
                  { guard: 'isRival', target: 'absent', actions: 'dropRival' },
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

const eviction = peerSetup.createStateConfig({
  initial: 'none',
  states: {
    none: { on: { 'peer.evict': { guard: 'hasLink', target: 'scheduled', actions: closeLink } } },
    scheduled: { on: { ...relieved, 'peer.evicting': { target: 'handedOut' } } },
    handedOut: { on: relieved },
  },
});

/** The four regions of a peer. */
export const peerRegions = { knowledge, dial, connection, eviction } as const;
/** The chart. Every context value is bounded but the clock's. */
export const peerMachine = peerSetup.createMachine({
  id: 'peer',
  options: { maxIterations: 1_000 },
  type: 'parallel',
  context: ({ input }) => fromInput(input),
  states: peerRegions,
});

export type PeerSnapshot = SnapshotFrom<typeof peerMachine>;

/** The same chart for a peer that has no actor. */
export const purePeer = pure(peerMachine);

/** The snapshot of a peer at rest. Never stored: a row is enough to make it. */
export function restingSnapshot(input: PeerInput): PeerSnapshot {
  return purePeer.initial(input);
}
