/** A manager beside the page-long reference that its model checks it against: what a well-behaved router knows of dials and links, and nothing else. */
import { expect } from '@jest/globals';
import { TroupeError, type DisconnectReason } from '../../proto/errors.ts';
import type { NodeAddress } from '../../proto/address.ts';
import type { NodeId } from '../../proto/identity.ts';
import { dialerOptions, parseOptions } from '../../proto/options.ts';
import { bookOf, rested } from '../../machines/peer-book.ts';
import { emptyCrowd } from '../../machines/peer-footprint.ts';
import type { ManagerContext } from '../../machines/peer-manager-context.ts';
import type { PeerRow } from '../../machines/peer-row.ts';
import { clamped } from '../../machines/policy/retry.ts';
import { itemsOf, sizeOf } from '../../machines/policy/tree.ts';
import type { PeerEvent } from '../../actors/peer-manager.ts';
import { memoryStore } from '../../actors/stores/memory.ts';
import { ManagerHarness, addressOf, idOf } from './manager.ts';
import { seededRandom } from './random.ts';
import { settle, VirtualClock } from './virtual-clock.ts';

const own = '7';
export const strangers = Array.from('abcde12');
export const persistent = 'f';
const unconditional = '0';
export const digits = [...strangers, persistent, unconditional];
export const slots = { inbound: 2, outbound: 3, upgrade: 2 };
/** One outbound slot is set aside for the persistent peer. */
export const budget = { inbound: slots.inbound, outbound: slots.outbound - 1 };
const maxPeers = 8;
const isUnconditional = (row: PeerRow): boolean => row.id[0] === unconditional;

export type Link = {
  readonly digit: string;
  readonly direction: 'inbound' | 'outbound';
  stage: 'held' | 'routed' | 'up';
  heldSince: number;
};

/** A clock whose wall time somebody sets. */
class WallClock extends VirtualClock {
  stepMs = 0;
  override wallNow(): number {
    return super.wallNow() + this.stepMs;
  }
}

/** What the router knows, and what must follow from it. */
export class World {
  readonly #dice: number;
  readonly #clock = new WallClock();
  readonly #store = memoryStore();
  /** Wall time of the manager when the clock was at 0: it does not follow the wall clock. */
  #anchorMs = 0;
  harness!: ManagerHarness;
  readonly links = new Map<string, Link>();
  readonly dialing = new Map<string, NodeAddress>();
  readonly held = new Set<string>();
  /** Removed by the operator: not known any more as soon as they rest, unless an address comes back. */
  readonly removed = new Set<string>();
  readonly up = new Map<NodeId, boolean>();
  #updates!: AsyncIterator<PeerEvent>;
  #reading: Promise<IteratorResult<PeerEvent>> | undefined;

  constructor(dice: number) {
    this.#dice = dice;
    this.boot();
  }

