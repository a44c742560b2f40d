/** Rates of messages: how many a channel takes from one peer, and how many it sends to one. Time comes from the clock, and only who is over its rate waits. */
import { TroupeError } from '../proto/errors.ts';
import type { NodeId } from '../proto/identity.ts';
import type { Clock, TimerHandle } from '../transports/clock.ts';
import { TokenBucket } from '../transports/token-bucket.ts';
import { Standstill } from './standstill.ts';

/** A rate of messages for each peer by itself. */
type Rate = Readonly<{
  /** Messages a second. */
  messages: number;
  /** Messages at once after a quiet time; ten seconds' worth if left out, at least 1. */
  burst?: number;
}>;

/** What a channel takes from one peer. Answers to requests of ours are not counted. */
export type ReceiveRate = Rate &
  Readonly<{
    /**
     * What becomes of a message above it: `drop` (the default) drops it, `report` also reports its sender as `flooding`, once a second at most, and
     * `wait` reads nothing more from that peer until its time has come.
     */
    over?: 'drop' | 'report' | 'wait';
  }>;

/** What a channel sends to one peer. */
export type SendRate = Rate &
  Readonly<{
    /** A message above it waits in the queue of the peer until its time has come (`wait`, the default), or is dropped (`drop`). */
    over?: 'wait' | 'drop';
  }>;

const burstSeconds = 10;
/** A bucket unused for this long is forgotten. */
const unusedMs = 60_000;
/** Peers whose rate is remembered, at most, gone ones included; about 200 bytes each. */
const maxRemembered = 10_000;
const reportIntervalMs = 1_000;
/**
 * Time between two looks at whether we stand still, in milliseconds: a quarter of what a burst makes up for, so that a standstill too short to be
 * noticed is within it; and which part of that time a look may be late.
 */
const [mostLookMs, leastLookMs, lateShare] = [1_000, 50, 0.2];

/** @throws TroupeError `ERR_OPTION_INVALID` when a rate is no positive number, or its burst holds no message. */
export function checkRate(rate: ReceiveRate | SendRate | undefined, name: string): void {
  if (!rate) return;
  const { messages, burst = 1 } = rate;
  if (!Number.isFinite(messages) || messages <= 0) throw new TroupeError('ERR_OPTION_INVALID', `${name}.messages must be above 0`);
  if (!Number.isFinite(burst) || burst < 1) throw new TroupeError('ERR_OPTION_INVALID', `${name}.burst must be 1 or more`);
}

function bucketOf({ messages, burst = Math.max(1, messages * burstSeconds) }: Rate, now: number): TokenBucket {
  return new TokenBucket(messages, burst, now);
}

type Bucket = { readonly tokens: TokenBucket; usedAt: number; reportedAt: number };

/** What one channel takes from its peers, by id, so that a reconnect gains nothing. */
export class ReceiveRates {
  readonly #rate: ReceiveRate;
  readonly #clock: Clock;
  /** In the order of their last use. */
  readonly #buckets = new Map<NodeId, Bucket>();
  readonly #introducedAt: (id: NodeId) => number | undefined;
  readonly #lookMs: number;
  readonly #standstill: Standstill;
  #timer: TimerHandle;

  /** `introducedAt` tells when a peer could begin to send: what came in while we stood still after that is counted as if it had been read in time. */
  constructor(rate: ReceiveRate, clock: Clock, introducedAt: (id: NodeId) => number | undefined) {
    const { messages, burst = messages * burstSeconds } = rate;
    this.#rate = rate;
    this.#clock = clock;
    this.#introducedAt = introducedAt;
    this.#lookMs = Math.max(leastLookMs, Math.min(mostLookMs, (burst / messages) * 250));
    this.#standstill = new Standstill(this.#lookMs, this.#lookMs * lateShare, clock.now());
    this.#lookLater();
  }

  /** Whether a message above the rate waits for its time. */
  get waits(): boolean {
    return this.#rate.over === 'wait';
  }

  /** Peers remembered now. */
  get size(): number {
    return this.#buckets.size;
  }

