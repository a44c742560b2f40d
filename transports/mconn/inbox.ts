/** Whole messages that wait for their reader. It bounds nothing itself: it says when it is full, and the socket is left unread. */
import { TroupeError } from '../../proto/errors.ts';
import type { Message } from '../transport.ts';
import type { Wait, Waits } from './waits.ts';

/** Beyond either the socket is not read, until half of it is free again. */
export const maxInboxMessages = 256;
export const maxInboxBytes = 1_048_576;

/** A queue of messages with one reader. */
export class Inbox {
  readonly #waits: Waits;
  readonly #messages: (Message | undefined)[] = [];
  #head = 0;
  #bytes = 0;
  #full = false;
  #reader: Wait<Message> | undefined;

  constructor(waits: Waits) {
    this.#waits = waits;
  }

  get size(): number {
    return this.#messages.length - this.#head;
  }

  get isFull(): boolean {
    return this.#full;
  }

  put(message: Message): void {
    if (this.#reader?.pending) return this.#reader.settle(message);
    this.#messages.push(message);
    this.#bytes += message.bytes.length;
    this.#full ||= this.size > maxInboxMessages || this.#bytes > maxInboxBytes;
  }

  /** The next message if one waits. */
  take(): Message | undefined {
    const message = this.#messages[this.#head];
    if (message === undefined) return undefined;
    this.#messages[this.#head++] = undefined;
    if (this.#head === this.#messages.length || this.#head > maxInboxMessages) {
      this.#messages.splice(0, this.#head);
      this.#head = 0;
    }
    this.#bytes -= message.bytes.length;
    if (this.size <= maxInboxMessages / 2 && this.#bytes <= maxInboxBytes / 2) this.#full = false;
    return message;
  }

  /** The message that will come next, when none waits. */
  next(signal: AbortSignal): Promise<Message> {
    if (this.#reader?.pending) throw new TroupeError('ERR_INTERNAL', 'a connection has one reader');
    this.#reader = this.#waits.add<Message>(signal);
    return this.#reader.promise;
  }

  clear(): void {
    this.#messages.length = this.#head = this.#bytes = 0;
    this.#full = false;
  }
}