  /** A new process over the same store. */
  boot(): void {
    this.#anchorMs = this.#clock.wallNow() - this.#clock.now();
    this.harness = new ManagerHarness({
      own,
      slots,
      storeOptions: { maxPeers },
      store: this.#store,
      clock: this.#clock,
      random: seededRandom(this.#dice),
      persistent: [addressOf(persistent)],
      unconditionalIds: [idOf(unconditional)],
    });
    this.#updates = this.harness.manager.peers.updates()[Symbol.asyncIterator]();
    this.#reading = undefined;
  }

  get now(): number {
    return this.#anchorMs + this.#clock.now();
  }

  stepWall(ms: number): void {
    this.#clock.stepMs += ms;
  }

  get manager() {
    return this.harness.manager;
  }

  get context(): ManagerContext {
    return (this.harness.actor.getSnapshot() as { context: ManagerContext }).context;
  }

  ofPeer(digit: string): readonly [string, Link][] {
    return [...this.links].filter(([, link]) => link.digit === digit);
  }

  /** The router closes a link and reports it, which may route the one that was held beside it. */
  async end(handle: string, reason: DisconnectReason): Promise<void> {
    const link = this.links.get(handle)!;
    this.links.delete(handle);
    this.manager.disconnected(idOf(link.digit), handle, reason);
    await this.settleHeld();
  }

  /** Asks for the rulings that have been made, and does as they say. */
  async settleHeld(): Promise<void> {
    for (const [handle, link] of [...this.links]) {
      if (link.stage !== 'held' || !this.links.has(handle)) continue;
      const abort = new AbortController();
      const asked = this.manager.settled(handle, abort.signal).catch(() => undefined);
      await settle(1);
      abort.abort(new Error('later'));
      const ruling = await asked;
      if (!ruling) continue;
      if (ruling.verdict === 'refuse') {
        this.links.delete(handle);
        this.manager.disconnected(idOf(link.digit), handle, 'duplicate');
      } else if (ruling.verdict === 'route') {
        await this.routed(handle, link, ruling.replaces);
      }
    }
  }

  async routed(handle: string, link: Link, replaces: string | undefined): Promise<void> {
    if (replaces !== undefined) {
      this.links.delete(replaces);
      this.manager.disconnected(idOf(link.digit), replaces, 'duplicate');
    }
    link.stage = 'routed';
    this.links.set(handle, link);
  }

  async arrived(digit: string, direction: Link['direction'], admission: ReturnType<ManagerHarness['accepted']>): Promise<void> {
    const contested = this.ofPeer(digit).find(([, each]) => each.stage === 'held')?.[1];
    const heldSince = contested?.heldSince ?? this.harness.clock.now();
    const link: Link = { digit, direction, stage: 'held', heldSince };
    if (admission.verdict === 'route') await this.routed(admission.link, link, admission.replaces);
    if (admission.verdict === 'hold') this.links.set(admission.link, link);
    await this.settleHeld();
  }

  /** Peers that are to be dialed now, by their rows alone. */
  eligible(): { persistent: boolean; ordinary: boolean; upgrade: boolean } {
    const { now } = this;
    const due = [...itemsOf(this.context.book.rows)].filter((row) => {
      const digit = row.id[0]!;
      if (this.dialing.has(digit) || this.ofPeer(digit).length > 0 || this.held.has(digit)) return false;
      if (this.manager.peers.explain(row.id).sentence.startsWith('It closed')) return false;
      const cool = row.lastDisconnected > 0 && row.lastDisconnected + 2_000 > now;
      return (
        !cool &&
        row.inactiveUntil <= now &&
        row.dampedUntil <= now &&
        row.bannedUntil <= now &&
        row.addresses.some((each) => each.notBefore <= now)
      );
    });
    const others = due.filter((row) => row.id[0] !== persistent);
    const scores = others.filter((row) => row.displacedAt === 0).map((row) => this.scoreOf(row.id[0]!));
    const worst = Math.min(
      ...this.staying('outbound')
        .filter((d) => !this.claimed(d))
        .map((d) => this.scoreOf(d)),
    );
    const isUpgrade = this.beyond() < slots.upgrade && Math.max(...scores) >= worst + 10;
    return { persistent: others.length < due.length, ordinary: others.length > 0, upgrade: isUpgrade || due.some(isUnconditional) };
  }

  scoreOf(digit: string): number {
    return this.manager.peers.list().find((each) => each.id === idOf(digit))!.score;
  }

  claimed(digit: string): boolean {
    return this.context.claims.some(({ victim }) => victim === idOf(digit));
  }

  /** Strangers with a routed connection in this direction that nobody has asked to leave. */
  staying(direction: Link['direction']): readonly string[] {
    const isStaying = ({ digit, stage, direction: theirs }: Link): boolean =>
      strangers.includes(digit) && stage !== 'held' && theirs === direction && this.harness.stateOf(digit) !== 'evicting';
    return [...this.links.values()].filter(isStaying).map(({ digit }) => digit);
  }

  /** Strangers with a routed connection in this direction who have been asked to leave. */
  leaving(direction: Link['direction']): readonly string[] {
    const routed = [...this.links.values()].filter((link) => link.stage !== 'held' && link.direction === direction);
    return routed.map(({ digit }) => digit).filter((d) => strangers.includes(d) && this.harness.stateOf(d) === 'evicting');
  }

  /** Upgrade slots in use: whatever is beyond the slots of its direction. */
  beyond(): number {
    const over = (direction: Link['direction']): number => Math.max(0, this.taken(direction) - budget[direction]);
    return over('inbound') + over('outbound');
  }

  /** Outbound slots that the router knows to be taken, those of ordinary peers. */
  taken(direction: Link['direction']): number {
    const isCounted = (digit: string): boolean => strangers.includes(digit);
    const links = [...this.links.values()].filter((link) => link.direction === direction && isCounted(link.digit)).length;
    return links + (direction === 'outbound' ? [...this.dialing.keys()].filter(isCounted).length : 0);
  }

  async check(): Promise<void> {
    await this.readUpdates();
    const { context, manager } = this;
    const listed = new Map(manager.peers.list().map((each) => [each.id[0]!, each]));
    // Slots: each direction keeps to its own, with those of persistent peers set aside; beyond them only upgrades, for as long as somebody is leaving.
    expect(this.beyond()).toBeLessThanOrEqual(slots.upgrade);
    for (const direction of ['inbound', 'outbound'] as const) {
      expect(this.staying(direction).length).toBeLessThanOrEqual(budget[direction]);
      expect([...itemsOf(context.crowd[direction])].map(({ id }) => id[0]).sort()).toEqual([...this.staying(direction)].sort());
    }
    this.checkClaims();
    expect(context.usage).toEqual({ inbound: this.taken('inbound'), outbound: this.taken('outbound') });
    for (const digit of digits) {
      const links = this.ofPeer(digit);
      // At most one routed connection, and one held beside it.
      expect(links.filter(([, link]) => link.stage !== 'held').length).toBeLessThanOrEqual(1);
      expect(links.length).toBeLessThanOrEqual(2);
      // A contest is over after eight seconds, whoever came to it late.
      for (const [, link] of links) if (link.stage === 'held') expect(this.harness.clock.now() - link.heldSince).toBeLessThan(8_000);
      // Whoever is dialing or connected is known.
      if (links.length > 0 || this.dialing.has(digit)) expect(listed.has(digit)).toBe(true);
      const isUp = links.some(([, link]) => link.stage === 'up');
      expect(this.up.get(idOf(digit)) ?? false).toBe(isUp);
    }
    expect(listed.has(own)).toBe(false);
    const awake = new Set([...itemsOf(context.live)].map(({ id }) => id[0]!));
    for (const digit of [...this.removed].filter((each) => !awake.has(each))) {
      this.removed.delete(digit);
      expect(listed.has(digit)).toBe(false);
    }
    const live = new Set([...this.dialing.keys(), ...[...this.links.values()].map((link) => link.digit)]);
    const settling = [...itemsOf(context.live)].filter((peer) => !live.has(peer.id[0]!)).length;
    expect(listed.size - live.size - settling).toBeLessThanOrEqual(maxPeers);
    expect(manager.counts()).toMatchObject({ known: listed.size, dialing: this.dialing.size });
    this.checkIndexes();
  }

  /** What was stored is known again, but for times that a wall clock set back has put into the future, and for who waits for a slot: there is one now. */
  checkKept(before: ReadonlyMap<NodeId, PeerRow>): void {
    for (const row of itemsOf(this.context.book.rows)) {
      const stored = before.get(row.id);
      if (stored)
        expect({ ...row, displacedAt: 0 }).toEqual({ ...clamped(stored, parseOptions(dialerOptions, {}), this.now), displacedAt: 0 });
    }
  }

  /** A claim is of one who is being dialed, on one who is connected and nobody else's victim. */
  checkClaims(): void {
    const { claims } = this.context;
    for (const { candidate, victim } of claims) {
      expect(this.dialing.has(candidate[0]!)).toBe(true);
      expect(this.staying('outbound')).toContain(victim[0]);
    }
    expect(new Set(claims.map(({ candidate }) => candidate)).size).toBe(claims.length);
    expect(new Set(claims.map(({ victim }) => victim)).size).toBe(claims.length);
    const busy = digits.filter(
      (d) => strangers.includes(d) && (this.dialing.has(d) || this.ofPeer(d).some(([, each]) => each.direction === 'outbound')),
    );
    expect([...itemsOf(this.context.book.targets.busy)].map(({ count }) => count)).toEqual(busy.map(() => 1));
  }

  /** The indexes are those of a fresh book of the same rows. */
  checkIndexes(): void {
    const { book, now, holds, live } = this.context;
    const rows = [...itemsOf(book.rows)];
    const liveIds = new Set([...itemsOf(live)].map((peer) => peer.id));
    const resting = rows.filter((row) => !liveIds.has(row.id));
    const fresh = resting
      .filter((row) => holds.has(row.id))
      .reduce(
        (sum, row) => rested(sum, row, { held: true, now }),
        bookOf(
          book.rules,
          resting.filter((row) => !holds.has(row.id)),
          now,
        ),
      );
    for (const index of ['loose', 'bans'] as const) {
      expect([...itemsOf<PeerRow>(book[index])]).toEqual([...itemsOf<PeerRow>(fresh[index])]);
    }
    for (const index of ['waiting', 'persistent', 'due', 'displaced'] as const) {
      expect([...itemsOf(book.targets[index])]).toEqual([...itemsOf(fresh.targets[index])]);
    }
  }

  async readUpdates(): Promise<void> {
    for (;;) {
      this.#reading ??= this.#updates.next();
      const next = await Promise.race([this.#reading, settle(1)]);
      if (!next) return;
      this.#reading = undefined;
      const event = next.value as PeerEvent;
      if ('snapshotEnd' in event) continue;
      // Strictly in turn, and down first only for one that was up.
      expect(this.up.get(event.id) ?? false).toBe(event.status === 'down');
      this.up.set(event.id, event.status === 'up');
    }
  }

  /** Everything that was handed out is answered: nothing may be left over. */
  async finish(): Promise<void> {
    for (const [digit, address] of [...this.dialing]) this.fail(digit, address);
    for (const handle of [...this.links.keys()]) if (this.links.has(handle)) await this.end(handle, 'shutdown');
    this.harness.clock.advance(10_000);
    await this.check();
    const { live, agenda, usage, unanswered, claims, crowd, book, dialWaiters, evictWaiters, rulingWaiters, rulings } = this.context;
    expect([sizeOf(live), sizeOf(agenda), usage, unanswered]).toEqual([0, 0, { inbound: 0, outbound: 0 }, 0]);
    expect([claims, crowd, book.targets.busy]).toEqual([[], emptyCrowd, undefined]);
    expect([dialWaiters, evictWaiters, rulingWaiters, rulings]).toEqual([[], [], [], []]);
    expect(await this.harness.tryEvictNext()).toBeUndefined();
    this.harness.stop();
    expect(this.harness.clock.pending).toBe(0);
  }

  fail(digit: string, address: NodeAddress): void {
    this.dialing.delete(digit);
    this.manager.dialFailed(address, new TroupeError('ERR_DIAL_TIMEOUT'));
  }
}
