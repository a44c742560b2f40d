/** What a reactor is given, as fakes that record: channels without a router, peers without a manager. */
import { createActor, type AnyActorRef } from 'xstate';
import pino from 'pino';
import type { NodeId } from '../../proto/identity.ts';
import type { DisconnectReason } from '../../proto/errors.ts';
import type { Behaviour, Channel, Envelope } from '../../actors/channel.ts';
import type { PeerEvent, Peers } from '../../actors/peer-manager.ts';
import type { Reactor } from '../../actors/reactor.ts';
import { seededRandom } from './random.ts';
import { VirtualClock } from './virtual-clock.ts';

/** The id of the n-th fake peer. */
export function peerId(n: number): NodeId {
  return n.toString(16).padStart(40, '0') as NodeId;
}

/** A list that is read as it grows, by one reader at a time; `end` ends every reader. */
class Growing<T> implements AsyncIterable<T> {
  readonly items: T[] = [];
  readers = 0;
  #wake: () => void = () => undefined;
  #ended = false;

  push(item: T): void {
    this.items.push(item);
    this.#wake();
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  [Symbol.asyncIterator](): AsyncIterator<T> {
    this.readers++;
    let over = false;
    return {
      next: async () => {
        while (this.items.length === 0 && !this.#ended && !over) await new Promise<void>((resolve) => (this.#wake = resolve));
        return this.items.length > 0 && !over ? { done: false, value: this.items.shift()! } : { done: true, value: undefined };
      },
      return: () => {
        over = true;
        this.readers--;
        this.#wake();
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }
}

type Report = Readonly<{ from: NodeId; behaviour: Behaviour; reason: string }>;

/** A channel whose mailbox a spec fills, and which keeps what is sent. */
export class FakeChannel<M> implements Channel<M> {
  readonly id: number;
  readonly name: string;
  readonly mailbox = new Growing<Envelope<M>>();
  readonly sent: { to: NodeId | 'all'; message: M }[] = [];
  readonly reports: Report[] = [];
  /** What `send` does; true by default. */
  onSend: (to: NodeId, message: M, signal?: AbortSignal) => boolean | Promise<boolean> = () => true;

  constructor(id: number, name: string) {
    this.id = id;
    this.name = name;
  }

  deliver(from: NodeId, message: M): void {
    this.mailbox.push({ from, message });
  }

  async send({ to, message }: { to: NodeId; message: M }, options?: { signal?: AbortSignal }): Promise<boolean> {
    this.sent.push({ to, message });
    return this.onSend(to, message, options?.signal);
  }

  async broadcast(message: M): Promise<number> {
    this.sent.push({ to: 'all', message });
    return 0;
  }

  request(): Promise<M> {
    throw new Error('no reactor here makes requests');
  }

  report(report: Report): void {
    this.reports.push(report);
  }

  async close(): Promise<void> {
    this.mailbox.end();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  [Symbol.asyncIterator](): AsyncIterator<Envelope<M>> {
    return this.mailbox[Symbol.asyncIterator]();
  }
}

/** Peers that come and go as a spec says; only `updates` is there. */
class FakePeers {
  readonly feed = new Growing<PeerEvent>();

  up(id: NodeId, channels: readonly number[] = [0x00, 0x77]): void {
    this.feed.push({ id, status: 'up', channels });
  }

  down(id: NodeId, reason: DisconnectReason = 'remoteClosed'): void {
    this.feed.push({ id, status: 'down', channels: [], reason });
  }

  updates(): AsyncIterable<PeerEvent> {
    return this.feed;
  }
}

/** The surroundings of one reactor. `lines` is its log. */
export function surroundings(reactor: Reactor) {
  const clock = new VirtualClock();
  const peers = new FakePeers();
  const lines: Record<string, unknown>[] = [];
  const log = pino(
    { level: 'debug', base: null },
    { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
  );
  const channels = Object.fromEntries(Object.entries(reactor.channels).map(([name, { id }]) => [name, new FakeChannel<unknown>(id, name)]));
  const stop = new AbortController();
  const input = { channels, peers: peers as unknown as Peers, signal: stop.signal, log, clock, random: seededRandom(7) };
  return { clock, peers, lines, channels, stop, input };
}

/** Runs a reactor's logic; the outcome tells how its actor ended. */
export function runReactor(reactor: Reactor, input: object): { actor: AnyActorRef; outcome: { error?: unknown; done?: true } } {
  const actor: AnyActorRef = createActor(reactor.logic, { input });
  const outcome: { error?: unknown; done?: true } = {};
  actor.subscribe({
    error: (error: unknown) => (outcome.error = error),
    complete: () => (outcome.done = true),
  });
  actor.start();
  return { actor, outcome };
}
