import fc from 'fast-check';
import { describe, expect, test } from '@jest/globals';
import { blankRow, type PeerClass, type PeerRow } from '../../../machines/peer-row.ts';
import {
  banned,
  behaviours,
  epochMs,
  epochOf,
  isBanned,
  judge,
  rewarded,
  scoreAt,
  scoreRank,
  strikesAt,
  type Behaviour,
} from '../../../machines/policy/score.ts';
import { idOf } from '../../support/manager.ts';

const now = 1_700_000_000_000;
const hour = 3_600_000;
const day = 24 * hour;
const withScore = (score: number, changes: Partial<PeerRow> = {}): PeerRow => ({
  ...blankRow(idOf('a')),
  score,
  scoreEpoch: epochOf(now),
  ...changes,
});
const report = (row: PeerRow, behaviour: Behaviour, peerClass: PeerClass = 'ordinary', at = now) =>
  judge(row, peerClass, { behaviour, reason: 'why', now: at });

describe('a report changes the score', () => {
  test.each<[Behaviour, number, number]>([
    ['useful', 0, 1],
    ['useful', -30, -29],
    ['useful', 100, 100],
    ['unhelpful', 0, -2],
    ['unhelpful', 40, -2],
    ['unhelpful', -19, -20],
    ['unhelpful', -20, -20],
    ['unhelpful', -45, -45],
    ['stalled', 0, -2],
    ['malformed', 0, -10],
    ['malformed', 90, -10],
    ['flooding', 0, -20],
    ['protocolViolation', 5, -40],
    ['fatal', 100, -100],
    ['fatal', -99, -100],
  ])('%s takes %i to %i', (behaviour, before, after) => {
    expect(report(withScore(before), behaviour).row.score).toBe(after);
  });
});

test('a score is halved towards zero at each epoch', () => {
  const at = (epochs: number): number => scoreAt(withScore(-41), now + epochs * epochMs);
  expect([0, 1, 2, 3, 6, 1_000].map(at)).toEqual([-41, -20, -10, -5, 0, 0]);
  expect(scoreAt(withScore(41), now + epochMs)).toBe(20);
});

test('waiting never changes who is ahead of whom', () => {
  const row = fc.record({ score: fc.integer({ min: -49, max: 100 }), scoreEpoch: fc.integer({ min: 0, max: 8 }) });
  fc.assert(
    fc.property(row, row, fc.integer({ min: 8, max: 20 }), (a, b, epoch) => {
      const [x, y] = [withScore(0, a), withScore(0, b)];
      const ahead = scoreAt(x, epoch * epochMs) - scoreAt(y, epoch * epochMs);
      // The rank sees what rounding hides, and never says the opposite.
      if (ahead !== 0) expect(Math.sign(scoreRank(x) - scoreRank(y))).toBe(Math.sign(ahead));
    }),
  );
});

test('a rank is a small integer for centuries, and no two scores of one epoch share it', () => {
  const scores = Array.from({ length: 201 }, (_, n) => n - 100);
  const ranks = scores.map((score) => scoreRank(withScore(score, { scoreEpoch: epochOf(Date.UTC(2500, 0)) })));
  expect(ranks.every((rank) => Number.isInteger(rank) && Math.abs(rank) < 2 ** 31)).toBe(true);
  expect(new Set(ranks).size).toBe(scores.length);
  expect([...ranks].sort((a, b) => a - b)).toEqual(ranks);
});

test('at -50 an ordinary peer is banned for an hour, then twice as long each time, at most 30 days', () => {
  let row = withScore(-40);
  let at = now;
  const lengths: number[] = [];
  for (let strike = 0; strike < 14; strike++) {
    const judgement = report({ ...row, score: -40, scoreEpoch: epochOf(at) }, 'malformed', 'ordinary', at);
    expect(judgement.consequence).toBe('ban');
    row = judgement.row;
    lengths.push((row.bannedUntil - at) / hour);
    at = row.bannedUntil;
  }
  expect(lengths).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 720, 720, 720, 720]);
});

