import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { bytes } from '../../index.ts';
import { simulate, type SimulatedChannel, type Simulation } from '../../testing.ts';

const say = (...values: number[]): Uint8Array => Uint8Array.from(values);
const failed = { code: 'ERR_EXPECTATION_FAILED' };
let sim: Simulation;
let chat: SimulatedChannel<Uint8Array>;

beforeEach(async () => {
  sim = await simulate({ nodes: 3 });
  chat = sim.openChannel({ id: 0x60, name: 'chat', type: bytes, priority: 1, maxMessageBytes: 100 });
  await sim.linked();
});
afterEach(() => sim.stop());

describe('a delivery', () => {
  test('is expected by sender and content, by content, or by a condition', async () => {
    for (const value of [1, 2, 3]) await chat.send(0, 1, say(value));
    await chat.expectDelivered(1, { from: 0, message: say(1) });
    await chat.expectDelivered(1, [{ message: say(2) }, { from: 0, message: ([value]) => value === 3 }]);
    await chat.expectNothing();
  });

  test('is expected in order, and the wrong one fails at once, saying what came', async () => {
    for (const value of [1, 2]) await chat.send(0, 1, say(value));
    const began = sim.now;
    const wrong = chat.expectDelivered(1, [{ message: say(2) }, { message: say(1) }], { withinMs: 60_000 });
    await expect(wrong).rejects.toMatchObject({ ...failed, message: expect.stringContaining('"message":"01"') });
    expect(sim.now - began).toBeLessThan(1_000);
    await chat.expectDelivered(1, [{ message: say(1) }, { message: say(2) }]);
  });

  test('is expected in any order where that is said; one too many is left for the next expectation', async () => {
    await chat.send(0, 1, say(1));
    await chat.send(2, 1, say(2));
    await sim.run(100);
    await chat.send(0, 1, say(3));
    await chat.expectDelivered(
      1,
      [
        { from: 2, message: say(2) },
        { from: 0, message: say(1) },
      ],
      { order: 'any' },
    );
    await expect(chat.expectDelivered(1, [{ from: 2, message: say(3) }], { order: 'any' })).rejects.toMatchObject(failed);
    await chat.expectDelivered(1, { from: 0, message: say(3) });
  });

  test('that does not come fails after the time given, a second if none is', async () => {
    const began = sim.now;
    await expect(chat.expectDelivered(1, { message: say(1) })).rejects.toMatchObject(failed);
    expect(sim.now - began).toBe(1_000);
    await expect(chat.expectDelivered(1, { message: say(1) }, { withinMs: 50 })).rejects.toMatchObject(failed);
    expect(sim.now - began).toBe(1_050);
  });

  test('where none is expected fails, at the node in question or at any', async () => {
    await chat.broadcast(0, say(1));
    await expect(chat.expectNothing(1, { withinMs: 100 })).rejects.toMatchObject(failed);
    await chat.expectNothing(0);
    await expect(chat.expectNothing()).rejects.toMatchObject(failed);
    for (const index of [1, 2]) expect(chat.take(index)).toMatchObject([{ from: 0, message: say(1) }]);
    await chat.expectNothing();
  });

  test('is kept across nothing: a new life starts with none', async () => {
    await chat.send(0, 1, say(1));
    await sim.run(100);
    await sim.crash(1);
    expect(() => chat.at(1)).toThrow(expect.objectContaining({ code: 'ERR_NODE_STATE' }));
    await sim.restart(1);
    await sim.linked();
    expect(chat.take(1)).toEqual([]);
    await chat.send(0, 1, say(2));
    await chat.expectDelivered(1, { message: say(2) });
  });

  test('beyond ten thousand unread waits in the mailbox, until some are taken', async () => {
    await sim.run(0);
    for (let count = 0; count < 10_300; count++) {
      await chat.send(0, 1, say(1));
      if (count % 50 === 0) await sim.run(50);
    }
    await sim.run(5_000);
    expect(chat.take(1)).toHaveLength(10_000);
    await sim.run(5_000);
    expect(chat.take(1)).toHaveLength(300);
  });
});

describe('a message', () => {
  test('is sent when the queue takes it, and not to one who is down', async () => {
    await chat.expectSent(0, 1, say(1));
    await sim.crash(1);
    await sim.run(1_000);
    await expect(chat.expectSent(0, 1, say(1))).rejects.toMatchObject(failed);
  });

  test('that waits for room longer than allowed fails the expectation', async () => {
    const tight = await simulate({ nodes: 2, options: { peerQueue: { maxMessages: 2 } }, network: { bufferMessages: 1 } });
    const channel = tight.openChannel({ id: 0x60, type: bytes, priority: 1, maxMessageBytes: 100 });
    await tight.linked();
    tight.slowReader(1);
    const sends = async (): Promise<void> => {
      for (let count = 0; count < 10; count++) await channel.expectSent(0, 1, say(count), { withinMs: 500 });
    };
    await expect(sends()).rejects.toMatchObject({ ...failed, message: expect.stringContaining('within 500 ms') });
    await tight.stop();
  });
});

describe('an update', () => {
  test('is expected in order or in any, with a reason or without', async () => {
    await sim.run(3_000);
    await sim.crash(2);
    await sim.expectUpdates(0, [{ peer: 2, status: 'down', reason: 'reset' }]);
    await sim.restart(2);
    await sim.expectUpdates(0, [{ peer: 2, status: 'up' }], { withinMs: 20_000 });
    await sim.linked();
    await sim.crash(1);
    await sim.crash(2);
    await sim.expectUpdates(
      0,
      [
        { peer: 2, status: 'down' },
        { peer: 1, status: 'down' },
      ],
      { order: 'any' },
    );
  });

  test.each([
    ['another peer', { peer: 1, status: 'down' }],
    ['another status', { peer: 2, status: 'up' }],
    ['another reason', { peer: 2, status: 'down', reason: 'operator' }],
  ] as const)('that is of %s fails the expectation', async (_, wrong) => {
    await sim.run(3_000);
    await sim.crash(2);
    const wrongly = sim.expectUpdates(0, [wrong]);
    await expect(wrongly).rejects.toMatchObject({
      ...failed,
      message: expect.stringContaining('saw {"peer":2,"status":"down","reason":"reset"}'),
    });
  });

  test('that comes where none is expected, or not where links are, fails', async () => {
    await sim.crash(2);
    await expect(sim.expectNoUpdates(0, { withinMs: 1_000 })).rejects.toMatchObject(failed);
    sim.partition([0], [1]);
    await sim.run(100_000);
    await expect(sim.linked({ withinMs: 1_000 })).rejects.toMatchObject(failed);
  });
});
