/** Orders to a real manager through a real server. */
import { connect } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import pino from 'pino';
import { orderLimits } from '../../../actors/monitor/orders.ts';
import { monitorServer, type MonitorServer } from '../../../actors/monitor/server.ts';
import { memoryStore } from '../../../actors/stores/memory.ts';
import { TroupeError } from '../../../proto/errors.ts';
import { formatNodeAddress } from '../../../proto/address.ts';
import { ask, type Asked, type Reply } from '../../support/http.ts';
import { addressOf, digitOf, idOf, managers, type ManagerChanges, type ManagerHarness } from '../../support/manager.ts';
import { settle } from '../../support/virtual-clock.ts';

const token = 'f'.repeat(64);
const authorization = `Bearer ${token}`;
const start = managers();
const servers: MonitorServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

type Rig = Readonly<{
  h: ManagerHarness;
  server: MonitorServer;
  url: string;
  order(path: string, body?: unknown, asked?: Asked): Promise<Reply>;
}>;
async function rig(changes: ManagerChanges = {}): Promise<Rig> {
  const h = start(changes);
  const server = monitorServer({
    host: '127.0.0.1',
    port: 0,
    token,
    status: () => ({}),
    health: () => ({ ok: true }),
    metrics: { type: 'text/plain', text: () => Promise.resolve('') },
    peers: h.manager.peers,
    clock: h.clock,
    log: pino({ level: 'silent' }),
  });
  servers.push(server);
  const url = await server.listen();
  return {
    h,
    server,
    url,
    order: (path, body, asked = {}) =>
      ask(url, path, {
        method: 'POST',
        headers: { authorization, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...asked,
      }),
  };
}
const a = idOf('a');
const address = formatNodeAddress(addressOf('a'));
const refused = (status: number, code: string) => ({ status, body: { error: { code, message: expect.any(String) } } });
/** Whether a promise has settled, looked at after what is under way on sockets had its turns. */
async function isOpen(promise: Promise<unknown>): Promise<boolean> {
  let open = true;
  const close = (): void => void (open = false);
  promise.then(close, close);
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  return open;
}
/** Waits until a request has reached the manager. */
async function until(isSo: () => boolean): Promise<void> {
  for (let turn = 0; !isSo(); turn++) {
    if (turn > 1_000) throw new Error('it never came to this');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('orders are carried out:', () => {
  test('add, which tells whether the address is new', async () => {
    const { h, order } = await rig();
    expect(await order('/peers', { address })).toMatchObject({ status: 201, body: { added: true } });
    expect(await order('/peers', { address })).toMatchObject({ status: 200, body: { added: false } });
    expect(h.store.load().map(({ id, addresses }) => [id, addresses[0]?.source])).toEqual([[a, 'operator']]);
  });

  test('dial, once the peer is up', async () => {
    const { h, order } = await rig();
    await h.add('a');
    const dialing = order(`/peers/${a}/dial`);
    await until(() => dialsOf(h) > 0);
    expect(digitOf(await h.tryDialNext())).toBe('a');
    const { link } = h.dialed('a');
    expect(await isOpen(dialing)).toBe(true);
    h.manager.ready(a, link);
    expect(await dialing).toMatchObject({ status: 200, body: { id: a, done: 'dial' } });
    expect(await order(`/peers/${a}/dial`, {})).toMatchObject({ status: 200 });
  });

  test('disconnect, once the peer is down, with the reason that was given', async () => {
    const { h, order } = await rig();
    await h.add('a');
    const link = h.up('a');
    const gone = order(`/peers/${a}/disconnect`, { reason: 'maintenance' });
    await until(() => h.stateOf('a') === 'evicting');
    expect(await h.tryEvictNext()).toEqual({ id: a, link, reason: 'operator' });
    expect(await isOpen(gone)).toBe(true);
    h.manager.disconnected(a, link, 'operator');
    expect(await gone).toMatchObject({ status: 200, body: { id: a, done: 'disconnect' } });
    expect(h.manager.peers.list()).toMatchObject([{ lastReason: 'operator: maintenance' }]);
  });

  test('ban and remove, of a peer at rest', async () => {
    const { h, order } = await rig();
    await h.add('a');
    expect(await order(`/peers/${a}/ban`, { forMs: 60_000, reason: 'spam' })).toMatchObject({ status: 200, body: { id: a, done: 'ban' } });
    expect(h.manager.peers.explain(a).sentence).toBe('Banned for another 60 s: spam.');
    expect(await order(`/peers/${idOf('b')}/ban`, { forMs: 60_000 })).toMatchObject({ status: 200 });
    expect(h.manager.peers.explain(idOf('b')).sentence).toBe('Banned for another 60 s.');
    expect(await order(`/peers/${a}/remove`)).toMatchObject({ status: 200, body: { id: a, done: 'remove' } });
    expect(h.store.load().map(({ id }) => id)).toEqual([idOf('b')]);
  });

  test.each([
    ['/peers', { address }],
    [`/peers/${idOf('b')}/ban`, { forMs: 1_000, reason: '' }],
    [`/peers/${idOf('b')}/remove`, {}],
    [`/peers/${idOf('b')}/disconnect`, {}],
  ])('%s is answered only once it is on disk', async (path, body) => {
    const store = memoryStore();
    let write: () => void = () => undefined;
    let isWritten = Promise.resolve();
    const written = () => isWritten;
    const { h, order } = await rig({ store: { ...store, put: (row) => store.put(row).then(written), flush: written } });
    await h.add('b');
    isWritten = new Promise((resolve) => (write = resolve));
    const answered = order(path, body);
    expect(await isOpen(answered)).toBe(true);
    write();
    expect((await answered).status).toBeLessThan(300);
  });

  test('what the disk did not take is no success', async () => {
    const failed = () => Promise.reject(new TroupeError('ERR_STORE_FAILED', 'kept in memory'));
    const { order } = await rig({
      store: { ...memoryStore(), put: failed, flush: failed },
    });
    expect(await order('/peers', { address })).toMatchObject(refused(503, 'ERR_STORE_FAILED'));
  });
});

/** Requests of operators that the manager holds. */
const dialsOf = ({ actor }: ManagerHarness): number =>
  (actor.getSnapshot() as { context: { upWaiters: readonly unknown[] } }).context.upWaiters.length;

describe('an order that cannot be carried out says why:', () => {
  test.each([
    ['/peers', { address: 'nonsense' }, 400, 'ERR_ADDRESS_INVALID'],
    ['/peers', { address: formatNodeAddress(addressOf('5')) }, 409, 'ERR_PEER_SELF'],
    [`/peers/${a}/dial`, {}, 404, 'ERR_PEER_UNKNOWN'],
    [`/peers/${a}/disconnect`, {}, 404, 'ERR_PEER_UNKNOWN'],
    [`/peers/${a}/remove`, {}, 404, 'ERR_PEER_UNKNOWN'],
    [`/peers/${idOf('5')}/dial`, {}, 409, 'ERR_PEER_SELF'],
    [`/peers/${a}/ban`, { forMs: 0, reason: '' }, 400, 'ERR_OPTION_INVALID'],
    [`/peers/${a}/ban`, { forMs: 1e300, reason: '' }, 400, 'ERR_OPTION_INVALID'],
    [`/peers/${a}/fly`, {}, 404, 'ERR_PATH_UNKNOWN'],
    ['/peers/x/dial', {}, 400, 'ERR_NODE_ID_INVALID'],
    [`/peers/${a}`, {}, 405, 'ERR_METHOD_REFUSED'],
    ['/status', {}, 405, 'ERR_METHOD_REFUSED'],
  ])('%s %j is answered %d', async (path, body, status, code) => {
    const { order } = await rig();
    expect(await order(path, body)).toMatchObject(refused(status, code));
  });

  test('a dial that fails, is refused, or finds no slot', async () => {
    const { h, order } = await rig({ slots: { outbound: 1 } });
    await h.add('a');
    const failing = order(`/peers/${a}/dial`);
    await until(() => dialsOf(h) > 0);
    await h.tryDialNext();
    h.manager.dialFailed(addressOf('a'), new TroupeError('ERR_HANDSHAKE_WRONG_ID'));
    expect(await failing).toMatchObject(refused(504, 'ERR_HANDSHAKE_WRONG_ID'));
    await h.add('b');
    expect(digitOf(await h.tryDialNext())).toBe('b');
    expect(await order(`/peers/${a}/dial`)).toMatchObject(refused(409, 'ERR_SLOTS_FULL'));
    await h.manager.peers.ban(a, { forMs: 1_000, reason: '' });
    expect(await order(`/peers/${a}/dial`)).toMatchObject(refused(409, 'ERR_PEER_BANNED'));
  });

  test('while the manager does not run', async () => {
    const { h, order } = await rig();
    h.stop();
    expect(await order('/peers', { address })).toMatchObject(refused(503, 'ERR_NODE_STATE'));
  });
});

describe('without the token nothing changes,', () => {
  test.each([undefined, '', 'Bearer', `Bearer ${'e'.repeat(64)}`, `Basic ${token}`, token, `Bearer ${token}0`])(
    'on loopback too, with authorization %p',
    async (given) => {
      const { h, url } = await rig();
      await h.add('b');
      const headers = { 'content-type': 'application/json', ...(given === undefined ? {} : { authorization: given }) };
      for (const path of ['/peers', `/peers/${idOf('b')}/remove`, `/peers/${idOf('b')}/ban`]) {
        const reply = await ask(url, path, { method: 'POST', headers, body: JSON.stringify({ address }) });
        expect(reply).toMatchObject({
          ...refused(401, 'ERR_TOKEN_REQUIRED'),
          headers: { 'www-authenticate': 'Bearer', connection: 'close' },
        });
      }
      expect(h.manager.peers.list()).toMatchObject([{ id: idOf('b'), state: 'known' }]);
    },
  );

  test('nor through a page whose name is bound to us, nor for a page that asks first', async () => {
    const { h, order, url } = await rig();
    const headers = { authorization, host: 'evil.example:26680', 'content-type': 'application/json' };
    expect(await order('/peers', { address }, { headers })).toMatchObject(refused(403, 'ERR_HOST_REFUSED'));
    const asking = {
      origin: 'http://evil.example',
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization',
    };
    const reply = await ask(url, '/peers', { method: 'OPTIONS', headers: asking });
    expect(reply).toMatchObject({ status: 405, headers: { allow: 'GET, POST' } });
    expect(Object.keys(reply.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    expect(h.manager.peers.list()).toEqual([]);
  });
});

describe('a body that is not what it should be is refused, and nothing changes:', () => {
  const json = { authorization, 'content-type': 'application/json' };
  test.each<[string, Asked, number, string]>([
    [
      'a form',
      { headers: { ...json, 'content-type': 'application/x-www-form-urlencoded' }, body: 'address=x' },
      415,
      'ERR_CONTENT_TYPE_REFUSED',
    ],
    ['plain text', { headers: { ...json, 'content-type': 'text/plain' }, body: '{}' }, 415, 'ERR_CONTENT_TYPE_REFUSED'],
    ['no type', { headers: { authorization }, body: '{}' }, 415, 'ERR_CONTENT_TYPE_REFUSED'],
    [
      'another charset',
      { headers: { ...json, 'content-type': 'application/json; charset=utf-16' }, body: '{}' },
      415,
      'ERR_CONTENT_TYPE_REFUSED',
    ],
    ['compressed', { headers: { ...json, 'content-encoding': 'gzip' }, body: '{}' }, 415, 'ERR_CONTENT_TYPE_REFUSED'],
    ['too long', { headers: json, body: JSON.stringify({ address: 'x'.repeat(4_096) }) }, 413, 'ERR_BODY_TOO_LARGE'],
    [
      'too long, without saying so before',
      { headers: { ...json, 'transfer-encoding': 'chunked' }, body: `{"address":"${'x'.repeat(20_000)}"}` },
      413,
      'ERR_BODY_TOO_LARGE',
    ],
    ['missing', { headers: json }, 400, 'ERR_BODY_INVALID'],
    ['no JSON', { headers: json, body: '{"address":' }, 400, 'ERR_BODY_INVALID'],
    ['deep', { headers: json, body: '['.repeat(4_000) }, 400, 'ERR_BODY_INVALID'],
    ['no text', { headers: json, body: new Uint8Array([0x22, 0xff, 0x22]) }, 400, 'ERR_BODY_INVALID'],
    ['a list', { headers: json, body: '[]' }, 400, 'ERR_BODY_INVALID'],
    ['null', { headers: json, body: 'null' }, 400, 'ERR_BODY_INVALID'],
    ['a number', { headers: json, body: '{"address":1}' }, 400, 'ERR_BODY_INVALID'],
    ['with more in it', { headers: json, body: JSON.stringify({ address, source: 'host' }) }, 400, 'ERR_BODY_INVALID'],
    ['with a prototype', { headers: json, body: `{"address":${JSON.stringify(address)},"__proto__":{}}` }, 400, 'ERR_BODY_INVALID'],
  ])('%s', async (_, asked, status, code) => {
    const { h, url } = await rig();
    const reply = await ask(url, '/peers', { method: 'POST', ...asked });
    expect(reply).toMatchObject({ ...refused(status, code), headers: { connection: 'close' } });
    expect(h.manager.peers.list()).toEqual([]);
  });

  test.each([
    ['ban', { reason: 'x' }],
    ['ban', { forMs: '1000', reason: 'x' }],
    ['ban', { forMs: 1_000, reason: 7 }],
    ['ban', { forMS: 1_000 }],
    ['disconnect', { reason: null, why: 'x' }],
    ['dial', { now: true }],
    ['remove', { reason: 'x' }],
  ])('%s with %j', async (name, body) => {
    const { h, order } = await rig();
    await h.add('a');
    expect(await order(`/peers/${a}/${name}`, body)).toMatchObject(refused(400, 'ERR_BODY_INVALID'));
    expect(h.stateOf('a')).toBe('known');
  });

  test('one with a charset is read', async () => {
    const { order } = await rig();
    const headers = { authorization, 'content-type': 'Application/JSON; charset="UTF-8"' };
    expect(await order('/peers', { address }, { headers })).toMatchObject({ status: 201 });
  });

  test('one that ends early', async () => {
    const { h, url } = await rig();
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    const head = `POST /peers HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: ${authorization}\r\ncontent-type: application/json\r\n`;
    socket.write(`${head}content-length: ${JSON.stringify({ address }).length + 1}\r\n\r\n${JSON.stringify({ address })}`);
    await settle();
    await new Promise((resolve) => socket.once('close', resolve).destroy());
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(h.manager.peers.list()).toEqual([]);
    expect((await ask(url, '/health')).status).toBe(200);
  });
});

describe('an order that takes long', () => {
  test('is answered late and goes on; who asks again joins it', async () => {
    const { h, order } = await rig();
    await h.add('a');
    const first = order(`/peers/${a}/dial`);
    await until(() => dialsOf(h) > 0);
    await h.tryDialNext();
    h.clock.advance(orderLimits.answerMs);
    expect(await first).toMatchObject(refused(504, 'ERR_DIAL_TIMEOUT'));
    const second = order(`/peers/${a}/dial`);
    expect(await isOpen(second)).toBe(true);
    expect(dialsOf(h)).toBe(1);
    h.manager.ready(a, h.dialed('a').link);
    expect(await second).toMatchObject({ status: 200 });
  });

  test('such as a disconnect says that it goes on', async () => {
    const { h, order } = await rig();
    await h.add('a');
    h.up('a');
    const gone = order(`/peers/${a}/disconnect`);
    await until(() => h.stateOf('a') === 'evicting');
    h.clock.advance(orderLimits.answerMs);
    expect(await gone).toMatchObject(refused(504, 'ERR_ORDER_TIMEOUT'));
  });

  test('holds no more than its share: further ones are refused until one is answered, or nobody waits for it', async () => {
    const { h, order } = await rig();
    await h.add('a');
    const leaving = new AbortController();
    const waits = Array.from({ length: orderLimits.pending }, (_, n) =>
      order(`/peers/${a}/dial`, undefined, n === 0 ? { signal: leaving.signal } : {}),
    );
    waits[0]!.catch(() => undefined);
    let isFull = false;
    for (let turn = 0; !isFull && turn < 100; turn++) isFull = (await order('/peers', { address })).status === 429;
    expect(await order('/peers', { address })).toMatchObject(refused(429, 'ERR_ORDERS_PENDING'));
    expect((await order('/health', undefined, { method: 'GET' })).status).toBe(200);
    leaving.abort();
    await expect(waits[0]).rejects.toThrow();
    let status = 429;
    for (let turn = 0; status === 429 && turn < 1_000; turn++) ({ status } = await order('/peers', { address }));
    expect(status).toBe(200);
    await h.tryDialNext();
    h.manager.ready(a, h.dialed('a').link);
    expect((await Promise.all(waits.slice(1))).map((reply) => reply.status)).toEqual(waits.slice(1).map(() => 200));
  });

  test('is not waited for when the monitor closes, which leaves no timer behind', async () => {
    const { h, order, server } = await rig();
    await h.add('a');
    const dialing = order(`/peers/${a}/dial`);
    dialing.catch(() => undefined);
    await until(() => dialsOf(h) > 0);
    await server.close();
    await expect(dialing).rejects.toThrow();
    await settle();
    expect(h.clock.pending).toBe(0);
  });

  test('at most so many peers are dialed for operators at once, whoever has stopped waiting', async () => {
    const { h, order } = await rig();
    const ids = Array.from({ length: orderLimits.dials + 1 }, (_, n) => n.toString(16).padStart(40, '0'));
    for (const id of ids) await h.manager.peers.add(`mconn://${id}@1.2.3.4:1`);
    for (let n = 0; n < orderLimits.dials; n += 8) {
      const batch = ids.slice(n, n + 8).map((id) => order(`/peers/${id}/dial`));
      await until(() => dialsOf(h) === n + 8);
      h.clock.advance(orderLimits.answerMs);
      expect((await Promise.all(batch)).map(({ status }) => status)).toEqual(batch.map(() => 504));
    }
    expect(await order(`/peers/${ids.at(-1)}/dial`)).toMatchObject(refused(429, 'ERR_ORDERS_PENDING'));
    expect(dialsOf(h)).toBe(orderLimits.dials);
  });
});
