/** Random calls of a well-behaved router, a reactor and an operator, with restarts and time between them, against a manager: its invariants hold after each. */
import fc from 'fast-check';
import { expect, test } from '@jest/globals';
import { TroupeError, type DisconnectReason } from '../../proto/errors.ts';
import type { NodeAddress } from '../../proto/address.ts';
import type { NodeId } from '../../proto/identity.ts';
import { bookOf, rested } from '../../machines/peer-book.ts';
import type { ManagerContext } from '../../machines/peer-manager-context.ts';
import type { PeerRow } from '../../machines/peer-row.ts';
import { behaviours, type Behaviour } from '../../machines/policy/score.ts';
import { itemsOf, sizeOf } from '../../machines/policy/tree.ts';
import type { PeerEvent } from '../../actors/peer-manager.ts';
import { ManagerHarness, addressOf, idOf } from '../support/manager.ts';
import { seededRandom } from '../support/random.ts';
import { settle } from '../support/virtual-clock.ts';

const seed = Number(process.env['TROUPE_SEED'] ?? 62);
const runs = Number(process.env['TROUPE_RUNS'] ?? 60);
const own = '7';
const strangers = Array.from('abcde');
const persistent = 'f';
const unconditional = '0';
const digits = [...strangers, persistent, unconditional];
const slots = { inbound: 2, outbound: 2 };
const maxPeers = 6;

type Link = { readonly digit: string; readonly direction: 'inbound' | 'outbound'; stage: 'held' | 'routed' | 'up'; heldSince: number };

/** What the router knows: the page-long reference. */
class World {
  readonly harness: ManagerHarness;
  readonly links = new Map<string, Link>();
  readonly dialing = new Map<string, NodeAddress>();
  readonly held = new Set<string>();
  readonly up = new Map<NodeId, boolean>();
  readonly #updates: AsyncIterator<PeerEvent>;
  #reading: Promise<IteratorResult<PeerEvent>> | undefined;

