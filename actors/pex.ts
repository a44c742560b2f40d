/** Peer exchange (ADR 062, PEX reactor): asks peers for addresses, answers those who ask, passes on where peers that connected to us can be dialed. */
import { formatNodeAddress, type NodeAddress } from '../proto/address.ts';
import type { NodeId } from '../proto/identity.ts';
import { maxPexBytes, pexMessage, type PexDialect, type PexMessage } from '../proto/pex.ts';
import { dueAt, purePex, type PexEffect, type PexEvent } from '../machines/pex.ts';
import { askDelay, draw, isWorthKeeping, longestAskDelayMs, refilled, selfAddress, tokensPerRequest } from '../machines/policy/exchange.ts';
import type { Behaviour, ChannelOptions } from './channel.ts';
import type { AddressSource, PeerUpdate } from './peer-manager.ts';
import { PexPeers, type PexPeer } from './pex-peers.ts';
import { Standstill } from './standstill.ts';
import { PeerFault, reactorLogic, type Incoming, type InternalContext, type Reactor, type ReactorContext } from './reactor.ts';

const channelId = 0x00;
/** What the transports of this package dial. */
const ownProtocols: readonly string[] = ['mconn', 'tcp', 'memory'];
/** What an address of the ip dialect can mean: it names no protocol. */
const ipProtocols: readonly string[] = ['mconn', 'tcp'];

type Channels = Readonly<{ pex: ChannelOptions<PexMessage> }>;
type Context = ReactorContext<Channels> & InternalContext;

/**
 * Makes the peer exchange reactor, on channel 0 with the wire of every Tendermint and CometBFT release; its options are the group `pex` of the node's.
 * It opens and closes no connection: what it learns goes to the peer manager, which decides what to keep and whom to dial.
 */
export function pexReactor(): Reactor {
  const channels: Channels = { pex: { id: channelId, name: 'pex', type: pexMessage, priority: 1, maxMessageBytes: maxPexBytes } };
  const ofNode = new WeakMap<object, PexPeers>();
  return {
    name: 'pex',
    channels,
    logic: reactorLogic<Channels, InternalContext>((context) => {
      const peers = ofNode.get(context.manager) ?? new PexPeers(context.options.pex);
      ofNode.set(context.manager, peers);
      const exchange = new Exchange(context, peers);
      return {
        onPeerUpdate: (update) => exchange.onPeerUpdate(update),
        onMessage: (incoming) => exchange.onMessage(incoming),
        every: [[context.options.pex.tickMs, () => exchange.tick()]],
      };
    }),
  };
}

/** One run of the reactor. Its handlers never wait, for the times between messages are measured when they are handled. */
class Exchange {
  readonly #context: Context;
  readonly #peers: PexPeers;
  /** Peers whose answer waits for room in their queue, with the dialect of a later request: one more answer will serve all that came meanwhile. */
  readonly #answering = new Map<NodeId, PexDialect | undefined>();
  readonly #standstill: Standstill;
  #askedAt = 0;
  #delayMs: number;
  /** New addresses in all answers. */
  #total = 0;

  constructor(context: Context, peers: PexPeers) {
    this.#context = context;
    this.#peers = peers;
    this.#askedAt = context.clock.now();
    const { tickMs, answerIntervalMs } = context.options.pex;
    this.#delayMs = tickMs;
    this.#standstill = new Standstill(tickMs, answerIntervalMs, this.#askedAt);
    peers.restart();
  }

  onPeerUpdate({ id, status, channels }: PeerUpdate): void {
    if (status === 'up') return this.#arrived(id, channels.includes(channelId));
    const peer = this.#peers.get(id);
    if (!peer) return;
    this.#send(peer, { type: 'pex.lost' });
    this.#peers.leave(peer);
  }

  onMessage({ from, message }: Incoming<Channels>): void {
    const peer = this.#peers.get(from);
    if (!peer?.up) return;
    if (message.kind === 'request') this.#requested(peer, message.dialect);
    if (message.kind === 'response') this.#answered(peer, message);
  }

