/** Both halves of an mconn connection without a socket: what a sender writes is opened and parsed again, what a receiver gets is packed and sealed for it. */
import { linkOptions, parseOptions, type LinkOptions } from '../../proto/options.ts';
import { frameBytes, selectAead } from '../../transports/mconn/aead.ts';
import { FrameReader, FrameWriter } from '../../transports/mconn/frame.ts';
import type { Outlet } from '../../transports/mconn/outlet.ts';
import { maxPacketHeaderBytes, PacketParser, writePacketHeader } from '../../transports/mconn/packet.ts';

export const fastLink = (changes: Partial<LinkOptions> = {}): LinkOptions =>
  parseOptions(linkOptions, { sendRate: 2 ** 40, receiveRate: 2 ** 40, ...changes });

const aead = selectAead('auto');
const key = new Uint8Array(32).fill(7);
export const frameWriter = (): FrameWriter => new FrameWriter(aead.sealer(key));
export const frameReader = (): FrameReader => new FrameReader(aead.opener(key));

/** A packet as the remote saw it. */
export type SeenPacket = Readonly<{
  kind: 'ping' | 'pong' | 'part';
  channelId: number;
  final: boolean;
  data: Uint8Array;
  wireBytes: number;
}>;

/** A socket whose writes are done when the spec says so, or at once; it reads what is written as the remote would. */
export class FakeOutlet implements Outlet {
  readonly writes: number[] = [];
  readonly packets: SeenPacket[] = [];
  /** Bytes that a remote has taken of a write that is not done. */
  taken = 0;
  #backlog = 0;
  readonly #pending: { bytes: number; written: () => void }[] = [];
  readonly #auto: boolean;
  readonly #reader = frameReader();
  readonly #parser: PacketParser;

  constructor(auto = true) {
    this.#auto = auto;
    const note = (kind: SeenPacket['kind'], wireBytes: number, channelId = 0, final = false, data = new Uint8Array(0)): void =>
      void this.packets.push({ kind, channelId, final, data, wireBytes });
    this.#parser = new PacketParser(1_410, {
      ping: (wireBytes) => note('ping', wireBytes),
      pong: (wireBytes) => note('pong', wireBytes),
      part: (channelId, final, bytes, start, end, wireBytes) => note('part', wireBytes, channelId, final, bytes.slice(start, end)),
    });
  }

  get backlogBytes(): number {
    return this.#backlog;
  }

  /** Plain bytes of packets that have been written. */
  get packetBytes(): number {
    return this.packets.reduce((sum, { wireBytes }) => sum + wireBytes, 0);
  }

  /** Channels of the packets in the order in which they were written. */
  get order(): number[] {
    return this.packets.map(({ channelId }) => channelId);
  }

  write(bytes: Uint8Array, written: () => void): void {
    if (bytes.length === 0 || bytes.length % frameBytes !== 0) throw new Error(`${bytes.length} bytes are no frames`);
    this.writes.push(bytes.length);
    this.#reader.feed(Uint8Array.from(bytes), (plain, start, end) => this.#parser.push(plain, start, end));
    if (this.#auto) return process.nextTick(written);
    this.#backlog += bytes.length;
    this.#pending.push({ bytes: bytes.length, written });
  }

  progress(): number {
    return this.taken;
  }

  /** Finishes the writes under way. */
  drain(): void {
    for (const { bytes, written } of this.#pending.splice(0)) {
      this.#backlog -= bytes;
      written();
    }
  }
}

/** A message packet as a remote sends it. */
export function packetOf(channelId: number, final: boolean, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(maxPacketHeaderBytes + data.length);
  const at = writePacketHeader(bytes, 0, channelId, final, data.length);
  bytes.set(data, at);
  return bytes.slice(0, at + data.length);
}

/** Seals plaintext as a remote does, in runs one after another; a copy. */
export class Sealing {
  readonly #writer = frameWriter();

  seal(...plain: readonly Uint8Array[]): Uint8Array {
    const all = Buffer.concat(plain);
    const runs: Uint8Array[] = [];
    for (let at = 0; at < all.length; at += 1_024) {
      this.#writer.write(all, at, Math.min(all.length, at + 1_024));
      const sealed = this.#writer.seal()!;
      runs.push(Uint8Array.from(sealed.bytes));
      sealed.done();
    }
    return Uint8Array.from(Buffer.concat(runs));
  }
}
