/** What bends the rule of a supervisor for one child, what its watchdog does, and the bounds that hold for all. */
import { describe, expect, test } from '@jest/globals';
import { createActor, fromPromise, setup } from 'xstate';
import type { TroupeError } from '../../proto/errors.ts';
import { parseOptions, supervisionOptions } from '../../proto/options.ts';
import { intensityAbove } from '../../machines/policy/restart.ts';
import { guarded, supervisorMachine, type SupervisorInput } from '../../machines/supervisor.ts';
import { supervised } from '../support/supervised.ts';
import { settle, VirtualClock } from '../support/virtual-clock.ts';

describe('a fault that a remote can bring about', () => {
  test('restarts the child, later each time, and never gives it up', async () => {
    const isolated: string[] = [];
    const { clock, crash, seen, actor } = supervised({
      beyond: 'isolate',
      specs: [{ key: 'a' }],
      isProvoked: () => true,
      onIsolated: (key) => isolated.push(key),
    });
    for (const delay of [100, 200, 400, 800, 1_000, 1_000, 1_000]) {
      await crash('a');
      clock.advance(delay - 1);
      expect(seen.at(-1)).toBe('+a');
      const before = seen.length;
      clock.advance(1);
      expect(seen).toHaveLength(before + 1);
    }
    expect([isolated, actor.getSnapshot().status]).toEqual([[], 'active']);
  });

  test('does not use up what other faults are allowed', async () => {
    const { clock, crash, actor } = supervised({ specs: [{ key: 'a' }], isProvoked: (_, error) => (error as Error).message === 'a broke' });
    for (let i = 0; i < 5; i++) {
      await crash('a');
      clock.advance(1_000);
    }
    actor.send({ type: 'supervisor.condemn', key: 'a', error: new Error('own') });
    expect(actor.getSnapshot().status).toBe('active');
  });
});

describe('a child may have a rule of its own:', () => {
  test('the supervisor gives up for it, although it isolates others', async () => {
    const { clock, crash, error, actor } = supervised({ beyond: 'isolate', specs: [{ key: 'a', beyond: 'escalate' }, { key: 'b' }] });
    for (let i = 0; i < 4; i++) {
      await crash('a');
      clock.advance(1_000);
    }
    expect(actor.getSnapshot().status).toBe('error');
    expect((error() as TroupeError).code).toBe('ERR_SUPERVISOR_GAVE_UP');
  });

  test('the supervisor has failed at once when it was vital', async () => {
    const { crash, error, seen } = supervised({ specs: [{ key: 'a' }, { key: 'b', vital: true }] });
    await crash('b');
    expect((error() as TroupeError).code).toBe('ERR_SUPERVISOR_GAVE_UP');
    expect(seen).toEqual(['+a', '+b', '-a']);
  });

  test('it is isolated, although the supervisor gives up for others, and uses up nothing of what they are allowed', async () => {
    const isolated: string[] = [];
    const { clock, crash, seen, actor } = supervised({
      strategy: 'rest_for_one',
      specs: [{ key: 'a' }, { key: 'b', beyond: 'isolate' }],
      onIsolated: (key) => isolated.push(key),
    });
    for (let i = 0; i < 4; i++) {
      await crash('b');
      clock.advance(1_000);
    }
    expect([isolated, seen]).toEqual([['b'], ['+a', '+b', '+b', '+b', '+b']]);
    for (let i = 0; i < 3; i++) {
      await crash('a');
      clock.advance(1_000);
    }
    expect(actor.getSnapshot().status).toBe('active');
  });
});

describe('the watchdog', () => {
  test('looks at each child at its interval, and condemns one that hangs: stopped, then restarted like one that threw', async () => {
    const hang = { now: false, looks: 0 };
    const faults: string[] = [];
    const { clock, seen } = supervised({
      specs: [{ key: 'a' }, { key: 'b', hung: () => (hang.looks++, hang.now ? new Error('hangs') : undefined) }],
      onFault: (key, error) => faults.push(`${key}: ${(error as Error).message}`),
    });
    clock.advance(3_000);
    expect([hang.looks, seen]).toEqual([3, ['+a', '+b']]);
    hang.now = true;
    clock.advance(1_000);
    hang.now = false;
    await settle();
    expect(seen).toEqual(['+a', '+b', '-b']);
    clock.advance(100);
    expect(seen).toEqual(['+a', '+b', '-b', '+b']);
    expect(faults).toEqual(['b: hangs']);
  });

  test('judges several that hang at the same look one after the other', async () => {
    const hung = { now: true };
    const ask = () => (hung.now ? new Error('hangs') : undefined);
    const { clock, seen } = supervised({
      strategy: 'rest_for_one',
      specs: [
        { key: 'a', hung: ask },
        { key: 'b', hung: ask },
      ],
    });
    clock.advance(1_000);
    hung.now = false;
    await settle();
    clock.advance(1_000);
    expect(seen).toEqual(['+a', '+b', '-a', '-b', '+a', '+b']);
  });

  test('sets no timer where nobody is to be looked at, and leaves none behind', async () => {
    expect(supervised({ specs: [{ key: 'a' }] }).clock.pending).toBe(0);
    const { clock, actor } = supervised({ specs: [{ key: 'a', hung: () => undefined }] });
    expect(clock.pending).toBe(1);
    actor.send({ type: 'supervisor.stop' });
    await settle(10);
    expect(clock.pending).toBe(0);
  });
});