  /** Counts a message of a peer: 0 when it is within its rate, else the milliseconds until it is; for a rate that waits it is owed from here on. */
  count(from: NodeId): number {
    const now = this.#clock.now();
    const unreadSince = this.#standstill.isFelt(now) ? this.#standstill.sentAt(now, this.#introducedAt(from) ?? now) : now;
    const bucket = this.#use(from, now, unreadSince);
    const isOver = bucket.tokens.available(now, unreadSince) < 1;
    if (!isOver || this.waits) bucket.tokens.take(1);
    return isOver ? bucket.tokens.waitMs(this.waits ? 0 : 1, now) : 0;
  }

  /** Whether a peer that is over its rate is to be reported now. */
  isReportDue(from: NodeId): boolean {
    const bucket = this.#buckets.get(from);
    if (this.#rate.over !== 'report' || !bucket) return false;
    const now = this.#clock.now();
    if (now - bucket.reportedAt < reportIntervalMs) return false;
    bucket.reportedAt = now;
    return true;
  }

  close(): void {
    this.#clock.clearTimeout(this.#timer);
    this.#buckets.clear();
  }

  #use(from: NodeId, now: number, madeAt: number): Bucket {
    const bucket = this.#buckets.get(from) ?? { tokens: bucketOf(this.#rate, madeAt), usedAt: now, reportedAt: -Infinity };
    bucket.usedAt = now;
    this.#buckets.delete(from);
    this.#buckets.set(from, bucket);
    if (this.#buckets.size > maxRemembered) this.#forgetFirst();
    return bucket;
  }

  #forgetFirst(): void {
    for (const first of this.#buckets.keys()) return void this.#buckets.delete(first);
  }

  #lookLater(): void {
    this.#timer = this.#clock.setTimeout(() => {
      const now = this.#clock.now();
      this.#standstill.tick(now);
      this.#forgetUnused(now);
      this.#lookLater();
    }, this.#lookMs);
  }

  #forgetUnused(now: number): void {
    for (const [id, { usedAt }] of this.#buckets) {
      if (now - usedAt < unusedMs) return;
      this.#buckets.delete(id);
    }
  }
}

/** What one link sends, by channel: gone with the link. */
export class SendRates {
  readonly #rateOf: (channelId: number) => SendRate | undefined;
  readonly #clock: Clock;
  readonly #buckets = new Map<number, { readonly rate: SendRate; readonly tokens: TokenBucket }>();
  #soonestMs = Infinity;
  #timer: TimerHandle;

  constructor(rateOf: (channelId: number) => SendRate | undefined, clock: Clock) {
    this.#rateOf = rateOf;
    this.#clock = clock;
  }

  /** Whether a message may be queued: one of a channel that drops is counted here, one of a channel that waits when it leaves. */
  mayEnter(channelId: number): boolean {
    const rate = this.#rateOf(channelId);
    if (rate?.over !== 'drop') return true;
    const tokens = this.#tokens(channelId, rate);
    if (tokens.available(this.#clock.now()) < 1) return false;
    tokens.take(1);
    return true;
  }

  /** Whether the next message of a channel may leave the queue now. */
  mayLeave(channelId: number): boolean {
    const rate = this.#rateOf(channelId);
    if (!rate || rate.over === 'drop') return true;
    const tokens = this.#tokens(channelId, rate);
    const now = this.#clock.now();
    if (tokens.available(now) >= 1) return true;
    this.#soonestMs = Math.min(this.#soonestMs, tokens.waitMs(1, now));
    return false;
  }

  /** A message of a channel has left the queue. */
  left(channelId: number): void {
    const rate = this.#rateOf(channelId);
    if (rate && rate.over !== 'drop') this.#tokens(channelId, rate).take(1);
  }

  /** Calls back when the first of the channels that were held back since the last call may send again; never if none was. Replaces an earlier call. */
  onTurn(wake: () => void): void {
    this.#clock.clearTimeout(this.#timer);
    this.#timer = this.#soonestMs === Infinity ? undefined : this.#clock.setTimeout(wake, this.#soonestMs);
    this.#soonestMs = Infinity;
  }

  close(): void {
    this.#clock.clearTimeout(this.#timer);
  }

  #tokens(channelId: number, rate: SendRate): TokenBucket {
    const known = this.#buckets.get(channelId);
    // A channel that was opened anew may have another rate.
    if (known?.rate === rate) return known.tokens;
    const tokens = bucketOf(rate, this.#clock.now());
    this.#buckets.set(channelId, { rate, tokens });
    return tokens;
  }
}
