/** A TCP peer that knows how to shake hands with an mconn transport and otherwise says whatever a spec tells it to, in pieces of any size. */
import { connect, type Socket } from 'node:net';
import { delimited } from '../../proto/codec.ts';
import type { Endpoint } from '../../proto/endpoint.ts';
import { encodeAuthSig, encodeEphemeral } from '../../proto/handshake.ts';
import type { NodeKey } from '../../proto/identity.ts';
import { encodeNodeInfo, type NodeInfo } from '../../proto/node-info.ts';
import { frameBytes, selectAead } from '../../transports/mconn/aead.ts';
import { FrameReader, FrameWriter } from '../../transports/mconn/frame.ts';
import { challengeOf, deriveSecrets } from '../../transports/mconn/secret.ts';
import { keyAgreement } from '../../transports/mconn/x25519.ts';
import { BytePipe } from './byte-pipe.ts';

const never = new AbortController().signal;

/** A socket with everything it received, and how it ended. */
export class RawPeer {
  readonly socket: Socket;
  readonly received = new BytePipe();
  /** Resolves with how the remote ended the connection. */
  readonly ended: Promise<'fin' | 'reset'>;
  #writer: FrameWriter | undefined;
  #reader: FrameReader | undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    let fin = false;
    socket.on('data', (piece) => this.received.send(piece));
    socket.on('end', () => (fin = true));
    socket.on('error', () => undefined);
    this.ended = new Promise((resolve) => {
      socket.on('close', () => {
        this.received.end();
        resolve(fin ? 'fin' : 'reset');
      });
    });
  }

  static async dial({ ip, port }: Endpoint): Promise<RawPeer> {
    const socket = connect({ host: ip, port, noDelay: true });
    const peer = new RawPeer(socket);
    await new Promise<void>((resolve) => {
      socket.once('connect', resolve);
      socket.once('close', () => resolve());
    });
    return peer;
  }

  /** Resolves once the operating system has the bytes, or the connection is gone. */
  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve) => this.socket.write(bytes, () => resolve()));
  }

  /** Exchanges ephemeral keys. Returns the plaintext of a right proof of identity, still to be sent. */
  async agree(key: NodeKey): Promise<Uint8Array> {
    const secret = new Uint8Array(32).fill(9);
    const local = keyAgreement.publicKey(secret);
    await this.write(encodeEphemeral(local));
    const remote = (await this.received.read(35, never)).slice(3);
    const isLower = Buffer.compare(local, remote) < 0;
    const shared = keyAgreement.sharedSecret(secret, remote);
    const { receiveKey, sendKey } = deriveSecrets(shared, isLower);
    const aead = selectAead('auto');
    this.#writer = new FrameWriter(aead.sealer(sendKey));
    this.#reader = new FrameReader(aead.opener(receiveKey));
    const challenge = isLower ? challengeOf(local, remote, shared) : challengeOf(remote, local, shared);
    return encodeAuthSig(key.publicKey, key.sign(challenge));
  }

  /** The frames that carry this plaintext; a copy. */
  seal(plain: Uint8Array): Uint8Array {
    const runs: Uint8Array[] = [];
    for (let at = 0; at < plain.length; at += 1_024) {
      this.#writer!.write(plain, at, Math.min(plain.length, at + 1_024));
      const sealed = this.#writer!.seal()!;
      runs.push(Uint8Array.from(sealed.bytes));
      sealed.done();
    }
    return Uint8Array.from(Buffer.concat(runs));
  }

  send(plain: Uint8Array): Promise<void> {
    return this.write(this.seal(plain));
  }

  /** The data of the next frame; empty once the connection has ended. */
  async frame(): Promise<Uint8Array> {
    let plain = new Uint8Array(0);
    try {
      this.#reader!.feed(await this.received.read(frameBytes, never), (bytes, start, end) => (plain = bytes.slice(start, end)));
    } catch {
      // the end of the stream
    }
    return plain;
  }

  /** Shakes hands as an honest peer does. */
  async handshake(key: NodeKey, nodeInfo: NodeInfo): Promise<void> {
    await this.send(await this.agree(key));
    await this.send(delimited(encodeNodeInfo(nodeInfo)));
    await this.frame();
    await this.frame();
  }

  close(): void {
    this.socket.destroy();
  }
}
