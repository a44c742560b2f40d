/** One channel open on every node of a simulation, and what arrived on it, for assertions. */
import { isDeepStrictEqual } from 'node:util';
import type { Channel, ChannelOptions } from '../actors/channel.ts';
import { TroupeError } from '../proto/errors.ts';
import type { NodeId } from '../proto/identity.ts';
import { defaultWithinMs, expectNext, show, type Order } from './expectations.ts';
import type { SimulatedNode } from './simulated-node.ts';

/** A message that has arrived. */
export type Delivery<M> = Readonly<{ from: number | string; message: M; atMs: number }>;

/** A message to arrive: equal in depth to `message`, or one that the function accepts; from anybody if `from` is left out. */
export type ExpectedDelivery<M> = Readonly<{ from?: number; message: M | ((message: M) => boolean) }>;

/** How long to wait, in virtual milliseconds, and whether in the order given. */
export type Waiting = Readonly<{ withinMs?: number; order?: Order }>;

/** What a channel needs of its simulation. */
export type ChannelWorld = Readonly<{
  now(): number;
  nodeOf(index: number): SimulatedNode;
  indexOf(id: NodeId): number | string;
  until(isDone: () => boolean, withinMs: number): Promise<boolean>;
  run(ms: number): Promise<void>;
}>;

type Box<M> = { channel: Channel<M> | undefined; readonly unread: Delivery<M>[]; wake: (() => void) | undefined };

/** Unread deliveries of one node; beyond them its mailbox fills, as with any reader that stops reading. */
const mostUnread = 10_000;

/** See the module. */
export class SimulatedChannel<M> {
  readonly #options: ChannelOptions<M>;
  readonly #world: ChannelWorld;
  readonly #boxes = new Map<number, Box<M>>();

  constructor(options: ChannelOptions<M>, world: ChannelWorld) {
    this.#options = options;
    this.#world = world;
  }

  /** The channel of one node, as a reactor would hold it; this object is its one reader. @throws TroupeError `ERR_NODE_STATE` while the node is down. */
  at(index: number): Channel<M> {
    const node = this.#world.nodeOf(index);
    const channel = node.isRunning ? this.#boxOf(index).channel : undefined;
    if (!channel) throw new TroupeError('ERR_NODE_STATE', `node ${index} is down`);
    return channel;
  }

  /** Sends from one node to another; resolves as `send` of a channel does. */
  send(from: number, to: number, message: M): Promise<boolean> {
    return this.at(from).send({ to: this.#world.nodeOf(to).id, message });
  }

  /** Sends from one node to all its peers that list the channel. */
  broadcast(from: number, message: M): Promise<number> {
    return this.at(from).broadcast(message);
  }

  /** Takes what has arrived at a node and no expectation has read, oldest first. */
  take(index: number): readonly Delivery<M>[] {
    const box = this.#boxOf(index);
    const taken = box.unread.splice(0);
    box.wake?.();
    return taken;
  }

  /**
   * Waits until what is expected has arrived at a node, next and in this order (or next in any order), and takes it.
   * @throws TroupeError `ERR_EXPECTATION_FAILED` when something else arrives or the time (1,000 ms if left out) is over.
   */
  async expectDelivered(
    index: number,
    expected: ExpectedDelivery<M> | readonly ExpectedDelivery<M>[],
    waiting: Waiting = {},
  ): Promise<void> {
    const box = this.#boxOf(index);
    await expectNext({
      unread: box.unread,
      expected: asList(expected),
      matches: (delivery, { from, message }) => (from === undefined || delivery.from === from) && isAccepted(delivery.message, message),
      what: `deliveries at node ${index} on ${this.#options.name ?? this.#options.id}`,
      until: (isDone, withinMs) => this.#world.until(isDone, withinMs),
      ...waiting,
    });
    box.wake?.();
  }

  /** Lets time pass (10 ms if left out) in which nothing arrives at a node, or at any. @throws TroupeError `ERR_EXPECTATION_FAILED`. */
  async expectNothing(index?: number, { withinMs = 10 }: Readonly<{ withinMs?: number }> = {}): Promise<void> {
    await this.#world.run(withinMs);
    for (const [at, { unread }] of this.#boxes) {
      if (unread.length > 0 && (index === undefined || index === at))
        throw new TroupeError('ERR_EXPECTATION_FAILED', `node ${at} received ${unread.length} messages, the first ${show(unread[0])}`);
    }
  }

  /** Sends, and fails unless the peer's queue takes the message in time (1,000 ms if left out). @throws TroupeError `ERR_EXPECTATION_FAILED`. */
  async expectSent(
    from: number,
    to: number,
    message: M,
    { withinMs = defaultWithinMs }: Readonly<{ withinMs?: number }> = {},
  ): Promise<void> {
    const outcome: { isTaken?: boolean } = {};
    const done = this.send(from, to, message).then((isTaken) => (outcome.isTaken = isTaken));
    const inTime = await this.#world.until(() => outcome.isTaken !== undefined, withinMs);
    if (inTime) await done;
    else done.catch(() => undefined);
    if (!outcome.isTaken)
      throw new TroupeError('ERR_EXPECTATION_FAILED', `node ${from} could not send to node ${to}${inTime ? '' : ` within ${withinMs} ms`}`);
  }

  /** Opens it on a node that is about to start. */
  open(node: SimulatedNode): void {
    const box = this.#boxOf(node.index);
    box.wake?.();
    const { channel, isOver } = node.openChannel(this.#options);
    box.channel = channel;
    box.unread.length = 0;
    void this.#read(box, channel, isOver);
  }

  async #read(box: Box<M>, channel: Channel<M>, isOver: () => boolean): Promise<void> {
    for await (const { from, message } of channel) {
      if (isOver()) return;
      box.unread.push({ from: this.#world.indexOf(from), message, atMs: this.#world.now() });
      if (box.unread.length < mostUnread) continue;
      await new Promise<void>((resolve) => (box.wake = resolve));
    }
  }

  #boxOf(index: number): Box<M> {
    const box = this.#boxes.get(index) ?? { channel: undefined, unread: [], wake: undefined };
    this.#boxes.set(index, box);
    return box;
  }
}

function isAccepted<M>(message: M, expected: M | ((message: M) => boolean)): boolean {
  return typeof expected === 'function' ? (expected as (message: M) => boolean)(message) : isDeepStrictEqual(message, expected);
}

function asList<T>(given: T | readonly T[]): readonly T[] {
  return Array.isArray(given) ? (given as readonly T[]) : [given as T];
}
