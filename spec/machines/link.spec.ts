import { expect, test } from '@jest/globals';
import { createActor, fromPromise } from 'xstate';
import { linkMachine, type Outcome } from '../../machines/link.ts';
import { TroupeError } from '../../proto/errors.ts';
import { settle } from '../support/virtual-clock.ts';

type Promised<T> = { resolve: (value: T) => void; reject: (error: unknown) => void };

function rig() {
  const steps: string[] = [];
  const open: Record<string, Promised<never>> = {};
  const step = (name: string) =>
    fromPromise<Outcome & string, unknown>(({ input, signal }) => {
      if (name !== 'replace') expect(input).toMatchObject({ subject: 'it' });
      steps.push(name);
      signal.addEventListener('abort', () => steps.push(`${name} aborted`));
      if (name === 'close') steps.push(JSON.stringify(input, ['reason', 'flush']));
      return new Promise((resolve, reject) => (open[name] = { resolve, reject }));
    }) as never;
  const note = (name: string) => () => void steps.push(name);
  const machine = linkMachine.provide({
    actors: {
      handshake: step('handshake'),
      settle: step('settle'),
      replace: step('replace'),
      send: step('send'),
      receive: step('receive'),
      close: step('close'),
    },
    actions: { bind: note('bind'), route: note('route'), unroute: note('unroute') },
  });
  const actor = createActor(machine, { input: { subject: 'it' } }).start();
  const answer = async (name: string, outcome?: Outcome) => (open[name]!.resolve(outcome as never), settle());
  return { actor, steps, answer, fail: async (name: string, error: unknown) => (open[name]!.reject(error), settle()) };
}

test('a link that is admitted is routed until its connection ends, then unrouted, closed and done', async () => {
  const { actor, steps, answer, fail } = rig();
  await answer('handshake', { verdict: 'route' });
  expect(steps).toEqual(['handshake', 'bind', 'route', 'send', 'receive']);
  await fail('receive', new TroupeError('ERR_CONNECTION_CLOSED'));
  expect(steps.slice(5)).toEqual(['unroute', 'send aborted', 'close', '{"reason":"remoteClosed","flush":false}']);
  await answer('close');
  expect(actor.getSnapshot().output).toMatchObject({ reason: 'remoteClosed' });
});

test('a refused link is closed with the reason of the refusal and never routed', async () => {
  const { steps, answer } = rig();
  await answer('handshake', { verdict: 'refuse', reason: 'full' });
  expect(steps).toEqual(['handshake', 'bind', 'close', '{"reason":"full","flush":false}']);
});

test('a held link waits for the decision and is routed after the older one is replaced', async () => {
  const { steps, answer } = rig();
  await answer('handshake', { verdict: 'hold' });
  await answer('settle', { verdict: 'route', replaces: '7' });
  expect(steps).toEqual(['handshake', 'bind', 'settle', 'replace']);
  await answer('replace');
  expect(steps.slice(4)).toEqual(['route', 'send', 'receive']);
});

test('an order to close reaches the link in every state, and its first reason stays', async () => {
  for (const depth of [0, 1, 2, 3]) {
    const { actor, steps, answer } = rig();
    if (depth === 1) await answer('handshake', { verdict: 'hold' });
    if (depth === 2) await answer('handshake', { verdict: 'route', replaces: '1' });
    if (depth === 3) await answer('handshake', { verdict: 'route' });
    actor.send({ type: 'link.close', reason: 'operator', flush: true });
    actor.send({ type: 'link.close', reason: 'banned' });
    expect(steps.at(-1)).toBe('{"reason":"operator","flush":true}');
    await answer('close');
    expect(actor.getSnapshot().status).toBe('done');
  }
});

test('a failed handshake closes with the reason of its error', async () => {
  const { steps, fail } = rig();
  await fail('handshake', new TroupeError('ERR_HANDSHAKE_SIGNATURE'));
  expect(steps.at(-1)).toBe('{"reason":"handshake","flush":false}');
});

test('an effect that nobody supplies is an error, not silence', () => {
  const actor = createActor(linkMachine, { input: { subject: undefined } });
  let thrown: unknown;
  actor.subscribe({ error: (error) => (thrown = error) });
  actor.start();
  expect((thrown as TroupeError).code).toBe('ERR_NOT_PROVIDED');
});
