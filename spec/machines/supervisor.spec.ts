import { describe, expect, test } from '@jest/globals';
import { createActor, fromCallback, fromPromise, type AnyActorLogic } from 'xstate';
import type { TroupeError } from '../../proto/errors.ts';
import { guarded, supervisorMachine, type ChildSpec, type SupervisorInput } from '../../machines/supervisor.ts';
import { VirtualClock, settle } from '../support/virtual-clock.ts';

const intensity = { maxRestarts: 3, withinMs: 10_000, minBackoffMs: 100, maxBackoffMs: 1_000 };

/** Children that write down when they start and stop, and fail when told to. */
function rig(overrides: Partial<SupervisorInput> & { specs: readonly Partial<ChildSpec>[] }) {
  const clock = new VirtualClock();
  const seen: string[] = [];
  const crash = new Map<string, (error: Error) => void>();
  const child = (key: string): AnyActorLogic =>
    fromPromise<void>(
      ({ signal }) =>
        new Promise((_, reject) => {
          seen.push(`+${key}`);
          crash.set(key, reject);
          signal.addEventListener('abort', () => seen.push(`-${key}`));
        }),
    );
  const { specs, ...rest } = overrides;
  const children = specs.map((spec): ChildSpec => ({ restart: 'permanent', logic: child(spec.key!), key: spec.key!, ...spec }));
  const input: SupervisorInput = {
    name: 'test',
    strategy: 'one_for_one',
    intensity,
    now: () => clock.now(),
    random: () => 0,
    children,
    ...rest,
  };
  const actor = createActor(guarded(supervisorMachine), { input, clock: clock });
  let error: unknown;
  actor.subscribe({ error: (thrown) => (error = thrown) });
  actor.start();
  return { clock, seen, crash: async (key: string) => (crash.get(key)!(new Error(`${key} broke`)), settle()), actor, error: () => error };
}

describe('strategies', () => {
  const specs = [{ key: 'a' }, { key: 'b' }, { key: 'c' }];

  test('one_for_one restarts only the child that failed, after the back-off', async () => {
    const { seen, crash, clock } = rig({ strategy: 'one_for_one', specs });
    await crash('b');
    expect(seen).toEqual(['+a', '+b', '+c']);
    clock.advance(99);
    expect(seen).toHaveLength(3);
    clock.advance(1);
    expect(seen).toEqual(['+a', '+b', '+c', '+b']);
  });

  test('rest_for_one stops the later ones in reverse and starts them in order', async () => {
    const { seen, crash, clock } = rig({ strategy: 'rest_for_one', specs });
    await crash('a');
    clock.advance(100);
    expect(seen).toEqual(['+a', '+b', '+c', '-c', '-b', '+a', '+b', '+c']);
  });

  test('one_for_all restarts everybody', async () => {
    const { seen, crash, clock } = rig({ strategy: 'one_for_all', specs });
    await crash('b');
    clock.advance(100);
    expect(seen).toEqual(['+a', '+b', '+c', '-c', '-a', '+a', '+b', '+c']);
  });

  test('a failure during the back-off only enlarges what is restarted', async () => {
    const { seen, crash, clock } = rig({ specs });
    await crash('c');
    await crash('a');
    clock.advance(200);
    expect(seen).toEqual(['+a', '+b', '+c', '+a', '+c']);
  });
});

describe('restart types', () => {
  const ends = fromPromise<void>(() => Promise.resolve());
  const fails = fromPromise<void>(() => Promise.reject(new Error('broke')));

  test('a permanent child that ends is started again', async () => {
    const restarted: string[] = [];
    const { clock } = rig({ specs: [{ key: 'a', logic: ends }], onRestart: (key) => restarted.push(key) });
    await settle();
    clock.advance(100);
    expect(restarted).toEqual(['a']);
  });

  test('a transient child is started again only after a fault', async () => {
    const restarted: string[] = [];
    const { clock } = rig({
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
    const { actor, clock } = rig({ specs: [], onEnded: (key) => ended.push(key) });
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
    const { clock, error, seen, actor } = rig({ specs: [{ key: 'a' }, { key: 'b', logic: fails }], onRestart: () => starts++ });
    await run(clock);
    expect(starts).toBe(3);
    expect((error() as TroupeError).code).toBe('ERR_SUPERVISOR_GAVE_UP');
    expect(seen).toEqual(['+a', '-a']);
    expect(actor.getSnapshot().status).toBe('error');
    expect(clock.pending).toBe(0);
  });

  test('with isolation only the crash-looping child is given up', async () => {
    const isolated: string[] = [];
    const { clock, actor, seen } = rig({
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
    const { clock, crash, actor } = rig({ specs: [{ key: 'a' }] });
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
    const { clock, error } = rig({ specs: [{ key: 'a', logic: throws }] });
    expect(error()).toBeUndefined();
    clock.advance(10_000);
    expect((error() as TroupeError).code).toBe('ERR_SUPERVISOR_GAVE_UP');
  });
});

describe('stopping', () => {
  test('children end in reverse, each after its own drain', async () => {
    const drained: string[] = [];
    const drain = (key: string) => ({ key, drain: () => (drained.push(key), Promise.resolve()) });
    const { actor, seen } = rig({ specs: [drain('a'), drain('b')] });
    actor.send({ type: 'supervisor.stop' });
    await settle(10);
    expect(drained).toEqual(['b', 'a']);
    expect(seen).toEqual(['+a', '+b', '-b', '-a']);
    expect(actor.getSnapshot().status).toBe('done');
  });

  test('a drain that hangs is cut off at its deadline', async () => {
    const { actor, clock, seen } = rig({ specs: [{ key: 'a' }, { key: 'b', drain: () => new Promise(() => undefined), drainMs: 500 }] });
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
    const { actor, clock, crash, seen } = rig({
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
