import { describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { createNode } from '../../index.ts';
import { defaultReputation, type Judgement, type ReportFacts, type Reputation } from '../../machines/policy/score.ts';
import { heeded } from '../../actors/reputation.ts';
import { addressOf, idOf, managers } from '../support/manager.ts';

const start = managers();
const hour = 3_600_000;
const facts: ReportFacts = {
  id: idOf('a'),
  behaviour: 'malformed',
  reason: 'x',
  source: 'remote',
  score: 0,
  class: 'ordinary',
  strikes: 0,
  now: 1_700_000_000_000,
};
const scoreOf = (h: ReturnType<typeof start>, digit: string): number => h.manager.peers.list().find(({ id }) => id === idOf(digit))!.score;

describe('a reputation policy of the host', () => {
  test('decides about score, disconnection and ban of a peer, live or at rest', async () => {
    const reputation: Reputation = ({ behaviour, score }) =>
      behaviour === 'unhelpful' ? { score: -60, consequence: 'ban', forMs: 2 * hour } : { score: score - 1, consequence: 'none', forMs: 0 };
    const h = start({ reputation });
    const link = h.up('a');
    await h.add('b');
    h.manager.report(idOf('a'), 'fatal', 'x');
    expect([scoreOf(h, 'a'), h.stateOf('a')]).toEqual([-1, 'up']);
    for (const digit of 'ab') h.manager.report(idOf(digit), 'unhelpful', 'x');
    expect(await h.tryEvictNext()).toEqual({ id: idOf('a'), link, reason: 'banned' });
    h.clock.advance(2 * hour - 1);
    expect(h.stateOf('b')).toBe('banned');
    h.clock.advance(1);
    expect(h.stateOf('b')).toBe('known');
  });

  test('is told the facts of the report, which it cannot change', async () => {
    const told: ReportFacts[] = [];
    const reputation: Reputation = (given) => {
      told.push(given);
      expect(Object.isFrozen(given)).toBe(true);
      return defaultReputation(given);
    };
    const h = start({ reputation, persistent: [addressOf('b')] });
    h.up('a');
    h.manager.report(idOf('a'), 'malformed', 'no message');
    h.manager.report(idOf('a'), 'unhelpful', 'late', 'host');
    h.manager.report(idOf('b'), 'stalled', 'x');
    h.manager.report(idOf('c'), 'stalled', 'nobody');
    const now = h.clock.wallNow();
    expect(told).toEqual([
      { id: idOf('a'), behaviour: 'malformed', reason: 'no message', source: 'remote', score: 0, class: 'ordinary', strikes: 0, now },
      { id: idOf('a'), behaviour: 'unhelpful', reason: 'late', source: 'host', score: -10, class: 'ordinary', strikes: 0, now },
      { id: idOf('b'), behaviour: 'stalled', reason: 'x', source: 'remote', score: 0, class: 'persistent', strikes: 0, now },
    ]);
  });

  test('that throws, or says nothing that makes sense, leaves the default policy to judge, and is counted', () => {
    const nonsense: unknown[] = [undefined, null, 7, {}, { score: 1 }, { score: NaN, consequence: 'none', forMs: 0 }];
    nonsense.push({ score: 1, consequence: 'shoot', forMs: 0 }, { score: 1, consequence: 'none', forMs: NaN }, Promise.resolve({}));
    const policies: (() => unknown)[] = nonsense.map((each) => () => each);
    policies.push(() => {
      throw new Error('a bug');
    });
    for (const policy of policies) {
      let caught = 0;
      const h = start({ reputation: policy as Reputation, onCaught: () => (caught += 1) });
      h.up('a');
      h.manager.report(idOf('a'), 'malformed', 'x');
      expect([scoreOf(h, 'a'), caught]).toEqual([-10, 1]);
    }
  });

  test.each<[Judgement, ReportFacts['class'], Judgement]>([
    [{ score: 1e9, consequence: 'none', forMs: -5 }, 'ordinary', { score: 100, consequence: 'none', forMs: 0 }],
    [{ score: -Infinity, consequence: 'ban', forMs: Infinity }, 'ordinary', { score: -100, consequence: 'ban', forMs: 30 * 24 * hour }],
    [{ score: 0.4, consequence: 'ban', forMs: 0 }, 'ordinary', { score: 0, consequence: 'ban', forMs: 1 }],
    [{ score: -80, consequence: 'ban', forMs: hour }, 'persistent', { score: -80, consequence: 'disconnect', forMs: 300_000 }],
    [{ score: -80, consequence: 'disconnect', forMs: hour }, 'unconditional', { score: -80, consequence: 'disconnect', forMs: 300_000 }],
  ])('is kept within limits: %j of a peer that is %s becomes %j', (said, peerClass, judgement) => {
    const policy = heeded(() => said, { log: pino({ level: 'silent' }) });
    expect(policy({ ...facts, class: peerClass })).toEqual(judgement);
  });

  test('says in the log what went wrong', () => {
    const lines: string[] = [];
    const log = pino({ level: 'warn' }, { write: (line: string) => void lines.push(line) });
    const policy = heeded(
      () => {
        throw new Error('a bug');
      },
      { log },
    );
    expect(policy(facts)).toEqual(defaultReputation(facts));
    expect(JSON.parse(lines[0]!)).toMatchObject({ peer: idOf('a'), behaviour: 'malformed', error: 'a bug' });
  });

  test('is an option of a node', async () => {
    const node = await createNode({ monitor: false, listen: [], reputation: defaultReputation, log: pino({ level: 'silent' }) });
    await node.stop();
    await expect(createNode({ monitor: false, listen: [], reputaton: defaultReputation } as never)).rejects.toMatchObject({
      code: 'ERR_OPTION_INVALID',
    });
  });
});