  constructor(dice: number) {
    this.harness = new ManagerHarness({
      own,
      slots,
      storeOptions: { maxPeers },
      random: seededRandom(dice),
      persistent: [addressOf(persistent)],
      unconditionalIds: [idOf(unconditional)],
    });
    this.#updates = this.harness.manager.peers.updates()[Symbol.asyncIterator]();
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
  eligible(): { persistent: boolean; ordinary: boolean } {
    const now = this.harness.clock.wallNow();
    const due = [...itemsOf(this.context.book.rows)].filter((row) => {
      const digit = row.id[0]!;
      if (this.dialing.has(digit) || this.ofPeer(digit).length > 0 || this.held.has(digit)) return false;
      if (this.manager.peers.explain(row.id).sentence.startsWith('It closed')) return false;
      const cool = row.lastDisconnected > 0 && row.lastDisconnected + 2_000 > now;
      return !cool && row.inactiveUntil <= now && row.bannedUntil <= now && row.addresses.some((each) => each.notBefore <= now);
    });
    return { persistent: due.some((row) => row.id[0] === persistent), ordinary: due.some((row) => row.id[0] !== persistent) };
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
    // Slots: each direction keeps to its own, with those of persistent peers set aside.
    expect(this.taken('inbound')).toBeLessThanOrEqual(slots.inbound);
    expect(this.taken('outbound')).toBeLessThanOrEqual(slots.outbound - 1);
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
    const live = new Set([...this.dialing.keys(), ...[...this.links.values()].map((link) => link.digit)]);
    const settling = [...itemsOf(context.live)].filter((peer) => !live.has(peer.id[0]!)).length;
    expect(listed.size - live.size - settling).toBeLessThanOrEqual(maxPeers);
    expect(manager.counts()).toMatchObject({ known: listed.size, dialing: this.dialing.size });
    this.checkIndexes();
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
    for (const index of ['waiting', 'duePersistent', 'due', 'loose', 'bans'] as const) {
      expect([...itemsOf<PeerRow>(book[index])]).toEqual([...itemsOf<PeerRow>(fresh[index])]);
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
    const { live, agenda, usage, unanswered, dialWaiters, evictWaiters, rulingWaiters, rulings } = this.context;
    expect([sizeOf(live), sizeOf(agenda), usage, unanswered]).toEqual([0, 0, { inbound: 0, outbound: 0 }, 0]);
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

type Act = Readonly<{ name: string; can?(world: World): boolean; run(world: World): void | Promise<void> }>;
class Command implements fc.AsyncCommand<object, World> {
  readonly #act: Act;
  constructor(act: Act) {
    this.#act = act;
  }
  check(): boolean {
    return true;
  }
  async run(_: object, world: World): Promise<void> {
    if (this.#act.can && !this.#act.can(world)) return;
    await this.#act.run(world);
    await settle(1);
    await world.check();
  }
  toString(): string {
    return this.#act.name;
  }
}

const digit = fc.constantFrom(...digits);
const pick = fc.nat(20);
const at = <T>(list: readonly T[], index: number): T | undefined => list[index % Math.max(1, list.length)];
const reason = fc.constantFrom<DisconnectReason>('reset', 'remoteClosed', 'rejected', 'silent', 'misbehaved');

/** What makes connections, twice as likely as what ends them. */
const common: fc.Arbitrary<Act>[] = [
  fc.tuple(digit, fc.integer({ min: 4, max: 6 })).map(([d, host]): Act => ({
    name: `add(${d}, ${host})`,
    run: async (w) => {
      await w.harness.add(d, host);
    },
  })),
  fc.constant({
    name: 'dialNext',
    run: async (w) => {
      const { persistent: isPersistentDue, ordinary } = w.eligible();
      const hasRoom = w.taken('outbound') < slots.outbound - 1;
      const address = await w.harness.tryDialNext();
      // Somebody is handed out if and only if somebody may be.
      expect(address !== undefined).toBe(isPersistentDue || (ordinary && hasRoom));
      if (!address) return;
      const d = address.nodeId[0]!;
      expect(w.dialing.has(d) || w.ofPeer(d).length > 0).toBe(false);
      if (isPersistentDue) expect(d).toBe(persistent);
      w.dialing.set(d, address);
    },
  } satisfies Act),
  pick.map((n): Act => ({
    name: `dialFailed(${n})`,
    can: (w) => w.dialing.size > 0,
    run: (w) => w.fail(...at([...w.dialing], n)!),
  })),
  fc.tuple(pick, fc.boolean()).map(([n, ours]): Act => ({
    name: `dialed(${n}, ${ours})`,
    can: (w) => w.dialing.size > 0,
    run: async (w) => {
      const [d, address] = at([...w.dialing], n)!;
      w.dialing.delete(d);
      const link = w.harness.link();
      await w.arrived(d, 'outbound', { ...w.manager.dialed(address, { id: idOf(d), link, ours, channels: [1] }), link });
    },
  })),
  fc
    .tuple(digit, fc.boolean())
    .map(([d, ours]): Act => ({ name: `accepted(${d}, ${ours})`, run: (w) => w.arrived(d, 'inbound', w.harness.accepted(d, { ours })) })),
  pick.map((n): Act => ({
    name: `ready(${n})`,
    can: (w) => [...w.links.values()].some((link) => link.stage === 'routed'),
    run: (w) => {
      const [handle, link] = at(
        [...w.links].filter(([, each]) => each.stage === 'routed'),
        n,
      )!;
      link.stage = 'up';
      w.manager.ready(idOf(link.digit), handle);
    },
  })),
];

const rare: fc.Arbitrary<Act>[] = [
  fc.tuple(pick, reason).map(([n, why]): Act => ({
    name: `ended(${n}, ${why})`,
    can: (w) => w.links.size > 0,
    run: (w) => w.end(at([...w.links.keys()], n)!, why),
  })),
  fc.constant<Act>({
    name: 'evictNext',
    run: async (w) => {
      const eviction = await w.harness.tryEvictNext();
      if (!eviction) return;
      // Only a link that is there, and only once.
      expect(w.links.get(eviction.link)?.digit).toBe(eviction.id[0]);
      await w.end(eviction.link, eviction.reason);
      await w.settleHeld();
    },
  }),
  fc.tuple(digit, fc.constantFrom<Behaviour>(...behaviours)).map(([d, behaviour]): Act => ({
    name: `report(${d}, ${behaviour})`,
    run: async (w) => {
      w.manager.report(idOf(d), behaviour, 'x');
      await w.settleHeld();
    },
  })),
  fc.constantFrom(1, 100, 2_000, 9_000, 45_000, 4_000_000).map((ms): Act => ({
    name: `tick(${ms})`,
    run: async (w) => {
      w.harness.clock.advance(ms);
      await w.settleHeld();
    },
  })),
  digit.map((d): Act => ({
    name: `disconnect(${d})`,
    run: async (w) => {
      const isKnown = w.manager.peers.list().some((each) => each.id === idOf(d));
      if (d === persistent && isKnown) w.held.add(d);
      w.manager.peers.disconnect(idOf(d)).catch(() => undefined);
      await w.settleHeld();
    },
  })),
  fc.tuple(digit, fc.constantFrom(50, 5_000)).map(([d, forMs]): Act => ({
    name: `ban(${d}, ${forMs})`,
    run: async (w) => {
      await w.manager.peers.ban(idOf(d), { forMs, reason: 'x' });
      await w.settleHeld();
    },
  })),
  digit.map((d): Act => ({
    name: `remove(${d})`,
    run: async (w) => {
      const isKnown = w.manager.peers.list().some((each) => each.id === idOf(d));
      if (d === persistent && isKnown) w.held.add(d);
      w.manager.peers.remove(idOf(d)).catch(() => undefined);
      await w.settleHeld();
    },
  })),
  fc.constant<Act>({
    name: 'restart',
    run: (w) => {
      const before = new Map(w.harness.store.load().map((row) => [row.id, row]));
      w.harness.restart();
      // A router restarts with its manager.
      w.links.clear();
      w.dialing.clear();
      w.held.clear();
      for (const view of w.manager.peers.list()) {
        const row = before.get(view.id);
        if (row) expect(view.addresses).toEqual(row.addresses.map((each) => each.address));
      }
    },
  }),
];

test(`the invariants of the peer manager hold under any calls (TROUPE_SEED=${seed})`, async () => {
  const commands = fc.commands(
    [...common, ...common, ...rare].map((act) => act.map((each) => new Command(each))),
    { maxCommands: 80, size: 'max' },
  );
  await fc.assert(
    fc.asyncProperty(commands, fc.nat(), async (list, dice) => {
      const world = new World(dice);
      await fc.asyncModelRun(() => ({ model: {}, real: world }), list);
      await world.finish();
    }),
    { seed, numRuns: runs },
  );
}, 600_000);
