/** Supervision in OTP's words: which children to restart, when, and when to give up. The one machine behind every supervisor of the node. */
import { assign, enqueueActions, fromPromise, setup, type AnyActorLogic, type AnyActorRef } from 'xstate';
import { TroupeError } from '../proto/errors.ts';
import type { SupervisionOptions } from '../proto/options.ts';
import { restartDelay, restartSet, type Strategy } from './policy/restart.ts';

/** When a child that ended is started again: always, only after a fault, or never. */
export type Restart = 'permanent' | 'transient' | 'temporary';

/** A declared child. Children start in the order they are listed and stop in reverse. */
export type ChildSpec = Readonly<{
  /** Name in the actor tree and in the counters; never remote data. */
  key: string;
  logic: AnyActorLogic;
  /** Read at each start, so that a restarted child gets fresh input. */
  input?: () => unknown;
  restart: Restart;
  /** A graceful end before the child is stopped; bounded by `drainMs`. */
  drain?: (signal: AbortSignal) => Promise<void>;
  drainMs?: number;
}>;

/** What happens beyond the intensity: the supervisor fails, so that its parent decides, or only the crash-looping child is given up. */
export type Beyond = 'escalate' | 'isolate';

export type SupervisorInput = Readonly<{
  name: string;
  strategy: Strategy;
  children: readonly ChildSpec[];
  intensity: SupervisionOptions;
  beyond?: Beyond;
  /** Monotonic milliseconds. */
  now: () => number;
  random: () => number;
  /** Told of each fault of a child, before anything is decided. */
  onFault?: (key: string, error: unknown) => void;
  /** Told when a child is gone for good or until its restart. */
  onEnded?: (key: string) => void;
  onRestart?: (key: string) => void;
  onIsolated?: (key: string, error: unknown) => void;
}>;

type Living = Readonly<{ key: string; id: string; spec: ChildSpec }>;

export type SupervisorContext = Readonly<{
  input: SupervisorInput;
  /** Living children in the order they started. */
  living: readonly Living[];
  pending: readonly string[];
  isolated: readonly string[];
  /** The child whose graceful end is awaited while stopping. */
  draining: Living | undefined;
  /** Restart times within the window, of the supervisor or, when it isolates, by child. */
  history: Readonly<Record<string, readonly number[]>>;
  incarnations: Readonly<Record<string, number>>;
  streak: number;
}>;

export type SupervisorEvent =
  | Readonly<{ type: 'supervisor.spawn'; spec: ChildSpec }>
  | Readonly<{ type: 'supervisor.dismiss'; key: string }>
  | Readonly<{ type: 'supervisor.restart' }>
  | Readonly<{ type: 'supervisor.stop' }>
  | Ended;

/** A child ended, by XState's own events. */
type Ended = Readonly<{ type: `xstate.error.actor.${string}` | `xstate.done.actor.${string}`; actorId: string; error?: unknown }>;

/** Incarnations are told apart in the child's id, bounded, because a late error names only the id. */
const incarnationsKept = 8;
const defaultDrainMs = 5_000;

const drainLogic = fromPromise<void, { drain: ((signal: AbortSignal) => Promise<void>) | undefined }>(async ({ input, signal }) =>
  input.drain?.(signal),
);

function start(context: SupervisorContext, spec: ChildSpec): { living: Living; context: SupervisorContext } {
  const incarnation = context.incarnations[spec.key] ?? 0;
  const id = incarnation === 0 ? spec.key : `${spec.key}#${incarnation % incarnationsKept}`;
  const living = { key: spec.key, id, spec };
  const declared = context.input.children.includes(spec);
  return {
    living,
    context: {
      ...context,
      living: [...context.living, living],
      incarnations: declared ? { ...context.incarnations, [spec.key]: incarnation + 1 } : context.incarnations,
    },
  };
}

type Spawn = (logic: AnyActorLogic, options: Readonly<{ id: string; input: unknown }>) => void;

/** Children are data here, so their logic cannot be listed in the machine's types. */
function spawnVia(enqueue: { spawnChild: unknown }): Spawn {
  return enqueue.spawnChild as Spawn;
}

/** Whether an actor that ended in this way is to be started again. */
function isRestarted(restart: Restart, faulted: boolean): boolean {
  return restart === 'permanent' || (restart === 'transient' && faulted);
}

