/** A supervisor with a thousand children: what one more costs, its end, and a crash with its restart. */
import { createActor, fromPromise } from 'xstate';
import { guarded, supervisorMachine, type ChildSpec } from '../../machines/supervisor.ts';
import { parseOptions, supervisionOptions } from '../../proto/options.ts';
import { realClock } from '../../actors/environment.ts';

const children = 1_000;
const further = 200;
const restarts = 2_000;
const rounds = 3;
const bounds = { spawnMs: 1, restartMs: 5 };

const idle = fromPromise<void>(() => new Promise(() => undefined));
const passing = (n: number): ChildSpec => ({ key: `passing:${n}`, logic: idle, restart: 'temporary' });

/** Milliseconds a call over many calls. */
function timed(times: number, run: (i: number) => void): number {
  const began = performance.now();
  for (let i = 0; i < times; i++) run(i);
  return (performance.now() - began) / times;
}

function round(): Readonly<{ spawnMs: number; endMs: number; restartMs: number }> {
  let now = 0;
  const due: (() => void)[] = [];
  // Back-offs are over at once: what is measured is the work.
  const clock = { ...realClock(), setTimeout: (run: () => void) => due.push(run), clearTimeout: () => undefined };
  let restarted = 0;
  const input = {
    name: 'bench',
    strategy: 'one_for_one',
    intensity: parseOptions(supervisionOptions, {}),
    children: [{ key: 'lasting', logic: idle, restart: 'permanent' }],
    now: () => now,
    random: () => 0,
    onRestart: () => restarted++,
  } as const;
  const actor = createActor(guarded(supervisorMachine), { input, clock }).start();
  timed(children, (i) => actor.send({ type: 'supervisor.spawn', spec: passing(i) }));
  const spawnMs = timed(further, (i) => actor.send({ type: 'supervisor.spawn', spec: passing(children + i) }));
  const endMs = timed(further, (i) => actor.send({ type: 'supervisor.dismiss', key: `passing:${children + i}` }));
  const error = new Error('crashed by a bench');
  const restartMs = timed(restarts, () => {
    actor.send({ type: 'supervisor.condemn', key: 'lasting', error });
    now += 60_000;
    for (const run of due.splice(0)) run();
  });
  if (restarted !== restarts) throw new Error(`${restarted} restarts`);
  actor.stop();
  return { spawnMs, endMs, restartMs };
}

const results = Array.from({ length: rounds }, round);
const best = (pick: (result: (typeof results)[number]) => number): number => Math.min(...results.map(pick));
const rows = [
  ['one more child', best((each) => each.spawnMs), bounds.spawnMs],
  ['one child less', best((each) => each.endMs), undefined],
  ['a crash and its restart', best((each) => each.restartMs), bounds.restartMs],
] as const;
process.stdout.write(`\n${children} children: best of ${rounds} rounds of ${further} further children and ${restarts} restarts\n\n`);
let failures = 0;
for (const [name, value, bound] of rows) {
  const past = bound !== undefined && !(value < bound);
  if (past) failures++;
  process.stdout.write(
    `${name.padEnd(28)}${value.toFixed(4).padStart(10)} ms${bound === undefined ? '' : `  (bound: under ${bound} ms)`}${past ? '  PAST ITS BOUND' : ''}\n`,
  );
}
process.exit(failures > 0 ? 1 : 0);
