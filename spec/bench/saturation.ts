/** Three saturated channels of one peer over a limited link get shares by their weights, and a message of a high-priority channel passes a saturated one. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { bytes, type Channel, type ChannelOptions, type Node, type NodeId } from '../../index.ts';
import { queuePolicies, type QueuePolicy } from '../../proto/options.ts';
import { benchNode, scale, unlimited } from './setup.ts';

const sendRate = 5_000_000;
const bulkBytes = 16_384;
const voteBytes = 128;
const windowMs = Math.max(4_000, 15_000 * scale);
const votes = Math.max(300, Math.ceil(1_500 * scale));

const bulk = (weight: number): ChannelOptions<Uint8Array> => {
  return { id: 0x70 + weight, name: `bulk-${weight}`, type: bytes, priority: weight, maxMessageBytes: 1 << 20 };
};
const weights = [1, 2, 4] as const;
const voteChannel: ChannelOptions<Uint8Array> = { id: 0x7f, name: 'votes', type: bytes, priority: 10, maxMessageBytes: 1_024 };

/** What a receiver tells when asked, and then counts anew. */
type Tally = { bytes: Record<string, number>; longestGapMs: Record<string, number>; voteMs: number[] };
type Row = { case: string; value: number; unit: string; least?: number; most?: number };

/** Milliseconds of a clock that all processes of this machine share. */
const now = (): number => Number(process.hrtime.bigint()) / 1e6;

async function receive(): Promise<void> {
  const node = await benchNode('sodium');
  const channels = weights.map((weight) => node.openChannel(bulk(weight)));
  const votesIn = node.openChannel(voteChannel);
  await node.start();
  const tally: Tally = { bytes: {}, longestGapMs: {}, voteMs: [] };
  const lastAt: Record<string, number> = {};
  const count = async (channel: Channel<Uint8Array>): Promise<void> => {
    for await (const { message } of channel) {
      const at = now();
      const { name } = channel;
      tally.bytes[name] = (tally.bytes[name] ?? 0) + message.length;
      tally.longestGapMs[name] = Math.max(tally.longestGapMs[name] ?? 0, at - (lastAt[name] ?? at));
      lastAt[name] = at;
    }
  };
  const time = async (): Promise<void> => {
    for await (const { message } of votesIn) tally.voteMs.push(now() - Buffer.from(message).readDoubleLE());
  };
  for (const each of [...channels.map(count), time()]) each.catch((error: unknown) => void process.stderr.write(`${String(error)}\n`));
  process.stdout.write(`${JSON.stringify({ address: node.addresses[0] })}\n`);
  for await (const _ of createInterface(process.stdin)) {
    process.stdout.write(`${JSON.stringify(tally)}\n`);
    Object.assign(tally, { bytes: {}, longestGapMs: {}, voteMs: [] });
  }
  process.exit(0);
}

