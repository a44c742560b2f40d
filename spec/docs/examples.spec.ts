import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';

const root = join(import.meta.dirname, '../..');
const folder = join(root, 'docs/examples');
const examples = readdirSync(folder).filter((name) => name.endsWith('.ts'));
const quoted = new Map(
  [...readFileSync(join(folder, 'README.md'), 'utf8').matchAll(/^## \[([a-z-]+\.ts)\].*?```text\n(.*?)```/gms)].map(
    ([, name = '', output = '']) => [name, output],
  ),
);

test('the page quotes every example', () => {
  expect([...quoted.keys()].sort()).toEqual([...examples].sort());
});

test.each(examples)(
  '%s prints what its page quotes, says nothing else, and ends',
  async (name) => {
    const loader = join(root, 'scripts/ts.js');
    const { stdout, stderr } = await promisify(execFile)(process.execPath, ['--import', loader, join(folder, name)], { timeout: 30_000 });
    expect({ stdout, stderr }).toEqual({ stdout: quoted.get(name), stderr: '' });
  },
  60_000,
);
