import { expect, test } from '@jest/globals';
import type { AnyActorRef } from 'xstate';
import { parseNodeAddress } from '../../proto/address.ts';
import { addressOf, digitOf, idOf, managers } from '../support/manager.ts';
import { settle } from '../support/virtual-clock.ts';

const start = managers();

/** Writes nonsense over whatever can be written to. */
function spoil(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  for (const key of Object.keys(value)) {
    spoil((value as Record<string, unknown>)[key]);
    Reflect.set(value, key, 'spoiled');
  }
  if (Array.isArray(value)) Reflect.set(value, 'length', 0);
}

test('nothing that is handed out can be changed into what is kept', async () => {
  const h = start();
  await h.add('a');
  const address = (await h.tryDialNext())!;
  h.manager.ready(idOf('a'), h.dialed('a').link);
  h.manager.report(idOf('a'), 'useful', 'knew something');
  const { peers } = h.manager;
  const handedOut = (): unknown[] => [
    peers.list(),
    peers.live(),
    peers.explain(idOf('a')),
    h.manager.advertise(idOf('b'), 10, '8.8.8.8'),
    h.manager.counts(),
  ];
  const before = JSON.stringify(handedOut());
  expect(before).toContain(addressOf('a').host);
  spoil(address);
  handedOut().forEach(spoil);
  expect(JSON.stringify(handedOut())).toBe(before);
});

test('reports go straight to the actor of a live peer, and the manager books at once what became of all in one turn, or before it is asked; of one at rest it hears itself', async () => {
  const heard: string[] = [];
  const h = start({
    inspect: (event) => {
      if (event.type === '@xstate.event' && !event.event.type.startsWith('xstate.'))
        heard.push(`${(event.actorRef as AnyActorRef).id}: ${event.event.type}`);
    },
  });
  await h.add('b');
  h.up('a');
  const manager = heard.at(-1)!.replace(': peer.changed', '');
  heard.length = 0;
  for (let times = 0; times < 2; times++) h.manager.report(idOf('a'), 'unhelpful', 'nonsense');
  expect(heard).toEqual(['0: peer.reported', '0: peer.reported']);
  await settle();
  expect(heard.splice(2)).toEqual([`${manager}: peer.changed`]);
  h.manager.report(idOf('a'), 'unhelpful', 'nonsense');
  expect(h.manager.peers.explain(idOf('a')).facts).toMatchObject({ score: -6 });
  heard.length = 0;
  h.manager.report(idOf('b'), 'malformed', 'nonsense');
  expect(heard).toEqual([`${manager}: behaviour.reported`]);
  expect(h.manager.peers.list().map(({ score }) => score)).toEqual([-6, -10]);
});

test('coming back earns no more useful reports an hour than staying', async () => {
  const h = start();
  await h.add('a');
  const praise = (): void => {
    for (let times = 0; times < 15; times++) h.manager.report(idOf('a'), 'useful', 'knew something');
  };
  const score = (): number => h.manager.peers.list()[0]!.score;
  praise();
  expect(score()).toBe(15);
  const link = h.up('a');
  praise();
  expect(score()).toBe(20);
  h.manager.disconnected(idOf('a'), link, 'remoteClosed');
  praise();
  h.up('a');
  praise();
  expect(score()).toBe(20);
  h.clock.advance(3_600_000);
  praise();
  expect(score()).toBeGreaterThan(30);
});

test('of all peers that are known, the live ones are those with a connection or a dial under way, in the order of ids', async () => {
  const h = start();
  expect(h.manager.peers.live()).toEqual([]);
  for (const digit of 'fedcba') await h.add(digit);
  const dialed = [digitOf(await h.tryDialNext()), digitOf(await h.tryDialNext())];
  h.up(dialed[0]!);
  h.accepted('1');
  const { peers } = h.manager;
  expect(peers.live().map(({ id }) => id)).toEqual([...dialed, '1'].sort().map((digit) => idOf(digit!)));
  expect(peers.live()).toEqual(peers.list().filter(({ state }) => state !== 'known'));
  expect(peers.counts()).toEqual({ known: 7, dialing: 2, connected: 2, up: 1, banned: 0 });
  h.failed(dialed[1]!);
  expect(peers.live()).toHaveLength(2);
  h.stop();
  expect([peers.live(), peers.counts().known]).toEqual([[], 0]);
});

