/** A hundred thousand known peers on disk: how long a node takes to start with them, and what they cost in memory above a node that knows none. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createNode } from '../../index.ts';
import { slack } from './setup.ts';
import { diskStore, figure, finish, idAt, rowAt } from './store-setup.ts';

/** Not scaled: the bounds are those of this very number, and it takes seconds. */
const peers = 100_000;
const runs = 3;
const bounds = { startMs: 2_000 * slack, memoryMb: 100 };
const options = { maxPeers: peers };

/** It grows with what has ever been allocated and stays: of one size in both, it is not taken for what peers weigh. */
const youngGeneration = '--min-semi-space-size=16';

type Measured = Readonly<{ startMs: number; cpuMs: number; known: number; heapMb: number; rssMb: number }>;

/** Starts a node on a home, in this process, and says what that took and what it holds. */
async function measure(home: string): Promise<Measured> {
  const collect = (globalThis as { gc?: () => void }).gc;
  if (!collect) throw new Error('run with --expose-gc');
  const node = await createNode({
    network: 'bench',
    home,
    store: options,
    listen: ['mconn://127.0.0.1:0'],
    monitor: false,
    logLevel: 'error',
    // So that what is measured is the start, not a hundred dials to nowhere.
    dialer: { maxDialing: 1, timeoutMs: 60_000 },
  });
  const [began, cpu] = [performance.now(), process.cpuUsage()];
  await node.start();
  const startMs = performance.now() - began;
  const { user, system } = process.cpuUsage(cpu);
  for (let turn = 0; turn < 5; turn++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  const { known } = node.status().peers;
  await node.stop();
  return { startMs, cpuMs: (user + system) / 1e3, known, heapMb: (heapUsed + external) / 1e6, rssMb: rss / 1e6 };
}

/** The same in fresh processes, the best of some: a busy machine only ever adds. */
function measuredIn(home: string): Measured {
  const all = Array.from({ length: runs }, () => {
    const { stdout, status } = spawnSync(
      process.execPath,
      [...process.execArgv, '--expose-gc', youngGeneration, import.meta.filename, home],
      {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    if (status !== 0) throw new Error(`ended with ${status}`);
    return JSON.parse(stdout) as Measured;
  });
  return all.reduce((best, each) => ({
    startMs: Math.min(best.startMs, each.startMs),
    cpuMs: Math.min(best.cpuMs, each.cpuMs),
    known: Math.min(best.known, each.known),
    heapMb: Math.min(best.heapMb, each.heapMb),
    rssMb: Math.min(best.rssMb, each.rssMb),
  }));
}

const [given] = process.argv.slice(2);
if (given !== undefined && !given.startsWith('-')) {
  process.stdout.write(JSON.stringify(await measure(given)));
  process.exit(0);
}

const folder = mkdtempSync(join(tmpdir(), 'troupe-load-'));
try {
  const full = join(folder, 'full');
  const store = diskStore(full, options);
  store.open();
  // In the order of the table, which fills it many times faster.
  const order = Array.from({ length: peers }, (_, n) => [idAt(n), n] as const).sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [, n] of order) store.put(rowAt(n, n)).catch(() => undefined);
  await store.close();
  process.stdout.write(
    `${peers} peers, a file of ${(statSync(join(full, 'peers.db')).size / 1e6).toFixed(0)} MB, best of ${runs} starts\n\n`,
  );
  const [some, none] = [measuredIn(full), measuredIn(join(folder, 'none'))];
  figure('peers known', some.known, { least: peers });
  figure('start', some.startMs, { most: bounds.startMs }, 'ms');
  process.stdout.write(
    `of which the processor worked ${some.cpuMs.toFixed(0)} ms; an empty node starts in ${none.startMs.toFixed(0)} ms\n`,
  );
  figure('heap above an empty node', some.heapMb - none.heapMb, { most: bounds.memoryMb }, 'MB');
  figure('resident memory above an empty node', some.rssMb - none.rssMb, { most: bounds.memoryMb }, 'MB');
} finally {
  rmSync(folder, { recursive: true, force: true });
}
finish();
