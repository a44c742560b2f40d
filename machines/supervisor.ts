/** Supervision in OTP's words: which children to restart, when, and when to give up. The one machine behind every supervisor of the node. */
import { assign, enqueueActions, fromPromise, setup, type AnyActorLogic, type AnyActorRef } from 'xstate';
import { TroupeError } from '../proto/errors.ts';
import { deepestSupervisor } from './policy/restart.ts';
import {
  contextOf,
  verdictOn,
  withStarted,
  type ChildSpec,
  type Ending,
  type SupervisorContext,
  type SupervisorInput,
} from './supervisor-context.ts';

export type { ChildSpec, SupervisorContext, SupervisorInput } from './supervisor-context.ts';

export type SupervisorEvent =
  | Readonly<{ type: 'supervisor.spawn'; spec: ChildSpec }>
  | Readonly<{ type: 'supervisor.dismiss'; key: string }>
  /** Stops a child, and judges it as if it had thrown this error. */
  | Readonly<{ type: 'supervisor.condemn'; key: string; error: Error }>
  | Readonly<{ type: 'supervisor.restart'; keys: readonly string[] }>
  | Readonly<{ type: 'supervisor.look' }>
  | Readonly<{ type: 'supervisor.stop' }>
  | Ended;

/** A child ended, by XState's own events. */
type Ended = Readonly<{ type: `xstate.error.actor.${string}` | `xstate.done.actor.${string}`; actorId: string; error?: unknown }>;

const defaultDrainMs = 5_000;

const drainLogic = fromPromise<void, { drain: ChildSpec['drain']; child: AnyActorRef | undefined }>(
  async ({ input: { drain, child }, signal }) => child && drain?.(signal, child),
);

/** What an action may ask for; children are data here, so their logic cannot be listed in the machine's types. */
interface Enqueue {
  (effect: () => void): void;
  assign(change: () => Partial<SupervisorContext>): void;
  spawnChild(logic: AnyActorLogic, options: Readonly<{ id: string; input: unknown }>): void;
  stopChild(id: string): void;
  cancel(id: string): void;
  raise(event: SupervisorEvent, options?: Readonly<{ id: string; delay: number }>): void;
}

function childrenOf(actor: Readonly<{ getSnapshot(): unknown }>): Readonly<Record<string, AnyActorRef | undefined>> {
  return (actor.getSnapshot() as { children: Readonly<Record<string, AnyActorRef | undefined>> }).children;
}

/** Starts children in their order. */
function start(enqueue: Enqueue, context: SupervisorContext, specs: readonly ChildSpec[]): void {
  let next = context;
  for (const spec of specs) {
    const started = withStarted(next, spec);
    next = started.context;
    enqueue.spawnChild(spec.logic, { id: started.child.id, input: spec.input?.() });
  }
  enqueue.assign(() => next);
}

