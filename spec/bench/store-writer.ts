/**
 * Writes to a peer store until it is killed, saying on standard output what it is about to write and then, each time, what was acknowledged.
 * Told where on standard input: one line of JSON. It is ready before, so that being killed costs no time to start.
 */
import { writeSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { seededRandom } from '../../transports/simulated.ts';
import { diskStore, idAt, rowAt } from './store-setup.ts';

export type Task = Readonly<{
  home: string;
  seed: number;
  /** Peers written to, and how many of them at once. */
  peers: number;
  atOnce: number;
  /** Number of the first change. */
  version: number;
  options: object;
  /** Rounds after which it closes the store and ends by itself; for ever without. */
  rounds?: number;
}>;

/** Straight into the pipe: what was said is said, whatever happens next. */
const say = (text: string): void => void writeSync(1, text);

async function work({ home, seed, peers, atOnce, version: first, options, rounds = Infinity }: Task): Promise<void> {
  const random = seededRandom(seed);
  const store = diskStore(home, options);
  const began = performance.now();
  store.open();
  say(`open ${performance.now() - began}\n`);
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  let version = first;
  let acknowledged = '';
  const acknowledge = (line: string): void => {
    if (acknowledged === '') queueMicrotask(() => queueMicrotask(() => (say(acknowledged), (acknowledged = ''))));
    acknowledged += line;
  };
  for (let round = 0; round < rounds; round++) {
    const changes = Array.from({ length: atOnce }, () => ({
      peer: Math.floor(random() * peers),
      version: version++,
      isGone: random() < 0.1,
    }));
    say(changes.map((each) => `${each.isGone ? 'delete' : 'put'} ${each.version} ${each.peer}\n`).join(''));
    const written = changes.map(async ({ peer, version: at, isGone }) => {
      await (isGone ? store.delete(idAt(peer)) : store.put(rowAt(peer, at)));
      acknowledge(`ack ${at} ${peer}\n`);
    });
    if (random() < 0.2) written.push(store.flush());
    await Promise.all(written);
  }
  delay.disable();
  say(`loop ${delay.percentile(50) / 1e6} ${delay.percentile(99) / 1e6} ${delay.max / 1e6}\n`);
  await store.close();
}

say('ready\n');
for await (const line of createInterface(process.stdin)) {
  await work(JSON.parse(line) as Task);
  break;
}
process.exit(0);
