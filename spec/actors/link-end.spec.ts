import { afterEach, describe, expect, test } from '@jest/globals';
import { TroupeError } from '../../proto/errors.ts';
import { hello, pair, stopAll, talk, world } from '../support/router.ts';
import { settle } from '../support/virtual-clock.ts';

afterEach(stopAll);

const never = new Promise<boolean>(() => undefined);

describe('a remote that hangs up within two seconds of NodeInfo and before any message', () => {
  test('has rejected us if that was its only connection', async () => {
    const { a, b } = await pair();
    a.manager.evict(a.manager.arrivals[0]!, 'full');
    await settle(10);
    expect(b.manager.heard).toEqual(['route', 'up', 'down rejected']);
    expect(Object.fromEntries(b.counters.disconnects)).toEqual({ rejected: 1 });
  });

  test('has closed a duplicate if another one lives, whichever of the two it closes', async () => {
    for (const closed of [0, 1]) {
      const { a, b, connect } = await pair();
      b.manager.admission = () => ({ verdict: 'hold', older: b.manager.arrivals[0]!.link });
      await connect(a, b);
      a.manager.evict(a.manager.arrivals[closed]!, 'duplicate');
      await settle(10);
      expect(b.manager.heard).toEqual(['route', 'up', 'hold', 'down duplicate']);
      expect(Object.fromEntries(b.counters.disconnects)).toEqual({ duplicate: 1 });
    }
  });

  test('has closed a duplicate if our own dial to it is still shaking hands', async () => {
    const { host, connect } = world();
    const [a, b] = [await host(), await host({}, { filters: { id: ({ direction }) => direction === 'inbound' || never } })];
    for (const { router } of [a, b]) router.openChannel(talk);
    await connect(a, b);
    await connect(b, a);
    a.manager.evict(a.manager.arrivals[0]!, 'duplicate');
    await settle(10);
    expect(b.manager.heard).toEqual(['route', 'up', 'down duplicate']);
  });

  test('has gone, if it takes longer or has said something', async () => {
    const late = await pair();
    await late.clock.advanceAsync(2_000);
    late.a.manager.evict(late.a.manager.arrivals[0]!, 'full');
    await settle(10);
    expect(late.b.manager.heard.at(-1)).toBe('down remoteClosed');
    const spoken = await pair();
    await spoken.channels.a.send({ to: spoken.b.key.id, message: hello });
    await spoken.channels.b[Symbol.asyncIterator]().next();
    spoken.a.manager.evict(spoken.a.manager.arrivals[0]!, 'full');
    await settle(10);
    expect(spoken.b.manager.heard.at(-1)).toBe('down remoteClosed');
  });
});

describe('what is lost with a link is counted:', () => {
  test('messages in its queue, and those that the connection could not pass on', async () => {
    const { a, b, channels } = await pair({ bufferMessages: 1, mailbox: { maxMessages: 1 } });
    const sent = await Promise.all(Array.from({ length: 9 }, () => channels.a.send({ to: b.key.id, message: hello })));
    await settle(10);
    a.manager.evict(a.manager.arrivals[0]!, 'operator');
    await settle(10);
    // One lies in the mailbox, one waits for room in it, one is under way: whatever the remote did not get to read was lost on this side or on that.
    const lost = a.counters.drops.get('linkClosed') ?? 0;
    const arrived = b.traffic.look().totals.messagesReceived;
    expect(sent).toEqual(sent.map(() => true));
    expect(lost).toBeGreaterThan(0);
    expect(lost + arrived).toBeGreaterThanOrEqual(sent.length - 1);
    expect(lost + arrived).toBeLessThanOrEqual(sent.length + 1);
  });

  test('messages that a flush had no time for', async () => {
    const { a, b, channels, clock } = await pair({ bufferMessages: 1, mailbox: { maxMessages: 1 } });
    for (let each = 0; each < 9; each++) void channels.a.send({ to: b.key.id, message: hello });
    await settle(10);
    const drained = a.router.drain(new AbortController().signal);
    await clock.advanceAsync(5_000);
    await drained;
    expect(a.counters.drops.get('linkClosed')).toBeGreaterThan(0);
    expect(a.manager.heard.at(-1)).toBe('down shutdown');
  });
});

test('a reason is counted once for each connection, and the error behind it is told', async () => {
  const { a } = await pair();
  const details: (string | undefined)[] = [];
  a.manager.disconnected = (_id, _link, _reason, detail?: string) => details.push(detail);
  const [only] = a.traffic.look().connections;
  await only!.connection.close({ reason: new TroupeError('ERR_CONNECTION_STALLED', 'for a test') });
  await settle(10);
  expect(Object.fromEntries(a.counters.disconnects)).toEqual({ stalled: 1 });
  expect(details).toEqual([expect.stringContaining('for a test')]);
});
