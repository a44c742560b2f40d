import { describe, expect, test } from '@jest/globals';
import { Traffic, type Totals } from '../../../actors/monitor/traffic.ts';
import { settle } from '../../../transports/simulated.ts';
import type { Connection } from '../../../transports/transport.ts';
import { keyOf } from '../../support/transport-bench.ts';

const { id } = keyOf('a');

/** A connection that says what it is told to say. */
function fake(direction: Connection['direction'] = 'inbound') {
  const says = { bytesSent: 0, bytesReceived: 0, messagesSent: 0, messagesReceived: 0, idleMs: 0 } as ReturnType<Connection['status']>;
  let end: () => void = () => undefined;
  const ended = new Promise<undefined>((resolve) => (end = () => resolve(undefined)));
  const state = { says };
  const connection = { direction, ended, status: () => state.says } as unknown as Connection;
  const say = (changes: Partial<Totals> & { roundTripMs?: number }): void => void (state.says = { ...state.says, ...changes });
  return { connection, end, say };
}

describe('connections', () => {
  test('totals outlive the connections that made them', async () => {
    const traffic = new Traffic();
    const [one, other] = [fake(), fake('outbound')];
    traffic.opened(one.connection);
    traffic.opened(other.connection);
    one.say({ bytesSent: 10, bytesReceived: 1, messagesSent: 2, messagesReceived: 3 });
    other.say({ bytesSent: 5, bytesReceived: 7, messagesSent: 1, messagesReceived: 1 });
    const before = traffic.look();
    expect(before.totals).toEqual({ bytesSent: 15, bytesReceived: 8, messagesSent: 3, messagesReceived: 4 });
    one.end();
    await settle();
    const after = traffic.look();
    expect(after.totals).toEqual(before.totals);
    expect(after.connections.map(({ connection }) => connection)).toEqual([other.connection]);
    expect(after.opened).toEqual({ inbound: 1, outbound: 1 });
  });

  test('a total never goes back, even when a connection forgets at its end what it had not written', async () => {
    const traffic = new Traffic();
    const { connection, end, say } = fake();
    traffic.opened(connection);
    say({ bytesSent: 1_000 });
    expect(traffic.look().totals.bytesSent).toBe(1_000);
    say({ bytesSent: 400 });
    expect(traffic.look().totals.bytesSent).toBe(1_000);
    end();
    await settle();
    expect(traffic.look().totals.bytesSent).toBe(1_000);
  });

  test('ten thousand that came and went leave nothing but their sums', async () => {
    const traffic = new Traffic();
    for (let i = 0; i < 10_000; i++) {
      const { connection, end, say } = fake();
      traffic.opened(connection);
      traffic.shookHands(connection, id, 5);
      say({ bytesReceived: 1 });
      end();
    }
    await settle();
    expect(traffic.look()).toMatchObject({ connections: [], totals: { bytesReceived: 10_000 }, opened: { inbound: 10_000 } });
  });

  test('a remote is named once hands are shaken, and whoever listens hears how long that took', () => {
    const traffic = new Traffic();
    const took: unknown[] = [];
    traffic.onHandshake = (...args) => took.push(args);
    const { connection } = fake('outbound');
    traffic.opened(connection);
    expect(traffic.look().connections[0]?.remote).toBeUndefined();
    traffic.shookHands(connection, id, 250);
    expect(traffic.look().connections[0]?.remote).toBe(id);
    expect(took).toEqual([['outbound', 0.25]]);
  });

  test('a round trip is told once, however often one looks', () => {
    const traffic = new Traffic();
    const { connection, say } = fake();
    traffic.opened(connection);
    expect(traffic.look().roundTripsMs).toEqual([]);
    say({ roundTripMs: 12 });
    expect(traffic.look().roundTripsMs).toEqual([12]);
    expect(traffic.look()).toMatchObject({ roundTripsMs: [], connections: [{ roundTripMs: 12 }] });
    say({ roundTripMs: 9 });
    expect(traffic.look().roundTripsMs).toEqual([9]);
  });
});

describe('channels', () => {
  test('show once they have carried a message, in the order of their ids', () => {
    const traffic = new Traffic();
    traffic.sent(0x77, 100);
    traffic.sent(0x77, 1);
    traffic.received(0, 0);
    traffic.received(0xff, 7);
    expect(traffic.look().channels).toEqual([
      { id: 0, messagesSent: 0, messagesReceived: 1, bytesSent: 0, bytesReceived: 0 },
      { id: 0x77, messagesSent: 2, messagesReceived: 0, bytesSent: 101, bytesReceived: 0 },
      { id: 0xff, messagesSent: 0, messagesReceived: 1, bytesSent: 0, bytesReceived: 7 },
    ]);
  });

  test.each([-1, 256, 1.5, Number.NaN])('an id that is no channel’s (%d) is left out', (id) => {
    const traffic = new Traffic();
    traffic.sent(id, 1);
    traffic.received(id, 1);
    expect(traffic.look().channels).toEqual([]);
  });
});
