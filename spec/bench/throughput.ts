/** Throughput, latency and handshakes of two processes over encrypted loopback, through public channels; raw TCP of the same run beside it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { cpus } from 'node:os';
import { createInterface } from 'node:readline';
import {
  availableAeads,
  generateNodeKey,
  mconnTransport,
  parseNodeAddress,
  parseOptions,
  nodeOptions,
  realClock,
  selectAead,
  type Channel,
  type Echo,
  type Node,
  type NodeId,
  type NodeInfo,
} from '../../index.ts';
import { benchNode, dataChannel, echoChannel, scale, unlimited, type Backend } from './setup.ts';

type Row = { case: string; backend: string; value: number; unit: string };
type Bound = { case: string; backend: string; least?: number; most?: number };

const json = process.argv.includes('--json');
const MiB = 2 ** 20;
/** A short form on a machine that does other things too asks for half, and for no more than a share of what raw TCP gets there. */
const isShort = scale < 1;
const shareOfRaw = 0.12;

function boundsOf(rawMBs: number): readonly Bound[] {
  return [
    { case: 'one way 64 KiB', backend: 'sodium', least: isShort ? Math.min(100, rawMBs * shareOfRaw) : 200 },
    { case: 'round trip 128 B p50', backend: 'sodium', most: isShort ? 1 : 0.5 },
  ];
}

const rows: Row[] = [];

function report(row: Row): void {
  rows.push(row);
  if (json) process.stdout.write(`${JSON.stringify({ ...row, value: Number(row.value.toPrecision(4)) })}\n`);
}

async function start(mode: string): Promise<{ child: ChildProcess; hello: Record<string, unknown> }> {
  const child = spawn(process.execPath, [...process.execArgv, new URL('./peer.ts', import.meta.url).pathname, mode], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  return { child, hello: JSON.parse(line) as Record<string, unknown> };
}

async function rawTcp(): Promise<void> {
  const { child, hello } = await start('tcp');
  const socket = connect({ host: '127.0.0.1', port: Number(hello.port), noDelay: true });
  await once(socket, 'connect');
  const chunk = Buffer.alloc(65_536, 7);
  const send = async (messages: number): Promise<number> => {
    const began = performance.now();
    const header = Buffer.alloc(8);
    header.writeBigUInt64LE(BigInt(messages * chunk.length));
    socket.write(header);
    for (let i = 0; i < messages; i++) if (!socket.write(chunk)) await once(socket, 'drain');
    await once(socket, 'data');
    return performance.now() - began;
  };
  await send(500);
  const messages = Math.ceil(20_000 * scale);
  report({
    case: 'one way 64 KiB',
    backend: 'raw TCP',
    value: (messages * chunk.length) / 1e6 / ((await send(messages)) / 1e3),
    unit: 'MB/s',
  });
  socket.destroy();
  child.stdin!.end();
}

async function oneWay(channel: Channel<Echo>, to: NodeId, size: number, messages: number): Promise<number> {
  const payload = new Uint8Array(size).fill(7);
  const reader = channel[Symbol.asyncIterator]();
  const began = performance.now();
  for (let i = 1; i < messages; i++) await channel.send({ to, message: { payload, reply: false } });
  await channel.send({ to, message: { payload, reply: true } });
  await reader.next();
  const seconds = (performance.now() - began) / 1e3;
  await reader.return?.();
  return seconds;
}

async function roundTrips(channel: Channel<Echo>, to: NodeId, times: number): Promise<{ p50: number; p99: number }> {
  const payload = new Uint8Array(128).fill(7);
  const reader = channel[Symbol.asyncIterator]();
  const measured: number[] = [];
  for (let i = 0; i < times; i++) {
    const began = performance.now();
    await channel.send({ to, message: { payload, reply: false } });
    await reader.next();
    measured.push(performance.now() - began);
  }
  await reader.return?.();
  measured.sort((a, b) => a - b);
  const at = (share: number): number => measured[Math.min(measured.length - 1, Math.floor(measured.length * share))]!;
  return { p50: at(0.5), p99: at(0.99) };
}

/** Full handshakes, NodeInfo included, eight at a time, each with a key of its own and closed once done. */
async function handshakes(address: string, backend: Backend, times: number): Promise<number> {
  const options = parseOptions(nodeOptions, { link: { sendRate: unlimited, receiveRate: unlimited } });
  const transport = mconnTransport({ clock: realClock(), link: options.link, handshake: options.handshake, aead: selectAead(backend) });
  const target = parseNodeAddress(address);
  const { signal } = new AbortController();
  const one = async (): Promise<void> => {
    const own = generateNodeKey();
    const nodeInfo: NodeInfo = {
      protocolVersion: { p2p: 8n, block: 11n, app: 0n },
      nodeId: own.id,
      listenAddr: 'tcp://127.0.0.1:0',
      network: 'bench',
      version: '',
      channels: [0x78],
      moniker: 'bench',
      other: { txIndex: '', rpcAddress: '' },
    };
    const connection = await transport.dial({ protocol: 'mconn', ip: target.host, port: target.port, path: '' }, signal);
    await connection.handshake({ key: own, nodeInfo, expectedId: target.nodeId, channels: [] }, signal);
    await connection.close();
  };
  let left = times;
  const began = performance.now();
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      while (left-- > 0) await one();
    }),
  );
  return times / ((performance.now() - began) / 1e3);
}

