/** The Go toolchain: whether there is one, and the programs that it builds. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { buildScript, cache, leastGo, type Line } from './settings.ts';

/** Nothing, or why the suite cannot run here. */
export async function goProblem(): Promise<string | undefined> {
  const wanted = `Go ${leastGo.join('.')} or later is needed`;
  try {
    const { stdout } = await promisify(execFile)('go', ['version'], { timeout: 30_000 });
    const [, major, minor] = /go(\d+)\.(\d+)/.exec(stdout) ?? [];
    if (major === undefined || minor === undefined) return `${wanted}; this one says: ${stdout.trim()}`;
    const recent = Number(major) > leastGo[0] || (Number(major) === leastGo[0] && Number(minor) >= leastGo[1]);
    return recent ? undefined : `${wanted}; this is ${major}.${minor}`;
  } catch (error) {
    return `${wanted}; it cannot be run here: ${(error as Error).message}`;
  }
}

/** A cold build of everything takes some minutes, and must not take for ever. */
const buildMs = 1_800_000;

/** Builds the programs of the lines, as far as they are not up to date, and prints what it does. */
export async function build(lines: readonly Line[]): Promise<void> {
  const child = spawn('bash', [buildScript, 'full', ...lines], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, TROUPE_INTEROP_CACHE: cache },
    timeout: buildMs,
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`building the Go programs ended with ${code}`);
}
