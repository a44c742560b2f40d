/** One direction of a byte stream in memory, for protocols that are written against a send and a read. No sockets, no time. */
import { TroupeError } from '../../proto/errors.ts';

/** What is written comes out in order, in the sizes asked for; after `end`, what is left and then `ERR_CONNECTION_CLOSED`. */
export class BytePipe {
  /** Everything ever written, copied. */
  readonly written: Uint8Array[] = [];
  #unread: Uint8Array[] = [];
  #length = 0;
  #ended = false;
  #wake: () => void = () => undefined;

  /** Written bytes in one piece. */
  get bytes(): Uint8Array {
    return Uint8Array.from(Buffer.concat(this.written));
  }

  readonly send = (bytes: Uint8Array, done?: () => void): void => {
    const copy = Uint8Array.from(bytes);
    this.written.push(copy);
    this.#unread.push(copy);
    this.#length += copy.length;
    done?.();
    this.#wake();
  };

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** Exactly `count` bytes; one reader at a time. */
  readonly read = async (count: number, signal: AbortSignal): Promise<Uint8Array> => {
    const onAbort = (): void => this.#wake();
    signal.addEventListener('abort', onAbort);
    try {
      while (this.#length < count) {
        signal.throwIfAborted();
        if (this.#ended) throw new TroupeError('ERR_CONNECTION_CLOSED', 'the stream ended');
        await new Promise<void>((resolve) => (this.#wake = resolve));
      }
      return this.#take(count);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  };

  #take(count: number): Uint8Array {
    const bytes = new Uint8Array(count);
    for (let at = 0; at < count;) {
      const piece = this.#unread[0]!;
      const used = piece.subarray(0, count - at);
      bytes.set(used, at);
      at += used.length;
      if (used.length === piece.length) this.#unread.shift();
      else this.#unread[0] = piece.subarray(used.length);
    }
    this.#length -= count;
    return bytes;
  }
}