/** Takes the consequences of a child's end. */
function judge(enqueue: Enqueue, context: SupervisorContext, ending: Ending): void {
  const { input } = context;
  const { child, faulted, error } = ending;
  if (faulted) input.onFault?.(child.key, error);
  input.onEnded?.(child.key);
  const living = context.living.filter((each) => each !== child);
  const verdict = verdictOn(context, ending);
  switch (verdict.type) {
    case 'forget':
      return enqueue.assign(() => ({ living }));
    case 'isolate':
      input.onIsolated?.(child.key, error);
      return enqueue.assign(() => ({ living, isolated: [...context.isolated, child.key] }));
    case 'giveUp':
      return enqueue(() => {
        throw new TroupeError('ERR_SUPERVISOR_GAVE_UP', `${input.name}: ${child.key}`, { cause: error });
      });
    case 'restart': {
      const { keys, delayMs, accounts } = verdict;
      for (const other of [...living].reverse()) if (keys.includes(other.key)) enqueue.stopChild(other.id);
      const pending = input.children.map(({ key }) => key).filter((key) => context.pending.includes(key) || keys.includes(key));
      enqueue.assign(() => ({ living: living.filter((each) => !keys.includes(each.key)), pending, accounts }));
      // A child that restarts alone waits for nobody else; those that restart together wait for the last fault among them.
      const alone = input.strategy === 'one_for_one';
      const id = alone ? `restart:${child.key}` : 'restart';
      enqueue.cancel(id);
      return enqueue.raise({ type: 'supervisor.restart', keys: alone ? keys : pending }, { id, delay: delayMs });
    }
  }
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
      const { input } = context;
      if ((input.depth ?? 1) > deepestSupervisor)
        throw new TroupeError('ERR_INTERNAL', `supervisor ${input.name} stands ${input.depth} deep, at most ${deepestSupervisor}`);
      start(enqueue as unknown as Enqueue, context, input.children);
    }),
    startOne: enqueueActions(({ enqueue, context, event }) => {
      if (event.type === 'supervisor.spawn') start(enqueue as unknown as Enqueue, context, [event.spec]);
    }),
    startPending: enqueueActions(({ enqueue, context, event }) => {
      if (event.type !== 'supervisor.restart') return;
      const { input, pending } = context;
      const due = input.children.filter(({ key }) => pending.includes(key) && event.keys.includes(key));
      for (const { key } of due) input.onRestart?.(key);
      start(enqueue as unknown as Enqueue, { ...context, pending: pending.filter((key) => !event.keys.includes(key)) }, due);
    }),
    dismissOne: enqueueActions(({ enqueue, context, event }) => {
      if (event.type !== 'supervisor.dismiss') return;
      const child = context.living.find((each) => each.key === event.key);
      if (!child) return;
      enqueue.stopChild(child.id);
      enqueue.assign(() => ({ living: context.living.filter((each) => each !== child) }));
    }),
    judgeEnded: enqueueActions(({ enqueue, context, event }) => {
      const { actorId, type, error } = event as Ended;
      const child = context.living.find((each) => each.id === actorId);
      enqueue.stopChild(actorId);
      if (child) judge(enqueue as unknown as Enqueue, context, { child, faulted: type.startsWith('xstate.error.'), error });
    }),
    judgeCondemned: enqueueActions(({ enqueue, context, event }) => {
      if (event.type !== 'supervisor.condemn') return;
      const child = context.living.find((each) => each.key === event.key);
      if (!child) return;
      enqueue.stopChild(child.id);
      judge(enqueue as unknown as Enqueue, context, { child, faulted: true, error: event.error });
    }),
    /** Condemns the children that hang, one event each, so that each is judged after the one before. */
    look: enqueueActions(({ enqueue, context, self }) => {
      const children = childrenOf(self);
      for (const { key, id, spec } of context.living) {
        const child = children[id];
        const error = child && spec.hung?.(child);
        if (error) enqueue.raise({ type: 'supervisor.condemn', key, error });
      }
    }),
    lookLater: enqueueActions(({ enqueue, context: { input } }) => {
      if (!input.children.some(({ hung }) => hung)) return;
      enqueue.raise({ type: 'supervisor.look' }, { id: 'look', delay: input.intensity.watchdogMs });
    }),
    lookNoMore: enqueueActions(({ enqueue }) => enqueue.cancel('look')),
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
  options: { maxIterations: 1_000 },
  context: ({ input }) => contextOf(input),
  initial: 'running',
  states: {
    running: {
      entry: ['startAll', 'lookLater'],
      exit: 'lookNoMore',
      on: {
        'supervisor.spawn': { actions: 'startOne' },
        'supervisor.dismiss': { actions: 'dismissOne' },
        'supervisor.condemn': { actions: 'judgeCondemned' },
        'supervisor.restart': { actions: 'startPending' },
        'supervisor.look': { actions: ['look', 'lookLater'] },
        'supervisor.stop': { target: 'stopping' },
        'xstate.error.actor.*': { actions: 'judgeEnded' },
        'xstate.done.actor.*': { actions: 'judgeEnded' },
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
            input: ({ context: { draining }, self }) => ({ drain: draining?.spec.drain, child: draining && childrenOf(self)[draining.id] }),
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

/** Asks a supervisor to stop its children in reverse, each after its graceful end. Resolves when it has. */
export function stopSupervisor(supervisor: AnyActorRef): Promise<void> {
  return new Promise((resolve) => {
    supervisor.subscribe({ complete: resolve, error: () => resolve() });
    supervisor.send({ type: 'supervisor.stop' });
  });
}

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
