/** Which strangers may begin a handshake. Decided on their address alone, before a byte is read; who is refused is closed at once, never parked. */
import { ipScope, networkGroup } from '../../proto/address.ts';
import type { HandshakeOptions } from '../../proto/options.ts';
import type { Clock } from '../clock.ts';
import { TokenBucket } from '../token-bucket.ts';

/** Addresses (of IPv6 the /64 that one host has to itself) whose rate is remembered, at most; one that has been quiet until its bucket is full again is forgotten. */
const maxRememberedHosts = 10_000;

/** Why a socket was closed as soon as it was accepted. */
const rejections = ['sockets', 'pending', 'pendingPerIp', 'pendingPerNet', 'startRate', 'startRatePerIp'] as const;
/** One of the closed list of reasons for refusing a socket. */
export type Rejection = (typeof rejections)[number];

export type AdmissionParts = Readonly<{
  handshake: HandshakeOptions;
  clock: Clock;
  /** Applies to loopback the limits that spare it. */
  loopbackIsPublic: boolean;
  /** Connections at once, ours included, beyond which no stranger is taken. */
  maxSockets: number;
}>;

/** Counts the handshakes under way and the rate at which they begin. */
export class Admission {
  readonly #options: HandshakeOptions;
  readonly #clock: Clock;
  readonly #loopbackIsPublic: boolean;
  readonly #maxSockets: number;
  readonly #rate: TokenBucket;
  readonly #rateOfHost = new Map<string, TokenBucket>();
  readonly #pendingOfHost = new Map<string, number>();
  readonly #pendingOfNet = new Map<string, number>();
  readonly #rejected = new Map<Rejection, number>(rejections.map((reason) => [reason, 0]));
  #pending = 0;
  #sockets = 0;

  constructor({ handshake, clock, loopbackIsPublic, maxSockets }: AdmissionParts) {
    this.#options = handshake;
    this.#maxSockets = maxSockets;
    this.#clock = clock;
    this.#loopbackIsPublic = loopbackIsPublic;
    this.#rate = new TokenBucket(handshake.startRate, handshake.startRate * 2, clock.now());
  }

  /** Inbound handshakes under way. */
  get pending(): number {
    return this.#pending;
  }

  /** Connections there are now. */
  get sockets(): number {
    return this.#sockets;
  }

  /** Addresses whose rate is remembered now. */
  get remembered(): number {
    return this.#rateOfHost.size;
  }

  /** How many were refused, by reason. */
  get rejected(): ReadonlyMap<Rejection, number> {
    return this.#rejected;
  }

  /** Gives a place to a remote of this address, to be released once; undefined if there is none for it, which is counted. */
  admit(ip: string): (() => void) | undefined {
    const spared = !this.#loopbackIsPublic && ipScope(ip) === 'loopback';
    const host = networkGroup(ip, 'host');
    const net = networkGroup(ip, 'net');
    const reason = this.#refusal(host, net, spared);
    if (reason !== undefined) {
      this.#rejected.set(reason, this.#rejected.get(reason)! + 1);
      return undefined;
    }
    this.#pending++;
    if (!spared) this.#count(host, net, 1);
    let released = false;
    return () => {
      if (released) return;
      released = true;
      this.#pending--;
      if (!spared) this.#count(host, net, -1);
    };
  }

  /** A connection has been made, in either direction; call what it gives once, when that is gone. */
  countSocket(): () => void {
    this.#sockets++;
    return () => {
      this.#sockets--;
    };
  }

  #refusal(host: string, net: string, spared: boolean): Rejection | undefined {
    const { maxPending, maxPendingPerIp, maxPendingPerNet } = this.#options;
    if (this.#sockets >= this.#maxSockets) return 'sockets';
    if (this.#pending >= maxPending) return 'pending';
    if (spared) return undefined;
    if ((this.#pendingOfHost.get(host) ?? 0) >= maxPendingPerIp) return 'pendingPerIp';
    if ((this.#pendingOfNet.get(net) ?? 0) >= maxPendingPerNet) return 'pendingPerNet';
    const now = this.#clock.now();
    const ofHost = this.#bucketOf(host, now);
    if (ofHost.available(now) < 1) return 'startRatePerIp';
    if (this.#rate.available(now) < 1) return 'startRate';
    ofHost.take(1);
    this.#rate.take(1);
    return undefined;
  }

  #bucketOf(host: string, now: number): TokenBucket {
    const { startRatePerIp } = this.#options;
    const bucket = this.#rateOfHost.get(host) ?? new TokenBucket(startRatePerIp, startRatePerIp, now);
    // Kept in the order of their last use, so that only those at the front need to be looked at.
    this.#rateOfHost.delete(host);
    for (const [quiet, known] of this.#rateOfHost) {
      if (!known.isFull(now) && this.#rateOfHost.size < maxRememberedHosts) break;
      this.#rateOfHost.delete(quiet);
    }
    this.#rateOfHost.set(host, bucket);
    return bucket;
  }

  #count(host: string, net: string, change: number): void {
    add(this.#pendingOfHost, host, change);
    add(this.#pendingOfNet, net, change);
  }
}

function add(counts: Map<string, number>, key: string, change: number): void {
  const count = (counts.get(key) ?? 0) + change;
  if (count > 0) counts.set(key, count);
  else counts.delete(key);
}
