/** Notices a remote that takes none of our bytes. */
import { TroupeError } from '../../proto/errors.ts';
import type { Clock, TimerHandle } from '../clock.ts';
import type { Outlet } from './outlet.ts';

/** Watches a socket while it has a backlog, with one timer that is set again only when it fires. */
export class StallWatch {
  readonly #clock: Clock;
  readonly #stallMs: number;
  readonly #outlet: Outlet;
  readonly #fail: (error: unknown) => void;
  #timer: TimerHandle;
  #progressAt = 0;
  #progress = 0;
  #closed = false;

  constructor(clock: Clock, stallMs: number, outlet: Outlet, fail: (error: unknown) => void) {
    this.#clock = clock;
    this.#stallMs = stallMs;
    this.#outlet = outlet;
    this.#fail = fail;
  }

  /** Call after each write. */
  watch(): void {
    if (this.#timer !== undefined || this.#closed || this.#outlet.backlogBytes === 0) return;
    this.progressed();
    this.#arm(this.#stallMs);
  }

  /** Call when a write is through. */
  progressed(): void {
    this.#progressAt = this.#clock.now();
    this.#progress = this.#outlet.progress();
  }

  close(): void {
    this.#closed = true;
    this.#clock.clearTimeout(this.#timer);
  }

  #arm(ms: number): void {
    // The check waits for one turn of the event loop: after a stall of ours, what the remote took meanwhile is seen first.
    this.#timer = this.#clock.setTimeout(() => setImmediate(() => this.#check()), ms);
  }

  #check(): void {
    this.#timer = undefined;
    if (this.#closed || this.#outlet.backlogBytes === 0) return;
    if (this.#outlet.progress() !== this.#progress) this.progressed();
    const waited = this.#clock.now() - this.#progressAt;
    if (waited >= this.#stallMs) this.#fail(new TroupeError('ERR_CONNECTION_STALLED', `${this.#stallMs} ms`));
    else this.#arm(this.#stallMs - waited);
  }
}
