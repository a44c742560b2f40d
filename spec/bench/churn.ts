/** The other side of the soak: comes and goes, politely and not, as often as it is told on standard input. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import {
  generateNodeKey,
  mconnTransport,
  nodeOptions,
  parseNodeAddress,
  parseOptions,
  realClock,
  selectAead,
  type NodeInfo,
} from '../../index.ts';

const target = parseNodeAddress(process.argv[2] ?? '');
const { link, handshake } = parseOptions(nodeOptions, {});
const transport = mconnTransport({ clock: realClock(), link, handshake, aead: selectAead('auto') });
const { signal } = new AbortController();
const count = { shaken: 0, closedEarly: 0, garbage: 0, refused: 0 };

/** A stranger who is let in and leaves. */
async function shakeHands(): Promise<void> {
  const key = generateNodeKey();
  const nodeInfo: NodeInfo = {
    protocolVersion: { p2p: 8n, block: 11n, app: 0n },
    nodeId: key.id,
    listenAddr: 'tcp://127.0.0.1:0',
    network: 'bench',
    version: '',
    channels: [0x78],
    moniker: 'churn',
    other: { txIndex: '', rpcAddress: '' },
  };
  const connection = await transport.dial({ protocol: 'mconn', ip: target.host, port: target.port, path: '' }, signal);
  await connection.handshake(
    { key, nodeInfo, expectedId: target.nodeId, channels: [{ id: 0x78, priority: 1, maxMessageBytes: 1_024 }] },
    signal,
  );
  count.shaken++;
  await connection.close();
}

/** A stranger who says nothing, or nonsense. */
async function misbehave(bytes: Uint8Array): Promise<void> {
  const socket = connect({ host: target.host, port: target.port });
  socket.on('error', () => undefined).resume();
  await once(socket, 'connect');
  if (bytes.length > 0) {
    socket.write(bytes);
    if (!socket.destroyed) await once(socket, 'close');
    count.garbage++;
  } else {
    socket.destroy();
    count.closedEarly++;
  }
}

for await (const line of createInterface(process.stdin)) {
  let left = Number(line);
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      while (left-- > 0) {
        const turn = left % 10;
        const attempt = turn === 0 ? misbehave(new Uint8Array(0)) : turn === 1 ? misbehave(new Uint8Array(64).fill(0xff)) : shakeHands();
        await attempt.catch(() => count.refused++);
      }
    }),
  );
  process.stdout.write(`${JSON.stringify(count)}\n`);
}
process.exit(0);
