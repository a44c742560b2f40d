/** A socket as whatever writes to it needs to see it. */
import type { Socket } from 'node:net';

/** Takes bytes, and says how many of them the operating system has not taken yet. */
export interface Outlet {
  readonly backlogBytes: number;
  /** `written` is called once: the bytes are with the operating system, or never will be. */
  write(bytes: Uint8Array, written: () => void): void;
  /** Something that changes whenever the remote takes bytes of a write that is under way. */
  progress(): number;
}

/** Node tells of progress inside a write only by the size of the handle's queue, which is what its own socket timeout looks at. */
type Handle = Readonly<{ writeQueueSize?: number }>;

export function socketOutlet(socket: Socket & { readonly _handle?: Handle | null }): Outlet {
  return {
    get backlogBytes() {
      return socket.writableLength;
    },
    write: (bytes, written) => void socket.write(bytes, () => written()),
    progress: () => socket._handle?.writeQueueSize ?? 0,
  };
}
