/** Pings and pongs of one connection: whether the remote is alive, how far away it is, and our answers to its pings. */
import { TroupeError } from '../../proto/errors.ts';
import type { LinkOptions } from '../../proto/options.ts';
import type { Clock, TimerHandle } from '../clock.ts';
import type { Wait, Waits } from './waits.ts';

/** Pongs are no closer than this; pings between two of them are answered together. */
const pongIntervalMs = 1_000;
/** Our own pings are no closer than this, because peers count them: ours drops a peer after 30 in a minute. */
const pingSpacingMs = 2_500;

/** What liveness needs: the two packets, and the time by which a remote is judged, which stands still while we leave the socket unread. */
export type LivenessParts = Readonly<{
  clock: Clock;
  options: LinkOptions;
  waits: Waits;
  sendPing: () => void;
  sendPong: () => void;
  readingNow: () => number;
  heardAt: () => number;
  fail: (error: unknown) => void;
}>;

/** Pings at an interval. A remote that answered no ping in time *and* sent no packet at all for long is dead; either alone proves nothing. */
export class Liveness {
  readonly #parts: LivenessParts;
  #asked: readonly Wait<number>[] = [];
  #pingTimer: TimerHandle;
  #judgeTimer: TimerHandle;
  #pongTimer: TimerHandle;
  /** When the oldest ping without a pong was sent. */
  #unansweredAt: number | undefined;
  #pingedAt = -Infinity;
  #pongedAt = -Infinity;
  #roundTripMs: number | undefined;
  #closed = false;

  constructor(parts: LivenessParts) {
    this.#parts = parts;
    this.#pingLater(parts.options.pingIntervalMs);
  }

  get roundTripMs(): number | undefined {
    return this.#roundTripMs;
  }

  /** The time in milliseconds until the remote answers a ping sent now, or the one that is unanswered. */
  ping(signal: AbortSignal): Promise<number> {
    const wait = this.#parts.waits.add<number>(signal);
    this.#asked = [...this.#asked.filter(({ pending }) => pending), wait];
    if (this.#unansweredAt === undefined) {
      const soonest = this.#pingedAt + pingSpacingMs - this.#parts.clock.now();
      if (soonest <= 0) this.#ping();
      else this.#pingLater(soonest);
    }
    return wait.promise;
  }

  /** A ping has come: the first pong leaves at once, further ones are spaced and stand for all pings before them. */
  pinged(): void {
    if (this.#closed || this.#pongTimer !== undefined) return;
    const { clock } = this.#parts;
    const waitMs = this.#pongedAt + pongIntervalMs - clock.now();
    if (waitMs <= 0) return this.#pong();
    this.#pongTimer = clock.setTimeout(() => this.#pong(), waitMs);
  }

  /** A pong has come: it answers every ping before it; one that nobody asked for says nothing. */
  ponged(): void {
    if (this.#unansweredAt === undefined) return;
    const { clock } = this.#parts;
    this.#roundTripMs = clock.now() - this.#unansweredAt;
    this.#unansweredAt = undefined;
    clock.clearTimeout(this.#judgeTimer);
    for (const wait of this.#asked) if (wait.pending) wait.settle(this.#roundTripMs);
    this.#asked = [];
  }

  close(): void {
    this.#closed = true;
    const { clock } = this.#parts;
    for (const timer of [this.#pingTimer, this.#judgeTimer, this.#pongTimer]) clock.clearTimeout(timer);
  }

  #pong(): void {
    this.#pongTimer = undefined;
    this.#pongedAt = this.#parts.clock.now();
    this.#parts.sendPong();
  }

  #pingLater(ms: number): void {
    const { clock } = this.#parts;
    clock.clearTimeout(this.#pingTimer);
    this.#pingTimer = clock.setTimeout(() => this.#ping(), ms);
  }

  #ping(): void {
    const { clock, options, sendPing } = this.#parts;
    const now = clock.now();
    this.#pingedAt = now;
    if (this.#unansweredAt === undefined) {
      this.#unansweredAt = now;
      this.#judgeLater(options.pongTimeoutMs);
    }
    sendPing();
    this.#pingLater(options.pingIntervalMs);
  }

  #judgeLater(ms: number): void {
    const { clock } = this.#parts;
    clock.clearTimeout(this.#judgeTimer);
    // The verdict waits for one turn of the event loop: after a stall of ours, what has come in meanwhile is read first.
    this.#judgeTimer = clock.setTimeout(() => setImmediate(() => this.#judge()), ms);
  }

  #judge(): void {
    if (this.#closed || this.#unansweredAt === undefined) return;
    const { fail, heardAt, options, readingNow } = this.#parts;
    const quietMs = readingNow() - heardAt();
    if (quietMs >= options.silenceMs) fail(new TroupeError('ERR_CONNECTION_SILENT', `${Math.floor(quietMs)} ms`));
    else this.#judgeLater(options.silenceMs - quietMs);
  }
}
