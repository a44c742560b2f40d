import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { maxSeries, metrics } from '../../actors/metrics-table.ts';
import { Exposition } from '../../actors/monitor/exposition.ts';
import { maxLabelledPeers } from '../../actors/monitor/facts.ts';
import { quiet } from '../support/metric-facts.ts';
import { expectPage } from '../support/page.ts';

const names = metrics.map(({ name }) => name);

/** A table whose columns are as wide as their widest cell, which is how the formatter leaves it. */
function alignedTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((_, column) => Math.max(3, ...[head, ...rows].map((row) => row[column]!.length)));
  const line = (cells: readonly string[]): string => `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`;
  return [line(head), `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...rows.map(line)].join('\n');
}

const page = () => `# Metrics

Printed from \`actors/metrics-table.ts\` by \`npm run docs\`; a spec compares the two, and both with the dashboard in [grafana.json](grafana.json).

\`GET /metrics\` on the monitor answers in the text format of Prometheus. On loopback it needs no token, but the node must be addressed by an IP
address or as \`localhost\`; elsewhere the scraper sends the token of \`<home>/monitor.token\`:

\`\`\`yaml
scrape_configs:
  - job_name: troupe
    authorization: { credentials_file: /var/lib/troupe/monitor.token }
    static_configs: [{ targets: ['127.0.0.1:26680'] }]
\`\`\`

Everything is counted where it happens and read when it is scraped. Two nodes in one process share nothing but what is said of the process itself.
Totals count from when the node was made; those of a peer count its present connection and go with it. Reasons are those of
[errors.md](errors.md). \`channel\` is the id of a channel, as in \`0x77\`, and \`none\` for what belongs to no channel or was not told. A scrape has at most
${maxSeries.toLocaleString('en')} series; the ${maxLabelledPeers} peers that have been up longest have series of their own, and all are in the sums.

${alignedTable(
  ['metric', 'kind', 'labels', 'what it says'],
  metrics.map(({ name, kind, labels, help }) => [`\`${name}\``, kind, labels.map((label) => `\`${label}\``).join(', '), help]),
)}
`;

test('docs/metrics.md lists every metric of the table', () => {
  expectPage('docs/metrics.md', page());
});

test('what a node exposes is exactly what the page lists', async () => {
  const listed = [...readFileSync(join(import.meta.dirname, '../../docs/metrics.md'), 'utf8').matchAll(/^\| `(\w+)` +\| (\w+)/gm)];
  const text = await new Exposition(() => quiet).text();
  const exposed = [...text.matchAll(/^# TYPE (\w+) (\w+)$/gm)];
  const pairs = (found: readonly RegExpMatchArray[]): string[] => found.map(([, name, kind]) => `${name} ${kind}`).sort();
  expect(pairs(listed)).toEqual(pairs(exposed));
});

test('the dashboard asks for every metric of the table, and for none that is not there', () => {
  const text = readFileSync(join(import.meta.dirname, '../../docs/grafana.json'), 'utf8');
  const asked = expressionsOf(JSON.parse(text)).flatMap((expression) =>
    [...expression.matchAll(/\b(?:p2p|process|nodejs)_\w+/g)].map(([name]) => name),
  );
  const histograms = metrics.filter(({ kind }) => kind === 'histogram').map(({ name }) => name);
  const parts = new Map(histograms.flatMap((name) => ['bucket', 'sum', 'count'].map((part) => [`${name}_${part}`, name])));
  const unique = [...new Set(asked.map((name) => parts.get(name) ?? name))];
  expect(unique.sort()).toEqual([...names].sort());
});

test('the dashboard selects by labels that the metrics have', () => {
  const dashboard: unknown = JSON.parse(readFileSync(join(import.meta.dirname, '../../docs/grafana.json'), 'utf8'));
  const unknown = expressionsOf(dashboard).flatMap((expression) => {
    const metric = metrics.find(({ name }) => expression.includes(name))!;
    const labels = [...metric.labels, 'le', 'instance'];
    const used = [...expression.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(',').map((label) => label.trim()));
    return used.filter((label) => !labels.includes(label)).map((label) => `${expression}: ${label}`);
  });
  expect(unknown).toEqual([]);
});

/** Every `expr` in a dashboard, at any depth. */
function expressionsOf(part: unknown): string[] {
  if (typeof part !== 'object' || part === null) return [];
  return Object.entries(part).flatMap(([key, value]) => (key === 'expr' && typeof value === 'string' ? [value] : expressionsOf(value)));
}
