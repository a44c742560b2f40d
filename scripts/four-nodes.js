/**
 * Keeps the README's promise honest: `npm start` gives four nodes that have each other up within 20 s; one that is killed and started again
 * by hand on its home is up again within 20 s; all stop cleanly within 5 s of a signal. Prints each figure with its bound, exits with 1 past one.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

const boundsMs = { complete: 20_000, rejoined: 20_000, stopped: 5_000 };
const nodes = new Map();
let failed = false;

const npm = spawn('npm', ['start'], { stdio: ['ignore', 'pipe', 'inherit'], detached: true });
const lines = createInterface(npm.stdout);
const waiting = [];
lines.on('line', (line) => {
  if (!line.startsWith('{')) return;
  const event = JSON.parse(line);
  if (event.event === 'started') nodes.set(event.node, { ...event });
  if (event.event === 'ready') Object.assign(nodes.get(event.node), { monitor: event.monitor });
  for (const waiter of waiting.filter(({ wanted }) => wanted(event))) waiter.resolve(event);
});
const seen = (wanted) => new Promise((resolve) => waiting.push({ wanted, resolve }));

/** Prints how long something took; gives up at three times its bound. */
async function measured(name, what) {
  const started = performance.now();
  const late = Symbol('late');
  const result = await Promise.race([what, sleep(boundsMs[name] * 3, late, { ref: false })]);
  const ms = Math.round(performance.now() - started);
  const good = result !== late && ms <= boundsMs[name];
  failed ||= !good;
  console.log(
    `${name.padEnd(9)} ${result === late ? 'never' : `${ms} ms`}   bound ${boundsMs[name]} ms   ${good ? 'ok' : 'PAST ITS BOUND'}`,
  );
}

async function upOf({ monitor }) {
  try {
    return (await (await fetch(`${monitor}/status`)).json()).peers.up;
  } catch {
    return 0;
  }
}

const until = async (condition) => {
  while (!(await condition())) await sleep(100);
};
const allUp = async () => (await Promise.all([...nodes.values()].map(upOf))).every((up) => up === 3);

const allReady = [0, 1, 2, 3].map((k) => seen(({ event, node }) => event === 'ready' && node === `node${k}`));
const ended = Promise.race([once(npm, 'exit'), sleep(60_000, undefined, { ref: false })]).then(() => 'ended');
if ((await Promise.race([Promise.all(allReady), ended])) === 'ended') {
  console.error('npm start did not get four nodes ready');
  process.kill(-npm.pid, 'SIGTERM');
  process.exit(1);
}
await measured('complete', until(allUp));

const victim = nodes.get('node2');
const exited = seen(({ event, node }) => event === 'exited' && node === 'node2');
process.kill(victim.pid, 'SIGKILL');
await exited;
const again = spawn('sh', ['-c', `exec ${victim.command}`], { stdio: ['ignore', 'pipe', 'inherit'] });
await once(again.stdout, 'data');
await measured('rejoined', until(allUp));

const code = once(again, 'exit');
again.kill('SIGTERM');
const clean = seen(({ event, node }) => event === 'stopped' && node === undefined);
const gone = Promise.all([clean, once(npm, 'exit'), code]);
// As a terminal does it: to the whole group. npm itself then ends by the signal, whatever its command says.
process.kill(-npm.pid, 'SIGINT');
await measured('stopped', gone);
const left = [...nodes.values()].filter(({ pid }) => isAlive(pid));
const [exit] = await code;
if (left.length > 0 || exit !== 0) {
  failed = true;
  console.log(`${left.length} processes left; the restarted node ended with ${exit}`);
}
process.exit(failed ? 1 : 0);

function isAlive(pid) {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
