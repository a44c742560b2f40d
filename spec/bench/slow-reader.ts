/** A broadcast to five honest peers and to one that stops reading: it is cut off, memory stays, and the others go on at their rate. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Channel, Echo, Node, NodeId } from '../../index.ts';
import { benchNode, dataChannel, scale } from './setup.ts';

const honest = 5;
const messageBytes = 65_536;
const messages = Math.max(1_600, Math.ceil(3_200 * scale));
const stallAfter = Math.floor(messages / 5);
const pairs = scale < 1 ? 3 : 5;
/** Every so many messages a reader answers; nobody is sent more than the window ahead of the slowest honest answer. */
const answerEvery = 8;
const windowMessages = 64;

const bounds = { cutOffMs: 15_000, memoryBytes: 32 * 2 ** 20, share: 0.95 };

async function read(nodes: number, sender: string): Promise<void> {
  const all = await Promise.all(Array.from({ length: nodes }, () => benchNode('sodium', { listen: [], persistentPeers: [sender] })));
  const answer = async (channel: Channel<Echo>): Promise<void> => {
    for await (const { from, message } of channel)
      if (message.reply) await channel.send({ to: from, message: { payload: new Uint8Array(0), reply: true } });
  };
  const channels = all.map((node) => node.openChannel(dataChannel));
  await Promise.all(all.map((node) => node.start()));
  process.stdout.write(`${JSON.stringify(all.map((node) => node.nodeId))}\n`);
  process.stdin.on('end', () => process.exit(0)).resume();
  await Promise.all(channels.map(answer));
}

type Readers = Readonly<{ child: ChildProcess; ids: readonly NodeId[] }>;

async function startReaders(nodes: number, sender: Node): Promise<Readers> {
  const argv = [...process.execArgv, import.meta.filename, 'readers', String(nodes), sender.addresses[0]!];
  const child = spawn(process.execPath, argv, { stdio: ['pipe', 'pipe', 'inherit'] });
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  const ids = JSON.parse(line) as NodeId[];
  await Promise.all(ids.map((id) => until(sender, id, 'up')));
  return { child, ids };
}

async function until(node: Node, id: NodeId, status: 'up' | 'down'): Promise<string> {
  for await (const update of node.peers.updates())
    if ('status' in update && update.id === id && update.status === status) return update.reason ?? '';
  throw new Error('the node stopped');
}

/** Answers of honest peers, counted as they come, and a way to wait for the slowest. */
function answersOf(channel: Channel<Echo>, ids: readonly NodeId[]) {
  const counts = new Map(ids.map((id) => [id, 0]));
  let wake = (): void => undefined;
  const count = async (): Promise<void> => {
    for await (const { from } of channel) {
      const before = counts.get(from);
      if (before === undefined) continue;
      counts.set(from, before + 1);
      wake();
    }
  };
  count().catch((error: unknown) => void process.stderr.write(`${String(error)}\n`));
  return {
    reset: (): void => ids.forEach((id) => counts.set(id, 0)),
    async atLeast(answers: number): Promise<void> {
      while (Math.min(...counts.values()) < answers) await new Promise<void>((resolve) => (wake = resolve));
    },
  };
}

const payload = new Uint8Array(messageBytes).fill(7);

/** Broadcasts as fast as the honest ones take it; gives their rate in MB/s each after the first fifth, where one may stall, and the highest memory seen. */
async function broadcast(channel: Channel<Echo>, answers: ReturnType<typeof answersOf>, stall: () => void = () => undefined) {
  answers.reset();
  let highestRss = 0;
  let began = 0;
  for (let sent = 1; sent <= messages; sent++) {
    await channel.broadcast({ payload, reply: sent % answerEvery === 0 });
    if (sent === stallAfter) {
      await answers.atLeast((sent - windowMessages) / answerEvery);
      stall();
      began = performance.now();
    }
    if (sent % answerEvery !== 0) continue;
    highestRss = Math.max(highestRss, process.memoryUsage.rss());
    await answers.atLeast((sent - windowMessages) / answerEvery);
  }
  await answers.atLeast(Math.floor(messages / answerEvery));
  return { rate: ((messages - stallAfter) * messageBytes) / 1e6 / ((performance.now() - began) / 1e3), highestRss };
}

