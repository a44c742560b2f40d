/** Runs the interop suite: real Tendermint and CometBFT peers of every release line against us, both ways of dialing, then full nodes. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cases } from './cases/all.ts';
import { fullNodeCase } from './full-node.ts';
import { build, goProblem } from './go.ts';
import { killAll } from './go-program.ts';
import { print, Report } from './report.ts';
import { lines, parseSettings, usage, type Line, type Settings } from './settings.ts';
import { directions, Trial, type Case, type Direction } from './trial.ts';
import { within } from './within.ts';

const deadlineMs = 90_000;
/** Nothing here takes longer than this, unless it hangs. */
const suiteMs = 1_800_000;

async function main(): Promise<number> {
  const settings = parseSettings(process.argv.slice(2));
  if (settings === 'help') {
    print(usage);
    return 0;
  }
  const problem = await goProblem();
  if (problem) {
    print(`interop: ${problem}${settings.skipWithoutGo ? '; skipped as asked' : ' (--skip-without-go to skip)'}`);
    return settings.skipWithoutGo ? 0 : 2;
  }
  await build(settings.lines);
  const home = mkdtempSync(join(tmpdir(), 'troupe-interop-'));
  process.on('exit', () => rmSync(home, { recursive: true, force: true }));
  const report = new Report();
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) process.on(event, (error: unknown) => report.stray(error));
  await within(suiteMs, 'the whole suite', runAll(settings, report, home)).catch((error: unknown) => report.stray(error));
  if (report.isEmpty) report.stray(`no case of these lines is called like "${settings.filter}"`);
  report.finish(settings.lines);
  return report.failed > 0 ? 1 : 0;
}

/** Lines side by side, the cases of one line one after another unless they mostly wait. */
async function runAll(settings: Settings, report: Report, home: string): Promise<void> {
  const chosen = [...cases, fullNodeCase(settings)].filter(({ name }) => name.toLowerCase().includes(settings.filter));
  const runCase = async (each: Case, line: Line, direction: Direction): Promise<void> => {
    const folder = join(home, `${line}-${direction}-${each.name.replaceAll(/[^a-z0-9]+/gi, '-').slice(0, 40)}`);
    const trial = new Trial({ line, direction, settings, home: folder });
    const began = performance.now();
    const problem = await problemOf(each, trial);
    const result = { line, direction, name: each.name, ms: performance.now() - began, notes: trial.notes };
    report.add(problem === undefined ? result : { ...result, problem });
    rmSync(folder, { recursive: true, force: true });
  };
  const runLine = async (line: Line): Promise<void> => {
    const mine = chosen.filter((each) => !each.lines || each.lines.includes(line));
    const runs = (beside?: Case['beside']): (() => Promise<void>)[] =>
      mine
        .filter((each) => each.beside === beside)
        .flatMap((each) => (each.directions ?? directions).map((direction) => () => runCase(each, line, direction)));
    const waiting = runs('all').map((run) => run());
    for (const run of runs()) await run();
    await Promise.all([...waiting, ...runs('alike').map((run) => run())]);
  };
  await Promise.all(settings.lines.map((line) => runLine(line)));
}

/** Runs a case to its end; what was wrong, if anything. */
async function problemOf(each: Case, trial: Trial): Promise<string | undefined> {
  const problems: string[] = [];
  try {
    await within(each.deadlineMs ?? deadlineMs, 'the case to end', each.run(trial));
  } catch (error) {
    problems.push(error instanceof Error ? textOf(error) : String(error));
  }
  if (!each.rude || problems.length > 0) problems.push(...trial.complaints());
  try {
    await trial.cleanUp();
  } catch (error) {
    problems.push(`clean-up: ${(error as Error).message}`);
  }
  return problems.length > 0 ? problems.join('\n') : undefined;
}

function textOf(error: Error): string {
  const at = error.stack
    ?.split('\n')
    .find((line) => line.includes('/spec/interop/') && !line.includes('within.ts') && !line.includes('go-program.ts'));
  return `${error.message}${
    at
      ? ` (${at
          .trim()
          .replace(/^at (async )?/, '')
          .replace(/file:.*\/spec\/interop\//, '')})`
      : ''
  }`;
}

process.on('exit', killAll);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130));

try {
  process.exitCode = await main();
} catch (error) {
  print(`interop: ${(error as Error).message}\nlines: ${lines.join(', ')}\n\n0 passed, 1 failed`);
  process.exitCode = 2;
}
process.exit();
