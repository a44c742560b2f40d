/** Runs the benches one after another, each in a process of its own: all, or those named; fails when one passes its bound. */
import { spawnSync } from 'node:child_process';

const benches = ['throughput', 'saturation', 'slow-reader', 'stop', 'live-peers'] as const;

const [named, flags] = [
  process.argv.slice(2).filter((each) => !each.startsWith('-')),
  process.argv.slice(2).filter((each) => each.startsWith('-')),
];
const unknown = named.filter((name) => !benches.some((bench) => bench === name));
if (unknown.length > 0) {
  process.stderr.write(`no bench is called ${unknown.join(', ')}; there are ${benches.join(', ')}\n`);
  process.exit(2);
}

const failed = (named.length > 0 ? named : benches).filter((name) => {
  const file = new URL(`./${name}.ts`, import.meta.url).pathname;
  return spawnSync(process.execPath, [...process.execArgv, '--expose-gc', file, ...flags], { stdio: 'inherit' }).status !== 0;
});
if (failed.length > 0) process.stdout.write(`\npast a bound or failed: ${failed.join(', ')}\n`);
process.exit(failed.length > 0 ? 1 : 0);
