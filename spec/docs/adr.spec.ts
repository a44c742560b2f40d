import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';

const folder = join(import.meta.dirname, '../../docs/adr');
const records = readdirSync(folder)
  .filter((name) => name !== 'README.md')
  .sort();
const textOf = (name: string): string => readFileSync(join(folder, name), 'utf8');

test('the index lists every record under its title', () => {
  const rows = records.map((name) => {
    const [, number, title] = /^# (\d{4})\. (.+)$/m.exec(textOf(name)) ?? [];
    expect(name.slice(0, 4)).toBe(number);
    return `| [${number}](${name}) | ${title} |`;
  });
  const listed = textOf('README.md')
    .split('\n')
    .filter((line) => line.startsWith('| ['))
    .map((line) => line.replace(/ +/g, ' '));
  expect(listed).toEqual(rows);
});

test.each(records)('%s has context, alternatives, decision and consequences', (name) => {
  expect([...textOf(name).matchAll(/^## (.+)$/gm)].map(([, heading]) => heading)).toEqual([
    'Context',
    'Alternatives',
    'Decision',
    'Consequences',
  ]);
});

test('records are numbered without gaps', () => {
  expect(records.map((name) => Number(name.slice(0, 4)))).toEqual(records.map((_, index) => index + 1));
});
