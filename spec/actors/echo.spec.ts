/** The echo reactor over a fake channel. */
import { describe, expect, test } from '@jest/globals';
import { echoReactor, type EchoOptions } from '../../actors/echo.ts';
import { encodeMessage } from '../../proto/codec.ts';
import { echoMessage, type Echo } from '../../proto/echo.ts';
import type { NodeId } from '../../proto/identity.ts';
import { peerId, runReactor, surroundings, type FakeChannel } from '../support/reactor-context.ts';
import { settle } from '../support/virtual-clock.ts';

const a = peerId(1);
const b = peerId(2);
const question = (text: string): Echo => ({ payload: Buffer.from(text), reply: false });

async function start(options: EchoOptions = {}) {
  const made = echoReactor(options);
  const around = surroundings(made);
  const running = runReactor(made, around.input);
  await settle();
  return { ...around, ...running, echo: around.channels['echo'] as FakeChannel<Echo> };
}

describe('the echo reactor', () => {
  test('is on channel 0x77 unless told otherwise', () => {
    expect(echoReactor()).toMatchObject({ name: 'echo', channels: { echo: { id: 0x77, maxMessageBytes: 1_048_576 } } });
    expect(echoReactor({ id: 0x01 }).channels['echo']?.id).toBe(0x01);
  });

  test('answers a question with its payload, marked', async () => {
    const { echo } = await start();
    echo.deliver(a, question('one'));
    echo.deliver(b, question(''));
    await settle();
    expect(echo.sent).toEqual([
      { to: a, message: { payload: Buffer.from('one'), reply: true } },
      { to: b, message: { payload: Buffer.from(''), reply: true } },
    ]);
  });

  test('never answers an answer', async () => {
    const { echo } = await start();
    echo.deliver(a, { payload: Buffer.from('one'), reply: true });
    await settle();
    expect(echo.sent).toEqual([]);
  });

  test('answers the largest payload whose marked answer fits the channel, and ignores one byte more', async () => {
    const { echo, lines } = await start();
    const largest = new Uint8Array(1_048_576 - 6);
    expect(encodeMessage(echoMessage, { payload: largest, reply: true })).toHaveLength(1_048_576);
    echo.deliver(a, { payload: largest, reply: false });
    echo.deliver(a, { payload: new Uint8Array(largest.length + 1), reply: false });
    await settle();
    expect([echo.sent.length, lines]).toEqual([1, []]);
  });

  test('an answer without room is dropped, and the next question is read', async () => {
    const { echo, outcome } = await start();
    echo.onSend = (to) => to !== a;
    echo.deliver(a, question('one'));
    echo.deliver(b, question('two'));
    await settle();
    expect([echo.sent.length, outcome]).toEqual([2, {}]);
    expect(echoReactor().channels['echo']?.drop).toBe('newest');
  });

  test.each([[0], [-1], [1.5], [NaN], [Infinity]])('refuses %s as its interval', (everyMs) => {
    expect(() => echoReactor({ everyMs })).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID' }));
  });
});

describe('asking', () => {
  async function asking() {
    const trips: [number, NodeId][] = [];
    const around = await start({ everyMs: 1_000, onRoundTrip: (ms, from) => trips.push([ms, from]) });
    around.peers.up(a);
    around.peers.up(b, [0x00]);
    await settle();
    return { ...around, trips, last: () => around.echo.sent.at(-1)!.message };
  }

  test('a question goes to all every interval, each another', async () => {
    const { echo, clock } = await asking();
    await clock.advanceAsync(3_000);
    expect(echo.sent.map(({ to }) => to)).toEqual(['all', 'all', 'all']);
    expect(new Set(echo.sent.map(({ message }) => Buffer.from(message.payload).toString('hex'))).size).toBe(3);
    expect(echo.sent.every(({ message }) => message.payload.length === 16 && !message.reply)).toBe(true);
  });

  test('the way there and back is measured once for each peer that was asked', async () => {
    const { echo, clock, trips, last } = await asking();
    await clock.advanceAsync(1_000);
    const answer = { ...last(), reply: true };
    await clock.advanceAsync(7);
    echo.deliver(a, answer);
    echo.deliver(a, answer);
    echo.deliver(b, answer);
    await settle();
    expect(trips).toEqual([[7, a]]);
  });

  test('a question of ours that an unmarked echo sends back is measured and not answered', async () => {
    const { echo, clock, trips, last } = await asking();
    await clock.advanceAsync(1_000);
    echo.deliver(a, last());
    await clock.advanceAsync(1);
    expect([trips, echo.sent.length]).toEqual([[[0, a]], 1]);
  });

  test('the answer to the sixteenth question back counts, an older one does not', async () => {
    const { echo, clock, trips } = await asking();
    await clock.advanceAsync(17_000);
    for (const at of [0, 1]) echo.deliver(a, { ...echo.sent[at]!.message, reply: true });
    await settle();
    expect(trips).toEqual([[15_000, a]]);
  });

  test('a peer that went down and came back has not been asked', async () => {
    const { echo, clock, peers, trips, last } = await asking();
    await clock.advanceAsync(1_000);
    peers.down(a);
    peers.up(a);
    await settle();
    echo.deliver(a, { ...last(), reply: true });
    await settle();
    expect(trips).toEqual([]);
  });
});
