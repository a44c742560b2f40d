import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Call } from '../../cli/call.ts';
import { settingsFromFlags } from '../../cli/config.ts';
import { exitCodeOf, outputOf } from '../../cli/output.ts';
import { probe } from '../../cli/probe.ts';
import { realEnvironment } from '../../actors/environment.ts';
import { formatEndpoint } from '../../proto/endpoint.ts';
import { asTroupeError } from '../../proto/errors.ts';
import { generateNodeKey } from '../../proto/identity.ts';
import { nodeOptions, parseOptions } from '../../proto/options.ts';
import { selectAead } from '../../transports/mconn/aead.ts';
import { mconnTransport } from '../../transports/mconn/transport.ts';
import type { Connection, RemotePeer, Transport } from '../../transports/transport.ts';
import { fakeShell, type FakeShell } from '../support/shell.ts';

const environment = realEnvironment();
const { link, handshake } = parseOptions(nodeOptions, {});
const key = generateNodeKey();
let transport: Transport;
let address: string;
let shell: FakeShell;
let met: RemotePeer[];
let open: Connection[];
const stop = new AbortController();

/** A peer of network `chain` that shakes hands and then does as `after` says. */
async function peer(after: (connection: Connection, remote: RemotePeer) => void = () => undefined): Promise<void> {
  for (let connection = await transport.accept(stop.signal); connection; connection = await transport.accept(stop.signal)) {
    const accepted = connection;
    open.push(accepted);
    void accepted
      .handshake(
        {
          key,
          nodeInfo: {
            protocolVersion: { p2p: 8n, block: 11n, app: 2n ** 60n },
            nodeId: key.id,
            listenAddr: 'tcp://0.0.0.0:26656',
            network: 'chain',
            version: '0.34.24',
            channels: [0, 0x77],
            moniker: 'the other one',
            other: { txIndex: 'on', rpcAddress: '' },
          },
          channels: [0, 0x77].map((id) => ({ id, priority: 1, maxMessageBytes: 1_000 })),
        },
        stop.signal,
      )
      .then((remote) => {
        met.push(remote);
        after(accepted, remote);
        return accepted.receiveMessage(stop.signal);
      })
      .catch(() => undefined);
  }
}

beforeEach(async () => {
  [met, open] = [[], []];
  transport = mconnTransport({ clock: environment.clock, link, handshake, aead: selectAead('auto') });
  await transport.listen({ protocol: 'mconn', ip: '127.0.0.1', port: 0, path: '' });
  address = formatEndpoint(transport.endpoints()[0]!).replace('mconn://', '');
  shell = fakeShell({ ...environment });
});
afterEach(async () => {
  await transport.close();
  await Promise.all(open.map((connection) => connection.close()));
});

const ask = (target: string, flags: Record<string, string> = {}, extra: Call['extra'] = {}) =>
  probe({
    shell,
    output: outputOf(shell),
    home: '/nowhere',
    homeGiven: false,
    flags: settingsFromFlags(flags),
    env: new Map(),
    operands: [target],
    extra,
  });
const failure = (target: string, extra: Call['extra'] = {}) =>
  ask(target, {}, extra).then(
    () => undefined,
    (error: unknown) => asTroupeError(error),
  );

describe('a peer that keeps us', () => {
  test('is compatible on the network that was given: one handshake, its NodeInfo, its round trip', async () => {
    void peer();
    expect(await ask(`${key.id}@${address}`, { network: 'chain' })).toBe(0);
    expect(shell.events()).toEqual([
      {
        event: 'probe',
        nodeId: key.id,
        endpoint: `mconn://${address}`,
        compatible: true,
        networkLearned: false,
        handshakeMs: expect.any(Number),
        roundTripMs: expect.any(Number),
        nodeInfo: expect.objectContaining({
          network: 'chain',
          moniker: 'the other one',
          channels: [0, 0x77],
          protocolVersion: { p2p: 8, block: 11, app: String(2n ** 60n) },
        }),
      },
    ]);
    expect(met.map(({ nodeInfo }) => nodeInfo.network)).toEqual(['chain']);
  });

  test('teaches us its network when none was given, whoever it is', async () => {
    void peer();
    expect(await ask(address)).toBe(0);
    expect(shell.events()).toMatchObject([{ nodeId: key.id, compatible: true, networkLearned: true }]);
    expect(met.map(({ nodeInfo }) => nodeInfo.network)).toEqual(['troupe', 'chain']);
    expect(new Set(met.map(({ nodeId }) => nodeId)).size).toBe(1);
  });

  test('is told in sentences on a terminal', async () => {
    void peer();
    shell = fakeShell({ ...environment, terminal: true });
    expect(await ask(address, { network: 'chain' })).toBe(0);
    expect(shell.out).toMatch(/^node id {5}[0-9a-f]{40}\n[^]*channels {4}0x00 0x77\n[^]*compatible {2}yes\n$/);
  });
});

describe('a peer that is not for us', () => {
  test('of another network than the one given is told with the reason, and the exit code is 5', async () => {
    void peer();
    expect(await ask(address, { network: 'other' })).toBe(5);
    expect(shell.events()).toMatchObject([
      { compatible: false, reason: expect.stringContaining('network "chain"') as unknown, nodeInfo: { network: 'chain' } },
    ]);
  });

  test('without a channel of ours, or of another block protocol, is told with the reason', async () => {
    void peer();
    expect(await ask(address, { network: 'chain' }, { channels: '0x40' })).toBe(5);
    expect(await ask(address, { network: 'chain', blockVersion: '12' })).toBe(5);
    expect(shell.events()).toMatchObject([
      { reason: 'The peer shares no channel with us.' },
      { reason: expect.stringContaining('block protocol 11') as unknown },
    ]);
  });

  test('that closes after NodeInfo has refused us', async () => {
    void peer((connection) => void connection.close());
    expect(await ask(address, { network: 'chain' })).toBe(5);
    expect(shell.events()).toMatchObject([
      { compatible: false, reason: 'the peer closed the connection (remoteClosed)', roundTripMs: null },
    ]);
  });

  test('under another id than the one dialed ends with 5', async () => {
    void peer();
    const error = await failure(`${'0'.repeat(40)}@${address}`);
    expect([error?.code, exitCodeOf(error!)]).toEqual(['ERR_HANDSHAKE_WRONG_ID', 5]);
  });
});

test('nobody there ends with 5', async () => {
  await transport.close();
  const error = await failure(address);
  expect([error?.code, exitCodeOf(error!)]).toEqual(['ERR_DIAL_FAILED', 5]);
});

test.each([
  ['', {}, 'ERR_ADDRESS_INVALID'],
  ['not an address', {}, 'ERR_ADDRESS_INVALID'],
  ['tcp://', {}, 'ERR_ADDRESS_INVALID'],
  ['x@127.0.0.1:1', {}, 'ERR_ADDRESS_INVALID'],
  ['127.0.0.1:1', { channels: '256' }, 'ERR_OPTION_INVALID'],
  ['127.0.0.1:1', { channels: '1,1' }, 'ERR_OPTION_INVALID'],
  ['127.0.0.1:1', { channels: '' }, 'ERR_OPTION_INVALID'],
])('%j with %j ends with 2 and %s', async (target, extra, code) => {
  const error = await failure(target, extra);
  expect([error?.code, exitCodeOf(error!)]).toEqual([code, 2]);
});

test('asked to stop while it waits, it ends', async () => {
  const waiting = failure(address);
  shell.stop('SIGINT');
  expect(exitCodeOf((await waiting)!)).toBe(5);
});
