/** Damages the file of a peer store in ten thousand ways: every start succeeds and is quick, no changed row is trusted, rows in sound pages are kept, and the next start is clean. */
import { accessSync, constants, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeRow } from '../../actors/stores/row-codec.ts';
import { seededRandom } from '../../transports/simulated.ts';
import { damagedCopy, damages } from '../support/damage.ts';
import { scale } from './setup.ts';
import { diskStore, figure, finish, rowAt } from './store-setup.ts';

const files = Math.max(100, Math.ceil(10_000 * scale));
const seed = Number(process.env.TROUPE_SEED ?? 1);
const peers = 500;
const bounds = { startMs: 5_000, keptPercent: 99 };

/** What is made and damaged here need not outlive a power loss, so a disk of memory will do. */
function place(): string {
  try {
    accessSync('/dev/shm', constants.W_OK);
    return '/dev/shm';
  } catch {
    return tmpdir();
  }
}

const home = mkdtempSync(join(place(), 'troupe-damage-'));
const path = join(home, 'peers.db');
const rows = Array.from({ length: peers }, (_, n) => rowAt(n, n));
const original = new Map(rows.map((row) => [row.id as string, encodeRow(row).text]));
const first = diskStore(home);
first.open();
for (const row of rows) first.put(row).catch(() => undefined);
await first.close();
const file = readFileSync(path);

const random = seededRandom(seed);
const total = { started: 0, longestStartMs: 0, changed: 0, unstable: 0, kept: 0, keepable: 0, judged: 0 };
const kinds = new Map<string, number>(damages.map((kind) => [kind, 0]));
process.stdout.write(`${files} damaged copies of a file with ${peers} peers (${file.length / 4_096} pages), seed ${seed}\n`);
for (let n = 0; n < files; n++) {
  const { kind, bytes, hidden } = damagedCopy(file, random);
  kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  for (const suffix of ['-wal', '-shm']) rmSync(path + suffix, { force: true });
  writeFileSync(path, bytes);
  const store = diskStore(home);
  const began = performance.now();
  store.open();
  total.longestStartMs = Math.max(total.longestStartMs, performance.now() - began);
  if (store.state === 'ok') total.started++;
  const found = store.load();
  total.changed += found.filter((row) => original.get(row.id) !== encodeRow(row).text).length;
  if (hidden) {
    total.judged++;
    total.keepable += peers - hidden.size;
    total.kept += Math.min(found.length, peers - hidden.size);
  }
  await store.close();
  const again = diskStore(home);
  again.open();
  if (again.state !== 'ok' || again.skipped > 0 || again.load().length !== found.length) total.unstable++;
  await again.close();
  for (const name of ['damaged-1', 'damaged-1-wal', 'damaged-1-shm']) rmSync(`${path}.${name}`, { recursive: true, force: true });
}
rmSync(home, { recursive: true, force: true });

process.stdout.write(`${[...kinds].map(([kind, count]) => `${kind}: ${count}`).join(', ')}\n\n`);
figure('starts', total.started, { least: files });
figure('longest start', total.longestStartMs, { most: bounds.startMs }, 'ms');
figure('changed rows that were trusted', total.changed, { most: 0 });
figure('second starts that found anything else', total.unstable, { most: 0 });
figure(`rows kept of sound pages, in ${total.judged} files`, (100 * total.kept) / total.keepable, { least: bounds.keptPercent }, '%');
finish();
