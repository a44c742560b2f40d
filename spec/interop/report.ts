/** Prints each result as it comes, and all of them as a table at the end. */
import { directions, type Direction } from './trial.ts';
import type { Line } from './settings.ts';

export type Result = Readonly<{ line: Line; direction: Direction; name: string; ms: number; notes: readonly string[]; problem?: string }>;

export const directionNames: Readonly<Record<Direction, string>> = { out: 'we dial', in: 'they dial' };

export class Report {
  readonly #results: Result[] = [];
  readonly #strays: string[] = [];
  readonly #began = performance.now();

  get failed(): number {
    return this.#results.filter(({ problem }) => problem !== undefined).length + this.#strays.length;
  }

  get isEmpty(): boolean {
    return this.#results.length + this.#strays.length === 0;
  }

  /** An error that no case caught: a failure of its own. */
  stray(error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#strays.push(text);
    print(`FAIL outside of any case: ${text}`);
  }

  add(result: Result): void {
    this.#results.push(result);
    const { direction, line, ms, name, notes, problem } = result;
    const verdict = problem === undefined ? 'ok  ' : 'FAIL';
    print(`${verdict} ${line.padEnd(7)} ${directionNames[direction].padEnd(10)} ${name} (${Math.round(ms)} ms)`);
    for (const note of notes) print(`       ${note}`);
    if (problem !== undefined) print(`       ${problem.replaceAll('\n', '\n       ')}`);
  }

  /** The table; its last line is exactly `N passed, N failed`. */
  finish(lines: readonly Line[]): void {
    const names = [...new Set(this.#results.map(({ name }) => name))].sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
    const width = Math.max(4, ...names.map(({ length }) => length));
    print(
      `\n${'case'.padEnd(width)}  ${lines.map((line) => line.padEnd(11)).join('')}  (${directions.map((each) => directionNames[each]).join(', ')})`,
    );
    for (const name of names) print(`${name.padEnd(width)}  ${lines.map((line) => this.#cell(name, line).padEnd(11)).join('')}`.trimEnd());
    for (const { direction, line, name, problem } of this.#results) {
      if (problem !== undefined) print(`\nFAIL ${line} ${directionNames[direction]} ${name}\n     ${problem.replaceAll('\n', '\n     ')}`);
    }
    for (const text of this.#strays) print(`\nFAIL outside of any case\n     ${text.replaceAll('\n', '\n     ')}`);
    const passed = this.#results.filter(({ problem }) => problem === undefined).length;
    print(`\n${Math.round((performance.now() - this.#began) / 1_000)} s\n${passed} passed, ${this.failed} failed`);
  }

  #cell(name: string, line: Line): string {
    const verdict = (direction: Direction): string => {
      const found = this.#results.find((each) => each.name === name && each.line === line && each.direction === direction);
      return found ? (found.problem === undefined ? 'ok' : 'FAIL') : '-';
    };
    return directions.map((direction) => verdict(direction)).join(' ');
  }
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
