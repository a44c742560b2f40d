import { connect, createServer, type Server } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { handshakeOptions, parseOptions } from '../../../proto/options.ts';
import { availableAeads, selectAead } from '../../../transports/mconn/aead.ts';
import { mconnTransport } from '../../../transports/mconn/transport.ts';
import { settle, VirtualClock } from '../../../transports/simulated.ts';
import type { Transport } from '../../../transports/transport.ts';
import { transportContract } from '../../contracts/transport.ts';
import { fastLink } from '../../support/mconn-halves.ts';
import { RawPeer } from '../../support/raw-peer.ts';
import { expectCode, failureOf, handshakeOf, keyOf, live, nodeInfoOf } from '../../support/transport-bench.ts';

const anyPort = { protocol: 'mconn', ip: '127.0.0.1', port: 0, path: '' };

for (const aead of availableAeads()) {
  transportContract(`mconn (${aead.name})`, 'networked', () => {
    const clock = new VirtualClock();
    const link = fastLink();
    const handshake = parseOptions(handshakeOptions, {});
    return {
      clock,
      transport: () => mconnTransport({ clock, link, handshake, aead }),
      listenOn: () => anyPort,
      maxBufferedBytes: 64_000_000,
    };
  });
}

describe('the mconn transport', () => {
  let clock: VirtualClock;
  const transports: Transport[] = [];
  const peers: RawPeer[] = [];
  beforeEach(() => {
    clock = new VirtualClock();
  });
  afterEach(async () => {
    for (const peer of peers.splice(0)) peer.close();
    await Promise.all(transports.splice(0).map((transport) => transport.close()));
    expect(clock.pending).toBe(0);
  });

  function make(handshake: object = {}, loopbackIsPublic = false): Transport {
    const made = mconnTransport({
      clock,
      link: fastLink(),
      handshake: parseOptions(handshakeOptions, handshake),
      aead: selectAead('noble'),
      loopbackIsPublic,
    });
    transports.push(made);
    return made;
  }

  async function listening(handshake: object = {}, loopbackIsPublic = false): Promise<Transport> {
    const transport = make(handshake, loopbackIsPublic);
    await transport.listen(anyPort);
    return transport;
  }

  async function dial(transport: Transport, count: number): Promise<RawPeer[]> {
    const dialed = await Promise.all(Array.from({ length: count }, () => RawPeer.dial(transport.endpoints()[0]!)));
    peers.push(...dialed);
    return dialed;
  }

  const status = (transport: Transport) => transport.status!();

  async function until(happened: () => boolean): Promise<void> {
    for (let turn = 0; turn < 5_000 && !happened(); turn++) await settle(1);
    expect(happened()).toBe(true);
  }

  test('serves mconn and tcp, names the first, and tells which AEAD it uses', async () => {
    const transport = make();
    expect(transport.protocols).toEqual(['mconn', 'tcp']);
    await transport.listen({ ...anyPort, protocol: 'tcp' });
    expect(transport.endpoints()[0]!.protocol).toBe('mconn');
    expect(status(transport)).toMatchObject({ aead: 'noble', pendingHandshakes: 0, 'rejected.pending': 0 });
  });

  test('dials the port of Tendermint nodes when an endpoint names none', async () => {
    // Nobody listens there on a machine of ours, but if somebody does, that is the port.
    const outcome = await make()
      .dial({ ...anyPort, ip: '127.83.17.5' }, live())
      .catch((error: unknown) => error as Error);
    if (outcome instanceof Error) expect(outcome.message).toContain(':26656');
    else {
      expect(outcome.remoteEndpoint.port).toBe(26_656);
      await outcome.close();
    }
  });

  test('says why it cannot listen, and can listen elsewhere then', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as { port: number };
    const transport = make();
    const failure = await failureOf(() => transport.listen({ ...anyPort, port }));
    expect(failure).toMatchObject({ code: 'ERR_LISTEN_UNAVAILABLE', message: expect.stringContaining('EADDRINUSE') });
    await expectCode(() => transport.listen({ ...anyPort, ip: '203.0.113.1' }), 'ERR_LISTEN_UNAVAILABLE');
    await transport.listen(anyPort);
    taken.close();
  });

  test('frees its port when it closes, so that another can listen on it at once', async () => {
    const transport = await listening();
    const [endpoint] = transport.endpoints();
    await transport.close();
    await make().listen(endpoint!);
  });

  test('ends silent sockets when their time is up, and has every place free then', async () => {
    const transport = await listening({ maxPending: 64 });
    const silent = await dial(transport, 64);
    const failures: Promise<unknown>[] = [];
    for (let index = 0; index < 64; index++) {
      const ours = (await transport.accept(live()))!;
      failures.push(failureOf(() => ours.handshake(handshakeOf(keyOf('b')), live())));
    }
    expect(status(transport)).toMatchObject({ pendingHandshakes: 64, 'rejected.pending': 0 });
    await clock.advanceAsync(3_000);
    for (const failure of await Promise.all(failures)) expect(failure).toMatchObject({ code: 'ERR_HANDSHAKE_TIMEOUT' });
    await Promise.all(silent.map(({ ended }) => ended));
    expect(status(transport)).toMatchObject({ pendingHandshakes: 0 });
  });

  test('ends sockets that nobody accepts, without reading a byte of them', async () => {
    const transport = await listening();
    const [peer] = await dial(transport, 1);
    await peer!.write(Buffer.alloc(1_000));
    await until(() => status(transport)['pendingHandshakes'] === 1);
    await clock.advanceAsync(10_000);
    await peer!.ended;
    expect(peer!.received.bytes.length).toBe(0);
    expect(status(transport)).toMatchObject({ pendingHandshakes: 0 });
    // And does not hand them out afterwards.
    const [next] = await dial(transport, 1);
    const ours = (await transport.accept(live()))!;
    expect(ours.remoteEndpoint.port).toBe(next!.socket.localPort);
    await ours.close();
  });

  test('closes every socket beyond its limit at once and counts it; a place that is freed is taken again', async () => {
    const transport = await listening();
    const many = await dial(transport, 300);
    await until(() => Number(status(transport)['rejected.pending']) === 268);
    expect(status(transport)).toMatchObject({ pendingHandshakes: 32 });
    const closed = { count: 0 };
    for (const { ended } of many) void ended.then(() => closed.count++);
    await until(() => closed.count === 268);
    const first = (await transport.accept(live()))!;
    await first.close();
    expect(status(transport)).toMatchObject({ pendingHandshakes: 31 });
    const [next] = await dial(transport, 1);
    const port = next!.socket.localPort!;
    const reached = new Set<number>();
    for (let index = 0; index < 32; index++) {
      const ours = (await transport.accept(live()))!;
      reached.add(ours.remoteEndpoint.port);
      await ours.close();
    }
    expect(reached.has(port)).toBe(true);
  });

  test('frees the place of a handshake that is done', async () => {
    const transport = await listening({ maxPending: 1 });
    for (let round = 0; round < 3; round++) {
      const [peer] = await dial(transport, 1);
      const ours = (await transport.accept(live()))!;
      await Promise.all([peer!.handshake(keyOf('a'), nodeInfoOf(keyOf('a'))), ours.handshake(handshakeOf(keyOf('b')), live())]);
      expect(status(transport)).toMatchObject({ pendingHandshakes: 0 });
      await ours.close();
    }
  });

  test('holds loopback to the limits of strangers when told to', async () => {
    const transport = await listening({ maxPendingPerIp: 4 }, true);
    await dial(transport, 20);
    await until(() => Number(status(transport)['rejected.pendingPerIp']) === 16);
    expect(status(transport)).toMatchObject({ pendingHandshakes: 4 });
  });

  test('takes nobody beyond the sockets it may have, its own dials included, and counts them', async () => {
    const transport = mconnTransport({
      ...{ clock, link: fastLink(), handshake: parseOptions(handshakeOptions, {}), aead: selectAead('noble'), maxSockets: 3 },
    });
    transports.push(transport);
    await transport.listen(anyPort);
    const other = await listening();
    const own = await transport.dial(other.endpoints()[0]!, live());
    const many = await dial(transport, 5);
    await until(() => status(transport)['rejected.sockets'] === 3);
    expect(status(transport)).toMatchObject({ sockets: 3, pendingHandshakes: 2 });
    await own.close();
    await until(() => status(transport)['sockets'] === 2);
    await dial(transport, 1);
    await until(() => status(transport)['sockets'] === 3);
    for (const peer of many) peer.close();
  });

  test('listens again after its listening socket was lost, at the same endpoint, and connections live on', async () => {
    const servers: Server[] = [];
    const sockets = { connect, createServer: (options: object) => servers[servers.push(createServer(options)) - 1]! };
    const transport = mconnTransport({
      ...{ clock, link: fastLink(), handshake: parseOptions(handshakeOptions, {}), aead: selectAead('noble'), sockets },
    });
    transports.push(transport);
    await transport.listen(anyPort);
    const before = transport.endpoints();
    const [peer] = await dial(transport, 1);
    const ours = (await transport.accept(live()))!;
    servers[0]!.close();
    servers[0]!.emit('error', new Error('gone'));
    expect(status(transport)).toMatchObject({ listening: 0, listenLosses: 1, acceptErrors: 1 });
    await clock.advanceAsync(250);
    await until(() => status(transport)['listening'] === 1);
    expect(transport.endpoints()).toEqual(before);
    await dial(transport, 1);
    const later = (await transport.accept(live()))!;
    await Promise.all([peer!.handshake(keyOf('a'), nodeInfoOf(keyOf('a'))), ours.handshake(handshakeOf(keyOf('b')), live())]);
    await Promise.all([ours.close(), later.close()]);
  });

  test('knows an IPv4 remote by the same address when it comes through IPv6', async () => {
    const transport = make({ maxPendingPerIp: 1 }, true);
    await transport.listen({ ...anyPort, ip: '::' });
    const [peer] = [await RawPeer.dial({ ...transport.endpoints()[0]!, ip: '127.0.0.1' })];
    peers.push(peer);
    const ours = (await transport.accept(live()))!;
    expect([ours.remoteEndpoint.ip, ours.localEndpoint.ip]).toEqual(['127.0.0.1', '127.0.0.1']);
    await ours.close();
  });

  test('ends connections that nobody has accepted when it closes', async () => {
    const transport = await listening();
    const [peer] = await dial(transport, 1);
    await until(() => status(transport)['pendingHandshakes'] === 1);
    await transport.close();
    await peer!.ended;
    expect(status(transport)).toMatchObject({ pendingHandshakes: 0 });
  });

  test('closed while it begins to listen does not listen', async () => {
    const transport = make();
    const starting = failureOf(() => transport.listen(anyPort));
    await transport.close();
    expect(await starting).toMatchObject({ code: 'ERR_TRANSPORT_CLOSED' });
    expect(transport.endpoints()).toEqual([]);
  });

  test('aborted while it begins to listen rejects with the reason, and can listen later', async () => {
    const transport = make();
    const stop = new AbortController();
    const starting = failureOf(() => transport.listen(anyPort, stop.signal));
    stop.abort('enough');
    expect(await starting).toBe('enough');
    await transport.listen(anyPort);
  });
});
