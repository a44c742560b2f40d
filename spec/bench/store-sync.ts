/** Traces a process that writes to the peer store: a sync before every acknowledgement, nothing acknowledged lost when the power fails, and a slow disk that holds nothing up. */
import { spawnSync } from 'node:child_process';
import { createReadStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { seededRandom } from '../../transports/simulated.ts';
import { scale, slack } from './setup.ts';
import { Disk, diskCallOf, type DiskCall } from './store-disk.ts';
import { Ledger } from './store-ledger.ts';
import { diskStore, figure, finish } from './store-setup.ts';
import type { Task } from './store-writer.ts';

const losses = Math.max(20, Math.ceil(200 * scale));
const seed = Number(process.env.TROUPE_SEED ?? 1);
const slowSyncMs = 50;
const bounds = { loopP99Ms: 60 * slack, loopMaxMs: 250 * slack };
const calls = 'pwrite64,write,fsync,fdatasync,ftruncate,openat,unlink';

if (spawnSync('strace', ['-o', '/dev/null', 'true']).status !== 0) {
  // Where it is installed for the purpose, it has to be there.
  process.stdout.write('skipped: no strace\n');
  process.exit(process.env.CI ? 1 : 0);
}

const folder = mkdtempSync(join(tmpdir(), 'troupe-sync-'));
const home = join(folder, 'home');

function traced(flags: readonly string[], task: Omit<Task, 'home' | 'seed'>): string {
  const writer = new URL('./store-writer.ts', import.meta.url).pathname;
  const command = [...flags, process.execPath, ...process.execArgv, writer];
  const { status, stdout } = spawnSync('strace', command, {
    input: `${JSON.stringify({ ...task, home, seed } satisfies Task)}\n`,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  if (status !== 0) throw new Error(`the writer ended with ${status}`);
  return stdout;
}

/** Every call of two processes that used one home, one after the other. */
async function callsOf(): Promise<readonly DiskCall[]> {
  const found: DiskCall[] = [];
  for (const version of [1, 1_000_000]) {
    const trace = join(folder, `trace-${version}`);
    traced(['-y', '-xx', '-s', '1000000', '-e', `trace=${calls}`, '-o', trace], {
      peers: 300,
      atOnce: 60,
      version,
      rounds: Math.ceil(40 * Math.max(0.25, scale)),
      options: { commitMs: 5, spacingMs: 1 },
    });
    for await (const line of createInterface(createReadStream(trace))) {
      const call = diskCallOf(line);
      if (call) found.push(call);
    }
  }
  return found;
}

const hearAll = (ledger: Ledger, text: string): void => {
  for (const line of text.split('\n')) ledger.hear(line);
};

function showSyncs(all: readonly DiskCall[]): void {
  const disk = new Disk(home);
  let [batches, acknowledged, unsynced, syncs] = [0, 0, 0, 0];
  for (const call of all) {
    disk.apply(call);
    if (call.type === 'sync' && call.path.startsWith(home)) syncs++;
    if (call.type !== 'said' || !call.text.startsWith('ack')) continue;
    batches++;
    acknowledged += call.text.split('\n').length - 1;
    if (!disk.isSynced()) unsynced++;
  }
  figure('acknowledged changes', acknowledged, { least: 1 });
  figure('acknowledgements before their sync', unsynced, { most: 0 });
  figure('syncs', syncs, { least: batches });
}

/** Cuts the power at moments left to chance and looks at what is left. */
async function showLosses(all: readonly DiskCall[]): Promise<void> {
  const random = seededRandom(seed);
  const first = all.findIndex((call) => 'path' in call && call.path.startsWith(home));
  const moments = Array.from({ length: losses }, () => first + Math.floor(random() * (all.length - first))).sort((a, b) => a - b);
  const disk = new Disk(home);
  const said: string[] = [];
  let [at, lost, degraded, kept] = [0, 0, 0, 0];
  for (const moment of moments) {
    for (; at < moment; at++) {
      const call = all[at]!;
      disk.apply(call);
      if (call.type === 'said') said.push(call.text);
    }
    const left = join(folder, 'left');
    disk.loseInto(left, random);
    const store = diskStore(left);
    store.open();
    if (store.state !== 'ok') degraded++;
    const ledger = new Ledger();
    hearAll(ledger, said.join(''));
    const missing = ledger.check(store.load());
    for (const line of missing) process.stdout.write(`call ${moment}: ${line}\n`);
    lost += missing.length;
    kept += ledger.acknowledged;
    await store.close();
    rmSync(left, { recursive: true, force: true });
  }
  process.stdout.write(`\npower lost ${losses} times, seed ${seed}, after ${(kept / losses).toFixed(0)} acknowledged changes on average\n`);
  figure('acknowledged changes that were lost', lost, { most: 0 });
  figure('starts that were degraded', degraded, { most: 0 });
}

function showSlowDisk(): void {
  const slow = `inject=fsync,fdatasync:delay_exit=${slowSyncMs * 1_000}`;
  const said = traced(['-f', '--seccomp-bpf', '-e', 'trace=fsync,fdatasync', '-e', slow, '-o', '/dev/null'], {
    peers: 100_000,
    atOnce: 20,
    version: 1,
    rounds: Math.ceil(300 * Math.max(0.2, scale)),
    options: {},
  });
  const [, p50 = 0, p99 = 0, max = 0] = (/^loop .*$/m.exec(said)?.[0] ?? '').split(' ').map(Number);
  process.stdout.write(`\nsyncs that take ${slowSyncMs} ms longer: loop delay p50 ${p50.toFixed(1)} ms\n`);
  figure('loop delay p99', p99, { most: bounds.loopP99Ms }, 'ms');
  figure('loop delay max', max, { most: bounds.loopMaxMs }, 'ms');
}

try {
  const all = await callsOf();
  showSyncs(all);
  await showLosses(all);
  rmSync(home, { recursive: true, force: true });
  showSlowDisk();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
finish();
