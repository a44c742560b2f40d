import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import pino from 'pino';
import { realEnvironment } from '../../actors/environment.ts';
import { isHomeInUse, publishUrl, urlFile } from '../../actors/monitor/whereabouts.ts';
import { monitorToken, tokenFile } from '../../actors/monitor/token.ts';
import { lockFile, lockHome, type HomeLock } from '../../actors/stores/home-lock.ts';
import { openPeersAtRest } from '../../actors/peers-at-rest.ts';
import { run } from '../../cli/program.ts';
import type { TroupeError } from '../../proto/errors.ts';
import { nodeOptions, parseOptions } from '../../proto/options.ts';
import { idOf } from '../support/manager.ts';
import { troupe, type Line, type Running } from '../support/process.ts';
import { fakeShell } from '../support/shell.ts';

jest.setTimeout(60_000);

let folder: string;
let home: string;
let running: Running[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'troupe-peers-'));
  home = join(folder, 'a');
  running = [];
});
afterEach(async () => {
  for (const { child } of running) child.kill('SIGKILL');
  await Promise.all(running.map(({ exit }) => exit));
  rmSync(folder, { recursive: true });
});

const free = ['--listen', 'mconn://127.0.0.1:0', '--monitor', '127.0.0.1:0'];
function start(argv: readonly string[] = free, at = home): Running {
  const node = troupe(['start', '--home', at, ...argv]);
  running.push(node);
  return node;
}
/** Runs `troupe peers …` here, and gives what it told. */
async function peers(...argv: readonly string[]): Promise<readonly Line[]> {
  const shell = fakeShell(realEnvironment());
  expect(await run(['peers', ...argv, '--home', home], shell)).toBe(0);
  return shell.events();
}
const code = async (...argv: readonly string[]): Promise<string> =>
  peers(...argv).then(
    () => 'none',
    (error: unknown) => (error as TroupeError).code,
  );
const explained = async (id: string): Promise<string> => String((await peers('explain', id))[0]?.['sentence']);
/** Tells until what it tells holds something; what waits is the network. */
async function told(expected: object, ...argv: readonly string[]): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const [line] = await peers(...argv);
    if (Object.entries(expected).every(([key, value]) => line?.[key] === value)) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  expect(await peers(...argv)).toEqual([expect.objectContaining(expected)]);
}

