import { expect, test } from '@jest/globals';
import { pino } from 'pino';
import { createActor } from 'xstate';
import { dialerLogic, type DialerDeps } from '../../actors/dialer.ts';
import { parseNodeAddress, type NodeAddress } from '../../proto/address.ts';
import type { TroupeError } from '../../proto/errors.ts';
import { generateNodeKey } from '../../proto/identity.ts';
import { dialerOptions, parseOptions } from '../../proto/options.ts';
import type { Connection, Transport } from '../../transports/transport.ts';
import { VirtualClock, settle } from '../support/virtual-clock.ts';

const address = (port: number): NodeAddress => parseNodeAddress(`mconn://${generateNodeKey().id}@127.0.0.1:${port}`);

/** A dialer over fakes: what is handed out, what connects, what is answered. */
function rig(given: { addresses: NodeAddress[]; dial?: Transport['dial']; maxDialing?: number; resolve?: DialerDeps['resolve'] }) {
  const clock = new VirtualClock();
  const failed: string[] = [];
  const shaken: number[] = [];
  const release: (() => void)[] = [];
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
    transportOf: (protocol) => (protocol === 'mconn' ? ({ protocols: ['mconn'], dial } as unknown as Transport) : undefined),
    shakeHands: (_connection, { port }) => new Promise((resolve) => (shaken.push(port), release.push(resolve))),
  };
  const actor = createActor(dialerLogic(deps));
  actor.subscribe({ error: () => undefined });
  actor.start();
  return { actor, clock, failed, shaken, release, left: given.addresses };
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
