import { expect, test } from '@jest/globals';
import { createActor } from 'xstate';
import { TroupeError } from '../../proto/errors.ts';
import { storeLogic } from '../../actors/peer-store.ts';
import { memoryStore } from '../../actors/stores/memory.ts';

test('the store is open from when its actor is made, so that whoever is made after it can read it, until it ends', () => {
  const store = memoryStore();
  expect(() => store.load()).toThrow(expect.objectContaining({ code: 'ERR_STORE_CLOSED' }));
  const actor = createActor(storeLogic({ store }));
  expect(store.load()).toEqual([]);
  actor.start();
  expect(store.load()).toEqual([]);
  actor.stop();
  expect(() => store.load()).toThrow(expect.objectContaining({ code: 'ERR_STORE_CLOSED' }));
});

test('a store that cannot be opened is a fault of its actor', () => {
  const errors: unknown[] = [];
  const refused = () => {
    throw new TroupeError('ERR_HOME_IN_USE');
  };
  const actor = createActor(storeLogic({ store: { ...memoryStore(), open: refused } }));
  actor.subscribe({ error: (error) => errors.push(error) });
  actor.start();
  expect(errors).toEqual([expect.objectContaining({ code: 'ERR_HOME_IN_USE' })]);
});
