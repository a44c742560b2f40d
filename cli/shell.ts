/** What a command needs of the process it runs in; specs give their own. */
import type { Environment } from './config.ts';
import { realEnvironment } from '../actors/environment.ts';
import type { Clock, Random } from '../transports/clock.ts';

export type StopSignal = 'SIGINT' | 'SIGTERM' | 'SIGHUP';

/** The surroundings of one command. */
export interface Shell {
  readonly env: Environment;
  /** What runs this program again: node, its flags, the script. */
  readonly self: readonly string[];
  readonly stdout: Readonly<{ write(text: string): unknown }>;
  readonly stderr: Readonly<{ write(text: string): unknown }>;
  /** Standard output is a terminal: sentences and a status line instead of JSON. */
  readonly terminal: boolean;
  /** Standard error is one: a log for people. */
  readonly errorTerminal: boolean;
  readonly columns: number;
  readonly clock: Clock;
  readonly random: Random;
  /** Calls back at each signal that asks us to stop, and with nothing when the process that started us has gone. */
  onStop(run: (signal: StopSignal | undefined) => void): () => void;
  /** Calls back with a fault that nobody handled; the process then exits with 70. */
  onCrash(run: (thrown: unknown) => void): void;
  /** Ends the process by this signal at once, as if it had never been caught. */
  die(signal: StopSignal): void;
}

/** The process itself. Broken pipes on standard output or error are ignored: a reader that left does not end a node. */
export function processShell(): Shell {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE' && error.code !== 'ERR_STREAM_DESTROYED') throw error;
    });
  }
  return {
    env: process.env,
    self: [process.execPath, ...process.execArgv, ...process.argv.slice(1, 2)],
    stdout: process.stdout,
    stderr: process.stderr,
    terminal: isTerminal(process.stdout),
    errorTerminal: isTerminal(process.stderr),
    get columns() {
      return process.stdout.columns || 80;
    },
    ...realEnvironment(),
    onStop,
    onCrash(run) {
      const crash = (thrown: unknown): void => {
        run(thrown);
        process.exit(70);
      };
      process.on('uncaughtException', crash);
      process.on('unhandledRejection', crash);
    },
    die(signal) {
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
    },
  };
}

/** Node leaves the property out where it is false. */
const isTerminal = (stream: Readonly<{ isTTY?: boolean }>): boolean => stream.isTTY === true;

function onStop(run: (signal: StopSignal | undefined) => void): () => void {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const abandoned = (): void => run(undefined);
  for (const signal of signals) process.on(signal, run);
  process.on('disconnect', abandoned);
  return () => {
    for (const signal of signals) process.removeListener(signal, run);
    process.removeListener('disconnect', abandoned);
  };
}

/** Two signals closer than this are one key press: a terminal and npm each deliver their own. */
const samePressMs = 500;

/** A signal that aborts when the process is asked to stop; asked again, the process dies at once. */
export function stopOf(shell: Shell): Readonly<{ signal: AbortSignal; [Symbol.dispose](): void }> {
  const stop = new AbortController();
  let first = 0;
  const release = shell.onStop((signal) => {
    if (!stop.signal.aborted) {
      first = shell.clock.now();
      stop.abort();
    } else if (signal && shell.clock.now() - first >= samePressMs) {
      shell.die(signal);
    }
  });
  return { signal: stop.signal, [Symbol.dispose]: release };
}
