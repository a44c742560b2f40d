/** Filters: what the host says of an address before a connection, and of an id after its handshake. Whoever it does not let pass is refused. */
import type { Logger } from 'pino';
import { TroupeError } from '../proto/errors.ts';
import { formatEndpoint, type Endpoint } from '../proto/endpoint.ts';
import type { NodeId } from '../proto/identity.ts';
import type { NodeInfo } from '../proto/node-info.ts';
import { withDeadline, type Clock } from '../transports/clock.ts';
import { waitFor } from '../transports/waiter.ts';
import type { Counters } from './metrics.ts';

/** What is asked of a filter by address: of an inbound connection before a byte of it is read, of an outbound one before it is dialed. */
export type AddressQuestion = Readonly<{ endpoint: Endpoint; direction: 'inbound' | 'outbound' }>;

/** What is asked of a filter by id, once the remote has proved who it is and before the peer manager hears of it. */
export type IdQuestion = AddressQuestion & Readonly<{ id: NodeId; nodeInfo: NodeInfo }>;

/** What a filter says: true lets pass. False, an exception, or no answer within `handshake.filterMs` refuses. */
export type Verdict = boolean | Promise<boolean>;

/**
 * Filters of the host (ADR 062, Router), both for inbound and outbound connections. The signal aborts when the answer is no longer waited for.
 *
 * ```ts
 * createNode({ filters: { address: ({ endpoint }) => !blocked.has(endpoint.ip) } });
 * ```
 */
export type Filters = Readonly<{
  address?: (question: AddressQuestion, signal: AbortSignal) => Verdict;
  id?: (question: IdQuestion, signal: AbortSignal) => Verdict;
}>;

export type FilterDeps = Readonly<{ filters: Filters; clock: Clock; log: Logger; counters: Counters; timeoutMs: number }>;

type Kind = 'address' | 'id';

/** Asks the filters of one node. What they say of one connection is asked once. */
export class Filter {
  readonly #deps: FilterDeps;

  constructor(deps: FilterDeps) {
    this.#deps = deps;
  }

  /** Nothing when the address passes, at once if its filter answers at once. @throws TroupeError `ERR_PEER_FILTERED`, or the signal's reason. */
  address(question: AddressQuestion, signal: AbortSignal): void | Promise<void> {
    const { address } = this.#deps.filters;
    if (address) return this.#ask('address', formatEndpoint(question.endpoint), (limit) => address(question, limit), signal);
  }

  /** The same for a remote that has proved its id. */
  id(question: IdQuestion, signal: AbortSignal): void | Promise<void> {
    const { id } = this.#deps.filters;
    if (id) return this.#ask('id', question.id, (limit) => id(question, limit), signal);
  }

  #ask(kind: Kind, subject: string, ask: (signal: AbortSignal) => Verdict, signal: AbortSignal): void | Promise<void> {
    const stop = new AbortController();
    let verdict: Verdict;
    try {
      verdict = ask(stop.signal);
    } catch (error) {
      throw this.#refusal(kind, subject, error);
    }
    if (isPromise(verdict)) return this.#wait(kind, subject, verdict, stop, signal);
    if (!verdict) throw this.#refusal(kind, subject);
  }

  async #wait(kind: Kind, subject: string, verdict: Promise<boolean>, stop: AbortController, signal: AbortSignal): Promise<void> {
    const { clock, timeoutMs } = this.#deps;
    let passes: boolean;
    try {
      passes = await withDeadline(clock, timeoutMs, 'ERR_PEER_FILTERED', signal, (limit) =>
        waitFor<boolean>(limit, ({ settle, fail }) => void verdict.then(settle, fail)),
      );
    } catch (error) {
      stop.abort(error);
      if (signal.aborted) throw signal.reason;
      const isLate = error instanceof TroupeError && error.code === 'ERR_PEER_FILTERED';
      throw this.#refusal(kind, subject, isLate ? new Error(`no answer in ${timeoutMs} ms`) : error);
    }
    if (!passes) throw this.#refusal(kind, subject);
  }

  /** A refused address never becomes a connection that could be counted at its end, so it is counted here. */
  #refusal(kind: Kind, subject: string, cause?: unknown): TroupeError {
    if (kind === 'address') this.#deps.counters.reject('filtered');
    if (cause === undefined) return new TroupeError('ERR_PEER_FILTERED', `${kind} ${subject}`);
    const said = cause instanceof Error ? cause.message : 'it threw no error';
    this.#deps.log.warn({ filter: kind, error: said }, 'a filter of the host gave no verdict');
    return new TroupeError('ERR_PEER_FILTERED', `${kind} ${subject}: ${said}`, { cause });
  }
}

function isPromise(verdict: Verdict): verdict is Promise<boolean> {
  return typeof (verdict as Promise<boolean> | undefined)?.then === 'function';
}
