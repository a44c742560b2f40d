/** A process that stands still while its peers go on: whom it loses, or blames, when it comes back. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { pexReactor, type Node, type NodeStatus } from '../../index.ts';
import { benchNode, dataChannel, scale } from './setup.ts';

const peers = 8;
/** The second is longer than a peer may take nothing before it is cut off. */
const stopsMs = [5_000, scale < 1 ? 12_000 : 30_000];
const settleMs = 5_000;
const everyMs = 50;
const payload = new Uint8Array(512).fill(7);

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Sends a little to everybody, and reads, for as long as the node runs. */
function keepTalking(node: Node): void {
  const channel = node.openChannel(dataChannel);
  void (async () => {
    for await (const _ of channel);
  })();
  setInterval(() => void channel.broadcast({ payload, reply: false }).catch(() => undefined), everyMs).unref();
}

const asking = { reactors: [pexReactor()], pex: { askIntervalMs: 1_000, tickMs: 250 }, slots: { inbound: 100, outbound: 100 } };

type Report = Readonly<{ behaviour: string; reason: string; times: number }>;

/** What a node has ever held against each of its peers; a score would forget it as soon as the peer was useful again. */
function blamesOf({ peers }: Node): readonly Report[] {
  const reports = peers.list().flatMap(({ id }) => peers.explain(id).facts['reports'] as readonly Report[]);
  return reports.filter(({ behaviour }) => behaviour !== 'useful');
}
const countOf = (blames: readonly Report[]): number => blames.reduce((sum, { times }) => sum + times, 0);

async function child(): Promise<void> {
  const node = await benchNode('sodium', asking);
  keepTalking(node);
  await node.start();
  const tell = (): void => {
    process.stdout.write(`${JSON.stringify({ address: node.addresses[0], status: node.status(), blames: blamesOf(node) })}\n`);
  };
  tell();
  for await (const _ of createInterface(process.stdin)) tell();
  process.exit(0);
}

type Told = Readonly<{ address: string; status: NodeStatus; blames: readonly Report[] }>;

async function main(): Promise<number> {
  const still = spawn(process.execPath, [...process.execArgv, import.meta.filename, 'child'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface(still.stdout)[Symbol.asyncIterator]();
  const hear = async (): Promise<Told> => JSON.parse(((await lines.next()) as { value: string }).value) as Told;
  const ask = (): Promise<Told> => {
    still.stdin.write('\n');
    return hear();
  };
  const { address } = await hear();
  const others = await Promise.all(
    Array.from({ length: peers }, () => benchNode('sodium', { ...asking, listen: [], persistentPeers: [address] })),
  );
  others.forEach(keepTalking);
  await Promise.all(others.map((node) => node.start()));
  while ((await ask()).status.peers.up < peers) await pause(100);
  await pause(3_000);
  const lostBy = (status: NodeStatus): number => Object.values(status.disconnects).reduce((sum, count) => sum + count, 0);
  let past = 0;
  process.stdout.write(`\nstandstill: ${peers} peers that talk and exchange addresses, scale ${scale}\n\n`);
  for (const ms of stopsMs) {
    const before = await ask();
    const lostBefore = others.map((node) => lostBy(node.status()));
    const blamesBefore = others.map((node) => countOf(blamesOf(node)));
    still.kill('SIGSTOP');
    await pause(ms);
    still.kill('SIGCONT');
    await pause(settleMs);
    const after = await ask();
    const lost = lostBy(after.status) - lostBy(before.status);
    const lostThere = others.reduce((sum, node, index) => sum + lostBy(node.status()) - lostBefore[index]!, 0);
    const blames = countOf(after.blames) - countOf(before.blames);
    // Not bounded: who was asked for addresses and did not answer in time is unhelpful, whatever kept it.
    const blamesThere = others.reduce((sum, node, index) => sum + countOf(blamesOf(node)) - blamesBefore[index]!, 0);
    const isPast = lost > 0 || lostThere > 0 || blames > 0 || after.status.peers.up < peers;
    if (isPast) past++;
    process.stdout.write(
      `stopped for ${ms / 1e3} s: ${after.status.peers.up} of ${peers} up, ${lost} links ended by it, ${lostThere} by them, ${blames} reports by it  (bound: none), ${blamesThere} by them${isPast ? '  PAST ITS BOUND' : ''}\n`,
    );
    if (isPast)
      process.stdout.write(
        `${JSON.stringify([after.status.disconnects, others.map((node) => node.status().disconnects), after.blames])}\n`,
      );
  }
  const reasons = new Set(others.flatMap((node) => blamesOf(node).map(({ behaviour, reason }) => `${behaviour}: ${reason}`)));
  if (reasons.size > 0) process.stdout.write(`\nwhat they hold against it: ${[...reasons].join('; ')}\n`);
  still.stdin.end();
  await once(still, 'exit');
  await Promise.all(others.map((node) => node.stop()));
  return past;
}

if (process.argv[2] === 'child') await child();
else process.exit((await main()) > 0 ? 1 : 0);
