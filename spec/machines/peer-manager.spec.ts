import { describe, expect, test } from '@jest/globals';
import { initialTransition, transition } from 'xstate';
import { dialerOptions, parseOptions, slotsOptions, storeOptions } from '../../proto/options.ts';
import { peerManagerMachine, type ManagerSnapshot } from '../../machines/peer-manager.ts';
import type { ManagerInput, ManagerStimulus } from '../../machines/peer-manager-context.ts';
import { blankRow, type PeerRow } from '../../machines/peer-row.ts';
import { addressOf, idOf } from '../support/manager.ts';

const now = 1_700_000_000_000;
const rowOf = (digit: string): PeerRow => ({
  ...blankRow(idOf(digit)),
  addresses: [
    { address: `mconn://${idOf(digit)}@1.2.3.4:26656`, lastSuccess: 0, lastFailure: 0, failures: 0, notBefore: 0, source: 'host' },
  ],
});
const input = (rows: readonly PeerRow[], changes: Partial<ManagerInput['setup']> = {}): ManagerInput => ({
  setup: {
    ownId: idOf('5'),
    options: {
      slots: parseOptions(slotsOptions, {}),
      dialer: parseOptions(dialerOptions, {}),
      store: parseOptions(storeOptions, {}),
      loopbackIsPublic: false,
    },
    persistent: [],
    bootstrap: [],
    persistentIds: new Set(),
    unconditionalIds: new Set(),
    ...changes,
  },
  rows,
  now,
});

const own = ['reply', 'persist', 'erase', 'publish', 'armTimer'];
type Effects = readonly Readonly<{ type: string; params: unknown }>[];
const wishes = (actions: Effects): readonly (readonly [string, unknown])[] =>
  actions.filter(({ type }) => own.includes(type)).map(({ type, params }) => [type, (params as { params?: unknown }).params ?? params]);
const start = (given: ManagerInput): [ManagerSnapshot, Effects] => initialTransition(peerManagerMachine, given);
const go = (snapshot: ManagerSnapshot, event: ManagerStimulus): [ManagerSnapshot, Effects] =>
  transition(peerManagerMachine, snapshot, event);
const time = { now, roll: 0 };

describe('a decision of the manager is a value', () => {
  test('opening the book asks for what the configuration adds, and for our own id to be forgotten', () => {
    const [snapshot, actions] = start(
      input([rowOf('a'), rowOf('5')], { persistent: [addressOf('b')], persistentIds: new Set([idOf('b')]) }),
    );
    expect(wishes(actions).map(([type]) => type)).toEqual(['erase', 'persist']);
    expect(snapshot.value).toEqual({ dialing: 'idle', evicting: 'idle' });
  });

  test('who asks for a peer to dial gets it in the same step, and the peer becomes an actor', () => {
    const [idle] = start(input([rowOf('a')]));
    const [served, actions] = go(idle, { type: 'dial.requested', request: 7, ...time });
    expect(wishes(actions)).toContainEqual([
      'reply',
      { request: 7, answer: { kind: 'address', address: rowOf('a').addresses[0]!.address } },
    ]);
    expect(served.value).toEqual({ dialing: 'idle', evicting: 'idle' });
    expect(Object.keys(served.children)).toEqual(['0']);
    expect(served.context.usage).toEqual({ inbound: 0, outbound: 1 });
  });

  test('who asks in vain waits, until he withdraws', () => {
    const [idle] = start(input([]));
    const [waiting, actions] = go(idle, { type: 'dial.requested', request: 7, ...time });
    expect(wishes(actions)).toEqual([]);
    expect(waiting.value).toEqual({ dialing: 'waiting', evicting: 'idle' });
    const [withdrawn] = go(waiting, { type: 'dial.withdrawn', request: 7, ...time });
    expect(withdrawn.value).toEqual({ dialing: 'idle', evicting: 'idle' });
  });

  test('a snapshot is not changed by what is decided from it', () => {
    const [idle] = start(input([rowOf('a')]));
    const before = JSON.stringify(idle.context);
    go(idle, { type: 'dial.requested', request: 1, ...time });
    go(idle, { type: 'operator.ban', id: idOf('a'), forMs: 5, reason: '', request: 2, ...time });
    expect(JSON.stringify(idle.context)).toBe(before);
    expect(go(idle, { type: 'dial.requested', request: 1, ...time })[0].context).toEqual(
      go(idle, { type: 'dial.requested', request: 1, ...time })[0].context,
    );
  });

  test('the timer is asked for when there is something to wait for, once', () => {
    const later = { ...rowOf('a'), inactiveUntil: now + 500 };
    const [idle, actions] = start(input([later]));
    expect(wishes(actions)).toEqual([['armTimer', { at: now + 500 }]]);
    const [waiting, none] = go(idle, { type: 'dial.requested', request: 1, ...time });
    expect(wishes(none)).toEqual([]);
    const [, due] = go(waiting, { type: 'clock.due', now: now + 500, roll: 0 });
    expect(wishes(due).map(([type]) => type)).toEqual(['reply']);
  });

  test('a peer at rest takes an event without becoming an actor', () => {
    const [idle] = start(input([rowOf('a')]));
    const [next, actions] = go(idle, { type: 'behaviour.reported', id: idOf('a'), behaviour: 'malformed', reason: 'x', ...time });
    expect(next.children).toEqual({});
    expect(wishes(actions)).toEqual([['persist', { row: expect.objectContaining({ score: -10 }) }]]);
  });

  test('an event about a peer that nobody knows leaves nothing behind', () => {
    const [idle] = start(input([]));
    for (const event of [
      { type: 'behaviour.reported', id: idOf('a'), behaviour: 'fatal', reason: 'x' },
      { type: 'dial.failed', address: addressOf('a'), code: 'ERR_DIAL_FAILED' },
      { type: 'link.ready', id: idOf('a'), link: 'x' },
      { type: 'link.ended', id: idOf('a'), link: 'x', reason: 'reset', detail: '' },
    ] as const) {
      const [next, actions] = go(idle, { ...event, ...time });
      expect([wishes(actions), next.context.book]).toEqual([[], idle.context.book]);
    }
  });
});
