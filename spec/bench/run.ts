/** Runs the benches, or with `soak` as first argument the soaks, one after another, each in a process of its own: all, or those named; fails when one passes its bound. */
import { spawnSync } from 'node:child_process';

const benches = ['throughput', 'saturation', 'slow-reader', 'stop', 'standstill', 'live-peers', 'supervision'] as const;
const soaks = ['links', 'store-kill', 'store-sync', 'store-damage', 'store-full', 'store-load'] as const;

const [all, given] = process.argv[2] === 'soak' ? [soaks, process.argv.slice(3)] : [benches, process.argv.slice(2)];

const [named, flags] = [given.filter((each) => !each.startsWith('-')), given.filter((each) => each.startsWith('-'))];
const isCalled = (each: string, name: string): boolean => each === name || each.startsWith(`${name}-`);
const unknown = named.filter((name) => !all.some((each) => isCalled(each, name)));
if (unknown.length > 0) {
  process.stderr.write(`nothing is called ${unknown.join(', ')}; there are ${all.join(', ')}\n`);
  process.exit(2);
}

const failed = all.filter((name) => {
  if (named.length > 0 && !named.some((each) => isCalled(name, each))) return false;
  process.stdout.write(`\n# ${name}\n`);
  const file = new URL(`./${name}.ts`, import.meta.url).pathname;
  return spawnSync(process.execPath, [...process.execArgv, '--expose-gc', file, ...flags], { stdio: 'inherit' }).status !== 0;
});
if (failed.length > 0) process.stdout.write(`\npast a bound or failed: ${failed.join(', ')}\n`);
process.exit(failed.length > 0 ? 1 : 0);
