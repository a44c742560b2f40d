import { describe, expect, test } from '@jest/globals';
import { assign, initialTransition, setup, transition } from 'xstate';
import { pure } from '../../machines/pure.ts';

const told: string[] = [];
const lamp = setup({
  types: {
    context: {} as { turns: number; most: number },
    events: {} as { type: 'turn' | 'kick'; hard?: boolean },
    input: {} as { most: number },
  },
  guards: { isWorn: ({ context }) => context.turns >= context.most },
  actions: {
    click: (_, _params: { loud: boolean }) => void told.push('click'),
    count: assign({ turns: ({ context }) => context.turns + 1 }),
  },
}).createMachine({
  id: 'lamp',
  context: ({ input }) => ({ turns: 0, most: input.most }),
  initial: 'off',
  states: {
    off: {
      always: { guard: 'isWorn', target: 'broken' },
      on: { turn: { target: 'on', actions: ['count', { type: 'click', params: { loud: false } }] } },
    },
    on: { on: { turn: 'off', kick: { actions: [{ type: 'click', params: { loud: true } }] } } },
    broken: {},
  },
});

describe('a pure machine', () => {
  test('gives the snapshots and effects that the platform gives, and runs none of them', () => {
    const asked = pure(lamp);
    let ours = asked.initial({ most: 2 });
    let [theirs] = initialTransition(lamp, { most: 2 });
    for (const type of ['turn', 'kick', 'turn', 'turn', 'turn', 'turn'] as const) {
      const [next, effects] = asked.step(ours, { type });
      const [expected, actions] = transition(lamp, theirs, { type });
      expect({ value: next.value, context: next.context, status: next.status }).toEqual({
        value: expected.value,
        context: expected.context,
        status: expected.status,
      });
      expect(effects.map(({ type: effect, params }) => ({ effect, params }))).toEqual(
        actions.map(({ type: effect, params }) => ({ effect, params })),
      );
      [ours, theirs] = [next, expected];
    }
    expect([ours.value, told]).toEqual(['broken', []]);
  });

  test('mixes nothing up between calls: each snapshot stays as it was, each list of effects is its own', () => {
    const asked = pure(lamp);
    const [once, other] = [asked.initial({ most: 5 }), asked.initial({ most: 0 })];
    const [first, effects] = asked.step(once, { type: 'turn' });
    const [second, more] = asked.step(first, { type: 'kick' });
    expect([effects.length, more.length, once.value, first.value, second.context.turns]).toEqual([1, 1, 'off', 'on', 1]);
    expect([other.value, other.context.most]).toEqual(['broken', 0]);
    expect(asked.step(once, { type: 'turn' })[0].context).toEqual(first.context);
  });

  test('takes a step without having been asked for a beginning', () => {
    const [snapshot] = initialTransition(lamp, { most: 1 });
    expect(pure(lamp).step(snapshot, { type: 'turn' })[0].value).toBe('on');
  });
});
