import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { freePartialBytes } from '../../../transports/mconn/reassembly.ts';
import { decayIntervalMs, PacketScheduler, type Lane } from '../../../transports/mconn/scheduler.ts';
import type { ChannelDescriptor } from '../../../transports/transport.ts';

const channel = (id: number, priority: number, maxMessageBytes = 10_000_000): ChannelDescriptor => ({ id, priority, maxMessageBytes });

/** Loads every channel with a long message and returns the order in which packets of `size` bytes leave. */
function order(scheduler: PacketScheduler, count: number, size: number, now = 0): number[] {
  return Array.from({ length: count }, () => {
    const lane = scheduler.next(now)!;
    scheduler.sent(lane, 1, size, false);
    return lane.id;
  });
}

function loaded(...channels: readonly ChannelDescriptor[]): PacketScheduler {
  const scheduler = new PacketScheduler(channels, 1_024, 0);
  for (const { id } of channels) scheduler.load(scheduler.lane(id)!, new Uint8Array(30_000));
  return scheduler;
}

/** The rule as wire documents state it, with a ticker, and nothing clever. */
class Reference {
  readonly sent: number[];
  readonly priorities: readonly number[];
  constructor(priorities: readonly number[]) {
    this.priorities = priorities;
    this.sent = priorities.map(() => 0);
  }
  pick(ready: readonly boolean[]): number {
    let chosen = -1;
    let least = Math.fround(3.4e38);
    ready.forEach((isReady, index) => {
      if (!isReady) return;
      const ratio = Math.fround(Math.fround(this.sent[index]!) / Math.fround(this.priorities[index]!));
      if (ratio < least) [least, chosen] = [ratio, index];
    });
    return chosen;
  }
  tick(): void {
    this.sent.forEach((sent, index) => (this.sent[index] = Math.trunc(sent * 0.8)));
  }
}

