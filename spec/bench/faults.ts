/** A long simulation full of faults, all of them chosen by the seed, with invariants looked at as it goes. */
import { bytes, pexReactor, reactor, type Random, type Reactor } from '../../index.ts';
import { seededRandom, simulate, type Simulation } from '../../testing.ts';

export type Outcome = Readonly<{
  hash: string;
  count: number;
  /** Events and faults by their names. */
  events: Readonly<Record<string, number>>;
  faults: Readonly<Record<string, number>>;
  violations: readonly string[];
  disagreements: readonly string[];
  components: number;
  mostDials: number;
  timersLeft: number;
}>;

const eventNames = ['dial', 'dialFailed', 'greeted', 'up', 'down', 'delivered', 'lost', 'drop', 'ended', 'restart'];
const faultNames = ['crash', 'restartNode', 'partition', 'cut', 'heal', 'pause', 'slowReader', 'resume', 'latency', 'loss'];

/** Time between two looks at the invariants, and between two chances of a fault. */
const tickMs = 5_000;
/** At the end everything is well for this long: longer than a silent connection lives, and than any back-off of a persistent peer. */
const settleMs = 120_000;
const gossipMs = 15_000;

/** Says something small to everybody now and then, so that there is something to lose. */
function gossip(): Reactor {
  const channels = { gossip: { id: 0x60, name: 'gossip', type: bytes, priority: 1, maxMessageBytes: 64, drop: 'newest' } } as const;
  let said = 0;
  return reactor({
    name: 'gossip',
    channels,
    onMessage: () => undefined,
    every: [
      [
        gossipMs,
        async ({ channels: { gossip: channel } }) => {
          await channel.broadcast(Uint8Array.of(++said & 0xff));
        },
      ],
    ],
  });
}

/** Runs it. */
export async function simulateFaults({
  nodes,
  seed,
  minutes,
}: Readonly<{ nodes: number; seed: number; minutes: number }>): Promise<Outcome> {
  const sim = await simulate({
    nodes,
    seed,
    bootstrap: (index) => [...new Set([0, index >> 1])].filter((other) => other !== index),
    persistent: (index, count) => [(index + 1) % count],
    reactors: () => [pexReactor(), gossip()],
    keepEvents: 1_000,
  });
  const faults = new Faults(sim, seededRandom(seed));
  for (let atMs = 0; atMs < minutes * 60_000 - settleMs; atMs += tickMs) {
    await sim.run(tickMs);
    await faults.next();
    sim.violations();
  }
  await faults.end();
  for (let atMs = 0; atMs < settleMs; atMs += tickMs) {
    await sim.run(tickMs);
    sim.violations();
  }
  const violations = sim.violations();
  const [disagreements, components] = [sim.disagreements(), sim.components()];
  await sim.stop();
  const { eventLog } = sim;
  const counts = (names: readonly string[]): Record<string, number> =>
    Object.fromEntries(names.map((name) => [name, eventLog.countOf(name)]));
  return {
    hash: eventLog.hash,
    count: eventLog.count,
    events: counts(eventNames),
    faults: counts(faultNames),
    violations,
    disagreements,
    components,
    mostDials: sim.mostDialsInFlight(),
    timersLeft: sim.clock.pending,
  };
}

/** Draws what goes wrong next, and puts right what has been wrong for long enough. */
class Faults {
  readonly #sim: Simulation;
  readonly #random: Random;
  /** What to do when its time comes. */
  readonly #repairs: { atMs: number; run: () => void | Promise<void> }[] = [];
  readonly #ill = new Set<number>();
  #isCut = false;

  constructor(sim: Simulation, random: Random) {
    this.#sim = sim;
    this.#random = random;
  }

  async next(): Promise<void> {
    await this.#repair(this.#sim.now);
    if (this.#random() < 0.5) await this.#crash();
    const roll = this.#random();
    if (roll < 0.1) this.#partition();
    else if (roll < 0.15) this.#cut();
    else if (roll < 0.25) this.#pause();
    else if (roll < 0.35) this.#slowReader();
    else if (roll < 0.45) this.#weather();
  }

  /** Repairs everything. */
  async end(): Promise<void> {
    await this.#repair(Infinity);
  }

  async #repair(now: number): Promise<void> {
    const due = this.#repairs.filter(({ atMs }) => atMs <= now);
    this.#repairs.splice(0, this.#repairs.length, ...this.#repairs.filter(({ atMs }) => atMs > now));
    for (const { run } of due) await run();
  }

  #later(leastMs: number, mostMs: number, run: () => void | Promise<void>): void {
    this.#repairs.push({ atMs: this.#sim.now + leastMs + this.#random() * (mostMs - leastMs), run });
  }

  /** Some node that nothing is wrong with, and notes that something is. */
  #victim(): number | undefined {
    const { index } = this.#sim.pick();
    if (this.#ill.has(index)) return undefined;
    this.#ill.add(index);
    return index;
  }

  async #crash(): Promise<void> {
    const index = this.#victim();
    if (index === undefined) return;
    await this.#sim.crash(index);
    this.#later(1_000, 60_000, async () => {
      await this.#sim.restart(index);
      this.#ill.delete(index);
    });
  }

  #pause(): void {
    const index = this.#victim();
    if (index === undefined) return;
    this.#sim.pause(index);
    this.#later(5_000, 150_000, () => {
      this.#sim.resume(index);
      this.#ill.delete(index);
    });
  }

  #slowReader(): void {
    const index = this.#victim();
    if (index === undefined) return;
    if (this.#random() < 0.5) this.#sim.slowReader(index);
    else this.#sim.slowReader(index, { bytesPerSecond: 10 });
    this.#later(5_000, 60_000, () => {
      this.#sim.resume(index);
      this.#ill.delete(index);
    });
  }

  /** Two or three groups, for a while that connections survive or do not. */
  #partition(): void {
    if (this.#isCut) return;
    const groups: number[][] = Array.from({ length: 2 + Math.floor(this.#random() * 2) }, () => []);
    for (const { index } of this.#sim.nodes) groups[Math.floor(this.#random() * groups.length)]!.push(index);
    this.#sim.partition(...groups);
    this.#healLater();
  }

  #cut(): void {
    if (this.#isCut) return;
    const [from, to]: [number[], number[]] = [[], []];
    for (const { index } of this.#sim.nodes) (this.#random() < 0.2 ? from : to).push(index);
    this.#sim.cut(from, to);
    this.#healLater();
  }

  #healLater(): void {
    this.#isCut = true;
    this.#later(5_000, 120_000, () => {
      this.#sim.heal();
      this.#isCut = false;
    });
  }

  #weather(): void {
    this.#sim.latency(50 + this.#random() * 300, { jitterMs: 50 });
    this.#sim.loss(0.05);
    this.#later(10_000, 40_000, () => {
      this.#sim.latency(20, { jitterMs: 10 });
      this.#sim.loss(0);
    });
  }
}
