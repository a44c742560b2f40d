/** The metrics of one node as Prometheus reads them. Nothing is kept between scrapes but histograms: every series is read anew, so what is gone leaves none behind. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { handshakeSeconds, maxSeries, metrics, omittedSeries, type Metric } from '../metrics-table.ts';
import type { Facts } from './facts.ts';
import type { Sample } from './readings.ts';
import type { Direction } from './traffic.ts';

/** Content type of what `text` gives. */
export const expositionType = Registry.PROMETHEUS_CONTENT_TYPE;

/** A registry of its own for one node: two nodes of a process share nothing. */
export class Exposition {
  readonly #registry = new Registry();
  readonly #facts: () => Facts;
  readonly #handshakes: Histogram;
  readonly #collectors: readonly ((facts: Facts, room: number) => Taken)[];
  readonly #omitted: Gauge;

  constructor(facts: () => Facts) {
    this.#facts = facts;
    this.#collectors = metrics.filter(({ name }) => name !== omittedSeries).map((metric) => collector(metric, this.#registry));
    this.#handshakes = this.#registry.getSingleMetric(handshakeSeconds) as Histogram;
    this.#omitted = new Gauge(
      configOf(
        metrics.find(({ name }) => name === omittedSeries)!,
        this.#registry,
      ),
    );
  }

  /** A handshake has succeeded. */
  observeHandshake(direction: Direction, seconds: number): void {
    this.#handshakes.observe({ direction }, seconds);
  }

  /** Looks at the node and prints what it is now; the look itself is over when this returns. */
  text(): Promise<string> {
    const facts = this.#facts();
    let room = maxSeries - 1;
    let omitted = (facts.up.length - facts.labelled.length) * metrics.filter(({ perPeer }) => perPeer).length;
    for (const collect of this.#collectors) {
      const taken = collect(facts, room);
      room -= taken.series;
      omitted += taken.omitted;
    }
    this.#omitted.set(omitted);
    return this.#registry.metrics();
  }
}

type Taken = Readonly<{ series: number; omitted: number }>;

const configOf = ({ name, help, labels }: Metric, registry: Registry) => ({ name, help, labelNames: [...labels], registers: [registry] });

function collector(metric: Metric, registry: Registry): (facts: Facts, room: number) => Taken {
  const config = configOf(metric, registry);
  if (metric.kind === 'histogram') {
    const buckets = [...(metric.buckets ?? [])];
    const histogram = new Histogram({ ...config, buckets });
    // Its buckets, the one without a bound, the sum and the count.
    const taken = { series: (buckets.length + 3) * (metric.labelSets ?? 1), omitted: 0 };
    return (facts) => {
      for (const [labels, value] of metric.read(facts)) histogram.observe({ ...labels }, value);
      return taken;
    };
  }
  const shown: { reset(): void; remove(): void; inc(labels: Record<string, string>, value: number): void } =
    metric.kind === 'counter' ? new Counter(config) : new Gauge(config);
  return (facts, room) => {
    shown.reset();
    // Without labels a reset leaves a series of 0 behind, which would be a claim.
    if (metric.labels.length === 0) shown.remove();
    let series = 0;
    let omitted = 0;
    for (const [labels, value] of metric.read(facts)) {
      if (!isSound(metric, value)) continue;
      if (series >= room) omitted++;
      else {
        shown.inc({ ...labels }, value);
        series++;
      }
    }
    return { series, omitted };
  };
}

/** What a transport of the host's own tells of itself may be no number at all; it must not cost the whole scrape. */
function isSound({ kind }: Metric, value: Sample[1]): boolean {
  return Number.isFinite(value) && (kind === 'gauge' || value >= 0);
}
