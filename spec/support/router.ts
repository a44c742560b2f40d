/** Routers on the memory network, each under a manager that admits as it is told and writes down what it hears. */
import { pino } from 'pino';
import { createActor, type AnyActorRef } from 'xstate';
import type { ChannelOptions } from '../../actors/channel.ts';
import { Counters } from '../../actors/metrics.ts';
import { Traffic } from '../../actors/monitor/traffic.ts';
import type { Admission, Arrival, PeerManager } from '../../actors/peer-manager.ts';
import { Router, type RouterDeps } from '../../actors/router.ts';
import { guarded, supervisorMachine } from '../../machines/supervisor.ts';
import { nodeAddressOf, type NodeAddress } from '../../proto/address.ts';
import { bytes } from '../../proto/codec.ts';
import type { TroupeError } from '../../proto/errors.ts';
import { nodeKeyFromSeed, type NodeId, type NodeKey } from '../../proto/identity.ts';
import { nodeOptions, parseOptions, type NodeOptionsInput } from '../../proto/options.ts';
import { memoryNetwork } from '../../transports/memory.ts';
import { resolver } from '../../transports/resolve.ts';
import type { Transport } from '../../transports/transport.ts';
import { seededRandom } from './random.ts';
import { VirtualClock, settle } from './virtual-clock.ts';

export const talk: ChannelOptions<Uint8Array> = { id: 0x10, type: bytes, priority: 1, maxMessageBytes: 1_000 };
export const other: ChannelOptions<Uint8Array> = { id: 0x11, type: bytes, priority: 1, maxMessageBytes: 1_000 };
export const hello = Uint8Array.of(1, 2, 3);

/** A manager that admits as it is told and writes down what it hears. */
export class ObedientManager {
  readonly heard: string[] = [];
  readonly failures: TroupeError[] = [];
  admission: (arrival: Arrival) => Admission = () => ({ verdict: 'route' });
  arrivals: Arrival[] = [];
  settlement: ((admission: Admission) => void) | undefined;
  /** What is known of the standing of those that are up. */
  scores = new Map<NodeId, number>();
  readonly peers = { live: () => [...this.scores].map(([id, score]) => ({ id, score })) };
  readonly #dials: NodeAddress[] = [];
  readonly #evictions: { id: NodeId; link: string; reason: never }[] = [];
  #wakeDial: (() => void) | undefined;
  #wakeEvict: (() => void) | undefined;

  dial(address: NodeAddress): void {
    this.#dials.push(address);
    this.#wakeDial?.();
  }
  evict(arrival: Arrival, reason: string): void {
    this.#evictions.push({ id: arrival.id, link: arrival.link, reason: reason as never });
    this.#wakeEvict?.();
  }
  async dialNext(signal: AbortSignal): Promise<NodeAddress> {
    while (this.#dials.length === 0) await woken(signal, (wake) => (this.#wakeDial = wake));
    return this.#dials.shift()!;
  }
  async evictNext(signal: AbortSignal) {
    while (this.#evictions.length === 0) await woken(signal, (wake) => (this.#wakeEvict = wake));
    return this.#evictions.shift()!;
  }
  dialFailed(_address: NodeAddress, error: TroupeError): void {
    this.failures.push(error);
    this.heard.push(`dialFailed ${error.code}`);
  }
  dialed = (_address: NodeAddress, arrival: Arrival): Admission => this.accepted(arrival);
  accepted(arrival: Arrival): Admission {
    this.arrivals.push(arrival);
    const admission = this.admission(arrival);
    this.heard.push(admission.verdict);
    return admission;
  }
  settled = (): Promise<Admission> => new Promise((resolve) => (this.settlement = resolve));
  ready: (id: NodeId, link: string) => unknown = () => this.heard.push('up');
  disconnected: (id: NodeId, link: string, reason: string, detail?: string) => unknown = (_id, _link, reason) =>
    this.heard.push(`down ${reason}`);
  routerRestarted = (): void => undefined;
  report = (_id: NodeId, behaviour: string): unknown => this.heard.push(behaviour);
}

function woken(signal: AbortSignal, register: (wake: () => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    register(resolve);
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}

export type Host = {
  key: NodeKey;
  router: Router;
  manager: ObedientManager;
  counters: Counters;
  traffic: Traffic;
  transport: Transport;
  actor: AnyActorRef;
};
const running: Host[] = [];

/** Ends every router that was started; call it after each test. */
export async function stopAll(): Promise<void> {
  for (const { actor } of running.splice(0)) actor.stop();
  await settle();
}

/** What a router of a test may be given besides its options. */
export type HostDeps = Partial<Pick<RouterDeps, 'filters' | 'load' | 'log'>> & Readonly<{ wrap?: (transport: Transport) => Transport }>;

export function world(bufferMessages = 64) {
  const clock = new VirtualClock();
  const network = memoryNetwork({ clock, random: seededRandom(1), bufferMessages });
  let seeds = 0;
  const host = async (options: NodeOptionsInput = {}, { wrap = (same) => same, ...deps }: HostDeps = {}): Promise<Host> => {
    const key = nodeKeyFromSeed(new Uint8Array(32).fill(++seeds));
    const transport = wrap(network.transport(key.id));
    await transport.listen({ protocol: 'memory', ip: '', port: 0, path: key.id });
    const manager = new ObedientManager();
    const counters = new Counters();
    const traffic = new Traffic();
    const parsed = parseOptions(nodeOptions, options);
    const router = new Router({
      clock,
      random: seededRandom(seeds),
      log: pino({ level: 'silent' }),
      key,
      options: parsed,
      counters,
      manager: manager as unknown as PeerManager,
      transports: [transport],
      traffic,
      ...deps,
      resolve: resolver({ clock, timeoutMs: 1_000 }),
      nodeInfo: (channels) => ({
        protocolVersion: { p2p: 8n, block: 11n, app: 0n },
        nodeId: key.id,
        listenAddr: 'tcp://127.0.0.1:0',
        network: parsed.network,
        version: 'troupe/test',
        channels,
        moniker: 'test',
        other: { txIndex: '', rpcAddress: '' },
      }),
    });
    const spec = router.spec();
    const actor = createActor(guarded(supervisorMachine), { input: spec.input?.() as never, clock: clock });
    actor.subscribe({ error: () => undefined });
    actor.start();
    const made = { key, router, manager, counters, traffic, transport, actor };
    running.push(made);
    return made;
  };
  const connect = async (from: Host, to: Host): Promise<void> => {
    from.manager.dial(nodeAddressOf({ protocol: 'memory', ip: '', port: 0, path: to.key.id }, to.key.id));
    await settle(10);
  };
  return { clock, network, host, connect };
}

/** Two routers that are connected, with `talk` open on both and `other` open on the first. */
export async function pair(
  { bufferMessages, ...options }: NodeOptionsInput & { bufferMessages?: number } = {},
  deps: Readonly<{ a?: HostDeps; b?: HostDeps }> = {},
) {
  const w = world(bufferMessages);
  const [a, b] = [await w.host(options, deps.a), await w.host(options, deps.b)];
  const channels = { a: a.router.openChannel(talk), b: b.router.openChannel(talk), other: a.router.openChannel(other) };
  await w.connect(a, b);
  return { ...w, a, b, channels };
}
