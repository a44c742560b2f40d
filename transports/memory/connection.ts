/** One end of a connection in memory. What happens on the way is the lanes' affair. */
import { TroupeError } from '../../proto/errors.ts';
import type { Endpoint } from '../../proto/endpoint.ts';
import { nodeIdOf, verifySignature, type NodeId } from '../../proto/identity.ts';
import { decodeNodeInfo, encodeNodeInfo, validateNodeInfo } from '../../proto/node-info.ts';
import { withDeadline, type Clock, type TimerHandle } from '../clock.ts';
import type { Connection, ConnectionStatus, Handshake, Message, RemotePeer } from '../transport.ts';
import type { Greeting, Lane } from './lane.ts';
import { waitFor, type Waiter } from '../waiter.ts';

type Direction = Connection['direction'];

/** What the network gives to each end. */
export type MemoryConnectionParts = Readonly<{
  /** Unique in the network; what both ends sign, so that no greeting fits another connection. */
  serial: number;
  owner: NodeId;
  /** The node at the other end. */
  remote: NodeId;
  direction: Direction;
  localEndpoint: Endpoint;
  remoteEndpoint: Endpoint;
  out: Lane;
  in: Lane;
  clock: Clock;
  /** Longest time from here to the remote's greeting, in milliseconds. */
  handshakeMs: number;
  /** Bytes a second that the node which owns this end takes of what has arrived; 0 for none, undefined for all. */
  readRate: () => number | undefined;
  greeted: (connection: MemoryConnection) => void;
  taken: (connection: MemoryConnection, message: Message) => void;
  forget: (connection: MemoryConnection, error: Error | undefined) => void;
}>;

/** An end as its node's link sees it, and (`breakOff`, `wake`) as the network does. */
export class MemoryConnection implements Connection {
  readonly ended: Promise<Error | undefined>;
  readonly #parts: MemoryConnectionParts;
  readonly #capacities = new Map<number, number>();
  readonly #counts = { bytesSent: 0, bytesReceived: 0, messagesSent: 0, messagesReceived: 0 };
  #state: 'new' | 'greeting' | 'open' | 'closing' | 'ended' = 'new';
  #isGreeted = false;
  /** What every later call fails with. */
  #failure: Error | undefined;
  /** Set when the remote has finished and what it sent before may still be unread. */
  #remoteEnd: TroupeError | undefined;
  #greeting: Greeting | undefined;
  #awaitsGreeting: Waiter<Greeting> | undefined;
  #awaitsMessage: Waiter<Message> | undefined;
  readonly #awaitPong = new Set<Waiter<number>>();
  #pongDue = false;
  #roundTripMs: number | undefined;
  #heardAt: number;
  /** Under a read rate: when the message taken last has been read, and the timer for it. */
  #readAt = 0;
  #readTimer: TimerHandle;
  #resolveEnded!: (error: Error | undefined) => void;
  #closing: Promise<void> | undefined;

