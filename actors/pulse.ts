/** Signs of life: what a watchdog looks at to tell an actor that hangs from one that waits, or has nothing to do. */
import type { AnyActorRef } from 'xstate';
import { TroupeError } from '../proto/errors.ts';

/** Something that an actor may be stuck in. */
export interface Sign {
  /** What it would be stuck in, for the error. */
  readonly what: string;
  /** Whether a remote can bring it about that it is stuck. */
  readonly provoked: boolean;
  /** A number that changes whenever the actor moves on; undefined while there is nothing for it to do. */
  progress(): number | undefined;
}

/** A piece of work that has begun and must end, again and again. */
export class Work implements Sign {
  readonly what: string;
  readonly provoked: boolean;
  #turn = 0;
  #busy = false;

  constructor(what: string, provoked = false) {
    this.what = what;
    this.provoked = provoked;
  }

  progress(): number | undefined {
    return this.#busy ? this.#turn : undefined;
  }

  /** Begins; what is awaited in `during` counts, and the end comes with it. */
  async during<T>(work: T | Promise<T>): Promise<T> {
    this.#turn++;
    this.#busy = true;
    try {
      return await work;
    } finally {
      this.#busy = false;
    }
  }
}

type Watched = { readonly sign: Sign; seen: number | undefined; missed: number };

/** The signs of one actor. A sign that stands still from one look to the next is missed; missed too often in a row, the actor hangs. */
export class Pulse {
  readonly #maxMissed: number;
  readonly #isWaiting: () => boolean;
  readonly #watched = new Map<Sign, Watched>();
  readonly #provoked = new Set<unknown>();
  /** Whether the actor itself says which of its faults a remote can bring about. */
  accountable = false;

  /** `isWaiting` says that the actor waits where somebody else keeps the time, which is a sign of life for all of it. */
  constructor(maxMissed: number, isWaiting: () => boolean = () => false) {
    this.#maxMissed = maxMissed;
    this.#isWaiting = isWaiting;
  }

  watch<S extends Sign>(sign: S): S {
    this.#watched.set(sign, { sign, seen: undefined, missed: 0 });
    return sign;
  }

  /** The actor says that it lives. */
  beat(): void {
    for (const watched of this.#watched.values()) watched.missed = 0;
  }

  /** One look of the watchdog. */
  hung(): TroupeError | undefined {
    if (this.#isWaiting()) {
      this.beat();
      return undefined;
    }
    for (const watched of this.#watched.values()) {
      const { sign, seen } = watched;
      watched.seen = sign.progress();
      watched.missed = watched.seen !== undefined && watched.seen === seen ? watched.missed + 1 : 0;
      if (watched.missed >= this.#maxMissed) return this.#fault(sign);
    }
    return undefined;
  }

  /** Notes that a remote can bring about this fault at will. */
  blameRemote(error: unknown): void {
    this.#provoked.add(error);
  }

  isProvoked(error: unknown): boolean {
    return this.#provoked.has(error);
  }

  #fault({ what, provoked }: Sign): TroupeError {
    const error = new TroupeError('ERR_ACTOR_HUNG', what);
    if (provoked) this.blameRemote(error);
    return error;
  }
}

/** For a child with an inbox: sends it an event at each look, and expects to see it taken. Each start of the child begins anew. */
export function inboxProbe(maxMissed: number): (child: AnyActorRef) => TroupeError | undefined {
  let probed: AnyActorRef | undefined;
  let missed = 0;
  return (child) => {
    if (child !== probed) missed = 0;
    probed = child;
    missed = answers(child) ? 0 : missed + 1;
    return missed >= maxMissed ? new TroupeError('ERR_ACTOR_HUNG', 'it takes no events') : undefined;
  };
}

/** An actor tells its subscribers of each event that it has taken, before `send` returns. */
function answers(child: AnyActorRef): boolean {
  let taken = false;
  const subscription = child.subscribe({ next: () => (taken = true), error: () => undefined });
  try {
    child.send({ type: 'watchdog.probe' });
  } catch {
    // A viewer of the host's that throws does so into whoever sends.
  }
  subscription.unsubscribe();
  return taken;
}
