import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { layoutProblems } from './support/layout.ts';

const root = join(import.meta.dirname, '..');
const folders = ['proto', 'machines', 'transports', 'actors', 'cli', 'testing', 'spec', 'docs/examples'];
const sources = [
  ...readdirSync(root).filter((name) => name.endsWith('.ts') && name !== 'jest.config.ts'),
  ...folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .map((name) => join(folder, name))
      .filter((path) => path.endsWith('.ts') && !path.startsWith('proto/generated/') && !path.includes('/.build/')),
  ),
];
const mirrored = ['proto', 'machines', 'transports', 'actors', 'cli', 'testing'];

test('every source keeps to the layout', () => {
  expect(sources.length).toBeGreaterThan(10);
  expect(sources.flatMap((path) => layoutProblems(path, readFileSync(join(root, path), 'utf8')))).toEqual([]);
});

test('a spec in a mirrored folder stands where its source or folder does; a second one of the same source adds a word to its name', () => {
  const specs = sources.filter((path) => path.endsWith('.spec.ts') && mirrored.includes(path.split('/')[1] ?? ''));
  const proves = (name: string): boolean => sources.includes(`${name}.ts`) || existsSync(join(root, name));
  const lost = specs
    .map((path) => path.replace(/^spec\//, '').replace(/\.spec\.ts$/, ''))
    .filter((name) => !proves(name) && !proves(name.replace(/-[a-z]+$/, '')));
  expect(specs.length).toBeGreaterThan(0);
  expect(lost).toEqual([]);
});

describe('a source breaks the layout that', () => {
  const opening = '/** What it is. */\n';
  test.each([
    ['proto/a.ts', "import { x } from '../machines/x.ts';", 'imports machines/x.ts'],
    ['proto/a.ts', "import { readFileSync } from 'node:fs';", 'imports node:fs'],
    ['proto/a.ts', "import { setup } from 'xstate';", 'imports xstate'],
    ['machines/a.ts', "export { x } from '../transports/x.ts';", 'imports transports/x.ts'],
    ['machines/a.ts', "import { createHash } from 'node:crypto';", 'imports node:crypto'],
    ['transports/a.ts', "import type { X } from '../machines/x.ts';", 'imports machines/x.ts'],
    ['transports/mconn/a.ts', "type X = import('../../actors/x.ts').X;", 'imports actors/x.ts'],
    ['transports/a.ts', "await import('xstate/actors');", 'imports xstate/actors'],
    ['actors/a.ts', "import { x } from '../cli/x.ts';", 'imports cli/x.ts'],
    ['actors/a.ts', "import { x } from '../spec/support/x.ts';", 'imports spec/support/x.ts'],
    ['index.ts', "export { x } from './spec/x.ts';", 'imports spec/x.ts'],
    ['docs/examples/a.ts', "import { x } from '../../actors/node.ts';", 'imports actors/node.ts'],
    ['actors/a.ts', "import { x } from './x.js';", 'imports ./x.js without .ts'],
    ['actors/a.ts', "import { setTimeout } from 'node:timers/promises';", 'imports node:timers/promises: time is an input'],
    ['actors/a.ts', 'const now = Date.now();', 'calls Date.now: time and chance are inputs'],
    ['actors/a.ts', 'const now = Date.now;', 'calls Date.now: time and chance are inputs'],
    ['actors/a.ts', 'const now = new Date();', 'calls new Date(): time and chance are inputs'],
    ['machines/a.ts', 'globalThis.setTimeout(f, 1);', 'calls setTimeout: time and chance are inputs'],
    ['cli/a.ts', 'Math.random();', 'calls Math.random: time and chance are inputs'],
    ['actors/utils.ts', '', 'is named utils, which says nothing'],
    ['actors/common/a.ts', '', 'is named common, which says nothing'],
    ['actors/peerManager.ts', '', 'has peerManager in its name, not kebab-case'],
    ['actors/a.ts', 'export default 1;', 'has a default export'],
    ['actors/a.ts', 'export default function f() {}', 'has a default export'],
    ['actors/a.ts', '\n'.repeat(400), 'is above 400 lines'],
  ])('is %s with %j', (path, text, problem) => {
    expect(layoutProblems(path, opening + text)).toEqual([`${path} ${problem}`]);
  });

  test('opens without a sentence, or lies in a folder that has no rule', () => {
    expect(layoutProblems('actors/a.ts', 'export const a = 1;\n')).toEqual(['actors/a.ts does not open with a sentence on what it is']);
    expect(layoutProblems('lib/a.ts', opening)).toHaveLength(1);
  });

  test('does not merely mention one of these things, or take time as an input', () => {
    const text =
      "// Date.now() and import 'xstate'\nexport const a = (clock: Clock) => [clock.setTimeout(b, 1), `Math.random()`, new Date(1), import.meta];\n";
    expect(layoutProblems('transports/a.ts', opening + text)).toEqual([]);
  });
});
