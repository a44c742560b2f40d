import { afterEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { TroupeError } from '../../../proto/errors.ts';
import { frameBytes } from '../../../transports/mconn/aead.ts';
import { maxInboxMessages } from '../../../transports/mconn/inbox.ts';
import { pingPacket, pongPacket } from '../../../transports/mconn/packet.ts';
import { ReassemblyBudget } from '../../../transports/mconn/reassembly.ts';
import { Receiver } from '../../../transports/mconn/receive.ts';
import { Waits } from '../../../transports/mconn/waits.ts';
import { settle, VirtualClock } from '../../../transports/simulated.ts';
import type { ChannelDescriptor, Message } from '../../../transports/transport.ts';
import { fastLink, frameReader, packetOf, Sealing } from '../../support/mconn-halves.ts';

const channels: readonly ChannelDescriptor[] = [
  { id: 1, priority: 1, maxMessageBytes: 1_048_576 },
  { id: 2, priority: 1, maxMessageBytes: 100 },
];
const mib = 1_048_576;

const opened: (() => void)[] = [];
afterEach(() => opened.splice(0).forEach((close) => close()));

function make({ options = fastLink(), budget = new ReassemblyBudget(128 * mib) } = {}) {
  const clock = new VirtualClock();
  const seen = { pings: 0, pongs: 0, pauses: 0, reading: false, failures: [] as unknown[], over: [] as Error[] };
  const waits = new Waits();
  const sealing = new Sealing();
  const receiver: Receiver = new Receiver({
    ...{ clock, options, channels, budget, waits, reader: frameReader() },
    source: {
      pause: () => {
        seen.reading = false;
        seen.pauses++;
      },
      resume: () => (seen.reading = true),
    },
    pinged: () => seen.pings++,
    ponged: () => seen.pongs++,
    fail: (error) => {
      seen.failures.push(error);
      receiver.close();
    },
    over: (error) => {
      seen.over.push(error);
      receiver.close();
    },
  });
  opened.push(() => {
    receiver.close();
    waits.close(new Error('over'));
  });
  receiver.begin(new Uint8Array(0), new Uint8Array(0));
  const get = (...packets: readonly Uint8Array[]): void => receiver.push(sealing.seal(...packets));
  /** The next message if there is one; does not wait for it. */
  const take = (): Message | undefined => {
    const stop = new AbortController();
    const message = receiver.take(stop.signal);
    if (!(message instanceof Promise)) return message;
    stop.abort();
    return undefined;
  };
  return { receiver, clock, seen, get, take, sealing };
}

const code = (name: string): unknown => [expect.objectContaining({ code: name })];
const part = (size: number, final = true, channelId = 1): Uint8Array => packetOf(channelId, final, new Uint8Array(size));

describe('the receiver', () => {
  test('reads the socket as soon as it begins, with what came before', () => {
    const { seen, take, sealing } = make();
    expect(seen.reading).toBe(true);
    const other = make();
    const early = packetOf(1, true, Buffer.from('early'));
    other.receiver.begin(early.subarray(0, 5), sealing.seal(early.subarray(5), part(3)));
    expect([other.take()!.bytes.length, other.take()!.bytes.length]).toEqual([5, 3]);
    expect(take).toBeDefined();
  });

  test('puts messages together however the socket cuts the stream', () => {
    const sizes = [0, 1, 1_023, 1_024, 1_025, 5_000, 0, 1_400];
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 3_000 }), { minLength: 1, maxLength: 20 }),
        fc.integer({ min: 100, max: 1_400 }),
        (cuts, payload) => {
          const { receiver, take, sealing } = make();
          const packets = sizes.flatMap((size) => {
            const bytes = Uint8Array.from({ length: size }, (_, index) => (index * 3 + size) & 255);
            const parts: Uint8Array[] = [];
            for (let at = 0; at + payload < size; at += payload) parts.push(packetOf(1, false, bytes.subarray(at, at + payload)));
            return [...parts, packetOf(1, true, bytes.subarray(parts.length * payload))];
          });
          const wire = sealing.seal(...packets);
          for (let at = 0, index = 0; at < wire.length; index++) {
            const piece = wire.slice(at, at + cuts[index % cuts.length]!);
            receiver.push(piece);
            at += piece.length;
          }
          for (const size of sizes) {
            const { bytes } = take()!;
            expect(Buffer.from(bytes).equals(Uint8Array.from({ length: size }, (_, index) => (index * 3 + size) & 255))).toBe(true);
          }
          expect(receiver.messages).toBe(sizes.length);
        },
      ),
      { numRuns: 30 },
    );
  });

  test('stops reading when more waits than may, and reads on when half of it is gone, losing nothing', () => {
    const { seen, get, take } = make();
    get(...Array.from({ length: maxInboxMessages + 1 }, () => part(10)));
    expect(seen.reading).toBe(false);
    get(part(7));
    for (let left = maxInboxMessages + 1; left > maxInboxMessages / 2 + 1; left--) expect(take()!.bytes.length).toBe(10);
    expect(seen.reading).toBe(false);
    take();
    expect(seen.reading).toBe(true);
    for (let left = maxInboxMessages / 2; left > 0; left--) expect(take()!.bytes.length).toBe(10);
    expect(take()!.bytes.length).toBe(7);
    expect(take()).toBeUndefined();
  });

  test('handles pings and pongs as they come, whoever reads messages or does not', () => {
    const { seen, get } = make();
    get(part(10), pingPacket, part(10), pongPacket, pingPacket);
    expect([seen.pings, seen.pongs]).toEqual([2, 1]);
  });

  test('lets no more in than the rate, and counts a packet at least 256 and a message 1,024 more', async () => {
    const perSecond = async (packets: number, packet: Uint8Array): Promise<number> => {
      const rate = 1_000_000;
      const { seen, get, clock, receiver, take } = make({ options: fastLink({ receiveRate: rate }) });
      let [pieces, counted] = [0, 0];
      const start = clock.now();
      while (clock.now() < start + 6_000) {
        if (seen.reading) {
          get(...Array.from({ length: packets }, () => packet));
          pieces++;
        }
        while (take());
        await clock.advanceAsync(1);
        if (clock.now() === start + 2_000) counted = receiver.messages;
      }
      expect(pieces).toBeGreaterThan(20);
      return (receiver.messages - counted) / 4;
    };
    // Empty messages cost 1,280 units each, those of 1,000 bytes their 1,012 and 1,024.
    expect(Math.abs((await perSecond(100, part(0))) / (1_000_000 / 1_280) - 1)).toBeLessThan(0.05);
    expect(Math.abs((await perSecond(10, part(1_000))) / (1_000_000 / (part(1_000).length + 1_024)) - 1)).toBeLessThan(0.05);
  });

  test('stops inside a piece that costs too much, so that a flood of the smallest packets delays a ping by less than a second', () => {
    const { receiver, seen, clock, sealing, take } = make({ options: fastLink({ receiveRate: 5_120_000 }) });
    const flood = sealing.seal(...Array.from({ length: 9_000 }, () => part(0)), pingPacket);
    receiver.push(flood);
    expect(receiver.messages).toBeLessThan(9_000);
    expect(seen.reading).toBe(false);
    let longest = 0;
    for (let before = receiver.messages, quiet = 0; seen.pings === 0; quiet++) {
      while (take());
      clock.advance(1);
      if (receiver.messages > before) [longest, quiet, before] = [Math.max(longest, quiet), 0, receiver.messages];
    }
    expect(longest).toBeLessThan(1_000);
  });

  test('never occupies the process: other work gets its turn every 256 KiB', async () => {
    const { receiver, seen, sealing } = make();
    const message = [...Array.from({ length: 9 }, () => part(1_000, false)), part(1_000)];
    for (let piece = 0; piece < 10; piece++) receiver.push(sealing.seal(...Array.from({ length: 6 }, () => message).flat()));
    expect([seen.reading, receiver.messages]).toEqual([false, 25]);
    await settle(1);
    expect([seen.reading, receiver.messages]).toEqual([false, 51]);
    await settle(1);
    expect([seen.reading, receiver.messages]).toEqual([true, 60]);
  });

  test('keeps a remote that pings every two seconds and drops one that sends 31 pings in a minute', () => {
    const { seen, get, clock } = make();
    for (let ping = 0; ping < 100; ping++) {
      get(pingPacket);
      clock.advance(2_000);
    }
    expect([seen.pings, seen.failures]).toEqual([100, []]);
    clock.advance(60_000);
    for (let ping = 0; ping < 30; ping++) get(pingPacket);
    expect(seen.failures).toEqual([]);
    clock.advance(59_000);
    get(pingPacket);
    expect(seen.failures).toEqual(code('ERR_PINGS_FLOODING'));
  });

  test('drops a frame full of pings after thirty of them', () => {
    const { seen, get } = make();
    get(...Array.from({ length: 341 }, () => pingPacket));
    expect(seen.pings).toBe(30);
    expect(seen.failures).toEqual(code('ERR_PINGS_FLOODING'));
  });

  test('drops a remote that sends more than a hundred empty packets a minute, but not for empty messages', () => {
    const { seen, get, clock, take } = make();
    for (let minute = 0; minute < 5; minute++) {
      get(...Array.from({ length: 100 }, () => part(0, false)));
      clock.advance(60_000);
    }
    get(...Array.from({ length: 200 }, () => part(0)));
    while (take());
    expect(seen.failures).toEqual([]);
    get(...Array.from({ length: 101 }, () => part(0, false)));
    expect(seen.failures).toEqual(code('ERR_PACKETS_EMPTY'));
  });

  test.each([
    ['a packet above the limit', [packetOf(1, true, new Uint8Array(1_401))], 'ERR_PACKET_TOO_LARGE'],
    ['a packet that does not decode', [Uint8Array.of(0)], 'ERR_PACKET_MALFORMED'],
    ['a channel it does not have', [part(1, true, 3)], 'ERR_CHANNEL_UNKNOWN'],
    ['a message above the capacity', [part(100, false, 2), part(1, true, 2)], 'ERR_MESSAGE_TOO_LARGE'],
  ])('fails on %s, and hands out nothing that comes after', (_, packets, expected) => {
    const { seen, get, receiver } = make();
    get(...packets, part(1), pingPacket);
    expect(seen.failures).toEqual(code(expected));
    expect([receiver.messages, seen.pings]).toEqual([0, 0]);
  });

  test('fails on a frame that does not open, and tries none after it', () => {
    const { receiver, seen, sealing } = make();
    const wire = sealing.seal(part(1_000), part(1_000), part(1_000));
    wire[frameBytes + 500]! ^= 1;
    receiver.push(wire);
    expect(seen.failures).toEqual(code('ERR_FRAME_UNSEALED'));
    receiver.push(sealing.seal(part(1)));
    expect([seen.failures.length, receiver.messages]).toEqual([1, 1]);
  });

  test('drops a remote that leaves a message unfinished', async () => {
    const { seen, get, clock } = make();
    get(part(1_000, false));
    await clock.advanceAsync(29_000);
    get(part(1, false));
    await clock.advanceAsync(29_000);
    get(part(0, false));
    expect(seen.failures).toEqual([]);
    await clock.advanceAsync(1_000);
    expect(seen.failures).toEqual(code('ERR_MESSAGE_PARKED'));
  });

  test('drops a remote that sends a message slower than 1 KiB a second for more than a minute', async () => {
    const { seen, get, clock } = make();
    let seconds = 0;
    for (; seen.failures.length === 0 && seconds < 100; seconds++) {
      get(part(1_000, false));
      await clock.advanceAsync(1_000);
    }
    expect(seen.failures).toEqual(code('ERR_MESSAGE_PARKED'));
    expect(seconds).toBe(60);

    const faster = make();
    for (let second = 0; second < 100; second++) {
      faster.get(part(1_050, false));
      await faster.clock.advanceAsync(1_000);
    }
    expect(faster.seen.failures).toEqual([]);
  });

  test('does not count the time in which it leaves the socket unread itself', async () => {
    const { seen, get, clock, take, receiver } = make();
    get(part(1_000, false), ...Array.from({ length: maxInboxMessages + 1 }, () => part(1, true, 2)));
    expect(seen.reading).toBe(false);
    await clock.advanceAsync(120_000);
    expect([seen.failures, receiver.readingNow() - receiver.heardAt]).toEqual([[], 0]);
    while (take());
    expect(seen.reading).toBe(true);
    await clock.advanceAsync(29_000);
    get(part(10));
    expect(seen.failures).toEqual([]);
    expect(receiver.readingNow() - receiver.heardAt).toBe(0);
  });

  test('reads what has come in before it judges, after the process itself stood still', async () => {
    const { seen, get, clock } = make();
    get(part(1_000, false));
    setImmediate(() => get(part(10)));
    clock.advance(120_000);
    await clock.advanceAsync(1);
    expect(seen.failures).toEqual([]);
  });

  test('hands out all that came before an orderly end, then says so', () => {
    const { receiver, seen, get, take } = make();
    get(part(1), part(2));
    receiver.finish(undefined);
    expect(seen.over).toEqual([]);
    expect(take()!.bytes.length).toBe(1);
    expect(seen.over).toEqual([]);
    expect(take()!.bytes.length).toBe(2);
    expect(seen.over).toEqual(code('ERR_CONNECTION_CLOSED'));
  });

  test('hands out all that came before an end also when it could not be read at once', () => {
    const { receiver, seen, get, take } = make();
    get(...Array.from({ length: 2 * maxInboxMessages + 50 }, () => part(1)));
    get(part(5));
    receiver.finish(undefined);
    let count = 0;
    while (seen.over.length === 0) {
      expect(take()).toBeDefined();
      count++;
    }
    expect(count).toBe(2 * maxInboxMessages + 51);
  });

  test('calls an end inside a frame a broken connection, and takes an error as it is', () => {
    for (let cut = 1; cut < frameBytes; cut += 149) {
      const { receiver, seen, sealing } = make();
      receiver.push(sealing.seal(part(10)).subarray(0, cut));
      receiver.finish(undefined);
      expect(seen.over).toEqual(code('ERR_CONNECTION_RESET'));
    }
    const { receiver, seen } = make();
    const error = new TroupeError('ERR_CONNECTION_RESET', 'by the network');
    receiver.finish(error);
    expect(seen.over).toEqual([error]);
  });

  test('that is closed takes nothing, and gives its memory back', () => {
    const budget = new ReassemblyBudget(mib);
    const { receiver, get, clock, seen } = make({ budget });
    get(part(1_000, false));
    expect(budget.bytes).toBeGreaterThan(0);
    receiver.close();
    get(part(1), pingPacket);
    expect([budget.bytes, clock.pending, seen.pings, receiver.messages]).toEqual([0, 0, 0, 0]);
  });

  test('ends the connection with the oldest unfinished message when all are too much', () => {
    const budget = new ReassemblyBudget(100_000);
    const [first, second] = [make({ budget }), make({ budget })];
    first.get(part(1_000, false));
    for (let total = 0; total < 90_000; total += 1_000) second.get(part(1_000, false));
    for (let total = 0; total < 30_000; total += 1_000) second.get(part(1_000, false));
    expect(first.seen.failures).toEqual(code('ERR_REASSEMBLY_FULL'));
  });
});
