/** Ends the connections of a memory network whose remote has not been heard for too long, because its way is cut or it is frozen. */
import { TroupeError } from '../../proto/errors.ts';
import type { Clock, TimerHandle } from '../clock.ts';
import type { MemoryConnection } from './connection.ts';

/** Watches every end with one timer, for the one that has been deaf for longest. */
export class SilenceWatch {
  readonly #clock: Clock;
  readonly #silenceMs: number;
  readonly #isDeaf: (end: MemoryConnection) => boolean;
  /** Since when each deaf end has heard nothing, the longest first. */
  readonly #since = new Map<MemoryConnection, number>();
  #timer: TimerHandle;

  constructor(clock: Clock, silenceMs: number, isDeaf: (end: MemoryConnection) => boolean) {
    this.#clock = clock;
    this.#silenceMs = silenceMs;
    this.#isDeaf = isDeaf;
  }

  /** Looks at ends again after ways were opened or closed. */
  review(ends: Iterable<MemoryConnection>): void {
    for (const end of ends) {
      if (!this.#isDeaf(end)) this.#since.delete(end);
      else if (!this.#since.has(end)) this.#since.set(end, this.#clock.now());
    }
    this.#arm();
  }

  forget(end: MemoryConnection): void {
    if (this.#since.delete(end)) this.#arm();
  }

  #arm(): void {
    this.#clock.clearTimeout(this.#timer);
    const [first] = this.#since.values();
    if (first === undefined) return;
    this.#timer = this.#clock.setTimeout(() => this.#end(), Math.max(0, first + this.#silenceMs - this.#clock.now()));
  }

  #end(): void {
    const latest = this.#clock.now() - this.#silenceMs;
    const silent = new TroupeError('ERR_CONNECTION_SILENT', `nothing heard for ${this.#silenceMs} ms`);
    for (const [end, since] of [...this.#since]) if (since <= latest) end.breakOff(silent, true);
    this.#arm();
  }
}
