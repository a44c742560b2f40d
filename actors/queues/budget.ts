/** The budget of the whole process: what many queues may hold together. */

/** Lets one waiting writer of a queue in; false if there is none, or none that has room. */
export type Turn = () => boolean;

/** Bytes and messages that many queues share; beyond it none of them has room. A message held by several queues, as a broadcast is, counts once. */
export class SharedBudget {
  readonly maxBytes: number;
  readonly maxMessages: number;
  #bytes = 0;
  readonly #holds = new Map<object, { readonly bytes: number; count: number }>();
  /** Queues with a writer that only this budget keeps waiting, by turns; newcomers queue up behind them. */
  readonly #turns = new Set<Turn>();
  #serving = false;

  constructor(maxBytes: number, maxMessages: number) {
    this.maxBytes = maxBytes;
    this.maxMessages = maxMessages;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get messages(): number {
    return this.#holds.size;
  }

  /** Whether the queue of this turn may add a message now, or could once `lessBytes` in `lessMessages` are gone. */
  hasRoom(token: object, bytes: number, turn: Turn, lessBytes = 0, lessMessages = 0): boolean {
    if (this.#turns.size > 0 && !this.#isFirst(turn)) return this.#holds.has(token);
    const held = this.#bytes - lessBytes;
    const messages = this.#holds.size - lessMessages;
    return messages === 0 || (held + bytes <= this.maxBytes && messages < this.maxMessages) || this.#holds.has(token);
  }

  /** Whether one queue alone holds a message, so that dropping it there makes room here. */
  isHeldOnce(token: object): boolean {
    return this.#holds.get(token)?.count === 1;
  }

  hold(token: object, bytes: number): void {
    const known = this.#holds.get(token);
    if (known) {
      known.count++;
      return;
    }
    this.#holds.set(token, { bytes, count: 1 });
    this.#bytes += bytes;
  }

  release(token: object): void {
    const known = this.#holds.get(token);
    if (!known || --known.count > 0) return;
    this.#holds.delete(token);
    this.#bytes -= known.bytes;
    if (this.#turns.size > 0) this.#serve();
  }

  /** A queue has a writer that only the budget keeps waiting. */
  join(turn: Turn): void {
    this.#turns.add(turn);
  }

  /** It has none any more. */
  leave(turn: Turn): void {
    if (this.#turns.delete(turn)) this.#serve();
  }

  #isFirst(turn: Turn): boolean {
    const [first] = this.#turns;
    return first === turn;
  }

  /** Hands out room one writer a queue, so that no queue keeps the others out. */
  #serve(): void {
    if (this.#serving) return;
    this.#serving = true;
    for (let [turn] = this.#turns; turn; [turn] = this.#turns) {
      if (turn()) {
        if (this.#turns.delete(turn)) this.#turns.add(turn);
      } else if (this.#turns.has(turn)) break;
    }
    this.#serving = false;
  }
}
