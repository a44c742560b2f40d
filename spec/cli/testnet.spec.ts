import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { troupe, type Running } from '../support/process.ts';

jest.setTimeout(120_000);

let folder: string;
let net: Running;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'troupe-testnet-'));
});
afterEach(async () => {
  net.child.kill('SIGKILL');
  await net.exit;
  rmSync(folder, { recursive: true });
});

const named = (node: string) => (line: Readonly<Record<string, unknown>>) => line['node'] === node;

test('nodes find each other from one address, one that is killed is reported and comes back by hand, and all stop when told', async () => {
  net = troupe(['testnet', '3', '--home', folder]);
  expect(await net.seen('complete')).toEqual({ event: 'complete', afterMs: expect.any(Number) });
  expect(net.lines[0]).toEqual({ event: 'testnet', nodes: 3, home: folder });
  for (const node of ['node0', 'node1', 'node2']) {
    // Dials that cross may take a peer down and up again.
    expect(new Set(net.lines.filter(named(node)).flatMap(({ event, id }) => (event === 'up' ? [id] : [])))).toHaveProperty('size', 2);
    expect(await net.seen('echo', node)).toMatchObject({ answers: expect.any(Number) });
  }

  const { pid, command } = (await net.seen('started', 'node1')) as { pid: number; command: string };
  process.kill(pid, 'SIGKILL');
  expect(await net.seen('exited', 'node1')).toMatchObject({ code: null, signal: 'SIGKILL', command });
  const again = spawn('sh', ['-c', `exec ${command}`], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  again.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
  const ended = once(again, 'exit');
  while (said.split('"event":"up"').length < 3) await once(again.stdout, 'data');
  again.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);

  net.child.kill('SIGINT');
  expect(await net.exit).toBe(0);
  expect(
    net.lines
      .filter(({ event }) => event === 'stopped')
      .map(({ node }) => node)
      .sort(),
  ).toEqual(['node0', 'node2', undefined]);
});

test('a node that cannot start ends the testnet with its exit code, and the others with it', async () => {
  net = troupe(['testnet', '2', '--home', folder]);
  const { command } = (await net.seen('started', 'node1')) as { command: string };
  await net.seen('complete');
  net.child.kill('SIGTERM');
  expect(await net.exit).toBe(0);
  const holder = spawn('sh', ['-c', `exec ${command}`], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(holder.stdout, 'data');
  net = troupe(['testnet', '2', '--home', folder]);
  expect(await net.exit).toBe(3);
  expect(net.lines).toContainEqual(expect.objectContaining({ event: 'exited', node: 'node1', code: 3 }));
  expect(net.lines).toContainEqual({ node: 'node0', event: 'stopped' });
  holder.kill('SIGTERM');
  await once(holder, 'exit');
});