describe('bounds', () => {
  test('a supervisor that stands deeper than three fails at its start', () => {
    expect(supervised({ specs: [{ key: 'a' }], depth: 3 }).seen).toEqual(['+a']);
    const { seen, error } = supervised({ specs: [{ key: 'a' }], depth: 4 });
    expect([seen, (error() as TroupeError).code]).toEqual([[], 'ERR_INTERNAL']);
  });

  test('supervisors one above the other make at most 30 restarts of one child within 30 s, at the worst of all jitters', () => {
    const defaults = parseOptions(supervisionOptions, {});
    const clock = new VirtualClock();
    const restarts: number[] = [];
    const shared = { strategy: 'one_for_one', now: () => clock.now(), random: () => 1 } as const;
    const leaf = fromPromise<void>(() => {
      throw new Error('broke at start');
    });
    const inner = (): SupervisorInput => ({
      ...shared,
      name: 'inner',
      depth: 2,
      intensity: defaults,
      children: [{ key: 'leaf', logic: leaf, restart: 'permanent' }],
      onRestart: () => restarts.push(clock.now()),
    });
    const outer: SupervisorInput = {
      ...shared,
      name: 'outer',
      intensity: intensityAbove(defaults),
      children: [{ key: 'inner', logic: guarded(supervisorMachine), input: inner, restart: 'permanent' }],
      onRestart: () => restarts.push(clock.now()),
    };
    const actor = createActor(guarded(supervisorMachine), { input: outer, clock });
    let error: unknown;
    actor.subscribe({ error: (thrown) => (error = thrown) });
    actor.start();
    clock.advance(300_000);
    expect((error as TroupeError).code).toBe('ERR_SUPERVISOR_GAVE_UP');
    const most = Math.max(...restarts.map((from) => restarts.filter((at) => at >= from && at < from + 30_000).length));
    expect([most, restarts.length]).toEqual([28, 35]);
  });

  test('a child that goes round in circles is a child that failed', () => {
    const faults: unknown[] = [];
    const circling = setup({}).createMachine({
      options: { maxIterations: 1_000 },
      initial: 'a',
      states: { a: { always: 'b' }, b: { always: 'a' } },
    });
    const { clock } = supervised({
      specs: [{ key: 'a', logic: circling }, { key: 'b' }],
      onFault: (key, error) => faults.push([key, (error as Error).message]),
    });
    expect(faults).toEqual([['a', expect.stringContaining('Infinite loop')]]);
    clock.advance(100);
    expect(faults).toHaveLength(2);
  });

  test('ten thousand children that came and went leave nothing in the tree', async () => {
    const passing = fromPromise<void>(() => Promise.resolve());
    const { actor } = supervised({ specs: [{ key: 'a' }] });
    for (let i = 0; i < 10_000; i++) {
      actor.send({ type: 'supervisor.spawn', spec: { key: `x:${i % 100}`, logic: passing, restart: 'temporary' } });
      if (i % 100 === 99) await settle(1);
    }
    const { children, context } = actor.getSnapshot();
    expect(Object.keys(children)).toEqual(['a']);
    expect(context.living.map(({ key }) => key)).toEqual(['a']);
    expect(Object.keys(context.incarnations)).toEqual(['a']);
  });

  test('a thousand restarts leave as many timers, children and listeners as there were', async () => {
    const { actor, clock, crash, seen } = supervised({ specs: [{ key: 'a' }, { key: 'b' }], strategy: 'one_for_all' });
    for (let i = 0; i < 1_000; i++) {
      await crash('a');
      clock.advance(10_000);
    }
    expect(seen.filter((each) => each === '+b')).toHaveLength(1_001);
    expect(seen.filter((each) => each === '-b')).toHaveLength(1_000);
    expect(Object.keys(actor.getSnapshot().children)).toHaveLength(2);
    expect(Object.keys(actor.getSnapshot().context.accounts)).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });
});
