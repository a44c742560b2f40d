/** Whom a fault restarts with it, and after how long. */
import type { SupervisionOptions } from '../../proto/options.ts';

/** OTP's strategies: only the child that failed, all of them, or it and those started after it. */
export type Strategy = 'one_for_one' | 'one_for_all' | 'rest_for_one';

/** The children to restart when `failed` fails, in start order. A child that was not declared restarts alone. */
export function restartSet(strategy: Strategy, declared: readonly string[], failed: string): readonly string[] {
  const index = declared.indexOf(failed);
  if (strategy === 'one_for_one' || index < 0) return [failed];
  return strategy === 'one_for_all' ? declared : declared.slice(index);
}

/** Milliseconds before the next start: doubling with each failure in the window, with jitter downwards by at most half, never below 1. */
export function restartDelay(options: SupervisionOptions, failures: number, chance: number): number {
  const full = Math.min(options.maxBackoffMs, options.minBackoffMs * 2 ** Math.min(failures - 1, 30));
  return Math.max(1, Math.round(full * (1 - chance / 2)));
}
