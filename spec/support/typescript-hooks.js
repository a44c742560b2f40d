/** Loader hooks that let plain Node run our TypeScript and find this package by its name: specs start the command and the examples from source. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { transform } from '@swc/core';

const root = new URL('../../', import.meta.url);
const subpaths = { troupe: 'index.ts', 'troupe/testing': 'testing.ts' };

export function resolve(specifier, context, next) {
  return next(specifier in subpaths ? new URL(subpaths[specifier], root).href : specifier, context);
}

export async function load(url, context, next) {
  if (!url.startsWith('file:') || !url.endsWith('.ts')) return next(url, context);
  const filename = fileURLToPath(url);
  const source = await readFile(filename, 'utf8');
  const { code } = await transform(source, {
    filename,
    jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
    module: { type: 'es6' },
    sourceMaps: 'inline',
    swcrc: false,
  });
  return { format: 'module', source: code, shortCircuit: true };
}
