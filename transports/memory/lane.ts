/** One direction of a connection in memory: a bounded wire with delay, loss and reordering, and the remote's unread messages at its end. */
import type { TroupeError } from '../../proto/errors.ts';
import type { Clock, Random, TimerHandle } from '../clock.ts';
import type { Message } from '../transport.ts';

/** How a lane treats what it carries; durations in milliseconds, chances from 0 to 1. */
export type LaneOptions = Readonly<{
  clock: Clock;
  random: Random;
  latencyMs: number;
  jitterMs: number;
  loss: number;
  reorder: number;
  bufferMessages: number;
  bufferBytes: number;
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

/** What the network counts. */
export type Tally = { sent: number; delivered: number; lost: number };

/** Writes at one end, reads at the other. In flight and unread together never exceed the buffer; beyond it, one message a channel is held for the writer. */
export class Lane {
  readonly #options: LaneOptions;
  readonly #tally: Tally;
  readonly #isCut: () => boolean;
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
  #over = false;
  #drained: (() => void) | undefined;

  constructor(options: LaneOptions, tally: Tally, isCut: () => boolean) {
    this.#options = options;
    this.#tally = tally;
    this.#isCut = isCut;
  }

  /** Names the reader; once, before anything is written. */
  attach(reader: LaneReader): void {
    this.#reader = reader;
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
    const { loss, random } = this.#options;
    if (loss > 0 && random() < loss) {
      this.#tally.lost++;
      return;
    }
    this.#used++;
    this.#usedBytes += message.bytes.length;
    this.#post({ kind: 'message', message }, this.#messageArrival(message.channelId));
  }

  #release(message: Message): void {
    this.#used--;
    this.#usedBytes -= message.bytes.length;
    for (const [channelId, held] of this.#held) {
      if (!this.#hasRoom(held.message)) break;
      this.#held.delete(channelId);
      this.#launch(held.message);
      held.resolve();
    }
    if (this.#held.size === 0) {
      this.#drained?.();
      this.#drained = undefined;
    }
  }

  #delay(): number {
    const { latencyMs, jitterMs, random } = this.#options;
    return jitterMs > 0 ? latencyMs + random() * jitterMs : latencyMs;
  }

  /** When something sent now arrives, behind everything sent before it. */
  #arrival(): number {
    this.#floor = Math.max(this.#floor, this.#options.clock.now() + this.#delay(), ...this.#late.values());
    this.#late.clear();
    return this.#floor;
  }

  /** As `#arrival` for a message, but one chosen to be late lets other channels pass, never its own. */
  #messageArrival(channelId: number): number {
    const { clock, random, reorder, latencyMs, jitterMs } = this.#options;
    const late = this.#late.get(channelId) ?? 0;
    const at = Math.max(this.#floor, late, clock.now() + this.#delay());
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
    for (let first = this.#inFlight[0]; first && first.dueAt <= now && !this.#isCut(); first = this.#inFlight[0]) {
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
    const first = this.#isCut() ? undefined : this.#inFlight[0];
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
