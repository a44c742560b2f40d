/** What the specs of transports share: named keys, NodeInfo, pairs of connections, and the aftermath that leaves nothing behind. */
import { expect } from '@jest/globals';
import type { Endpoint } from '../../proto/endpoint.ts';
import { TroupeError, type ErrorCode } from '../../proto/errors.ts';
import { nodeKeyFromSeed, sha256, type NodeKey } from '../../proto/identity.ts';
import type { NodeInfo } from '../../proto/node-info.ts';
import { settle, type VirtualClock } from '../../transports/simulated.ts';
import type { ChannelDescriptor, Connection, Handshake, Message, RemotePeer, Transport } from '../../transports/transport.ts';

/** Networked transports have endpoints with an IP, local ones with a path. */
export type TransportKind = 'networked' | 'local';

/** One world of transports that can reach each other, on a clock that nobody else moves. */
export type TransportRig = Readonly<{
  clock: VirtualClock;
  /** A new transport of the node with this key, not yet listening. */
  transport(key: NodeKey): Transport;
  /** What that transport is told to listen on. */
  listenOn(key: NodeKey): Endpoint;
  /** No sender gets rid of more than this many bytes while its remote reads nothing: our buffers and the kernel's together. */
  maxBufferedBytes: number;
  /** Ends what the rig itself holds. */
  close?(): Promise<void>;
}>;

/** Three channels that differ in weight and size. */
export const channels: readonly ChannelDescriptor[] = [
  { id: 0x01, priority: 1, maxMessageBytes: 1_048_576 },
  { id: 0x77, priority: 5, maxMessageBytes: 1_048_576 },
  { id: 0xff, priority: 10, maxMessageBytes: 1_000 },
];

/** The key that belongs to a name, the same in every run. */
export function keyOf(name: string): NodeKey {
  return nodeKeyFromSeed(sha256(Buffer.from(name)));
}

export function nodeInfoOf(key: NodeKey, changes: Partial<NodeInfo> = {}): NodeInfo {
  return {
    protocolVersion: { p2p: 8n, block: 11n, app: 3n },
    nodeId: key.id,
    listenAddr: '127.0.0.1:26656',
    network: 'contract',
    version: 'troupe/0.1.0',
    channels: channels.map(({ id }) => id),
    moniker: 'bench',
    other: { txIndex: 'on', rpcAddress: '127.0.0.1:26657' },
    ...changes,
  };
}

export function handshakeOf(key: NodeKey, changes: Partial<Handshake> = {}): Handshake {
  return { key, nodeInfo: nodeInfoOf(key), channels, ...changes };
}

/** A signal that never aborts. */
export function live(): AbortSignal {
  return new AbortController().signal;
}

/** What `act` fails with, thrown or rejected; it is an error itself if `act` does not fail. */
export async function failureOf(act: () => unknown): Promise<unknown> {
  try {
    await act();
  } catch (error) {
    return error;
  }
  throw new Error('expected a failure');
}

/** Asserts that `act` fails with a TroupeError of one of these codes. */
export async function expectCode(act: () => unknown, ...codes: readonly ErrorCode[]): Promise<void> {
  const error = await failureOf(act);
  expect(error).toBeInstanceOf(TroupeError);
  expect(codes).toContain((error as TroupeError).code);
}

/** Whether a promise is still open after everything that was due has run, `turns` turns of the event loop long. */
export async function staysPending(promise: Promise<unknown>, turns = 20): Promise<boolean> {
  let pending = true;
  const done = (): void => void (pending = false);
  promise.then(done, done);
  await settle(turns);
  return pending;
}

/** Sends messages one after another as the contract asks: the next once the channel can take it. */
export async function sendAll(connection: Connection, messages: readonly Message[]): Promise<void> {
  for (const message of messages) await connection.sendMessage(message, live());
}

export async function receive(connection: Connection, count: number): Promise<Message[]> {
  const received: Message[] = [];
  while (received.length < count) received.push(await connection.receiveMessage(live()));
  return received;
}

/** Bytes that tell where they belong: a repeated number that depends on their place. */
export function pattern(length: number, salt = 0): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let index = 0; index < length; index++) bytes[index] = index * 31 + (index >> 8) + salt;
  return bytes;
}

/** A connection from both ends. */
export type Ends = Readonly<{ near: Connection; far: Connection; dialer: Transport; listener: Transport }>;

/** The two ends after their handshake, and what each learnt of the other. */
export type OpenEnds = Ends & Readonly<{ nearRemote: RemotePeer; farRemote: RemotePeer }>;

/** Everything a spec makes on a rig, so that it can be ended and looked for afterwards. */
export class TransportBench {
  readonly kind: TransportKind;
  readonly rig: TransportRig;
  readonly #transports: Transport[] = [];
  readonly #connections: Connection[] = [];
  readonly #sockets = openSockets();

  constructor(kind: TransportKind, rig: TransportRig) {
    this.kind = kind;
    this.rig = rig;
  }

  transport(name: string): Transport {
    const transport = this.rig.transport(keyOf(name));
    this.#transports.push(transport);
    return transport;
  }

  async listening(name: string): Promise<Readonly<{ transport: Transport; endpoint: Endpoint }>> {
    const transport = this.transport(name);
    await transport.listen(this.rig.listenOn(keyOf(name)));
    return { transport, endpoint: transport.endpoints()[0]! };
  }

  /** Keeps an eye on a connection made by the spec itself. */
  track<C extends Connection>(connection: C): C {
    this.#connections.push(connection);
    return connection;
  }

  /** Dials and accepts. */
  async join(dialer: Transport, listener: Transport): Promise<Ends> {
    const [near, far] = await Promise.all([dialer.dial(listener.endpoints()[0]!, live()), listener.accept(live())]);
    if (!far) throw new Error('the listener is closed');
    return { near: this.track(near), far: this.track(far), dialer, listener };
  }

  /** Two new nodes, `a` that dialed `b`, not yet shaken hands. */
  async ends(): Promise<Ends> {
    const { transport } = await this.listening('b');
    return this.join(this.transport('a'), transport);
  }

  /** As `ends`, after the handshake. */
  async open(own: Partial<Handshake> = {}, theirs: Partial<Handshake> = {}): Promise<OpenEnds> {
    const ends = await this.ends();
    const [nearRemote, farRemote] = await Promise.all([
      ends.near.handshake(handshakeOf(keyOf('a'), { expectedId: keyOf('b').id, ...own }), live()),
      ends.far.handshake(handshakeOf(keyOf('b'), theirs), live()),
    ]);
    return { ...ends, nearRemote, farRemote };
  }

  /** Ends everything and asserts that nothing is left: every connection says that it has ended, no timer, no socket. */
  async aftermath(): Promise<void> {
    await Promise.all(this.#connections.map((connection) => connection.close()));
    await Promise.all(this.#transports.map((transport) => transport.close()));
    await Promise.all(this.#connections.map((connection) => connection.ended));
    await this.rig.close?.();
    for (let turn = 0; turn < 1_000 && openSockets() > this.#sockets; turn++) await settle(1);
    await settle();
    expect(openSockets()).toBeLessThanOrEqual(this.#sockets);
    expect(this.rig.clock.pending).toBe(0);
  }
}

function openSockets(): number {
  return process.getActiveResourcesInfo().filter((name) => name.includes('TCP')).length;
}
