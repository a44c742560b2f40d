/**
 * Makes the faults of `mutations.ts` one by one in a copy of the sources, and runs the models on each: `npm run mutate [words of a name]`.
 * Prints which model noticed which fault; ends with 1 if one went unnoticed, and if a model fails without any.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mutations, type Mutation } from './mutations.ts';

const root = join(import.meta.dirname, '../..');
const copied = [
  'actors',
  'machines',
  'proto',
  'transports',
  'testing',
  'testing.ts',
  'index.ts',
  'package.json',
  'jest.config.ts',
  'tsconfig.json',
];
/** The models, those that take longest last. */
const models = ['addresses', 'peer-paths', 'manager-paths', 'peer-manager', 'interleavings', 'two-managers'];
/** A fault may make a model wait for ever. */
const longestMs = 600_000;

function copy(): string {
  const home = mkdtempSync(join(tmpdir(), 'troupe-mutate-'));
  for (const name of copied) cpSync(join(root, name), join(home, name), { recursive: true, force: true, errorOnExist: false });
  for (const folder of ['models', 'support']) cpSync(join(root, 'spec', folder), join(home, 'spec', folder), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(home, 'node_modules'));
  return home;
}

/** The first model that fails, with its test; undefined when all pass. */
function noticedBy(home: string): string | undefined {
  for (const model of models) {
    const { status, stdout, stderr, error } = spawnSync(
      process.execPath,
      ['--experimental-vm-modules', 'node_modules/jest/bin/jest.js', '--bail', '--ci', `spec/models/${model}.spec.ts`],
      { cwd: home, encoding: 'utf8', timeout: longestMs, env: { ...process.env, NODE_OPTIONS: '' } },
    );
    if (error) return `${model}: it never ends`;
    if (status !== 0) return `${model}: ${/● (.*)/.exec(stdout + stderr)?.[1] ?? 'it does not run'}`;
  }
  return undefined;
}

function mutate(home: string, { file, from, to }: Mutation): () => void {
  const path = join(home, file);
  const source = readFileSync(path, 'utf8');
  if (source.split(from).length !== 2) throw new Error(`${file} does not have this in one place: ${from}`);
  writeFileSync(
    path,
    source.replace(from, () => to),
  );
  return () => writeFileSync(path, source);
}

const wanted = process.argv.slice(2).join(' ');
const chosen = mutations.filter(({ name }) => name.includes(wanted));
const home = copy();
let [caught, survived] = [0, 0];
try {
  const broken = noticedBy(home);
  if (broken) throw new Error(`without any fault: ${broken}`);
  for (const mutation of chosen) {
    const restore = mutate(home, mutation);
    const begun = performance.now();
    const by = noticedBy(home);
    const seconds = ((performance.now() - begun) / 1_000).toFixed(0).padStart(4);
    restore();
    if (by) caught += 1;
    else survived += 1;
    console.log(`${by ? 'caught  ' : 'SURVIVED'} ${seconds} s  ${mutation.name.padEnd(52)} ${by ?? ''}`);
  }
} finally {
  rmSync(home, { recursive: true, force: true });
}
console.log(`${caught} caught, ${survived} survived`);
process.exitCode = survived > 0 || caught === 0 ? 1 : 0;
