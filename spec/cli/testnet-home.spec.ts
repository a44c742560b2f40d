import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { settingsFromFlags } from '../../cli/config.ts';
import { decidedByTestnet, testnetHomes as homesOf } from '../../cli/testnet-home.ts';
import type { Settings } from '../../cli/config.ts';
import { parseNodeAddress } from '../../proto/address.ts';
import { optionNames } from '../../proto/option-names.ts';

/** Ports that no other spec looks at. */
const from = { listen: 24_656, monitor: 24_680 };
const testnetHomes = (home: string, nodes: number, settings: Settings) => homesOf(home, nodes, settings, from);

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'troupe-homes-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

test('nodes have ports of their own, and all but the first know the first', async () => {
  const homes = await testnetHomes(folder, 3, new Map());
  expect(homes.map(({ name, home }) => [name, home])).toEqual([0, 1, 2].map((k) => [`node${k}`, join(folder, `node${k}`)]));
  const ports = homes.flatMap(({ address, options }) => [parseNodeAddress(address).port, Number(options.monitor.split(':')[1])]);
  expect(new Set(ports).size).toBe(6);
  expect(homes.map(({ options }) => options.bootstrapPeers)).toEqual([[], [homes[0]!.address], [homes[0]!.address]]);
  expect(homes.map(({ options }) => options.moniker)).toEqual(['node0', 'node1', 'node2']);
});

test('a port that another program holds is not taken', async () => {
  const probe = await testnetHomes(join(folder, 'probe'), 2, new Map());
  const { port } = parseNodeAddress(probe[0]!.address);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const homes = await testnetHomes(join(folder, 'net'), 2, new Map()).finally(() => new Promise((resolve) => server.close(resolve)));
  expect(homes.map(({ address }) => parseNodeAddress(address).port)).not.toContain(port);
});

test('homes that exist are used as they are, ids and ports included, and missing ones are added', async () => {
  const before = await testnetHomes(folder, 2, new Map());
  const config = readFileSync(join(folder, 'node1/config.toml'), 'utf8');
  const after = await testnetHomes(folder, 3, new Map());
  expect(after.slice(0, 2)).toEqual(before);
  expect(readFileSync(join(folder, 'node1/config.toml'), 'utf8')).toBe(config);
  expect(after[2]!.options.bootstrapPeers).toEqual([before[0]!.address]);
  expect(before.map(({ address }) => address)).not.toContain(after[2]!.address);
});

test('settings for all nodes win over those of a testnet, and are refused once homes exist', async () => {
  const settings = settingsFromFlags({ network: 'mine', 'slots.inbound': '9', 'echo.ask': 'false' });
  const homes = await testnetHomes(folder, 2, settings);
  for (const { options } of homes)
    expect(options).toMatchObject({ network: 'mine', slots: { inbound: 9 }, echo: { ask: false }, logLevel: 'warn' });
  await expect(testnetHomes(folder, 3, settings)).rejects.toMatchObject({ code: 'ERR_OPTION_INVALID' });
  expect(existsSync(join(folder, 'node2'))).toBe(false);
});

test('what differs from node to node cannot be set for all', () => {
  expect(
    optionNames()
      .filter(decidedByTestnet)
      .map(({ flag }) => flag),
  ).toEqual(['--moniker', '--listen', '--external-address', '--bootstrap-peers', '--monitor']);
});
