/** A Go program driven over JSON lines: commands go to its standard input, events come from its standard output (see peers/README.md). */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

/** A peer as the Go side describes it. */
export type GoPeerInfo = Readonly<{
  id: string;
  direction: 'inbound' | 'outbound';
  address: string;
  moniker: string;
  version: string;
  network: string;
  listen_addr: string;
  channels: string;
  p2p: number;
  block: number;
  app: number;
}>;

/** One event. Which members there are depends on the event. */
export type GoEvent = Readonly<
  Partial<{
    id: string;
    listen: string;
    node: number;
    reason: string | null;
    requested: boolean;
    peer: GoPeerInfo;
    peers: readonly GoPeerInfo[];
    from: string;
    channel: number;
    size: number;
    sha256: string | readonly string[];
    hex: string;
    message: string;
    level: string;
    fields: Readonly<Record<string, unknown>>;
    command: string;
    ref: number;
    ok: boolean;
    error: string;
    sent: number;
    failed: number;
    elapsed_ms: number;
    addresses: readonly string[];
    messages: number;
    bytes: number;
    conn: number;
    kind: 'ping' | 'pong' | 'msg' | 'unreadable';
    body: number;
    eof: boolean;
    after_ms: number;
    pings: number;
    pongs: number;
    node_info: Readonly<Record<string, unknown>>;
    remote_id: string;
    height: number;
    pid: number;
    result: unknown;
  }>
> &
  Readonly<{ event: string; t: number }>;

type Match = (event: GoEvent) => boolean;
type Waiting = Readonly<{ event: string; match: Match; settle(event: GoEvent): void; fail(error: Error): void }>;
type Child = ChildProcessByStdio<Writable, Readable, Readable>;

/** Events that nobody asked for are kept for a later `take`, and for the search for complaints; a run makes far fewer. */
const maxKept = 100_000;
const startMs = 30_000;
const replyMs = 45_000;
const eventMs = 20_000;
const quitMs = 12_000;

const running = new Set<Child>();

/** Kills every Go program, and what those have started, at once. Safe to call from an exit handler. */
export function killAll(): void {
  for (const child of running) kill(child);
}

/** Each program leads a process group of its own, so that a full node ends with the program that runs it. */
function kill(child: Child): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}

/** One running Go program. Every wait has a deadline and ends when the program does. */
export class GoProgram {
  readonly name: string;
  /** Everything it said but packets and messages, oldest first. */
  readonly said: GoEvent[] = [];
  readonly #child: Child;
  readonly #waiting = new Set<Waiting>();
  readonly #kept: GoEvent[] = [];
  readonly #exited: Promise<void>;
  #ready: GoEvent | undefined;
  #stderr = '';
  #ended: Error | undefined;
  #stopping = false;
  #refs = 0;

  private constructor(name: string, program: string, args: readonly string[]) {
    this.name = name;
    this.#child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    const child = this.#child;
    running.add(child);
    child.stdin.on('error', () => undefined);
    child.stderr.on('data', (piece: Buffer) => (this.#stderr = (this.#stderr + piece.toString()).slice(-2_000)));
    createInterface(child.stdout).on('line', (line) => this.#heard(line));
    this.#exited = new Promise((resolve) => {
      child.on('error', (error) => (this.#over(error.message), resolve()));
      child.on('close', (code, signal) => (this.#over(`ended with ${signal ?? code}`), resolve()));
    });
  }

  /** Starts a program and waits until it is ready. */
  static async start(name: string, program: string, args: readonly string[], readyMs = startMs): Promise<GoProgram> {
    const started = new GoProgram(name, program, args);
    try {
      started.#ready = await started.take('ready', () => true, readyMs);
    } catch (error) {
      await started.stop();
      throw error;
    }
    return started;
  }

  get id(): string {
    return this.#ready!.id!;
  }

  /** host:port that it listens on. */
  get listen(): string {
    return this.#ready!.listen!;
  }

  get address(): string {
    return `${this.id}@${this.listen}`;
  }

  /** Gives a command and waits for its reply, whatever it says. */
  ask(command: string, members: object = {}, ms = replyMs): Promise<GoEvent> {
    const ref = ++this.#refs;
    const reply = this.take('reply', (event) => event.ref === ref, ms, `reply to ${command}`);
    this.#child.stdin.write(`${JSON.stringify({ command, ref, ...members })}\n`);
    return reply;
  }

  /** Gives a command that must succeed. */
  async order(command: string, members: object = {}, ms = replyMs): Promise<GoEvent> {
    const reply = await this.ask(command, members, ms);
    if (reply.ok !== true) throw new Error(`${this.name}: ${command} ${JSON.stringify(members).slice(0, 200)}: ${reply.error}`);
    return reply;
  }

  /** The first event of this name that matches and that nobody has taken; waits for it if need be. */
  take(event: string, match: Match = () => true, ms = eventMs, what = `event ${event}`): Promise<GoEvent> {
    const at = this.#kept.findIndex((kept) => kept.event === event && match(kept));
    if (at >= 0) return Promise.resolve(this.#kept.splice(at, 1)[0]!);
    if (this.#ended) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(waiting);
      };
      const waiting: Waiting = {
        event,
        match,
        settle: (found) => (done(), resolve(found)),
        fail: (error) => (done(), reject(error)),
      };
      const timer = setTimeout(() => waiting.fail(new Error(`${this.name}: no ${what} within ${ms} ms`)), ms);
      this.#waiting.add(waiting);
    });
  }

  /** All events of this name that match and that nobody has taken so far. */
  takeAll(event: string, match: Match = () => true): readonly GoEvent[] {
    const taken = this.#kept.filter((kept) => kept.event === event && match(kept));
    for (const each of taken) this.#kept.splice(this.#kept.indexOf(each), 1);
    return taken;
  }

  /** Ends the program: asked first, killed if it does not listen. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#child.stdin.end();
    const timer = setTimeout(() => kill(this.#child), quitMs);
    await this.#exited;
    clearTimeout(timer);
  }

  #heard(line: string): void {
    let event: GoEvent;
    try {
      event = JSON.parse(line) as GoEvent;
    } catch {
      event = { event: 'error', t: 0, error: `not JSON: ${line.slice(0, 200)}` };
    }
    if (event.event !== 'message' && event.event !== 'packet') this.said.push(event);
    for (const waiting of this.#waiting) {
      if (waiting.event === event.event && waiting.match(event)) return waiting.settle(event);
    }
    if (this.#kept.length < maxKept) this.#kept.push(event);
  }

  #over(how: string): void {
    running.delete(this.#child);
    this.#ended ??= new Error(`${this.name} ${how}${this.#stderr ? `: ${this.#stderr.trim()}` : ''}`);
    if (!this.#stopping) this.said.push({ event: 'fatal', t: 0, error: this.#ended.message });
    for (const waiting of [...this.#waiting]) waiting.fail(this.#ended);
  }
}
