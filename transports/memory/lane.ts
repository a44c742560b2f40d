/** One direction of a connection in memory: a bounded wire with delay, loss and reordering, and the remote's unread messages at its end. */
import { TroupeError } from '../../proto/errors.ts';
import type { Clock, Random, TimerHandle } from '../clock.ts';
import type { Message } from '../transport.ts';
import type { WayConditions } from './ways.ts';

/** What a lane runs on. */
export type LaneOptions = Readonly<{
  clock: Clock;
  random: Random;
  bufferMessages: number;
  bufferBytes: number;
  /** A writer whose held message finds no room for this long, in milliseconds, gives up. */
  stallMs: number;
  /** How messages travel just now. */
  conditions(): WayConditions;
  /** Whether nothing arrives just now. */
  isClosed(): boolean;
  /** Told of each message that vanishes. */
  onLost(message: Message): void;
}>;

/** What one side says about itself in the handshake: a proof of its key, and its NodeInfo encoded. */
export type Greeting = Readonly<{ publicKey: Uint8Array; signature: Uint8Array; nodeInfo: Uint8Array }>;

/** What arrives at the far end. An `end` is the last thing to arrive; with `drop` it takes unread messages with it. */
type Item =
  | Readonly<{ kind: 'greeting'; greeting: Greeting }>
  | Readonly<{ kind: 'message'; message: Message }>
  | Readonly<{ kind: 'ping' | 'pong' }>
  | Readonly<{ kind: 'end'; error: TroupeError; drop: boolean }>;
type Parcel = Readonly<{ item: Item; dueAt: number }>;
type Held = Readonly<{ message: Message; resolve: () => void; reject: (error: Error) => void; room: Promise<void> }>;

/** Whoever reads the lane. It is called as soon as something has arrived, even from within its own `take`, which makes room. */
export type LaneReader = Readonly<{
  greeted: (greeting: Greeting) => void;
  arrived: () => void;
  probed: (kind: 'ping' | 'pong') => void;
  ended: (error: TroupeError, drop: boolean) => void;
}>;

/** Whoever writes it, told that the remote takes nothing. */
export type LaneWriter = Readonly<{ stalled: (error: TroupeError) => void }>;

/** What the network counts. */
export type Tally = { sent: number; delivered: number; lost: number };

/** Writes at one end, reads at the other. In flight and unread together never exceed the buffer; beyond it, one message a channel is held for the writer. */
export class Lane {
  readonly #options: LaneOptions;
  readonly #tally: Tally;
  readonly #held = new Map<number, Held>();
  readonly #inFlight: Parcel[] = [];
  readonly #unread: Message[] = [];
  /** Nothing sent from now on arrives before this moment. */
  #floor = 0;
  /** The same for each channel that has a message running late. */
  readonly #late = new Map<number, number>();
  #used = 0;
  #usedBytes = 0;
  #timer: TimerHandle;
  #timerAt: number | undefined;
  #reader: LaneReader | undefined;
  #writer: LaneWriter | undefined;
  #over = false;
  #drained: (() => void) | undefined;
  /** When the wire has carried everything sent so far. */
  #wireFreeAt = 0;
  #stallTimer: TimerHandle;
  #movedAt = 0;

  constructor(options: LaneOptions, tally: Tally) {
    this.#options = options;
    this.#tally = tally;
  }

  /** Names the reader; once, before anything is written. */
  attach(reader: LaneReader): void {
    this.#reader = reader;
  }

  /** Names the writer, on the same terms. */
  watch(writer: LaneWriter): void {
    this.#writer = writer;
  }

  /** Whether this channel's place for a message that found no room is taken. */
  holds(channelId: number): boolean {
    return this.#held.has(channelId);
  }

  greet(greeting: Greeting): void {
    this.#post({ kind: 'greeting', greeting }, this.#arrival());
  }

