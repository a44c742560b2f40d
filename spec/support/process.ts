/** The command as a process of its own, run from source: its lines, its exit, its signals. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const root = join(import.meta.dirname, '../..');
/** What runs the command from source. */
export const self: readonly string[] = [process.execPath, '--import', join(root, 'scripts/ts.js'), join(root, 'cli.ts')];

export type Line = Readonly<Record<string, unknown>>;
export type Running = Readonly<{
  child: ChildProcess;
  /** Lines of standard output so far, each an object. */
  lines: readonly Line[];
  /** Standard error so far. */
  err(): string;
  /** Resolves with the first line that has this event; rejects if the process ends without it. */
  seen(event: string, node?: string): Promise<Line>;
  /** Exit code, or the signal that ended it. */
  exit: Promise<number | string | null>;
}>;

/** Runs `troupe` with these arguments. Nothing of our own environment that begins with `TROUPE_` reaches it. */
export function troupe(
  argv: readonly string[],
  options: Readonly<{ env?: Record<string, string>; ipc?: boolean; nodeFlags?: readonly string[] }> = {},
): Running {
  const [program = '', ...prefix] = self;
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(TROUPE_|NODE_OPTIONS$)/.test(name)));
  const child = spawn(program, [...(options.nodeFlags ?? []), ...prefix, ...argv], {
    env: { ...env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe', ...(options.ipc ? (['ipc'] as const) : [])],
  });
  const lines: Line[] = [];
  let err = '';
  const waiting = new Set<() => void>();
  // Not the event `close`, which never comes once the channel between processes was disconnected by hand.
  const ends = [child, child.stdout!, child.stderr!].map((end) => once(end, end === child ? 'exit' : 'close'));
  const exit = Promise.all(ends).then(([how]) => (how as [number | null, string | null])[0] ?? child.signalCode);
  createInterface(child.stdout!).on('line', (line) => {
    lines.push(JSON.parse(line) as Line);
    for (const look of waiting) look();
  });
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (err += text));
  const seen = (event: string, node?: string): Promise<Line> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const found = lines.find((line) => line['event'] === event && (node === undefined || line['node'] === node));
        if (!found) return;
        waiting.delete(look);
        resolve(found);
      };
      waiting.add(look);
      look();
      void exit.then((how) => reject(new Error(`ended with ${how} before ${event}\n${err}`)));
    });
  return { child, lines, err: () => err, seen, exit };
}
