import { expect, test } from '@jest/globals';
import { Counters } from '../../actors/metrics.ts';
import { generateNodeKey } from '../../proto/identity.ts';

const [alice, bob] = [generateNodeKey().id, generateNodeKey().id];

test('a drop counts once for its reason, once for its channel and once for its peer', () => {
  const counters = new Counters();
  counters.followPeer(alice);
  counters.drop('queueFull', { channelId: 1, peer: alice });
  counters.drop('queueFull', { channelId: 2, peer: alice });
  counters.drop('malformed', { channelId: 1 });
  counters.drop('shutdown');
  expect(Object.fromEntries(counters.drops)).toEqual({ queueFull: 2, malformed: 1, shutdown: 1 });
  expect(counters.channelDrops.get(1)).toEqual(
    new Map([
      ['queueFull', 1],
      ['malformed', 1],
    ]),
  );
  expect(counters.peerDrops(alice)).toEqual(
    new Map([
      [1, new Map([['queueFull', 1]])],
      [2, new Map([['queueFull', 1]])],
    ]),
  );
});

test('only peers that are followed are remembered, and only for as long: ids come from strangers', () => {
  const counters = new Counters();
  counters.drop('peerDown', { channelId: 1, peer: bob });
  expect(counters.peerDrops(bob).size).toBe(0);
  counters.followPeer(bob);
  counters.drop('peerDown', { channelId: 1, peer: bob });
  expect(counters.peerDrops(bob).size).toBe(1);
  counters.forgetPeer(bob);
  expect(counters.peerDrops(bob).size).toBe(0);
  counters.followPeer(bob);
  expect(counters.peerDrops(bob).size).toBe(0);
  expect(counters.channelDrops.get(1)?.get('peerDown')).toBe(2);
});