/** The supervisor. Guard it with `guarded()` before it is spawned, so that giving up takes its children with it. */
export const supervisorMachine = setup({
  types: {
    context: {} as SupervisorContext,
    events: {} as SupervisorEvent,
    input: {} as SupervisorInput,
  },
  actors: { drain: drainLogic },
  delays: { drainDeadline: ({ context }) => context.draining?.spec.drainMs ?? defaultDrainMs },
  guards: { hasLiving: ({ context }) => context.living.length > 0 },
  actions: {
    startAll: enqueueActions(({ enqueue, context }) => {
      let next: SupervisorContext = context;
      for (const spec of context.input.children) {
        const started = start(next, spec);
        next = started.context;
        spawnVia(enqueue)(spec.logic, { id: started.living.id, input: spec.input?.() });
      }
      enqueue.assign(() => next);
    }),
    spawnOne: enqueueActions(({ enqueue, context, event }) => {
      if (event.type !== 'supervisor.spawn') return;
      const started = start(context, event.spec);
      enqueue.assign(() => started.context);
      spawnVia(enqueue)(event.spec.logic, { id: started.living.id, input: event.spec.input?.() });
    }),
    dismissOne: enqueueActions(({ enqueue, context, event }) => {
      if (event.type !== 'supervisor.dismiss') return;
      const living = context.living.find((each) => each.key === event.key);
      if (!living) return;
      enqueue.stopChild(living.id);
      enqueue.assign(() => ({ living: context.living.filter((each) => each !== living) }));
    }),
    judge: enqueueActions(({ enqueue, context, event }) => {
      const ended = event as Ended;
      const faulted = ended.type.startsWith('xstate.error.');
      const child = context.living.find((each) => each.id === ended.actorId);
      enqueue.stopChild(ended.actorId);
      if (!child) return;
      const { input } = context;
      if (faulted) input.onFault?.(child.key, ended.error);
      input.onEnded?.(child.key);
      const rest = context.living.filter((each) => each !== child);
      if (!isRestarted(child.spec.restart, faulted)) {
        enqueue.assign(() => ({ living: rest }));
        return;
      }
      const isolates = input.beyond === 'isolate';
      const account = isolates ? child.key : '';
      const now = input.now();
      const recent = [...(context.history[account] ?? []).filter((at) => now - at < input.intensity.withinMs), now];
      if (recent.length > input.intensity.maxRestarts) {
        if (!isolates) {
          const cause = ended.error;
          enqueue(() => {
            throw new TroupeError('ERR_SUPERVISOR_GAVE_UP', `${input.name}: ${child.key}`, { cause });
          });
          return;
        }
        input.onIsolated?.(child.key, ended.error);
        enqueue.assign(() => ({ living: rest, isolated: [...context.isolated, child.key] }));
        return;
      }
      const streak = recent.length;
      const affected = restartSet(
        input.strategy,
        input.children.map((each) => each.key),
        child.key,
      );
      for (const other of [...rest].reverse()) {
        if (affected.includes(other.key)) enqueue.stopChild(other.id);
      }
      enqueue.assign(() => ({
        living: rest.filter((each) => !affected.includes(each.key)),
        pending: input.children.map((each) => each.key).filter((key) => context.pending.includes(key) || affected.includes(key)),
        history: { ...context.history, [account]: recent },
        streak,
      }));
      enqueue.cancel('restart');
      enqueue.raise({ type: 'supervisor.restart' }, { id: 'restart', delay: restartDelay(input.intensity, streak, input.random()) });
    }),
    startPending: enqueueActions(({ enqueue, context }) => {
      let next: SupervisorContext = { ...context, pending: [] };
      for (const key of context.pending) {
        const spec = context.input.children.find((each) => each.key === key)!;
        const started = start(next, spec);
        next = started.context;
        context.input.onRestart?.(key);
        spawnVia(enqueue)(spec.logic, { id: started.living.id, input: spec.input?.() });
      }
      const settled = next;
      enqueue.assign(() => settled);
    }),
    forgetEnded: enqueueActions(({ enqueue, context, event }) => {
      const { actorId } = event as Ended;
      enqueue.stopChild(actorId);
      const ended = context.living.find((each) => each.id === actorId);
      if (ended) context.input.onEnded?.(ended.key);
      enqueue.assign(() => ({ living: context.living.filter((each) => each.id !== actorId) }));
    }),
    chooseLast: assign({ draining: ({ context }) => context.living.at(-1) }),
    stopDrained: enqueueActions(({ enqueue, context }) => {
      const { draining } = context;
      if (!draining || !context.living.includes(draining)) return;
      enqueue.stopChild(draining.id);
      enqueue.assign(() => ({ living: context.living.filter((each) => each !== draining) }));
    }),
  },
}).createMachine({
  id: 'supervisor',
  context: ({ input }) => ({ input, living: [], pending: [], isolated: [], draining: undefined, history: {}, incarnations: {}, streak: 0 }),
  initial: 'running',
  states: {
    running: {
      entry: 'startAll',
      on: {
        'supervisor.spawn': { actions: 'spawnOne' },
        'supervisor.dismiss': { actions: 'dismissOne' },
        'supervisor.restart': { actions: 'startPending' },
        'supervisor.stop': { target: 'stopping' },
        'xstate.error.actor.*': { actions: 'judge' },
        'xstate.done.actor.*': { actions: 'judge' },
      },
    },
    stopping: {
      initial: 'choosing',
      on: {
        'xstate.error.actor.*': { actions: 'forgetEnded' },
        'xstate.done.actor.*': { actions: 'forgetEnded' },
      },
      states: {
        choosing: { always: [{ guard: 'hasLiving', target: 'draining', actions: 'chooseLast' }, { target: '#supervisor.stopped' }] },
        draining: {
          invoke: {
            id: 'drain',
            src: 'drain',
            input: ({ context }) => ({ drain: context.draining?.spec.drain }),
            onDone: 'ending',
            onError: 'ending',
          },
          after: { drainDeadline: 'ending' },
        },
        ending: { entry: 'stopDrained', always: 'choosing' },
      },
    },
    stopped: { type: 'final' },
  },
});

/**
 * Reaps the subtree of a machine that throws: without it the children of a failed machine keep running.
 * Call `provide()` before wrapping.
 */
export function guarded<T extends AnyActorLogic>(logic: T): T {
  const wrapped = Object.create(logic) as T;
  wrapped.transition = (snapshot: unknown, event: unknown, scope: { stopChild: (child: AnyActorRef) => void }): unknown => {
    try {
      return logic.transition(snapshot, event, scope as never);
    } catch (error) {
      const children = (snapshot as { children?: Record<string, AnyActorRef> }).children ?? {};
      for (const child of Object.values(children)) scope.stopChild(child);
      throw error;
    }
  };
  return wrapped;
}