describe('the packet scheduler', () => {
  test('gives equals their turns in the order in which they were registered', () => {
    expect(order(loaded(channel(9, 5), channel(3, 5), channel(7, 5)), 6, 1_000)).toEqual([9, 3, 7, 9, 3, 7]);
  });

  test('gives bandwidth in proportion to priority', () => {
    const sent = order(loaded(channel(1, 1), channel(2, 4)), 50, 1_000);
    expect(sent.slice(0, 11)).toEqual([1, 2, 2, 2, 2, 1, 2, 2, 2, 2, 1]);
    expect(sent.filter((id) => id === 2)).toHaveLength(40);
  });

  test('lets no message of another channel wait for more than one packet of a long one, priorities being equal', () => {
    const scheduler = new PacketScheduler([channel(1, 1), channel(2, 1)], 1_024, 0);
    scheduler.load(scheduler.lane(1)!, new Uint8Array(1_048_576));
    expect(order(scheduler, 100, 1_038)).toEqual(Array.from({ length: 100 }, () => 1));
    scheduler.load(scheduler.lane(2)!, new Uint8Array(10));
    expect(scheduler.next(0)!.id).toBe(2);
  });

  test('forgets a fifth of what was sent every two seconds, cutting fractions off', () => {
    const scheduler = loaded(channel(1, 1));
    const lane = scheduler.lane(1)!;
    scheduler.sent(lane, 1, 1_038, false);
    const after = (ms: number): number => {
      scheduler.next(ms);
      return lane.recentlySent;
    };
    expect([after(1_999), after(2_000), after(3_999), after(4_000), after(8_000)]).toEqual([1_038, 830, 830, 664, 424]);
    expect(after(10_000_000_000)).toBe(0);
  });

  test('agrees with the rule as it is written, packet for packet', () => {
    const steps = fc.array(
      fc.record({
        advance: fc.constantFrom(0, 0, 0, 1, 700, 2_000, 5_000),
        load: fc.nat(3),
        bytes: fc.integer({ min: 0, max: 20_000 }),
        packets: fc.nat(12),
      }),
      { minLength: 1, maxLength: 60 },
    );
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 4, maxLength: 4 }), steps, (priorities, script) => {
        const scheduler = new PacketScheduler(
          priorities.map((priority, id) => channel(id, priority)),
          1_024,
          0,
        );
        const reference = new Reference(priorities);
        const lanes = priorities.map((_, id) => scheduler.lane(id)!);
        let now = 0;
        let ticks = 0;
        for (const { advance, load, bytes, packets } of script) {
          now += advance;
          for (; (ticks + 1) * decayIntervalMs <= now; ticks++) reference.tick();
          if (scheduler.isIdle(lanes[load]!)) scheduler.load(lanes[load]!, new Uint8Array(bytes));
          for (let packet = 0; packet < packets; packet++) {
            const expected = reference.pick(lanes.map((lane) => !scheduler.isIdle(lane)));
            const lane = scheduler.next(now);
            expect(lane?.id ?? -1).toBe(expected);
            if (!lane) break;
            reference.sent[expected]! += sendOne(scheduler, lane);
            expect(lane.recentlySent).toBe(reference.sent[expected]);
          }
        }
      }),
    );
  });

  test('splits a message into full packets and a rest, and says when it is through', () => {
    const scheduler = new PacketScheduler([channel(1, 1)], 1_024, 0);
    const lane = scheduler.lane(1)!;
    for (const [length, expected] of [
      [0, [0]],
      [1, [1]],
      [1_023, [1_023]],
      [1_024, [1_024]],
      [1_025, [1_024, 1]],
      [1_400, [1_024, 376]],
      [65_536, Array.from({ length: 64 }, () => 1_024)],
    ] as const) {
      scheduler.load(lane, new Uint8Array(length));
      const payloads: number[] = [];
      for (let done = false; !done;) {
        const count = scheduler.payloadBytes(lane);
        payloads.push(count);
        done = scheduler.sent(lane, count, count + 10, lane.offset + count === length);
      }
      expect(payloads).toEqual(expected);
      expect([scheduler.waiting, scheduler.isIdle(lane)]).toEqual([0, true]);
    }
  });

  test('has nothing to send once cleared', () => {
    const scheduler = loaded(channel(1, 1), channel(2, 1));
    expect(scheduler.waiting).toBe(2);
    scheduler.clear();
    expect([scheduler.waiting, scheduler.next(0)]).toEqual([0, undefined]);
  });

  test('does not begin more long messages than a receiver keeps unfinished, and never holds up a short one', () => {
    const channels = [channel(1, 1, 1_048_576), channel(2, 1, 1_048_576), channel(3, 1, 1_048_576), channel(4, 1, 1_048_576)];
    const scheduler = new PacketScheduler(channels, 1_024, 0);
    for (const id of [1, 2, 3]) scheduler.load(scheduler.lane(id)!, new Uint8Array(1_048_576));
    scheduler.load(scheduler.lane(4)!, new Uint8Array(freePartialBytes));
    const seen = new Set<number>();
    // Two messages of 1 MiB may be on their way at once; the third begins when one of them is through.
    for (let packets = 0; scheduler.waiting > 1; packets++) {
      const lane = scheduler.next(0)!;
      if (lane.id === 3 && !seen.has(3)) expect(scheduler.isIdle(scheduler.lane(1)!) || scheduler.isIdle(scheduler.lane(2)!)).toBe(true);
      if (lane.id === 4 && !seen.has(4)) expect(packets).toBeLessThan(3);
      seen.add(lane.id);
      sendOne(scheduler, lane);
    }
    expect([...seen].sort()).toEqual([1, 2, 3, 4]);
  });
});

/** Sends the next packet and returns its size. */
function sendOne(scheduler: PacketScheduler, lane: Lane): number {
  const count = scheduler.payloadBytes(lane);
  const size = count + 12;
  scheduler.sent(lane, count, size, lane.offset + count === lane.bytes!.length);
  return size;
}
