/** Waits that end with a value, an error, or the abort of their signal. */

/** One promise and what settles it. */
export class Wait<T> {
  readonly promise: Promise<T>;
  #resolve!: (value: T) => void;
  #reject!: (error: unknown) => void;
  #onDone: ((wait: Wait<T>) => void) | undefined;

  constructor(onDone: (wait: Wait<T>) => void) {
    this.#onDone = onDone;
    this.promise = new Promise<T>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.promise.catch(() => undefined); // whoever asked may have stopped waiting
  }

  get pending(): boolean {
    return this.#onDone !== undefined;
  }

  settle(value: T): void {
    this.#done();
    this.#resolve(value);
  }

  fail(error: unknown): void {
    this.#done();
    this.#reject(error);
  }

  #done(): void {
    this.#onDone?.(this);
    this.#onDone = undefined;
  }
}

type Group = Readonly<{ waits: Set<Wait<never>>; listener: () => void }>;

/**
 * The waits of one connection. A loop passes the same signal to every call of its life, and a listener a call would cost more than the call;
 * so a signal gets one listener, kept until another signal is used or the connection ends.
 */
export class Waits {
  readonly #groups = new Map<AbortSignal, Group>();

  /** A new wait; rejects with the signal's reason when it aborts. */
  add<T>(signal: AbortSignal): Wait<T> {
    const { waits } = this.#groups.get(signal) ?? this.#open(signal);
    const wait = new Wait<T>((done) => waits.delete(done as unknown as Wait<never>));
    waits.add(wait as unknown as Wait<never>);
    if (signal.aborted) wait.fail(signal.reason);
    return wait;
  }

  /** Fails every wait and lets go of every signal. */
  close(error: unknown): void {
    for (const [signal, { waits, listener }] of this.#groups) {
      signal.removeEventListener('abort', listener);
      for (const wait of waits) wait.fail(error);
    }
    this.#groups.clear();
  }

  #open(signal: AbortSignal): Group {
    for (const [other, { waits, listener }] of this.#groups) {
      if (waits.size > 0) continue;
      other.removeEventListener('abort', listener);
      this.#groups.delete(other);
    }
    const waits = new Set<Wait<never>>();
    const listener = (): void => {
      for (const wait of waits) wait.fail(signal.reason);
    };
    signal.addEventListener('abort', listener);
    const group = { waits, listener };
    this.#groups.set(signal, group);
    return group;
  }
}
