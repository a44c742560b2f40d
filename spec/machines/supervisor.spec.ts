import { describe, expect, test } from '@jest/globals';
import { fromCallback, fromPromise } from 'xstate';
import type { TroupeError } from '../../proto/errors.ts';
import { guarded, stopSupervisor, supervisorMachine, type ChildSpec } from '../../machines/supervisor.ts';
import { intensity, supervised } from '../support/supervised.ts';
import { settle, type VirtualClock } from '../support/virtual-clock.ts';

describe('strategies', () => {
  const specs = [{ key: 'a' }, { key: 'b' }, { key: 'c' }];

  test('one_for_one restarts only the child that failed, after the back-off', async () => {
    const { seen, crash, clock } = supervised({ strategy: 'one_for_one', specs });
    await crash('b');
    expect(seen).toEqual(['+a', '+b', '+c']);
    clock.advance(99);
    expect(seen).toHaveLength(3);
    clock.advance(1);
    expect(seen).toEqual(['+a', '+b', '+c', '+b']);
  });

  test('rest_for_one stops the later ones in reverse and starts them in order', async () => {
    const { seen, crash, clock } = supervised({ strategy: 'rest_for_one', specs });
    await crash('a');
    clock.advance(100);
    expect(seen).toEqual(['+a', '+b', '+c', '-c', '-b', '+a', '+b', '+c']);
  });

  test('one_for_all restarts everybody', async () => {
    const { seen, crash, clock } = supervised({ strategy: 'one_for_all', specs });
    await crash('b');
    clock.advance(100);
    expect(seen).toEqual(['+a', '+b', '+c', '-c', '-a', '+a', '+b', '+c']);
  });

  test('those that restart alone wait out their own back-off, whatever else fails meanwhile', async () => {
    const { seen, crash, clock } = supervised({ specs });
    await crash('c');
    clock.advance(60);
    await crash('a');
    clock.advance(40);
    expect(seen).toEqual(['+a', '+b', '+c', '+c']);
    clock.advance(160);
    expect(seen).toEqual(['+a', '+b', '+c', '+c', '+a']);
  });

  test('among those that restart together, a failure during the back-off only enlarges what is restarted', async () => {
    const { seen, crash, clock } = supervised({ strategy: 'rest_for_one', specs });
    await crash('c');
    clock.advance(60);
    await crash('b');
    clock.advance(199);
    expect(seen).toEqual(['+a', '+b', '+c']);
    clock.advance(1);
    expect(seen).toEqual(['+a', '+b', '+c', '+b', '+c']);
  });
});

describe('restart types', () => {
  const ends = fromPromise<void>(() => Promise.resolve());
  const fails = fromPromise<void>(() => Promise.reject(new Error('broke')));

  test('a permanent child that ends is started again', async () => {
    const restarted: string[] = [];
    const { clock } = supervised({ specs: [{ key: 'a', logic: ends }], onRestart: (key) => restarted.push(key) });
    await settle();
    clock.advance(100);
    expect(restarted).toEqual(['a']);
  });

  test('a transient child is started again only after a fault', async () => {
    const restarted: string[] = [];
    const { clock } = supervised({
      specs: [
        { key: 'a', logic: ends, restart: 'transient' },
        { key: 'b', logic: fails, restart: 'transient' },
      ],
      onRestart: (key) => restarted.push(key),
    });
    await settle();
    clock.advance(100);
    expect(restarted).toEqual(['b']);
  });

  test('a temporary child is never started again, and leaves nothing behind', async () => {
    const ended: string[] = [];
    const { actor, clock } = supervised({ specs: [], onEnded: (key) => ended.push(key) });
    actor.send({ type: 'supervisor.spawn', spec: { key: 'x', logic: fails, restart: 'temporary' } });
    await settle();
    clock.advance(10_000);
    expect(ended).toEqual(['x']);
    expect(actor.getSnapshot().children).toEqual({});
    expect(actor.getSnapshot().context.living).toEqual([]);
  });
});

