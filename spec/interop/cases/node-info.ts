/** NodeInfo: every rule of it kept and broken, ours as real peers read it, and whom they take. */
import { generateNodeKey, type NodeInfo } from '../../../index.ts';
import { echo, high, plainChannels } from '../ours.ts';
import type { Case, Trial } from '../trial.ts';
import { codeOf, same } from '../within.ts';

type Row = readonly [what: string, spec: object, accepted: boolean | 'ERR_NODE_INFO_TOO_LARGE'];

/** Every rule of NodeInfo, kept and broken. */
const rows: readonly Row[] = [
  ...['tcp://0.0.0.0:26656', '0.0.0.0:26656', 'tcp://127.0.0.1:0', 'localhost:1', '[::1]:26656', 'tcp://name.invalid:26656'].map(
    (listen_addr): Row => [`listen_addr ${listen_addr}`, { listen_addr }, true],
  ),
  ...['', 'tcp://127.0.0.1', ':26656', 'tcp://:26656', '1.2.3.4:65536', '1.2.3.4:x', 'a@1.2.3.4:26656', '[::1:26656'].map(
    (listen_addr): Row => [`listen_addr ${listen_addr || '(empty)'}`, { listen_addr }, false],
  ),
  ['version empty', { version: '' }, true],
  ['version of blanks', { version: '  ' }, false],
  ['version not ASCII', { version: 'vé' }, false],
  ['version with a line feed', { version: 'a\nb' }, false],
  ['16 channels', { channels: '000102030405060708090a0b0c0d0e77' }, true],
  ['17 channels', { channels: '000102030405060708090a0b0c0d0e0f77' }, false],
  ['a channel twice', { channels: '7777' }, false],
  ['no channel', { channels: '' }, true],
  ['moniker empty', { moniker: '' }, false],
  ['moniker of blanks', { moniker: '   ' }, false],
  ['moniker not ASCII', { moniker: 'nœud' }, false],
  ['moniker with blanks', { moniker: ' a node ' }, true],
  ...['', 'on', 'off'].map((tx_index): Row => [`tx_index ${tx_index || '(empty)'}`, { tx_index }, true]),
  ['tx_index yes', { tx_index: 'yes' }, false],
  ['rpc_address empty', { rpc_address: '' }, true],
  ['rpc_address printable', { rpc_address: 'tcp://0.0.0.0:26657' }, true],
  ['rpc_address of blanks', { rpc_address: ' ' }, false],
  ['rpc_address not ASCII', { rpc_address: 'tcp://é:1' }, false],
  ['id in upper case', { id: 'upper' }, false],
  ['id of another key', { id: generateNodeKey().id }, false],
  ['id left out', { omit: ['id'] }, false],
  ['moniker left out', { omit: ['moniker'] }, false],
  ['versions left out', { omit: ['protocol_version'] }, true],
  ['other left out', { omit: ['other'] }, true],
  ['10,240 bytes', { pad_to: 10_240 }, true],
  ['10,241 bytes', { pad_to: 10_241 }, 'ERR_NODE_INFO_TOO_LARGE'],
  ['not protobuf', { hex: 'ffffffff' }, false],
];

async function everyNodeInfo(trial: Trial): Promise<void> {
  const raw = await trial.raw();
  const ours = await trial.ours();
  for (const [what, spec, accepted] of rows) {
    const { connection, conn } = await trial.connectRaw(ours, raw);
    const shaken = ours.shake(connection, raw.id).then(
      () => true,
      (error: unknown) => codeOf(error),
    );
    await raw.order('secret', { conn });
    await raw.order('node_info', { conn, node_info: spec });
    same(await shaken, accepted === false ? 'ERR_NODE_INFO_INVALID' : accepted, what);
    await connection.close();
    await raw.take('closed', (event) => event.conn === conn);
  }
}

const manyChannels = [0x78, 0x88, 0x99, ...Array.from({ length: 12 }, (_, index) => index)].map((id) => ({
  id,
  priority: 1,
  maxMessageBytes: 1_024,
}));

