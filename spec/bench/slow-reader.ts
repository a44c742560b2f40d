/**
 * A broadcast to five honest peers and to one that stops reading: it is cut off, memory stays, and the others go on at their rate.
 *
 * Two senders, each a process with five honest peers of its own, take turns of a fraction of a second with the same work, so that whatever else loads
 * the machine loads both. One of them also has the peer that stops; which one it is changes from round to round, so that a process that happens to
 * be the faster one favours nobody. Only turns while that peer is stopped and not yet cut off are compared. Where it can be had, both senders have one
 * processor and all readers another, since a process that others keep from its processor is kept from it for seconds.
 */
import { fork, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Channel, Echo, Node, NodeId } from '../../index.ts';
import { benchNode, dataChannel, scale } from './setup.ts';

const honest = 5;
const messageBytes = 65_536;
/** What one sender broadcasts in a round at least, and how much of it before the peer stops. */
const [totalBytes, bytesBefore] = scale < 1 ? [60e6, 12e6] : [200e6, 40e6];
const turnMessages = 64;
const turnBytes = turnMessages * messageBytes;
const rounds = scale < 1 ? 2 : 8;
const warmUpTurns = scale < 1 ? 8 : 24;
/** Every so many messages a reader answers; nobody is sent more than the window ahead of the slowest honest answer. */
const answerEvery = 8;
const windowMessages = 32;

const bounds = { cutOffMs: 15_000, memoryBytes: 32 * 2 ** 20, share: 0.95 };

// What the processes tell each other.

type Order = Readonly<{ await: readonly NodeId[] }> | Readonly<{ stopped: NodeId }> | 'turn' | 'tell';
type CutOff = Readonly<{ reason: string; afterMs: number }>;
type Turn = Readonly<{ ms: number; cpuMs: number; rss: number; cutOff: CutOff | undefined }>;

/** Obeys orders one after the other, answering each, until the parent is gone. */
function obey<T>(act: (order: T) => unknown): void {
  process.on('disconnect', () => process.exit(0));
  process.on('message', (order) => void Promise.resolve(act(order as T)).then((answer) => process.send!(answer ?? 'done')));
}

const processorOf = { sender: 0, readers: 1 };

class Child {
  readonly process: ChildProcess;
  readonly isPinned: boolean;

  constructor(role: keyof typeof processorOf, ...args: string[]) {
    this.process = fork(import.meta.filename, [role, ...args], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    // Of Linux, and refused where these are not ours to use.
    this.isPinned = spawnSync('taskset', ['-acp', String(processorOf[role]), String(this.process.pid)]).status === 0;
  }

  async hear<T>(): Promise<T> {
    const [message] = (await once(this.process, 'message')) as [T];
    return message;
  }

  order<T>(order: Order): Promise<T> {
    const answer = this.hear<T>();
    this.process.send(order);
    return answer;
  }

  async end(): Promise<void> {
    this.process.kill('SIGKILL');
    await once(this.process, 'exit');
  }
}

// Readers.

async function read(nodes: number, sender: string): Promise<void> {
  const all = await Promise.all(Array.from({ length: nodes }, () => benchNode('sodium', { listen: [], persistentPeers: [sender] })));
  const answer = async (channel: Channel<Echo>): Promise<void> => {
    for await (const { from, message } of channel)
      if (message.reply) await channel.send({ to: from, message: { payload: new Uint8Array(0), reply: true } });
  };
  for (const node of all) void answer(node.openChannel(dataChannel));
  await Promise.all(all.map((node) => node.start()));
  obey(() => undefined);
  process.send!(all.map((node) => node.nodeId));
}

// Senders.

async function until(node: Node, id: NodeId, status: 'up' | 'down'): Promise<string> {
  for await (const update of node.peers.updates())
    if ('status' in update && update.id === id && update.status === status) return update.reason ?? '';
  throw new Error('the node stopped');
}

/** Answers of honest peers, counted as they come, and a way to wait for the slowest. */
function answersTo(channel: Channel<Echo>) {
  const counts = new Map<NodeId, number>();
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
    expectOf: (ids: readonly NodeId[]): void => ids.forEach((id) => counts.set(id, 0)),
    reset: (): void => [...counts.keys()].forEach((id) => counts.set(id, 0)),
    async atLeast(answers: number): Promise<void> {
      while (Math.min(...counts.values()) < answers) await new Promise<void>((resolve) => (wake = resolve));
    },
  };
}

