/** Reactors under supervision: each with its own intensity and its own channels, opened when it starts and closed when it ends. */
import type { Reactor, ReactorServices } from './reactor.ts';
import type { Channel, ChannelOptions } from './channel.ts';
import type { ChildSpec, SupervisorInput } from '../machines/supervisor.ts';

export type ReactorsDeps = Readonly<{
  openChannel<M>(options: ChannelOptions<M>): Channel<M>;
  /** What each reactor is given besides its channels and its signal. */
  services(reactor: Reactor): ReactorServices;
  supervision: Pick<SupervisorInput, 'intensity' | 'now' | 'random' | 'onFault' | 'onRestart' | 'onIsolated'>;
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
        logic: reactor.logic,
        input: () => {
          running.get(reactor.name)?.end();
          const run = begin(reactor, deps);
          running.set(reactor.name, run);
          return run.input;
        },
        restart: 'permanent',
        drain: () => {
          running.get(reactor.name)?.stop.abort(new Error(`reactor ${reactor.name} is stopped`));
          return Promise.resolve();
        },
      };
    }),
    onEnded: (key) => running.get(key)?.end(),
  });
}

type Run = Readonly<{ input: object; stop: AbortController; end(): void }>;

/** Opens the channels of one incarnation of a reactor; messages that wait in them end with it. */
function begin(reactor: Reactor, deps: ReactorsDeps): Run {
  const stop = new AbortController();
  const channels: Record<string, Channel<unknown>> = {};
  for (const [name, options] of Object.entries(reactor.channels))
    channels[name] = deps.openChannel<unknown>({ name: `${reactor.name}.${name}`, ...options });
  return {
    input: { ...deps.services(reactor), channels, signal: stop.signal },
    stop,
    end: () => {
      stop.abort(new Error(`reactor ${reactor.name} has ended`));
      for (const channel of Object.values(channels)) void channel.close();
    },
  };
}
