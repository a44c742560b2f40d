/** `troupe probe`: shakes hands with any peer and says who it is, how far away, and whether we would be compatible. */
import { join } from 'node:path';
import { existsSync } from 'node:fs';
import { loadNodeKey } from '../actors/node-key.ts';
import { version } from '../actors/version.ts';
import { parseNodeAddress, type NodeAddress } from '../proto/address.ts';
import { formatEndpoint } from '../proto/endpoint.ts';
import { asTroupeError, disconnectReason, TroupeError } from '../proto/errors.ts';
import { generateNodeKey, type NodeId, type NodeKey } from '../proto/identity.ts';
import { compatibility, type NodeInfo } from '../proto/node-info.ts';
import { nodeOptions, parseOptions, type NodeOptions } from '../proto/options.ts';
import { withDeadline } from '../transports/clock.ts';
import { selectAead } from '../transports/mconn/aead.ts';
import { mconnTransport } from '../transports/mconn/transport.ts';
import { dialEndpoints, resolver } from '../transports/resolve.ts';
import type { Connection, RemotePeer, Transport } from '../transports/transport.ts';
import type { Call } from './call.ts';
import { optionsFrom, settingsFromFile } from './config.ts';
import { keyFile } from './home.ts';
import { exitCodes, type ExitCode } from './output.ts';
import { stopOf, type Shell } from './shell.ts';

/** A peer that refuses us closes within two seconds of NodeInfo; one that answers a ping has taken us. */
const verdictMs = 2_000;

/** What one handshake found. */
type Finding = Readonly<{
  peer: RemotePeer;
  endpoint: string;
  handshakeMs: number;
  roundTripMs: number | undefined;
  closed: Error | undefined;
  incompatible: string | undefined;
}>;

/** `troupe probe`. */
export async function probe(call: Call): Promise<ExitCode> {
  using stop = stopOf(call.shell);
  try {
    return await probed(call, stop.signal);
  } catch (error) {
    throw stop.signal.aborted ? new TroupeError('ERR_DIAL_FAILED', 'told to stop', { cause: error }) : error;
  }
}

async function probed(call: Call, signal: AbortSignal): Promise<ExitCode> {
  const { shell, home, flags, env, operands, output } = call;
  const settings = [flags, env, ...(call.homeGiven ? [settingsFromFile(home)] : [])];
  const options = parseOptions(nodeOptions, optionsFrom(...settings));
  const target = targetOf(operands[0] ?? '');
  const channels = channelsOf(call.extra['channels'] ?? '0x00,0x77');
  const key = call.homeGiven && existsSync(join(home, keyFile)) ? (await loadNodeKey(join(home, keyFile))).key : generateNodeKey();
  const attempt = (network: string): Promise<Finding> =>
    shakeHands({ shell, options: { ...options, network }, target, channels, key, signal });

  const networkGiven = settings.some((source) => [...source.keys()].some(({ flag }) => flag === '--network'));
  const first = await attempt(options.network);
  const { network } = first.peer.nodeInfo;
  const learned = !networkGiven && network !== options.network;
  // A peer of another network refuses us; with its own name we learn what it would say to a node of that network.
  const finding = learned ? await attempt(network) : first;
  return tell(finding, learned, output);
}

function tell(
  { peer, endpoint, handshakeMs, roundTripMs, closed, incompatible }: Finding,
  learned: boolean,
  output: Call['output'],
): ExitCode {
  const { nodeInfo, nodeId } = peer;
  const refused = closed ? `the peer closed the connection (${disconnectReason(closed)})` : undefined;
  const reason = incompatible ?? refused;
  const compatible = reason === undefined;
  output.event(
    {
      event: 'probe',
      nodeId,
      endpoint,
      compatible,
      ...(reason && { reason }),
      networkLearned: learned,
      handshakeMs,
      roundTripMs: roundTripMs ?? null,
      nodeInfo: shown(nodeInfo),
    },
    `node id     ${nodeId}`,
    `endpoint    ${endpoint}`,
    `moniker     ${nodeInfo.moniker}`,
    `network     ${nodeInfo.network}`,
    `version     ${nodeInfo.version}`,
    `protocols   p2p ${nodeInfo.protocolVersion.p2p}, block ${nodeInfo.protocolVersion.block}, app ${nodeInfo.protocolVersion.app}`,
    `listens on  ${nodeInfo.listenAddr}`,
    `channels    ${nodeInfo.channels.map(hex).join(' ')}`,
    `handshake   ${handshakeMs} ms`,
    `round trip  ${roundTripMs === undefined ? 'not measured' : `${roundTripMs} ms`}`,
    `compatible  ${compatible ? 'yes' : `no: ${reason}`}`,
  );
  return compatible ? exitCodes.success : exitCodes.peerUnreachable;
}

const hex = (channel: number): string => `0x${channel.toString(16).padStart(2, '0')}`;

/** NodeInfo as JSON: its versions are 64 bits wide, so they are texts when a number would lose digits. */
function shown({ protocolVersion, ...rest }: NodeInfo): Readonly<Record<string, unknown>> {
  const number = (value: bigint): number | string => (value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : String(value));
  const { p2p, block, app } = protocolVersion;
  return { protocolVersion: { p2p: number(p2p), block: number(block), app: number(app) }, ...rest };
}

