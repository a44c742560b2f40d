/** Two whole nodes that dial each other over a network with any delays: exactly one link is left, both have the same, and soon. */
import { expect, test } from '@jest/globals';
import { Pair } from '../support/pair.ts';
import { RacingClock } from '../support/racing-clock.ts';
import { seededRandom } from '../support/random.ts';
import { everyOrder, eachSeed, trials } from '../support/trials.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const { seed, runs, named } = trials(1, 1_000);
/** From the end of the last handshake until both have the same link and no other. */
const agreedWithinMs = 2_000;
/** The same from the first dial: two seconds at most until the second one, three of a way each for its handshake. */
const linkedWithinMs = 2_000 + 3_000 + agreedWithinMs;

test('every order of deliveries of two dials at once ends in one link, the one dialed by the lower id', async () => {
  const orders = await everyOrder(5_000, async (choose) => {
    const clock = new VirtualClock();
    const wire = new RacingClock();
    const pair = await Pair.start(clock, { wire, random: seededRandom(1), latencyMs: 1, persistent: true });
    const run = async (): Promise<void> => {
      while (wire.size > 0) {
        wire.fire(choose(wire.size));
        await clock.advanceAsync(1);
      }
    };
    await run();
    await clock.advanceAsync(agreedWithinMs);
    await run();
    expect(pair.agreed()).toBe(0);
    pair.expectNoBlame();
    await pair.stop(() => wire.fire(0));
  });
  // One order was asked for, or all of them.
  expect(orders).toBeGreaterThanOrEqual(process.env['TROUPE_ORDER'] === undefined ? 500 : 1);
}, 120_000);

test(`two dials within two seconds, with up to a second each way, end in one link within two seconds of their handshakes ${named}`, async () => {
  await eachSeed(seed, runs, async (dice) => {
    const random = seededRandom(dice);
    const clock = new VirtualClock();
    const delays = [1, 20, 300, 1_000] as const;
    const jitterMs = delays[Math.floor(random() * delays.length)]!;
    const pair = await Pair.start(clock, { wire: clock, random, latencyMs: 0, jitterMs, persistent: false });
    const moments = [random() * 2_000, random() * 2_000];
    moments.forEach((at, n) => clock.setTimeout(() => void pair.nodes[n]!.peers.add(pair.addressOf(1 - n)), at));
    let link: number | undefined;
    let agreedAt = 0;
    while (clock.now() < linkedWithinMs) {
      const { nextAt = linkedWithinMs } = clock;
      await clock.advanceAsync(Math.min(nextAt, linkedWithinMs) - clock.now());
      const now = pair.agreed();
      if (now !== link) [link, agreedAt] = [now, clock.now()];
    }
    expect(link).toBeDefined();
    expect(agreedAt - pair.shookAt).toBeLessThanOrEqual(agreedWithinMs);
    expect(agreedAt - pair.dialedAt!).toBeLessThanOrEqual(linkedWithinMs);
    await pair.expectTalk();
    await clock.advanceAsync(20_000);
    expect(pair.agreed()).toBe(link);
    pair.expectNoBlame();
    await pair.stop();
  });
}, 120_000);
