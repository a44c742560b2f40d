import { expect, test } from '@jest/globals';
import { LoopDelay, loopDelayWindowMs, type DelayRecorder } from '../../actors/loop-delay.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

/** A recorder that is told its readings, in milliseconds between two looks of 10 ms. */
class ToldRecorder implements DelayRecorder {
  #readings: number[] = [];
  isOn = false;

  tell(...readings: readonly number[]): void {
    if (this.isOn) this.#readings.push(...readings);
  }
  get count(): number {
    return this.#readings.length;
  }
  get max(): number {
    return Math.max(0, ...this.#readings) * 1e6;
  }
  percentile(percentile: number): number {
    const sorted = this.#readings.toSorted((one, other) => one - other);
    return (sorted[Math.ceil((sorted.length * percentile) / 100) - 1] ?? 0) * 1e6;
  }
  enable(): void {
    this.isOn = true;
  }
  disable(): void {
    this.isOn = false;
  }
  reset(): void {
    this.#readings = [];
  }
}

function rig() {
  const clock = new VirtualClock();
  const recorders: ToldRecorder[] = [];
  const delay = new LoopDelay(clock, () => {
    const recorder = new ToldRecorder();
    recorders.push(recorder);
    return recorder;
  });
  const tell = (...readings: readonly number[]): void => recorders.forEach((recorder) => recorder.tell(...readings));
  return { clock, delay, recorders, tell };
}

test('what is shown is how much later than asked each look was', () => {
  const { delay, tell } = rig();
  delay.start();
  expect(delay.read()).toEqual({ p50: 0, p99: 0, max: 0 });
  tell(10.25, 10.25, 10.25, 510);
  expect(delay.read()).toEqual({ p50: 0.25, p99: 500, max: 500 });
  tell(9.9, 9.9, 9.9, 9.9, 9.9);
  expect(delay.read().p50).toBe(0);
  delay.stop();
});

test('a delay is shown for at least half a minute and forgotten after one, whoever reads and however often', () => {
  for (let at = 0; at < loopDelayWindowMs; at += 7_000) {
    const { clock, delay, tell } = rig();
    delay.start();
    clock.advance(at);
    tell(1_010);
    const shown: boolean[] = [];
    for (let second = 1; second <= 120; second++) {
      clock.advance(1_000);
      tell(10);
      shown.push(delay.read().max === 1_000);
    }
    expect(shown.slice(0, 29)).not.toContain(false);
    expect(shown.slice(59)).not.toContain(true);
    delay.stop();
  }
});

test('it is recorded from the start until the stop, which leaves neither recorder nor timer behind', () => {
  const { clock, delay, recorders, tell } = rig();
  tell(500);
  delay.start();
  delay.start();
  expect(recorders).toHaveLength(2);
  expect(delay.read().max).toBe(0);
  clock.advance(loopDelayWindowMs);
  delay.stop();
  expect(recorders.map(({ isOn }) => isOn)).toEqual([false, false]);
  expect(clock.pending).toBe(0);
  expect(delay.read()).toEqual({ p50: 0, p99: 0, max: 0 });
  delay.stop();
  delay.start();
  tell(30);
  expect(delay.read().max).toBe(20);
  delay.stop();
});

test('the recorder it makes by itself is that of Node', () => {
  const delay = new LoopDelay(new VirtualClock());
  delay.start();
  expect(delay.read()).toEqual({ p50: 0, p99: 0, max: 0 });
  delay.stop();
});
