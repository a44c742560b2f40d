/** The life of one connection: shaking hands, perhaps held beside an older one, routed, closing. What it decides is order; what it asks for an actor supplies. */
import { assign, fromPromise, setup } from 'xstate';
import { TroupeError, disconnectReason, type DisconnectReason } from '../proto/errors.ts';

/** What became of a handshake, in the words of the peer manager. */
export type Outcome =
  | Readonly<{ verdict: 'route'; replaces?: string }>
  | Readonly<{ verdict: 'hold' }>
  | Readonly<{ verdict: 'refuse'; reason: DisconnectReason; error?: Error }>;

/** What the actor knows its connection by; the chart hands it on and does not look at it. */
export type Subject = Readonly<{ subject: unknown }>;

export type LinkContext = Readonly<{
  subject: unknown;
  /** Why it closes; the first reason stays. */
  reason: DisconnectReason | undefined;
  error: Error | undefined;
  replaces: string | undefined;
  /** Whether what is queued is still written before the close. */
  flush: boolean;
}>;

export type LinkEvent = Readonly<{ type: 'link.close'; reason: DisconnectReason; error?: Error; flush?: boolean }>;
/** What is closed, and why. */
export type LinkClose = Subject & Readonly<{ reason: DisconnectReason; error: Error | undefined; flush: boolean }>;
export type LinkOutput = Readonly<{ reason: DisconnectReason; error: Error | undefined }>;

function notProvided(name: string): never {
  throw new TroupeError('ERR_NOT_PROVIDED', name);
}

const fail = (event: unknown): { reason: DisconnectReason; error: Error } => {
  const { error } = event as { error: unknown };
  return { reason: disconnectReason(error), error: error instanceof Error ? error : new TroupeError('ERR_INTERNAL', String(error)) };
};

const subjectOf = ({ context: { subject } }: Readonly<{ context: LinkContext }>): Subject => ({ subject });

/** One connection's chart. The promises and the first three actions are provided by `actors/link.ts`, once for all links of a router. */
export const linkMachine = setup({
  types: { context: {} as LinkContext, events: {} as LinkEvent, input: {} as Subject, output: {} as LinkOutput },
  actors: {
    handshake: fromPromise<Outcome, Subject>(() => notProvided('handshake')),
    settle: fromPromise<Outcome, Subject>(() => notProvided('settle')),
    replace: fromPromise<void, { replaces: string }>(() => notProvided('replace')),
    send: fromPromise<void, Subject>(() => notProvided('send')),
    receive: fromPromise<void, Subject>(() => notProvided('receive')),
    close: fromPromise<void, LinkClose>(() => notProvided('close')),
  },
  actions: {
    /** Makes the link's `close` reach this actor. */
    bind: () => notProvided('bind'),
    /** Registers the peer's queue, then tells the manager that the peer is ready. */
    route: () => notProvided('route'),
    /** Takes the peer's queue out of routing; nothing is sent to it from here on. */
    unroute: () => notProvided('unroute'),
    note: assign(({ context, event }) => (context.reason ? {} : { reason: event.reason, error: event.error, flush: event.flush ?? false })),
    noteFault: assign(({ context, event }) => (context.reason ? {} : fail(event))),
    noteRefusal: assign((_, outcome: Outcome) => refusal(outcome)),
    noteOlder: assign((_, outcome: Outcome) => ({ replaces: older(outcome) })),
  },
  guards: {
    isRefused: (_, outcome: Outcome) => outcome.verdict === 'refuse',
    isHeld: (_, outcome: Outcome) => outcome.verdict === 'hold',
    isNotRouted: (_, outcome: Outcome) => outcome.verdict !== 'route',
    hasNoOlder: ({ context }) => context.replaces === undefined,
  },
}).createMachine({
  id: 'link',
  options: { maxIterations: 1_000 },
  context: ({ input: { subject } }) => ({ subject, reason: undefined, error: undefined, replaces: undefined, flush: false }),
  output: ({ context }) => ({ reason: context.reason ?? 'internal', error: context.error }),
  initial: 'handshaking',
  entry: 'bind',
  on: { 'link.close': { target: '.closing', actions: 'note' } },
  states: {
    handshaking: {
      invoke: {
        id: 'handshake',
        src: 'handshake',
        input: subjectOf,
        onDone: [
          {
            guard: { type: 'isRefused', params: ({ event }) => event.output },
            target: 'closing',
            actions: { type: 'noteRefusal', params: ({ event }) => event.output },
          },
          { guard: { type: 'isHeld', params: ({ event }) => event.output }, target: 'held' },
          { target: 'replacing', actions: { type: 'noteOlder', params: ({ event }) => event.output } },
        ],
        onError: { target: 'closing', actions: 'noteFault' },
      },
    },
    held: {
      invoke: {
        id: 'settle',
        src: 'settle',
        input: subjectOf,
        onDone: [
          {
            guard: { type: 'isNotRouted', params: ({ event }) => event.output },
            target: 'closing',
            actions: { type: 'noteRefusal', params: ({ event }) => event.output },
          },
          { target: 'replacing', actions: { type: 'noteOlder', params: ({ event }) => event.output } },
        ],
        onError: { target: 'closing', actions: 'noteFault' },
      },
    },
    replacing: {
      always: { guard: 'hasNoOlder', target: 'routed' },
      invoke: {
        id: 'replace',
        src: 'replace',
        input: ({ context }) => ({ replaces: context.replaces ?? '' }),
        onDone: 'routed',
        onError: { target: 'closing', actions: 'noteFault' },
      },
    },
    routed: {
      entry: 'route',
      exit: 'unroute',
      invoke: [
        { id: 'send', src: 'send', input: subjectOf, onDone: 'closing', onError: { target: 'closing', actions: 'noteFault' } },
        { id: 'receive', src: 'receive', input: subjectOf, onDone: 'closing', onError: { target: 'closing', actions: 'noteFault' } },
      ],
    },
    closing: {
      on: { 'link.close': {} },
      invoke: {
        id: 'close',
        src: 'close',
        input: ({ context: { subject, reason = 'internal', error, flush } }) => ({ subject, reason, error, flush }),
        onDone: 'ended',
        onError: 'ended',
      },
    },
    ended: { type: 'final' },
  },
});

function refusal(outcome: Outcome): Partial<LinkContext> {
  return outcome.verdict === 'refuse' ? { reason: outcome.reason, error: outcome.error } : { reason: 'internal' };
}

function older(outcome: Outcome): string | undefined {
  return outcome.verdict === 'route' ? outcome.replaces : undefined;
}
