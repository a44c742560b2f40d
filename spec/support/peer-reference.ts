/**
 * One peer by the rules alone, on a page: what a manager must know of it after each event, and what it must ask for. It shares no code with the machine;
 * the figures are those of the records in `docs/adr` and of `docs/rules`.
 */
import { expect } from '@jest/globals';
import type { PeerSnapshot } from '../../machines/peer.ts';
import type { PeerContext, PeerEvent, PeerInput } from '../../machines/peer-context.ts';
import type { PeerEffect } from '../../machines/peer-live.ts';
import type { Behaviour } from '../../machines/policy/score.ts';
import {
  blameless,
  effectText,
  epochMs,
  faded,
  hour,
  penalties,
  same,
  second,
  seenOf,
  type Arrival,
  type Link,
  type Reason,
  type Side,
  type Verdict,
} from './peer-reckoning.ts';

/** See the module. */
export class PeerReference {
  readonly #persistent: boolean;
  readonly #lower: boolean;
  readonly #limits: PeerInput['retry'];
  #link: Link | undefined;
  #rival: (Link & { until: number }) | undefined;
  #leaving: string | undefined;
  #dialing = false;
  #cancelled = false;
  #failuresBefore = 0;
  #replacedAt = -Infinity;
  #rejection: { until: number; failures: number } | undefined;
  #eviction: 'none' | 'scheduled' | 'handedOut' = 'none';
  #held = false;
  #gone = false;
  #durable: boolean;
  #failures = 0;
  #notBefore = 0;
  #bannedUntil = 0;
  #strikes = 0;
  #inactiveUntil = 0;
  #dampedUntil = 0;
  #anchoredAt = 0;
  #disconnectedAt = -Infinity;
  #score = 0;
  #epoch: number;
  #useful = { hour: 0, count: 0 };
  /** What subscribers have been told last. */
  #told: 'up' | 'down' = 'down';
  #asked: PeerEffect[] = [];
  /** What it was known as when the last event came, and when that was. */
  #known = 'known';
  #heardAt = 0;

  constructor(input: PeerInput) {
    this.#persistent = input.peerClass !== 'ordinary';
    this.#lower = input.ownIdLower;
    this.#limits = input.retry;
    this.#durable = input.durable;
    this.#held = input.held;
    this.#epoch = Math.floor(input.now / epochMs);
  }

