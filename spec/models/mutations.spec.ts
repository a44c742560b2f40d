import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { mutations } from './mutations.ts';

const root = join(import.meta.dirname, '../..');

test('there are twenty-five mutations or more, each with a name of its own', () => {
  expect(mutations.length).toBeGreaterThanOrEqual(25);
  expect(new Set(mutations.map(({ name }) => name)).size).toBe(mutations.length);
});

test.each(mutations)('“$name” still fits its source, in one place', ({ file, from, to }) => {
  expect(readFileSync(join(root, file), 'utf8').split(from)).toHaveLength(2);
  expect(to).not.toBe(from);
});
