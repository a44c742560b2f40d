/** The peer manager's actor: the chart of `machines/peer-manager.ts` with its effects, and the line on which its face calls it. */
import type { Logger } from 'pino';
import type { ActorRefFrom, AnyActorLogic, AnyActorRef } from 'xstate';
import { TroupeError, asTroupeError } from '../proto/errors.ts';
import { guarded } from '../machines/supervisor.ts';
import { peerManagerMachine, type ManagerSnapshot } from '../machines/peer-manager.ts';
import type {
  Answer,
  ManagerContext,
  ManagerEffects,
  ManagerInput,
  ManagerSetup,
  ManagerStimulus,
} from '../machines/peer-manager-context.ts';
import type { livePeer } from '../machines/peer-live.ts';
import { livePeerOf } from '../machines/peer-manager-peers.ts';
import { reportOf, type Report } from '../machines/peer-manager-reports.ts';
import type { Clock, Random, TimerHandle } from '../transports/clock.ts';
import type { NodeId } from '../proto/identity.ts';
import type { PeerStore } from './peer-store.ts';
import type { PeerUpdates } from './peer-updates.ts';

export type ManagerDeps = Readonly<{
  setup: ManagerSetup;
  store: PeerStore;
  updates: PeerUpdates;
  clock: Clock;
  random: Random;
  log: Logger;
}>;

/** A stimulus before the line has put the time and the dice to it. */
export type Call = ManagerStimulus extends infer S ? (S extends ManagerStimulus ? Omit<S, 'now' | 'roll' | 'request'> : never) : never;
type Asked = Readonly<{ answer(answer: Answer): void; fail(error: TroupeError): void }>;

/** An answer; `durable` hurries what was changed for it and resolves once that is on disk. */
export type Answered = Readonly<{ answer: Answer; durable(): Promise<void> }>;

/** Node timers fire at once above this. */
const longestTimerMs = 2_147_483_647;

/**
 * The line between the face and whatever actor runs just now. A call is one event, and its answer is there when `send` returns, or comes later.
 * One clock for everything: wall time as it was when the line was made, moved on by the monotonic clock, so that a wall clock set back or forth changes no order and no wait.
 */
export class ManagerLine {
  readonly #deps: ManagerDeps;
  readonly #anchorMs: number;
  readonly #asked = new Map<number, Asked>();
  #requests = 0;
  #actor: AnyActorRef | undefined;
  #timer: TimerHandle;
  /** Slots of live peers on which there were reports that the manager has not booked. */
  readonly #reported = new Set<number>();
  /** Peers whose rows the present stimulus has changed. */
  #changed = new Set<NodeId>();

  constructor(deps: ManagerDeps) {
    this.#deps = deps;
    this.#anchorMs = deps.clock.wallNow() - deps.clock.now();
  }

  /** Milliseconds since 1970, never going back. */
  now(): number {
    return Math.floor(this.#anchorMs + this.#deps.clock.now());
  }

  /** What the manager knows; undefined while none runs. */
  get context(): ManagerContext | undefined {
    this.#book();
    return this.#snapshot?.context;
  }

  get #snapshot(): ManagerSnapshot | undefined {
    const snapshot = this.#actor?.getSnapshot() as ManagerSnapshot | undefined;
    return snapshot?.status === 'active' ? snapshot : undefined;
  }

  /** Tells the manager something. Lost while none runs. */
  tell(call: Call): void {
    this.#send(call);
  }