/** What we say of ourselves at its edges, and how the real peer reads it. */
async function ourNodeInfo(trial: Trial): Promise<void> {
  const peer = await trial.peer();
  const variants: readonly Partial<NodeInfo>[] = [
    {},
    { listenAddr: 'tcp://[::1]:26656', version: '', other: { txIndex: 'on', rpcAddress: 'tcp://127.0.0.1:26657' } },
    { listenAddr: '0.0.0.0:0', moniker: 'm'.repeat(9_000), other: { txIndex: '', rpcAddress: '' } },
    { protocolVersion: { p2p: 2n ** 53n - 1n, block: 11n, app: 2n ** 53n - 1n }, version: ' !"#~' },
  ];
  for (const [index, nodeInfo] of variants.entries()) {
    const channels = index === 0 ? [{ id: echo, priority: 1, maxMessageBytes: 1_024 }, ...manyChannels] : plainChannels();
    const ours = await trial.ours({ channels, nodeInfo });
    const session = await trial.connect(ours, peer);
    const { peers } = await peer.order('status');
    const read = peers!.find(({ id }) => id === ours.key.id)!;
    const wanted = ours.nodeInfo;
    const { p2p, block, app } = wanted.protocolVersion;
    same(
      [read.moniker, read.version, read.network, read.listen_addr, read.p2p, read.block, read.app, read.channels, read.direction],
      [
        ...[wanted.moniker, wanted.version, wanted.network, wanted.listenAddr, Number(p2p), Number(block), Number(app)],
        Buffer.from(wanted.channels).toString('hex'),
        trial.direction === 'out' ? 'inbound' : 'outbound',
      ],
      `variant ${index} of our NodeInfo as they read it`,
    );
    await session.close();
    await peer.take('peer_down', ({ id }) => id === ours.key.id);
  }
}

type Compatibility = readonly [what: string, info: Partial<NodeInfo>, fits: boolean];
const versions = (p2p: bigint, block: bigint): Partial<NodeInfo> => ({ protocolVersion: { p2p, block, app: 3n } });
const compatibilities: readonly Compatibility[] = [
  ...[0n, 7n, 8n, 9n, 10n].map((p2p): Compatibility => [`p2p ${p2p}`, versions(p2p, 11n), true]),
  ['block 10', versions(8n, 10n), false],
  ['block 12', versions(8n, 12n), false],
  ['another network', { network: 'Interop' }, false],
  ['no common channel', { channels: [0x01, 0x02] }, false],
  ['one common channel', { channels: [0x01, high] }, true],
  ['no channel at all', { channels: [] }, false],
];

/** Whom the real peer takes. */
async function theirCompatibility(trial: Trial): Promise<void> {
  const peer = await trial.peer();
  for (const [what, nodeInfo, fits] of compatibilities) {
    const ours = await trial.ours({ nodeInfo });
    if (fits) {
      await (await trial.connect(ours, peer)).close();
      continue;
    }
    if (trial.direction === 'in') {
      const dial = peer.ask('dial', { address: ours.address });
      const session = await ours.shake(await ours.accept());
      same((await dial).ok, false, `their dial, ${what}`);
      await session.end();
    } else await (await ours.shake(await ours.dial(peer.listen), peer.id)).end();
    same(peer.takeAll('peer_up', ({ id }) => id === ours.key.id).length, 0, `times we came up, ${what}`);
  }
}

/** Whom they take who list no channel themselves: everybody. */
async function noChannelOfTheirs(trial: Trial): Promise<void> {
  // In 0.35 the check looks at the channels that are open, whatever NodeInfo says.
  const peer = await trial.peer({ advertise: 'none' });
  const ours = await trial.ours();
  const session = await trial.connect(ours, peer);
  same(session.remote.nodeInfo.channels, [], 'their channels');
}

export const nodeInfoCases: readonly Case[] = [
  { name: '8 every NodeInfo of theirs', run: everyNodeInfo, rude: true },
  { name: '8 NodeInfo of ours as they read it', run: ourNodeInfo },
  { name: '9 whom they take', run: theirCompatibility, rude: true },
  { name: '9 they list no channel', run: noChannelOfTheirs },
];
