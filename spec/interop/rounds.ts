/** The same thing done many times, a few at a time, and what it took each time. */
import type { Begun } from './pair.ts';
import type { Trial } from './trial.ts';

/** What a round measured: milliseconds to one connection that both sides keep, and the connections that each side began. */
export type Figures = Begun & Readonly<{ tookMs: number }>;

export type Rounds = Readonly<{
  count: number;
  /** What no round may pass. `each` is of the connections that one side begins. */
  bounds: Readonly<{ tookMs: number; each: number }>;
  /** Its rounds do next to nothing for minutes, and keep no others from running. */
  isIdle?: boolean;
}>;

/** Rounds of one case that run side by side. */
const lanes = 5;
/** Rounds of all cases that run side by side, idle ones aside: more of them would make each other late. */
const most = 30;
let running = 0;
const waiting: (() => void)[] = [];

async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  while (running >= most) await new Promise<void>((resolve) => waiting.push(resolve));
  running++;
  try {
    return await work();
  } finally {
    running--;
    waiting.shift()?.();
  }
}

/** Runs as many rounds, prints their figures with the bounds, and fails with what was wrong in any of them. */
export async function rounds(
  trial: Trial,
  { count, bounds, isIdle = false }: Rounds,
  round: (index: number) => Promise<Figures>,
): Promise<void> {
  const done: Figures[] = [];
  const problems: string[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) {
      const index = next++;
      try {
        const { tookMs, ours, theirs } = await (isIdle ? round(index) : inTurn(() => round(index)));
        done.push({ tookMs, ours, theirs });
        if (tookMs > bounds.tookMs) throw new Error(`it took ${Math.round(tookMs)} ms`);
        if (Math.max(ours, theirs) > bounds.each) throw new Error(`we began ${ours} connections and they ${theirs}`);
      } catch (error) {
        problems.push(`round ${index}: ${(error as Error).message}`);
      }
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  trial.notes.push(`${count - problems.length} of ${count} rounds (TROUPE_SEED=${trial.settings.seed}): ${summary(done, bounds)}`);
  if (problems.length > 0) throw new Error(problems.join('\n'));
}

function summary(done: readonly Figures[], { tookMs, each }: Rounds['bounds']): string {
  const took = done.map((figures) => Math.round(figures.tookMs)).sort((a, b) => a - b);
  const mostOf = (side: keyof Begun): number => Math.max(0, ...done.map((figures) => figures[side]));
  return (
    `one connection after ${took[took.length >> 1] ?? 0} ms in the middle, ${took.at(-1) ?? 0} ms at most (bound ${tookMs}); ` +
    `we began ${mostOf('ours')} at most, they ${mostOf('theirs')} (bound ${each})`
  );
}
