import { connect, createServer, type AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import pino from 'pino';
import { createActor, waitFor } from 'xstate';
import { monitorLogic, monitorServer, type MonitorOptions, type MonitorServer } from '../../../actors/monitor/server.ts';
import type { PeerView } from '../../../actors/peer-manager.ts';
import { TroupeError } from '../../../proto/errors.ts';
import { parseNodeId } from '../../../proto/identity.ts';
import { ask } from '../../support/http.ts';
import { settle, VirtualClock } from '../../support/virtual-clock.ts';

const id = (digit: string) => parseNodeId(digit.repeat(40));
const row = (digit: string): PeerView => ({ id: id(digit), state: 'up', class: 'ordinary', score: 0, addresses: [], channels: [0x77] });
const token = 'f'.repeat(64);
let healthy = true;
let broken = false;
const order = (): Promise<never> => Promise.reject(new TroupeError('ERR_PEER_UNKNOWN'));
const options: MonitorOptions = {
  host: '127.0.0.1',
  port: 0,
  token,
  status: () => ({ nodeId: id('a') }),
  health: () => ({ ok: healthy }),
  metrics: { type: 'text/plain; version=0.0.4', text: () => (broken ? Promise.reject(new Error('broken')) : Promise.resolve('a 1\n')) },
  peers: {
    list: ({ after = '', limit = Infinity } = {}) =>
      ['a', 'b', 'c', 'd', 'e']
        .map(row)
        .filter((each) => each.id > after)
        .slice(0, limit),
    explain(asked) {
      if (asked === id('f')) throw new Error('broken');
      if (asked !== id('a')) throw new TroupeError('ERR_PEER_UNKNOWN');
      return { id: id('a'), sentence: 'it is up', facts: {} };
    },
    add: order,
    dial: order,
    disconnect: order,
    ban: order,
    remove: order,
  },
  clock: new VirtualClock(),
  log: pino({ level: 'silent' }),
};

describe('on loopback', () => {
  let server: MonitorServer;
  let url: string;
  beforeEach(async () => {
    healthy = true;
    broken = false;
    server = monitorServer(options);
    url = await server.listen();
  });
  afterEach(() => server.close());

  test('status is what the node says, without a token', async () => {
    expect(await ask(url, '/status')).toMatchObject({
      status: 200,
      body: { nodeId: id('a') },
      headers: { 'content-type': 'application/json; charset=utf-8' },
    });
  });

  test('health is 200, or 503 once something is wrong', async () => {
    expect(await ask(url, '/health')).toMatchObject({ status: 200, body: { ok: true } });
    healthy = false;
    expect(await ask(url, '/health')).toMatchObject({ status: 503, body: { ok: false } });
  });

  test('metrics are text of their own type, and one that fails is an error like any other', async () => {
    const response = await fetch(`${url}/metrics`, { headers: { connection: 'close' } });
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/plain; version=0.0.4']);
    expect(await response.text()).toBe('a 1\n');
    broken = true;
    expect(await ask(url, '/metrics')).toMatchObject({ status: 500, body: { error: { code: 'ERR_INTERNAL' } } });
    expect(await ask(url, '/status')).toMatchObject({ status: 200 });
  });

  test('peers come page by page in the order of their ids', async () => {
    const first = await ask(url, '/peers?limit=2');
    expect((first.body['peers'] as PeerView[]).map((peer) => peer.id)).toEqual([id('a'), id('b')]);
    const second = await ask(url, `/peers?limit=2&after=${String(first.body['next'])}`);
    expect((second.body['peers'] as PeerView[]).map((peer) => peer.id)).toEqual([id('c'), id('d')]);
    const last = await ask(url, `/peers?limit=2&after=${String(second.body['next'])}`);
    expect(last.body).toEqual({ peers: [row('e')], next: null });
    expect((await ask(url, '/peers')).body).toMatchObject({ peers: { length: 5 }, next: null });
  });

  test.each(['0', '1001', '-1', '1.5', 'x'])('a page of %s peers is refused', async (limit) => {
    expect(await ask(url, `/peers?limit=${limit}`)).toMatchObject({ status: 400, body: { error: { code: 'ERR_OPTION_INVALID' } } });
  });

  test.each(['%00', '__proto__', 'zz', '%', 'f'.repeat(2_000)])(
    'a page after %s is what follows it in the order of ids, if anything',
    async (after) => {
      expect(await ask(url, `/peers?after=${after}&limit=1000`)).toMatchObject({ status: 200, body: { next: null } });
    },
  );

  test('one peer is explained', async () => {
    expect((await ask(url, `/peers/${id('a')}`)).body).toMatchObject({ sentence: 'it is up' });
  });

  test.each([
    ['/', 404, 'ERR_PATH_UNKNOWN'],
    ['/status/', 404, 'ERR_PATH_UNKNOWN'],
    [`/peers/${id('b')}`, 404, 'ERR_PEER_UNKNOWN'],
    [`/peers/${id('f')}`, 500, 'ERR_INTERNAL'],
    ['/peers/', 400, 'ERR_NODE_ID_INVALID'],
    ['/peers/%00..%2f', 400, 'ERR_NODE_ID_INVALID'],
    ['/peers/__proto__', 400, 'ERR_NODE_ID_INVALID'],
    [`/peers/${'A'.repeat(40)}`, 400, 'ERR_NODE_ID_INVALID'],
    [`/peers/${'f'.repeat(4_000)}`, 400, 'ERR_NODE_ID_INVALID'],
    [`/peers/${id('a')}/`, 404, 'ERR_PATH_UNKNOWN'],
    [`/peers//dial`, 400, 'ERR_NODE_ID_INVALID'],
    [`/peers/${id('a')}/dial/x`, 404, 'ERR_PATH_UNKNOWN'],
    [`//status`, 404, 'ERR_PATH_UNKNOWN'],
  ])('%s is answered %d with %s', async (path, status, code) => {
    expect(await ask(url, path)).toMatchObject({ status, body: { error: { code } } });
  });

  test.each(['POST', 'PUT', 'DELETE', 'OPTIONS'])('%s is refused', async (method) => {
    expect(await ask(url, '/status', { method })).toMatchObject({
      status: 405,
      body: { error: { code: 'ERR_METHOD_REFUSED' } },
      headers: { allow: 'GET' },
    });
  });

  test('a request under the name of another host is refused, so that a page cannot rebind its name to us', async () => {
    expect(await ask(url, '/status', { headers: { host: 'evil.example:26680' } })).toMatchObject({
      status: 403,
      body: { error: { code: 'ERR_HOST_REFUSED' } },
    });
    expect(await ask(url, '/status', { headers: { host: 'localhost:1' } })).toMatchObject({ status: 200 });
    expect(await ask(url, '/status', { headers: { host: '[::1]:1' } })).toMatchObject({ status: 200 });
  });

  test('an answer that does not print costs its connection, not the node', async () => {
    const odd = monitorServer({ ...options, status: () => ({ count: 1n }) });
    const at = await odd.listen();
    await expect(ask(at, '/status')).rejects.toThrow('socket hang up');
    expect((await ask(at, '/health')).status).toBe(200);
    await odd.close();
  });

  test('headers above 8 KiB are refused', async () => {
    expect(await ask(url, '/status', { headers: { x: 'y'.repeat(9_000) } })).toMatchObject({ status: 431 });
  });

  test('a body is not read: the answer closes the connection', async () => {
    expect(await ask(url, '/status', { headers: { 'content-length': '3' }, body: 'abc' })).toMatchObject({
      status: 200,
      headers: { connection: 'close' },
    });
  });

  test('an idle connection does not hold up the close', async () => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    await new Promise((resolve) => socket.once('connect', resolve));
    const gone = new Promise((resolve) => socket.once('close', resolve).once('error', resolve));
    await server.close();
    await gone;
    await server.close();
    expect(await server.ended).toBeUndefined();
  });

  test('it listens again after a close', async () => {
    await server.close();
    expect((await ask(await server.listen(), '/health')).status).toBe(200);
  });
});

