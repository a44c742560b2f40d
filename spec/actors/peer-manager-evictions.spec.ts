import { expect, test } from '@jest/globals';
import type { PeerEvent } from '../../actors/peer-manager.ts';
import { idOf, managers, never, watch } from '../support/manager.ts';

const start = managers();

test('ten thousand reports on one peer make one eviction, one down and one ban', async () => {
  const h = start();
  const updates = h.manager.peers.updates()[Symbol.asyncIterator]();
  const seen: PeerEvent[] = [(await updates.next()).value as PeerEvent];
  const link = h.up('a');
  seen.push((await updates.next()).value as PeerEvent);
  for (let times = 0; times < 10_000; times++) h.manager.report(idOf('a'), 'protocolViolation', 'x');
  expect(await h.tryEvictNext()).toEqual({ id: idOf('a'), link, reason: expect.stringMatching(/misbehaved|banned/) });
  expect(await h.tryEvictNext()).toBeUndefined();
  h.manager.disconnected(idOf('a'), link, 'misbehaved');
  for (let times = 0; times < 100; times++) h.manager.report(idOf('a'), 'protocolViolation', 'x');
  expect(await h.tryEvictNext()).toBeUndefined();
  seen.push((await updates.next()).value as PeerEvent);
  expect(seen.map((event) => ('status' in event ? event.status : '|'))).toEqual(['|', 'up', 'down']);
  await updates.return!();
  const [row] = h.store.load();
  expect(row).toMatchObject({ strikes: 1, bannedUntil: h.clock.wallNow() + 3_600_000 });
});

test('evictions are handed out in the order in which they were decided', async () => {
  const h = start();
  for (const digit of 'abc') h.up(digit);
  for (const digit of 'bac') h.manager.report(idOf(digit), 'protocolViolation', 'x');
  const order = [await h.tryEvictNext(), await h.tryEvictNext(), await h.tryEvictNext()];
  expect(order.map((eviction) => eviction?.id[0]).join('')).toBe('bac');
});

test('who waits for an eviction is told at once when a peer has to make room for a better one', async () => {
  const h = start({ slots: { inbound: 1, upgrade: 1 } });
  await h.add('b');
  for (let times = 0; times < 10; times++) h.manager.report(idOf('b'), 'useful', 'x');
  const link = h.up('a');
  const next = watch(h.manager.evictNext(never));
  expect(await next()).toBe('waiting');
  expect(h.accepted('b')).toMatchObject({ verdict: 'route' });
  expect(await next()).toEqual({ id: idOf('a'), link, reason: 'displaced' });
});
