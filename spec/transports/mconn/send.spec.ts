import { afterEach, describe, expect, test } from '@jest/globals';
import { frameBytes } from '../../../transports/mconn/aead.ts';
import { Sender } from '../../../transports/mconn/send.ts';
import { Waits } from '../../../transports/mconn/waits.ts';
import { settle, VirtualClock } from '../../../transports/simulated.ts';
import type { ChannelDescriptor } from '../../../transports/transport.ts';
import { fastLink, FakeOutlet, frameWriter } from '../../support/mconn-halves.ts';

const live = new AbortController().signal;
const channels: readonly ChannelDescriptor[] = [
  { id: 1, priority: 1, maxMessageBytes: 2_097_152 },
  { id: 2, priority: 4, maxMessageBytes: 2_097_152 },
  { id: 0x80, priority: 1, maxMessageBytes: 100_000 },
];

const opened: (() => void)[] = [];
afterEach(() => opened.splice(0).forEach((close) => close()));

function make({ outlet = new FakeOutlet(), options = fastLink(), clock = new VirtualClock() } = {}) {
  const failures: unknown[] = [];
  const waits = new Waits();
  const sender = new Sender({ clock, options, channels, writer: frameWriter(), outlet, waits, fail: (error) => failures.push(error) });
  opened.push(() => {
    sender.close();
    waits.close(new Error('over'));
  });
  const send = (channelId: number, bytes: Uint8Array, signal = live) => sender.send({ channelId, bytes }, signal);
  return { sender, send, outlet, clock, failures, waits };
}

/** Lets promises and ticks run for as long as there are any, but no turn of the event loop. */
async function thisTurn(): Promise<void> {
  let over = false;
  setImmediate(() => (over = true));
  for (let tick = 0; tick < 20; tick++) {
    await Promise.resolve();
    await new Promise<void>((resolve) => process.nextTick(resolve));
  }
  expect(over).toBe(false);
}

/** Sends messages on a channel one after another, as a link does, until told to stop. */
async function keepSending(send: ReturnType<typeof make>['send'], channelId: number, size: number, isOver: () => boolean): Promise<number> {
  let count = 0;
  for (; !isOver(); count++) {
    const taken = send(channelId, new Uint8Array(size));
    if (taken) await taken.catch(() => undefined);
  }
  return count;
}

