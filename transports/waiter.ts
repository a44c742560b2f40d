/** A promise that one side settles and a signal can abandon; both sides know at once, not a microtask later, whether anybody still waits. */

/** The settling side. Settling or failing a waiter that nobody waits on does nothing. */
export type Waiter<T> = Readonly<{ waiting: boolean; settle: (value: T) => void; fail: (error: unknown) => void }>;

/** Gives a waiter to `begin` and resolves with what it is settled with; rejects with the signal's reason when that aborts first. */
export function waitFor<T>(signal: AbortSignal | undefined, begin: (waiter: Waiter<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const waiter = {
      waiting: true,
      settle: (value: T): void => {
        if (stop()) resolve(value);
      },
      fail: (error: unknown): void => {
        if (stop()) reject(error);
      },
    };
    const stop = (): boolean => {
      const waited = waiter.waiting;
      waiter.waiting = false;
      signal?.removeEventListener('abort', onAbort);
      return waited;
    };
    const onAbort = (): void => waiter.fail(signal?.reason);
    if (signal?.aborted) return onAbort();
    signal?.addEventListener('abort', onAbort, { once: true });
    begin(waiter);
  });
}
