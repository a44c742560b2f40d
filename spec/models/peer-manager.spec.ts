/** Random calls of a well-behaved router, a reactor and an operator, with restarts and time between them, against a manager: its invariants hold after each. */
import fc from 'fast-check';
import { expect, test } from '@jest/globals';
import type { DisconnectReason } from '../../proto/errors.ts';
import { behaviours, type Behaviour } from '../../machines/policy/score.ts';
import { World, budget, digits, persistent, strangers } from '../support/manager-world.ts';
import { idOf } from '../support/manager.ts';
import { settle } from '../support/virtual-clock.ts';

const seed = Number(process.env['TROUPE_SEED'] ?? 62);
const runs = Number(process.env['TROUPE_RUNS'] ?? 60);

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

/** How often the runs came to what they are about. */
const seen = { claims: 0, upgrades: 0, inboundUpgrades: 0 };

async function dialNext(w: World): Promise<string | undefined> {
  const { persistent: isPersistentDue, ordinary, upgrade } = w.eligible();
  const hasRoom = w.taken('outbound') < budget.outbound;
  const address = await w.harness.tryDialNext();
  // Somebody is handed out if and only if somebody may be.
  expect(address !== undefined).toBe(isPersistentDue || (hasRoom ? ordinary : upgrade));
  if (!address) return undefined;
  const d = address.nodeId[0]!;
  const claim = w.context.claims.find(({ candidate }) => candidate === address.nodeId);
  // Beyond the slots somebody must be ten points worse, and is claimed.
  expect(claim !== undefined).toBe(!hasRoom && strangers.includes(d));
  if (claim) {
    expect(w.scoreOf(d) - w.scoreOf(claim.victim[0]!)).toBeGreaterThanOrEqual(10);
    seen.claims += 1;
  }
  expect(w.dialing.has(d) || w.ofPeer(d).length > 0).toBe(false);
  if (isPersistentDue) expect(d).toBe(persistent);
  w.dialing.set(d, address);
  return d;
}

function praise(w: World, d: string): void {
  for (let n = 0; n < 12; n++) w.manager.report(idOf(d), 'useful', 'x');
}

async function dialed(w: World, d: string, ours: boolean): Promise<void> {
  const address = w.dialing.get(d)!;
  w.dialing.delete(d);
  const link = w.harness.link();
  const before = w.leaving('outbound').length;
  const admission = w.manager.dialed(address, { id: idOf(d), link, ours, channels: [1] });
  if (w.leaving('outbound').length > before) seen.upgrades += 1;
  await w.arrived(d, 'outbound', { ...admission, link });
}

async function accepted(w: World, d: string, ours: boolean): Promise<void> {
  const before = w.leaving('inbound').length;
  const admission = w.harness.accepted(d, { ours });
  if (w.leaving('inbound').length > before) seen.inboundUpgrades += 1;
  await w.arrived(d, 'inbound', admission);
}

/** What leads to upgrades. */
const leading: fc.Arbitrary<Act>[] = [
  fc.boolean().map((ours): Act => ({
    name: `connect(${ours})`,
    run: async (w) => {
      const d = await dialNext(w);
      if (d !== undefined) await dialed(w, d, ours);
    },
  })),
  fc.constantFrom(...strangers).map((d): Act => ({
    name: `praise(${d})`,
    run: (w) => praise(w, d),
  })),
];

/** What makes connections. */
const common: fc.Arbitrary<Act>[] = [
  fc.tuple(digit, fc.integer({ min: 4, max: 6 })).map(([d, host]): Act => ({
    name: `add(${d}, ${host})`,
    run: async (w) => {
      w.removed.delete(d);
      await w.harness.add(d, host);
    },
  })),
  fc.constant<Act>({ name: 'dialNext', run: (w) => dialNext(w).then(() => undefined) }),
  pick.map((n): Act => ({
    name: `dialFailed(${n})`,
    can: (w) => w.dialing.size > 0,
    run: (w) => w.fail(...at([...w.dialing], n)!),
  })),
  fc.tuple(pick, fc.boolean()).map(([n, ours]): Act => ({
    name: `dialed(${n}, ${ours})`,
    can: (w) => w.dialing.size > 0,
    run: (w) => dialed(w, at([...w.dialing.keys()], n)!, ours),
  })),
  fc.tuple(digit, fc.boolean()).map(([d, ours]): Act => ({ name: `accepted(${d}, ${ours})`, run: (w) => accepted(w, d, ours) })),
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
      if (d !== persistent) w.removed.add(d);
      w.manager.peers.remove(idOf(d)).catch(() => undefined);
      await w.settleHeld();
    },
  })),
  fc.constantFrom(-86_400_000, 86_400_000).map((ms): Act => ({ name: `stepWall(${ms})`, run: (w) => w.stepWall(ms) })),
  fc.constant<Act>({
    name: 'reboot',
    run: (w) => {
      const before = new Map(w.harness.store.load().map((row) => [row.id, row]));
      w.harness.stop();
      w.links.clear();
      w.dialing.clear();
      w.held.clear();
      w.removed.clear();
      w.up.clear();
      w.boot();
      w.checkKept(before);
    },
  }),
  fc.constant<Act>({
    name: 'restart',
    run: (w) => {
      const before = new Map(w.harness.store.load().map((row) => [row.id, row]));
      w.harness.restart();
      // A router restarts with its manager.
      w.links.clear();
      w.dialing.clear();
      w.held.clear();
      w.removed.clear();
      w.checkKept(before);
    },
  }),
];

/** Every second run starts with all slots taken, since upgrades begin there. */
async function fill(w: World): Promise<void> {
  for (const d of strangers) await w.harness.add(d);
  for (let n = 0; n <= budget.outbound; n++) {
    const d = await dialNext(w);
    if (d !== undefined) await dialed(w, d, false);
  }
  for (const d of strangers) if (w.taken('inbound') < budget.inbound && w.ofPeer(d).length === 0) await accepted(w, d, false);
  for (const d of strangers) if (w.ofPeer(d).length === 0) praise(w, d);
  await w.check();
}

test(`the invariants of the peer manager hold under any calls (TROUPE_SEED=${seed})`, async () => {
  const commands = fc.commands(
    [...leading, ...leading, ...leading, ...leading, ...common, ...common, ...rare].map((act) => act.map((each) => new Command(each))),
    { maxCommands: 80, size: 'max' },
  );
  await fc.assert(
    fc.asyncProperty(commands, fc.nat(), fc.boolean(), async (list, dice, isFull) => {
      const world = new World(dice);
      if (isFull) await fill(world);
      await fc.asyncModelRun(() => ({ model: {}, real: world }), list);
      await world.finish();
    }),
    { seed, numRuns: runs },
  );
  // A model that never comes to an upgrade proves nothing about it.
  if (runs >= 60) for (const times of Object.values(seen)) expect(times).toBeGreaterThan(0);
}, 600_000);
