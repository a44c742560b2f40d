import { describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { createActor } from 'xstate';
import { dialerLogic, type DialerDeps } from '../../actors/dialer.ts';
import { Filter, type Filters } from '../../actors/filter.ts';
import { Counters } from '../../actors/metrics.ts';
import { parseNodeAddress, type NodeAddress } from '../../proto/address.ts';
import type { TroupeError } from '../../proto/errors.ts';
import { generateNodeKey } from '../../proto/identity.ts';
import { dialerOptions, parseOptions } from '../../proto/options.ts';
import type { Connection, Transport } from '../../transports/transport.ts';
import { VirtualClock, settle } from '../support/virtual-clock.ts';

const address = (port: number): NodeAddress => parseNodeAddress(`mconn://${generateNodeKey().id}@127.0.0.1:${port}`);

/** A dialer over fakes: what is handed out, what connects, what is answered. */
function rig(given: {
  addresses: NodeAddress[];
  dial?: Transport['dial'];
  maxDialing?: number;
  resolve?: DialerDeps['resolve'];
  filters?: Filters;
  recovered?: DialerDeps['recovered'];
}) {
  const clock = new VirtualClock();
  const failed: string[] = [];
  const shaken: number[] = [];
  const release: (() => void)[] = [];
  const attempts: string[] = [];
  const counters = new Counters();
  const dial = given.dial ?? (() => Promise.resolve({ close: () => Promise.resolve() } as unknown as Connection));
  const deps: DialerDeps = {
    clock,
    log: pino({ level: 'silent' }),
    options: parseOptions(dialerOptions, { maxDialing: given.maxDialing ?? 2, timeoutMs: 1_000 }),
    manager: {
      dialNext: (signal: AbortSignal) =>
        given.addresses.length > 0
          ? Promise.resolve(given.addresses.shift()!)
          : new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
      dialFailed: ({ port }: NodeAddress, { code }: TroupeError) => void failed.push(`${port} ${code}`),
    } as never,
    resolve: given.resolve ?? ((to) => Promise.resolve([{ protocol: to.protocol, ip: to.host, port: to.port, path: '' }])),
    filter: new Filter({ filters: given.filters ?? {}, clock, log: pino({ level: 'silent' }), counters, timeoutMs: 500 }),
    recovered: given.recovered ?? (() => undefined),
    dialed: (result) => attempts.push(result),
    transportOf: (protocol) => (protocol === 'mconn' ? ({ protocols: ['mconn'], dial } as unknown as Transport) : undefined),
    shakeHands: (_connection, { port }) => new Promise((resolve) => (shaken.push(port), release.push(resolve))),
  };
  const actor = createActor(dialerLogic(deps));
  actor.subscribe({ error: () => undefined });
  actor.start();
  return { actor, clock, failed, shaken, release, attempts, counters, left: given.addresses };
}

test('no more addresses are taken than dials may be in flight, and a place is free again once the handshake is answered', async () => {
  const { shaken, release, left, actor } = rig({ addresses: [1, 2, 3].map(address) });
  await settle();
  expect([shaken, left.length]).toEqual([[1, 2], 1]);
  release[0]!();
  await settle();
  expect([shaken, left.length]).toEqual([[1, 2, 3], 0]);
  actor.stop();
});

test('a dial that fails is answered once, with its reason', async () => {
  const { failed, actor } = rig({ addresses: [address(1)], dial: () => Promise.reject(new Error('refused')) });
  await settle();
  expect(failed).toEqual(['1 ERR_DIAL_FAILED']);
  actor.stop();
});

test('a dial that hangs is given up at its deadline', async () => {
  const { failed, clock, actor } = rig({
    addresses: [address(1)],
    dial: (_endpoint, signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
  });
  await settle();
  expect(failed).toEqual([]);
  await clock.advanceAsync(1_000);
  expect(failed).toEqual(['1 ERR_DIAL_TIMEOUT']);
  actor.stop();
  expect(clock.pending).toBe(0);
});

test('a name that does not resolve and a protocol that nobody serves fail the dial, and the dialer goes on', async () => {
  const other = { ...address(2), protocol: 'quic' };
  const { failed, shaken, actor } = rig({
    addresses: [address(1), other, address(3)],
    resolve: (to) =>
      to.port === 1
        ? Promise.reject(new Error('no such name'))
        : Promise.resolve([{ protocol: to.protocol, ip: to.host, port: to.port, path: '' }]),
  });
  await settle();
  expect(failed).toHaveLength(2);
  expect(shaken).toEqual([3]);
  actor.stop();
});

test('a dial that is cut short by a stop is answered too', async () => {
  const { failed, actor } = rig({
    addresses: [address(1)],
    dial: (_endpoint, signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
  });
  await settle();
  actor.stop();
  await settle();
  expect(failed).toHaveLength(1);
});

describe('a filter by address', () => {
  test('is asked before the dial, of every endpoint, and only those that pass are dialed', async () => {
    const dialed: string[] = [];
    const asked: string[] = [];
    const { shaken, actor } = rig({
      addresses: [address(7)],
      resolve: () => Promise.resolve(['1.1.1.1', '2.2.2.2'].map((ip) => ({ protocol: 'mconn', ip, port: 7, path: '' }))),
      dial: ({ ip }) => (dialed.push(ip), Promise.resolve({} as Connection)),
      filters: { address: ({ endpoint, direction }) => (asked.push(`${endpoint.ip} ${direction}`), endpoint.ip === '2.2.2.2') },
    });
    await settle();
    expect(asked).toEqual(['1.1.1.1 outbound', '2.2.2.2 outbound']);
    expect([dialed, shaken]).toEqual([['2.2.2.2'], [7]]);
    actor.stop();
  });

  test('that lets none pass fails the dial, counted, and nobody is connected to', async () => {
    const { failed, attempts, counters, actor } = rig({ addresses: [address(7)], filters: { address: () => false } });
    await settle();
    expect([failed, attempts]).toEqual([['7 ERR_PEER_FILTERED'], []]);
    expect(Object.fromEntries(counters.rejections)).toEqual({ filtered: 1 });
    actor.stop();
  });

  test('that does not answer refuses at its deadline, and one that throws at once', async () => {
    const { failed, clock, actor } = rig({
      addresses: [address(1), address(2)],
      filters: {
        address: ({ endpoint }) => {
          if (endpoint.port === 2) throw new Error('broken');
          return new Promise(() => undefined);
        },
      },
    });
    await settle();
    expect(failed).toEqual(['2 ERR_PEER_FILTERED']);
    await clock.advanceAsync(500);
    expect(failed).toEqual(['2 ERR_PEER_FILTERED', '1 ERR_PEER_FILTERED']);
    actor.stop();
    expect(clock.pending).toBe(0);
  });
});

test('each attempt at an endpoint is told with how it ended', async () => {
  const { attempts, actor } = rig({
    addresses: [address(1), address(2)],
    maxDialing: 1,
    dial: ({ port }) => (port === 1 ? Promise.reject(new Error('refused')) : Promise.resolve({} as Connection)),
  });
  await settle();
  expect(attempts).toEqual(['failed', 'connected']);
  actor.stop();
});

test('while memory is spent no address is taken', async () => {
  let recover: () => void = () => undefined;
  let spent: Promise<void> | undefined = new Promise((resolve) => (recover = resolve));
  const { shaken, left, actor } = rig({ addresses: [address(1)], recovered: () => spent });
  await settle();
  expect([shaken, left.length]).toEqual([[], 1]);
  spent = undefined;
  recover();
  await settle();
  expect(shaken).toEqual([1]);
  actor.stop();
});
