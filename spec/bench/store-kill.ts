/** Kills a process that writes to the peer store, a thousand times at moments left to chance: nothing acknowledged is lost, and every start is quick. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { seededRandom } from '../../transports/simulated.ts';
import { scale } from './setup.ts';
import { Ledger } from './store-ledger.ts';
import { diskStore, figure, finish } from './store-setup.ts';
import type { Task } from './store-writer.ts';

const kills = Math.max(40, Math.ceil(1_000 * scale));
const seed = Number(process.env.TROUPE_SEED ?? 1);
/** Homes written to side by side, and kills after which a home is begun anew, so that some fall into the making of a file. */
const lanes = 2;
const killsPerHome = 25;
const peers = 2_000;
/** Most kills fall after some number of acknowledgements, whatever the speed of the machine; some at any time after the start, which may be too early for one. */
const mostAcknowledged = 3_000;
const longestLifeMs = 200;
const shareByTime = 0.2;
const bounds = { openMs: 2_000, acknowledgedPerKill: 1_000 };

const total = { kills: 0, opens: 0, longestOpenMs: 0, issued: 0, acknowledged: 0, lost: 0, skipped: 0, degraded: 0 };
const opened = (ms: number): void => {
  total.opens++;
  total.longestOpenMs = Math.max(total.longestOpenMs, ms);
};

/** Writers that have started and wait for their task. */
const waiting: Promise<Writer>[] = [];
type Writer = Readonly<{ child: ChildProcess; onLine(hear: (line: string) => void): void; closed: Promise<unknown> }>;

async function writer(): Promise<Writer> {
  const child = spawn(process.execPath, [...process.execArgv, new URL('./store-writer.ts', import.meta.url).pathname], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.on('error', () => undefined);
  let hear: (line: string) => void = () => undefined;
  const lines = createInterface(child.stdout);
  const ready = once(lines, 'line');
  // A line that the kill cut in two was not said.
  lines.on('line', (line) => hear(line));
  const closed = Promise.all([once(child, 'exit'), once(lines, 'close')]);
  await ready;
  return { child, onLine: (next) => (hear = next), closed };
}

async function lane(number: number): Promise<void> {
  const random = seededRandom(seed * lanes + number);
  let home = '';
  let ledger = new Ledger();
  let version = 1;
  for (let turn = 0; total.kills < kills; turn++) {
    total.kills++;
    if (turn % killsPerHome === 0) {
      if (home) forget(home, ledger);
      home = mkdtempSync(join(tmpdir(), 'troupe-kill-'));
      ledger = new Ledger();
    }
    const { child, onLine, closed } = await (waiting.shift() ?? writer());
    waiting.push(writer());
    let left = random() < shareByTime ? Infinity : Math.ceil(random() * mostAcknowledged);
    onLine((line) => {
      ledger.hear(line);
      if (line.startsWith('open')) opened(Number(line.slice(5)));
      if (line.startsWith('ack') && --left === 0) setTimeout(() => child.kill('SIGKILL'), random() * 3);
    });
    const task: Task = {
      home,
      seed: Math.floor(random() * 2 ** 31),
      peers,
      atOnce: 1 + Math.floor(random() * 400),
      version,
      options: { commitMs: 1 + Math.floor(random() * 4), spacingMs: 1 + Math.floor(random() * 20) },
    };
    version += 10_000_000;
    child.stdin!.write(`${JSON.stringify(task)}\n`);
    if (left === Infinity) setTimeout(() => child.kill('SIGKILL'), random() * longestLifeMs);
    await closed;
    // Now and then the next process finds what two have left, one after the other.
    if (random() < 0.1 && turn % killsPerHome !== killsPerHome - 1) continue;
    look(home, ledger);
  }
  if (home) {
    look(home, ledger);
    forget(home, ledger);
  }
}

function forget(home: string, { issued, acknowledged }: Ledger): void {
  total.issued += issued;
  total.acknowledged += acknowledged;
  rmSync(home, { recursive: true, force: true });
}

function look(home: string, ledger: Ledger): void {
  const store = diskStore(home);
  const began = performance.now();
  store.open();
  opened(performance.now() - began);
  total.skipped += store.skipped;
  if (store.state !== 'ok') total.degraded++;
  const lost = ledger.check(store.load());
  total.lost += lost.length;
  for (const line of lost) process.stdout.write(`${line}\n`);
  void store.close();
}

process.stdout.write(`peer store, ${kills} kills, seed ${seed}\n`);
const began = performance.now();
for (let n = 0; n < 2 * lanes; n++) waiting.push(writer());
await Promise.all(Array.from({ length: lanes }, (_, number) => lane(number)));
for (const each of await Promise.all(waiting)) each.child.kill('SIGKILL');
process.stdout.write(`${total.issued} changes in ${((performance.now() - began) / 1e3).toFixed(0)} s, ${total.opens} starts\n\n`);
figure('acknowledged changes', total.acknowledged, { least: bounds.acknowledgedPerKill * kills });
figure('acknowledged changes that were lost', total.lost, { most: 0 });
figure('starts that were degraded', total.degraded, { most: 0 });
figure('rows that could not be read', total.skipped, { most: 0 });
figure('longest start', total.longestOpenMs, { most: bounds.openMs }, 'ms');
finish();
