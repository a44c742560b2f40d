import { expect, test } from '@jest/globals';
import { worstOf, type Burden } from '../../../machines/policy/shed.ts';
import type { NodeId } from '../../../proto/identity.ts';

const peer = (id: string, facts: Partial<Burden> = {}): Burden => ({
  id: id as NodeId,
  score: 0,
  queuedBytes: 0,
  connectedForMs: 1_000,
  ...facts,
});

test.each<[string, readonly Burden[], string | undefined]>([
  ['of none, none', [], undefined],
  ['the one for which most waits', [peer('a', { queuedBytes: 1 }), peer('b', { queuedBytes: 9 }), peer('c')], 'b'],
  ['one in disrepute before any other, however much waits for that', [peer('a', { queuedBytes: 9 }), peer('b', { score: -1 })], 'b'],
  ['of several in disrepute the one for which most waits', [peer('a', { score: -9 }), peer('b', { score: -1, queuedBytes: 1 })], 'b'],
  ['then the lowest score', [peer('a', { score: 5 }), peer('b', { score: 2 }), peer('c', { score: 9 })], 'b'],
  ['then the youngest link', [peer('a'), peer('b', { connectedForMs: 3 })], 'b'],
  ['then the lowest id, so that a run repeats', [peer('b'), peer('a')], 'a'],
])('lets go %s', (_, peers, worst) => {
  expect(worstOf(peers)?.id).toBe(worst);
  expect(worstOf([...peers].reverse())?.id).toBe(worst);
});