  /** An event, and what the peer asked for because of it. */
  hear(event: PeerEvent, asked: readonly PeerEffect[]): void {
    const { now } = event;
    this.#fade(now);
    this.#known = this.#knowledge(now);
    this.#heardAt = now;
    this.#asked = [];
    this.#decide(event, now);
    same(asked.map(effectText), this.#asked.map(effectText));
    for (const effect of asked) if (effect.type === 'publish') this.#told = effect.status;
  }

  /** What is left of it when it rests. */
  rest(input: PeerInput): void {
    if (this.#gone || !this.#durable) {
      [this.#failures, this.#notBefore, this.#bannedUntil, this.#strikes, this.#inactiveUntil, this.#score] = [0, 0, 0, 0, 0, 0];
      [this.#dampedUntil, this.#anchoredAt] = [0, 0];
      this.#disconnectedAt = -Infinity;
      this.#durable = false;
    }
    this.#gone = false;
    this.#replacedAt = -Infinity;
    this.#cancelled = false;
    this.#failuresBefore = 0;
    this.#useful = { hour: 0, count: 0 };
    expect(input.durable).toBe(this.#durable);
    expect(this.#told).toBe('down');
  }

  end(): void {
    expect([this.#link, this.#rival, this.#leaving, this.#dialing, this.#eviction, this.#told]).toEqual([
      undefined,
      undefined,
      undefined,
      false,
      'none',
      'down',
    ]);
  }

  /** The chart and what it knows are as the rules have it. */
  compare(snapshot: PeerSnapshot, now: number): void {
    const { context } = snapshot;
    this.#fade(now);
    const seen = seenOf(snapshot, now, { isLinked: this.#link !== undefined, isBanned: now < this.#bannedUntil });
    same(seen, {
      routing: this.#link ? (this.#link.up > 0 ? 'up' : 'connected') : 'none',
      rival: this.#rival ? 'held' : 'absent',
      eviction: this.#eviction,
      knowledge: this.#knowledge(now),
      dial: this.#dial(context, now),
      link: this.#link?.handle,
      side: this.#link?.side,
      held: this.#rival?.handle,
      until: this.#rival?.until,
      leaving: this.#leaving,
      score: now < this.#bannedUntil ? 'whatever' : this.#score,
      strikes: this.#strikes,
      bannedUntil: this.#bannedUntil,
      inactiveUntil: this.#inactiveUntil,
      dampedUntil: this.#dampedUntil,
      anchoredAt: this.#anchoredAt,
      durable: this.#durable,
      addresses: context.row.addresses.length === 0 ? [] : [[this.#failures, this.#notBefore]],
    });
  }

  /** A live peer hears of the end of its ban with the next event. */
  #knowledge(now: number): string {
    const at = this.#link || this.#dialing || this.#rejection ? this.#heardAt : now;
    return this.#gone ? 'forgotten' : at < this.#bannedUntil ? 'banned' : this.#held ? 'held' : 'known';
  }

  /** Whether it may be dialed is asked of a peer at rest only. */
  #dial(context: PeerContext, now: number): string {
    if (this.#dialing) return 'dialing';
    if (this.#rejection) return 'settling';
    return !this.#link && this.#dialableAt(context) > now ? 'waiting' : 'idle';
  }

  #dialableAt({ row }: PeerContext): number {
    if (row.addresses.length === 0) return Infinity;
    // A second address of the stories has never been dialed.
    const address = row.addresses.length > 1 ? 0 : this.#notBefore;
    return Math.max(address, this.#disconnectedAt + 2 * second, this.#inactiveUntil, this.#bannedUntil, this.#dampedUntil);
  }

  #decide(event: PeerEvent, now: number): void {
    switch (event.type) {
      case 'peer.addressAdded':
        [this.#gone, this.#durable] = [false, true];
        return;
      case 'peer.dial':
        [this.#dialing, this.#cancelled, this.#durable] = [true, false, true];
        return;
      case 'peer.dialFailed':
        [this.#dialing, this.#cancelled] = [false, false];
        // A dial cut short by a connection that came up meanwhile has not failed.
        if (!this.#link) this.#fail(this.#failures + 1, now);
        return;
      case 'peer.dialed':
        [this.#dialing, this.#failuresBefore, this.#failures, this.#notBefore] = [false, this.#failures, 0, 0];
        return this.#arrive(event, 'outbound');
      case 'peer.accepted':
        return this.#arrive(event, 'inbound');
      case 'peer.ready':
        return this.#ready(event.link, now);
      case 'peer.disconnected':
        return this.#end(event, now);
      case 'peer.due':
        return this.#due(now);
      case 'peer.reported':
        return this.#report(event.behaviour, now);
      case 'peer.evict':
        return this.#evict(event.reason);
      case 'peer.evicting':
        if (this.#eviction === 'scheduled') this.#eviction = 'handedOut';
        return;
      case 'peer.release':
        [this.#held, this.#gone, this.#cancelled, this.#rejection] = [false, false, false, undefined];
        [this.#inactiveUntil, this.#notBefore, this.#disconnectedAt] = [0, 0, -Infinity];
        return;
      case 'peer.dismiss':
        if (event.hold) this.#held = true;
        else this.#inactiveUntil = Math.max(this.#inactiveUntil, event.until);
        this.#cancelled = this.#dialing;
        return this.#evict('operator');
      case 'peer.forget':
        this.#gone = true;
        this.#held ||= event.hold;
        this.#cancelled = this.#dialing;
        return this.#evict('operator');
      case 'peer.ban':
        this.#ban(event.forMs, now);
        return this.#evict('banned');
    }
  }

  #verdict(side: Side, { arrival, room, now, dampedUntil = 0 }: Arrival): Verdict {
    const [link, rival] = [this.#link, this.#rival];
    if (this.#held || this.#gone || (this.#cancelled && side === 'outbound')) return 'operator';
    if (now < this.#bannedUntil) return 'banned';
    if (!link && now < Math.max(this.#dampedUntil, dampedUntil)) return 'flapping';
    if (!link) return room >= 1 ? 'route' : 'full';
    if (rival) return room >= 1 || (room === 0 && rival.side === side) ? 'hold' : 'full';
    const keeps =
      now - link.since > 40 * second
        ? 'replace'
        : link.side === side
          ? now - this.#replacedAt >= 10 * second && 'replace'
          : !arrival.ours
            ? 'hold'
            : (side === 'outbound') === this.#lower && 'replace';
    if (!keeps) return 'duplicate';
    return room >= 1 || (keeps === 'replace' && room === 0 && link.side === side) ? keeps : 'full';
  }

  #arrive(event: Arrival, side: Side): void {
    const { now } = event;
    const verdict = this.#verdict(side, event);
    const failuresBefore = side === 'outbound' ? this.#failuresBefore : 0;
    const link: Link = { handle: event.arrival.link, side, since: now, up: 0, failuresBefore, useful: false, hourEnd: 0, proven: false };
    const older = this.#link?.handle;
    const [route, hold] = [verdict === 'route' || verdict === 'replace', verdict === 'hold'];
    const ruling = route
      ? { verdict: 'route' as const, ...(older !== undefined && { replaces: older }) }
      : hold
        ? { verdict: 'hold' as const, older: older! }
        : { verdict: 'refuse' as const, reason: verdict as 'full', code: 'ERR_INTERNAL' as const };
    this.#asked.push({ type: 'answer', request: event.request, ruling });
    if (hold) {
      if (this.#rival) this.#settle(this.#rival.handle, 'duplicate');
      this.#rival = { ...link, until: this.#rival?.until ?? now + 8 * second };
    } else if (route) {
      if (this.#link?.side === side) this.#replacedAt = now;
      this.#leave();
      this.#take(link);
    } else {
      this.#cancelled = false;
      // A dial that finds no slot is not made again at once.
      if (verdict === 'full' && side === 'outbound') this.#disconnectedAt = now;
      if (verdict === 'flapping' && event.dampedUntil !== undefined) [this.#dampedUntil, this.#durable] = [event.dampedUntil, true];
    }
  }

  #take(link: Link): void {
    [this.#link, this.#rival, this.#eviction] = [link, undefined, 'none'];
  }

  /** A replaced link that was up goes down in the eyes of others before the next comes up. */
  #leave(): void {
    if (this.#link && this.#link.up > 0) this.#leaving = this.#link.handle;
  }

  #settle(link: string, outcome: Reason | { replaces?: string }): void {
    const ruling =
      typeof outcome === 'string'
        ? { verdict: 'refuse' as const, reason: outcome, code: 'ERR_INTERNAL' as const }
        : { verdict: 'route' as const, ...outcome };
    this.#asked.push({ type: 'settle', link, ruling });
  }

  #publish(status: 'up' | 'down'): void {
    this.#asked.push({ type: 'publish', status, channels: [] });
  }

  #ready(handle: string, now: number): void {
    if (this.#link?.handle !== handle || this.#link.up > 0) return;
    if (this.#leaving !== undefined) this.#publish('down');
    [this.#leaving, this.#rejection] = [undefined, undefined];
    [this.#link.up, this.#link.hourEnd] = [now, now + hour];
    this.#publish('up');
  }

  #end({ link: handle, reason }: Extract<PeerEvent, { type: 'peer.disconnected' }>, now: number): void {
    const [link, rival] = [this.#link, this.#rival];
    if (handle === this.#leaving && link?.handle !== handle) {
      this.#leaving = undefined;
      return this.#publish('down');
    }
    if (handle === rival?.handle) return void (this.#rival = undefined);
    if (!link || handle !== link.handle) return;
    if (link.up > 0 || (this.#leaving !== undefined && !rival)) this.#publish('down');
    if (rival) {
      this.#settle(rival.handle, {});
      return this.#take({ ...rival, since: now });
    }
    [this.#link, this.#leaving, this.#eviction, this.#disconnectedAt] = [undefined, undefined, 'none', now];
    const { side, since, failuresBefore } = link;
    if (link.proven && this.#score >= 0) this.#anchor(link, now);
    if (side === 'inbound') return;
    if (reason === 'rejected') {
      if (!this.#dialing) this.#rejection = { until: now + 2 * second, failures: failuresBefore + 1 };
    } else if (now - since < 10 * second && !blameless.includes(reason)) this.#fail(failuresBefore + 1, now);
  }

  #due(now: number): void {
    const [link, rival] = [this.#link, this.#rival];
    if (this.#rejection && !link && !this.#dialing && now >= this.#rejection.until) {
      this.#fail(this.#rejection.failures, now, this.#persistent ? 30 * second : undefined);
      this.#rejection = undefined;
    }
    if (link && link.up > 0) {
      if (!link.proven && (link.side === 'outbound' || !this.#durable) && now >= link.up + 60 * second && this.#score >= 0) {
        [this.#durable, link.proven] = [true, true];
        this.#anchor(link, now);
      } else if (now >= link.hourEnd) {
        if (link.useful) this.#reward(2);
        [link.useful, link.hourEnd] = [false, now + hour];
        if (link.proven) this.#anchor(link, now);
      }
    }
    if (!link || !rival || now < rival.until) return;
    if (link.side !== rival.side && (rival.side === 'outbound') !== this.#lower) {
      this.#settle(rival.handle, 'duplicate');
      this.#rival = undefined;
      return;
    }
    this.#settle(rival.handle, { replaces: link.handle });
    this.#leave();
    this.#take({ ...rival, since: now });
  }

  #evict(reason: Reason): void {
    if (this.#rival) this.#settle(this.#rival.handle, reason);
    this.#rival = undefined;
    if (this.#link && this.#eviction === 'none') {
      this.#asked.push({ type: 'closeLink', link: this.#link.handle, reason });
      this.#eviction = 'scheduled';
    }
  }

  /** Twice the wait for each failure up to a limit, and of that as much as the die says. */
  #fail(failures: number, now: number, atMost?: number): void {
    const cap = Math.min(atMost ?? Infinity, this.#persistent ? this.#limits.maxRetryPersistentMs : this.#limits.maxRetryMs);
    let span = this.#limits.minRetryMs;
    for (let doubled = 1; doubled < failures && span < cap; doubled++) span *= 2;
    [this.#failures, this.#notBefore] = [failures, now + Math.max(1, Math.ceil(Math.min(span, cap) / 2))];
  }

  /** Good outbound peers are the first to be dialed after a restart. */
  #anchor(link: Link, now: number): void {
    if (link.side === 'outbound') this.#anchoredAt = now;
  }

  #reward(points: number): void {
    this.#score = Math.min(100, this.#score + points);
  }

  #report(behaviour: Behaviour, now: number): void {
    // Nobody judges who is banned or gone.
    if (this.#known === 'banned' || this.#known === 'forgotten') return;
    if (behaviour === 'useful') {
      if (this.#link) this.#link.useful = true;
      const thisHour = Math.floor(now / hour);
      if (this.#useful.hour !== thisHour) this.#useful = { hour: thisHour, count: 0 };
      if (this.#useful.count++ < 20) this.#reward(1);
      return;
    }
    const [points, floor, disconnects] = penalties[behaviour];
    const [before, base] = [this.#score, Math.min(this.#score, 0)];
    this.#score = base <= floor ? base : Math.max(floor, base - points);
    if (this.#score > -50) {
      if (disconnects) this.#evict('misbehaved');
    } else if (!this.#persistent) {
      this.#ban(Math.min(30 * 24 * hour, hour * 2 ** this.#strikes), now);
      this.#evict('banned');
    } else if (disconnects || this.#score !== before) {
      this.#inactiveUntil = now + Math.min(300 * second, 15 * second * 2 ** this.#strikes);
      this.#strikes += 1;
      this.#evict('misbehaved');
    }
  }

  #ban(forMs: number, now: number): void {
    this.#score = Math.min(-50, this.#score);
    this.#strikes += 1;
    [this.#bannedUntil, this.#durable] = [now + forMs, true];
  }

  /** Halves the score at each epoch; a ban that has ended leaves -25, which fades from the ban's end. */
  #fade(now: number): void {
    [this.#score, this.#epoch] = faded({ score: this.#score, epoch: this.#epoch, bannedUntil: this.#bannedUntil }, now);
  }
}