describe('intensity', () => {
  const fails = fromPromise<void>(() => Promise.reject(new Error('broke')));
  const run = async (clock: VirtualClock): Promise<void> => {
    for (let i = 0; i < 12; i++) {
      await settle();
      clock.advance(1_000);
    }
  };

  test('beyond it the supervisor fails and takes its children with it', async () => {
    let starts = 0;
    const { clock, error, seen, actor } = supervised({ specs: [{ key: 'a' }, { key: 'b', logic: fails }], onRestart: () => starts++ });
    await run(clock);
    expect(starts).toBe(3);
    expect((error() as TroupeError).code).toBe('ERR_SUPERVISOR_GAVE_UP');
    expect(seen).toEqual(['+a', '-a']);
    expect(actor.getSnapshot().status).toBe('error');
    expect(clock.pending).toBe(0);
  });

  test('with isolation only the crash-looping child is given up', async () => {
    const isolated: string[] = [];
    const { clock, actor, seen } = supervised({
      beyond: 'isolate',
      specs: [{ key: 'a' }, { key: 'b', logic: fails }],
      onIsolated: (key) => isolated.push(key),
    });
    await run(clock);
    expect(isolated).toEqual(['b']);
    expect(actor.getSnapshot().status).toBe('active');
    expect(seen).toEqual(['+a']);
    expect(clock.pending).toBe(0);
  });

  test('restarts that lie further apart than the window never add up', async () => {
    const { clock, crash, actor } = supervised({ specs: [{ key: 'a' }] });
    for (let i = 0; i < 10; i++) {
      await crash('a');
      clock.advance(10_100);
    }
    expect(actor.getSnapshot().status).toBe('active');
  });

  test('a child that throws at its start does not spin', () => {
    const throws = fromCallback(() => {
      throw new Error('at start');
    });
    const { clock, error } = supervised({ specs: [{ key: 'a', logic: throws }] });
    expect(error()).toBeUndefined();
    clock.advance(10_000);
    expect((error() as TroupeError).code).toBe('ERR_SUPERVISOR_GAVE_UP');
  });
});

describe('stopping', () => {
  test('children end in reverse, each after its own drain', async () => {
    const drained: string[] = [];
    const drain = (key: string) => ({ key, drain: () => (drained.push(key), Promise.resolve()) });
    const { actor, seen } = supervised({ specs: [drain('a'), drain('b')] });
    actor.send({ type: 'supervisor.stop' });
    await settle(10);
    expect(drained).toEqual(['b', 'a']);
    expect(seen).toEqual(['+a', '+b', '-b', '-a']);
    expect(actor.getSnapshot().status).toBe('done');
  });

  test('a supervisor below another stops its own children in reverse first', async () => {
    const below = { ...supervised({ specs: [{ key: 'x' }, { key: 'y' }] }) };
    await stopSupervisor(below.actor);
    expect(below.seen).toEqual(['+x', '+y', '-y', '-x']);
    const inner = guarded(supervisorMachine);
    const seen: string[] = [];
    const leaf = (key: string): ChildSpec => {
      return {
        key,
        restart: 'permanent',
        logic: fromCallback(() => () => void seen.push(`-${key}`)),
        drain: async () => void seen.push(`drain ${key}`),
      };
    };
    const input = { name: 'inner', strategy: 'one_for_one', intensity, now: () => 0, random: () => 0, children: [leaf('x'), leaf('y')] };
    const { actor } = supervised({
      specs: [leaf('a'), { key: 'b', logic: inner, input: () => input, drain: (_, child) => stopSupervisor(child) }],
    });
    actor.send({ type: 'supervisor.stop' });
    await settle(10);
    expect(seen).toEqual(['drain y', '-y', 'drain x', '-x', 'drain a', '-a']);
    expect(actor.getSnapshot().status).toBe('done');
  });

  test('a child that was restarted alone still stops in its declared place', async () => {
    const { actor, clock, crash, seen } = supervised({ specs: [{ key: 'a' }, { key: 'b' }, { key: 'c' }] });
    await crash('a');
    clock.advance(100);
    actor.send({ type: 'supervisor.stop' });
    await settle(10);
    expect(seen.slice(-3)).toEqual(['-c', '-b', '-a']);
  });

  test('during a back-off nothing is started any more, and a second stop changes nothing', async () => {
    const { actor, clock, crash, seen } = supervised({ strategy: 'rest_for_one', specs: [{ key: 'a' }, { key: 'b' }] });
    await crash('b');
    actor.send({ type: 'supervisor.stop' });
    actor.send({ type: 'supervisor.stop' });
    await settle(10);
    clock.advance(10_000);
    expect(seen).toEqual(['+a', '+b', '-a']);
    expect([actor.getSnapshot().status, clock.pending]).toEqual(['done', 0]);
  });

  test('a drain that hangs is cut off at its deadline', async () => {
    const { actor, clock, seen } = supervised({
      specs: [{ key: 'a' }, { key: 'b', drain: () => new Promise(() => undefined), drainMs: 500 }],
    });
    actor.send({ type: 'supervisor.stop' });
    await settle();
    expect(seen).toEqual(['+a', '+b']);
    clock.advance(500);
    await settle(10);
    expect(actor.getSnapshot().status).toBe('done');
    expect(seen).toEqual(['+a', '+b', '-b', '-a']);
    expect(clock.pending).toBe(0);
  });

  test('a child that ends by itself while another drains is not stopped twice, and none is forgotten', async () => {
    const { actor, clock, crash, seen } = supervised({
      specs: [{ key: 'a' }, { key: 'b', drain: () => new Promise(() => undefined), drainMs: 500 }],
    });
    actor.send({ type: 'supervisor.stop' });
    await crash('b');
    clock.advance(500);
    await settle(10);
    expect(actor.getSnapshot().status).toBe('done');
    expect(seen.at(-1)).toBe('-a');
  });
});
