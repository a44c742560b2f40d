/** Real full nodes, one validator each, and a whole node of ours that must stay their peer and read their chain. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseNodeId, pexReactor, type Channel, type MessageType, type Node } from '../../index.ts';
import { tendermint } from '../../proto/generated/tendermint.js';
import { complaintTexts } from './complaints.ts';
import { GoProgram } from './go-program.ts';
import { cache, type Settings } from './settings.ts';
import { tapPex } from './tap.ts';
import { dialable, isUp, type Case, type Trial } from './trial.ts';
import { check, same, until } from './within.ts';

const { Message } = tendermint.blocksync;
type Message = InstanceType<typeof Message>;

const blockSync = 0x40;
/** The capacity that full nodes have on this channel: a block of 100 MiB and its wrapper. */
const maxBlockSyncBytes = 104_857_605;
const readyMs = 90_000;
const answerMs = 20_000;

/** Stays connected past pings of both, with peer exchange and block sync. */
export function fullNodeCase(settings: Settings): Case {
  return {
    name: `22 full node, connected for ${settings.stayMs / 1_000} s`,
    run,
    beside: 'all',
    deadlineMs: settings.stayMs + 150_000,
  };
}

async function run(trial: Trial): Promise<void> {
  const chain = `interop-${trial.line}-${trial.direction}`;
  const { reactor, counts } = tapPex(pexReactor());
  const node = await trial.node({ network: chain, reactors: [reactor] });
  const received: Uint8Array[] = [];
  const channel = node.openChannel<Message>({
    id: blockSync,
    name: 'blockSync',
    type: recording(received),
    priority: 5,
    maxMessageBytes: maxBlockSyncBytes,
  });
  void answer(channel).catch(() => undefined);
  await node.start();
  const full = await startFull(trial, chain, trial.direction === 'in' ? dialable(node) : undefined);
  if (trial.direction === 'out') await node.peers.add(`mconn://${full.address}`);
  await until(30_000, 'the full node to be up', () => isUp(node, full.id));
  const began = performance.now();
  same(node.peers.list().find(({ id }) => id === full.id)?.direction, trial.direction === 'out' ? 'outbound' : 'inbound', 'who dialed');
  await readChain(channel, full, chain, received);
  await stay(trial, node, full.id, began);
  const roundTripMs = node.peers.list().find(({ id }) => id === full.id)?.roundTripMs;
  check(roundTripMs !== undefined, 'no ping of ours was answered');
  check(
    Object.values(counts).every((count) => count > 0),
    `not everything was asked and answered: ${JSON.stringify(counts)}`,
  );
  same(node.status().drops, {}, 'messages that we dropped');
  await readChain(channel, full, chain, received);
  await searchLog(full, node.nodeId);
}

async function startFull(trial: Trial, chain: string, persistent: string | undefined): Promise<GoProgram> {
  const home = join(trial.folder('full'), 'home');
  mkdirSync(home);
  const flags = {
    ...{ line: trial.line, binary: join(cache, trial.line, 'node'), home, 'chain-id': chain },
    ...(persistent && { persistent }),
  };
  const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]);
  const full = trial.hold(await GoProgram.start(`${trial.line} full node`, join(cache, 'full', 'full'), args, readyMs));
  await full.take('block', ({ height = 0 }) => height >= 1, readyMs);
  return full;
}

/** Keeps the last few messages as they came, to compare them with what we would write. */
function recording(received: Uint8Array[]): MessageType<Message> {
  return {
    encode: (message) => Message.encode(message),
    decode: (bytes) => {
      received.push(bytes);
      if (received.length > 10) received.shift();
      return Message.decode(bytes);
    },
  };
}

/** A node that syncs asks for our status: we have no block. */
async function answer(channel: Channel<Message>): Promise<void> {
  for await (const { from, message } of channel) {
    if (message.statusRequest) await channel.send({ to: from, message: new Message({ statusResponse: {} }) });
    if (message.blockRequest)
      await channel.send({ to: from, message: new Message({ noBlockResponse: { height: message.blockRequest.height! } }) });
  }
}

/** Asks how high the chain is and for its first block, and looks at both. */
async function readChain(channel: Channel<Message>, full: GoProgram, chain: string, received: readonly Uint8Array[]): Promise<void> {
  const to = parseNodeId(full.id);
  const ask = (message: Message, match: (answer: Message) => boolean): Promise<Message> =>
    channel.request({ to, message, timeoutMs: answerMs, match });
  // A node of 0.35 also tells whoever comes up, unasked, and may have done so before its first block.
  const status = await ask(new Message({ statusRequest: {} }), ({ statusResponse }) => (statusResponse?.height ?? 0n) >= 1n);
  const { height, base } = status.statusResponse!;
  check(base! <= 1n, `status: height ${height}, base ${base}`);
  const { blockResponse } = await ask(new Message({ blockRequest: { height: 1n } }), (message) => Boolean(message.blockResponse));
  const { header, lastCommit } = blockResponse!.block!;
  same([header!.height, header!.chainId], [1n, chain], 'block 1');
  same(
    [header!.proposerAddress!.length, header!.validatorsHash!.length, header!.appHash!.length > 0],
    [20, 32, header!.appHash!.length > 0],
    'its header',
  );
  same(lastCommit!.signatures?.length ?? 0, 0, 'signatures under the block before the first');
  const encoded = Message.encode(new Message({ blockResponse: blockResponse! })).finish();
  check(
    received.some((bytes) => Buffer.compare(bytes, encoded) === 0),
    'block 1 is not the same when we write it',
  );
}

/** Up without a break. */
async function stay(trial: Trial, node: Node, id: string, began: number): Promise<void> {
  let ended: string | undefined;
  const watch = async (): Promise<void> => {
    for await (const update of node.peers.updates(trial.signal))
      if ('status' in update && update.status === 'down' && update.id === id) ended = update.reason ?? 'unknown';
  };
  watch().catch(() => undefined);
  await until(
    trial.settings.stayMs + 10_000,
    'the time to pass',
    () => ended !== undefined || performance.now() - began > trial.settings.stayMs,
  );
  check(ended === undefined, `down after ${Math.round((performance.now() - began) / 1_000)} s: ${ended}`);
  check(isUp(node, id), 'the full node is not up');
}

/** The whole log of the node, at every level, for lines that hold something against us. */
async function searchLog(full: GoProgram, id: string): Promise<void> {
  const pattern = `(?i)(${complaintTexts.join('|')})`;
  const { result } = await full.order('log', { match: pattern });
  const against = (result as readonly string[]).filter((line) => line.includes(id));
  same(against, [], 'lines of their log against us');
}