type Attempt = Readonly<{
  shell: Shell;
  options: NodeOptions;
  target: Target;
  channels: readonly number[];
  key: NodeKey;
  signal: AbortSignal;
}>;

/** Dials, shakes hands, waits for the peer's verdict, and closes. */
async function shakeHands(attempt: Attempt): Promise<Finding> {
  const { shell, options, target, channels, key, signal } = attempt;
  const { clock } = shell;
  const transport = mconnTransport({
    clock,
    link: options.link,
    handshake: options.handshake,
    aead: selectAead(options.aead),
  });
  const connection = await connect(attempt, transport);
  try {
    const from = clock.now();
    const own = ownInfo(options, key.id, channels);
    const peer = await withDeadline(clock, options.handshake.totalMs, 'ERR_HANDSHAKE_TIMEOUT', signal, (until) =>
      connection.handshake(
        {
          key,
          nodeInfo: own,
          ...(target.expectedId && { expectedId: target.expectedId }),
          channels: channels.map((id) => ({ id, priority: 1, maxMessageBytes: 4_194_304 })),
        },
        until,
      ),
    );
    const handshakeMs = rounded(clock.now() - from);
    const incompatible = compatibility(own, peer.nodeInfo);
    const endpoint = formatEndpoint(connection.remoteEndpoint);
    return { peer, endpoint, handshakeMs, incompatible, ...(await verdict(connection, shell, signal)) };
  } finally {
    await connection.close();
    await transport.close();
  }
}

function connect({ shell, options, target, signal }: Attempt, transport: Transport): Promise<Connection> {
  const { clock } = shell;
  const { timeoutMs, resolveMs } = options.dialer;
  return withDeadline(clock, timeoutMs + resolveMs, 'ERR_DIAL_TIMEOUT', signal, async (until) => {
    const endpoints = await resolver({ clock, timeoutMs: resolveMs })(target.address, until);
    const transportOf = (protocol: string): Transport | undefined => (transport.protocols.includes(protocol) ? transport : undefined);
    return dialEndpoints({ endpoints, transportOf, clock, signal: until });
  });
}

/** Pings the peer while reading what it sends: it answers, closes, or has had its time. */
async function verdict(connection: Connection, { clock }: Shell, signal: AbortSignal): Promise<Pick<Finding, 'roundTripMs' | 'closed'>> {
  const over = new AbortController();
  const draining = drain(connection, AbortSignal.any([signal, over.signal]));
  let closed: TroupeError | undefined;
  const roundTripMs = await withDeadline(clock, verdictMs, 'ERR_REQUEST_TIMEOUT', signal, async (until) => connection.ping?.(until)).catch(
    (thrown: unknown) => {
      const error = asTroupeError(thrown);
      if (error.code !== 'ERR_REQUEST_TIMEOUT') closed = error;
      return undefined;
    },
  );
  signal.throwIfAborted();
  over.abort();
  await draining;
  return { closed, roundTripMs: roundTripMs === undefined ? undefined : rounded(roundTripMs) };
}

/** Throws away messages, so that the peer is not held up and its pong is read. */
async function drain(connection: Connection, signal: AbortSignal): Promise<void> {
  try {
    for (;;) await connection.receiveMessage(signal);
  } catch {
    // the connection has ended, which `ended` tells, or we are done
  }
}

const rounded = (ms: number): number => Math.round(ms * 100) / 100;

function ownInfo(options: NodeOptions, nodeId: NodeId, channels: readonly number[]): NodeInfo {
  const { p2pVersion, blockVersion, appVersion, network, moniker } = options;
  return {
    protocolVersion: { p2p: BigInt(p2pVersion), block: BigInt(blockVersion), app: BigInt(appVersion) },
    nodeId,
    listenAddr: 'tcp://0.0.0.0:0',
    network,
    version: `troupe/${version}`,
    channels,
    moniker,
    other: { txIndex: 'off', rpcAddress: '' },
  };
}

type Target = Readonly<{ address: NodeAddress; expectedId?: NodeId }>;

/** Reads a node address, or one without an id, which takes whoever answers. @throws TroupeError `ERR_ADDRESS_INVALID`. */
function targetOf(text: string): Target {
  const anonymous = !text.includes('@');
  const rest = text.replace(/^[a-z][a-z0-9]*:\/\//, '');
  const scheme = text.slice(0, text.length - rest.length) || 'mconn://';
  // Without an id the text gets that of nobody: what authenticates is then not compared with it.
  const address = parseNodeAddress(anonymous ? `${scheme}${'0'.repeat(40)}@${rest}` : text);
  if (address.host === '') throw new TroupeError('ERR_ADDRESS_INVALID', `${JSON.stringify(text.slice(0, 96))}: no host`);
  return anonymous ? { address } : { address, expectedId: address.nodeId };
}

/** @throws TroupeError `ERR_OPTION_INVALID`. */
function channelsOf(text: string): readonly number[] {
  const ids = text.split(',').map((part) => (/^(0x[0-9a-f]{1,2}|\d{1,3})$/i.test(part.trim()) ? Number(part.trim()) : Number.NaN));
  if (ids.length > 16 || new Set(ids).size < ids.length || ids.some((id) => !(id <= 255))) {
    throw new TroupeError(
      'ERR_OPTION_INVALID',
      `--channels: up to 16 different ids from 0 to 255, not ${JSON.stringify(text.slice(0, 60))}`,
    );
  }
  return ids;
}
