/** Every rule has a row, and every row names a spec that is there or a decision record that departs from the rule. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';

const root = join(import.meta.dirname, '../..');

/** The numbers of each page, as ranges. */
const pages = {
  'peer-manager.md': {
    PM: '1-15 20-24 30-39 50-75 80-84 90-97 110-119 130-139 150-156 160-167 170-173 180-188 200-204 210-215 220-228 240-246 260-263 300 310-318',
    TPM: '1-15',
  },
  'router.md': {
    RT: '1-9 20-28 30-33 40-57 60-67 70-72 80-87 90-91 95-97 100-108 120-124 130-136 140-141 150-152',
    TRT: '1-12',
  },
  'queues.md': { QU: '1 10-17 30-35 40-43 60-64 70-71' },
  'peer-exchange.md': { PX: '1-5 10-24 30-35' },
  'invariants.md': { INV: '1-16' },
} as const satisfies Record<string, Record<string, string>>;

type Row = Readonly<{ rule: string; text: string; proof: string }>;

function numbersOf(ranges: string): number[] {
  return ranges.split(' ').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

function rowsOf(page: string): Row[] {
  const lines = readFileSync(join(root, 'docs/rules', page), 'utf8').split('\n');
  return lines
    .filter((line) => /^\| [A-Z]+-\d+ /.test(line))
    .map((line) => {
      // A bar inside a cell is written `\|`.
      const [rule = '', text = '', proof = ''] = line
        .slice(1, -1)
        .split(/(?<!\\)\|/)
        .map((cell) => cell.trim().replaceAll('\\|', '|'));
      return { rule, text, proof };
    });
}

/** What a proof cell points at: `spec/….ts` followed by the names of tests in quotation marks, or a link to a record. */
function pointersOf({ proof }: Row): Readonly<{ file: string; names: readonly string[] }>[] {
  const specs = [...proof.matchAll(/`(spec\/[^`]+)`((?:,? “[^”]+”)*)/g)].map(([, file = '', names = '']) => ({
    file,
    names: [...names.matchAll(/“([^”]+)”/g)].map(([, name = '']) => name),
  }));
  const records = [...proof.matchAll(/\]\(\.\.\/(adr\/[^)]+)\)/g)].map(([, file = '']) => ({ file: `docs/${file}`, names: [] }));
  return [...specs, ...records];
}

const escaped = (name: string): string[] => [name, name.replaceAll("'", "\\'")];

describe.each(Object.entries(pages))('docs/rules/%s', (page, series) => {
  const rows = rowsOf(page);

  test('has each rule once, in order', () => {
    const expected = Object.entries(series).flatMap(([name, ranges]) => numbersOf(ranges).map((number) => `${name}-${number}`));
    expect(rows.map((row) => row.rule)).toEqual(expected);
  });

  test('says in each row what holds and what proves it', () => {
    expect(rows.filter((row) => row.text.length < 10 || pointersOf(row).length === 0).map((row) => row.rule)).toEqual([]);
  });

  test('names only specs, tests and records that exist', () => {
    const missing = rows.flatMap((row) =>
      pointersOf(row).flatMap(({ file, names }) => {
        if (!existsSync(join(root, file))) return [`${row.rule}: ${file}`];
        const source = readFileSync(join(root, file), 'utf8');
        // A spec is named with the tests in it that prove the rule.
        if (file.endsWith('.spec.ts') && names.length === 0) return [`${row.rule}: no test of ${file} is named`];
        return names.filter((name) => !escaped(name).some((each) => source.includes(each))).map((name) => `${row.rule}: ${file} “${name}”`);
      }),
    );
    expect(missing).toEqual([]);
  });
});
