/** Which strangers may begin a handshake. Decided on their address alone, before a byte is read; who is refused is closed at once, never parked. */
import { ipScope, networkGroup } from '../../proto/address.ts';
import type { HandshakeOptions } from '../../proto/options.ts';
import type { Clock } from '../clock.ts';
import { TokenBucket } from './token-bucket.ts';

/** Addresses whose rate is remembered, at most; one that has been quiet until its bucket is full again is forgotten. */
const maxRememberedIps = 10_000;

/** Why a socket was closed as soon as it was accepted. */
const rejections = ['pending', 'pendingPerIp', 'pendingPerNet', 'startRate', 'startRatePerIp'] as const;
/** One of the closed list of reasons for refusing a socket. */
export type Rejection = (typeof rejections)[number];

/** Counts the handshakes under way and the rate at which they begin. */
export class Admission {
  readonly #options: HandshakeOptions;
  readonly #clock: Clock;
  readonly #loopbackIsPublic: boolean;
  readonly #rate: TokenBucket;
  readonly #rateOfIp = new Map<string, TokenBucket>();
  readonly #pendingOfIp = new Map<string, number>();
  readonly #pendingOfNet = new Map<string, number>();
  readonly #rejected = new Map<Rejection, number>(rejections.map((reason) => [reason, 0]));
  #pending = 0;

  constructor(options: HandshakeOptions, clock: Clock, loopbackIsPublic: boolean) {
    this.#options = options;
    this.#clock = clock;
    this.#loopbackIsPublic = loopbackIsPublic;
    this.#rate = new TokenBucket(options.startRate, options.startRate * 2, clock.now());
  }

  /** Inbound handshakes under way. */
  get pending(): number {
    return this.#pending;
  }

  /** Addresses whose rate is remembered now. */
  get remembered(): number {
    return this.#rateOfIp.size;
  }

  /** How many were refused, by reason. */
  get rejected(): ReadonlyMap<Rejection, number> {
    return this.#rejected;
  }

  /** Gives a place to a remote of this address, to be released once; undefined if there is none for it, which is counted. */
  admit(ip: string): (() => void) | undefined {
    const spared = !this.#loopbackIsPublic && ipScope(ip) === 'loopback';
    const net = networkGroup(ip, 'net');
    const reason = this.#refusal(ip, net, spared);
    if (reason !== undefined) {
      this.#rejected.set(reason, this.#rejected.get(reason)! + 1);
      return undefined;
    }
    this.#pending++;
    if (!spared) this.#count(ip, net, 1);
    let released = false;
    return () => {
      if (released) return;
      released = true;
      this.#pending--;
      if (!spared) this.#count(ip, net, -1);
    };
  }

  #refusal(ip: string, net: string, spared: boolean): Rejection | undefined {
    const { maxPending, maxPendingPerIp, maxPendingPerNet } = this.#options;
    if (this.#pending >= maxPending) return 'pending';
    if (spared) return undefined;
    if ((this.#pendingOfIp.get(ip) ?? 0) >= maxPendingPerIp) return 'pendingPerIp';
    if ((this.#pendingOfNet.get(net) ?? 0) >= maxPendingPerNet) return 'pendingPerNet';
    const now = this.#clock.now();
    const ofIp = this.#bucketOf(ip, now);
    if (ofIp.available(now) < 1) return 'startRatePerIp';
    if (this.#rate.available(now) < 1) return 'startRate';
    ofIp.take(1);
    this.#rate.take(1);
    return undefined;
  }

  #bucketOf(ip: string, now: number): TokenBucket {
    const { startRatePerIp } = this.#options;
    const bucket = this.#rateOfIp.get(ip) ?? new TokenBucket(startRatePerIp, startRatePerIp, now);
    // Kept in the order of their last use, so that only those at the front need to be looked at.
    this.#rateOfIp.delete(ip);
    for (const [quiet, known] of this.#rateOfIp) {
      if (!known.isFull(now) && this.#rateOfIp.size < maxRememberedIps) break;
      this.#rateOfIp.delete(quiet);
    }
    this.#rateOfIp.set(ip, bucket);
    return bucket;
  }

  #count(ip: string, net: string, change: number): void {
    add(this.#pendingOfIp, ip, change);
    add(this.#pendingOfNet, net, change);
  }
}

function add(counts: Map<string, number>, key: string, change: number): void {
  const count = (counts.get(key) ?? 0) + change;
  if (count > 0) counts.set(key, count);
  else counts.delete(key);
}
