/** A TCP relay in front of an address. It can cut a connection so that only one end hears of it. */
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** The end that dialed, and the end that the relay dialed for it. */
export type End = 'near' | 'far';

type Passage = { readonly near: Socket; readonly far: Socket; silent: boolean };

export class Relay {
  readonly #server: Server;
  readonly #passages = new Set<Passage>();

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Listens on loopback; `target` gives the host:port to pass each connection on to, or nothing while there is nobody. */
  static async open(target: () => string | undefined): Promise<Relay> {
    const server = createServer({ allowHalfOpen: true });
    const relay = new Relay(server);
    server.on('connection', (near) => relay.#pass(near, target()));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return relay;
  }

  /** host:port that it listens on. */
  get endpoint(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The port from which the far end sees a connection that the near end made from this port. */
  portBeyond(nearPort: number): number | undefined {
    for (const { near, far } of this.#passages) if (near.remotePort === nearPort) return far.localPort;
    return undefined;
  }

  /** Resets one end of each connection that there is; the other end hears nothing any more, whatever it says. */
  cut(end: End): void {
    for (const passage of this.#passages) {
      if (passage.silent) continue;
      passage.silent = true;
      passage[end].resetAndDestroy();
    }
  }

  close(): void {
    this.#server.close();
    for (const { near, far } of this.#passages) {
      near.destroy();
      far.destroy();
    }
  }

  #pass(near: Socket, target: string | undefined): void {
    if (target === undefined) return void near.destroy();
    const [host = '', port] = target.split(':');
    const far = connect({ host, port: Number(port), allowHalfOpen: true });
    const passage: Passage = { near, far, silent: false };
    this.#passages.add(passage);
    flow(passage, near, far);
    flow(passage, far, near);
  }
}

/** Passes on what one end says, and its end. What is said on a connection that was cut is read and forgotten. */
function flow(passage: Passage, from: Socket, to: Socket): void {
  const pass = (act: () => void): void => {
    if (!passage.silent) act();
  };
  from.setNoDelay(true);
  from.on('data', (piece) => pass(() => to.write(piece)));
  from.on('end', () => pass(() => to.end()));
  from.on('error', () => pass(() => to.resetAndDestroy()));
  from.on('close', () => pass(() => to.destroySoon()));
}
