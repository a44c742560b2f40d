/** A shell for commands under test: it remembers what was written, and stops when told. */
import type { Shell, StopSignal } from '../../cli/shell.ts';
import { VirtualClock } from './virtual-clock.ts';
import { seededRandom } from './random.ts';

export interface FakeShell extends Shell {
  out: string;
  err: string;
  /** Signals by which the process would have died. */
  readonly deaths: StopSignal[];
  /** As if the process got a signal, or lost the one that started it. */
  stop(signal?: StopSignal): void;
  /** Lines of standard output as objects. */
  events(): readonly Readonly<Record<string, unknown>>[];
}

export function fakeShell(given: Partial<Omit<Shell, 'stdout' | 'stderr' | 'onStop'>> = {}): FakeShell {
  const listeners = new Set<(signal: StopSignal | undefined) => void>();
  const shell: FakeShell = {
    out: '',
    err: '',
    deaths: [],
    env: {},
    self: [],
    terminal: false,
    errorTerminal: false,
    columns: 80,
    clock: new VirtualClock(),
    random: seededRandom(1),
    stdout: { write: (text) => (shell.out += text) },
    stderr: { write: (text) => (shell.err += text) },
    onStop(run) {
      listeners.add(run);
      return () => listeners.delete(run);
    },
    onCrash: () => undefined,
    die: (signal) => void shell.deaths.push(signal),
    stop: (signal) => listeners.forEach((run) => run(signal)),
    events: () =>
      shell.out
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Record<string, unknown>),
    ...given,
  };
  return shell;
}
