import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { Listener } from '../../../transports/mconn/listener.ts';
import { settle, VirtualClock } from '../../../transports/simulated.ts';

const place = { ip: '127.0.0.1', port: 0 };
const listeners: Listener[] = [];
const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const listener of listeners.splice(0)) listener.close();
});

/** A listener over real sockets whose servers a test can take away. */
function rig() {
  const clock = new VirtualClock();
  const servers: Server[] = [];
  const arrived: Socket[] = [];
  const listener = new Listener({
    clock,
    createServer: (options) => {
      const server = createServer(options);
      servers.push(server);
      return server;
    },
    options: {},
    onSocket: (socket) => arrived.push(socket) && sockets.push(socket),
  });
  listeners.push(listener);
  const reaches = async (port: number): Promise<boolean> => {
    const socket = connect({ host: place.ip, port });
    sockets.push(socket);
    return once(socket, 'connect').then(
      () => true,
      () => false,
    );
  };
  const until = async (happened: () => boolean): Promise<void> => {
    for (let turn = 0; turn < 5_000 && !happened(); turn++) await settle(1);
    expect(happened()).toBe(true);
  };
  return { clock, servers, arrived, listener, reaches, until };
}

test('a listening socket that is lost is opened again on the same port', async () => {
  const { clock, servers, arrived, listener, reaches, until } = rig();
  const port = await listener.open(place);
  servers[0]!.close();
  await until(() => listener.losses === 1);
  expect([listener.isListening, await reaches(port)]).toEqual([false, false]);
  await clock.advanceAsync(250);
  await until(() => listener.isListening);
  expect(await reaches(port)).toBe(true);
  await until(() => arrived.length === 1);
  expect([servers.length, clock.pending]).toEqual([2, 0]);
});

test('as long as it cannot, it tries with longer and longer waits', async () => {
  const { clock, servers, listener, until } = rig();
  const port = await listener.open(place);
  servers[0]!.close();
  await until(() => listener.losses === 1);
  const squatter = createServer().listen(port, place.ip);
  await once(squatter, 'listening');
  const failed = (times: number): Promise<void> => until(() => servers.length === 1 + times && clock.pending === 1);
  await clock.advanceAsync(250);
  await failed(1);
  await clock.advanceAsync(499);
  expect(servers).toHaveLength(2);
  await clock.advanceAsync(1);
  await failed(2);
  // Half a minute at most, however long it takes.
  for (let minute = 0; minute < 10; minute++) {
    const before = servers.length;
    await clock.advanceAsync(30_000);
    await until(() => servers.length > before && clock.pending === 1);
  }
  expect(servers.length).toBeLessThan(30);
  squatter.close();
  await once(squatter, 'close');
  await clock.advanceAsync(30_000);
  await until(() => listener.isListening);
  expect([listener.losses, clock.pending]).toEqual([1, 0]);
});

test('an error of an accept leaves it listening, and is counted', async () => {
  const { servers, listener, reaches } = rig();
  const port = await listener.open(place);
  servers[0]!.emit('error', Object.assign(new Error('accept EMFILE'), { code: 'EMFILE' }));
  expect([listener.errors, listener.losses, listener.isListening]).toEqual([1, 0, true]);
  expect(await reaches(port)).toBe(true);
});

test('once closed it is not opened again', async () => {
  const { clock, servers, listener, until } = rig();
  await listener.open(place);
  servers[0]!.close();
  await until(() => listener.losses === 1);
  listener.close();
  await clock.advanceAsync(60_000);
  expect([servers.length, clock.pending, listener.isListening]).toEqual([1, 0, false]);
});

test('a place that cannot be had at the start is refused at once, and another can be tried', async () => {
  const { clock, listener } = rig();
  const taken = createServer().listen(0, place.ip);
  await once(taken, 'listening');
  const { port } = taken.address() as { port: number };
  await expect(listener.open({ ...place, port })).rejects.toMatchObject({ code: 'ERR_LISTEN_UNAVAILABLE' });
  expect(clock.pending).toBe(0);
  expect(await listener.open(place)).toBeGreaterThan(0);
  taken.close();
});
