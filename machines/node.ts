/** The life of a node: starting, running, stopping, and why it ended. Its parts live below, in one supervisor. */
import { assign, emit, fromCallback, fromPromise, sendTo, setup } from 'xstate';
import { TroupeError } from '../proto/errors.ts';
import type { SupervisorInput } from './supervisor.ts';
import { guarded, supervisorMachine } from './supervisor.ts';

/** What a host may ask of a running node, and what the node learns from its parts. */
export type NodeEvent =
  | Readonly<{ type: 'node.stop' }>
  | Readonly<{ type: 'peer.dial'; id: string }>
  | Readonly<{ type: 'peer.disconnect'; id: string; reason?: string }>
  | Readonly<{ type: 'peer.ban'; id: string; forMs: number; reason: string }>
  | Readonly<{ type: 'node.failed'; error: Error }>
  | NodeNews;

/** What a node tells its host. */
export type NodeNews =
  | Readonly<{ type: 'node.ready'; nodeId: string; addresses: readonly string[]; monitorUrl?: string }>
  | Readonly<{ type: 'peer.up'; id: string; channels: readonly number[] }>
  | Readonly<{ type: 'peer.down'; id: string; reason?: string }>
  | Readonly<{ type: 'reactor.isolated'; reactor: string; error: string }>;

/** Why a node ended: nothing when it was asked to, else what made it give up. */
export type NodeOutput = Readonly<{ error: Error | undefined }>;

/** Everything a node is made of, put together by `actors/node.ts`; opaque to the chart. */
export interface Assembly {
  readonly totalMs: number;
  supervision(): SupervisorInput;
}

export type NodeContext<A extends Assembly> = Readonly<{ given: unknown; assembly: A | undefined; error: Error | undefined }>;

function notProvided(name: string): never {
  throw new TroupeError('ERR_NOT_PROVIDED', name);
}

const errorOf = (event: unknown): Error => {
  const { error } = event as { error: unknown };
  return error instanceof Error ? error : new TroupeError('ERR_INTERNAL', String(error));
};

/** The node's chart, for one kind of assembly. The promises, the news and the order are provided by `actors/node.ts`. */
export const nodeMachine = setup({
  types: {
    context: {} as NodeContext<Assembly>,
    events: {} as NodeEvent,
    emitted: {} as NodeNews,
    output: {} as NodeOutput,
    input: {},
  },
  actors: {
    /** Opens what can fail for reasons of the host: home, store, listeners. */
    prepare: fromPromise<Assembly, { given: unknown }>(() => notProvided('prepare')),
    supervisor: guarded(supervisorMachine),
    /** Waits for the parts to be ready, then sends news until it is stopped. */
    news: fromCallback<NodeEvent, { assembly: Assembly }>(() => notProvided('news')),
    /** Gives back what `prepare` opened. */
    release: fromPromise<void, { assembly: Assembly | undefined }>(() => notProvided('release')),
  },
  actions: {
    order: (_, _params: { event: NodeEvent }) => notProvided('order'),
    noteAssembly: assign((_, assembly: Assembly) => ({ assembly })),
    noteError: assign({ error: ({ context, event }) => context.error ?? errorOf(event) }),
    tell: emit(({ event }) => event as NodeNews),
  },
  delays: { totalMs: ({ context }) => context.assembly?.totalMs ?? 5_000 },
}).createMachine({
  id: 'node',
  options: { maxIterations: 1_000 },
  context: ({ input }) => ({ given: input, assembly: undefined, error: undefined }),
  output: ({ context }) => ({ error: context.error }),
  initial: 'starting',
  states: {
    starting: {
      on: { 'node.stop': 'stopped' },
      invoke: {
        id: 'prepare',
        src: 'prepare',
        input: ({ context }) => ({ given: context.given }),
        onDone: { target: 'living', actions: { type: 'noteAssembly', params: ({ event }) => event.output } },
        onError: { target: 'stopped', actions: 'noteError' },
      },
    },
    living: {
      invoke: {
        id: 'supervisor',
        src: 'supervisor',
        input: ({ context }) => context.assembly!.supervision(),
        onDone: 'releasing',
        onError: { target: 'releasing', actions: 'noteError' },
      },
      initial: 'running',
      states: {
        running: {
          invoke: {
            id: 'news',
            src: 'news',
            input: ({ context }) => ({ assembly: context.assembly! }),
            onError: { target: 'stopping', actions: 'noteError' },
          },
          on: {
            'node.failed': { target: 'stopping', actions: 'noteError' },
            'node.stop': 'stopping',
            'node.ready': { actions: 'tell' },
            'peer.up': { actions: 'tell' },
            'peer.down': { actions: 'tell' },
            'reactor.isolated': { actions: 'tell' },
            'peer.dial': { actions: { type: 'order', params: ({ event }) => ({ event }) } },
            'peer.disconnect': { actions: { type: 'order', params: ({ event }) => ({ event }) } },
            'peer.ban': { actions: { type: 'order', params: ({ event }) => ({ event }) } },
          },
        },
        stopping: {
          entry: sendTo('supervisor', { type: 'supervisor.stop' }),
          after: { totalMs: '#node.releasing' },
        },
      },
    },
    releasing: {
      invoke: {
        id: 'release',
        src: 'release',
        input: ({ context }) => ({ assembly: context.assembly }),
        onDone: 'stopped',
        onError: { target: 'stopped', actions: 'noteError' },
      },
    },
    stopped: { type: 'final' },
  },
});
