/** Whom a fault restarts with it, after how long, and when it was one too many. */
import type { SupervisionOptions } from '../../proto/options.ts';

/** OTP's strategies: only the child that failed, all of them, or it and those started after it. */
export type Strategy = 'one_for_one' | 'one_for_all' | 'rest_for_one';

/** When the restarts of one account happened. */
export type History = readonly number[];

/** The children to restart when `failed` fails, in start order. A child that was not declared restarts alone. */
export function restartSet(strategy: Strategy, declared: readonly string[], failed: string): readonly string[] {
  const index = declared.indexOf(failed);
  if (strategy === 'one_for_one' || index < 0) return [failed];
  return strategy === 'one_for_all' ? declared : declared.slice(index);
}

/** Milliseconds before the next start: doubling with each failure in the window, with jitter downwards by at most a quarter, never below 1. */
export function restartDelay(options: SupervisionOptions, failures: number, chance: number): number {
  const full = Math.min(options.maxBackoffMs, options.minBackoffMs * 2 ** Math.min(failures - 1, 30));
  return Math.max(1, Math.round(full * (1 - chance / 4)));
}

/** An account after one more failure: those within the window, and whether they are too many. */
export function charge(options: SupervisionOptions, history: History, now: number): Readonly<{ history: History; exceeded: boolean }> {
  const recent = [...history.filter((at) => now - at < options.withinMs), now];
  return { history: recent, exceeded: recent.length > options.maxRestarts };
}

/**
 * The intensity of a supervisor of supervisors. Its window holds as many windows and delays of theirs as it allows restarts:
 * otherwise one of them could give up again and again without it ever being too often.
 */
export function intensityAbove(options: SupervisionOptions): SupervisionOptions {
  const { maxRestarts, withinMs, maxBackoffMs } = options;
  return { ...options, withinMs: (maxRestarts + 1) * (withinMs + maxBackoffMs) };
}

/** Supervisors one above the other, at most. */
export const deepestSupervisor = 3;
/** Restarts that two supervisors, one above the other, may make of one child that fails at once, within this time. */
export const mostRestarts = 30;
const mostRestartsMs = 30_000;

/** How often a child that always fails at once is started again within 30 s by two nested supervisors of this intensity, at worst. */
export function nestedRestarts(options: SupervisionOptions): number {
  let now = 0;
  let restarts = 0;
  let above: History = [];
  let own: History = [];
  while (restarts <= mostRestarts) {
    let account = charge(options, own, now);
    if (account.exceeded) {
      own = [];
      account = charge(intensityAbove(options), above, now);
      if (account.exceeded) return restarts;
      above = account.history;
    } else own = account.history;
    now += restartDelay(options, account.history.length, 1);
    if (now > mostRestartsMs) return restarts;
    restarts++;
  }
  return restarts;
}
