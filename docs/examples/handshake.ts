/** A transport by itself, without a node: shakes hands with a peer and reads who it is. */
import {
  compatibility,
  createNode,
  generateNodeKey,
  memoryStore,
  mconnTransport,
  nodeOptions,
  parseEndpoint,
  parseOptions,
  realClock,
  selectAead,
} from 'troupe';

const peer = await createNode({
  network: 'example',
  moniker: 'the other one',
  store: memoryStore(),
  key: generateNodeKey(),
  listen: ['mconn://127.0.0.1:0'],
  monitor: false,
  logLevel: 'silent',
});
await peer.start();

const key = generateNodeKey();
const { link, handshake } = parseOptions(nodeOptions, {});
const transport = mconnTransport({ clock: realClock(), link, handshake, aead: selectAead('auto') });

const signal = AbortSignal.timeout(5_000);
const connection = await transport.dial(parseEndpoint(peer.addresses[0]!.replace(/[0-9a-f]{40}@/, '')), signal);
const nodeInfo = {
  protocolVersion: { p2p: 8n, block: 11n, app: 0n },
  nodeId: key.id,
  listenAddr: 'tcp://0.0.0.0:0',
  network: 'another-network',
  version: 'example/1',
  channels: [],
  moniker: 'example',
  other: { txIndex: 'off', rpcAddress: '' },
};
const remote = await connection.handshake({ key, nodeInfo, channels: [] }, signal);
console.log(`${remote.nodeInfo.moniker} of ${remote.nodeInfo.network}`);
console.log(compatibility(nodeInfo, remote.nodeInfo));

await connection.close();
await transport.close();
await peer.stop();
