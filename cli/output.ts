/** How a command speaks: sentences and a status line on a terminal, one JSON object a line everywhere else. */
import { visible } from '../actors/log.ts';
import { asTroupeError, type ErrorCode, type TroupeError } from '../proto/errors.ts';
import type { Shell } from './shell.ts';

/** What a command prints to; made from its shell. */
export interface Output {
  /** One thing that happened: `record` as JSON, or the sentences for a person. */
  event(record: Readonly<Record<string, unknown>>, ...sentences: readonly string[]): void;
  /** Replaces the status line; does nothing without a terminal. */
  status(sentence: string): void;
  /** A line for standard error that leaves the status line whole: the destination of a log. */
  write(line: string): void;
}

const clearLine = '\r\u001b[K';

export function outputOf(shell: Shell): Output {
  let status = '';
  const around = (write: () => void): void => {
    if (status !== '') shell.stdout.write(clearLine);
    write();
    if (status !== '') shell.stdout.write(status);
  };
  return {
    event(record, ...sentences) {
      if (shell.terminal) around(() => sentences.forEach((sentence) => shell.stdout.write(`${plain(sentence)}\n`)));
      else shell.stdout.write(`${visible(JSON.stringify(record))}\n`);
    },
    status(sentence) {
      if (!shell.terminal) return;
      status = plain(sentence).slice(0, shell.columns - 1);
      shell.stdout.write(`${clearLine}${status}`);
    },
    write(line) {
      around(() => shell.stderr.write(line));
    },
  };
}

/** A sentence without anything that a terminal would obey. */
export function plain(sentence: string): string {
  return visible(sentence.replace(/[\u0000-\u001f]/g, (mark) => JSON.stringify(mark).slice(1, -1)));
}

/** Exit codes of the command line: part of its contract. */
export const exitCodes = { success: 0, usage: 2, homeInUse: 3, addressUnavailable: 4, peerUnreachable: 5, internal: 70 } as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

const exitOfCode: Partial<Record<ErrorCode, ExitCode>> = {
  ERR_HOME_IN_USE: exitCodes.homeInUse,
  ERR_LISTEN_UNAVAILABLE: exitCodes.addressUnavailable,
  ERR_MONITOR_UNAVAILABLE: exitCodes.addressUnavailable,
  ERR_NODE_NOT_RUNNING: exitCodes.peerUnreachable,
  ERR_NODE_UNREACHABLE: exitCodes.peerUnreachable,
  ERR_ORDER_TIMEOUT: exitCodes.peerUnreachable,
};

/** The exit code for an error that ended a command: by its code, else by whose fault it was. */
export function exitCodeOf(error: TroupeError): ExitCode {
  if (error.fault === 'peer' || error.fault === 'network') return exitCodes.peerUnreachable;
  return exitOfCode[error.code] ?? (error.fault === 'internal' ? exitCodes.internal : exitCodes.usage);
}

/** Says on standard error why a command failed, and returns its exit code. */
export function fail(shell: Shell, thrown: unknown): ExitCode {
  const error = asTroupeError(thrown);
  const exit = exitCodeOf(error);
  const { code, message } = error;
  const stack = exit === exitCodes.internal ? ((error.cause instanceof Error ? error.cause : error).stack ?? '') : undefined;
  const record = { event: 'error', code, message, exit, ...(stack !== undefined && { stack }) };
  const sentence = `troupe: ${plain(message)} (${code})\n${stack === undefined ? '' : `${visible(stack)}\n`}`;
  shell.stderr.write(shell.terminal ? sentence : `${visible(JSON.stringify(record))}\n`);
  return exit;
}
