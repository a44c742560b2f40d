/** Asking one peer for addresses: at most one request under way, with a deadline and a pause. Time comes with each event; nothing here waits. */
import { assign, setup, type SnapshotFrom } from 'xstate';
import { TroupeError } from '../proto/errors.ts';
import { pure } from './pure.ts';

/** Late answers that are still welcome, at most: more requests than these do not pile up before a peer that takes nothing is dropped. */
const mostLate = 8;

/** Times in monotonic milliseconds. */
export type PexContext = Readonly<{
  /** When the last request was made; undefined before the first. */
  askedAt: number | undefined;
  /** Requests that became overdue and may still be answered. */
  late: number;
  askIntervalMs: number;
  answerDeadlineMs: number;
}>;

export type PexInput = Readonly<{ askIntervalMs: number; answerDeadlineMs: number }>;

export type PexEvent =
  /** The peer may be asked now, if it is due. */
  | Readonly<{ type: 'pex.ask'; now: number }>
  /** Time has passed. */
  | Readonly<{ type: 'pex.due'; now: number }>
  /** Addresses came from the peer. */
  | Readonly<{ type: 'pex.answered' }>
  /** The request did not leave, or the peer went down with it. */
  | Readonly<{ type: 'pex.lost' }>;

/** What the machine asks its actor to do. */
export type PexEffect = 'sendRequest' | 'takeAddresses' | 'blameSilence' | 'blameUnasked';

function notProvided(name: string): never {
  throw new TroupeError('ERR_NOT_PROVIDED', name);
}

/** When this peer can next be asked or, while it is asked, when its answer is overdue. */
export function dueAt({ askedAt, askIntervalMs, answerDeadlineMs }: PexContext, asked: boolean): number {
  if (askedAt === undefined) return 0;
  return askedAt + (asked ? answerDeadlineMs : askIntervalMs);
}

/**
 * An overdue peer is available again, but its late answer is still welcome: it is slow, and has paid for that. Asked once more it may answer both requests,
 * so after one answer the other is welcome too.
 */
export const pexMachine = setup({
  types: { context: {} as PexContext, events: {} as PexEvent, input: {} as PexInput },
  actions: {
    sendRequest: () => notProvided('sendRequest'),
    takeAddresses: () => notProvided('takeAddresses'),
    blameSilence: () => notProvided('blameSilence'),
    blameUnasked: () => notProvided('blameUnasked'),
    noteLate: assign(({ context }) => ({ late: Math.min(mostLate, context.late + 1) })),
    noteLateAnswer: assign(({ context }) => ({ late: context.late - 1 })),
    forgetLate: assign({ late: 0 }),
    noteAsked: assign(({ event }) => (event.type === 'pex.ask' ? { askedAt: event.now } : {})),
  },
  guards: {
    isDue: ({ context, event }) => event.type === 'pex.ask' && event.now >= dueAt(context, false),
    isAnswerLate: ({ context }) => context.late > 0,
    isMoreLate: ({ context }) => context.late > 1,
    isOverdue: ({ context, event }) => event.type === 'pex.due' && event.now >= dueAt(context, true),
  },
}).createMachine({
  id: 'pex',
  options: { maxIterations: 1_000 },
  context: ({ input }) => ({ ...input, askedAt: undefined, late: 0 }),
  initial: 'available',
  states: {
    available: {
      on: {
        'pex.ask': { guard: 'isDue', target: 'asked', actions: ['noteAsked', 'sendRequest'] },
        'pex.answered': { actions: 'blameUnasked' },
      },
    },
    asked: {
      on: {
        'pex.answered': [
          { guard: 'isAnswerLate', target: 'overdue', actions: 'takeAddresses' },
          { target: 'available', actions: 'takeAddresses' },
        ],
        'pex.due': { guard: 'isOverdue', target: 'overdue', actions: ['noteLate', 'blameSilence'] },
        'pex.lost': { target: 'available', actions: 'forgetLate' },
      },
    },
    overdue: {
      on: {
        'pex.ask': { guard: 'isDue', target: 'asked', actions: ['noteAsked', 'sendRequest'] },
        'pex.answered': [
          { guard: 'isMoreLate', actions: ['noteLateAnswer', 'takeAddresses'] },
          { target: 'available', actions: ['noteLateAnswer', 'takeAddresses'] },
        ],
        'pex.lost': { target: 'available', actions: 'forgetLate' },
      },
    },
  },
});

export type PexSnapshot = SnapshotFrom<typeof pexMachine>;

/** The chart as a function, for one actor that asks many peers. */
export const purePex = pure(pexMachine);
