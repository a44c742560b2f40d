/**
 * How every model is run again: `TROUPE_SEED` gives the seed, `TROUPE_RUNS` how many runs, `TROUPE_ORDER` one order of an exhaustive search.
 * A failure names the one to give.
 */
import { TroupeError } from '../../proto/errors.ts';

/** Seed and number of runs of one random model, with what its test's name says about them. */
export function trials(seed: number, runs: number): Readonly<{ seed: number; runs: number; named: string }> {
  const given = { seed: Number(process.env['TROUPE_SEED'] ?? seed), runs: Number(process.env['TROUPE_RUNS'] ?? runs) };
  return { ...given, named: `(TROUPE_SEED=${given.seed}, ${given.runs} runs)` };
}

/** Runs a property once for each seed from a first one; what fails names its own seed, so that `TROUPE_SEED` with `TROUPE_RUNS=1` repeats it alone. */
export async function eachSeed(first: number, runs: number, run: (seed: number) => Promise<void>): Promise<void> {
  for (let seed = first; seed < first + runs; seed++) await naming(`TROUPE_SEED=${seed} TROUPE_RUNS=1`, () => run(seed));
}

/** One of `size` things, by its place. */
export type Choose = (size: number) => number;

/**
 * Repeats a run with every combination of the choices it asks for, deepest first, and says how many there were; it fails beyond `most`.
 * The run must ask the same questions when it is given the same answers.
 */
export async function everyOrder(most: number, run: (choose: Choose) => Promise<void>): Promise<number> {
  const given = process.env['TROUPE_ORDER'];
  let prefix = given ? given.split('.').map(Number) : [];
  for (let runs = 1; ; runs++) {
    if (runs > most) throw new TroupeError('ERR_INTERNAL', `more than ${most} orders`);
    const taken: number[] = [];
    const sizes: number[] = [];
    const choose: Choose = (size) => {
      const choice = Math.min(prefix[taken.length] ?? 0, size - 1);
      taken.push(choice);
      sizes.push(size);
      return choice;
    };
    await naming(
      () => `TROUPE_ORDER=${taken.join('.')}`,
      () => run(choose),
    );
    if (given !== undefined) return runs;
    while (taken.length > 0 && taken.at(-1)! + 1 >= sizes[taken.length - 1]!) taken.pop();
    if (taken.length === 0) return runs;
    prefix = [...taken.slice(0, -1), taken.at(-1)! + 1];
  }
}

async function naming(name: string | (() => string), run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (error instanceof Error) error.message = `${typeof name === 'string' ? name : name()}\n${error.message}`;
    throw error;
  }
}
