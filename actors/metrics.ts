/** Counters by closed lists of reasons, and the gauges that `/status` shows. */
import { monitorEventLoopDelay, type IntervalHistogram } from 'node:perf_hooks';
import type { DisconnectReason, DropReason } from '../proto/errors.ts';

/** Counts of one node since it was made. */
export class Counters {
  readonly drops = new Map<DropReason, number>();
  readonly disconnects = new Map<DisconnectReason, number>();
  readonly rejections = new Map<string, number>();
  readonly restarts = new Map<string, number>();
  /** Handler errors that a reactor survived, by reactor. */
  readonly caught = new Map<string, number>();

  drop(reason: DropReason, times = 1): void {
    add(this.drops, reason, times);
  }

  disconnect(reason: DisconnectReason): void {
    add(this.disconnects, reason, 1);
  }

  /** A connection refused before it was admitted. */
  reject(reason: DisconnectReason): void {
    add(this.rejections, reason, 1);
  }

  /** A restart of a supervised actor, by its declared name. */
  restart(actor: string): void {
    add(this.restarts, actor, 1);
  }

  catch(reactor: string): void {
    add(this.caught, reactor, 1);
  }
}

function add<K>(counts: Map<K, number>, key: K, times: number): void {
  counts.set(key, (counts.get(key) ?? 0) + times);
}

/** Event-loop delay over the last window, in milliseconds. */
export class LoopDelay {
  #histogram: IntervalHistogram | undefined;

  start(): void {
    this.#histogram ??= monitorEventLoopDelay({ resolution: 10 });
    this.#histogram.enable();
  }

  stop(): void {
    this.#histogram?.disable();
    this.#histogram = undefined;
  }

  read(): Readonly<{ p50: number; p99: number; max: number }> {
    const histogram = this.#histogram;
    if (!histogram || histogram.count === 0) return { p50: 0, p99: 0, max: 0 };
    return { p50: toMs(histogram.percentile(50)), p99: toMs(histogram.percentile(99)), max: toMs(histogram.max) };
  }
}

function toMs(nanoseconds: number): number {
  return Math.round(nanoseconds / 1e4) / 100;
}
