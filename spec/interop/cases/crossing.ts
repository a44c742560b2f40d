/** Dials that cross, and links that one side loses without a word: real peers and nodes of ours end with one connection, and no hard feelings. */
import { seededRandom } from '../../../testing.ts';
import { Crowd } from '../crowd.ts';
import { Pair, type Begun } from '../pair.ts';
import { rounds, type Figures, type Rounds } from '../rounds.ts';
import type { Case, Flags, Trial } from '../trial.ts';
import { pause } from '../within.ts';

/** To one connection that both sides keep. */
const boundMs = 10_000;
/** Longest time between the two dials of a round. */
const spreadMs = 8;
/** Connections that each side may begin when dials cross: its dial, and two more to put right what went wrong with it. */
const crossingDials = 3;
/** Between the look for a duplicate and the entry among the peers, in slow Go reactors: there dials that cross come in together. */
const slowInitMs = 20;

/** The two dials of a round are a few milliseconds apart; whose turn it is to dial is the first. */
async function crossing(trial: Trial, flags: Flags, count: number): Promise<void> {
  const random = seededRandom(trial.settings.seed);
  const crowd = await Crowd.start(trial, flags);
  await rounds(trial, { count, bounds: { tookMs: boundMs, each: crossingDials } }, async () => {
    const gapMs = random() * spreadMs;
    const pair = await Pair.open(trial, crowd);
    await pair.theyKeepUs();
    const [first, second] = trial.direction === 'out' ? ([pair.weDial, pair.theyDial] as const) : ([pair.theyDial, pair.weDial] as const);
    void first.call(pair);
    if (gapMs >= 1) await pause(gapMs);
    void second.call(pair);
    return conclude(pair, await pair.settled(boundMs), pair.begun);
  });
}

/** Shows that the connection works and that nobody was punished, and ends the pair. */
async function conclude(pair: Pair, tookMs: number, begun: Begun): Promise<Figures> {
  await pair.echoes();
  pair.blameless();
  await pair.close();
  return { tookMs, ...begun };
}

type Loss = Rounds &
  Readonly<{
    loser: 'we' | 'they';
    /** Flags of the Go side. */
    flags: Flags;
    /** Whether they dial us whenever they lose us; else it is for us to dial, or they are told to. */
    isKept: (round: number) => boolean;
  }>;

/** The loser's socket is reset and the other side hears nothing. Whose turn it is to dial has dialed the link that is lost. */
async function lost(trial: Trial, { loser, flags, isKept, ...others }: Loss): Promise<void> {
  const random = seededRandom(trial.settings.seed);
  const crowd = await Crowd.start(trial, flags);
  await rounds(trial, others, async (round) => {
    const pair = await Pair.open(trial, crowd);
    if (isKept(round)) await pair.theyKeepUs();
    await (trial.direction === 'out' ? pair.weDial() : pair.theyDial());
    await pair.settled(boundMs);
    // Where they listen, should it be for us to dial.
    if (trial.direction === 'in') await pair.weDial();
    await pause(random() * 500);
    const before = pair.begun;
    const cutAt = performance.now();
    if (trial.direction === 'out') pair.ourWay.cut(loser === 'we' ? 'near' : 'far');
    else pair.theirWay.cut(loser === 'they' ? 'near' : 'far');
    if (loser === 'they' && !isKept(round)) await pair.theyDialAgain();
    const tookMs = await pair.settled(others.bounds.tookMs, cutAt);
    const { ours, theirs } = pair.begun;
    return conclude(pair, tookMs, { ours: ours - before.ours, theirs: theirs - before.theirs });
  });
}

/** Their time-outs as nodes have them, in milliseconds: a ping and a pong; in 0.35 what has come is looked at once in this time, so it may be twice as long. */
const patience = ({ line }: Trial): number => (line === 'tm035' ? 2 * 90_000 : 60_000 + 45_000);
/** Go peers that miss a pong within 4 seconds; in 0.35, where its time counts from any packet, within 6. */
const watchful = ({ line }: Trial): Flags =>
  line === 'tm035' ? { 'ping-ms': 1_500, 'pong-ms': 2_800 } : { 'ping-ms': 2_000, 'pong-ms': 1_800 };

/** Rounds of a full run, and of a short one. */
const count = (trial: Trial, full: number, short: number): number => trial.times(trial.settings.ci ? short : full);
const isEven = (round: number): boolean => round % 2 === 0;

// The Go side logs each duplicate that it refuses, as it should; so all of these are rude.
export const crossingCases: readonly Case[] = [
  { name: '10 dials that cross', run: (trial) => crossing(trial, {}, count(trial, 100, 10)), rude: true, deadlineMs: 300_000 },
  {
    name: '10 dials that cross, slow reactors',
    run: (trial) => crossing(trial, { 'init-ms': slowInitMs }, count(trial, 25, 5)),
    lines: ['tm034', 'cmt038', 'cmt040', 'cmt1'],
    rude: true,
  },
  {
    name: '10 they lose the link silently',
    run: (trial) =>
      lost(trial, { loser: 'they', flags: {}, count: count(trial, 50, 5), bounds: { tookMs: boundMs, each: 3 }, isKept: isEven }),
    rude: true,
    beside: 'alike',
    deadlineMs: 600_000,
  },
  {
    name: '10 we lose the link silently, watchful peers',
    run: (trial) =>
      lost(trial, {
        ...{ loser: 'we', flags: watchful(trial), count: count(trial, 50, 5) },
        ...{ bounds: { tookMs: boundMs, each: 8 }, isKept: isEven },
      }),
    rude: true,
    beside: 'alike',
    deadlineMs: 600_000,
  },
  {
    name: '10 we lose the link silently',
    // A Go peer that has lost nothing refuses us until its own time-outs have passed, in every line; then it dials, or lets us in.
    run: (trial) =>
      lost(trial, {
        ...{ loser: 'we', flags: {}, count: count(trial, 5, 2) },
        ...{ bounds: { tookMs: patience(trial) + boundMs, each: 24 }, isKept: () => true, isIdle: true },
      }),
    rude: true,
    beside: 'all',
    deadlineMs: 240_000,
  },
];
