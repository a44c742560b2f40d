/** `troupe testnet`: several nodes on loopback, watched until told to stop. A node that dies is reported and left to its user. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TroupeError, type ErrorCode } from '../proto/errors.ts';
import { sleep } from '../transports/clock.ts';
import type { Call } from './call.ts';
import type { Settings } from './config.ts';
import { exitCodes, type ExitCode } from './output.ts';
import { stopOf } from './shell.ts';
import { decidedByTestnet, testnetHomes, type TestnetHome } from './testnet-home.ts';
import { TestnetNode, type Exit, type NodeEvent } from './testnet-node.ts';

const lookEveryMs = 1_000;
/** Nodes that have not stopped by then are killed; a clean stop takes well under a second. */
const stopMs = 4_800;

/** `troupe testnet [n]`. */
export async function testnet(call: Call): Promise<ExitCode> {
  using stop = stopOf(call.shell);
  const count = countOf(call.operands[0] ?? '4');
  const folder = call.homeGiven ? call.home : mkdtempSync(join(tmpdir(), 'troupe-testnet-'));
  const homes = await testnetHomes(folder, count, settingsOf(call));
  call.output.event({ event: 'testnet', nodes: count, home: folder }, `${count} nodes in ${folder}`);
  const run = new Run(call, stop.signal);
  try {
    // The first is up before the others look for it.
    await run.start(homes.slice(0, 1));
    await run.start(homes.slice(1));
    await run.watch();
    return await run.stop();
  } catch (error) {
    await run.stop();
    throw error;
  }
}

/** A testnet while it runs. */
class Run {
  readonly #call: Call;
  readonly #signal: AbortSignal;
  readonly #nodes: TestnetNode[] = [];
  readonly #running = new Set<TestnetNode>();
  readonly #up = new Map<TestnetNode, number | undefined>();
  #stopping = false;
  #readyAt = 0;
  #complete = false;
  #echoes = 0;

  constructor(call: Call, signal: AbortSignal) {
    this.#call = call;
    this.#signal = signal;
  }

