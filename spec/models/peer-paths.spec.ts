/** Every edge of a peer's chart and of what it can come to, by shortest paths, walked by a real actor and compared with a page of rules. */
import { describe, expect, test } from '@jest/globals';
import { peerMachine } from '../../machines/peer.ts';
import type { Behaviour } from '../../machines/policy/score.ts';
import { explore, walkEveryEdge } from '../support/graph.ts';
import { PeerWalker, peerModel, retry, type PeerStimulus, type Role, type Story, type Taken } from '../support/peer-model.ts';
import { edgesOf } from '../support/statechart.ts';

const dial = { type: 'dial' } as const;
const dialFailed = { type: 'dialFailed' } as const;
type Arrives = Extract<PeerStimulus, { room: number }>;
const dialed = (ours = false, room = 1): Arrives => ({ type: 'dialed', ours, room });
const accepted = (ours = false, room = 1): Arrives => ({ type: 'accepted', ours, room });
const ready = (link: Role = 'link'): PeerStimulus => ({ type: 'ready', link });
const ended = (link: Role = 'link', reason: 'reset' | 'rejected' | 'shutdown' = 'reset'): PeerStimulus => ({ type: 'ended', link, reason });
const reported = (behaviour: Behaviour): PeerStimulus => ({ type: 'reported', behaviour });
const evicting = { type: 'evicting' } as const;
const tick = (ms: number): PeerStimulus => ({ type: 'tick', ms });
const hour = 3_600_000;

/** A story, and the least that it must have of states and edges: fewer means that something can no longer happen. */
type Sized = Story & Readonly<{ atLeast: readonly [states: number, edges: number] }>;

const stories: readonly Sized[] = [
  {
    name: 'fails again and again',
    ticks: 3,
    crossing: false,
    atLeast: [50, 110],
    stimuli: [dial, dialFailed, dialed(), ready(), ended(), ended('link', 'rejected'), tick(2_000)],
  },
  {
    name: 'fails as a persistent peer',
    ticks: 3,
    crossing: false,
    atLeast: [48, 80],
    input: { peerClass: 'persistent', retry: { ...retry, minRetryMs: 60_000 } },
    stimuli: [dial, dialFailed, dialed(), ended('link', 'rejected'), tick(30_000)],
  },
  {
    name: 'is rejected, or lives for a moment, while it connects',
    ticks: 1,
    crossing: true,
    atLeast: [450, 1_800],
    stimuli: [
      dial,
      dialFailed,
      dialed(),
      accepted(),
      ready(),
      ended(),
      ended('link', 'rejected'),
      tick(1_999),
      tick(2_000),
      tick(9_999),
      tick(10_000),
    ],
  },
  ...([true, false] as const).map((ownIdLower): Sized => ({
    name: `has two connections of which the remote keeps the first, and its id is the ${ownIdLower ? 'higher' : 'lower'}`,
    ticks: 1,
    crossing: true,
    atLeast: [250, 880],
    input: { ownIdLower },
    stimuli: [dial, dialed(), accepted(), ready(), ended(), ended('rival'), ended('leaving'), tick(7_999), tick(8_000)],
  })),
  ...([true, false] as const).map((ownIdLower): Sized => ({
    name: `has two connections, is ours, and its id is the ${ownIdLower ? 'higher' : 'lower'}`,
    ticks: 1,
    crossing: true,
    atLeast: [190, 640],
    input: { ownIdLower },
    stimuli: [
      dial,
      dialed(true),
      accepted(true),
      ready(),
      ended(),
      ended('leaving'),
      tick(9_999),
      tick(10_000),
      tick(40_000),
      tick(40_001),
    ],
  })),
  {
    name: 'finds the slots full, and is given dials and links it never had',
    ticks: 0,
    crossing: true,
    strays: true,
    atLeast: [70, 620],
    stimuli: [
      dial,
      dialed(false, 0),
      dialed(),
      accepted(false, 0),
      accepted(false, -1),
      accepted(),
      ready('stale'),
      ended('stale'),
      ended(),
      ended('link', 'rejected'),
    ],
  },
  {
    name: 'is held, banned and forgotten by the operator',
    ticks: 1,
    orders: 2,
    crossing: false,
    atLeast: [1_050, 4_000],
    stimuli: [
      dial,
      dialed(),
      ready(),
      ended(),
      ended('link', 'rejected'),
      evicting,
      reported('malformed'),
      { type: 'release' },
      { type: 'dismiss', hold: true },
      { type: 'dismiss', hold: false },
      { type: 'ban', forMs: 5_000 },
      { type: 'forget', hold: true },
      { type: 'forget', hold: false },
      { type: 'address', host: 4 },
      { type: 'address', host: 5 },
      tick(5_000),
    ],
  },
  {
    name: 'is reported',
    ticks: 1,
    orders: 2,
    crossing: false,
    atLeast: [440, 1_300],
    stimuli: [
      accepted(),
      ready(),
      ended(),
      evicting,
      reported('useful'),
      reported('unhelpful'),
      reported('protocolViolation'),
      reported('fatal'),
      tick(hour),
    ],
  },
  {
    name: 'is persistent and reported',
    ticks: 1,
    orders: 2,
    crossing: false,
    atLeast: [330, 670],
    input: { peerClass: 'persistent' },
    stimuli: [dial, dialed(), ready(), ended(), evicting, reported('useful'), reported('fatal'), tick(6 * hour)],
  },
  {
    name: 'is a stranger that earns its row',
    ticks: 2,
    orders: 2,
    crossing: false,
    atLeast: [620, 2_000],
    input: { durable: false },
    stimuli: [
      accepted(),
      { ...accepted(), dampedForMs: 60_000 },
      ready(),
      ended(),
      reported('useful'),
      reported('malformed'),
      tick(59_999),
      tick(60_000),
    ],
  },
  {
    name: 'is evicted while connections cross',
    ticks: 1,
    orders: 1,
    crossing: true,
    atLeast: [730, 2_850],
    stimuli: [
      accepted(),
      dial,
      dialed(),
      dialed(true),
      ready(),
      ended(),
      ended('rival'),
      { type: 'evict', reason: 'displaced' },
      evicting,
      tick(8_000),
    ],
  },
];

const taken: Taken = new Set();

describe('a peer that', () => {
  test.each(stories)(
    '$name',
    async (story) => {
      const graph = explore(peerModel(story), 20_000);
      await walkEveryEdge(graph, () => new PeerWalker(story, taken));
      const [states, edges] = story.atLeast;
      expect(graph.states).toBeGreaterThanOrEqual(states);
      expect(graph.edges).toBeGreaterThanOrEqual(edges);
    },
    60_000,
  );

  test('does all of this takes every transition of its chart', () => {
    const names = edgesOf(peerMachine).map(({ name }) => name);
    expect(names.filter((name) => !taken.has(name))).toEqual([]);
  });
});