  constructor(parts: MemoryConnectionParts) {
    this.#parts = parts;
    this.#heardAt = parts.clock.now();
    this.ended = new Promise((resolve) => (this.#resolveEnded = resolve));
    parts.in.attach({
      greeted: (greeting) => {
        this.#greeting = greeting;
        this.#arrived();
      },
      arrived: () => this.#arrived(),
      probed: (kind) => this.#probed(kind),
      ended: (error, drop) => this.#remoteEnded(error, drop),
    });
    parts.out.watch({ stalled: (error) => this.#end(error, error) });
  }

  get owner(): NodeId {
    return this.#parts.owner;
  }

  get remote(): NodeId {
    return this.#parts.remote;
  }

  /** Whether its handshake has succeeded. */
  get isGreeted(): boolean {
    return this.#isGreeted;
  }

  get hasEnded(): boolean {
    return this.#state === 'ended';
  }

  get direction(): Direction {
    return this.#parts.direction;
  }

  get localEndpoint(): Endpoint {
    return this.#parts.localEndpoint;
  }

  get remoteEndpoint(): Endpoint {
    return this.#parts.remoteEndpoint;
  }

  async handshake(own: Handshake, signal: AbortSignal): Promise<RemotePeer> {
    this.#assertLive();
    if (this.#state !== 'new') throw new TroupeError('ERR_HANDSHAKE_STATE', 'a connection shakes hands once');
    this.#state = 'greeting';
    try {
      signal.throwIfAborted();
      for (const { id, maxMessageBytes } of own.channels) this.#capacities.set(id, maxMessageBytes);
      const { serial, direction, out } = this.#parts;
      out.greet({
        publicKey: own.key.publicKey,
        signature: own.key.sign(proofOf(serial, direction)),
        nodeInfo: encodeNodeInfo(own.nodeInfo),
      });
      const theirs = this.#takeGreeting() ?? (await this.#nextGreeting(signal));
      this.#assertLive(); // it may have ended between the greeting's arrival and now
      const remote = this.#verify(theirs, own);
      this.#state = 'open';
      this.#isGreeted = true;
      this.#parts.greeted(this);
      return remote;
    } catch (error) {
      this.#end(error as Error, error as Error);
      throw error;
    }
  }

  #nextGreeting(signal: AbortSignal): Promise<Greeting> {
    const { clock, handshakeMs } = this.#parts;
    return withDeadline(clock, handshakeMs, 'ERR_HANDSHAKE_TIMEOUT', signal, (deadline) =>
      waitFor<Greeting>(deadline, (waiter) => (this.#awaitsGreeting = waiter)),
    );
  }

  sendMessage(message: Message, signal: AbortSignal): void | Promise<void> {
    this.#assertUsable(signal);
    if (this.#remoteEnd) throw this.#remoteEnd;
    const { channelId, bytes } = message;
    const capacity = this.#capacities.get(channelId);
    if (capacity === undefined) throw new TroupeError('ERR_CHANNEL_UNKNOWN', `channel ${channelId}`);
    if (bytes.length > capacity) throw new TroupeError('ERR_SEND_TOO_LARGE', `${bytes.length} of ${capacity} bytes`);
    const { out } = this.#parts;
    if (out.holds(channelId)) throw new TroupeError('ERR_INTERNAL', `channel ${channelId} still holds a message`);
    this.#counts.messagesSent++;
    this.#counts.bytesSent += bytes.length;
    const room = out.write(message);
    if (room) return waitFor<void>(signal, ({ settle, fail }) => void room.then(settle, fail));
  }

  receiveMessage(signal: AbortSignal): Message | Promise<Message> {
    this.#assertUsable(signal);
    if (this.#awaitsMessage?.waiting) throw new TroupeError('ERR_INTERNAL', 'a connection has one reader');
    const message = this.#take();
    if (message) return message;
    this.#assertLive();
    return waitFor<Message>(signal, (waiter) => (this.#awaitsMessage = waiter));
  }

  async ping(signal: AbortSignal): Promise<number> {
    this.#assertUsable(signal);
    const { clock, out } = this.#parts;
    const sentAt = clock.now();
    let mine: Waiter<number> | undefined;
    try {
      const pong = waitFor<number>(signal, (waiter) => this.#awaitPong.add((mine = waiter)));
      out.probe('ping');
      this.#roundTripMs = (await pong) - sentAt;
      return this.#roundTripMs;
    } finally {
      if (mine) this.#awaitPong.delete(mine);
    }
  }

  status(): ConnectionStatus {
    const idleMs = this.#parts.clock.now() - this.#heardAt;
    return { ...this.#counts, idleMs, ...(this.#roundTripMs !== undefined && { roundTripMs: this.#roundTripMs }) };
  }

  close({ flush = false, signal, reason }: { flush?: boolean; signal?: AbortSignal; reason?: Error } = {}): Promise<void> {
    if (this.#closing && !flush) this.#end(undefined, this.#failure ?? new TroupeError('ERR_CONNECTION_CLOSED')); // cuts a flush short
    this.#closing ??= this.#close(flush, signal, reason ?? new TroupeError('ERR_CONNECTION_CLOSED', 'by us'));
    return this.#closing;
  }

  /** Ends this end at once with an error. The remote hears of it, as a reset, only if `tell` is set. */
  breakOff(error: TroupeError, tell: boolean): void {
    this.#end(error, error, tell && error);
  }

  /** Looks again for what has arrived, after a pause. */
  wake(): void {
    this.#serve();
  }

  async #close(flush: boolean, signal: AbortSignal | undefined, error: Error): Promise<void> {
    if (this.#state === 'ended') return;
    const { out } = this.#parts;
    const orderly = flush && this.#state === 'open';
    this.#state = 'closing';
    this.#failure = error;
    this.#failWaiters(error);
    if (orderly) {
      await waitFor<void>(signal, ({ settle }) => void out.drain().then(settle)).catch(() => undefined);
      out.end(closedByRemote(), false, error);
    }
    this.#end(undefined, error);
  }

  /** The one way to end: `outcome` is what `ended` says, `error` what later calls fail with, `told` what the remote hears. */
  #end(outcome: Error | undefined, error: Error, told: TroupeError | false = closedByRemote()): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#failure ??= error;
    const { clock, out, in: into, forget } = this.#parts;
    clock.clearTimeout(this.#readTimer);
    if (told) out.end(told, true, error);
    out.refuse(error);
    into.discard();
    this.#failWaiters(error);
    forget(this, outcome);
    this.#resolveEnded(outcome);
  }

  #failWaiters(error: Error): void {
    this.#awaitsGreeting?.fail(error);
    this.#awaitsMessage?.fail(error);
    for (const waiter of this.#awaitPong) waiter.fail(error);
  }

  #assertLive(): void {
    if (this.#failure) throw this.#failure;
  }

  #assertUsable(signal: AbortSignal): void {
    this.#assertLive();
    if (this.#state !== 'open') throw new TroupeError('ERR_HANDSHAKE_STATE', 'used before the handshake');
    signal.throwIfAborted();
  }

  #arrived(): void {
    this.#heardAt = this.#parts.clock.now();
    this.#serve();
  }

  #probed(kind: 'ping' | 'pong'): void {
    this.#heardAt = this.#parts.clock.now();
    if (kind === 'pong') for (const waiter of this.#awaitPong) waiter.settle(this.#heardAt);
    else this.#pongDue = true;
    this.#serve();
  }

  #remoteEnded(error: TroupeError, drop: boolean): void {
    this.#remoteEnd = error;
    this.#parts.out.refuse(error);
    if (drop || this.#state !== 'open') this.#end(error, error);
    else this.#serve();
  }

  /** Hands what has arrived to whoever waits for it. */
  #serve(): void {
    if (this.#pongDue && this.#parts.readRate() !== 0) {
      this.#pongDue = false;
      this.#parts.out.probe('pong');
    }
    if (this.#awaitsGreeting?.waiting) {
      const greeting = this.#takeGreeting();
      if (greeting) this.#awaitsGreeting.settle(greeting);
    }
    const waiter = this.#awaitsMessage;
    if (!waiter?.waiting) return;
    this.#awaitsMessage = undefined; // taking makes room, and what arrives through it at once is not for this waiter
    const message = this.#take();
    if (message) waiter.settle(message);
    else if (this.#failure) waiter.fail(this.#failure);
    else this.#awaitsMessage = waiter;
  }

  #takeGreeting(): Greeting | undefined {
    return this.#parts.readRate() === 0 ? undefined : this.#greeting;
  }

  /** Whether the owner's pace lets it read now; sees to it that it looks again when it does. */
  #mayRead(rate: number): boolean {
    const { clock } = this.#parts;
    const waitMs = this.#readAt - clock.now();
    if (rate > 0 && waitMs <= 0) return true;
    clock.clearTimeout(this.#readTimer);
    if (rate > 0) this.#readTimer = clock.setTimeout(() => this.#serve(), waitMs);
    return false;
  }

  #take(): Message | undefined {
    const rate = this.#parts.readRate();
    if (rate !== undefined && !this.#mayRead(rate)) return undefined;
    const message = this.#parts.in.take();
    if (!message) {
      if (this.#remoteEnd) this.#end(this.#remoteEnd, this.#remoteEnd);
      return undefined;
    }
    const fault = this.#faultOf(message);
    if (fault) {
      this.#end(fault, fault);
      return undefined;
    }
    if (rate !== undefined) this.#readAt = this.#parts.clock.now() + (message.bytes.length / rate) * 1_000;
    this.#counts.messagesReceived++;
    this.#counts.bytesReceived += message.bytes.length;
    this.#parts.taken(this, message);
    return { channelId: message.channelId, bytes: new Uint8Array(message.bytes) }; // the sender may have given the same bytes to others
  }

  #faultOf({ channelId, bytes }: Message): TroupeError | undefined {
    const capacity = this.#capacities.get(channelId);
    if (capacity === undefined) return new TroupeError('ERR_CHANNEL_UNKNOWN', `channel ${channelId}`);
    return bytes.length > capacity ? new TroupeError('ERR_MESSAGE_TOO_LARGE', `${bytes.length} of ${capacity} bytes`) : undefined;
  }

  #verify({ publicKey, signature, nodeInfo }: Greeting, own: Handshake): RemotePeer {
    const proof = proofOf(this.#parts.serial, this.#parts.direction === 'inbound' ? 'outbound' : 'inbound');
    if (!verifySignature(publicKey, proof, signature)) throw new TroupeError('ERR_HANDSHAKE_SIGNATURE');
    const nodeId = nodeIdOf(publicKey);
    if (nodeId === own.key.id) throw new TroupeError('ERR_HANDSHAKE_SELF');
    if (own.expectedId && nodeId !== own.expectedId) throw new TroupeError('ERR_HANDSHAKE_WRONG_ID', `${nodeId}, not ${own.expectedId}`);
    const info = decodeNodeInfo(nodeInfo);
    validateNodeInfo(info, nodeId);
    return { nodeId, publicKey: Uint8Array.from(publicKey), nodeInfo: info };
  }
}

const text = new TextEncoder();

/** What an end signs to prove its key. */
function proofOf(serial: number, direction: Direction): Uint8Array {
  return text.encode(`troupe memory handshake ${serial} ${direction}`);
}

function closedByRemote(): TroupeError {
  return new TroupeError('ERR_CONNECTION_CLOSED', 'by the remote');
}
