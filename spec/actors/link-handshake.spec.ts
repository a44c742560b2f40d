import { afterEach, describe, expect, test } from '@jest/globals';
import type { Connection, Handshake, Transport } from '../../transports/transport.ts';
import { pair, stopAll, talk, world } from '../support/router.ts';
import { settle } from '../support/virtual-clock.ts';

afterEach(stopAll);

/** A transport whose accepted connections are changed before they are handed on. */
const changing =
  (change: (connection: Connection) => void) =>
  (transport: Transport): Transport => ({
    protocols: transport.protocols,
    endpoints: () => transport.endpoints(),
    listen: (endpoint) => transport.listen(endpoint),
    async accept(signal) {
      const connection = await transport.accept(signal);
      if (connection) change(connection);
      return connection;
    },
    dial: (endpoint, signal) => transport.dial(endpoint, signal),
    close: () => transport.close(),
  });

/** Two routers that are connected, and a second connection that the accepting one holds beside the first. */
async function held(change: (connection: Connection) => void = () => undefined) {
  const made = await pair({}, { b: { wrap: changing(change) } });
  const { a, b, connect } = made;
  b.manager.admission = () => ({ verdict: 'hold', older: b.manager.arrivals[0]!.link });
  await connect(a, b);
  expect(b.manager.heard).toEqual(['route', 'up', 'hold']);
  return made;
}

const deaf = (connection: Connection): void => {
  connection.ping = (signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
};

describe('while another connection is held beside it, an older one', () => {
  test('that answers no ping within four seconds is silent, and ends', async () => {
    const { b, clock } = await held(deaf);
    await clock.advanceAsync(3_999);
    expect(b.manager.heard.at(-1)).toBe('hold');
    await clock.advanceAsync(1);
    await settle(10);
    expect(b.manager.heard.at(-1)).toBe('down silent');
    expect(b.router.linkCount).toBe(1);
  });

  test('that answers stays, however long it takes', async () => {
    const { b, clock } = await held();
    await clock.advanceAsync(20_000);
    expect(b.manager.heard.at(-1)).toBe('hold');
    expect(b.router.linkCount).toBe(2);
  });

  test('that does not answer stays when the other is refused first', async () => {
    const { b, clock } = await held(deaf);
    b.manager.settlement!({ verdict: 'refuse', reason: 'duplicate', error: new Error('refused') as never });
    await settle(10);
    await clock.advanceAsync(20_000);
    expect(b.manager.heard.at(-1)).toBe('down duplicate');
    expect(b.router.linkCount).toBe(1);
  });
});

test('two connections of one peer are introduced a tenth of a second apart, those of two peers together', async () => {
  const asked: Handshake[] = [];
  const wrap = changing((connection) => {
    const handshake = connection.handshake.bind(connection);
    connection.handshake = (own, signal) => (asked.push(own), handshake(own, signal));
  });
  const { clock, host, connect } = world();
  const [a, b, c] = [await host(), await host({}, { wrap }), await host()];
  for (const { router } of [a, b, c]) router.openChannel(talk);
  await connect(a, b);
  await connect(a, b);
  await connect(c, b);
  const { signal } = new AbortController();
  const turns = [a, a, c].map(({ key }, index) => asked[index]!.beforeNodeInfo!(key.id, signal));
  expect(turns.map((turn) => turn !== undefined)).toEqual([false, true, false]);
  let isOver = false;
  void turns[1]!.then(() => (isOver = true));
  await clock.advanceAsync(99);
  expect(isOver).toBe(false);
  await clock.advanceAsync(1);
  expect(isOver).toBe(true);
});