  /** Looks for overdue answers, then asks one peer if it is time to. */
  tick(): void {
    const now = this.#context.clock.now();
    this.#standstill.tick(now);
    // What came while we stood still is read before anybody is blamed for being silent.
    const isJudging = !this.#standstill.isFelt(now);
    const available: PexPeer[] = [];
    for (const peer of this.#peers.present()) {
      const asked = isAsked(peer);
      if (now < dueAt(peer.asking.context, asked)) continue;
      if (!asked) available.push(peer);
      else if (isJudging) this.#send(peer, { type: 'pex.due', now });
    }
    if (now < this.#askedAt + this.#delayMs && !this.#hasUrgent(available)) return;
    const chosen = this.#choose(available);
    if (!chosen) return;
    this.#askedAt = now;
    this.#send(chosen, { type: 'pex.ask', now });
  }

  #arrived(id: NodeId, exchanges: boolean): void {
    const { link, clock } = this.#context;
    const found = link(id);
    const outbound = found?.direction === 'outbound';
    if (exchanges) this.#peers.arrive(id, clock.now(), { outbound, remoteIp: found?.remoteEndpoint.ip ?? '' });
    const address = found && !outbound ? selfAddress(found.nodeInfo, found.remoteEndpoint) : undefined;
    if (address) this.#background(this.#add(address, { kind: 'self', from: id }));
  }

  /** Outbound peers first, then whoever was not asked for longest; chance among equals. */
  #choose(available: readonly PexPeer[]): PexPeer | undefined {
    const outbound = available.filter((peer) => peer.outbound);
    const among = outbound.length > 0 ? outbound : available;
    const askedAt = (peer: PexPeer): number => peer.asking.context.askedAt ?? -Infinity;
    const longest = among.reduce((least, peer) => Math.min(least, askedAt(peer)), Infinity);
    const equals = among.filter((peer) => askedAt(peer) === longest);
    return equals[Math.floor(this.#context.random() * equals.length)];
  }

  /** A peer of our own choice is asked soon after it came up, as long as we look for more. If there is one it is what would be chosen. */
  #hasUrgent(available: readonly PexPeer[]): boolean {
    return available.some(({ outbound, asking }) => outbound && asking.context.askedAt === undefined) && this.#isLooking();
  }

  /** Whether we have fewer outbound peers than we want. */
  #isLooking(): boolean {
    let outbound = 0;
    for (const peer of this.#peers.present()) if (peer.outbound) outbound++;
    return outbound < this.#context.options.slots.outbound;
  }

