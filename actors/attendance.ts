/** Who is present, as one reactor sees it: orders what it is told of peers against what it is told by them. */
import type { NodeId } from '../proto/identity.ts';
import type { Clock } from '../transports/clock.ts';
import type { PeerUpdate } from './peer-manager.ts';

/** Longest wait for the update that announces the sender of a message. The router sends it first, so this only ends a broken promise. */
const announceMs = 1_000;
/** Updates that the reactor has not been told of; beyond it none is read, and the subscription keeps only the latest of each peer. */
const maxUntold = 1_024;

/** A message that waits to be handled. Its life is the up it came after; undefined until that is announced. */
type Waiting = { readonly from: NodeId; life: PeerUpdate | undefined; readonly settle: (entered: boolean) => void };

/**
 * The order a reactor may rely on for each peer: up, messages, down, strictly in turn.
 * A message waits until the reactor has been told of its sender; a down waits until the messages before it have been handled.
 * One update is told at a time; those of different peers keep their order unless a down has to wait.
 */
export class Attendance {
  readonly #clock: Clock;
  readonly #tell: (update: PeerUpdate) => void | Promise<void>;
  /** The up of each peer that is up as far as we have read, and as far as the reactor has been told. */
  readonly #announced = new Map<NodeId, PeerUpdate>();
  readonly #present = new Map<NodeId, PeerUpdate>();
  readonly #untold = new Set<PeerUpdate>();
  /** Messages being handled, by sender. */
  readonly #busy = new Map<NodeId, number>();
  /** At most one a channel. */
  readonly #waiting = new Set<Waiting>();
  #wake: () => void = () => undefined;
  #makeRoom: () => void = () => undefined;
  #closed = false;

  constructor(clock: Clock, tell: (update: PeerUpdate) => void | Promise<void>) {
    this.#clock = clock;
    this.#tell = tell;
  }

  /** Takes an update in the order it was sent; the promise, if any, asks to read no further before it resolves. */
  announce(update: PeerUpdate): void | Promise<void> {
    const { id, status } = update;
    if (this.#closed || this.#announced.has(id) === (status === 'up')) return;
    if (status === 'down') this.#announced.delete(id);
    else {
      this.#announced.set(id, update);
      for (const waiting of this.#waiting) if (waiting.from === id) waiting.life ??= update;
    }
    this.#untold.add(update);
    this.#wake();
    if (this.#untold.size >= maxUntold) return new Promise((resolve) => (this.#makeRoom = resolve));
  }

  /** Asks to handle a message: true once its sender is up, to be followed by `leave`; false when the reactor ends or the sender is never announced. */
  enter(from: NodeId): boolean | Promise<boolean> {
    if (this.#closed) return false;
    const life = this.#announced.get(from);
    return this.#admit(from, life) || this.#wait(from, life);
  }

  /** A message has been handled. */
  leave(from: NodeId): void {
    const left = this.#busy.get(from)! - 1;
    if (left > 0) this.#busy.set(from, left);
    else this.#busy.delete(from);
    if (left === 0 && this.#untold.size > 0) this.#wake();
  }

  /** Tells the reactor until the signal aborts. Rejects with what it throws. */
  async run(signal: AbortSignal): Promise<void> {
    const close = (): void => this.#close();
    signal.addEventListener('abort', close, { once: true });
    if (signal.aborted) close();
    try {
      while (!this.#closed) {
        const update = this.#next();
        if (update === undefined) await new Promise<void>((resolve) => (this.#wake = resolve));
        else await this.#deliver(update);
      }
    } finally {
      signal.removeEventListener('abort', close);
      close();
    }
  }

  async #deliver(update: PeerUpdate): Promise<void> {
    const { id, status } = update;
    if (status === 'down') this.#present.delete(id);
    await this.#tell(update);
    if (status === 'down') return;
    this.#present.set(id, update);
    for (const waiting of [...this.#waiting]) if (this.#admit(waiting.from, waiting.life)) waiting.settle(true);
  }

  /** The oldest update that may be told now, removed. What follows a down that has to wait, of the same peer, waits too. */
  #next(): PeerUpdate | undefined {
    for (const update of this.#untold) {
      // A peer that is up again behind a waiting down is still present: its old life is not over.
      if (update.status === 'down' ? this.#busy.has(update.id) : this.#present.has(update.id)) continue;
      this.#untold.delete(update);
      if (this.#untold.size < maxUntold) this.#makeRoom();
      return update;
    }
    return undefined;
  }

  #admit(from: NodeId, life: PeerUpdate | undefined): boolean {
    if (life === undefined || this.#present.get(from) !== life) return false;
    this.#busy.set(from, (this.#busy.get(from) ?? 0) + 1);
    return true;
  }

  #wait(from: NodeId, life: PeerUpdate | undefined): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (entered: boolean): void => {
        this.#clock.clearTimeout(timer);
        this.#waiting.delete(waiting);
        resolve(entered);
      };
      const waiting: Waiting = { from, life, settle };
      // Once the sender is announced it is only the reactor that is slow, and its message keeps.
      const timer = this.#clock.setTimeout(() => waiting.life ?? settle(false), announceMs);
      this.#waiting.add(waiting);
    });
  }

  #close(): void {
    this.#closed = true;
    this.#wake();
    this.#makeRoom();
    for (const waiting of [...this.#waiting]) waiting.settle(false);
  }
}
