import { afterEach, describe, expect, test } from '@jest/globals';
import { realLoad } from '../../actors/environment.ts';
import { Pressure, type Load } from '../../actors/pressure.ts';
import { formatNodeAddress, nodeAddressOf } from '../../proto/address.ts';
import { parseOptions, pressureOptions } from '../../proto/options.ts';
import { stopAll, talk, world, type Host } from '../support/router.ts';
import { settle } from '../support/virtual-clock.ts';

afterEach(stopAll);

const MiB = 2 ** 20;
const options = parseOptions(pressureOptions, {});

/** A process whose load is what a test says, with 100 MiB that were there before. */
function loadOf() {
  const says = { delayMs: 0, rssMiB: 100, watched: 0 };
  const load: Load = {
    start() {
      says.watched++;
    },
    stop() {
      says.watched--;
    },
    loopDelayMs: () => says.delayMs,
    rssBytes: () => says.rssMiB * MiB,
  };
  return { says, load };
}

/** A router under load, and peers that try to connect to it. */
async function loaded() {
  const { says, load } = loadOf();
  const w = world();
  const at = await w.host({}, { load });
  at.router.openChannel(talk);
  const peer = async (): Promise<Host> => {
    const made = await w.host();
    made.router.openChannel(talk);
    return made;
  };
  const arrive = async (): Promise<Host> => {
    const made = await peer();
    await w.connect(made, at);
    return made;
  };
  const look = (): Promise<void> => w.clock.advanceAsync(options.lookMs);
  return { ...w, at, says, peer, arrive, look };
}

describe('while the event loop is held up', () => {
  test('nobody is accepted; whoever waited is once it keeps up again, and those who are up stay', async () => {
    const { at, says, arrive, look } = await loaded();
    await arrive();
    expect(at.manager.heard).toEqual(['route', 'up']);
    says.delayMs = 251;
    await look();
    await arrive();
    await arrive();
    expect(at.manager.heard).toEqual(['route', 'up']);
    says.delayMs = 250;
    await look();
    await settle(10);
    expect(at.manager.heard.filter((each) => each === 'up')).toHaveLength(3);
    expect(at.counters.rejections.size).toBe(0);
  });
});

describe('when memory is short', () => {
  test('whoever connects is refused at once and counted, until there is enough again; those who are up stay', async () => {
    const { at, says, arrive, look } = await loaded();
    await arrive();
    says.rssMiB = 100 + 513;
    await look();
    const refused = await arrive();
    expect(refused.manager.heard).toEqual(['dialFailed ERR_CONNECTION_CLOSED']);
    expect(Object.fromEntries(at.counters.rejections)).toEqual({ overloaded: 1 });
    expect(at.router.linkCount).toBe(1);
    says.rssMiB = 100 + 512;
    await look();
    await arrive();
    expect(at.router.linkCount).toBe(2);
  });

  test('what the process had before the node was made does not count', () => {
    const { says, load } = loadOf();
    says.rssMiB = 2_000;
    const pressure = new Pressure(options, load);
    pressure.look();
    expect(pressure.memory).toBe('enough');
    says.rssMiB += 600;
    pressure.look();
    expect(pressure.memory).toBe('short');
    says.rssMiB += 200;
    pressure.look();
    expect(pressure.memory).toBe('spent');
  });
});

describe('when memory is spent', () => {
  test('the worst peer goes, one a second, until it is not; nobody is dialed meanwhile', async () => {
    const { at, says, arrive, connect, look, peer, clock } = await loaded();
    const peers = [await arrive(), await arrive(), await arrive()];
    const scores = [3, -1, 0];
    at.manager.scores = new Map(peers.map(({ key }, index) => [key.id, scores[index]!]));
    says.rssMiB = 100 + 769;
    await look();
    expect(at.manager.heard.slice(6)).toEqual(['down overloaded']);
    expect(at.router.link(peers[1]!.key.id)).toBeUndefined();
    await connect(at, await peer());
    await clock.advanceAsync(999);
    expect(at.router.linkCount).toBe(2);
    await clock.advanceAsync(1);
    expect(at.router.link(peers[2]!.key.id)).toBeUndefined();
    expect(at.router.linkCount).toBe(1);
    says.rssMiB = 100 + 600;
    await clock.advanceAsync(2_000);
    // Memory is still short, so nobody is accepted, but what was to be dialed is.
    expect(at.manager.heard.slice(7)).toEqual(['down overloaded', 'route', 'up']);
    expect(Object.fromEntries(at.counters.disconnects)).toEqual({ overloaded: 2 });
  });

  test('peers that the operator named stay', async () => {
    const { says, load } = loadOf();
    const { host, connect, clock } = world();
    const named = await host();
    const address = formatNodeAddress(nodeAddressOf({ protocol: 'memory', ip: '', port: 0, path: named.key.id }, named.key.id));
    const at = await host({ persistentPeers: [address] }, { load });
    for (const { router } of [named, at]) router.openChannel(talk);
    await connect(named, at);
    says.rssMiB = 10_000;
    await clock.advanceAsync(5_000);
    expect(at.manager.heard).toEqual(['route', 'up']);
  });
});

test('a hard limit below the soft one is refused', () => {
  expect(() => new Pressure({ ...options, hardBytes: 1 }, loadOf().load)).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID' }));
});

test('the event loop is watched for as long as the router runs, and no timer is left', async () => {
  const { at, says, clock } = await loaded();
  expect(says.watched).toBe(1);
  at.actor.stop();
  await settle(10);
  expect([says.watched, clock.pending]).toEqual([0, 0]);
});

test('the real load is that of this process, each delay told once', () => {
  const load = realLoad();
  load.start();
  expect(load.loopDelayMs()).toBeGreaterThanOrEqual(0);
  expect(load.loopDelayMs()).toBe(0);
  expect(load.rssBytes()).toBeGreaterThan(10 * MiB);
  load.stop();
});
