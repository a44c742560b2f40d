/** A disk that is full, then may only be read, then has room again: a small one of memory, mounted for the purpose. The node goes on and writes what it kept as soon as it can. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, rmdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { PeerStore } from '../../actors/peer-store.ts';
import { scale } from './setup.ts';
import { diskStore, figure, finish, rowAt } from './store-setup.ts';

/** Time between two attempts to write: the default, or shorter in a short form. */
const retryMs = Math.max(2_000, Math.ceil(30_000 * Math.min(1, scale)));
const defaultRetryMs = 30_000;
const peers = 5_000;
const bounds = { lostShare: 1 };

const place = mkdtempSync(join(tmpdir(), 'troupe-full-'));
const mount = (...args: readonly string[]): boolean => spawnSync('mount', [...args, place], { stdio: 'ignore' }).status === 0;
if (!mount('-t', 'tmpfs', '-o', 'size=1m', 'tmpfs')) {
  rmdirSync(place);
  process.stdout.write('skipped: may not mount a disk\n');
  process.exit(0);
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const options = { retryMs, maxPeers: 10_000 };

/** Milliseconds until a store is in a state, looked for every few. */
async function until(store: PeerStore, state: string, mostMs: number): Promise<number> {
  const began = performance.now();
  while (store.state !== state && performance.now() - began < mostMs) await sleep(5);
  return store.state === state ? performance.now() - began : Infinity;
}

/** How many of the rows a store that was closed finds again. */
async function foundIn(home: string): Promise<number> {
  const store = diskStore(home, options);
  store.open();
  const found = store.load().length;
  await store.close();
  return found;
}

async function fillsWhileRunning(): Promise<void> {
  process.stdout.write('\nfull while it runs\n');
  const home = join(place, 'running');
  const store = diskStore(home, options);
  store.open();
  const outcomes = Array.from({ length: peers }, (_, n) =>
    store.put(rowAt(n, n)).then(
      () => true,
      () => false,
    ),
  );
  await until(store, 'degraded', 60_000);
  const acknowledged = (await Promise.all(outcomes)).filter(Boolean).length;
  figure('rows acknowledged before it was full', acknowledged, { least: 1 });
  figure('rows not acknowledged', peers - acknowledged, { least: 1 });
  figure('rows readable', store.load().length, { least: peers });
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  await sleep(2.5 * retryMs);
  delay.disable();
  figure('an attempt to write takes, of the time between two', (100 * delay.max) / 1e6 / defaultRetryMs, { most: bounds.lostShare }, '%');
  mount('-o', 'remount,size=64m');
  figure('written again after', await until(store, 'ok', 2 * retryMs), { most: retryMs + 1_000 }, 'ms');
  await store.close();
  figure('rows found by the next start', await foundIn(home), { least: peers });
  rmSync(home, { recursive: true });
}

async function fullAtFirst(): Promise<void> {
  process.stdout.write('\nfull at the first start\n');
  mount('-o', 'remount,size=1m');
  const junk = join(place, 'junk');
  for (let kib = 1_024, part = 0; kib >= 4; kib /= 2, part++) {
    try {
      writeFileSync(`${junk}-${part}`, Buffer.alloc(kib * 1_024));
    } catch {
      // What there was room for is taken now.
    }
  }
  const home = join(place, 'first');
  const store = diskStore(home, options);
  store.open();
  figure('degraded', store.state === 'degraded' ? 1 : 0, { least: 1 });
  await store.put(rowAt(1, 1)).catch(() => undefined);
  figure('rows readable', store.load().length, { least: 1 });
  mount('-o', 'remount,size=64m');
  figure('written after', await until(store, 'ok', 2 * retryMs), { most: retryMs + 1_000 }, 'ms');
  await store.close();
  figure('rows found by the next start', await foundIn(home), { least: 1 });
}

async function readOnly(): Promise<void> {
  process.stdout.write('\na disk that may only be read\n');
  const home = join(place, 'first');
  mount('-o', 'remount,ro');
  const store = diskStore(home, options);
  store.open();
  figure('degraded', store.state === 'degraded' ? 1 : 0, { least: 1 });
  figure('rows readable', store.load().length, { least: 1 });
  await store.put(rowAt(2, 2)).catch(() => undefined);
  mount('-o', 'remount,rw');
  figure('written after', await until(store, 'ok', 2 * retryMs), { most: retryMs + 1_000 }, 'ms');
  await store.close();
  figure('rows found by the next start', await foundIn(home), { least: 2 });
}

try {
  process.stdout.write(`a disk of 1 MiB, tried again every ${retryMs} ms\n`);
  await fillsWhileRunning();
  await fullAtFirst();
  await readOnly();
} finally {
  spawnSync('umount', [place]);
  rmdirSync(place);
}
finish();
