/** Reactors under supervision: each with its own intensity and its own channels, opened when it starts and closed when it ends. */
import type { AnyActorLogic } from 'xstate';
import { guarded, type ChildSpec, type SupervisorInput } from '../machines/supervisor.ts';
import type { Channel, ChannelActivity, ChannelOptions } from './channel.ts';
import { Pulse } from './pulse.ts';
import type { Reactor, ReactorServices } from './reactor.ts';

/** A channel that can be watched. */
type OpenChannel<M> = Channel<M> & Readonly<{ activity: ChannelActivity }>;

export type ReactorsDeps = Readonly<{
  openChannel<M>(options: ChannelOptions<M>): OpenChannel<M>;
  /** What each reactor is given besides its channels, its signal and its signs of life. */
  services(reactor: Reactor): Omit<ReactorServices, 'pulse'>;
  supervision: Pick<SupervisorInput, 'intensity' | 'depth' | 'now' | 'random' | 'onFault' | 'onRestart' | 'onIsolated'>;
}>;

/** The input of the reactors' supervisor, made anew at each of its starts: one_for_one, and a crash loop isolates the one reactor. */
export function reactorSupervision(reactors: readonly Reactor[], deps: ReactorsDeps): () => SupervisorInput {
  // Outlives the supervisor: when that is stopped from above, what its children held is given back at their next start.
  const running = new Map<string, Run>();
  return () => ({
    ...deps.supervision,
    name: 'reactors',
    strategy: 'one_for_one',
    beyond: 'isolate',
    children: reactors.map((reactor): ChildSpec => {
      return {
        key: reactor.name,
        logic: contained(reactor.logic, () => running.get(reactor.name)?.end()),
        ...(reactor.essential && { beyond: 'escalate' }),
        input: () => {
          running.get(reactor.name)?.end();
          const run = begin(reactor, deps);
          running.set(reactor.name, run);
          return run.input;
        },
        restart: 'permanent',
        hung: () => running.get(reactor.name)?.pulse.hung(),
        // What it still sends in the turn after is flushed with the rest.
        drain: () => {
          running.get(reactor.name)?.stop.abort(new Error(`reactor ${reactor.name} is stopped`));
          return new Promise((resolve) => setImmediate(resolve));
        },
      };
    }),
    isProvoked: (key, error) => running.get(key)?.isProvoked(error) === true,
    onEnded: (key) => running.get(key)?.end(),
  });
}

/** Logic of the host's own: what it held ends when it is stopped, at whatever level, and its children end when it throws. */
function contained(logic: AnyActorLogic, onStopped: () => void): AnyActorLogic {
  const wrapped = Object.create(logic) as AnyActorLogic;
  wrapped.transition = (snapshot: unknown, event: Readonly<{ type: string }>, scope: unknown): unknown => {
    if (event.type === 'xstate.stop') onStopped();
    return logic.transition(snapshot, event, scope as never);
  };
  return guarded(wrapped);
}

type Run = Readonly<{ input: object; pulse: Pulse; stop: AbortController; isProvoked(error: unknown): boolean; end(): void }>;

/** Opens the channels of one incarnation of a reactor; messages that wait in them end with it. */
function begin(reactor: Reactor, deps: ReactorsDeps): Run {
  const stop = new AbortController();
  const channels: Record<string, OpenChannel<unknown>> = {};
  const all = (): readonly ChannelActivity[] => Object.values(channels).map(({ activity }) => activity);
  const pulse = new Pulse(deps.supervision.intensity.maxMissed, () => all().some(({ sending }) => sending > 0));
  for (const [name, options] of Object.entries(reactor.channels)) {
    const channel = deps.openChannel<unknown>({ name: `${reactor.name}.${name}`, ...options });
    channels[name] = channel;
    pulse.watch({ what: `reading ${name}`, provoked: true, progress: () => unread(channel.activity) });
  }
  return {
    input: { ...deps.services(reactor), channels, signal: stop.signal, pulse, alive: () => pulse.beat() },
    pulse,
    stop,
    // Logic that keeps no such account may fail over anything it has read.
    isProvoked: (error) => pulse.isProvoked(error) || (!pulse.accountable && all().some(({ taken }) => taken > 0)),
    end: () => {
      stop.abort(new Error(`reactor ${reactor.name} has ended`));
      for (const channel of Object.values(channels)) void channel.close();
    },
  };
}

/** A reader who leaves messages where they are stands still; a channel that nobody reads is only full. */
function unread({ reading, waiting, taken }: ChannelActivity): number | undefined {
  return reading && waiting > 0 ? taken : undefined;
}
