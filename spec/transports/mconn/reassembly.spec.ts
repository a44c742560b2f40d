import { describe, expect, test } from '@jest/globals';
import type { TroupeError } from '../../../proto/errors.ts';
import { freePartialBytes, Reassembly, ReassemblyBudget } from '../../../transports/mconn/reassembly.ts';
import type { ChannelDescriptor } from '../../../transports/transport.ts';

const channel = (id: number, maxMessageBytes: number): ChannelDescriptor => ({ id, priority: 1, maxMessageBytes });
const mib = 1_048_576;
const limits = { partialIdleMs: 30_000, partialTotalMs: 60_000 };

function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    return (error as TroupeError).code;
  }
  return 'none';
}

function make(channels: readonly ChannelDescriptor[], budget = new ReassemblyBudget(128 * mib), evict: () => void = () => undefined) {
  const reassembly = new Reassembly(channels, budget, evict);
  const add = (id: number, bytes: Uint8Array, final: boolean, now = 0): Uint8Array | undefined =>
    reassembly.add(id, final, bytes, 0, bytes.length, now);
  return { reassembly, add, budget };
}

describe('reassembly', () => {
  test('joins the parts of each channel, whatever comes between them', () => {
    const { add } = make([channel(1, 100), channel(2, 100)]);
    expect(add(1, Buffer.from('he'), false)).toBeUndefined();
    expect(add(2, Buffer.from('wor'), false)).toBeUndefined();
    expect(add(1, Buffer.from(''), false)).toBeUndefined();
    expect(Buffer.from(add(1, Buffer.from('llo'), true)!).toString()).toBe('hello');
    expect(Buffer.from(add(2, Buffer.from('ld'), true)!).toString()).toBe('world');
  });

  test('hands out memory that belongs to nobody else, of exactly the message', () => {
    const { add } = make([channel(1, 1_000_000)]);
    const part = Buffer.alloc(1_000, 7);
    for (const parts of [1, 3, 70, 70, 9]) {
      for (let index = 1; index < parts; index++) add(1, part, false);
      const message = add(1, part, true)!;
      part.fill(8);
      expect(message.every((byte) => byte === 7)).toBe(true);
      part.fill(7);
      expect([message.length, message.buffer.byteLength]).toEqual([parts * 1_000, parts * 1_000]);
    }
  });

  test('completes a message with an empty part, and takes an empty message', () => {
    const { add } = make([channel(1, 100)]);
    add(1, Buffer.from('abc'), false);
    expect(add(1, Buffer.alloc(0), true)).toHaveLength(3);
    expect(add(1, Buffer.alloc(0), true)).toHaveLength(0);
    expect(add(1, Buffer.alloc(0), false)).toBeUndefined();
    expect(add(1, Buffer.alloc(0), true)).toHaveLength(0);
  });

  test('takes a message of exactly the capacity and refuses one byte more, in one part or byte by byte', () => {
    expect(make([channel(1, 100)]).add(1, Buffer.alloc(100), true)).toHaveLength(100);
    expect(codeOf(() => make([channel(1, 100)]).add(1, Buffer.alloc(101), true))).toBe('ERR_MESSAGE_TOO_LARGE');
    const { add } = make([channel(1, 100)]);
    for (let index = 0; index < 100; index++) add(1, Buffer.alloc(1), false);
    expect(codeOf(() => add(1, Buffer.alloc(1), true))).toBe('ERR_MESSAGE_TOO_LARGE');
    const again = make([channel(1, 100)]).add;
    for (let index = 0; index < 99; index++) again(1, Buffer.alloc(1), false);
    expect(again(1, Buffer.alloc(1), true)).toHaveLength(100);
  });

  test('refuses a channel that the connection does not have', () => {
    const { add } = make([channel(1, 100)]);
    expect([0, 2, 255].map((id) => codeOf(() => add(id, Buffer.alloc(1), true)))).toEqual(
      Array.from({ length: 3 }, () => 'ERR_CHANNEL_UNKNOWN'),
    );
  });

  test('bounds what one connection holds unfinished by its largest message and 1 MiB, the first 32 KiB of each being free', () => {
    const channels = [1, 2, 3, 4].map((id) => channel(id, 2 * mib));
    const { add } = make(channels);
    const part = Buffer.alloc(65_536);
    let bytes = 0;
    const code = codeOf(() => {
      for (;;) {
        for (const { id } of channels) {
          add(id, part, false);
          bytes += part.length;
        }
      }
    });
    expect(code).toBe('ERR_REASSEMBLY_FULL');
    expect(bytes).toBe(3 * mib + 4 * freePartialBytes);
  });

  test('never allocates more than the capacity of a channel, nor much before the bytes have come', () => {
    const { add, budget } = make([channel(1, 5_000), channel(2, mib)]);
    add(1, Buffer.alloc(1), false);
    expect(budget.bytes).toBeLessThanOrEqual(4_096);
    add(1, Buffer.alloc(4_500), false);
    expect(budget.bytes).toBeLessThanOrEqual(5_000);
    add(1, Buffer.alloc(1), true);
    // A long message makes room for the next one in advance, but not for all of it.
    for (let index = 0; index < 1_000; index++) add(2, Buffer.alloc(1_000), index === 999);
    expect(budget.bytes).toBe(0);
    add(2, Buffer.alloc(1), false);
    expect(budget.bytes).toBeLessThanOrEqual(131_072);
  });

  test('gives its memory back when a message is whole and when the connection ends', () => {
    const budget = new ReassemblyBudget(mib);
    const { add, reassembly } = make([channel(1, mib), channel(2, mib)], budget);
    add(1, Buffer.alloc(1_000), false);
    add(2, Buffer.alloc(1_000), false);
    expect(budget.bytes).toBeGreaterThan(2_000);
    add(1, Buffer.alloc(1_000), true);
    reassembly.close();
    expect([budget.bytes, reassembly.parkedAt(limits)]).toEqual([0, undefined]);
  });

  test('ends the connection with the oldest unfinished message when all of them together are too much', () => {
    const budget = new ReassemblyBudget(300_000);
    const evicted: number[] = [];
    const connections = [0, 1, 2].map((index) => {
      const made: ReturnType<typeof make> = make([channel(1, 200_000)], budget, () => {
        evicted.push(index);
        made.reassembly.close();
      });
      return made;
    });
    for (const index of [1, 0, 2]) connections[index]!.add(1, Buffer.alloc(1_000), false);
    for (let total = 1_000; total < 150_000; total += 1_000) connections[0]!.add(1, Buffer.alloc(1_000), false);
    expect(evicted).toEqual([]);
    for (let total = 1_000; total < 150_000; total += 1_000) connections[2]!.add(1, Buffer.alloc(1_000), false);
    expect(evicted[0]).toBe(1);
    expect(budget.bytes).toBeLessThanOrEqual(300_000);
  });

  test('that is itself the oldest ends when it grows past the limit, and nothing of it stays counted', () => {
    const budget = new ReassemblyBudget(50_000);
    const made: ReturnType<typeof make> = make([channel(1, mib)], budget, () => made.reassembly.close());
    const code = codeOf(() => {
      for (;;) made.add(1, Buffer.alloc(1_000), false);
    });
    expect([code, budget.bytes]).toEqual(['ERR_REASSEMBLY_FULL', 0]);
  });

  test('calls a message parked after 30 seconds without a byte, or after a minute below 1 KiB a second', () => {
    const { add, reassembly } = make([channel(1, mib), channel(2, mib)]);
    expect(reassembly.parkedAt(limits)).toBeUndefined();
    add(1, Buffer.alloc(1), false, 1_000);
    expect(reassembly.parkedAt(limits)).toBe(31_000);
    add(1, Buffer.alloc(1), false, 20_000);
    add(1, Buffer.alloc(0), false, 25_000);
    expect(reassembly.parkedAt(limits)).toBe(50_000);
    add(1, Buffer.alloc(1), false, 49_000);
    expect(reassembly.parkedAt(limits)).toBe(61_000);
    add(1, Buffer.alloc(102_400), false, 50_000);
    expect(reassembly.parkedAt(limits)).toBe(80_000);
    add(1, Buffer.alloc(1), false, 79_000);
    // 102,404 bytes at 1 KiB a second last until 100,004 ms after the beginning.
    expect(reassembly.parkedAt(limits)).toBeCloseTo(1_000 + 100_003.9, 0);
    add(2, Buffer.alloc(1), false, 60_000);
    expect(reassembly.parkedAt(limits)).toBe(90_000);
    add(2, Buffer.alloc(1), true, 61_000);
    add(1, Buffer.alloc(1), true, 79_500);
    expect(reassembly.parkedAt(limits)).toBeUndefined();
  });
});
