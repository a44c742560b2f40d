/** One node of a simulation through all its lives: the process comes and goes, the key and the disk stay. */
import pino from 'pino';
import type { CreateNodeOptions } from '../actors/assembly.ts';
import type { Channel, ChannelOptions } from '../actors/channel.ts';
import type { Counted } from '../actors/metrics.ts';
import { createNode, type Node } from '../actors/node.ts';
import type { PeerUpdate } from '../actors/peer-manager.ts';
import { TroupeError } from '../proto/errors.ts';
import { parseOptions, slotsOptions, storeOptions } from '../proto/options.ts';
import type { NodeId, NodeKey } from '../proto/identity.ts';
import type { Random } from '../transports/clock.ts';
import type { MemoryNetwork } from '../transports/memory.ts';
import type { VirtualClock } from '../transports/simulated.ts';
import { Disk } from './disk.ts';
import { ProcessClock } from './process-clock.ts';

/** What a node needs of its simulation. */
export type NodeDeps = Readonly<{
  index: number;
  key: NodeKey;
  /** The numbers of its persistent peers. */
  persistent: readonly number[];
  clock: VirtualClock;
  network: MemoryNetwork;
  /** Where its connections are seen to come from. */
  ip: string | undefined;
  /** Chance for one life. */
  randomOf(life: number): Random;
  /** The options of each life. */
  options(): CreateNodeOptions;
  /** Opens what is open on every node, before it starts. */
  furnish(node: SimulatedNode): void;
  updated(update: PeerUpdate): void;
  counted(counted: Counted): void;
  /** Told of what must never happen. */
  violated(what: string): void;
}>;

/** What a node may have at once: peers by direction, peers beyond that while they are exchanged, and peers known. */
export type Limits = Readonly<{ inbound: number; outbound: number; upgrade: number; known: number }>;

type Life = { readonly node: Node; readonly clock: ProcessClock; isOver: boolean };

const silent = pino({ level: 'silent' });

/** See the module. */
export class SimulatedNode {
  /** Its number in the simulation, from 0. */
  readonly index: number;
  readonly id: NodeId;
  readonly key: NodeKey;
  /** The numbers of its persistent peers. */
  readonly persistent: readonly number[];
  /** What others dial. */
  readonly address: string;
  /** Peers that it has reported up, in the order they came, and their channels. */
  readonly up = new Map<NodeId, readonly number[]>();
  /** Updates that no expectation has read yet, oldest first. */
  readonly updates: PeerUpdate[] = [];
  readonly #deps: NodeDeps;
  readonly #disk = new Disk();
  #life: Life | undefined;
  #lives = 0;
  #limits: Limits = { inbound: 0, outbound: 0, upgrade: 0, known: 0 };

  constructor(deps: NodeDeps) {
    this.#deps = deps;
    this.index = deps.index;
    this.key = deps.key;
    this.persistent = deps.persistent;
    this.id = deps.key.id;
    this.address = `memory:${deps.key.id}`;
  }

  /** The running node. @throws TroupeError `ERR_NODE_STATE` while it is down. */
  get node(): Node {
    if (!this.#life) throw new TroupeError('ERR_NODE_STATE', `node ${this.index} is down`);
    return this.#life.node;
  }

  get isRunning(): boolean {
    return this.#life !== undefined;
  }

  /** Whether its process stands still. */
  get isFrozen(): boolean {
    return this.#life?.clock.isFrozen === true;
  }

  /** How often it was started. */
  get lives(): number {
    return this.#lives;
  }

  get limits(): Limits {
    return this.#limits;
  }

  /** Peers on its disk. */
  get stored(): number {
    return this.#disk.size;
  }

  /** Timers of its process that are set. */
  get timers(): number {
    return this.#life?.clock.pending ?? 0;
  }

  /** Makes and starts a node with what is on the disk. */
  async start(): Promise<void> {
    if (this.#life) throw new TroupeError('ERR_NODE_STATE', `node ${this.index} runs`);
    const { clock: base, network, ip, randomOf, options, furnish } = this.#deps;
    const clock = new ProcessClock(base);
    const random = randomOf(this.#lives++);
    const given = options();
    const { inbound, outbound, upgrade } = parseOptions(slotsOptions, given.slots ?? {});
    this.#limits = { inbound, outbound, upgrade, known: parseOptions(storeOptions, given.store ?? {}).maxPeers };
    let isOver = (): boolean => false;
    const node = await createNode({
      monitor: false,
      log: silent,
      ...given,
      key: this.key,
      store: this.#disk.mount(),
      transports: [network.transport(this.id, { ...(ip !== undefined && { ip }) })],
      environment: { clock, random },
      witness: (counted) => {
        if (!isOver()) this.#deps.counted(counted);
      },
    });
    const life: Life = { node, clock, isOver: false };
    isOver = () => life.isOver;
    this.#life = life;
    furnish(this);
    void this.#follow(life);
    await node.start();
  }

  /** Ends the process without a word; what is left of it cleans up in the background and reaches nobody. Resolves when it has. */
  kill(): Promise<void> {
    const life = this.#take();
    life.clock.thaw();
    this.#deps.network.crash(this.id);
    this.#disk.unmount();
    return life.node.stop();
  }

  /** Stops it as its operator would. */
  async stop(): Promise<void> {
    if (this.isFrozen) this.thaw();
    await this.#take().node.stop();
  }

  freeze(): void {
    this.#running().clock.freeze();
    this.#deps.network.freeze(this.id);
  }

  thaw(): void {
    this.#running().clock.thaw();
    this.#deps.network.thaw(this.id);
  }

  /** Opens a channel for one life. `isOver` tells whoever reads it that the process is gone. */
  openChannel<M>(options: ChannelOptions<M>): Readonly<{ channel: Channel<M>; isOver: () => boolean }> {
    const life = this.#running();
    return { channel: life.node.openChannel(options), isOver: () => life.isOver };
  }

  #running(): Life {
    if (!this.#life) throw new TroupeError('ERR_NODE_STATE', `node ${this.index} is down`);
    return this.#life;
  }

  #take(): Life {
    const life = this.#running();
    this.#life = undefined;
    life.isOver = true;
    this.up.clear();
    this.updates.length = 0;
    return life;
  }

  async #follow(life: Life): Promise<void> {
    for await (const update of life.node.peers.updates()) {
      if (life.isOver) return;
      if ('snapshotEnd' in update) continue;
      const { id, status, channels } = update;
      if (this.up.has(id) === (status === 'up')) this.#deps.violated(`node ${this.index} was told twice that ${id} is ${status}`);
      if (status === 'up') this.up.set(id, channels);
      else this.up.delete(id);
      this.updates.push(update);
      if (this.updates.length > mostUpdates) this.updates.shift();
      this.#deps.updated(update);
    }
  }
}

/** Updates kept for an expectation; about 200 bytes each. */
const mostUpdates = 10_000;