  /** One event to the machine of one peer, and what it asks for. */
  #send(peer: PexPeer, event: PexEvent, addresses: readonly NodeAddress[] = []): void {
    const [next, effects] = purePex.step(peer.asking, event);
    peer.asking = next;
    const does: Record<PexEffect, () => void> = {
      sendRequest: () => this.#background(this.#ask(peer)),
      takeAddresses: () => this.#background(this.#take(peer, addresses)),
      blameSilence: () => this.#report(peer, 'unhelpful', 'a request for addresses was not answered'),
      blameUnasked: () => this.#report(peer, 'unhelpful', 'sent addresses without being asked'),
    };
    for (const effect of effects) does[effect.type as PexEffect]();
  }

  async #ask(peer: PexPeer): Promise<void> {
    const { askedAt } = peer.asking.context;
    const sent = await this.#deliver(peer, { kind: 'request', dialect: this.#context.options.pex.dialect, addresses: [] });
    if (sent) this.#refill(peer, tokensPerRequest);
    else if (peer.asking.context.askedAt === askedAt) this.#send(peer, { type: 'pex.lost' });
  }

  #requested(peer: PexPeer, dialect: PexDialect): void {
    const { clock, options, manager } = this.#context;
    const { answerIntervalMs, sampleMs, maxSent } = options.pex;
    const now = clock.now();
    const sentAt = this.#sentAt(peer, now, peer.requestedAt, answerIntervalMs);
    if (sentAt > now) throw new PeerFault('flooding', `asked for addresses again within ${answerIntervalMs} ms`);
    peer.requestedAt = sentAt;
    if (peer.sample === undefined || now - peer.sampledAt >= sampleMs) {
      peer.sample = manager.advertise(peer.id, maxSent, ...(peer.remoteIp ? [peer.remoteIp] : [])).slice(0, maxSent);
      peer.sampledAt = now;
    }
    if (this.#answering.has(peer.id)) this.#answering.set(peer.id, dialect);
    else this.#background(this.#answer(peer, dialect));
  }

  async #answer(peer: PexPeer, dialect: PexDialect): Promise<void> {
    for (let next: PexDialect | undefined = dialect; next; next = this.#answering.get(peer.id)) {
      this.#answering.set(peer.id, undefined);
      const told = peer.sample ?? [];
      const addresses = next === 'ip' ? told.filter(({ protocol }) => ipProtocols.includes(protocol)) : told;
      if (!(await this.#deliver(peer, { kind: 'response', dialect: next, addresses }))) break;
    }
    this.#answering.delete(peer.id);
  }

  #answered(peer: PexPeer, { addresses, skipped = 0 }: PexMessage): void {
    const { answerIntervalMs, maxReceived } = this.#context.options.pex;
    const count = addresses.length + skipped;
    if (count > maxReceived) {
      this.#send(peer, { type: 'pex.lost' });
      throw new PeerFault('protocolViolation', `sent ${count} addresses, at most ${maxReceived} are read`);
    }
    if (peer.asking.value === 'available') this.#unasked(peer, answerIntervalMs);
    this.#send(peer, { type: 'pex.answered' }, addresses);
  }

  /** One answer too many is unhelpful, a stream of them is flooding. */
  #unasked(peer: PexPeer, leastMs: number): void {
    const now = this.#context.clock.now();
    const sentAt = this.#sentAt(peer, now, peer.unaskedAt, leastMs);
    peer.unaskedAt = Math.min(sentAt, now);
    if (sentAt > now) throw new PeerFault('flooding', `sent addresses without being asked twice within ${leastMs} ms`);
  }

  /** When a message read now was sent, if its sender kept `leastMs` between it and the one before: a time after `now` says that it did not. */
  #sentAt({ upAt }: PexPeer, now: number, before = -Infinity, leastMs: number): number {
    return this.#standstill.sentAt(now, Math.max(upAt, before + leastMs));
  }

  /** Passes on what is worth keeping, by chance as much of it as the peer has tokens for, then decides when to ask next. */
  async #take(peer: PexPeer, addresses: readonly NodeAddress[]): Promise<void> {
    const { random, signal, protocols = ownProtocols } = this.#context;
    const worthy = addresses.filter((address) => isWorthKeeping(address, peer.remoteIp, protocols));
    const distinct = new Map(worthy.map((address) => [formatNodeAddress(address), address]));
    this.#refill(peer, 0);
    const taken = draw([...distinct.values()], Math.floor(peer.tokens), random);
    peer.tokens -= taken.length;
    if (taken.length > 0) this.#report(peer, 'useful', 'sent addresses');
    const added = await Promise.all(taken.map((address) => this.#add(address, { kind: 'gossip', from: peer.id })));
    if (!signal.aborted) this.#reschedule(added.filter(Boolean).length);
  }

  #reschedule(added: number): void {
    const { manager, options } = this.#context;
    this.#total += added;
    this.#delayMs = askDelay({
      leastMs: options.pex.tickMs,
      mostMs: this.#isLooking() ? options.pex.askIntervalMs : longestAskDelayMs,
      available: [...this.#peers.present()].filter((peer) => !isAsked(peer)).length,
      added,
      total: this.#total,
      known: manager.counts().known,
      capacity: options.store.maxPeers,
    });
  }

  #refill(peer: PexPeer, granted: number): void {
    const { clock, options } = this.#context;
    const { intakePerSecond, maxReceived } = options.pex;
    const now = clock.now();
    // No answer can use more than it may hold.
    peer.tokens = refilled(peer.tokens + granted, now - peer.tokensAt, intakePerSecond, maxReceived);
    peer.tokensAt = now;
  }

  #report({ id }: PexPeer, behaviour: Behaviour, reason: string): void {
    this.#context.channels.pex.report({ from: id, behaviour, reason });
  }

  async #add(address: NodeAddress, source: AddressSource): Promise<boolean> {
    try {
      return await this.#context.manager.add(address, source);
    } catch (error) {
      // Our own address, for example: no fault of whoever passed it on.
      this.#context.log.debug({ err: error, address: formatNodeAddress(address) }, 'address not kept');
      return false;
    }
  }

  /** Waits while the peer's queue is full; false when the message did not leave. */
  async #deliver(peer: PexPeer, message: PexMessage): Promise<boolean> {
    const { channels, signal, log } = this.#context;
    try {
      return await channels.pex.send({ to: peer.id, message }, { signal });
    } catch (error) {
      if (!signal.aborted) log.error({ err: error, to: peer.id, kind: message.kind }, 'peer exchange message not sent');
      return false;
    }
  }

  /** Work that a handler does not wait for. It fails by our fault, or because the reactor is stopped. */
  #background(work: Promise<unknown>): void {
    const { signal, log, onCaught } = this.#context;
    work.catch((error: unknown) => {
      if (signal.aborted) return;
      log.error({ err: error }, 'peer exchange failed');
      onCaught?.();
    });
  }
}

/** By its value, which costs nothing: `matches` makes objects, and every peer is looked at every second. */
function isAsked({ asking }: PexPeer): boolean {
  return asking.value === 'asked';
}
