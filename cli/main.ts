/** The way in and out of a command: errors become sentences and exit codes, and nothing that lingers keeps the process. */
import { fail } from './output.ts';
import { run } from './program.ts';
import { processShell } from './shell.ts';

/** Runs a command line in this process and ends it. */
export async function main(argv: readonly string[]): Promise<never> {
  const shell = processShell();
  const exit = await run(argv, shell).catch((error: unknown) => fail(shell, error));
  // A pipe may still hold what was written; a broken one calls back too.
  await new Promise((resolve) => process.stdout.write('', resolve));
  process.exit(exit);
}