test('two ids at one host and port are both kept', async () => {
  const h = start();
  for (const digit of 'ab') {
    const address = parseNodeAddress(`mconn://${idOf(digit)}@9.9.9.9:26656`);
    expect(await h.manager.add(address, { kind: 'host' })).toBe(true);
  }
  expect(h.manager.peers.list()).toHaveLength(2);
});

test('a persistent peer that cannot be reached for two days is still dialed, five minutes apart at most', async () => {
  const h = start({ persistent: [addressOf('a')], dialer: { maxRetryPersistentMs: 300_000 }, random: () => 0.999_999 });
  for (let passedMs = 0; passedMs < 2 * 86_400_000; passedMs += 300_000) {
    expect(digitOf(await h.tryDialNext())).toBe('a');
    h.failed('a');
    h.clock.advance(300_000);
  }
});

test('a peer that is left alone learns addresses and may connect by itself, and is left alone no less for it', async () => {
  const h = start();
  await h.add('a');
  await h.manager.peers.disconnect(idOf('a'));
  expect(await h.add('a', 9)).toBe(true);
  h.manager.disconnected(idOf('a'), h.up('a'), 'remoteClosed');
  h.clock.advance(60_000);
  expect(await h.tryDialNext()).toBeUndefined();
  h.clock.advance(1_800_000);
  expect(digitOf(await h.tryDialNext())).toBe('a');
});

test('of one id at most three addresses are tried in a minute', async () => {
  const h = start({ random: () => 0 });
  for (const host of [4, 5, 6, 7]) await h.add('a', host);
  const dialed: number[] = [];
  const hosts = new Set<string>();
  for (let passedMs = 0; passedMs < 120_000; passedMs += 1_000) {
    const address = await h.tryDialNext();
    if (address) {
      dialed.push(passedMs);
      hosts.add(address.host);
      h.failed('a', Number(address.host.split('.').at(-1)));
    }
    h.clock.advance(1_000);
  }
  expect(hosts.size).toBe(4);
  for (const at of dialed) expect(dialed.filter((other) => other >= at && other < at + 60_000).length).toBeLessThanOrEqual(3);
});

test('a host that is known by hearsay only is dialed once a minute, whatever the ids', async () => {
  const h = start();
  h.up('a', { remoteIp: '9.9.9.9' });
  for (const digit of 'bc') {
    const address = parseNodeAddress(`mconn://${idOf(digit)}@8.8.8.8:26656`);
    expect(await h.manager.add(address, { kind: 'gossip', from: idOf('a') })).toBe(true);
  }
  const first = await h.tryDialNext();
  expect(first?.host).toBe('8.8.8.8');
  h.clock.advance(59_999);
  expect(await h.tryDialNext()).toBeUndefined();
  h.clock.advance(1);
  expect((await h.tryDialNext())?.host).toBe('8.8.8.8');
});

test('who connects a fifth time within a minute is neither let in nor dialed for ten', async () => {
  const h = start();
  await h.add('a');
  for (let visit = 0; visit < 4; visit++) {
    h.manager.disconnected(idOf('a'), h.up('a'), 'remoteClosed');
    h.clock.advance(10_000);
  }
  expect(h.accepted('a')).toMatchObject({ verdict: 'refuse', reason: 'flapping' });
  h.clock.advance(599_999);
  expect([h.accepted('a').verdict, await h.tryDialNext()]).toEqual(['refuse', undefined]);
  h.clock.advance(1);
  expect(digitOf(await h.tryDialNext())).toBe('a');
});