test('a running node is asked, one that was killed leaves its peers to be asked for and changed, and finds them so when it runs again', async () => {
  const other = start(free, join(folder, 'b'));
  const { nodeId: id, listen } = (await other.seen('ready')) as { nodeId: string; listen: string[] };
  const address = listen[0]!;
  const node = start();
  const { monitor } = (await node.seen('ready')) as { monitor: string };
  expect(readFileSync(join(home, urlFile), 'utf8').trim()).toBe(monitor);

  expect(await peers()).toEqual([]);
  expect(await peers('add', address)).toEqual([{ event: 'added', address, added: true, isRunning: true }]);
  expect(await peers('add', address)).toEqual([{ event: 'added', address, added: false, isRunning: true }]);
  expect(await peers('dial', id)).toEqual([{ event: 'dialed', id, isRunning: true }]);
  expect(await peers()).toMatchObject([
    { event: 'peer', id, state: 'up', direction: 'outbound', addresses: [address], channels: [0x00, 0x77] },
  ]);
  expect(await explained(id)).toMatch(/^Up for \d+ s, outbound\.$/);
  expect(await peers('disconnect', id, 'maintenance')).toEqual([{ event: 'disconnected', id, reason: 'maintenance', isRunning: true }]);
  expect(await peers()).toMatchObject([{ state: 'known', lastReason: 'operator: maintenance' }]);
  expect(await explained(id)).toMatch(/^Left alone for a while \(operator: maintenance\); to be dialed in 29 min at the earliest\.$/);
  await peers('dial', id);
  expect(await peers('ban', id, '--for', '10m', '--reason', 'spam')).toEqual([
    { event: 'banned', id, forMs: 600_000, reason: 'spam', isRunning: true },
  ]);
  await told({ state: 'banned', lastReason: 'spam' });
  expect(await explained(id)).toBe('Banned for another 9 min: spam.');
  expect(await code('dial', id)).toBe('ERR_PEER_BANNED');
  expect(await code('ban', id, '--for', '400d')).toBe('ERR_OPTION_INVALID');

  node.child.kill('SIGKILL');
  await node.exit;
  expect(existsSync(join(home, urlFile))).toBe(true);
  expect(await peers()).toMatchObject([{ id, state: 'banned' }]);
  expect(await explained(id)).toBe('Banned for another 9 min: spam.');
  expect(await peers('remove', id)).toEqual([{ event: 'removed', id, isRunning: false }]);
  expect(await code('remove', id)).toBe('ERR_PEER_UNKNOWN');
  expect(await peers('add', address)).toEqual([{ event: 'added', address, added: true, isRunning: false }]);
  expect(await peers('ban', idOf('c'), '--for', '7d')).toEqual([
    { event: 'banned', id: idOf('c'), forMs: 604_800_000, reason: '', isRunning: false },
  ]);

  const again = start();
  await again.seen('up');
  expect((await peers()).map(({ id: each, state }) => [each, state]).toSorted()).toEqual(
    [
      [id, 'up'],
      [idOf('c'), 'banned'],
    ].toSorted(),
  );
  expect(await peers('remove', id)).toEqual([{ event: 'removed', id, isRunning: true }]);
  again.child.kill('SIGTERM');
  expect(await again.exit).toBe(0);
  expect(existsSync(join(home, urlFile))).toBe(false);
  expect(await peers()).toMatchObject([{ id: idOf('c') }]);
});

test('as a process it prints a line a peer, or an error, and exits with what the error means', async () => {
  await troupe(['init', '--home', home]).exit;
  const failing = troupe(['peers', 'dial', idOf('a'), '--home', home]);
  expect(await failing.exit).toBe(5);
  expect(JSON.parse(failing.err())).toMatchObject({ event: 'error', code: 'ERR_NODE_NOT_RUNNING', exit: 5 });
  const banning = troupe(['peers', '--home', home, 'ban', idOf('a'), '--for', '90s']);
  expect(await banning.exit).toBe(0);
  const listing = troupe(['peers', '--home', home]);
  expect(await listing.exit).toBe(0);
  expect(listing.lines).toMatchObject([{ event: 'peer', id: idOf('a'), state: 'banned' }]);
});

test('a node without a monitor cannot be asked, keeps its home for itself, and is not looked for where a killed one was', async () => {
  mkdirSync(home);
  publishUrl(home, 'http://127.0.0.1:1');
  await start(['--listen', 'mconn://127.0.0.1:0', '--monitor', 'off']).seen('ready');
  for (const argv of [[], ['ban', idOf('a'), '--for', '1h'], ['dial', idOf('a')]]) {
    const refused = troupe(['peers', ...argv, '--home', home]);
    expect(await refused.exit).toBe(3);
    expect(JSON.parse(refused.err())).toMatchObject({ code: 'ERR_HOME_IN_USE', message: expect.stringContaining('without a monitor') });
  }
});

