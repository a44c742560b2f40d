/** A peer manager under a virtual clock with seeded dice and a store in memory, driven as a router would drive it. */
import { afterEach, expect } from '@jest/globals';
import { createActor, type AnyActorRef, type InspectionEvent } from 'xstate';
import { pino } from 'pino';
import { parseNodeAddress, type NodeAddress } from '../../proto/address.ts';
import { TroupeError, type DisconnectReason } from '../../proto/errors.ts';
import { parseNodeId, type NodeId } from '../../proto/identity.ts';
import { dialerOptions, parseOptions, slotsOptions, storeOptions } from '../../proto/options.ts';
import { createPeerManager, type Admission, type PeerManagerDeps, type RunnablePeerManager } from '../../actors/peer-manager.ts';
import type { PeerStore } from '../../actors/peer-store.ts';
import { memoryStore } from '../../actors/stores/memory.ts';
import { seededRandom } from './random.ts';
import { VirtualClock, settle } from './virtual-clock.ts';

/** The id that repeats one hex digit. */
export const idOf = (digit: string): NodeId => parseNodeId(digit.repeat(40).slice(0, 40));
/** An address of that id, each digit in a network of its own. */
export const addressOf = (digit: string, host = 4): NodeAddress =>
  parseNodeAddress(`mconn://${idOf(digit)}@${20 + parseInt(digit[0]!, 16)}.2.3.${host}:26656`);

export type ManagerChanges = Readonly<{
  own?: string;
  slots?: object;
  dialer?: object;
  storeOptions?: object;
  store?: PeerStore;
  clock?: VirtualClock;
  random?: () => number;
  inspect?: (event: InspectionEvent) => void;
}> &
  Partial<Omit<PeerManagerDeps, 'options' | 'store' | 'clock' | 'random' | 'ownId'>>;

export class ManagerHarness {
  readonly clock: VirtualClock;
  readonly store: PeerStore;
  readonly manager: RunnablePeerManager;
  #actor: AnyActorRef;
  #links = 0;

  constructor(changes: ManagerChanges = {}) {
    const { own = '5', slots = {}, dialer = {}, storeOptions: kept = {}, store, clock, random, inspect, ...deps } = changes;
    this.clock = clock ?? new VirtualClock();
    this.store = store ?? memoryStore();
    this.store.open();
    this.manager = createPeerManager({
      ownId: idOf(own),
      options: {
        slots: parseOptions(slotsOptions, slots),
        dialer: parseOptions(dialerOptions, dialer),
        store: parseOptions(storeOptions, kept),
        loopbackIsPublic: false,
      },
      persistent: [],
      bootstrap: [],
      privateIds: [],
      unconditionalIds: [],
      store: this.store,
      clock: this.clock,
      random: random ?? seededRandom(1),
      log: pino({ level: 'silent' }),
      ...deps,
    });
    this.#actor = createActor(this.manager.logic, inspect && { inspect });
    this.#actor.subscribe({ error: () => undefined });
    this.#actor.start();
  }

  /** Ends the actor and starts a new one, as a supervisor does. */
  restart(): void {
    this.#actor.stop();
    this.#actor = createActor(this.manager.logic);
    this.#actor.subscribe({ error: () => undefined });
    this.#actor.start();
  }

  stop(): void {
    this.#actor.stop();
    this.manager.close();
  }

  get actor(): AnyActorRef {
    return this.#actor;
  }

  link(): string {
    this.#links += 1;
    return `link:${this.#links}`;
  }

  /** The next address to dial if there is one now. */
  async tryDialNext(): Promise<NodeAddress | undefined> {
    return now((signal) => this.manager.dialNext(signal));
  }

  async tryEvictNext(): Promise<Readonly<{ id: NodeId; link: string; reason: DisconnectReason }> | undefined> {
    return now((signal) => this.manager.evictNext(signal));
  }

  dialed(
    digit: string,
    options: Readonly<{ link?: string; ours?: boolean; host?: number; remoteIp?: string }> = {},
  ): Admission & { link: string } {
    const { link = this.link(), ours = false, host = 4 } = options;
    return {
      ...this.manager.dialed(addressOf(digit, host), {
        id: idOf(digit),
        link,
        ours,
        channels: [1],
        remoteIp: options.remoteIp ?? addressOf(digit, host).host,
      }),
      link,
    };
  }

  accepted(
    digit: string,
    options: Readonly<{ link?: string; ours?: boolean; remoteIp?: string; channels?: readonly number[] }> = {},
  ): Admission & { link: string } {
    const { link = this.link(), ours = false, channels = [1], remoteIp } = options;
    return { ...this.manager.accepted({ id: idOf(digit), link, ours, channels, ...(remoteIp ? { remoteIp } : {}) }), link };
  }

  /** Accepted and up. */
  up(digit: string, options: Parameters<ManagerHarness['accepted']>[1] = {}): string {
    const admission = this.accepted(digit, options);
    if (admission.verdict !== 'route') throw new Error(`not routed: ${admission.verdict}`);
    this.manager.ready(idOf(digit), admission.link);
    return admission.link;
  }

  failed(digit: string, host = 4): void {
    this.manager.dialFailed(addressOf(digit, host), new TroupeError('ERR_DIAL_FAILED'));
  }

  async add(digit: string, host = 4): Promise<boolean> {
    return this.manager.add(addressOf(digit, host), { kind: 'host' });
  }

  stateOf(digit: string): string | undefined {
    return this.manager.peers.list().find((each) => each.id === idOf(digit))?.state;
  }
}

/** What a wait gives at once, or undefined when it has to wait; it is then given up. */
async function now<T>(wait: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
  const abort = new AbortController();
  let result: T | undefined;
  const waiting = wait(abort.signal).then(
    (value) => (result = value),
    () => undefined,
  );
  await settle(1);
  abort.abort(new Error('given up'));
  await waiting;
  return result;
}

/** A signal that never aborts. */
export const never = new AbortController().signal;

/** The digit that an address's id repeats. */
export const digitOf = (address: NodeAddress | undefined): string | undefined => address?.nodeId[0];

/** A promise whose outcome can be looked at: its value, the `code` of its rejection, or 'waiting'. */
export function watch<T>(promise: Promise<T>): () => Promise<unknown> {
  let outcome: unknown = 'waiting';
  promise.then(
    (value) => (outcome = value),
    (error: unknown) => (outcome = error instanceof TroupeError ? error.code : error),
  );
  return async () => {
    await settle(1);
    return outcome;
  };
}

/** Makes managers that are stopped after each test of the file, and must then leave no timer behind. */
export function managers(): (changes?: ManagerChanges) => ManagerHarness {
  const made: ManagerHarness[] = [];
  afterEach(() => {
    for (const harness of made.splice(0)) {
      harness.stop();
      expect(harness.clock.pending).toBe(0);
    }
  });
  return (changes = {}) => {
    const harness = new ManagerHarness(changes);
    made.push(harness);
    return harness;
  };
}
