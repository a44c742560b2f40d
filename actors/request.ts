/** Requests of a channel: a message sent, and the wait for the one that answers it. Messages carry no ids, so the answer is the next that matches. */
import { TroupeError } from '../proto/errors.ts';
import type { NodeId } from '../proto/identity.ts';
import { withDeadline, type Clock } from '../transports/clock.ts';

/** What asks one peer for something. */
export type Request<M> = Readonly<{
  to: NodeId;
  message: M;
  /** Longest wait for the answer, sending included, in milliseconds. */
  timeoutMs: number;
  signal?: AbortSignal;
  /** Whether a message is the answer; any is if left out, and then one request to a peer is open at a time. */
  match?: (message: M) => boolean;
}>;

type Pending<M> = {
  readonly from: NodeId;
  readonly match: ((message: M) => boolean) | undefined;
  readonly resolve: (message: M) => void;
  readonly reject: (error: Error) => void;
};

/** The open requests of one channel. */
export class Requests<M> {
  readonly #clock: Clock;
  readonly #name: string;
  readonly #open = new Set<Pending<M>>();

  constructor(clock: Clock, name: string) {
    this.#clock = clock;
    this.#name = name;
  }

  get size(): number {
    return this.#open.size;
  }

  /**
   * Sends, and resolves with the answer.
   * @throws TroupeError `ERR_REQUEST_PENDING`, `ERR_REQUEST_TIMEOUT`, `ERR_REQUEST_FAILED`, what `send` throws, or the signal's reason.
   */
  async ask({ to, timeoutMs, signal, match }: Request<M>, send: (signal: AbortSignal) => Promise<boolean>): Promise<M> {
    if (!match && [...this.#open].some((other) => other.from === to)) throw new TroupeError('ERR_REQUEST_PENDING', `${this.#name} ${to}`);
    return withDeadline(
      this.#clock,
      timeoutMs,
      'ERR_REQUEST_TIMEOUT',
      signal,
      (deadline) =>
        new Promise<M>((resolve, reject) => {
          const onAbort = (): void => pending.reject(deadline.reason as Error);
          const settle = (): void => {
            this.#open.delete(pending);
            deadline.removeEventListener('abort', onAbort);
          };
          const pending: Pending<M> = {
            from: to,
            match,
            resolve: (answer) => (settle(), resolve(answer)),
            reject: (error) => (settle(), reject(error)),
          };
          this.#open.add(pending);
          deadline.addEventListener('abort', onAbort, { once: true });
          send(deadline).then(
            (sent) => sent || pending.reject(new TroupeError('ERR_REQUEST_FAILED', `${this.#name} ${to}`)),
            (error: unknown) => pending.reject(error as Error),
          );
        }),
    );
  }

  /** Whether something was asked of this peer that it has not answered. */
  isAsked(from: NodeId): boolean {
    for (const pending of this.#open) if (pending.from === from) return true;
    return false;
  }

  /** Gives a message to the oldest request that waits for it; false when none does. What `match` throws fails its request alone. */
  answer(from: NodeId, message: M): boolean {
    for (const pending of this.#open) {
      if (pending.from !== from) continue;
      try {
        if (pending.match && !pending.match(message)) continue;
        pending.resolve(message);
        return true;
      } catch (error) {
        pending.reject(error as Error);
      }
    }
    return false;
  }

  /** A peer is gone. */
  forget(from: NodeId): void {
    for (const pending of [...this.#open]) {
      if (pending.from === from) pending.reject(new TroupeError('ERR_REQUEST_FAILED', `${from} went down`));
    }
  }

  close(): void {
    for (const pending of [...this.#open]) pending.reject(new TroupeError('ERR_CHANNEL_CLOSED', this.#name));
  }
}
