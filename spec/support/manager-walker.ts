/** A real manager, called as a router calls it, beside the model of `manager-model.ts` and the rules of its slots: it must do what the one foretells and the others allow. */
import { expect } from '@jest/globals';
import { TroupeError } from '../../proto/errors.ts';
import type { NodeAddress } from '../../proto/address.ts';
import type { Admission, PeerEvent } from '../../actors/peer-manager.ts';
import type { ManagerContext } from '../../machines/peer-manager-context.ts';
import type { PeerRow } from '../../machines/peer-row.ts';
import { scoreAt } from '../../machines/policy/score.ts';
import { itemsOf, sizeOf } from '../../machines/policy/tree.ts';
import type { Walker } from './graph.ts';
import { ManagerHarness, addressOf, idOf } from './manager.ts';
import {
  linkOf,
  own,
  reasonOf,
  roll,
  start,
  storeOf,
  viewOf,
  type ManagerAct,
  type ManagerMoment,
  type ManagerStory,
  type RouterLink,
} from './manager-model.ts';
import { settle, VirtualClock } from './virtual-clock.ts';

type Eviction = Readonly<{ id: string; link: string }>;
const upgradePoints = 10;

/** `toEqual` for what is compared ten thousand times and is nearly always equal. */
function same(seen: unknown, foretold: unknown): void {
  if (JSON.stringify(seen) !== JSON.stringify(foretold)) expect(seen).toEqual(foretold);
}

/** See the module. It knows of the manager what a router knows. */
export class ManagerWalker implements Walker<ManagerMoment, ManagerAct> {
  readonly #story: ManagerStory;
  readonly #clock = new VirtualClock(start);
  readonly #harness: ManagerHarness;
  readonly #updates: AsyncIterator<PeerEvent>;
  readonly #links = new Map<string, RouterLink>();
  readonly #dialing = new Set<string>();
  readonly #told = new Set<string>();
  #picks = 0;

