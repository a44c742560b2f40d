/** A node: the object for those who want one, and the logic for those who spawn it in a system of their own. */
import { createActor, fromCallback, fromPromise, type AnyActorLogic, type AnyActorRef, type InspectionEvent, type Observer } from 'xstate';
import type { Logger } from 'pino';
import { TroupeError, asTroupeError } from '../proto/errors.ts';
import type { NodeId } from '../proto/identity.ts';
import { nodeMachine, type Assembly, type NodeEvent, type NodeOutput } from '../machines/node.ts';
import { guarded } from '../machines/supervisor.ts';
import { Parts, assemble, type CreateNodeOptions } from './assembly.ts';
import type { Channel, ChannelOptions } from './channel.ts';
import type { Peers } from './peer-manager.ts';
import type { NodeStatus } from './status.ts';

/** A node as its host holds it. */
export interface Node extends AsyncDisposable {
  readonly nodeId: NodeId;
  /** Where it listens, as addresses that peers can dial; empty before `start`. */
  readonly addresses: readonly string[];
  readonly monitorUrl: string | undefined;
  /** What changes through the monitor must show. */
  readonly monitorToken: string;
  readonly peers: Peers;
  /** Resolves when the node has ended: with undefined after `stop`, else with what made it give up. */
  readonly ended: Promise<Error | undefined>;
  /** Starts every part; resolves when all of them run. @throws TroupeError `ERR_LISTEN_UNAVAILABLE`, `ERR_MONITOR_UNAVAILABLE`, `ERR_NODE_STATE`, and what its parts throw. */
  start(): Promise<void>;
  /** Stops reactors, flushes channels, closes links, then the store; at most `stop.totalMs`. Idempotent. */
  stop(): Promise<void>;
  /** Opens a channel; peers learn of it at their next handshake. @throws TroupeError `ERR_CHANNEL_OPEN`, `ERR_CHANNEL_ID_INVALID`. */
  openChannel<M>(options: ChannelOptions<M>): Channel<M>;
  status(): NodeStatus;
}

/**
 * The node as XState logic: input are the options of `createNode`; it takes `node.stop`, `peer.dial`, `peer.disconnect` and `peer.ban`,
 * emits `node.ready`, `peer.up`, `peer.down` and `reactor.isolated`, and ends with why it ended.
 */
export const nodeLogic = releasing(
  nodeMachine.provide({
    actors: {
      prepare: fromPromise<Assembly, { given: unknown }>(({ input, signal }) => prepare(input.given as CreateNodeOptions | Parts, signal)),
      news: fromCallback<NodeEvent, { assembly: Assembly }>(({ input, sendBack }) => {
        const stop = new AbortController();
        const parts = partsOf(input.assembly);
        report(parts, sendBack, stop.signal).catch((error: unknown) => {
          if (!stop.signal.aborted) sendBack({ type: 'node.failed', error: asTroupeError(error) });
        });
        return () => {
          parts.setReady(false);
          stop.abort(new TroupeError('ERR_NODE_STATE', 'the node is stopping'));
        };
      }),
      release: fromPromise<void, { assembly: Assembly | undefined }>(
        async ({ input }) => input.assembly && partsOf(input.assembly).release(),
      ),
    },
    actions: {
      order: ({ context }, { event }) => context.assembly && carryOut(partsOf(context.assembly), event),
    },
  }),
);

/** Gives back what was opened also when the host stops the node from above, without asking it to stop, or when its chart fails. */
function releasing<T extends AnyActorLogic>(logic: T): T {
  const reaping = guarded(logic);
  const wrapped = Object.create(logic) as T;
  wrapped.transition = (snapshot: { context: { assembly?: Assembly } }, event: Readonly<{ type: string }>, scope: unknown): unknown => {
    const release = (): void => {
      const parts = snapshot.context.assembly && partsOf(snapshot.context.assembly);
      parts?.release().catch((error: unknown) => parts.log.error({ err: error }, 'not everything could be given back'));
    };
    try {
      const next: unknown = reaping.transition(snapshot, event, scope as never);
      if (event.type === 'xstate.stop') release();
      return next;
    } catch (error) {
      release();
      throw error;
    }
  };
  return wrapped;
}

/** The chart knows its assembly only as something opaque; it is always ours. */
function partsOf(assembly: Assembly): Parts {
  if (assembly instanceof Parts) return assembly;
  throw new TroupeError('ERR_INTERNAL', 'not an assembly of this node');
}

async function prepare(given: CreateNodeOptions | Parts, signal: AbortSignal): Promise<Parts> {
  const parts = given instanceof Parts ? given : await assemble(given);
  try {
    await parts.listen(signal);
    signal.throwIfAborted();
    return parts;
  } catch (error) {
    await parts.release();
    throw error;
  }
}

