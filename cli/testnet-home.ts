/** The homes of a testnet: each node's key, and a configuration with fixed ports so that a node can be started again by hand. */
import { existsSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { formatNodeAddress, nodeAddressOf } from '../proto/address.ts';
import { parseEndpoint } from '../proto/endpoint.ts';
import { TroupeError } from '../proto/errors.ts';
import type { NodeId } from '../proto/identity.ts';
import { optionNames, type OptionName } from '../proto/option-names.ts';
import { nodeOptions, parseOptions, type NodeOptions } from '../proto/options.ts';
import { configFile, optionsFrom, settingsFromFile, type Settings } from './config.ts';
import { idOfHome, makeHome } from './home.ts';

/** One node of a testnet at rest. */
export type TestnetHome = Readonly<{ name: string; home: string; nodeId: NodeId; address: string; options: NodeOptions }>;

/** Ports are looked for from these upwards: below the range from which systems take ports for outgoing connections. */
const firstPorts = { listen: 26_656, monitor: 26_680 };
const portsTried = 1_000;

const named = (flag: string): OptionName => {
  const option = optionNames().find((candidate) => candidate.flag === flag);
  if (!option) throw new TroupeError('ERR_INTERNAL', flag);
  return option;
};
const perNode = ['--moniker', '--listen', '--external-address', '--bootstrap-peers', '--monitor'];

/** Whether an option differs from node to node, so that it cannot be set for all of them. */
export const decidedByTestnet = ({ flag }: Pick<OptionName, 'flag'>): boolean => perNode.includes(flag);

/** What is right for a testnet and can be set otherwise: nodes ask each other for addresses often and echo, and only trouble is logged. */
const testnetDefaults: Settings = new Map<OptionName, unknown>([
  [named('--network'), 'testnet'],
  [named('--log-level'), 'warn'],
  [named('--pex-ask-interval-ms'), 5_000],
  [named('--echo-ask'), true],
]);

/** Makes the homes that are missing in `folder`, and reads those that exist. @throws TroupeError `ERR_OPTION_INVALID` for settings with homes that exist. */
export async function testnetHomes(folder: string, nodes: number, settings: Settings, from = firstPorts): Promise<readonly TestnetHome[]> {
  const folders = Array.from({ length: nodes }, (_, index) => join(folder, `node${index}`));
  const made = folders.filter((home) => !existsSync(join(home, configFile)));
  if (settings.size > 0 && made.length < nodes) {
    throw new TroupeError(
      'ERR_OPTION_INVALID',
      `${folder} holds nodes already; change ${configFile} in each of them, or take another --home`,
    );
  }
  const old = folders.filter((home) => !made.includes(home)).map(optionsOf);
  const taken = new Set(
    old.flatMap(({ listen, monitor }) => [...listen.map((text) => parseEndpoint(text).port), Number(monitor.split(':').at(-1))]),
  );
  const ports = await freePorts(from.listen, made.length, taken);
  const monitorPorts = await freePorts(from.monitor, made.length, taken);
  const homes: TestnetHome[] = [];
  for (const [index, home] of folders.entries()) {
    const place = made.indexOf(home);
    if (place >= 0) {
      const bootstrap = homes[0] ? [homes[0].address] : [];
      await makeHome(
        home,
        new Map([...testnetDefaults, ...settings, ...nodeSettings(index, ports[place] ?? 0, monitorPorts[place] ?? 0, bootstrap)]),
      );
    }
    homes.push(await testnetHome(`node${index}`, home));
  }
  return homes;
}

const nodeSettings = (index: number, port: number, monitorPort: number, bootstrap: readonly string[]): Settings =>
  new Map<OptionName, unknown>([
    [named('--moniker'), `node${index}`],
    [named('--listen'), [`mconn://127.0.0.1:${port}`]],
    [named('--bootstrap-peers'), bootstrap],
    [named('--monitor'), `127.0.0.1:${monitorPort}`],
  ]);

const optionsOf = (home: string): NodeOptions => parseOptions(nodeOptions, optionsFrom(settingsFromFile(home)));

async function testnetHome(name: string, home: string): Promise<TestnetHome> {
  const nodeId = await idOfHome(home);
  const options = optionsOf(home);
  const [endpoint] = options.listen;
  if (endpoint === undefined) throw new TroupeError('ERR_OPTION_INVALID', `${join(home, configFile)}: listen is empty`);
  return { name, home, nodeId, address: formatNodeAddress(nodeAddressOf(parseEndpoint(endpoint), nodeId)), options };
}

/** Ports of loopback that are free now and not in `taken`, which they are added to. @throws TroupeError `ERR_LISTEN_UNAVAILABLE`. */
async function freePorts(from: number, wanted: number, taken: Set<number>): Promise<readonly number[]> {
  const found: number[] = [];
  for (let port = from; found.length < wanted; port++) {
    if (port >= from + portsTried) throw new TroupeError('ERR_LISTEN_UNAVAILABLE', `no ${wanted} free ports from ${from} up`);
    if (taken.has(port) || !(await isFree(port))) continue;
    taken.add(port);
    found.push(port);
  }
  return found;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server: Server = createServer()
      .once('error', () => resolve(false))
      .listen({ host: '127.0.0.1', port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
