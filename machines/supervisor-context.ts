/** What a supervisor is given, what it remembers, and what it decides about a child that ended. */
import type { AnyActorLogic, AnyActorRef } from 'xstate';
import type { SupervisionOptions } from '../proto/options.ts';
import { charge, restartDelay, restartSet, type History, type Strategy } from './policy/restart.ts';

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
  /** None of the others can go on without it: when it ends, its supervisor has failed. */
  vital?: boolean;
  /** What happens beyond the intensity, if it is not what the supervisor says for all. */
  beyond?: Beyond;
  /** Asked every `watchdogMs`: the fault of a child that hangs, which is then stopped and judged as if it had thrown it. */
  hung?: (child: AnyActorRef) => Error | undefined;
  /** A graceful end before the child is stopped; bounded by `drainMs`. */
  drain?: (signal: AbortSignal, child: AnyActorRef) => Promise<void>;
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
  /** 1 for a supervisor that no other stands above, 2 for one below it; 3 at most. */
  depth?: number;
  /** Monotonic milliseconds. */
  now: () => number;
  random: () => number;
  /** Whether a remote can bring this fault about at will: then the child is started again, later each time, and never given up for it. */
  isProvoked?: (key: string, error: unknown) => boolean;
  /** Told of each fault of a child, before anything is decided. */
  onFault?: (key: string, error: unknown) => void;
  /** Told when a child is gone for good or until its restart. */
  onEnded?: (key: string) => void;
  onRestart?: (key: string) => void;
  onIsolated?: (key: string, error: unknown) => void;
}>;

/** A child that runs; `id` tells its incarnation from earlier ones. */
export type Living = Readonly<{ key: string; id: string; spec: ChildSpec }>;

export type SupervisorContext = Readonly<{
  input: SupervisorInput;
  /** Declared children in their order, then the others in the order they started. */
  living: readonly Living[];
  pending: readonly string[];
  isolated: readonly string[];
  /** The child whose graceful end is awaited while stopping. */
  draining: Living | undefined;
  /** One account for all, but one each for children that would be isolated; others for provoked faults. */
  accounts: Readonly<Record<string, History>>;
  incarnations: Readonly<Record<string, number>>;
}>;

/** How a child ended: by itself, or by a fault. */
export type Ending = Readonly<{ child: Living; faulted: boolean; error?: unknown }>;

/** What to do about it. `restart` stops the living among `keys` first, and starts them all after the delay. */
export type Verdict =
  | Readonly<{ type: 'forget' | 'isolate' | 'giveUp' }>
  | Readonly<{ type: 'restart'; keys: readonly string[]; delayMs: number; accounts: SupervisorContext['accounts'] }>;

/** Incarnations are told apart in the child's id, bounded, because a late error names only the id. */
const incarnationsKept = 8;

export function contextOf(input: SupervisorInput): SupervisorContext {
  return { input, living: [], pending: [], isolated: [], draining: undefined, accounts: {}, incarnations: {} };
}

/** A context in which a child has started: declared ones in their places, so that all stop in reverse. */
export function withStarted(context: SupervisorContext, spec: ChildSpec): Readonly<{ context: SupervisorContext; child: Living }> {
  const { input, living, incarnations } = context;
  const incarnation = incarnations[spec.key] ?? 0;
  const child = { key: spec.key, id: incarnation === 0 ? spec.key : `${spec.key}#${incarnation % incarnationsKept}`, spec };
  const place = input.children.indexOf(spec);
  if (place < 0) return { child, context: { ...context, living: [...living, child] } };
  const before = living.filter(({ spec: other }) => input.children.slice(0, place).includes(other));
  return {
    child,
    context: {
      ...context,
      living: [...before, child, ...living.filter((each) => !before.includes(each))],
      incarnations: { ...incarnations, [spec.key]: incarnation + 1 },
    },
  };
}

/** Decides about a child that ended. */
export function verdictOn({ input, accounts }: SupervisorContext, { child, faulted, error }: Ending): Verdict {
  const { restart, vital, beyond = input.beyond } = child.spec;
  if (vital) return { type: 'giveUp' };
  if (restart === 'temporary' || (restart === 'transient' && !faulted)) return { type: 'forget' };
  const isolates = beyond === 'isolate';
  const isProvoked = faulted && input.isProvoked?.(child.key, error) === true;
  const account = `${isProvoked ? 'provoked' : 'own'}:${isolates ? child.key : ''}`;
  const { history, exceeded } = charge(input.intensity, accounts[account] ?? [], input.now());
  if (exceeded && !isProvoked) return { type: isolates ? 'isolate' : 'giveUp' };
  const declared = input.children.map(({ key }) => key);
  return {
    type: 'restart',
    keys: restartSet(input.strategy, declared, child.key),
    delayMs: restartDelay(input.intensity, history.length, input.random()),
    // Nothing is decided by more of them than this: the delay has long reached its longest.
    accounts: { ...accounts, [account]: history.slice(-longestHistory) },
  };
}

/** More than any intensity allows, so that the history of provoked faults is bounded too. */
const longestHistory = 1_024;