type WithSlow = Awaited<ReturnType<typeof broadcast>> & Readonly<{ cutOffMs: number; reason: string }>;

/** The sixth peer stops reading after a fifth of the broadcast: its whole process stops, its sockets stay open. */
async function withSlowReader(node: Node, channel: Channel<Echo>, answers: ReturnType<typeof answersOf>): Promise<WithSlow> {
  const { child, ids } = await startReaders(1, node);
  const down = until(node, ids[0]!, 'down');
  let stalledAt = 0;
  const stall = (): void => {
    stalledAt = performance.now();
    child.kill('SIGSTOP');
  };
  const cutOff = down.then((reason) => ({ reason, cutOffMs: performance.now() - stalledAt }));
  const run = await broadcast(channel, answers, stall);
  // One that is never cut off must not hold the bench for ever.
  const late = new Promise<{ reason: string; cutOffMs: number }>((resolve) =>
    setTimeout(() => resolve({ reason: 'never cut off', cutOffMs: Infinity }), 2 * bounds.cutOffMs).unref(),
  );
  const end = await Promise.race([cutOff, late]);
  child.kill('SIGKILL');
  await once(child, 'exit');
  return { ...run, ...end };
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

async function main(): Promise<number> {
  const node = await benchNode('sodium');
  const channel = node.openChannel(dataChannel);
  await node.start();
  const { child, ids } = await startReaders(honest, node);
  const answers = answersOf(channel, ids);
  await broadcast(channel, answers);
  const alone: Awaited<ReturnType<typeof broadcast>>[] = [];
  const slowed: WithSlow[] = [];
  for (let pair = 0; pair < pairs; pair++) {
    // Which comes first alternates, so that neither profits from what the other warmed.
    if (pair % 2 === 0) alone.push(await broadcast(channel, answers));
    slowed.push(await withSlowReader(node, channel, answers));
    if (pair % 2 === 1) alone.push(await broadcast(channel, answers));
  }
  const { drops, disconnects } = node.status();
  child.stdin!.end();
  await node.stop();

  const aloneRate = median(alone.map((run) => run.rate));
  const share = median(slowed.map((run) => run.rate)) / aloneRate;
  const memory = median(slowed.map((run) => run.highestRss)) - median(alone.map((run) => run.highestRss));
  const cutOffMs = Math.max(...slowed.map((run) => run.cutOffMs));
  const rows = [
    ['rate of each honest peer alone', `${aloneRate.toFixed(1)} MB/s`, '', false],
    ['their rate beside one that stalls', `${(share * 100).toFixed(1)} %`, `at least ${bounds.share * 100} %`, share < bounds.share],
    ['memory above a run without it', `${(memory / 2 ** 20).toFixed(1)} MiB`, 'at most 32 MiB', memory > bounds.memoryBytes],
    ['cut off after (slowest)', `${(cutOffMs / 1e3).toFixed(1)} s`, 'at most 15 s', !(cutOffMs <= bounds.cutOffMs)],
  ] as const;
  process.stdout.write(
    `\nslow reader: ${((messages * messageBytes) / 1e6).toFixed(0)} MB to ${honest} peers and one that stops, median of ${pairs} alternated pairs, scale ${scale}\n\n`,
  );
  for (const [name, value, bound, past] of rows)
    process.stdout.write(`${name.padEnd(36)}${value.padStart(14)}${bound && `  (bound: ${bound})`}${past ? '  PAST ITS BOUND' : ''}\n`);
  const rates = (runs: readonly { rate: number }[]): string => runs.map((run) => run.rate.toFixed(0)).join(' ');
  process.stdout.write(`\nMB/s of each run: alone ${rates(alone)}; beside ${rates(slowed)}\n`);
  process.stdout.write(
    `reasons: ${slowed.map((run) => run.reason).join(', ')}; drops ${JSON.stringify(drops)}; disconnects ${JSON.stringify(disconnects)}\n`,
  );
  return rows.filter((row) => row[3]).length;
}

if (process.argv[2] === 'readers') await read(Number(process.argv[3]), process.argv[4]!);
else process.exit((await main()) > 0 ? 1 : 0);