  constructor(story: ManagerStory) {
    this.#story = story;
    const { slots, persistent } = story;
    this.#harness = new ManagerHarness({
      own,
      slots,
      store: storeOf(story),
      clock: this.#clock,
      random: () => roll,
      persistent: persistent === undefined ? [] : [addressOf(persistent)],
    });
    this.#updates = this.#harness.manager.peers.updates()[Symbol.asyncIterator]();
  }

  get #context(): ManagerContext {
    return (this.#harness.actor.getSnapshot() as { context: ManagerContext }).context;
  }

  async step(act: ManagerAct, foretold: ManagerMoment, isNew: boolean): Promise<void> {
    await this.#do(act);
    if (!isNew) return;
    const [seen, expected] = [viewOf(this.#context), viewOf(foretold.manager.context)];
    if (seen !== expected) expect(JSON.parse(seen)).toEqual(JSON.parse(expected));
    same(Object.fromEntries([...this.#links].sort()), Object.fromEntries(Object.entries(foretold.links).sort()));
    this.#keepsToSlots();
  }

  async #do(act: ManagerAct): Promise<void> {
    const { manager } = this.#harness;
    switch (act.type) {
      case 'dialNext':
        return this.#dialNext();
      case 'evictNext':
        return this.#evictNext();
      case 'dialFailed':
        this.#dialing.delete(act.digit);
        return manager.dialFailed(addressOf(act.digit), new TroupeError('ERR_DIAL_FAILED'));
      case 'dialed':
        this.#dialing.delete(act.digit);
        return this.#arrived(act.digit, 'outbound', manager.dialed(addressOf(act.digit), this.#arrival(act.digit, 'outbound')));
      case 'accepted':
        return this.#arrived(act.digit, 'inbound', manager.accepted(this.#arrival(act.digit, 'inbound')));
      case 'ready': {
        const link = this.#links.get(act.digit)!;
        this.#links.set(act.digit, { ...link, stage: 'up' });
        return manager.ready(idOf(act.digit), linkOf(act.digit, link.direction));
      }
      case 'ended':
        return this.#ended(act.digit, reasonOf(this.#context, act.digit));
      case 'reported':
        return manager.report(idOf(act.digit), act.behaviour, '');
      case 'tick':
        return this.#clock.advance(this.#story.tickMs);
    }
  }

  #arrival(digit: string, direction: RouterLink['direction']) {
    return { id: idOf(digit), link: linkOf(digit, direction), ours: true, channels: [1], remoteIp: addressOf(digit).host };
  }

  #arrived(digit: string, direction: RouterLink['direction'], admission: Admission): void {
    if (admission.verdict !== 'route') return expect(admission.verdict).toBe('refuse');
    const older = this.#links.get(digit);
    expect(admission.replaces).toBe(older && linkOf(digit, older.direction));
    this.#links.set(digit, { direction, stage: 'routed' });
    this.#told.delete(digit);
    if (admission.replaces !== undefined) this.#harness.manager.disconnected(idOf(digit), admission.replaces, 'duplicate');
  }

  #ended(digit: string, reason: 'displaced' | 'reset'): void {
    const { direction } = this.#links.get(digit)!;
    this.#links.delete(digit);
    this.#told.delete(digit);
    this.#harness.manager.disconnected(idOf(digit), linkOf(digit, direction), reason);
  }

  /** Somebody is handed out if and only if somebody may be, and it is who comes first. */
  async #dialNext(): Promise<void> {
    const expected = this.#next();
    const address: NodeAddress | undefined = await this.#harness.tryDialNext();
    expect(address?.nodeId[0]).toBe(expected);
    if (!address) return;
    this.#dialing.add(expected!);
    if (expected !== this.#story.persistent) this.#picks += 1;
  }

  /** Who is to be dialed now, by the rules: a sort of all rows. */
  #next(): string | undefined {
    const { persistent, slots } = this.#story;
    const now = this.#clock.wallNow();
    const due = [...itemsOf(this.#context.book.rows)].filter((row) => this.#isDue(row, now)).sort(byPromise(now));
    const first = due.find(({ id }) => id[0] === persistent);
    if (first) return persistent;
    if (this.#taken('outbound') < this.#slots('outbound')) return due[this.#picks % 3 === 2 ? Math.floor(roll * due.length) : 0]?.id[0];
    const best = due.find((row) => row.displacedAt === 0);
    const claimed = new Set(this.#context.claims.map(({ victim }) => victim));
    const victims = this.#staying('outbound').filter((digit) => !claimed.has(idOf(digit)));
    const worst = Math.min(...victims.map((digit) => this.#scoreOf(digit)));
    return best && this.#beyond() < slots.upgrade && scoreAt(best, now) >= worst + upgradePoints ? best.id[0] : undefined;
  }

  #isDue(row: PeerRow, now: number): boolean {
    const digit = row.id[0]!;
    if (this.#dialing.has(digit) || this.#links.has(digit)) return false;
    const cool = row.lastDisconnected > 0 ? row.lastDisconnected + 2_000 : 0;
    return now >= Math.max(cool, row.inactiveUntil, row.bannedUntil, row.dampedUntil, ...row.addresses.map(({ notBefore }) => notBefore));
  }

  /** Each link that has to go is handed out once, and only while it is there. */
  async #evictNext(): Promise<void> {
    const waiting = Object.keys(this.#story.peers).filter((digit) => this.#harness.stateOf(digit) === 'evicting' && !this.#told.has(digit));
    const eviction: Eviction | undefined = await this.#harness.tryEvictNext();
    expect(eviction !== undefined).toBe(waiting.length > 0);
    if (!eviction) return;
    const digit = eviction.id[0]!;
    expect(waiting).toContain(digit);
    expect(eviction.link).toBe(linkOf(digit, this.#links.get(digit)!.direction));
    this.#told.add(digit);
  }

  #keepsToSlots(): void {
    const { usage, claims, live } = this.#context;
    same(usage, { inbound: this.#taken('inbound'), outbound: this.#taken('outbound') });
    expect(this.#beyond()).toBeLessThanOrEqual(this.#story.slots.upgrade);
    for (const direction of ['inbound', 'outbound'] as const)
      expect(this.#staying(direction).length).toBeLessThanOrEqual(this.#slots(direction));
    for (const { candidate, victim } of claims) {
      expect(this.#dialing).toContain(candidate[0]);
      expect(this.#links.get(victim[0]!)?.direction).toBe('outbound');
    }
    expect(new Set(claims.map(({ victim }) => victim)).size).toBe(claims.length);
    const busy = new Set([...this.#dialing, ...this.#links.keys()]);
    same([...itemsOf(live)].map(({ id }) => id[0]).sort(), [...busy].sort());
  }

  #slots(direction: RouterLink['direction']): number {
    const { slots, persistent } = this.#story;
    return direction === 'inbound' ? slots.inbound : slots.outbound - (persistent === undefined ? 0 : 1);
  }

  #of(direction: RouterLink['direction']): readonly string[] {
    return [...this.#links]
      .filter(([digit, link]) => link.direction === direction && digit !== this.#story.persistent)
      .map(([digit]) => digit);
  }

  #taken(direction: RouterLink['direction']): number {
    const dials = [...this.#dialing].filter((digit) => direction === 'outbound' && digit !== this.#story.persistent);
    return this.#of(direction).length + dials.length;
  }

  #beyond(): number {
    return (['inbound', 'outbound'] as const).reduce((sum, each) => sum + Math.max(0, this.#taken(each) - this.#slots(each)), 0);
  }

  #staying(direction: RouterLink['direction']): readonly string[] {
    return this.#of(direction).filter((digit) => this.#harness.stateOf(digit) !== 'evicting');
  }

  #scoreOf(digit: string): number {
    return this.#harness.manager.peers.list().find(({ id }) => id === idOf(digit))!.score;
  }

  /** Whatever was begun ends; then nothing is left, and whoever was up has gone down. */
  async end(): Promise<void> {
    const isUp = new Set([...this.#links].filter(([, { stage }]) => stage === 'up').map(([digit]) => digit));
    await settle(1);
    const up = await this.#readUpdates(new Set());
    expect(up).toEqual(isUp);
    for (const digit of this.#dialing) this.#harness.failed(digit);
    for (const digit of [...this.#links.keys()]) this.#ended(digit, 'reset');
    expect(await this.#readUpdates(up)).toEqual(new Set());
    const { live, agenda, usage, evictions, claims, dialWaiters, evictWaiters, unanswered } = this.#context;
    expect([sizeOf(live), sizeOf(agenda), usage, unanswered]).toEqual([0, 0, { inbound: 0, outbound: 0 }, 0]);
    expect([evictions, claims, dialWaiters, evictWaiters]).toEqual([[], [], [], []]);
    this.#harness.stop();
    expect(this.#clock.pending).toBe(0);
  }

  /** Who is up after all updates so far: for each peer they alternate, beginning with up. */
  async #readUpdates(before: ReadonlySet<string>): Promise<Set<string>> {
    const up = new Set(before);
    for (;;) {
      this.#reading ??= this.#updates.next();
      const next = await Promise.race([this.#reading, settle(1)]);
      if (!next) return up;
      this.#reading = undefined;
      const update = next.value as PeerEvent;
      if ('snapshotEnd' in update) continue;
      const digit = update.id[0]!;
      expect(up.has(digit)).toBe(update.status === 'down');
      if (update.status === 'up') up.add(digit);
      else up.delete(digit);
    }
  }
  #reading: Promise<IteratorResult<PeerEvent>> | undefined;
}

/** Best first: score, then the latest success, then the oldest failure, then the id. */
const byPromise =
  (now: number) =>
  (a: PeerRow, b: PeerRow): number => {
    const last = (row: PeerRow, what: 'lastSuccess' | 'lastFailure'): number => Math.max(...row.addresses.map((each) => each[what]));
    const [score, success, failure] = [
      scoreAt(b, now) - scoreAt(a, now),
      last(b, 'lastSuccess') - last(a, 'lastSuccess'),
      last(a, 'lastFailure') - last(b, 'lastFailure'),
    ];
    return score || success || failure || (a.id < b.id ? -1 : 1);
  };