/** Tells the host when everything runs, then each peer that goes up or down. */
async function report(parts: Parts, tell: (event: NodeEvent) => void, signal: AbortSignal): Promise<void> {
  parts.onIsolated = (reactor, error) => tell({ type: 'reactor.isolated', reactor, error: error.message });
  await parts.listening;
  if (signal.aborted) return;
  parts.setReady(true);
  const { monitorUrl } = parts;
  tell({ type: 'node.ready', nodeId: parts.key.id, addresses: parts.addresses(), ...(monitorUrl !== undefined && { monitorUrl }) });
  for await (const update of parts.manager.peers.updates(signal)) {
    if ('snapshotEnd' in update) continue;
    const { id, status, channels, reason } = update;
    if (status === 'up') tell({ type: 'peer.up', id, channels });
    else tell({ type: 'peer.down', id, ...(reason && { reason }) });
  }
}

function carryOut({ manager, log }: Parts, event: NodeEvent): void {
  const { peers } = manager;
  const done =
    event.type === 'peer.dial'
      ? peers.dial(event.id)
      : event.type === 'peer.disconnect'
        ? peers.disconnect(event.id, event.reason)
        : event.type === 'peer.ban'
          ? peers.ban(event.id, { forMs: event.forMs, reason: event.reason })
          : Promise.resolve();
  done.catch((error: unknown) => log.warn({ order: event.type, error: asTroupeError(error).message }, 'an order of the host failed'));
}

/** Makes a node; nothing runs before `start`. @throws TroupeError `ERR_OPTION_INVALID`, `ERR_NODE_KEY_INVALID`, `ERR_NODE_KEY_UNREADABLE`, `ERR_ADDRESS_INVALID`, `ERR_HOME_IN_USE`. */
export async function createNode(options: CreateNodeOptions): Promise<Node> {
  return new HostedNode(await assemble(options), options.inspect as Inspector | undefined);
}

type Inspector = Observer<InspectionEvent> | ((event: InspectionEvent) => void);

/** A viewer that throws would stop the actor that it looks at from taking events, for ever. */
function harmless(inspect: Inspector, log: Logger): (event: InspectionEvent) => void {
  const tell = typeof inspect === 'function' ? inspect : (event: InspectionEvent): void => inspect.next?.(event);
  return (event) => {
    try {
      tell(event);
    } catch (error) {
      log.error({ err: error }, 'the inspector failed');
    }
  };
}

class HostedNode implements Node {
  readonly ended: Promise<Error | undefined>;
  readonly #parts: Parts;
  readonly #actor;
  #state: 'made' | 'started' | 'stopped' = 'made';
  #end: (error: Error | undefined) => void = () => undefined;

  constructor(parts: Parts, inspect: Inspector | undefined) {
    this.#parts = parts;
    this.ended = new Promise((resolve) => (this.#end = resolve));
    this.#actor = createActor(nodeLogic, {
      input: parts,
      clock: parts.environment.clock,
      ...(inspect && { inspect: harmless(inspect, parts.log) }),
    });
    this.#actor.subscribe({
      complete: () => this.#over((this.#actor.getSnapshot().output as NodeOutput | undefined)?.error),
      error: (error) => this.#over(asTroupeError(error)),
    });
    parts.actors = () => countActors(this.#actor);
  }

  get nodeId(): NodeId {
    return this.#parts.key.id;
  }

  get addresses(): readonly string[] {
    return this.#parts.addresses();
  }

  get monitorUrl(): string | undefined {
    return this.#parts.monitorUrl;
  }

  get monitorToken(): string {
    return this.#parts.token;
  }

  get peers(): Peers {
    return this.#parts.manager.peers;
  }

  async start(): Promise<void> {
    if (this.#state !== 'made') throw new TroupeError('ERR_NODE_STATE', 'a node starts once');
    this.#state = 'started';
    const ready = new Promise<undefined>((resolve) => this.#actor.on('node.ready', () => resolve(undefined)));
    this.#actor.start();
    const failed = await Promise.race([
      ready,
      this.ended.then((error) => error ?? new TroupeError('ERR_NODE_STATE', 'stopped while starting')),
    ]);
    if (failed) throw failed;
  }

  async stop(): Promise<void> {
    if (this.#state === 'made') {
      this.#state = 'stopped';
      await this.#parts.release();
      this.#end(undefined);
      return;
    }
    this.#state = 'stopped';
    if (this.#actor.getSnapshot().status === 'active') this.#actor.send({ type: 'node.stop' });
    await this.ended;
  }

  openChannel<M>(options: ChannelOptions<M>): Channel<M> {
    if (this.#state === 'stopped') throw new TroupeError('ERR_NODE_STATE', 'the node is stopped');
    return this.#parts.router.openChannel(options);
  }

  status(): NodeStatus {
    return this.#parts.status();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #over(error: Error | undefined): void {
    this.#state = 'stopped';
    if (error) this.#parts.log.fatal({ error: error.message, cause: (error.cause as Error | undefined)?.message }, 'the node gave up');
    this.#end(error);
  }
}

function countActors(actor: AnyActorRef): number {
  const { children = {} } = actor.getSnapshot() as { children?: Record<string, AnyActorRef | undefined> };
  return Object.values(children).reduce((sum, child) => sum + (child ? countActors(child) : 0), 1);
}
