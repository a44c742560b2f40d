/** Ways to make each kind of actor fail in a running node, through what XState and the contracts of the node offer to everybody. */
import type { AnyActorRef, InspectionEvent } from 'xstate';
import type { SupervisorContext } from '../../machines/supervisor.ts';
import type { Connection, Transport } from '../../transports/transport.ts';

/** The kind of an actor, from its id: `link:3` and `link:0#2` are links, the root is the node; the host's reactors are all one kind. */
export function kindOf(id: string, reactors: readonly string[]): string {
  // A live peer is named by its slot alone.
  const name = id
    .replace(/^\d+$/, 'peer')
    .replace(/#\d+$/, '')
    .replace(/^(x|acceptor|link|channel):.*$/, '$1');
  return name === 'x' ? 'node' : reactors.includes(name) ? 'reactor' : name;
}

/** Every actor that a system has had, in the order of their starts. */
export class Cast {
  readonly #actors: AnyActorRef[] = [];

  readonly inspect = (event: InspectionEvent): void => {
    if (event.type === '@xstate.actor') this.#actors.push(event.actorRef as AnyActorRef);
  };

  get ids(): readonly string[] {
    return this.#actors.map(({ id }) => id);
  }

  /** Those that live now. */
  get living(): readonly AnyActorRef[] {
    return this.#actors.filter((actor) => (actor.getSnapshot() as { status: string }).status === 'active' && this.#isReachable(actor));
  }

  /** The latest living one of a name. */
  find(name: RegExp): AnyActorRef {
    const found = this.living.filter(({ id }) => name.test(id)).at(-1);
    if (!found) throw new Error(`no living actor is named ${name}`);
    return found;
  }

  /** The supervisor that has a child of this name. */
  supervisorOf(key: RegExp): AnyActorRef {
    const found = this.living.find((actor) => livingOf(actor).some((child) => key.test(child.key)));
    if (!found) throw new Error(`nobody supervises ${key}`);
    return found;
  }

  #isReachable(actor: AnyActorRef): boolean {
    const [root] = this.#actors;
    const childrenOf = (each: AnyActorRef): AnyActorRef[] =>
      Object.values((each.getSnapshot() as { children?: Record<string, AnyActorRef> }).children ?? {});
    const within = (each: AnyActorRef): boolean => each === actor || childrenOf(each).some(within);
    return root !== undefined && within(root);
  }
}

function livingOf(actor: AnyActorRef): SupervisorContext['living'] {
  return (contextOf(actor) as Partial<SupervisorContext> | undefined)?.living ?? [];
}

function contextOf(actor: AnyActorRef): SupervisorContext | undefined {
  return (actor.getSnapshot() as { context?: SupervisorContext }).context;
}

/** What a supervisor says about a child of its. */
export function ruleFor(cast: Cast, key: RegExp) {
  const { input, living } = contextOf(cast.supervisorOf(key))!;
  const { spec } = living.find((child) => key.test(child.key))!;
  return {
    restart: spec.restart,
    beyond: spec.beyond ?? input.beyond ?? 'escalate',
    vital: spec.vital ?? false,
    intensity: input.intensity,
  };
}

/** The supervisor is told that a child hangs or is beyond use, as its watchdog would. */
export function condemn(cast: Cast, key: RegExp): void {
  const supervisor = cast.supervisorOf(key);
  const child = contextOf(supervisor)!.living.find((each) => key.test(each.key))!;
  supervisor.send({ type: 'supervisor.condemn', key: child.key, error: new Error('crashed by a test') });
}

/** A machine throws in its transition. */
export function poison(actor: AnyActorRef): void {
  const event = Object.defineProperty({ type: '' }, 'type', {
    get: () => {
      throw new Error('crashed by a test');
    },
  });
  actor.send(event);
}

/** A transport on which the connection that is accepted first breaks when told to, in what it sends or in what it receives. */
export function breakable(transport: Transport) {
  const crash = (): Error => new Error('crashed by a test');
  let isSendBroken = false;
  let accepted = 0;
  let breakReceive = (): void => undefined;
  const broken = new Promise<never>((_, reject) => (breakReceive = () => reject(crash())));
  broken.catch(() => undefined);
  const wrapped = (connection: Connection): Connection =>
    replacing(connection, {
      sendMessage: (message, signal) => {
        if (isSendBroken) throw crash();
        return connection.sendMessage(message, signal);
      },
      receiveMessage: (signal) => Promise.race([connection.receiveMessage(signal), broken]),
    });
  return {
    transport: replacing(transport, {
      accept: async (signal) => {
        const connection = await transport.accept(signal);
        return connection && accepted++ === 0 ? wrapped(connection) : connection;
      },
    }),
    /** The next message that is sent on it fails. */
    breakSend: () => (isSendBroken = true),
    /** Whatever it waits for fails. */
    breakReceive: () => breakReceive(),
  };
}

/** The same object but for some of its methods. */
function replacing<T extends object>(original: T, methods: Partial<T>): T {
  return new Proxy(original, {
    get(target, name) {
      const value: unknown = Reflect.get(name in methods ? methods : target, name);
      return typeof value === 'function' ? (value as () => unknown).bind(target) : value;
    },
  });
}
