/** Nodes stopped under full load, sends waiting and messages coming: how long they take to end, with what code, and that nothing keeps the process. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createNode, echoMessage, type Channel, type ChannelOptions, type Echo, type Node, type NodeId } from '../../index.ts';
import { benchNode, dataChannel, scale } from './setup.ts';

const rounds = Math.max(2, Math.ceil(10 * scale));
const peers = 4;
const waitingSends = 1_000;
const loadMs = 3_000;
const boundMs = 5_000;
/** How long to wait for a process that does not end, before it is killed. */
const patienceMs = 4 * boundMs;

const payload = new Uint8Array(16_384).fill(7);
const cliEcho: ChannelOptions<Echo> = { id: 0x77, name: 'echo', type: echoMessage, priority: 5, maxMessageBytes: 1 << 20 };
const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function pour(channel: Channel<Echo>, to: NodeId): Promise<void> {
  try {
    while (await channel.send({ to, message: { payload, reply: false } }));
  } catch {
    // The channel is closed.
  }
}

/** Keeps sends waiting for every peer that comes up. */
async function flood(node: Node, channel: Channel<Echo>, sends: number): Promise<void> {
  for await (const update of node.peers.updates())
    if ('status' in update && update.status === 'up') for (let i = 0; i < sends; i++) void pour(channel, update.id);
}

async function drain(channel: Channel<Echo>): Promise<void> {
  for await (const _ of channel);
}

/** A node with a store on disk, a monitor, and all the load there is; a signal stops it, and then nothing else ends the process. */
async function loaded(home: string): Promise<void> {
  const node = await createNode({ network: 'bench', home, listen: ['mconn://127.0.0.1:0'], monitor: '127.0.0.1:0', logLevel: 'error' });
  const channel = node.openChannel(dataChannel);
  await node.start();
  say({ address: node.addresses[0] });
  process.once('SIGTERM', () => void node.stop());
  await Promise.all([drain(channel), flood(node, channel, waitingSends)]);
}

async function load(address: string, channelOptions: ChannelOptions<Echo>): Promise<void> {
  const nodes = await Promise.all(Array.from({ length: peers }, () => benchNode('sodium', { listen: [], persistentPeers: [address] })));
  const channels = nodes.map((node) => node.openChannel(channelOptions));
  await Promise.all(nodes.map((node) => node.start()));
  process.stdin.on('end', () => process.exit(0)).resume();
  const work = nodes.flatMap((node, i) => [drain(channels[i]!), flood(node, channels[i]!, 16)]);
  const up = nodes.map(async (node) => {
    for await (const update of node.peers.updates()) if ('status' in update && update.status === 'up') return;
  });
  await Promise.all(up);
  say({ up: nodes.length });
  await Promise.all(work);
}

const argv = (...more: string[]): string[] => [...process.execArgv, import.meta.filename, ...more];

type Hello = Readonly<{ address?: string; listen?: readonly string[] }>;

async function firstLine(child: ChildProcess): Promise<Hello> {
  const [line] = (await once(createInterface(child.stdout!), 'line')) as [string];
  return JSON.parse(line) as Hello;
}

type Ending = Readonly<{ ms: number; code: number | string }>;

/** Puts a process under load, asks it to stop, and waits for its end. */
async function endOf(child: ChildProcess, channel: 'data' | 'echo'): Promise<Ending> {
  const hello = await firstLine(child);
  child.stdout!.resume();
  const address = hello.address ?? hello.listen![0]!;
  const peersOf = spawn(process.execPath, argv('load', address, channel), { stdio: ['pipe', 'pipe', 'inherit'] });
  await firstLine(peersOf);
  await pause(loadMs);
  const began = performance.now();
  child.kill('SIGTERM');
  const patience = setTimeout(() => child.kill('SIGKILL'), patienceMs);
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  clearTimeout(patience);
  const ms = performance.now() - began;
  peersOf.stdin.end();
  await once(peersOf, 'exit');
  return { ms, code: code ?? signal! };
}

async function withHome<T>(run: (home: string) => Promise<T>): Promise<T> {
  const home = mkdtempSync(join(tmpdir(), 'troupe-stop-'));
  try {
    return await run(home);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

function embedded(): Promise<Ending> {
  return withHome((home) => endOf(spawn(process.execPath, argv('loaded', home), { stdio: ['ignore', 'pipe', 'inherit'] }), 'data'));
}

function commandLine(): Promise<Ending> {
  return withHome((home) => {
    const cli = join(import.meta.dirname, '../../cli.ts');
    const flags = [
      '--home',
      home,
      '--network',
      'bench',
      '--listen',
      'mconn://127.0.0.1:0',
      '--monitor',
      '127.0.0.1:0',
      '--log-level',
      'error',
    ];
    return endOf(spawn(process.execPath, [...process.execArgv, cli, 'start', ...flags], { stdio: ['ignore', 'pipe', 'inherit'] }), 'echo');
  });
}

async function main(): Promise<number> {
  process.stdout.write(
    `\nstop under load: ${peers} peers, ${waitingSends} waiting sends to each and as much as they can send, ${rounds} rounds, scale ${scale}\n\n`,
  );
  let failures = 0;
  for (const [name, run] of [
    ['in a host, ends by itself', embedded],
    ['troupe start', commandLine],
  ] as const) {
    const ends: Ending[] = [];
    for (let round = 0; round < rounds; round++) ends.push(await run());
    const slowest = Math.max(...ends.map((end) => end.ms));
    const codes = [...new Set(ends.map((end) => end.code))];
    const past = slowest > boundMs || codes.some((code) => code !== 0);
    if (past) failures++;
    process.stdout.write(
      `${name.padEnd(28)}${(slowest / 1e3).toFixed(2).padStart(8)} s  exit ${codes.join(', ')}  (bound: at most 5 s, exit 0)${past ? '  PAST ITS BOUND' : ''}\n`,
    );
  }
  return failures;
}

const [mode, ...rest] = process.argv.slice(2);
if (mode === 'loaded') await loaded(rest[0]!);
else if (mode === 'load') await load(rest[0]!, rest[1] === 'echo' ? cliEcho : dataChannel);
else process.exit((await main()) > 0 ? 1 : 0);