describe('off loopback', () => {
  let server: MonitorServer;
  let url: string;
  beforeEach(async () => {
    server = monitorServer({ ...options, host: '0.0.0.0' });
    url = await server.listen();
  });
  afterEach(() => server.close());

  test.each([undefined, '', 'Bearer', `Bearer ${'e'.repeat(64)}`, `Basic ${token}`, token])(
    'a read with authorization %p is refused',
    async (authorization) => {
      const headers = authorization === undefined ? {} : { authorization };
      expect(await ask(url, '/status', { headers })).toMatchObject({ status: 401, body: { error: { code: 'ERR_TOKEN_REQUIRED' } } });
      expect(await ask(url, '/nowhere', { headers })).toMatchObject({ status: 401 });
      expect(await ask(url, '/metrics', { headers })).toMatchObject({ status: 401 });
    },
  );

  test('the token opens it, under any host name', async () => {
    expect(await ask(url, '/status', { headers: { authorization: `Bearer ${token}`, host: 'node.example' } })).toMatchObject({
      status: 200,
    });
  });
});

test('a port in use is a clear error with a code', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as AddressInfo;
  await expect(monitorServer({ ...options, port }).listen()).rejects.toMatchObject({
    code: 'ERR_MONITOR_UNAVAILABLE',
    message: expect.stringContaining('EADDRINUSE'),
  });
  await new Promise((resolve) => other.close(resolve));
});

describe('as an actor', () => {
  test('it listens until stopped, and then its port is free', async () => {
    const server = monitorServer(options);
    let listening: (url: string) => void = () => undefined;
    const url = new Promise<string>((resolve) => (listening = resolve));
    let isKnown = false;
    const onListening = (at: string) => {
      isKnown = true;
      listening(at);
      return () => void (isKnown = false);
    };
    const actor = createActor(monitorLogic({ server, onListening })).start();
    expect((await ask(await url, '/health')).status).toBe(200);
    expect(isKnown).toBe(true);
    actor.stop();
    // At once: when the store that holds the home's lock is closed, nobody may be told to come here any more.
    expect(isKnown).toBe(false);
    isKnown = true;
    await server.ended;
    await settle();
    // And once: what the next monitor of this home says must stay.
    expect(isKnown).toBe(true);
    await expect(ask(await url, '/health')).rejects.toThrow('ECONNREFUSED');
  });

  test('it fails when it cannot listen', async () => {
    const onListening = () => () => undefined;
    const actor = createActor(monitorLogic({ server: monitorServer({ ...options, host: '192.0.2.1' }), onListening }));
    actor.subscribe({ error: () => undefined });
    actor.start();
    const { error } = await waitFor(actor, (snapshot) => snapshot.status === 'error').catch(() => actor.getSnapshot());
    expect(error).toMatchObject({ code: 'ERR_MONITOR_UNAVAILABLE' });
  });
});