async function send(): Promise<void> {
  const node = await benchNode('sodium');
  const channel = node.openChannel(dataChannel);
  const answers = answersTo(channel);
  const payload = new Uint8Array(messageBytes).fill(7);
  let cutOff: CutOff | undefined;
  let isHonestKnown = false;
  await node.start();

  /** Broadcasts one turn as fast as the honest ones take it, until the last of them has answered the last of it. */
  const turn = async (): Promise<Turn> => {
    answers.reset();
    const [began, cpuBefore] = [performance.now(), process.cpuUsage()];
    for (let sent = 1; sent <= turnMessages; sent++) {
      await channel.broadcast({ payload, reply: sent % answerEvery === 0 });
      if (sent % answerEvery === 0) await answers.atLeast((sent - windowMessages) / answerEvery);
    }
    await answers.atLeast(turnMessages / answerEvery);
    const [ms, { user, system }] = [performance.now() - began, process.cpuUsage(cpuBefore)];
    return { ms, cpuMs: (user + system) / 1e3, rss: process.memoryUsage.rss(), cutOff };
  };
  const watch = (id: NodeId): void => {
    const stoppedAt = performance.now();
    cutOff = undefined;
    void until(node, id, 'down').then((reason) => (cutOff = { reason, afterMs: performance.now() - stoppedAt }));
  };
  obey<Order>(async (order) => {
    if (order === 'turn') return turn();
    if (order === 'tell') return node.status().drops;
    if ('stopped' in order) return watch(order.stopped);
    await Promise.all(order.await.map((id) => until(node, id, 'up')));
    // Those that come first are the honest ones.
    if (!isHonestKnown) answers.expectOf(order.await);
    isHonestKnown = true;
  });
  process.send!(node.addresses[0]);
}

// The comparison.

type Sender = Readonly<{ child: Child; address: string }>;

async function startSender(): Promise<Sender> {
  const child = new Child('sender');
  const address = await child.hear<string>();
  await startReaders(honest, { child, address });
  return { child, address };
}

async function startReaders(nodes: number, { child, address }: Sender): Promise<Readonly<{ readers: Child; ids: readonly NodeId[] }>> {
  const readers = new Child('readers', String(nodes), address);
  const ids = await readers.hear<NodeId[]>();
  await child.order({ await: ids });
  return { readers, ids };
}

type Pair = Readonly<{ alone: Turn; beside: Turn }>;

/** One turn of each; who goes first changes from pair to pair. */
async function takeTurns(alone: Sender, beside: Sender, count: number): Promise<Pair> {
  const turn = ({ child }: Sender): Promise<Turn> => child.order<Turn>('turn');
  if (count % 2 === 0) {
    const first = await turn(alone);
    return { alone: first, beside: await turn(beside) };
  }
  const first = await turn(beside);
  return { beside: first, alone: await turn(alone) };
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** A round: a sixth peer of one of the senders stops reading, its whole process stops, its sockets stay open. */
async function round(alone: Sender, beside: Sender) {
  const { readers, ids } = await startReaders(1, beside);
  let count = 0;
  while (count * turnBytes < bytesBefore) await takeTurns(alone, beside, count++);
  readers.process.kill('SIGSTOP');
  await beside.child.order({ stopped: ids[0]! });
  const pairs: Pair[] = [];
  let cutOff: CutOff | undefined;
  const giveUpAt = performance.now() + 2 * bounds.cutOffMs;
  while (!cutOff && performance.now() < giveUpAt) {
    const pair = await takeTurns(alone, beside, count++);
    ({ cutOff } = pair.beside);
    if (!cutOff) pairs.push(pair);
  }
  while (count * turnBytes < totalBytes) await takeTurns(alone, beside, count++);
  await readers.end();
  const of = (kind: keyof Pair, what: 'ms' | 'cpuMs'): number => sum(pairs.map((pair) => pair[kind][what]));
  const highest = (kind: keyof Pair): number => Math.max(...pairs.map((pair) => pair[kind].rss));
  return {
    rate: (pairs.length * turnBytes) / 1e3 / of('alone', 'ms'),
    share: of('alone', 'ms') / of('beside', 'ms'),
    cpu: of('beside', 'cpuMs') / of('alone', 'cpuMs'),
    memory: highest('beside') - highest('alone'),
    megabytes: (pairs.length * turnBytes) / 1e6,
    cutOff: cutOff ?? { reason: 'never cut off', afterMs: Infinity },
  };
}

type Round = Awaited<ReturnType<typeof round>>;

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2;
}

