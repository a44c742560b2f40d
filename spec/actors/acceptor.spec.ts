import { expect, test } from '@jest/globals';
import { pino } from 'pino';
import { createActor } from 'xstate';
import { acceptorLogic, type AcceptorDeps } from '../../actors/acceptor.ts';
import { evictorLogic } from '../../actors/evictor.ts';
import type { Connection, Transport } from '../../transports/transport.ts';
import { waitFor } from '../../transports/waiter.ts';
import { VirtualClock, settle } from '../support/virtual-clock.ts';

function rig(accepts: (() => Promise<Connection | undefined>)[], keptUp: AcceptorDeps['keptUp'] = () => undefined) {
  const clock = new VirtualClock();
  const admitted: Connection[] = [];
  let calls = 0;
  const transport = {
    accept: () => (calls++, (accepts.shift() ?? (() => new Promise<undefined>(() => undefined)))()),
  } as unknown as Transport;
  const logic = acceptorLogic({ clock, log: pino({ level: 'silent' }), keptUp, admit: (connection) => admitted.push(connection) });
  const actor = createActor(logic, { input: { transport } }).start();
  return { actor, clock, admitted, calls: () => calls };
}

test('each connection is handed on, and a closed transport ends the acceptor', async () => {
  const one = {} as Connection;
  const { actor, admitted } = rig([() => Promise.resolve(one), () => Promise.resolve(undefined)]);
  await settle();
  expect(admitted).toEqual([one]);
  expect(actor.getSnapshot().status).toBe('done');
});

test('an accept that fails is tried again after a pause that grows, and does not spin', async () => {
  const fail = (): Promise<never> => Promise.reject(new Error('too many open files'));
  const { clock, calls, admitted } = rig([fail, fail, () => Promise.resolve({} as Connection)]);
  await settle();
  expect(calls()).toBe(1);
  await clock.advanceAsync(10);
  expect(calls()).toBe(2);
  await clock.advanceAsync(19);
  expect(calls()).toBe(2);
  await clock.advanceAsync(1);
  await settle();
  expect(admitted).toHaveLength(1);
});

test('the evictor closes each link once, with the reason it was given', async () => {
  const orders = [
    { id: 'x', link: '1', reason: 'displaced' },
    { id: 'y', link: '2', reason: 'banned' },
  ];
  const closed: string[] = [];
  const manager = { evictNext: () => (orders.length > 0 ? Promise.resolve(orders.shift()) : new Promise(() => undefined)) } as never;
  const actor = createActor(evictorLogic({ manager, close: (link, reason) => closed.push(`${link} ${reason}`) })).start();
  await settle();
  expect(closed).toEqual(['1 displaced', '2 banned']);
  actor.stop();
});

test('while the event loop does not keep up nobody is handed on, and afterwards whoever waited is', async () => {
  let behind: Promise<void> | undefined;
  let catchUp: () => void = () => undefined;
  const stall = (): void => void (behind = new Promise((resolve) => (catchUp = resolve)));
  stall();
  const { actor, admitted } = rig([() => Promise.resolve({} as Connection), () => Promise.resolve({} as Connection)], () => behind);
  await settle();
  expect(admitted).toHaveLength(0);
  behind = undefined;
  catchUp();
  await settle();
  expect(admitted).toHaveLength(2);
  actor.stop();
});

test('a connection that waits when the acceptor is stopped is closed', async () => {
  let closed = 0;
  const connection = { close: () => Promise.resolve(closed++) } as unknown as Connection;
  const { actor, admitted } = rig([() => Promise.resolve(connection)], (signal) => waitFor(signal, () => undefined));
  await settle();
  actor.stop();
  await settle();
  expect([admitted, closed]).toEqual([[], 1]);
});
