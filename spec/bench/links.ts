/** Connects and disconnects by the thousand: afterwards descriptors, actors, timers and memory are where they were. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { benchNode, dataChannel, echoChannel, scale } from './setup.ts';

const connects = Math.max(200, Math.ceil(10_000 * scale));
const warmUp = Math.max(100, Math.ceil(500 * scale));
/** Heap that garbage, caches and histograms may keep, in bytes. */
const heapSlack = 8 * 2 ** 20;
const rssSlack = 50 * 2 ** 20;

type Level = { descriptors: number; actors: number; timers: number; links: number; known: number; heapUsedBytes: number; rssBytes: number };

const collect = (globalThis as { gc?: () => void }).gc;
if (!collect) throw new Error('run with --expose-gc');
const node = await benchNode('sodium', { dialer: { cooldownMs: 1 } });
node.openChannel(dataChannel);
node.openChannel(echoChannel);
await node.start();

async function level(): Promise<Level> {
  // Ended links leave over a few turns; then nothing is left that time could take away.
  for (let i = 0; i < 100 && node.status().links > 0; i++) await new Promise((resolve) => setTimeout(resolve, 100));
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  for (let i = 0; i < 3; i++) {
    collect!();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { actors, timers, links, peers, heapUsedBytes, rssBytes } = node.status();
  return { descriptors: readdirSync('/proc/self/fd').length, actors, timers, links, known: peers.known, heapUsedBytes, rssBytes };
}

const churn = spawn(process.execPath, [...process.execArgv, new URL('./churn.ts', import.meta.url).pathname, node.addresses[0]!], {
  stdio: ['pipe', 'pipe', 'inherit'],
});
const lines = createInterface(churn.stdout)[Symbol.asyncIterator]();
async function drive(times: number): Promise<Record<string, number>> {
  churn.stdin.write(`${times}\n`);
  const { value } = (await lines.next()) as { value: string };
  return JSON.parse(value) as Record<string, number>;
}

await drive(warmUp);
const before = await level();
const began = performance.now();
const outcome = await drive(connects);
const seconds = (performance.now() - began) / 1e3;
const after = await level();
const { disconnects } = node.status();

const bounds: readonly (readonly [keyof Level, number])[] = [
  ['descriptors', before.descriptors],
  ['actors', before.actors],
  ['timers', before.timers],
  ['links', 0],
  ['known', before.known],
  ['heapUsedBytes', before.heapUsedBytes + heapSlack],
  ['rssBytes', before.rssBytes + rssSlack],
];
process.stdout.write(
  `${connects} connects in ${seconds.toFixed(1)} s: ${JSON.stringify(outcome)}\ndisconnects by reason: ${JSON.stringify(disconnects)}\n\n`,
);
let failed = outcome.shaken === 0 ? 1 : 0;
for (const [name, most] of bounds) {
  const past = after[name] > most;
  if (past) failed++;
  process.stdout.write(
    `${name.padEnd(16)}${String(before[name]).padStart(12)} ->${String(after[name]).padStart(12)}  (bound: at most ${most})${past ? '  PAST ITS BOUND' : ''}\n`,
  );
}
churn.stdin.end();
await Promise.all([once(churn, 'exit'), node.stop()]);
process.exit(failed > 0 ? 1 : 0);
