/** A supervisor for specs, whose children write down when they start and stop, and fail when told to. */
import { createActor, fromPromise, type AnyActorLogic } from 'xstate';
import { guarded, supervisorMachine, type ChildSpec, type SupervisorInput } from '../../machines/supervisor.ts';
import { settle, VirtualClock } from './virtual-clock.ts';

export const intensity = { maxRestarts: 3, withinMs: 10_000, minBackoffMs: 100, maxBackoffMs: 1_000, watchdogMs: 1_000, maxMissed: 3 };

/** `seen` has +key for a start and -key for a stop. */
export function supervised(overrides: Partial<SupervisorInput> & { specs: readonly Partial<ChildSpec>[] }) {
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
