/**
 * Makes the faults of `mutations.ts` one by one in copies of the sources, as many at once as there are processors, and runs the models on each: `npm run mutate [words of a name]`.
 * Prints which model noticed which fault; ends with 1 if one went unnoticed, and if a model fails without any.
 */
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
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
/** The models, those that take longest last; of the manager's sources first those of the manager. */
const models = ['addresses', 'peer-paths', 'manager-paths', 'peer-manager', 'interleavings', 'two-managers'];
const modelsOf = (file: string): readonly string[] =>
  file.includes('peer-manager') ? [...models.slice(2), ...models.slice(0, 2)] : models;
/** A fault may make a model wait for ever. */
const longestMs = 600_000;

function copy(): string {
  const home = mkdtempSync(join(tmpdir(), 'troupe-mutate-'));
  for (const name of copied) cpSync(join(root, name), join(home, name), { recursive: true, force: true, errorOnExist: false });
  for (const folder of ['models', 'support']) cpSync(join(root, 'spec', folder), join(home, 'spec', folder), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(home, 'node_modules'));
  return home;
}

const run = promisify(execFile);

/** The first model that fails, with its test; undefined when all pass. */
async function noticedBy(home: string, file = ''): Promise<string | undefined> {
  for (const model of modelsOf(file)) {
    const jest = [
      '--experimental-vm-modules',
      'node_modules/jest/bin/jest.js',
      '--bail',
      '--ci',
      '--runInBand',
      `spec/models/${model}.spec.ts`,
    ];
    try {
      await run(process.execPath, jest, { cwd: home, timeout: longestMs, env: { ...process.env, NODE_OPTIONS: '' }, maxBuffer: 2 ** 26 });
    } catch (thrown) {
      const { killed, stdout, stderr } = thrown as { killed: boolean; stdout: string; stderr: string };
      return `${model}: ${killed ? 'it never ends' : (/● (.*)/.exec(stdout + stderr)?.[1] ?? 'it does not run')}`;
    }
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
/** When all are made, first the sources as they are, in which no model may find a fault; then each mutation. */
const tasks: (Mutation | 'none')[] = [
  ...(wanted === '' ? (['none'] as const) : []),
  ...mutations.filter(({ name }) => name.includes(wanted)),
];
let [caught, survived] = [0, 0];
let unfounded: string | undefined;

/** Takes one task after the other, in a copy of its own. */
async function work(home: string): Promise<void> {
  for (let task = tasks.shift(); task; task = tasks.shift()) {
    const restore = task === 'none' ? undefined : mutate(home, task);
    const begun = performance.now();
    const by = await noticedBy(home, task === 'none' ? '' : task.file);
    const seconds = ((performance.now() - begun) / 1_000).toFixed(0).padStart(4);
    restore?.();
    if (task === 'none') {
      unfounded = by;
      continue;
    }
    if (by) caught += 1;
    else survived += 1;
    console.log(`${by ? 'caught  ' : 'SURVIVED'} ${seconds} s  ${task.name.padEnd(52)} ${by ?? ''}`);
  }
}

const homes = Array.from({ length: availableParallelism() }, copy);
try {
  await Promise.all(homes.map(work));
} finally {
  for (const home of homes) rmSync(home, { recursive: true, force: true });
}
if (unfounded) console.log(`without any fault: ${unfounded}`);
console.log(`${caught} caught, ${survived} survived`);
process.exitCode = unfounded || survived > 0 || caught === 0 ? 1 : 0;
