/** TCP in memory, in the shape of `node:net`: hosts with addresses, servers that listen on them, sockets that reach them. */
import { EventEmitter } from 'node:events';
import type { Server, Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { Sockets } from '../../transports/mconn/transport.ts';

type Place = Readonly<{ address: string; port: number }>;

/** One end of a connection. What one end writes the other reads, and waits while it does not. */
class MemorySocket extends Duplex {
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  bytesWritten = 0;
  other: MemorySocket | undefined;
  #release: (() => void) | undefined;

  constructor(local: Place, remote: Place) {
    super({ allowHalfOpen: false });
    this.localAddress = local.address;
    this.localPort = local.port;
    this.remoteAddress = remote.address;
    this.remotePort = remote.port;
  }

  override _read(): void {
    const release = this.other?.takeRelease();
    release?.();
  }

  takeRelease(): (() => void) | undefined {
    const release = this.#release;
    this.#release = undefined;
    return release;
  }

  override _write(chunk: Buffer, _: unknown, done: () => void): void {
    this.bytesWritten += chunk.length;
    if (this.other?.push(Buffer.from(chunk)) === false) this.#release = done;
    else done();
  }

  override _final(done: () => void): void {
    this.other?.push(null);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (this.other && !this.other.readableEnded && !this.other.destroyed) this.other.push(null);
    done(error);
  }
}

class MemoryServer extends EventEmitter {
  readonly #servers: Map<string, MemoryServer>;
  readonly #local: string;
  place: Place | undefined;

  constructor(servers: Map<string, MemoryServer>, local: string) {
    super();
    this.#servers = servers;
    this.#local = local;
  }

  listen({ port }: { port: number }, done: () => void): this {
    this.place = { address: this.#local, port: port || 30_000 + this.#servers.size };
    this.#servers.set(`${this.place.address}:${this.place.port}`, this);
    queueMicrotask(done);
    return this;
  }

  address(): Place | undefined {
    return this.place;
  }

  close(): this {
    if (this.place) this.#servers.delete(`${this.place.address}:${this.place.port}`);
    queueMicrotask(() => this.emit('close'));
    return this;
  }
}

/** A network of hosts; `host` is what a process on the host with that address would import from `node:net`. */
export function memorySockets() {
  const servers = new Map<string, MemoryServer>();
  const calls = { connect: 0, listen: 0 };
  let ports = 40_000;
  const host = (address: string): Sockets => ({
    createServer: () => (calls.listen++, new MemoryServer(servers, address) as unknown as Server),
    connect: ({ host: to = '', port }) => {
      calls.connect++;
      const local = { address, port: ports++ };
      const remote = { address: to, port };
      const near = new MemorySocket(local, remote);
      queueMicrotask(() => {
        const server = servers.get(`${to}:${port}`);
        if (!server) return near.destroy(Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }));
        const far = new MemorySocket(remote, local);
        near.other = far;
        far.other = near;
        server.emit('connection', far);
        near.emit('connect');
      });
      return near as unknown as Socket;
    },
  });
  return { host, calls, listening: () => [...servers.keys()] };
}
