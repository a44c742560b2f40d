import { expect, test } from '@jest/globals';
import { memoryStore } from '../../../actors/stores/memory.ts';
import { peerStoreContract, rowOf } from '../../contracts/peer-store.ts';

peerStoreContract('memory', () => ({
  make: () => memoryStore(),
  commit: async () => undefined,
  settle: async () => undefined,
  end: () => undefined,
}));

test('a store in memory says so, and can begin with rows', () => {
  const store = memoryStore([rowOf('a')]);
  store.open();
  expect(store.state).toBe('memory');
  expect(store.load()).toEqual([rowOf('a')]);
});
