/** One node of a testnet as a process of its own: started, listened to, watched through its monitor, stopped. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { withDeadline } from '../transports/clock.ts';
import type { Shell } from './shell.ts';
import type { TestnetHome } from './testnet-home.ts';

/** How a process ended. */
export type Exit = Readonly<{ code: number | null; signal: NodeJS.Signals | null }>;
/** What a node said on its standard output: an object with `event`. */
export type NodeEvent = Readonly<Record<string, unknown>>;

const monitorTimeoutMs = 1_000;

export class TestnetNode {
  readonly home: TestnetHome;
  /** Resolves when the process has ended. */
  readonly exited: Promise<Exit>;
  readonly #shell: Shell;
  readonly #child: ChildProcess;

  /** Starts the process. It has a process group of its own, so that Ctrl-C reaches only us, and ends by itself when we are gone. */
  constructor(home: TestnetHome, shell: Shell, onEvent: (event: NodeEvent) => void, onLog: (line: string) => void) {
    this.home = home;
    this.#shell = shell;
    const [program = '', ...prefix] = shell.self;
    this.#child = spawn(program, [...prefix, ...startArguments(home)], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      detached: true,
      env: Object.fromEntries(Object.entries(shell.env).filter(([name]) => !name.startsWith('TROUPE_'))),
    });
    this.exited = new Promise((resolve) => {
      this.#child.once('error', () => resolve({ code: 70, signal: null }));
      this.#child.once('close', (code, signal) => resolve({ code, signal }));
    });
    if (this.#child.stdout) createInterface(this.#child.stdout).on('line', (line) => onEvent(eventOf(line)));
    if (this.#child.stderr) createInterface(this.#child.stderr).on('line', (line) => onLog(`${line}\n`));
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** What to type to start this node again. */
  get command(): string {
    return [...this.#shell.self, ...startArguments(this.home)].map(quoted).join(' ');
  }

  /** How many peers its monitor reports up, whoever started the process that answers; undefined when nobody does. */
  async peersUp(signal: AbortSignal): Promise<number | undefined> {
    const { monitor } = this.home.options;
    if (monitor === 'off') return undefined;
    try {
      const status = await withDeadline(this.#shell.clock, monitorTimeoutMs, 'ERR_REQUEST_TIMEOUT', signal, async (until) => {
        const response = await fetch(`http://${monitor}/status`, { signal: until });
        return (await response.json()) as Readonly<{ nodeId?: string; peers?: Readonly<{ up?: number }> }>;
      });
      return status.nodeId === this.home.nodeId ? status.peers?.up : undefined;
    } catch {
      return undefined;
    }
  }

  stop(): void {
    this.#child.kill('SIGTERM');
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

const startArguments = ({ home }: TestnetHome): readonly string[] => ['start', '--home', home];

function eventOf(line: string): NodeEvent {
  try {
    return JSON.parse(line) as NodeEvent;
  } catch {
    return { event: 'output', line };
  }
}

/** A word as a POSIX shell reads it back. */
const quoted = (word: string): string => (/^[\w./:=@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);