describe('the sender', () => {
  test('writes a message alone in the same turn, in one frame, and takes the next at once', async () => {
    const { send, outlet } = make();
    expect(send(1, Buffer.from('hi'))).toBeUndefined();
    await thisTurn();
    expect(outlet.writes).toEqual([frameBytes]);
    expect(outlet.packets).toMatchObject([{ kind: 'part', channelId: 1, final: true }]);
  });

  test('lets what is sent together share frames and one write', async () => {
    const { send, outlet, sender } = make();
    const sending = [1, 2, 0x80].map(async (id) => {
      for (let index = 0; index < 10; index++) await send(id, Buffer.alloc(20, index));
    });
    await Promise.all(sending);
    await thisTurn();
    expect(outlet.writes).toEqual([frameBytes]);
    expect(outlet.packets).toHaveLength(30);
    expect(sender.messages).toBe(30);
  });

  test('splits messages of every size into packets that put together are the message', async () => {
    const { send, outlet } = make();
    for (const id of [1, 0x80]) {
      for (const size of [0, 1, 1_023, 1_024, 1_025, 1_400, 1_401, 65_536, 100_000]) {
        outlet.packets.length = 0;
        const bytes = Uint8Array.from({ length: size }, (_, index) => (index * 7 + size) & 255);
        await send(id, bytes);
        await settle();
        expect(Buffer.concat(outlet.packets.map(({ data }) => data)).equals(bytes)).toBe(true);
        expect(outlet.packets.map(({ final }) => final)).toEqual(outlet.packets.map((_, index) => index === outlet.packets.length - 1));
        expect(outlet.packets.every(({ data, wireBytes }) => data.length <= 1_024 && wireBytes <= 1_036)).toBe(true);
      }
    }
  });

  test('refuses a channel it does not have and a message above the capacity, without harm', async () => {
    const { send, outlet } = make();
    expect(() => send(3, Buffer.alloc(1))).toThrow(expect.objectContaining({ code: 'ERR_CHANNEL_UNKNOWN' }));
    expect(() => send(256, Buffer.alloc(1))).toThrow(expect.objectContaining({ code: 'ERR_CHANNEL_UNKNOWN' }));
    expect(() => send(0x80, Buffer.alloc(100_001))).toThrow(expect.objectContaining({ code: 'ERR_SEND_TOO_LARGE' }));
    await send(0x80, Buffer.alloc(1));
    await thisTurn();
    expect(outlet.packets).toHaveLength(1);
  });

  test('holds no more in the socket than it may, and goes on when the socket drains', async () => {
    const outlet = new FakeOutlet(false);
    const { send } = make({ outlet, options: fastLink({ maxSocketBytes: 100_000 }) });
    const taken = send(1, new Uint8Array(500_000))!;
    let done = false;
    void taken.then(() => (done = true));
    await settle();
    expect(outlet.backlogBytes).toBeGreaterThan(90_000);
    expect(outlet.backlogBytes).toBeLessThan(100_000 + 2 * frameBytes + 3_000);
    for (let turn = 0; turn < 10; turn++) {
      outlet.drain();
      await settle();
      expect(outlet.backlogBytes).toBeLessThan(100_000 + 2 * frameBytes + 3_000);
    }
    expect([done, outlet.packets.at(-1)!.final]).toEqual([true, true]);
  });

  test('lets a message pass a long one: between two of its packets, once the socket takes more', async () => {
    const outlet = new FakeOutlet(false);
    const { send } = make({ outlet, options: fastLink({ maxSocketBytes: 50_000 }) });
    void send(1, new Uint8Array(1_048_576));
    await settle();
    const before = outlet.packets.length;
    expect(send(2, Buffer.from('urgent'))).toBeInstanceOf(Promise);
    outlet.drain();
    await settle();
    expect(outlet.order.indexOf(2)).toBe(before);
    expect(outlet.order.slice(before + 1).every((id) => id === 1)).toBe(true);
  });

  test('keeps the shares of the rule under load, also for messages of one packet that come one by one', async () => {
    const outlet = new FakeOutlet(false);
    const { send, sender } = make({ outlet, options: fastLink({ maxSocketBytes: 20_000 }) });
    let over = false;
    const loops = [1, 2].map((id) => keepSending(send, id, 900, () => over));
    for (let turn = 0; turn < 40; turn++) {
      await settle();
      outlet.drain();
    }
    over = true;
    const [ones, twos] = [1, 2].map((wanted) => outlet.order.filter((id) => id === wanted).length) as [number, number];
    expect(ones + twos).toBeGreaterThan(400);
    expect(twos / ones).toBeGreaterThan(3.8);
    expect(twos / ones).toBeLessThan(4.2);
    // And never far from it: in any twenty packets in a row, once the lead of the one that was there first is made up for.
    for (let at = 60; at + 20 < outlet.order.length; at++) {
      const share = outlet.order.slice(at, at + 20).filter((id) => id === 1).length;
      expect(Math.abs(share - 4)).toBeLessThanOrEqual(1);
    }
    for (let turn = 0; turn < 10; turn++) {
      outlet.drain();
      await settle();
    }
    const counts = await Promise.all(loops);
    expect(outlet.order.length).toBe(counts[0]! + counts[1]!);
    expect(sender.messages).toBe(outlet.order.length);
  });

  test('keeps to its rate, within five percent over ten seconds, and never has more than 50 ms of it below', async () => {
    const rate = 200_000;
    const { send, outlet, clock } = make({ options: fastLink({ sendRate: rate }) });
    let over = false;
    const loop = keepSending(send, 1, 5_000, () => over);
    await settle();
    expect(outlet.packetBytes).toBeLessThanOrEqual(rate * 0.05 + 1_100);
    let before = outlet.packetBytes;
    const start = before;
    for (let tenth = 0; tenth < 100; tenth++) {
      await clock.advanceAsync(100);
      expect(outlet.packetBytes - before).toBeLessThanOrEqual(rate * 0.15 + 1_100);
      before = outlet.packetBytes;
    }
    expect((outlet.packetBytes - start) / (rate * 10)).toBeGreaterThan(0.95);
    expect((outlet.packetBytes - start) / (rate * 10)).toBeLessThan(1.05);
    over = true;
    await clock.advanceAsync(1_000);
    await loop;
  });

  test('lets pings and pongs pass whatever waits for the rate', async () => {
    const { send, outlet, sender } = make({ options: fastLink({ sendRate: 1_000 }) });
    void send(1, new Uint8Array(100_000));
    await settle();
    const before = outlet.packets.length;
    sender.pong();
    sender.ping();
    sender.ping();
    await thisTurn();
    expect(outlet.packets.slice(before).map(({ kind }) => kind)).toEqual(['pong', 'ping']);
  });

  test('keeps one ping and one pong for a socket that takes nothing', async () => {
    const outlet = new FakeOutlet(false);
    const { send, sender } = make({ outlet, options: fastLink({ maxSocketBytes: 10_000 }) });
    void send(1, new Uint8Array(100_000));
    await settle();
    const { backlogBytes } = outlet;
    for (let index = 0; index < 1_000; index++) {
      sender.pong();
      await Promise.resolve();
    }
    await settle();
    expect(outlet.backlogBytes).toBe(backlogBytes);
    outlet.drain();
    await settle();
    expect(outlet.packets.filter(({ kind }) => kind === 'pong')).toHaveLength(1);
  });

  test('never occupies the process: other work gets its turn every 256 KiB', async () => {
    const { send, outlet } = make();
    const seen: number[] = [];
    let over = false;
    const look = (): void => {
      seen.push(outlet.packetBytes);
      if (!over) setImmediate(look);
    };
    look();
    await send(1, new Uint8Array(2_000_000));
    over = true;
    await settle();
    const steps = seen.map((bytes, index) => bytes - (seen[index - 1] ?? 0));
    expect(Math.max(...steps)).toBeLessThan(262_144 + 2_000);
    expect(outlet.packetBytes).toBeGreaterThan(2_000_000);
  });

  test('calls a remote stalled that takes nothing for ten seconds, and not one that takes a little', async () => {
    const outlet = new FakeOutlet(false);
    const { send, clock, failures } = make({ outlet });
    void send(1, new Uint8Array(100_000));
    await settle();
    for (let second = 0; second < 60; second++) {
      if (second % 5 === 0) outlet.taken++;
      await clock.advanceAsync(1_000);
    }
    expect(failures).toEqual([]);
    // The last byte was taken at 55 s.
    await clock.advanceAsync(4_999);
    expect(failures).toEqual([]);
    await clock.advanceAsync(10_000);
    expect(failures).toMatchObject([{ code: 'ERR_CONNECTION_STALLED' }]);
  });

  test('does not call a remote stalled that has nothing to take', async () => {
    const outlet = new FakeOutlet(false);
    const { send, clock, failures } = make({ outlet });
    void send(1, new Uint8Array(100));
    await settle();
    outlet.drain();
    await clock.advanceAsync(60_000);
    expect(failures).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  test('is drained once all it holds is with the socket', async () => {
    const outlet = new FakeOutlet(false);
    const { send, sender } = make({ outlet, options: fastLink({ maxSocketBytes: 10_000 }) });
    void send(1, new Uint8Array(30_000));
    void send(2, new Uint8Array(10));
    let drained = false;
    void sender.drained().then(() => (drained = true));
    await settle();
    expect(drained).toBe(false);
    for (let turn = 0; turn < 10; turn++) {
      outlet.drain();
      await settle();
    }
    expect(drained).toBe(true);
    expect(outlet.packets.filter(({ final }) => final)).toHaveLength(2);
    await sender.drained();
  });

  test('resolves whoever waits for it to drain when it is closed', async () => {
    const outlet = new FakeOutlet(false);
    const { send, sender } = make({ outlet, options: fastLink({ maxSocketBytes: 10_000 }) });
    void send(1, new Uint8Array(30_000));
    const drained = sender.drained();
    await settle();
    sender.close();
    await drained;
    await sender.drained();
  });

  test('holds one message a channel; after an aborted wait the next one waits for it', async () => {
    const outlet = new FakeOutlet(false);
    const { send } = make({ outlet, options: fastLink({ maxSocketBytes: 10_000 }) });
    const stop = new AbortController();
    const first = send(1, new Uint8Array(30_000), stop.signal)!;
    expect(() => send(1, new Uint8Array(1))).toThrow(expect.objectContaining({ code: 'ERR_INTERNAL' }));
    stop.abort('enough');
    await expect(first).rejects.toBe('enough');
    const second = send(1, Buffer.from('next'))!;
    expect(() => send(1, new Uint8Array(1))).toThrow(expect.objectContaining({ code: 'ERR_INTERNAL' }));
    for (let turn = 0; turn < 5; turn++) {
      await settle();
      outlet.drain();
    }
    await second;
    const finals = outlet.packets.filter(({ final }) => final);
    expect(finals).toHaveLength(2);
    expect(Buffer.from(finals[1]!.data).toString()).toBe('next');
  });

  test('sets no timer and holds no buffer while it has nothing to do', async () => {
    const { send, clock } = make();
    for (const size of [10, 100_000]) await send(1, new Uint8Array(size));
    await settle();
    expect(clock.pending).toBe(0);
  });
});

test('a limiter that lets go between two looks of one turn stops nothing', async () => {
  /** Time passes whenever somebody looks. */
  class CreepingClock extends VirtualClock {
    readonly #creepMs: number;
    #looks = 0;
    constructor(creepMs: number) {
      super();
      this.#creepMs = creepMs;
    }
    override now(): number {
      return super.now() + this.#creepMs * this.#looks++;
    }
  }
  // With this rate the burst ends with the bytes of one turn, so that the next turn begins with nothing to send and nothing to wait for.
  const options = { ...fastLink(), sendRate: 262_144 * 20 };
  const stuck: number[] = [];
  for (let creepMs = 0.001; creepMs < 0.2; creepMs += 0.005) {
    const clock = new CreepingClock(creepMs);
    const { send } = make({ clock, options });
    stuck.push(creepMs);
    void Promise.resolve(send(1, new Uint8Array(600_000))).then(
      () => stuck.pop(),
      () => undefined,
    );
    for (let step = 0; step < 30; step++) await clock.advanceAsync(10);
    if (stuck.length > 0) break;
  }
  expect(stuck).toEqual([]);
});
