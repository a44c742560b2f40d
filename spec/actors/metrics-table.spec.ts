import { expect, test } from '@jest/globals';
import { metrics, type Metric } from '../../actors/metrics-table.ts';
import { boundless } from '../support/metric-facts.ts';

const units = [
  'bytes',
  'seconds',
  'messages',
  'peers',
  'connections',
  'handshakes',
  'actors',
  'reactors',
  'timers',
  'rows',
  'series',
  'info',
];
const usual = /^(process|nodejs)_[a-z_]+$/;
const own = metrics.filter(({ name }) => !usual.test(name));

test('a metric is named p2p_noun_what_unit, once', () => {
  expect(own.filter(({ name }) => !/^p2p(_[a-z]+){3,5}$/.test(name)).map(({ name }) => name)).toEqual([]);
  expect(new Set(metrics.map(({ name }) => name)).size).toBe(metrics.length);
});

test('counters end in _total and nothing else does; all others end in their unit', () => {
  const isWrong = ({ name, kind }: Metric): boolean =>
    kind === 'counter' ? !name.endsWith('_total') : !units.includes(name.split('_').at(-1)!);
  expect(own.filter(isWrong).map(({ name }) => name)).toEqual([]);
  expect(metrics.filter(({ name, kind }) => name.endsWith('_total') !== (kind === 'counter')).map(({ name }) => name)).toEqual([]);
});

test('every metric says in a sentence what it is', () => {
  expect(metrics.filter(({ help }) => !/^[A-Z].+\.$/.test(help)).map(({ name }) => name)).toEqual([]);
  expect(new Set(metrics.map(({ help }) => help)).size).toBe(metrics.length);
});

test('a histogram has buckets in order, and says how many sets of labels it has', () => {
  for (const { kind, buckets, labelSets } of metrics) {
    expect(buckets !== undefined && labelSets !== undefined).toBe(kind === 'histogram');
    expect(buckets).toEqual(buckets && [...buckets].sort((one, other) => one - other));
  }
});

test('a series has exactly the labels that its metric declares, and no two are the same', () => {
  const facts = boundless();
  for (const { name, labels, read, kind } of metrics) {
    const series = [...read(facts)].map(([given]) => given);
    for (const given of series) expect([name, ...Object.keys(given).sort()]).toEqual([name, ...[...labels].sort()]);
    if (kind !== 'histogram') expect([name, new Set(series.map((given) => JSON.stringify(given))).size]).toEqual([name, series.length]);
  }
});

test('only what is by peer names a peer', () => {
  expect(metrics.filter(({ name, labels }) => labels.includes('peer_id') !== /^p2p_peer_(?!state_)/.test(name))).toEqual([]);
});