async function whenUp(node: Node): Promise<NodeId> {
  for await (const update of node.peers.updates()) if ('status' in update && update.status === 'up') return update.id;
  throw new Error('no peer came up');
}

async function bench(backend: Backend): Promise<void> {
  const { child, hello } = await start(backend);
  const node = await benchNode(backend, { listen: [], persistentPeers: [String(hello.address)] });
  const data = node.openChannel(dataChannel);
  const echo = node.openChannel(echoChannel);
  await node.start();
  const to = await whenUp(node);
  await oneWay(data, to, 65_536, Math.max(500, Math.ceil(5_000 * scale * (backend === 'sodium' ? 1 : 0.2))));
  await roundTrips(echo, to, 500);
  const slow = backend === 'sodium' ? 1 : 0.2;
  for (const [label, size, full] of [
    ['64 KiB', 65_536, 8_000],
    ['1 KiB', 1_024, 200_000],
    ['128 B', 128, 400_000],
  ] as const) {
    const messages = Math.max(100, Math.ceil(full * scale * slow));
    const seconds = await oneWay(data, to, size, messages);
    report({ case: `one way ${label}`, backend, value: (messages * size) / 1e6 / seconds, unit: 'MB/s' });
    report({ case: `one way ${label}`, backend, value: messages / seconds, unit: 'messages/s' });
  }
  const { p50, p99 } = await roundTrips(echo, to, Math.max(500, Math.ceil(10_000 * scale)));
  report({ case: 'round trip 128 B p50', backend, value: p50, unit: 'ms' });
  report({ case: 'round trip 128 B p99', backend, value: p99, unit: 'ms' });
  report({
    case: 'handshakes',
    backend,
    value: await handshakes(String(hello.address), backend, Math.max(40, Math.ceil(500 * scale))),
    unit: '1/s',
  });
  await node.stop();
  child.stdin!.end();
}

if (!json) {
  process.stdout.write(
    `${new Date().toISOString().slice(0, 10)}, ${cpus()[0]?.model.trim() ?? 'unknown'} x ${cpus().length}, Node ${process.version}, scale ${scale}\n`,
  );
  process.stdout.write(`two processes on loopback, rates ${unlimited / MiB} MiB/s (no limit), default queues\n\n`);
}
await rawTcp();
for (const { name } of availableAeads()) await bench(name);

const bounds = boundsOf(rows.find(({ backend }) => backend === 'raw TCP')?.value ?? 0);
const failures = bounds.filter(({ case: name, backend, least = 0, most = Infinity }) => {
  const row = rows.find((each) => each.case === name && each.backend === backend);
  return row && (row.value < least || row.value > most);
});
if (!json) {
  for (const row of rows) {
    const bound = bounds.find((each) => each.case === row.case && each.backend === row.backend);
    const asked =
      !bound || row.unit === 'messages/s'
        ? ''
        : bound.least
          ? `  (bound: at least ${bound.least.toFixed(0)})`
          : `  (bound: at most ${bound.most})`;
    process.stdout.write(`${row.case.padEnd(24)}${row.backend.padEnd(10)}${row.value.toPrecision(4).padStart(12)} ${row.unit}${asked}\n`);
  }
}
for (const { case: name, backend } of failures) process.stderr.write(`past its bound: ${name}, ${backend}\n`);
const saturation = spawn(
  process.execPath,
  [...process.execArgv, new URL('./saturation.ts', import.meta.url).pathname, ...process.argv.slice(2)],
  { stdio: 'inherit' },
);
const [code] = (await once(saturation, 'exit')) as [number | null];
process.exit(failures.length > 0 || code !== 0 ? 1 : 0);
