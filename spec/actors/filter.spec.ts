import { afterEach, describe, expect, test } from '@jest/globals';
import type { AddressQuestion, Filters, IdQuestion } from '../../actors/filter.ts';
import type { Transport } from '../../transports/transport.ts';
import { stopAll, talk, world, type Host } from '../support/router.ts';
import { settle } from '../support/virtual-clock.ts';

afterEach(stopAll);

/** A transport that writes down which of its connections were read: a handshake is the first to do so. */
function watched(read: string[]) {
  return (transport: Transport): Transport => ({
    protocols: transport.protocols,
    endpoints: () => transport.endpoints(),
    listen: (endpoint) => transport.listen(endpoint),
    async accept(signal) {
      const connection = await transport.accept(signal);
      if (!connection) return undefined;
      const handshake = connection.handshake.bind(connection);
      connection.handshake = (...args) => (read.push('handshake'), handshake(...args));
      return connection;
    },
    dial: (endpoint, signal) => transport.dial(endpoint, signal),
    close: () => transport.close(),
  });
}

/** A dials b; the filters are those of one of them. */
async function dialed(by: 'a' | 'b', filters: Filters, read: string[] = []) {
  const w = world();
  const a = await w.host({}, by === 'a' ? { filters } : {});
  const b = await w.host({}, { wrap: watched(read), ...(by === 'b' && { filters }) });
  for (const { router } of [a, b]) router.openChannel(talk);
  await w.connect(a, b);
  return { ...w, a, b, read };
}

const reasons = ({ counters }: Host) => [Object.fromEntries(counters.disconnects), Object.fromEntries(counters.rejections)];

describe('a filter by address', () => {
  test('is asked once of each that connects, before anything of it is read', async () => {
    const asked: AddressQuestion[] = [];
    const order: string[] = [];
    const { a, b } = await dialed('b', { address: (question) => (order.push('address'), asked.push(question) > 0) }, order);
    expect(asked).toEqual([{ endpoint: { protocol: 'memory', ip: '', port: 0, path: a.key.id }, direction: 'inbound' }]);
    expect(order).toEqual(['address', 'handshake']);
    expect(b.manager.heard).toEqual(['route', 'up']);
  });

  test('that refuses closes the connection unread; nobody hears of the stranger, and it is counted', async () => {
    const { a, b, read } = await dialed('b', { address: () => false });
    expect(read).toEqual([]);
    expect(b.manager.heard).toEqual([]);
    expect(reasons(b)).toEqual([{ filtered: 1 }, { filtered: 1 }]);
    expect(a.manager.heard).toEqual(['dialFailed ERR_CONNECTION_CLOSED']);
    expect([a.router.linkCount, b.router.linkCount]).toEqual([0, 0]);
  });

  test('keeps us from dialing too', async () => {
    const { a, b } = await dialed('a', { address: ({ direction }) => direction === 'inbound' });
    expect(a.manager.heard).toEqual(['dialFailed ERR_PEER_FILTERED']);
    expect(reasons(a)).toEqual([{}, { filtered: 1 }]);
    expect(b.traffic.look().opened).toEqual({ inbound: 0, outbound: 0 });
  });

  test('may take its time, but not more than it has', async () => {
    let answer: (passes: boolean) => void = () => undefined;
    const slow = await dialed('b', { address: () => new Promise((resolve) => (answer = resolve)) });
    expect(slow.b.manager.heard).toEqual([]);
    answer(true);
    await settle(10);
    expect(slow.b.manager.heard).toEqual(['route', 'up']);
    expect(slow.clock.pending).toBe(0);

    let isAborted = false;
    const hung = await dialed('b', {
      address: (_, signal) => new Promise(() => signal.addEventListener('abort', () => (isAborted = true))),
    });
    await hung.clock.advanceAsync(999);
    expect(hung.b.router.linkCount).toBe(1);
    await hung.clock.advanceAsync(1);
    await settle(10);
    expect([hung.b.router.linkCount, isAborted]).toEqual([0, true]);
    expect(reasons(hung.b)).toEqual([{ filtered: 1 }, { filtered: 1 }]);
  });

  test('does not hold up others while it thinks', async () => {
    const first = new Promise<boolean>(() => undefined);
    let asked = 0;
    const { b, host, connect } = await dialed('b', { address: () => (asked++ === 0 ? first : true) });
    const other = await host();
    other.router.openChannel(talk);
    await connect(other, b);
    expect(b.manager.heard).toEqual(['route', 'up']);
  });

  test('that throws or rejects refuses', async () => {
    const thrown = await dialed('b', {
      address: () => {
        throw new Error('no database');
      },
    });
    const rejected = await dialed('b', { address: () => Promise.reject(new Error('no database')) });
    for (const { b, read } of [thrown, rejected]) {
      expect(read).toEqual([]);
      expect(reasons(b)).toEqual([{ filtered: 1 }, { filtered: 1 }]);
    }
  });

  test('is left alone by a router that stops', async () => {
    const { b } = await dialed('b', { address: () => new Promise(() => undefined) });
    b.actor.stop();
    await settle(10);
    expect([b.router.linkCount, b.counters.rejections.size]).toEqual([0, 0]);
  });
});

describe('a filter by id', () => {
  test('is asked of a remote that has proved who it is, in both directions', async () => {
    for (const [by, direction] of [
      ['a', 'outbound'],
      ['b', 'inbound'],
    ] as const) {
      const asked: IdQuestion[] = [];
      const { a, b } = await dialed(by, { id: (question) => asked.push(question) > 0 });
      const other = by === 'a' ? b : a;
      expect(asked).toMatchObject([{ id: other.key.id, direction, endpoint: { path: other.key.id } }]);
      expect(asked[0]!.nodeInfo.nodeId).toBe(other.key.id);
      expect([a.manager.heard, b.manager.heard]).toEqual([
        ['route', 'up'],
        ['route', 'up'],
      ]);
    }
  });

  test('that refuses who connected: the peer manager never hears of it', async () => {
    const { b } = await dialed('b', { id: () => Promise.resolve(false) });
    await settle(10);
    expect(b.manager.heard).toEqual([]);
    expect(reasons(b)).toEqual([{ filtered: 1 }, {}]);
    expect(b.router.linkCount).toBe(0);
  });

  test('that refuses whom we dialed: the dial has failed', async () => {
    const { a } = await dialed('a', { id: () => false });
    expect(a.manager.heard).toEqual(['dialFailed ERR_PEER_FILTERED']);
    expect(reasons(a)).toEqual([{ filtered: 1 }, {}]);
  });

  test('refuses when it does not answer in time', async () => {
    const { b, clock } = await dialed('b', { id: () => new Promise(() => undefined) });
    await clock.advanceAsync(1_000);
    await settle(10);
    expect(b.manager.heard).toEqual([]);
    expect(reasons(b)).toEqual([{ filtered: 1 }, {}]);
    expect(clock.pending).toBe(0);
  });
});
