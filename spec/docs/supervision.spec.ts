/** What the page on supervision says of each kind of actor, held against a running node in which it is crashed. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { AnyStateMachine } from 'xstate';
import type { Node } from '../../actors/node.ts';
import { reactor } from '../../actors/reactor.ts';
import { linkMachine } from '../../machines/link.ts';
import { nodeMachine } from '../../machines/node.ts';
import { livePeer } from '../../machines/peer-live.ts';
import { peerManagerMachine } from '../../machines/peer-manager.ts';
import { peerMachine } from '../../machines/peer.ts';
import { pexMachine } from '../../machines/pex.ts';
import { supervisorMachine } from '../../machines/supervisor.ts';
import { breakable, Cast, condemn, kindOf, poison, ruleFor } from '../support/crashes.ts';
import { counting, listening, nodes, numbered, settle, updatesOf } from '../support/nodes.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/supervision.md'), 'utf8');

/** The rows of the table whose first column has this title. */
function rowsOf(title: string): readonly (readonly string[])[] {
  const lines = page.split('\n');
  const head = lines.findIndex((line) => new RegExp(`^\\| ${title} +\\|`).test(line) && line.includes('|'));
  const rows = lines.slice(head + 2).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
  return rows.slice(
    0,
    rows.findIndex((cells) => cells.length === 0),
  );
}

type Row = Readonly<{
  kind: string;
  restart: string;
  intensity: string;
  beyond: string;
  restarts: readonly string[];
  links: string;
  sees: string;
}>;
const lasting = rowsOf('kind').map(([kind = '', restart = '', intensity = '', beyond = '', restarts = '', links = '', sees = '']): Row => {
  return { kind, restart, intensity, beyond, restarts: restarts === '' ? [] : restarts.split(', '), links, sees };
});
const passing = [...page.matchAll(/^\| (\w+) +\| [^|]+ \| [^|]+ \|$/gm)]
  .map(([, kind = '']) => kind)
  .filter((kind) => page.indexOf(`| ${kind} `) > page.indexOf('last for one step only'));

const world = { stop: (): Promise<void> => Promise.resolve() };
afterEach(() => world.stop());

const reactors = ['steady', 'yours'];
/** How a name in the tree that belongs to a kind begins. */
const names: Readonly<Record<string, RegExp>> = { reactor: /^yours/, node: /^x:/, peer: /^\d+$/ };
const nameOf = (kind: string): RegExp => names[kind] ?? new RegExp(`^${kind}(:|#|$)`);

/** A node with everything that a node can have, and two peers that keep it connected and talk to both of its reactors. */
async function run() {
  const { clock, net, options, start, stop } = nodes();
  world.stop = stop;
  const cast = new Cast();
  const steady = listening('steady', 0x10);
  const yours = reactor({
    name: 'yours',
    channels: { yours: numbered(0x11) },
    onMessage: () => undefined,
    every: [
      [
        1_000,
        async ({ channels }): Promise<void> => {
          await channels.yours.broadcast(1);
        },
      ],
    ],
  });
  const { key, environment } = options();
  const broken = breakable(net.transport(key!.id));
  const load = { start: () => undefined, stop: () => undefined, loopDelayMs: () => 0, rssBytes: () => 0 };
  const node = await start({
    key: key!,
    transports: [broken.transport],
    environment: { ...environment, load: () => load },
    monitor: '127.0.0.1:0',
    reactors: [steady.reactor, yours],
    inspect: cast.inspect,
  });
  const speakers = [0, 1].map(() => counting({ steady: numbered(0x10), yours: numbered(0x11) }, 100));
  const peers: Node[] = [];
  for (const speaker of speakers) {
    peers.push(await start({ persistentPeers: [...node.addresses], reactors: [speaker.reactor] }));
    await clock.advanceAsync(500);
  }
  const seen = peers.map(updatesOf);
  await clock.advanceAsync(2_000);
  return { clock, net, cast, node, broken, steady, speakers, peers, seen };
}

type Running = Awaited<ReturnType<typeof run>>;

/** How each kind is made to fail; what a supervisor watches over, and is no chart that could throw, is condemned. */
const crashes: Readonly<Record<string, (running: Running) => void>> = {
  send: ({ broken }) => broken.breakSend(),
  receive: ({ broken }) => broken.breakReceive(),
  ...Object.fromEntries(
    ['node', 'news', 'supervisor', 'peerManager', 'peer', 'router', 'link', 'reactors'].map((kind) => [
      kind,
      ({ cast }: Running) => poison(cast.find(nameOf(kind))),
    ]),
  ),
};

/** Lets time go on, and what the monitor does with real sockets. */
async function pass({ clock }: Running, seconds: number): Promise<void> {
  for (let i = 0; i < seconds * 4; i++) {
    await settle(5);
    await clock.advanceAsync(250);
  }
}

const minutes = (ms: number): string => (ms < 120_000 ? `${ms / 1_000} s` : `${ms / 60_000} min`);

