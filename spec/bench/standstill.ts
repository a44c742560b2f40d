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

async function child(): Promise<void> {
  const node = await benchNode('sodium', asking);
  keepTalking(node);
  await node.start();
  const tell = (): void => {
    const scores = node.peers.list().map(({ score }) => score);
    process.stdout.write(`${JSON.stringify({ address: node.addresses[0], status: node.status(), scores })}\n`);
  };
  tell();
  for await (const _ of createInterface(process.stdin)) tell();
  process.exit(0);
}

type Told = Readonly<{ address: string; status: NodeStatus; scores: readonly number[] }>;

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
    still.kill('SIGSTOP');
    await pause(ms);
    still.kill('SIGCONT');
    await pause(settleMs);
    const after = await ask();
    const lost = lostBy(after.status) - lostBy(before.status);
    const lostThere = others.reduce((sum, node, index) => sum + lostBy(node.status()) - lostBefore[index]!, 0);
    const blamed = after.scores.filter((score) => score < 0).length;
    // Not bounded: who was asked for addresses and took nothing for longer than an answer may take has earned that.
    const blamedThere = others.filter((node) => node.peers.list().some(({ score }) => score < 0)).length;
    const isPast = lost > 0 || lostThere > 0 || blamed > 0 || after.status.peers.up < peers;
    if (isPast) past++;
    process.stdout.write(
      `stopped for ${ms / 1e3} s: ${after.status.peers.up} of ${peers} up, ${lost} links ended by it, ${lostThere} by them, ${blamed} blamed  (bound: none); ${blamedThere} blame it${isPast ? '  PAST ITS BOUND' : ''}\n`,
    );
    if (isPast) process.stdout.write(`${JSON.stringify([after.status.disconnects, others.map((node) => node.status().disconnects)])}\n`);
  }
  still.stdin.end();
  await once(still, 'exit');
  await Promise.all(others.map((node) => node.stop()));
  return past;
}

if (process.argv[2] === 'child') await child();
else process.exit((await main()) > 0 ? 1 : 0);
