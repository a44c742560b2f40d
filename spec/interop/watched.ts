/** A transport that keeps count: how many connections either side began, and which are open now. */
import { mconnTransport, nodeOptions, parseOptions, realClock, selectAead, type Connection, type Transport } from '../../index.ts';

export class Watched {
  readonly transport: Transport;
  /** Connections that we began, whatever became of them. */
  dialed = 0;
  /** Connections that the other side began. */
  accepted = 0;
  readonly #open = new Set<Connection>();

  constructor() {
    const { link, handshake } = parseOptions(nodeOptions, {});
    const inner = mconnTransport({ clock: realClock(), link, handshake, aead: selectAead('auto') });
    const watch = <T extends Connection | undefined>(connection: T): T => {
      if (!connection) return connection;
      this.#open.add(connection);
      void connection.ended.then(() => this.#open.delete(connection));
      return connection;
    };
    this.transport = {
      protocols: inner.protocols,
      endpoints: () => inner.endpoints(),
      listen: (endpoint, signal) => inner.listen(endpoint, signal),
      close: () => inner.close(),
      status: () => inner.status?.() ?? {},
      dial: (endpoint, signal) => {
        this.dialed++;
        return inner.dial(endpoint, signal).then(watch);
      },
      accept: async (signal) => {
        const connection = await inner.accept(signal);
        if (connection) this.accepted++;
        return watch(connection);
      },
    };
  }

  /** host:port that it listens on, if it does. */
  get listen(): string | undefined {
    const [endpoint] = this.transport.endpoints();
    return endpoint && `127.0.0.1:${endpoint.port}`;
  }

  get open(): readonly Connection[] {
    return [...this.#open];
  }
}
