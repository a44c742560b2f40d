/** The supervised children of a node, in the order in which they start; they stop in reverse. */
import type { AnyActorLogic } from 'xstate';
import type { Logger } from 'pino';
import { TroupeError } from '../proto/errors.ts';
import type { NodeOptions } from '../proto/options.ts';
import { intensityAbove, mostRestarts, nestedRestarts } from '../machines/policy/restart.ts';
import { guarded, stopSupervisor, supervisorMachine, type ChildSpec, type SupervisorInput } from '../machines/supervisor.ts';
import type { Transport } from '../transports/transport.ts';
import type { Environment } from './environment.ts';
import type { Counters } from './metrics.ts';
import type { RunnablePeerManager } from './peer-manager.ts';
import { storeLogic, type PeerStore } from './peer-store.ts';
import { inboxProbe } from './pulse.ts';
import type { Reactor } from './reactor.ts';
import { reactorSupervision } from './reactors.ts';
import type { Router } from './router.ts';

export type NodeChildren = Readonly<{
  options: NodeOptions;
  environment: Environment;
  counters: Counters;
  log: Logger;
  store: PeerStore;
  manager: RunnablePeerManager;
  router: Router;
  transports: readonly Transport[];
  reactors: readonly Reactor[];
  /** Without one nothing is monitored. */
  monitor: AnyActorLogic | undefined;
  /** Told of each fault of a child of the node. */
  onFault(key: string, error: unknown): void;
  /** Told of a reactor, or the monitor, that was given up while the node lives on. */
  onIsolated(key: string, error: unknown): void;
}>;

/** Longest wait for all reactors to end. */
const reactorsDrainMs = 1_000;

/** Supervisors multiply each other's restarts. @throws TroupeError `ERR_OPTION_INVALID` when that could become a storm. */
export function checkIntensity({ supervision }: NodeOptions): void {
  if (nestedRestarts(supervision) <= mostRestarts) return;
  throw new TroupeError(
    'ERR_OPTION_INVALID',
    `supervision: one actor could be restarted more than ${mostRestarts} times in 30 s; lower maxRestarts, or raise minBackoffMs or withinMs`,
  );
}

/** The input of the node's supervisor: rest_for_one, so that whoever depends on a child is restarted with it. */
export function nodeSupervision(node: NodeChildren): SupervisorInput {
  const { options, environment, counters, store, manager, router, monitor } = node;
  const hung = (): ChildSpec['hung'] & object => inboxProbe(options.supervision.maxMissed);
  const children: readonly ChildSpec[] = [
    { key: 'store', logic: storeLogic({ store }), restart: 'permanent', drain: () => store.close() },
    { key: 'peerManager', logic: manager.logic, restart: 'permanent', hung: hung(), drain: () => store.flush() },
    { ...router.spec(), hung: hung() },
    {
      key: 'reactors',
      logic: guarded(supervisorMachine),
      input: reactorsInput(node),
      restart: 'permanent',
      hung: hung(),
      drain: (_, child) => stopSupervisor(child),
      drainMs: reactorsDrainMs,
    },
    // A node that cannot be looked at still serves its peers.
    ...(monitor ? [{ key: 'monitor', logic: monitor, restart: 'permanent', beyond: 'isolate' } as const] : []),
  ];
  return {
    name: 'node',
    strategy: 'rest_for_one',
    intensity: intensityAbove(options.supervision),
    now: () => environment.clock.now(),
    random: environment.random,
    children,
    onFault: (key, error) => node.onFault(key, error),
    onRestart: (key) => counters.restart(key),
    onIsolated: (key, error) => node.onIsolated(key, error),
  };
}

function reactorsInput(node: NodeChildren): () => SupervisorInput {
  const { options, environment, counters, log, manager, router, transports } = node;
  const { clock, random } = environment;
  return reactorSupervision(node.reactors, {
    openChannel: (channel) => router.openChannel(channel),
    services: (reactor) => ({
      peers: manager.peers,
      manager,
      link: (id) => router.link(id),
      protocols: transports.flatMap(({ protocols }) => protocols),
      options,
      clock,
      random,
      log: log.child({ reactor: reactor.name }),
      onCaught: () => counters.catch(reactor.name),
    }),
    supervision: {
      intensity: options.supervision,
      depth: 2,
      now: () => clock.now(),
      random,
      onFault: (key, error) => log.error({ reactor: key, error: (error as Error).message }, 'reactor failed'),
      onRestart: (key) => counters.restart(key),
      onIsolated: (key, error) => node.onIsolated(key, error),
    },
  });
}
