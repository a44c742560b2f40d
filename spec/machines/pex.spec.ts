/** Asking one peer for addresses, decided by pure transitions and walked along every path. */
import { describe, expect, test } from '@jest/globals';
import { initialTransition, transition } from 'xstate';
import { getShortestPaths } from 'xstate/graph';
import { dueAt, pexMachine, type PexEvent, type PexSnapshot } from '../../machines/pex.ts';

const input = { askIntervalMs: 30_000, answerDeadlineMs: 15_000 };
const fresh = (): PexSnapshot => initialTransition(pexMachine, input)[0];

/** The state after some events, and the effects of the last. */
function after(...events: PexEvent[]): { state: unknown; effects: string[]; snapshot: PexSnapshot } {
  let snapshot = fresh();
  let effects: string[] = [];
  for (const event of events) {
    const [next, actions] = transition(pexMachine, snapshot, event);
    snapshot = next;
    effects = actions.map(({ type }) => type);
  }
  return { state: snapshot.value, effects, snapshot };
}

const ask = (now: number): PexEvent => ({ type: 'pex.ask', now });
const due = (now: number): PexEvent => ({ type: 'pex.due', now });
const answered: PexEvent = { type: 'pex.answered' };
const lost: PexEvent = { type: 'pex.lost' };

describe('asking a peer for addresses', () => {
  test('a new peer may be asked at once', () => {
    expect(after(ask(0))).toMatchObject({ state: 'asked', effects: ['sendRequest'] });
  });

  test('an answer that was asked for is taken, once', () => {
    expect(after(ask(0), answered)).toMatchObject({ state: 'available', effects: ['takeAddresses'] });
    expect(after(ask(0), answered, answered)).toMatchObject({ state: 'available', effects: ['blameUnasked'] });
    expect(after(answered)).toMatchObject({ state: 'available', effects: ['blameUnasked'] });
  });

  test('a peer is not asked again before the interval has passed, and is at its very end', () => {
    expect(after(ask(0), answered, ask(29_999))).toMatchObject({ state: 'available', effects: [] });
    expect(after(ask(0), answered, ask(30_000))).toMatchObject({ state: 'asked', effects: ['sendRequest'] });
    expect(after(ask(0), lost, ask(29_999))).toMatchObject({ state: 'available', effects: [] });
  });

  test('there are never two requests under way', () => {
    expect(after(ask(0), ask(60_000))).toMatchObject({ state: 'asked', effects: [] });
  });

  test('silence is blamed once, at the deadline, and makes the peer available again', () => {
    expect(after(ask(0), due(14_999))).toMatchObject({ state: 'asked', effects: [] });
    expect(after(ask(0), due(15_000))).toMatchObject({ state: 'overdue', effects: ['blameSilence'] });
    expect(after(ask(0), due(15_000), due(16_000))).toMatchObject({ state: 'overdue', effects: [] });
    expect(after(ask(0), due(15_000), ask(30_000))).toMatchObject({ state: 'asked', effects: ['sendRequest'] });
  });

  test('a late answer is taken and not blamed a second time', () => {
    expect(after(ask(0), due(15_000), answered)).toMatchObject({ state: 'available', effects: ['takeAddresses'] });
  });

  test('who was asked again meanwhile may answer both requests late, and no more', () => {
    const twice = [ask(0), due(15_000), ask(30_000), answered];
    expect(after(...twice)).toMatchObject({ state: 'overdue', effects: ['takeAddresses'] });
    expect(after(...twice, answered)).toMatchObject({ state: 'available', effects: ['takeAddresses'] });
    expect(after(...twice, answered, answered)).toMatchObject({ state: 'available', effects: ['blameUnasked'] });
    expect(after(...twice, ask(60_000), answered, answered, answered)).toMatchObject({ effects: ['blameUnasked'] });
    const both = [ask(0), due(15_000), ask(30_000), due(45_000), answered];
    expect(after(...both)).toMatchObject({ state: 'overdue', effects: ['takeAddresses'] });
    expect(after(...both, answered)).toMatchObject({ state: 'available', effects: ['takeAddresses'] });
  });

  test('of many requests that nobody answered, eight answers are welcome, and none once the link is lost', () => {
    const silence = Array.from({ length: 20 }, (_, n) => [ask(n * 30_000), due(n * 30_000 + 15_000)]).flat();
    const eight = Array.from({ length: 8 }, () => answered);
    expect(after(...silence, ...eight)).toMatchObject({ state: 'available', effects: ['takeAddresses'] });
    expect(after(...silence, ...eight, answered)).toMatchObject({ state: 'available', effects: ['blameUnasked'] });
    expect(after(...silence, lost, answered)).toMatchObject({ state: 'available', effects: ['blameUnasked'] });
  });

  test('a request that did not leave, or went down with its peer, blames nobody', () => {
    expect(after(ask(0), lost)).toMatchObject({ state: 'available', effects: [] });
    expect(after(ask(0), due(15_000), lost)).toMatchObject({ state: 'available', effects: [] });
    expect(after(lost)).toMatchObject({ state: 'available', effects: [] });
  });

  test('dueAt says when each state has something to do', () => {
    expect(dueAt(fresh().context, false)).toBe(0);
    const { context } = after(ask(5)).snapshot;
    expect([dueAt(context, true), dueAt(context, false)]).toEqual([15_005, 30_005]);
  });

  test('on every path a request leaves only when due, and each answer is either taken or blamed', () => {
    const events: PexEvent[] = [0, 14_999, 15_000, 29_999, 30_000, 60_000].flatMap((now) => [ask(now), due(now)]);
    const paths = getShortestPaths(pexMachine, { input, events: [...events, answered, lost], limit: 1_000 });
    const states = new Set(paths.map(({ state }) => state.value));
    expect(states).toEqual(new Set(['available', 'asked', 'overdue']));
    for (const { state } of paths) {
      const taken = transition(pexMachine, state, answered)[1].map(({ type }) => type);
      expect(taken).toEqual([state.matches('available') ? 'blameUnasked' : 'takeAddresses']);
      const { askedAt } = state.context;
      if (askedAt === undefined || state.matches('asked')) continue;
      expect(transition(pexMachine, state, ask(askedAt + 29_999))[1]).toEqual([]);
      expect(transition(pexMachine, state, ask(askedAt + 30_000))[1]).toHaveLength(1);
    }
  });
});