  /** Starts nodes and waits until all of them are ready. @throws TroupeError when one ends before. */
  async start(homes: readonly TestnetHome[]): Promise<void> {
    if (this.#signal.aborted) return;
    const { shell, output } = this.#call;
    await Promise.all(
      homes.map(async (home) => {
        let ready: () => void = () => undefined;
        const isReady = new Promise<undefined>((resolve) => (ready = () => resolve(undefined)));
        const node = new TestnetNode(
          home,
          shell,
          (event) => this.#onEvent(node, event, ready),
          (line) => output.write(line),
        );
        this.#nodes.push(node);
        this.#running.add(node);
        const { pid, command } = node;
        output.event(
          { event: 'started', node: home.name, pid, home: home.home, command },
          `${home.name}    pid ${pid}   again: ${command}`,
        );
        void node.exited.then((exit) => this.#onExit(node, exit));
        const exit = await Promise.race([isReady, node.exited, this.#stopped()]);
        if (exit && !this.#signal.aborted)
          throw new TroupeError(errorOf(exit), `${home.name} ended before it was ready (${exit.signal ?? `exit code ${exit.code}`})`);
      }),
    );
    this.#readyAt = shell.clock.now();
  }

  /** Looks at every node each second until asked to stop. */
  async watch(): Promise<void> {
    const { clock } = this.#call.shell;
    while (!this.#signal.aborted) {
      await Promise.all(this.#nodes.map((node) => this.#look(node)));
      this.#tell();
      await sleep(clock, lookEveryMs, this.#signal).catch(() => undefined);
    }
  }

  /** Stops every node that still runs; 70 when one had to be killed or ended with a fault. */
  async stop(): Promise<ExitCode> {
    this.#stopping = true;
    const { shell, output } = this.#call;
    output.status('');
    const running = [...this.#running];
    for (const node of running) node.stop();
    const over = new AbortController();
    const killed = sleep(shell.clock, stopMs, over.signal).then(
      () => running.forEach((node) => node.kill()),
      () => undefined,
    );
    const exits = await Promise.all(running.map(({ exited }) => exited));
    over.abort();
    await killed;
    output.event({ event: 'stopped' }, 'stopped');
    return exits.every(({ code }) => code === 0) ? exitCodes.success : exitCodes.internal;
  }

  #stopped(): Promise<undefined> {
    return new Promise((resolve) => this.#signal.addEventListener('abort', () => resolve(undefined), { once: true }));
  }

  #onEvent(node: TestnetNode, event: NodeEvent, ready: () => void): void {
    const { name } = node.home;
    const kind = String(event['event']);
    if (kind === 'ready') ready();
    if (kind === 'echo') this.#echoes += Number(event['answers']);
    const sentence = {
      ready: `ready   ${textOf(event['monitor'])}   ${node.home.address}`,
      up: `up      ${this.#nameOf(event)}`,
      down: `down    ${this.#nameOf(event)}  ${textOf(event['reason'])}`,
    }[kind];
    this.#call.output.event({ node: name, ...event }, ...(sentence === undefined ? [] : [`${name}    ${sentence}`]));
  }

  /** Peers by their names here, where they have one. */
  #nameOf({ id }: NodeEvent): string {
    return this.#nodes.find(({ home }) => home.nodeId === id)?.home.name ?? textOf(id);
  }

  #onExit(node: TestnetNode, { code, signal }: Exit): void {
    this.#running.delete(node);
    if (this.#stopping) return;
    const { name } = node.home;
    const how = signal ?? `exit code ${code}`;
    this.#call.output.event(
      { event: 'exited', node: name, code, signal, command: node.command },
      `${name}    ended (${how})   again: ${node.command}`,
    );
  }

  async #look(node: TestnetNode): Promise<void> {
    const up = await node.peersUp(this.#signal);
    if (up === this.#up.get(node) || this.#signal.aborted) return;
    this.#up.set(node, up);
    if (!this.#call.shell.terminal) this.#call.output.event({ event: 'status', node: node.home.name, up: up ?? null });
  }

  #tell(): void {
    const { output, shell } = this.#call;
    const each = this.#nodes.map((node) => `${node.home.name} ${this.#up.get(node) === undefined ? 'down' : `${this.#up.get(node)} up`}`);
    output.status(`${each.join('   ')}   echoes ${this.#echoes}`);
    if (this.#complete || !this.#nodes.every((node) => (this.#up.get(node) ?? 0) >= this.#nodes.length - 1)) return;
    this.#complete = true;
    const afterMs = Math.round(shell.clock.now() - this.#readyAt);
    output.event(
      { event: 'complete', afterMs },
      `every node has every other one up, ${(afterMs / 1_000).toFixed(1)} s after the last was ready`,
    );
  }
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

/** The code that a node's exit code stands for. */
function errorOf({ code }: Exit): ErrorCode {
  if (code === exitCodes.homeInUse) return 'ERR_HOME_IN_USE';
  if (code === exitCodes.addressUnavailable) return 'ERR_LISTEN_UNAVAILABLE';
  return code === exitCodes.usage ? 'ERR_OPTION_INVALID' : 'ERR_INTERNAL';
}

function countOf(text: string): number {
  const count = /^\d{1,2}$/.test(text) ? Number(text) : 0;
  if (count < 2 || count > 64)
    throw new TroupeError('ERR_OPTION_INVALID', `the number of nodes is from 2 to 64, not ${JSON.stringify(text.slice(0, 20))}`);
  return count;
}

/** What was set for all nodes. @throws TroupeError `ERR_OPTION_INVALID` for what each node must have of its own. */
function settingsOf({ flags, env }: Call): Settings {
  const own = [...env.keys()].find(decidedByTestnet);
  if (own) throw new TroupeError('ERR_OPTION_INVALID', `${own.env}: a testnet chooses this for each node`);
  return new Map([...env, ...flags]);
}
