/** An acceptor: takes connections from one transport and hands them on, for as long as the transport listens. */
import { fromPromise } from 'xstate';
import type { Logger } from 'pino';
import { sleep, type Clock } from '../transports/clock.ts';
import type { Connection, Transport } from '../transports/transport.ts';

export type AcceptorDeps = Readonly<{
  clock: Clock;
  log: Logger;
  /** Nothing while we keep up with what there is, else a promise that resolves when we do again. */
  keptUp(signal: AbortSignal): void | Promise<void>;
  admit(connection: Connection): void;
}>;

/** Wait after an accept that failed, doubling to a second, so that a lasting fault does not spin. */
const firstPauseMs = 10;
const longestPauseMs = 1_000;

/** Resolves when the transport is closed. A failing accept is logged and tried again (ADR 062, Router). */
export const acceptorLogic = (deps: AcceptorDeps) =>
  fromPromise<void, { transport: Transport }>(async ({ input: { transport }, signal }) => {
    let pauseMs = firstPauseMs;
    for (;;) {
      try {
        const connection = await transport.accept(signal);
        if (!connection) return;
        await admitInTime(deps, connection, signal);
        pauseMs = firstPauseMs;
      } catch (error) {
        if (signal.aborted) return;
        deps.log.warn({ error: (error as Error).message }, 'accept failed');
        await sleep(deps.clock, pauseMs, signal);
        pauseMs = Math.min(pauseMs * 2, longestPauseMs);
      }
    }
  });

/** While we do not keep up, one connection waits here and the rest in the transport, which bounds how many and how long. */
async function admitInTime({ keptUp, admit }: AcceptorDeps, connection: Connection, signal: AbortSignal): Promise<void> {
  try {
    const behind = keptUp(signal);
    if (behind) await behind;
  } catch (error) {
    void connection.close();
    throw error;
  }
  admit(connection);
}