describe('of a home at rest', () => {
  beforeEach(async () => {
    await run(['init', '--home', home], fakeShell());
  });

  test('a person sees a table, sentences, and that nobody runs', async () => {
    const address = `mconn://${idOf('a')}@1.2.3.4:26656`;
    const say = async (...argv: readonly string[]): Promise<string> => {
      const shell = fakeShell({ ...realEnvironment(), terminal: true });
      expect(await run(['peers', ...argv, '--home', home], shell)).toBe(0);
      return shell.out;
    };
    const atRest = 'the node is not running';
    expect(await say()).toBe(`${atRest}: this is what its home knows\nno peers are known\n`);
    expect(await say('add', address)).toBe(`added: ${address}; ${atRest}\n`);
    expect(await say('add', address)).toBe(`known already: ${address}; ${atRest}\n`);
    expect((await say()).split('\n')[2]).toMatch(/^a{40} {2}known .* 1\.2\.3\.4:26656 /);
    expect(await say('ban', idOf('a'), '--for', '1h', '--reason', 'bad\u001b[2J')).toBe(`banned ${idOf('a')} for 1h; ${atRest}\n`);
    const explanation = await say('explain', idOf('a'));
    expect(explanation).toMatch(
      /^The node is not running\. By what its home knows:\nBanned for another 59 min: bad \[2J\.\n\n {2}state {2,}banned\n/,
    );
    expect(explanation).not.toMatch(/\u001b/);
    expect(await say('remove', idOf('a'))).toBe(`removed ${idOf('a')}; ${atRest}\n`);
  });

  test.each([
    [['add', 'nonsense'], 'ERR_ADDRESS_INVALID'],
    [['add'], 'ERR_OPTION_INVALID'],
    [['explain', 'nobody'], 'ERR_NODE_ID_INVALID'],
    [['explain', '../../status'], 'ERR_NODE_ID_INVALID'],
    [['ban', idOf('a')], 'ERR_OPTION_INVALID'],
    [['ban', idOf('a'), '--for', '1'], 'ERR_OPTION_INVALID'],
    [['remove', idOf('a')], 'ERR_PEER_UNKNOWN'],
    [['disconnect', idOf('a')], 'ERR_NODE_NOT_RUNNING'],
    [['dial', idOf('a')], 'ERR_NODE_NOT_RUNNING'],
    [['fly', idOf('a')], 'ERR_OPTION_INVALID'],
    [['remove', idOf('a'), 'extra'], 'ERR_OPTION_INVALID'],
  ])('%j fails with %s', async (argv, expected) => {
    expect(await code(...argv)).toBe(expected);
    expect(await peers()).toEqual([]);
  });

  test('more peers than are read at once are all listed, each once', async () => {
    const environment = realEnvironment();
    const atRest = await openPeersAtRest({ home, options: parseOptions(nodeOptions, {}), environment, log: pino({ level: 'silent' }) });
    const ids = Array.from({ length: 1_001 }, (_, n) => n.toString(16).padStart(40, '0'));
    await Promise.all(ids.map((id) => atRest.add(`mconn://${id}@1.2.3.4:1`)));
    await atRest.close();
    expect((await peers()).map(({ id }) => id)).toEqual(ids);
  });

  test('the home is free again before a word is told, whatever reads it', async () => {
    for (const argv of [[], ['add', `mconn://${idOf('a')}@1.2.3.4:1`], ['explain', idOf('a')], ['remove', idOf('a')]]) {
      const shell = fakeShell(realEnvironment());
      const inUse: boolean[] = [];
      Object.assign(shell.stdout, { write: () => inUse.push(isHomeInUse(home)) });
      await run(['peers', ...argv, '--home', home], shell);
      expect(inUse).toEqual(argv.length === 0 ? [] : [false]);
    }
  });

  test('our own id is told apart from strangers', async () => {
    const shell = fakeShell();
    await run(['id', '--home', home], shell);
    expect(await explained(String(shell.events()[0]?.['nodeId']))).toBe('This is our own id.');
    expect(await explained(idOf('a'))).toMatch(/^This peer is not known/);
  });

  test('a stranger that has the port of a killed node now is never asked, and never sees the token', async () => {
    let requests = 0;
    const stranger = await listen((_, response) => {
      requests += 1;
      response.end('{}');
    });
    publishUrl(home, stranger.url);
    monitorToken(home);
    expect(await peers()).toEqual([]);
    expect(await code('dial', idOf('a'))).toBe('ERR_NODE_NOT_RUNNING');
    await stranger.close();
    expect(requests).toBe(0);
  });
});

test('a home that was never made is not made by asking about it', async () => {
  expect(await code()).toBe('ERR_HOME_MISSING');
  expect(existsSync(home)).toBe(false);
});

type Stranger = Readonly<{ url: string; close(): Promise<unknown> }>;
async function listen(onRequest: RequestListener): Promise<Stranger> {
  const server: Server = createServer(onRequest);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = (): Promise<unknown> => {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    return closed;
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close };
}

describe('when what has the home does not answer as a node does,', () => {
  let lock: HomeLock;
  beforeEach(async () => {
    await run(['init', '--home', home], fakeShell());
    monitorToken(home);
    lock = lockHome(join(home, lockFile))!;
  });
  afterEach(() => {
    lock.release();
  });

  test('because it is starting or stopping, the home is in use', async () => {
    expect(await code()).toBe('ERR_HOME_IN_USE');
  });

  test('because nobody listens, or its URL is none, the node is unreachable', async () => {
    publishUrl(home, 'http://127.0.0.1:1');
    expect(await code()).toBe('ERR_NODE_UNREACHABLE');
    writeFileSync(join(home, urlFile), 'x');
    expect(await code()).toBe('ERR_NODE_UNREACHABLE');
  });

  test('because its token cannot be read, that is said', async () => {
    publishUrl(home, 'http://127.0.0.1:1');
    rmSync(join(home, tokenFile));
    expect(await code()).toBe('ERR_TOKEN_REQUIRED');
  });

  test.each<[string, RequestListener]>([
    ['it speaks no JSON', (_, response) => response.end('<html>')],
    ['it says more than it may', (_, response) => response.writeHead(200, { 'content-length': '99999999' }).flushHeaders()],
    ['it does not say how much it says', (_, response) => (response.write('{"peers":[],"next":null}'), response.end())],
    ['it sends us elsewhere', (_, response) => response.writeHead(307, { location: 'http://127.0.0.1:9/peers' }).end()],
    [
      'its error has no code of ours',
      (_, response) => response.writeHead(500, { 'content-length': '35' }).end('{"error":{"code":"toString","x":1}} '),
    ],
    ['it hangs up', (request) => request.socket.destroy()],
  ])('because %s, the node is unreachable', async (_, onRequest) => {
    const stranger = await listen(onRequest);
    publishUrl(home, stranger.url);
    expect(await code()).toBe('ERR_NODE_UNREACHABLE');
    await stranger.close();
  });

  test('a node that does is asked page by page', async () => {
    const asked: unknown[] = [];
    const node = await listen((request, response) => {
      asked.push(request.url);
      const page = asked.length === 1 ? { peers: [{ id: 'a' }, { id: 'b' }], next: 'b' } : { peers: [{ id: 'c' }], next: null };
      const body = JSON.stringify(page);
      response.writeHead(200, { 'content-length': String(body.length) }).end(body);
    });
    publishUrl(home, node.url);
    expect(await peers()).toEqual(['a', 'b', 'c'].map((id) => ({ event: 'peer', id })));
    expect(asked).toEqual(['/peers?limit=500&after=', '/peers?limit=500&after=b']);
    await node.close();
  });

  test('an error comes under the code that the node gave it', async () => {
    const body = JSON.stringify({ error: { code: 'ERR_SLOTS_FULL', message: 'no slot is free: outbound' } });
    const asked: (string | undefined)[] = [];
    const node = await listen((request, response) => {
      asked.push(request.method, request.url, request.headers.authorization);
      response.writeHead(409, { 'content-length': String(body.length) }).end(body);
    });
    publishUrl(home, node.url);
    await expect(peers('dial', idOf('a'))).rejects.toMatchObject({ code: 'ERR_SLOTS_FULL', message: 'no slot is free: outbound' });
    expect(asked).toEqual(['POST', `/peers/${idOf('a')}/dial`, `Bearer ${monitorToken(home)}`]);
    await node.close();
  });
});
