/** The dialer: dials what the peer manager hands out, a bounded number at a time. */
import { setMaxListeners } from 'node:events';
import { fromPromise } from 'xstate';
import type { Logger } from 'pino';
import { formatNodeAddress, type NodeAddress } from '../proto/address.ts';
import { asTroupeError } from '../proto/errors.ts';
import type { DialerOptions } from '../proto/options.ts';
import { withDeadline, type Clock } from '../transports/clock.ts';
import { dialEndpoints, type AttemptResult, type Resolve } from '../transports/resolve.ts';
import type { Endpoint } from '../proto/endpoint.ts';
import type { Connection, Transport } from '../transports/transport.ts';
import type { Filter } from './filter.ts';
import type { PeerManager } from './peer-manager.ts';

export type DialerDeps = Readonly<{
  clock: Clock;
  log: Logger;
  options: DialerOptions;
  manager: PeerManager;
  resolve: Resolve;
  filter: Filter;
  /** Nothing unless memory is spent, else a promise that resolves when it is not: a dial would only spend more. */
  recovered(signal: AbortSignal): void | Promise<void>;
  /** How each attempt at one endpoint ended, for whoever counts. */
  dialed(result: AttemptResult): void;
  transportOf(protocol: string): Transport | undefined;
  /** Takes over the connection; resolves once its handshake has been answered to the manager, whichever way. */
  shakeHands(connection: Connection, address: NodeAddress): Promise<void>;
}>;

/** Head start of one endpoint over the next, in milliseconds (RFC 8305). */
const headStartMs = 250;

/** Runs until it is stopped (ADR 062, Router: dialing peers). An address is taken only when a dial may begin, and every one taken is answered. */
export const dialerLogic = (deps: DialerDeps) =>
  fromPromise<void>(async ({ signal }) => {
    const dialing = new Set<Promise<void>>();
    // Every dial in flight listens for the same stop.
    setMaxListeners(deps.options.maxDialing * 4 + 8, signal);
    while (!signal.aborted) {
      if (dialing.size >= deps.options.maxDialing) await Promise.race(dialing);
      const spent = deps.recovered(signal);
      if (spent) await spent;
      const address = await deps.manager.dialNext(signal);
      const attempt = dial(deps, address, signal).finally(() => dialing.delete(attempt));
      dialing.add(attempt);
    }
  });

async function dial(deps: DialerDeps, address: NodeAddress, signal: AbortSignal): Promise<void> {
  let connection: Connection;
  try {
    // Memory may have been spent while we waited for somebody to dial.
    const spent = deps.recovered(signal);
    if (spent) await spent;
    const endpoints = await passing(deps, await deps.resolve(address, signal), signal);
    connection = await withDeadline(deps.clock, deps.options.timeoutMs, 'ERR_DIAL_TIMEOUT', signal, (deadline) =>
      dialEndpoints({
        endpoints,
        transportOf: deps.transportOf,
        clock: deps.clock,
        delayMs: headStartMs,
        signal: deadline,
        onAttempt: deps.dialed,
      }),
    );
  } catch (error) {
    const failure = asTroupeError(error, 'ERR_DIAL_FAILED');
    deps.log.debug({ address: formatNodeAddress(address), code: failure.code, error: failure.message }, 'dial failed');
    deps.manager.dialFailed(address, failure);
    return;
  }
  await deps.shakeHands(connection, address);
}

/** The endpoints that the host lets us dial. @throws TroupeError `ERR_PEER_FILTERED` if it is none of them. */
async function passing({ filter }: DialerDeps, endpoints: readonly Endpoint[], signal: AbortSignal): Promise<readonly Endpoint[]> {
  const answers = await Promise.allSettled(endpoints.map(async (endpoint) => filter.address({ endpoint, direction: 'outbound' }, signal)));
  const passed = endpoints.filter((_, index) => answers[index]?.status === 'fulfilled');
  const [first] = answers;
  if (passed.length === 0 && first?.status === 'rejected') throw first.reason;
  return passed;
}
