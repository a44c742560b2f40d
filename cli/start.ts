/** `troupe start`: one node with peer exchange and echo, from ready to a clean end. */
import type { Logger } from 'pino';
import { echoReactor } from '../actors/echo.ts';
import { nodeLog } from '../actors/log.ts';
import { createNode, type Node } from '../actors/node.ts';
import { pexReactor } from '../actors/pex.ts';
import { asTroupeError, TroupeError } from '../proto/errors.ts';
import { nodeOptions, parseOptions, type NodeOptions } from '../proto/options.ts';
import { sleep, type Clock } from '../transports/clock.ts';
import type { Call } from './call.ts';
import { optionsFrom, settingsFromFile } from './config.ts';
import { exitCodes, fail, type ExitCode, type Output } from './output.ts';
import { stopOf, type Shell } from './shell.ts';

/** What a node is given beyond its own limit for a stop before the process ends without it. */
const stopGraceMs = 500;

/** `troupe start`. */
export async function start(call: Call): Promise<ExitCode> {
  const { shell, output, home, flags, env } = call;
  using stop = stopOf(shell);
  const given = optionsFrom(flags, env, settingsFromFile(home));
  const options = parseOptions(nodeOptions, given);
  const log = await logOf(shell, output, options);
  const { ask, everyMs } = options.echo;
  using echoes = tally(shell.clock, everyMs, output);
  const echo = echoReactor(ask ? { everyMs, onRoundTrip: echoes.add } : {});
  const node = await createNode({
    ...given,
    monitor: options.monitor,
    home,
    reactors: [pexReactor(), echo],
    log,
    environment: shell,
  });
  try {
    await Promise.race([node.start(), aborted(stop.signal)]);
    if (!stop.signal.aborted) {
      announce(node, home, output);
      await run(node, call, stop.signal);
    }
  } catch (error) {
    await ended(node, shell, options);
    throw error;
  }
  output.status('');
  return (await ended(node, shell, options))
    ? finished(output)
    : fail(shell, new TroupeError('ERR_INTERNAL', `the node did not stop within ${options.stop.totalMs} ms`));
}

/** Prints what happens to peers until the process is asked to stop. @throws what made the node give up. */
async function run(node: Node, { shell, output }: Call, signal: AbortSignal): Promise<void> {
  const over = new AbortController();
  const until = AbortSignal.any([signal, over.signal]);
  const watching = Promise.all([tell(node, output, until), shell.terminal && keepStatus(node, shell, output, until)]);
  try {
    const error = await Promise.race([node.ended, aborted(signal)]);
    if (error) throw error;
  } finally {
    over.abort();
    await watching;
  }
}

function announce(node: Node, home: string, output: Output): void {
  const { nodeId, addresses, monitorUrl, monitorToken } = node;
  const monitor = monitorUrl === undefined ? {} : { monitor: monitorUrl, token: monitorToken };
  const sentences = monitorUrl === undefined ? [] : [`monitor  ${monitorUrl}  (token ${monitorToken})`];
  output.event(
    { event: 'ready', nodeId, listen: addresses, home, pid: process.pid, ...monitor },
    `ready    ${nodeId}`,
    ...addresses.map((address) => `listen   ${address}`),
    ...sentences,
  );
}

async function tell(node: Node, output: Output, signal: AbortSignal): Promise<void> {
  try {
    for await (const update of node.peers.updates(signal)) {
      if ('snapshotEnd' in update) continue;
      const { id, status, channels, reason } = update;
      const why = reason === undefined ? '' : `  ${reason}`;
      output.event({ event: status, id, channels, ...(reason === undefined ? {} : { reason }) }, `${status.padEnd(9)}${id}${why}`);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

async function keepStatus(node: Node, { clock }: Shell, output: Output, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const { peers, uptimeMs, rssBytes } = node.status();
    output.status(
      `up ${Math.floor(uptimeMs / 1_000)} s   peers ${peers.up} up, ${peers.dialing} dialing, ${peers.known} known   ${Math.round(rssBytes / 2 ** 20)} MiB`,
    );
    await sleep(clock, 1_000, signal).catch(() => undefined);
  }
}

/** Gathers the answers to one question into one line. */
function tally(clock: Clock, everyMs: number, output: Output): Readonly<{ add(ms: number): void; [Symbol.dispose](): void }> {
  let timer: unknown;
  let times: number[] = [];
  const flush = (): void => {
    timer = undefined;
    const [meanMs, maxMs] = [times.reduce((sum, ms) => sum + ms, 0) / times.length, Math.max(...times)].map(
      (ms) => Math.round(ms * 100) / 100,
    );
    output.event({ event: 'echo', answers: times.length, meanMs, maxMs });
    times = [];
  };
  return {
    add(ms) {
      times.push(ms);
      timer ??= clock.setTimeout(flush, everyMs / 2);
    },
    [Symbol.dispose]: () => clock.clearTimeout(timer),
  };
}

/** Whether the node stopped within its own limit. */
async function ended(node: Node, { clock }: Shell, { stop }: NodeOptions): Promise<boolean> {
  const over = new AbortController();
  const late = sleep(clock, stop.totalMs + stopGraceMs, over.signal).then(
    () => false,
    () => true,
  );
  const done = await Promise.race([node.stop().then(() => true), late]);
  over.abort();
  return done;
}

function finished(output: Output): ExitCode {
  output.event({ event: 'stopped' }, 'stopped');
  return exitCodes.success;
}

/** Resolves with undefined once the signal aborts. */
const aborted = (signal: AbortSignal): Promise<undefined> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });

/** Lines of JSON on standard error, or readable ones where a person reads them and `pino-pretty` is installed. */
async function logOf(shell: Shell, output: Output, { logLevel }: NodeOptions): Promise<Logger> {
  const pretty = shell.errorTerminal ? await import('pino-pretty').catch(() => undefined) : undefined;
  const readable = pretty?.prettyFactory({ colorize: false, singleLine: true, translateTime: 'HH:MM:ss.l' });
  const log = nodeLog({ level: logLevel, clock: shell.clock, destination: { write: (line) => output.write(readable?.(line) ?? line) } });
  shell.onCrash((thrown) => log.fatal({ err: asTroupeError(thrown) }, 'unhandled fault'));
  return log;
}
