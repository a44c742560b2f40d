import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import pino from 'pino';
import { openPeersAtRest, type PeersAtRest } from '../../actors/peers-at-rest.ts';
import { loadOrMakeNodeKey } from '../../actors/node-key.ts';
import { sqliteStore } from '../../actors/stores/sqlite.ts';
import { formatNodeAddress } from '../../proto/address.ts';
import { nodeOptions, parseOptions, type NodeOptionsInput } from '../../proto/options.ts';
import { addressOf, idOf } from '../support/manager.ts';
import { seededRandom } from '../support/random.ts';
import { settle, VirtualClock } from '../support/virtual-clock.ts';

const log = pino({ level: 'silent' });
let home: string;
let clock: VirtualClock;
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'troupe-at-rest-'));
  clock = new VirtualClock();
  await loadOrMakeNodeKey(join(home, 'node_key.json'));
});
afterEach(() => {
  rmSync(home, { recursive: true });
  expect(clock.pending).toBe(0);
});

const open = (given: NodeOptionsInput = {}): Promise<PeersAtRest> =>
  openPeersAtRest({ home, options: parseOptions(nodeOptions, given), environment: { clock, random: seededRandom(1) }, log });
/** A change waits for the group commit; time is what moves it. */
async function written<T>(change: Promise<T>): Promise<T> {
  const state = { isOpen: true };
  const close = (): void => void (state.isOpen = false);
  change.then(close, close);
  for (let turn = 0; state.isOpen && turn < 100; turn++) {
    clock.advance(1_000);
    await settle(1);
  }
  return change;
}

test('what is changed at rest is there when the home is opened again', async () => {
  const first = await open();
  expect(await written(first.add(formatNodeAddress(addressOf('a'))))).toBe(true);
  expect(await first.add(formatNodeAddress(addressOf('a')))).toBe(false);
  await written(first.add(formatNodeAddress(addressOf('b'))));
  await written(first.ban(idOf('a'), { forMs: 60_000, reason: 'spam' }));
  await written(first.remove(idOf('b')));
  await first.close();
  await first.close();
  const second = await open();
  expect(second.list()).toMatchObject([{ id: idOf('a'), state: 'banned' }]);
  expect(second.explain(idOf('a')).sentence).toMatch(/^Banned for another \d+ s: spam\.$/);
  await second.close();
});

test('the home is taken while it is open, and given back', async () => {
  const first = await open();
  await expect(open()).rejects.toMatchObject({ code: 'ERR_HOME_IN_USE' });
  await first.close();
  await (await open()).close();
});

test('classes are those of the configuration', async () => {
  const peers = await open({ persistentPeers: [formatNodeAddress(addressOf('a'))], unconditionalPeers: [idOf('b')] });
  await written(peers.add(formatNodeAddress(addressOf('b'))));
  expect(peers.list().map((each) => each.class)).toEqual(['persistent', 'unconditional']);
  await peers.close();
});

test('a store that cannot be opened gives the home back', async () => {
  const store = sqliteStore({ path: join(home, 'peers.db'), options: parseOptions(nodeOptions, {}).store, clock, log });
  store.open();
  await expect(open()).rejects.toMatchObject({ code: 'ERR_HOME_IN_USE' });
  await store.close();
  await expect(open({ slots: { inbound: 10_000 } })).rejects.toMatchObject({ code: 'ERR_OPTION_INVALID' });
  await (await open()).close();
});
