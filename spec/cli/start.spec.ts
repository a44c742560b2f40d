import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { troupe, type Running } from '../support/process.ts';

jest.setTimeout(60_000);

let home: string;
let running: Running[];
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'troupe-start-'));
  running = [];
});
afterEach(async () => {
  for (const { child } of running) child.kill('SIGKILL');
  await Promise.all(running.map(({ exit }) => exit));
  rmSync(home, { recursive: true });
});

const free = ['--listen', 'mconn://127.0.0.1:0', '--monitor', '127.0.0.1:0'];
function start(...[argv = free, options]: [(readonly string[])?, Parameters<typeof troupe>[1]?]): Running {
  const node = troupe(['start', '--home', home, ...argv], options);
  running.push(node);
  return node;
}
/** Exit code and error code of a start that fails. */
async function failure(argv: readonly string[], options?: Parameters<typeof troupe>[1]): Promise<readonly unknown[]> {
  const node = start(argv, options);
  const exit = await node.exit;
  const told = node
    .err()
    .split('\n')
    .find((line) => line.includes('"event":"error"'));
  expect(node.lines).toEqual([]);
  return [exit, (JSON.parse(told ?? '{}') as { code?: string }).code];
}

test('a node says it is ready, is seen through its monitor, keeps others off its home and ports, and stops when told', async () => {
  const node = start();
  const ready = await node.seen('ready');
  expect(node.lines[0]).toBe(ready);
  const { nodeId, listen, monitor, token } = ready as { nodeId: string; listen: string[]; monitor: string; token: string };
  expect(ready).toEqual({
    event: 'ready',
    nodeId: expect.stringMatching(/^[0-9a-f]{40}$/),
    listen: [expect.any(String)],
    home,
    pid: node.child.pid,
    monitor,
    token,
  });
  expect(readFileSync(join(home, 'monitor.token'), 'utf8').trim()).toBe(token);
  expect(statSync(join(home, 'node_key.json')).mode & 0o777).toBe(0o600);
  const get = async (path: string) => (await fetch(`${monitor}${path}`)).json();
  expect(await get('/health')).toMatchObject({ ok: true });
  expect(await get('/status')).toMatchObject({
    nodeId,
    network: 'troupe',
    peers: { known: 0, dialing: 0, connected: 0, up: 0, banned: 0 },
    store: { state: 'ok' },
  });
  expect(await get('/peers')).toEqual({ peers: [], next: null });

  expect(await failure(free)).toEqual([3, 'ERR_HOME_IN_USE']);
  const elsewhere = ['--home', join(home, 'other')];
  const port = listen[0]!.replace(/^.*:/, '');
  expect(await failure([...free, ...elsewhere, '--listen', `mconn://127.0.0.1:${port}`])).toEqual([4, 'ERR_LISTEN_UNAVAILABLE']);
  expect(await failure([...free, ...elsewhere, '--monitor', monitor.replace('http://', '')])).toEqual([4, 'ERR_MONITOR_UNAVAILABLE']);

  node.child.kill('SIGTERM');
  expect(await node.exit).toBe(0);
  expect(node.lines.at(-1)).toEqual({ event: 'stopped' });
});

describe('two nodes', () => {
  test('tell when the other comes up and goes down, and echo; each source of options is read', async () => {
    const first = start();
    const { listen, nodeId } = (await first.seen('ready')) as { listen: string[]; nodeId: string };
    const other = join(home, 'other');
    await troupe(['init', '--home', other, '--bootstrap-peers', listen[0]!]).exit;
    const second = start([...free, '--home', other], { env: { TROUPE_ECHO_ASK: 'true', TROUPE_ECHO_EVERY_MS: '100' } });
    expect(await second.seen('up')).toEqual({ event: 'up', id: nodeId, channels: [0x00, 0x77] });
    const echo = await second.seen('echo');
    expect(echo).toEqual({ event: 'echo', answers: expect.any(Number), meanMs: expect.any(Number), maxMs: expect.any(Number) });
    // A machine too busy to tell of one question before the next tells of both.
    expect(echo['answers']).toBeGreaterThan(0);
    first.child.kill('SIGINT');
    expect(await second.seen('down')).toMatchObject({ event: 'down', id: nodeId, reason: 'remoteClosed' });
    second.child.kill('SIGHUP');
    expect(await Promise.all([first.exit, second.exit])).toEqual([0, 0]);
  });
});

describe('a node that cannot start says why', () => {
  test('an unknown option, variable or line of the file', async () => {
    expect(await failure([...free, '--foo'])).toEqual([2, 'ERR_OPTION_INVALID']);
    expect(await failure(free, { env: { TROUPE_FOO: '1' } })).toEqual([2, 'ERR_OPTION_INVALID']);
    writeFileSync(join(home, 'config.toml'), 'foo = 1\n');
    expect(await failure(free)).toEqual([2, 'ERR_OPTION_INVALID']);
  });

  test('an address or endpoint that is none', async () => {
    expect(await failure([...free, '--persistent-peers', 'mconn://nobody@127.0.0.1:1'])).toEqual([2, 'ERR_ADDRESS_INVALID']);
    expect(await failure([...free, '--listen', 'mconn://example.com:1'])).toEqual([2, 'ERR_ENDPOINT_INVALID']);
    expect(await failure([...free, '--monitor', 'nowhere'])).toEqual([2, 'ERR_OPTION_INVALID']);
  });

  test('a key that is no key, which is left as it is', async () => {
    writeFileSync(join(home, 'node_key.json'), '{"id":"x"}');
    expect(await failure(free)).toEqual([2, 'ERR_NODE_KEY_INVALID']);
    expect(readFileSync(join(home, 'node_key.json'), 'utf8')).toBe('{"id":"x"}');
  });
});

test('a reader of standard output that goes away does not end the node', async () => {
  const node = start();
  const { monitor } = (await node.seen('ready')) as { monitor: string };
  node.child.stdout?.destroy();
  const peer = start([...free, '--home', join(home, 'other'), '--bootstrap-peers', (node.lines[0] as { listen: string[] }).listen[0]!]);
  await peer.seen('up');
  expect((await fetch(`${monitor}/health`)).status).toBe(200);
  node.child.kill('SIGTERM');
  expect(await node.exit).toBe(0);
});

test('a node whose starter has gone stops cleanly', async () => {
  const node = start(free, { ipc: true });
  await node.seen('ready');
  node.child.disconnect();
  expect(await node.exit).toBe(0);
  expect(node.lines.at(-1)).toEqual({ event: 'stopped' });
});

test.each(['Promise.reject(new Error("nobody cares"))', '(() => { throw new Error("nobody cares") })()'])(
  'a fault that nobody handles (%s) is logged, and the process ends with 70',
  async (fault) => {
    const node = start(free, { nodeFlags: ['--import', `data:text/javascript,process.on("SIGUSR2",()=>{${fault}})`] });
    await node.seen('ready');
    node.child.kill('SIGUSR2');
    expect(await node.exit).toBe(70);
    expect(node.err()).toContain('nobody cares');
  },
);