describe('each kind of actor', () => {
  test('that lives in a running node has a row, and each row a kind', async () => {
    const { cast } = await run();
    const living = new Set(cast.living.map(({ id }) => kindOf(id, reactors)));
    expect([...living].sort()).toEqual(lasting.map(({ kind }) => kind).sort());
  });

  test('that a node ever starts, from its start to its stop, has a row in one of the tables', async () => {
    const { cast } = await run();
    await world.stop();
    const known = new Set([...lasting.map(({ kind }) => kind), ...passing]);
    expect(cast.ids.map((id) => kindOf(id, reactors)).filter((kind) => !known.has(kind))).toEqual([]);
  });

  test('that lasts for one step is invoked by a chart, and each that a chart invokes has a row', () => {
    const invoked = [nodeMachine, linkMachine, supervisorMachine].flatMap(invocationsOf).map(({ id }) => id);
    const rows = lasting.map(({ kind }) => kind);
    expect(passing.sort()).toEqual(invoked.filter((id) => !rows.includes(id)).sort());
  });

  test.each(lasting.filter(({ restart }) => restart !== '').map((row) => [row.kind, row] as const))(
    '%s is restarted, and given up, as its row says',
    async (kind, { restart, intensity, beyond }) => {
      const { cast } = await run();
      if (kind === 'peer') return expect([restart, intensity, beyond]).toEqual(['temporary', '', '']);
      const rule = ruleFor(cast, nameOf(kind));
      const { maxRestarts, withinMs } = rule.intensity;
      const expected =
        rule.restart === 'temporary' ? ['', ''] : rule.vital ? ['none', 'vital'] : [`${maxRestarts} in ${minutes(withinMs)}`, rule.beyond];
      expect([restart, intensity, beyond]).toEqual([rule.restart, ...expected]);
    },
  );

  test.each(lasting.map((row) => [row.kind, row] as const))('%s: its crash costs what its row says', async (kind, row) => {
    const running = await run();
    const { cast, node, peers, seen, steady, speakers } = running;
    let ended: Error | undefined;
    void node.ended.then((error) => (ended = error));
    const before = node.status();
    expect([before.peers.up, before.restarts, seen]).toEqual([2, {}, [['up'], ['up']]]);
    (crashes[kind] ?? (() => condemn(cast, nameOf(kind))))(running);
    await pass(running, 40);

    const isOver = row.beyond === 'ends';
    expect(Object.keys(node.status().restarts)).toEqual(isOver ? [] : row.restarts);
    expect([...new Set(Object.values(node.status().restarts))]).toEqual(isOver ? [] : row.restarts.length > 0 ? [1] : []);
    const downs = seen.map((updates) => updates.filter((update) => update.startsWith('down')));
    const hit = { none: 0, 'its own': 1, all: 2 }[row.links];
    expect(downs.filter((each) => each.length > 0)).toHaveLength(hit!);
    expect([...new Set(downs.flat())]).toEqual(row.sees === '' ? [] : [`down ${row.sees}`]);
    expect(ended instanceof Error).toBe(isOver);
    if (isOver) {
      expect(peers.map((peer) => peer.status().peers.up)).toEqual([0, 0]);
      // Those of the two peers.
      return expect(running.net.counts().listening).toBe(2);
    }

    // What was lost is back, and each kind lives again.
    expect([node.status().peers.up, ...peers.map((peer) => peer.status().peers.up)]).toEqual([2, 1, 1]);
    const living = new Set(cast.living.map(({ id }) => kindOf(id, reactors)));
    if (kind !== 'channel') expect([...living].sort()).toEqual(lasting.map(({ kind: each }) => each).sort());
    expect(steady.heard.at(-1)).toBeGreaterThan(Math.min(...speakers.map(({ sent }) => sent.steady!)) - 5);
    if (hit === 0 && kind !== 'reactors') expect(steady.heard).toHaveLength(speakers[0]!.sent.steady! + speakers[1]!.sent.steady!);
  });
});

/** What a chart invokes, each with the states in which it may hear of its end. */
function invocationsOf(machine: AnyStateMachine): { id: string; heard: boolean }[] {
  const found: { id: string; heard: boolean }[] = [];
  const visit = (state: AnyStateMachine['root'], above: readonly AnyStateMachine['root'][]): void => {
    const chain = [...above, state];
    for (const { id } of state.invoke) {
      const errors = [`xstate.error.actor.${id}`, 'xstate.error.actor.*'];
      found.push({ id, heard: chain.some(({ transitions }) => errors.some((type) => transitions.has(type))) });
    }
    for (const child of Object.values(state.states)) visit(child, chain);
  };
  visit(machine.root, []);
  return found;
}

describe('an actor that fails', () => {
  test('is heard of by whoever invoked it, in every chart', () => {
    const invoked = [nodeMachine, linkMachine, supervisorMachine, peerManagerMachine].flatMap(invocationsOf);
    expect(invoked.length).toBeGreaterThan(8);
    expect(invoked.filter(({ heard }) => !heard)).toEqual([]);
  });

  test('by going round in circles fails after a thousand steps, in every chart, instead of holding up the process', () => {
    const charts: readonly AnyStateMachine[] = [
      nodeMachine,
      supervisorMachine,
      linkMachine,
      peerManagerMachine,
      peerMachine,
      livePeer,
      pexMachine,
    ];
    const folder = join(import.meta.dirname, '../../machines');
    const written = readdirSync(folder).filter(
      (name) => name.endsWith('.ts') && readFileSync(join(folder, name), 'utf8').includes('.createMachine('),
    );
    expect(charts).toHaveLength(written.length);
    expect(charts.map(({ options }) => options.maxIterations)).toEqual(charts.map(() => 1_000));
  });

  test('is heard of by whoever spawned it', () => {
    const running = supervisorMachine.root.states['running']!;
    const stopping = supervisorMachine.root.states['stopping']!;
    for (const state of [running, stopping, peerManagerMachine.root]) expect(state.transitions.has('xstate.error.actor.*')).toBe(true);
  });
});