  /** Sends a sign of life; it needs no room. */
  probe(kind: 'ping' | 'pong'): void {
    if (!this.#over) this.#post({ kind }, this.#arrival());
  }

  /** Takes a message: into the buffer (returns undefined), or held until there is room (the promise resolves then). */
  write(message: Message): Promise<void> | undefined {
    this.#tally.sent++;
    if (this.#held.size === 0 && this.#hasRoom(message)) {
      this.#launch(message);
      return undefined;
    }
    let settle: Pick<Held, 'resolve' | 'reject'> | undefined;
    const room = new Promise<void>((resolve, reject) => (settle = { resolve, reject }));
    room.catch(() => undefined); // the writer may have stopped waiting
    this.#held.set(message.channelId, { message, ...settle!, room });
    if (this.#stallTimer === undefined) this.#watchStall();
    return room;
  }

  /** Resolves once no message is held; at once if the lane is over. */
  drain(): Promise<void> {
    if (this.#held.size === 0 || this.#over) return Promise.resolve();
    return new Promise((resolve) => (this.#drained = resolve));
  }

  /** The writer's last word, `told` to the reader. With `drop`, everything that has not been read is lost; else it arrives first. Who waits for room fails with `error`. */
  end(told: TroupeError, drop: boolean, error: Error): void {
    if (this.#over) return;
    this.refuse(error);
    if (drop) this.#inFlight.length = 0;
    this.#post({ kind: 'end', error: told, drop }, drop ? this.#options.clock.now() + this.#delay() : this.#arrival());
  }

  /** The next unread message, freeing its room. */
  take(): Message | undefined {
    const message = this.#unread.shift();
    if (!message) return undefined;
    this.#tally.delivered++;
    this.#release(message);
    return message;
  }

  /** The reader is gone: nothing arrives any more. The writer does not know yet. */
  discard(): void {
    this.#reader = undefined;
    this.#inFlight.length = 0;
    this.#unread.length = 0;
    this.#rearm();
  }

  /** The writer knows that the remote is gone: who waits for room fails. */
  refuse(error: Error): void {
    this.#over = true;
    this.#clearStall();
    for (const held of this.#held.values()) held.reject(error);
    this.#held.clear();
    this.#drained?.();
    this.#drained = undefined;
  }

  /** Looks again at what is in flight, after a cut was made or healed. */
  recheck(): void {
    this.#deliverDue();
  }

  #hasRoom({ bytes }: Message): boolean {
    if (this.#used === 0) return true; // a message larger than the whole buffer enters alone
    return this.#used < this.#options.bufferMessages && this.#usedBytes + bytes.length <= this.#options.bufferBytes;
  }

  #launch(message: Message): void {
    const { random, conditions, onLost } = this.#options;
    const { loss, duplicate } = conditions();
    if (loss > 0 && random() < loss) {
      this.#tally.lost++;
      onLost(message);
      return;
    }
    this.#carry(message);
    if (duplicate > 0 && random() < duplicate) this.#carry(message);
  }

  #carry(message: Message): void {
    this.#used++;
    this.#usedBytes += message.bytes.length;
    this.#post({ kind: 'message', message }, this.#messageArrival(message));
  }

  #release(message: Message): void {
    this.#used--;
    this.#usedBytes -= message.bytes.length;
    this.#movedAt = this.#options.clock.now();
    for (const [channelId, held] of this.#held) {
      if (!this.#hasRoom(held.message)) break;
      this.#held.delete(channelId);
      this.#launch(held.message);
      held.resolve();
    }
    if (this.#held.size === 0) {
      this.#clearStall();
      this.#drained?.();
      this.#drained = undefined;
    }
  }

  /** Watches, while a message is held, that the remote takes something now and then. */
  #watchStall(): void {
    const { clock, stallMs } = this.#options;
    this.#movedAt = clock.now();
    const look = (): void => {
      const waitedMs = clock.now() - this.#movedAt;
      this.#stallTimer = undefined;
      if (waitedMs >= stallMs) this.#writer?.stalled(new TroupeError('ERR_CONNECTION_STALLED', `${stallMs} ms`));
      else this.#stallTimer = clock.setTimeout(look, stallMs - waitedMs);
    };
    this.#stallTimer = clock.setTimeout(look, stallMs);
  }

  #clearStall(): void {
    this.#options.clock.clearTimeout(this.#stallTimer);
    this.#stallTimer = undefined;
  }

  #delay(): number {
    const { random, conditions } = this.#options;
    const { latencyMs, jitterMs } = conditions();
    return jitterMs > 0 ? latencyMs + random() * jitterMs : latencyMs;
  }

  /** When the wire has carried a message, behind those before it. */
  #carriedAt({ bytes }: Message): number {
    const { clock, conditions } = this.#options;
    const { bytesPerSecond } = conditions();
    const now = clock.now();
    if (bytesPerSecond === undefined) return now;
    this.#wireFreeAt = Math.max(this.#wireFreeAt, now) + (bytes.length / bytesPerSecond) * 1_000;
    return this.#wireFreeAt;
  }

  /** When something sent now arrives, behind everything sent before it. */
  #arrival(): number {
    this.#floor = Math.max(this.#floor, this.#options.clock.now() + this.#delay(), ...this.#late.values());
    this.#late.clear();
    return this.#floor;
  }

  /** As `#arrival` for a message, but one chosen to be late lets other channels pass, never its own. */
  #messageArrival(message: Message): number {
    const { random, conditions } = this.#options;
    const { reorder, latencyMs, jitterMs } = conditions();
    const { channelId } = message;
    const late = this.#late.get(channelId) ?? 0;
    const at = Math.max(this.#floor, late, this.#carriedAt(message) + this.#delay());
    if (reorder > 0 && random() < reorder) {
      const later = at + random() * (latencyMs + jitterMs);
      this.#late.set(channelId, later);
      return later;
    }
    if (late > this.#floor) this.#late.set(channelId, at);
    else this.#floor = at;
    return at;
  }

  #post(item: Item, dueAt: number): void {
    let index = this.#inFlight.length;
    while (index > 0 && this.#inFlight[index - 1]!.dueAt > dueAt) index--;
    this.#inFlight.splice(index, 0, { item, dueAt });
    this.#deliverDue();
  }

  #deliverDue(): void {
    const now = this.#options.clock.now();
    for (let first = this.#inFlight[0]; first && first.dueAt <= now && !this.#options.isClosed(); first = this.#inFlight[0]) {
      this.#inFlight.shift();
      this.#arrive(first.item);
    }
    this.#rearm();
  }

  #arrive(item: Item): void {
    const reader = this.#reader;
    if (!reader) return;
    switch (item.kind) {
      case 'greeting':
        return reader.greeted(item.greeting);
      case 'end':
        return reader.ended(item.error, item.drop);
      case 'ping':
      case 'pong':
        return reader.probed(item.kind);
      case 'message':
        this.#unread.push(item.message);
        return reader.arrived();
    }
  }

  /** Keeps one timer, for the first parcel. */
  #rearm(): void {
    const { clock } = this.#options;
    const first = this.#reader && !this.#options.isClosed() ? this.#inFlight[0] : undefined;
    if (first && first.dueAt === this.#timerAt) return;
    clock.clearTimeout(this.#timer);
    this.#timerAt = first?.dueAt;
    this.#timer = first && clock.setTimeout(() => this.#fired(), Math.max(0, first.dueAt - clock.now()));
  }

  #fired(): void {
    this.#timerAt = undefined;
    this.#deliverDue();
  }
}
