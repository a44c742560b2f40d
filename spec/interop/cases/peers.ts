/** Whole nodes of ours and real peers: whom we take, second connections, and peer exchange. */
import { nodeIdFromText, pexReactor, type Channel, type Node } from '../../../index.ts';
import { echo } from '../ours.ts';
import { filler, sha256 } from '../payload.ts';
import { tapPex } from '../tap.ts';
import { dialable, isUp, type Case, type Trial } from '../trial.ts';
import { check, codeOf, failure, pause, same, until } from '../within.ts';

const bytesType = { encode: (message: Uint8Array) => message, decode: (message: Uint8Array) => message };

/** A channel that Go peers echo on. */
function openEcho(node: Node): Channel<Uint8Array> {
  return node.openChannel({ id: echo, name: 'echo', type: bytesType, priority: 5, maxMessageBytes: 1_000_000 });
}

async function echoes(channel: Channel<Uint8Array>, id: string): Promise<void> {
  const probe = Buffer.concat([Buffer.from('0a64', 'hex'), filler(100, 5)]);
  const answer = await channel.request({ to: nodeIdFromText(id), message: probe, timeoutMs: 10_000 });
  same(sha256(answer), sha256(probe), 'an echo');
}

type Row = readonly [what: string, nodeInfo: object, fits: boolean];
const rows: readonly Row[] = [
  ...[0, 7, 8, 9, 10].map((p2p): Row => [`p2p ${p2p}`, { p2p }, true]),
  ['block 10', { block: 10 }, false],
  ['block 11', { block: 11 }, true],
  ['block 12', { block: 12 }, false],
  ['another app', { app: 5 }, true],
  ['another network', { network: 'Interop' }, false],
  ['no common channel', { channels: '0102' }, false],
  ['one common channel', { channels: '0177' }, true],
  ['no channel at all', { channels: '' }, false],
];

/** Whom we take, shown by a raw peer that says all sorts of things of itself. */
async function ourCompatibility(trial: Trial): Promise<void> {
  const raw = await trial.raw();
  for (const [what, nodeInfo, fits] of rows) {
    const node = await trial.node();
    openEcho(node);
    await node.start();
    if (trial.direction === 'in') {
      const reply = await raw.order('connect', { address: dialable(node).split('@')[1], handshake: 'full', node_info: nodeInfo });
      if (fits) await until(5_000, `${what}: the peer to be up`, () => isUp(node, raw.id));
      else await raw.take('closed', ({ conn }) => conn === reply.conn, 5_000);
    } else {
      await raw.order('on_accept', { handshake: 'full', node_info: nodeInfo });
      await node.peers.add(`mconn://${raw.address}`);
      const dial = node.peers.dial(raw.id);
      if (fits) {
        await dial.catch(() => undefined);
        await until(5_000, `${what}: the peer to be up`, () => isUp(node, raw.id));
      } else same(codeOf(await failure(what, dial)), 'ERR_PEER_INCOMPATIBLE', what);
    }
    if (!fits) {
      await until(5_000, `${what}: the count of it`, () => (node.status().disconnects.incompatible ?? 0) > 0);
      check(!isUp(node, raw.id), `${what}: the peer is up`);
    }
    // A raw peer does not answer our FIN with its own, and we would wait for that.
    await raw.ask('close');
    await node.stop();
  }
}

/** A dial to who is connected already changes nothing. */
async function dialConnected(trial: Trial): Promise<void> {
  const peer = await trial.peer();
  const node = await trial.node();
  const channel = openEcho(node);
  await node.start();
  await trial.meet(node, peer);
  same((await peer.ask('dial', { address: dialable(node) })).ok, false, 'their dial');
  await node.peers.add(`mconn://${peer.address}`);
  await node.peers.dial(peer.id).catch((error: unknown) => same(codeOf(error), 'ERR_PEER_CONNECTED', 'our dial'));
  await pause(500);
  same((await peer.order('status')).peers!.length, 1, 'peers they have');
  same(peer.takeAll('peer_down').length, 0, 'times they lost us');
  await echoes(channel, peer.id);
}

/** Two connections of one identity to us: one is left, whichever. */
async function twice(trial: Trial): Promise<void> {
  const [first, second] = [await trial.raw({ 'key-seed': 'twice' }), await trial.raw({ 'key-seed': 'twice' })];
  const node = await trial.node();
  openEcho(node);
  await node.start();
  const downs: string[] = [];
  const ups: string[] = [];
  void watch(node, ups, downs, trial.signal);
  const address = dialable(node).split('@')[1];
  await first.order('connect', { address, handshake: 'full' });
  await until(5_000, 'the peer to be up', () => isUp(node, first.id));
  await second.order('connect', { address, handshake: 'full' });
  await first.take('closed');
  await until(5_000, 'the later one to be up', () => ups.length === 2 && isUp(node, first.id));
  await first.order('connect', { address, handshake: 'full' });
  await first.take('closed');
  await pause(300);
  check(isUp(node, first.id), 'the peer is down');
  same([ups.length, downs], [2, ['duplicate']], 'ups and downs');
  same(second.takeAll('closed').length, 0, 'times the later one was closed');
}

async function watch(node: Node, ups: string[], downs: string[], signal: AbortSignal): Promise<void> {
  try {
    for await (const update of node.peers.updates(signal)) {
      if ('snapshotEnd' in update) continue;
      if (update.status === 'up') ups.push(update.id);
      else downs.push(update.reason ?? '');
    }
  } catch {
    // The case is over.
  }
}

/** They ask us and learn whom we have met, we ask them and learn whom they know. */
async function exchange(trial: Trial, dialect: 'ip' | 'url'): Promise<void> {
  const peer = await trial.peer({ pex: true, 'ensure-peers-ms': 2_000 });
  const met = await trial.peer();
  // Two, because 0.35 answers with one address less than it has.
  const known = [await trial.node({ moniker: 'known' }), await trial.node({ moniker: 'known too' })];
  for (const each of known) {
    openEcho(each);
    await each.start();
  }
  const { reactor, counts } = tapPex(pexReactor());
  const node = await trial.node({ reactors: [reactor], pex: { dialect } });
  openEcho(node);
  await node.start();
  await node.peers.add(`mconn://${met.address}`);
  await until(10_000, 'a first peer', () => isUp(node, met.id));
  for (const each of known) await peer.order('add_address', { address: dialable(each) });
  await trial.meet(node, peer);
  await until(25_000, 'what they know', () => node.peers.list().some(({ id }) => known.some(({ nodeId }) => nodeId === id)));
  await until(25_000, 'them to learn whom we have met', async () => {
    const { addresses, peers = [] } = { ...(await peer.order('addresses')), ...(await peer.order('status')) };
    const all = [...(addresses ?? []), ...peers.map(({ id }) => id)];
    return all.some((address) => address.includes(met.id));
  });
  check(
    Object.values(counts).every((count) => count > 0),
    `not everything was asked and answered: ${JSON.stringify(counts)}`,
  );
  await pause(1_000);
  check(isUp(node, peer.id), 'they dropped us');
  same(node.status().drops.malformed ?? 0, 0, 'messages of theirs that we could not read');
}

export const peerCases: readonly Case[] = [
  { name: '9 whom we take', run: ourCompatibility, rude: true },
  { name: '10 dial of a connected peer', run: dialConnected, rude: true },
  { name: '10 two connections to us', run: twice, directions: ['in'], rude: true },
  { name: '19 peer exchange', run: (trial) => exchange(trial, 'ip') },
  { name: '19 peer exchange, dialect of URLs', run: (trial) => exchange(trial, 'url'), lines: ['tm035'] },
];
