/** Module hooks that strip the types of our own `.ts` files, and find this package's sources under its public names. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { transform } from '@swc/core';

const root = new URL('../', import.meta.url);
const subpaths = { troupe: 'index.ts', 'troupe/testing': 'testing.ts' };

export function resolve(specifier, context, nextResolve) {
  return nextResolve(Object.hasOwn(subpaths, specifier) ? new URL(subpaths[specifier], root).href : specifier, context);
}

export async function load(url, context, nextLoad) {
  if (!url.startsWith('file:') || !url.endsWith('.ts')) return nextLoad(url, context);
  const filename = fileURLToPath(url);
  const { code } = await transform(await readFile(filename, 'utf8'), {
    filename,
    jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
    module: { type: 'es6' },
    sourceMaps: 'inline',
  });
  return { format: 'module', source: code, shortCircuit: true };
}
