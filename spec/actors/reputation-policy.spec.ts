import { expect, test } from '@jest/globals';
import type { ReportFacts } from '../../machines/policy/score.ts';
import { addressOf, idOf, managers } from '../support/manager.ts';

const start = managers();

test('a policy of the host judges in place of the default one, from the facts, in whole points within the limits', async () => {
  const asked: ReportFacts[] = [];
  const reputation = (facts: ReportFacts) => {
    asked.push(facts);
    return { score: facts.behaviour === 'malformed' ? -3.4 : 1e9, consequence: 'none' as const, forMs: 0 };
  };
  const h = start({ reputation });
  await h.add('a');
  const score = (): number => h.manager.peers.list()[0]!.score;
  h.manager.report(idOf('a'), 'malformed', 'half a message');
  expect(score()).toBe(-3);
  h.manager.report(idOf('a'), 'fatal', 'so it says', 'host');
  expect(score()).toBe(100);
  expect(asked).toMatchObject([
    { id: idOf('a'), behaviour: 'malformed', reason: 'half a message', source: 'remote', score: 0, class: 'ordinary', strikes: 0 },
    { behaviour: 'fatal', source: 'host', score: -3 },
  ]);
});

test('a policy may disconnect and ban, but no policy bans a persistent peer', async () => {
  const reputation = () => ({ score: 0, consequence: 'ban' as const, forMs: 60_000 });
  const h = start({ reputation, persistent: [addressOf('a')] });
  const links = Array.from('ab', (digit) => h.up(digit));
  for (const digit of 'ab') h.manager.report(idOf(digit), 'unhelpful', 'x');
  expect([await h.tryEvictNext(), await h.tryEvictNext()]).toEqual([
    { id: idOf('a'), link: links[0], reason: 'misbehaved' },
    { id: idOf('b'), link: links[1], reason: 'banned' },
  ]);
  expect(h.manager.counts()).toMatchObject({ banned: 1 });
});

test('where a policy fails the default one judges, and the failure is told', async () => {
  let caught = 0;
  const broken = [
    () => {
      throw new Error('no idea');
    },
    () => ({ score: NaN, consequence: 'none', forMs: 0 }),
    () => ({ score: 0, consequence: 'exile', forMs: 0 }),
    () => undefined,
  ];
  for (const reputation of broken) {
    const h = start({ reputation: reputation as never, onCaught: () => caught++ });
    await h.add('a');
    h.manager.report(idOf('a'), 'malformed', 'x');
    expect(h.manager.peers.list()[0]!.score).toBe(-10);
  }
  expect(caught).toBe(broken.length);
});