test('a score of -49 is no ban', () => {
  expect(report(withScore(-39), 'malformed')).toMatchObject({ consequence: 'none', row: { score: -49, bannedUntil: 0 } });
});

test('a ban ends by itself and leaves -25, which fades like any score', () => {
  const { row } = report(withScore(0), 'fatal');
  expect([isBanned(row, row.bannedUntil - 1), isBanned(row, row.bannedUntil)]).toEqual([true, false]);
  expect(scoreAt(row, now)).toBe(-100);
  expect(scoreAt(row, row.bannedUntil)).toBe(-25);
  expect(scoreAt(row, row.bannedUntil + epochMs)).toBe(-12);
  expect(report(row, 'malformed', 'ordinary', row.bannedUntil).row.score).toBe(-35);
});

test('strikes halve every 30 days after the last ban', () => {
  const row = { ...withScore(0), strikes: 5, bannedUntil: now };
  expect([0, 30, 60, 90].map((days) => strikesAt(row, now + days * day))).toEqual([5, 2, 1, 0]);
});

test('protocol violations and worse disconnect, other reports do not', () => {
  expect(behaviours.map((behaviour) => report(withScore(0), behaviour).consequence)).toEqual([
    'none',
    'none',
    'none',
    'none',
    'none',
    'none',
    'disconnect',
    'ban',
  ]);
});

describe.each<PeerClass>(['persistent', 'unconditional'])('a %s peer', (peerClass) => {
  test('is never banned by its score, but disconnected and left alone for at most five minutes', () => {
    let row = withScore(-45);
    const pauses: number[] = [];
    for (let n = 0; n < 7; n++) {
      const judgement = report(row, 'fatal', peerClass);
      expect(judgement).toMatchObject({ consequence: 'disconnect', row: { bannedUntil: 0 } });
      row = judgement.row;
      pauses.push((row.inactiveUntil - now) / 1_000);
    }
    expect(pauses).toEqual([15, 30, 60, 120, 240, 300, 300]);
  });

  test('is not disconnected for a mild report that changes nothing', () => {
    expect(report(withScore(-80), 'unhelpful', peerClass)).toMatchObject({ consequence: 'none', row: { score: -80 } });
  });
});

test('the operator bans whom he likes, and good standing does not outlive it', () => {
  const row = banned(withScore(80), { forMs: 1_000, reason: 'spam\nand worse', now });
  expect(row).toMatchObject({ bannedUntil: now + 1_000, strikes: 1, lastReason: 'spam and worse' });
  expect(scoreAt(row, now + 1_000)).toBe(-25);
});

test('ten kinds of reports are kept, the same ones counted', () => {
  let row = withScore(0);
  for (let n = 0; n < 12; n++) row = judge(row, 'persistent', { behaviour: 'unhelpful', reason: `reason ${n % 11}`, now: now + n }).row;
  expect(row.reports).toHaveLength(10);
  expect(row.reports.at(-1)).toEqual({ at: now + 11, behaviour: 'unhelpful', reason: 'reason 0', times: 1 });
  row = judge(row, 'persistent', { behaviour: 'unhelpful', reason: 'reason 0', now: now + 12 }).row;
  expect(row.reports.at(-1)).toMatchObject({ times: 2 });
});

test('a reward never passes the limit', () => {
  expect(rewarded(withScore(99), 2, now).score).toBe(100);
});

test('scores stay integers from -100 to 100, whatever is reported when', () => {
  const step = fc.tuple(fc.constantFrom(...behaviours), fc.integer({ min: 0, max: 3 * day }));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 50 }), fc.constantFrom<PeerClass>('ordinary', 'persistent'), (steps, peerClass) => {
      let row = withScore(0);
      let at = now;
      for (const [behaviour, waitMs] of steps) {
        at += waitMs;
        row = judge(row, peerClass, { behaviour, reason: 'x', now: at }).row;
        for (const score of [row.score, scoreAt(row, at)]) {
          expect(Number.isInteger(score) && Math.abs(score) <= 100).toBe(true);
        }
      }
    }),
  );
});