/** One peer to send to over a limited link, and a way to ask it what it has. */
async function withPeer<T>(queue: QueuePolicy, run: (node: Node, ask: () => Promise<Tally>) => Promise<T>): Promise<T> {
  const child = spawn(process.execPath, [...process.execArgv, import.meta.filename, 'receiver'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const line = async (): Promise<unknown> => JSON.parse(((await lines.next()) as { value: string }).value);
  const { address } = (await line()) as { address: string };
  const node = await benchNode('sodium', {
    listen: [],
    persistentPeers: [address],
    link: { sendRate, receiveRate: unlimited },
    peerQueue: { queue },
  });
  try {
    return await run(node, () => {
      child.stdin.write('\n');
      return line() as Promise<Tally>;
    });
  } finally {
    await node.stop();
    child.stdin.end();
    await once(child, 'exit');
  }
}

async function whenUp(node: Node): Promise<NodeId> {
  for await (const update of node.peers.updates()) if ('status' in update && update.status === 'up') return update.id;
  throw new Error('no peer came up');
}

/** Always has another message for the peer. Ends when the node stops. */
async function saturate(channel: Channel<Uint8Array>, to: NodeId): Promise<void> {
  const message = new Uint8Array(bulkBytes).fill(7);
  try {
    while (await channel.send({ to, message }));
  } catch {
    // The channel is closed.
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function shares(queue: QueuePolicy): Promise<Row[]> {
  return withPeer(queue, async (node, ask) => {
    const channels = weights.map((weight) => node.openChannel(bulk(weight)));
    await node.start();
    const to = await whenUp(node);
    for (const channel of channels) void saturate(channel, to);
    // Until what the queue took before the others came is gone.
    await pause(4_000);
    await ask();
    const began = now();
    await pause(windowMs);
    const tally = await ask();
    const seconds = (now() - began) / 1e3;
    const total = weights.reduce((sum, weight) => sum + (tally.bytes[bulk(weight).name!] ?? 0), 0);
    const ofWeights = weights.reduce((sum: number, weight) => sum + weight, 0);
    const bounded = queue === 'wdrr';
    return [
      {
        case: `${queue}: all three channels`,
        value: total / 1e6 / seconds,
        unit: 'MB/s',
        most: (sendRate / 1e6) * 1.05,
        least: (sendRate / 1e6) * 0.85,
      },
      ...weights.map((weight): Row => {
        const share = (tally.bytes[bulk(weight).name!] ?? 0) / total / (weight / ofWeights);
        return {
          case: `${queue}: share of weight ${weight}`,
          value: share * 100,
          unit: '% of its due',
          ...(bounded && { least: 95, most: 105 }),
        };
      }),
      {
        case: `${queue}: longest wait, weight 1`,
        value: tally.longestGapMs[bulk(1).name!] ?? Infinity,
        unit: 'ms',
        ...(bounded && { most: 500 }),
      },
    ];
  });
}

function latency(queue: QueuePolicy): Promise<Row[]> {
  return withPeer(queue, async (node, ask) => {
    const channel = node.openChannel(bulk(1));
    const urgent = node.openChannel(voteChannel);
    await node.start();
    const to = await whenUp(node);
    void saturate(channel, to);
    await pause(2_000);
    await ask();
    for (let vote = 0; vote < votes; vote++) {
      const message = Buffer.alloc(voteBytes);
      message.writeDoubleLE(now());
      // One half waits for room, the other half never would; whatever is refused is missing in the end.
      await (vote % 2 === 0 ? urgent.send({ to, message }) : urgent.broadcast(message));
      await pause(5 + (vote % 7));
    }
    await pause(500);
    const { voteMs } = await ask();
    voteMs.sort((a, b) => a - b);
    const at = (share: number): number => voteMs[Math.min(voteMs.length - 1, Math.floor(voteMs.length * share))] ?? Infinity;
    return [
      { case: `${queue}: urgent past bulk, p50`, value: at(0.5), unit: 'ms' },
      { case: `${queue}: urgent past bulk, p99`, value: at(0.99), unit: 'ms', most: 100 },
      { case: `${queue}: urgent lost`, value: votes - voteMs.length, unit: `of ${votes}`, most: 0 },
    ];
  });
}

if (process.argv[2] === 'receiver') await receive();

const json = process.argv.includes('--json');
if (!json) {
  process.stdout.write(
    `\nsaturation: two processes, sender limited to ${sendRate / 1e6} MB/s, messages of ${bulkBytes} bytes for ${windowMs / 1e3} s, ${votes} urgent ones of ${voteBytes}, scale ${scale}\n\n`,
  );
}
const rows: Row[] = [];
// The other policies are there to compare with; they promise no shares.
for (const queue of process.argv.includes('--all') ? queuePolicies : (['wdrr'] as const))
  rows.push(...(await shares(queue)), ...(await latency(queue)));

let failures = 0;
for (const row of rows) {
  const { least = -Infinity, most = Infinity, value, unit } = row;
  // A value that is none fails too.
  const past = !(value >= least && value <= most);
  if (past) failures++;
  if (json) process.stdout.write(`${JSON.stringify({ ...row, value: Number(value.toPrecision(4)) })}\n`);
  else {
    const asked = [row.least !== undefined && `at least ${row.least}`, row.most !== undefined && `at most ${row.most}`]
      .filter(Boolean)
      .join(', ');
    process.stdout.write(
      `${row.case.padEnd(34)}${value.toPrecision(4).padStart(12)} ${unit}${asked && `  (bound: ${asked})`}${past ? '  PAST ITS BOUND' : ''}\n`,
    );
  }
}
process.exit(failures > 0 ? 1 : 0);