  /** A report concerns nobody but its peer: a live one is told itself. What becomes of it the manager books before anything else, or at the end of this turn. */
  report(call: Omit<Report, 'now' | 'roll'>): void {
    const snapshot = this.#snapshot;
    const live = snapshot && livePeerOf(snapshot.context, call.id);
    const peer = live && snapshot.children[live.slot];
    if (!peer) return this.tell(call);
    const { row } = peer.getSnapshot().context;
    peer.send({ ...reportOf(snapshot.context.setup, row, { ...call, now: this.now() }), isDirect: true });
    if (this.#reported.size === 0) queueMicrotask(() => this.#book());
    this.#reported.add(live.slot);
  }

  /** Tells the manager what has become of the peers on which there were reports. */
  #book(): void {
    if (this.#reported.size === 0) return;
    const slots = [...this.#reported];
    this.#reported.clear();
    for (const slot of slots) {
      const children: Readonly<Record<number, ActorRefFrom<typeof livePeer> | undefined>> = this.#snapshot?.children ?? {};
      const peer = children[slot]?.getSnapshot();
      if (peer?.status === 'active') this.#actor?.send({ type: 'peer.changed', context: peer.context, isAnswer: false });
    }
  }

  /** Calls the manager; the answer comes with the return. @throws TroupeError `ERR_NODE_STATE`. */
  ask(call: Call): Answered {
    let answered: Answer | undefined;
    const request = this.#begin(call, { answer: (answer) => (answered = answer), fail: () => undefined });
    this.#asked.delete(request);
    if (!answered) throw new TroupeError('ERR_INTERNAL', `${call.type} was not answered`);
    return this.#answered(answered);
  }

  /** Calls the manager and waits for the answer. An abort rejects with the signal's reason and sends `withdrawal`. */
  wait(call: Call, options: Readonly<{ signal?: AbortSignal; withdrawal?: Call }> = {}): Promise<Answered> {
    const { signal, withdrawal } = options;
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error);
      const settle = (end: () => void): void => {
        signal?.removeEventListener('abort', onAbort);
        end();
      };
      const onAbort = (): void => {
        this.#asked.delete(request);
        if (withdrawal) this.#send({ ...withdrawal, request });
        reject(signal!.reason as Error);
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      let isSent = false;
      let early: Answer | undefined;
      const request = this.#begin(
        call,
        {
          answer: (answer) => (isSent ? settle(() => resolve(this.#answered(answer))) : (early = answer)),
          fail: (error) => settle(() => reject(error)),
        },
        reject,
      );
      isSent = true;
      const answer = early;
      if (answer) settle(() => resolve(this.#answered(answer)));
    });
  }

  #begin(call: Call, asked: Asked, refuse?: (error: TroupeError) => void): number {
    const request = ++this.#requests;
    if (!this.#actor) {
      const error = new TroupeError('ERR_NODE_STATE', 'the peer manager is not running');
      if (!refuse) throw error;
      asked.fail(error);
      return request;
    }
    this.#asked.set(request, asked);
    this.#send({ ...call, request });
    return request;
  }

  #send(call: Call & Readonly<{ request?: number }>): void {
    this.#book();
    this.#changed = new Set();
    this.#actor?.send({ ...call, now: this.now(), roll: this.#deps.random() });
  }

  /** The effects of the chart. */
  effect<K extends keyof ManagerEffects>(type: K, params: ManagerEffects[K]): void {
    const run: { [E in keyof ManagerEffects]: (params: ManagerEffects[E]) => void } = {
      reply: ({ request, answer }) => {
        const asked = this.#asked.get(request);
        this.#asked.delete(request);
        asked?.answer(answer);
      },
      persist: ({ row }) => this.#write(row.id, this.#deps.store.put(row)),
      erase: ({ id }) => this.#write(id, this.#deps.store.delete(id)),
      publish: (update) => this.#deps.updates.publish(update),
      armTimer: ({ at }) => this.#arm(at),
    };
    run[type](params);
  }

  #write(id: NodeId, written: Promise<void>): void {
    this.#changed.add(id);
    // Those who asked for the change hear of a failed write; for all others the store's own state tells.
    written.catch(() => undefined);
  }

  #answered(answer: Answer): Answered {
    // More may come into this set until the stimulus has been handled.
    const changed = this.#changed;
    return { answer, durable: async () => (changed.size > 0 ? this.#deps.store.flush([...changed]) : undefined) };
  }

  #arm(at: number): void {
    const { clock } = this.#deps;
    if (this.#timer !== undefined) clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    if (at === Infinity) return;
    const waitMs = Math.min(longestTimerMs, Math.max(0, at - this.now()));
    this.#timer = clock.setTimeout(() => {
      this.#timer = undefined;
      this.tell({ type: 'clock.due' });
    }, waitMs);
  }

  /** An actor has been made. One before it that was given up without hearing of it has ended too. */
  attach(actor: AnyActorRef): void {
    if (this.#actor) this.detach(this.#actor);
    this.#actor = actor;
  }

  /** The actor has ended: whoever waits is told, whoever was up is down. */
  detach(actor: AnyActorRef): void {
    if (this.#actor !== actor) return;
    this.#actor = undefined;
    this.#reported.clear();
    this.#arm(Infinity);
    const error = new TroupeError('ERR_NODE_STATE', 'the peer manager has stopped');
    const asked = [...this.#asked.values()];
    this.#asked.clear();
    for (const each of asked) each.fail(error);
    this.#deps.updates.reset('restart');
  }

  input(): ManagerInput {
    const { setup, store } = this.#deps;
    return { setup, rows: store.load(), now: this.now() };
  }

  get log(): Logger {
    return this.#deps.log;
  }
}

/** The logic that a supervisor runs. Each start loads the store anew. */
export function peerManagerLogic(line: ManagerLine): AnyActorLogic {
  const provide =
    <K extends keyof ManagerEffects>(type: K) =>
    (_: unknown, params: ManagerEffects[K]): void =>
      line.effect(type, params);
  const machine = guarded(
    peerManagerMachine.provide({
      actions: {
        reply: provide('reply'),
        persist: provide('persist'),
        erase: provide('erase'),
        publish: provide('publish'),
        armTimer: provide('armTimer'),
      },
    }),
  );
  const logic = Object.create(machine) as typeof machine;
  logic.getInitialSnapshot = (scope) => {
    const input = line.input();
    line.attach(scope.self);
    return machine.getInitialSnapshot(scope, input);
  };
  logic.transition = (snapshot, event, scope) => {
    try {
      const next = machine.transition(snapshot, event, scope);
      if (next.status !== 'active') line.detach(scope.self);
      return next;
    } catch (error) {
      line.log.error({ error: asTroupeError(error).message }, 'the peer manager failed');
      line.detach(scope.self);
      throw error;
    }
  };
  return logic;
}