/** Median over pairs of rounds, in which each sender was once the one with the peer that stops. */
const balanced = (all: readonly Round[], what: (each: Round) => number): number =>
  median(all.flatMap((each, index) => (index % 2 === 0 ? [] : [(what(all[index - 1]!) + what(each)) / 2])));

async function main(): Promise<number> {
  const [one, other] = [await startSender(), await startSender()] as const;
  for (let count = 0; count < warmUpTurns; count++) await takeTurns(one, other, count);
  const all: Round[] = [];
  for (let count = 0; count < rounds; count++) all.push(await (count % 2 === 0 ? round(one, other) : round(other, one)));

  const share = Math.exp(balanced(all, (each) => Math.log(each.share)));
  const cpu = Math.exp(balanced(all, (each) => Math.log(each.cpu)));
  const memory = balanced(all, (each) => each.memory);
  const cutOffMs = Math.max(...all.map(({ cutOff }) => cutOff.afterMs));
  const rows = [
    ['rate of each honest peer alone', `${median(all.map(({ rate }) => rate)).toFixed(1)} MB/s`, '', false],
    ['their rate beside one that stalls', `${(share * 100).toFixed(1)} %`, `at least ${bounds.share * 100} %`, !(share >= bounds.share)],
    ['processor time of the sender for it', `${(cpu * 100).toFixed(1)} %`, '', false],
    ['memory above a sender without it', `${(memory / 2 ** 20).toFixed(1)} MiB`, 'at most 32 MiB', !(memory <= bounds.memoryBytes)],
    ['cut off after (slowest)', `${(cutOffMs / 1e3).toFixed(1)} s`, 'at most 15 s', !(cutOffMs <= bounds.cutOffMs)],
  ] as const;
  process.stdout.write(
    `\nslow reader: ${totalBytes / 1e6} MB to ${honest} peers and one that stops, beside the same to ${honest} alone, ${rounds} rounds, scale ${scale}\n\n`,
  );
  if (!one.child.isPinned) process.stdout.write('senders and readers could not be given a processor each: expect more noise\n\n');
  for (const [name, value, bound, past] of rows)
    process.stdout.write(`${name.padEnd(36)}${value.padStart(14)}${bound && `  (bound: ${bound})`}${past ? '  PAST ITS BOUND' : ''}\n`);
  const each = (what: (round: Round) => string): string => all.map(what).join(' ');
  process.stdout.write(
    `\nof each round: rate ${each(({ share }) => (share * 100).toFixed(1))} %; processor time ${each(({ cpu }) => (cpu * 100).toFixed(1))} %; compared over ${each(({ megabytes }) => megabytes.toFixed(0))} MB\n`,
  );
  process.stdout.write(
    `reasons: ${each(({ cutOff }) => cutOff.reason)}; drops ${JSON.stringify([await one.child.order('tell'), await other.child.order('tell')])}\n`,
  );
  return rows.filter((row) => row[3]).length;
}

if (process.argv[2] === 'readers') await read(Number(process.argv[3]), process.argv[4]!);
else if (process.argv[2] === 'sender') await send();
else process.exit((await main()) > 0 ? 1 : 0);
