import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  availableAeads,
  frameBytes,
  frameDataBytes,
  frameHeaderBytes,
  FrameRun,
  selectAead,
  type Opener,
} from '../../../transports/mconn/aead.ts';
import { FrameReader, FrameWriter, maxEmptyFrames, runFrames, RunPool } from '../../../transports/mconn/frame.ts';

const key = Uint8Array.from({ length: 32 }, (_, at) => at + 1);
const aead = selectAead('auto');
const code = (name: string): unknown => expect.objectContaining({ code: name });

/** Bytes that show where they came from. */
const pattern = (length: number, from = 0): Uint8Array =>
  Uint8Array.from({ length }, (_, at) => ((from + at) * 167 + ((from + at) >> 8)) & 0xff);

/** Seals a frame as a stranger would: any length in its header, any padding. */
function stranger(): (length: number, data?: Uint8Array, padding?: number) => Uint8Array {
  const sealer = aead.sealer(key);
  return (length, data = new Uint8Array(0), padding = 0) => {
    const run = new FrameRun(1);
    run.bytes.fill(padding);
    new DataView(run.bytes.buffer).setUint32(0, length, true);
    run.bytes.set(data, frameHeaderBytes);
    sealer.seal(run, 0, 1);
    return run.bytes;
  };
}

/** A reader and what it has handed over, copied as a consumer must. */
function collector(opener: Opener = aead.opener(key), pool = new RunPool(2)) {
  const reader = new FrameReader(opener, pool);
  const parts: Uint8Array[] = [];
  const feed = (piece: Uint8Array): void => reader.feed(piece, (bytes, start, end) => parts.push(bytes.slice(start, end)));
  return { reader, feed, parts, plaintext: () => Uint8Array.from(Buffer.concat(parts)) };
}

/** Everything a writer seals, taken by the socket at once. */
function drain(writer: FrameWriter): Uint8Array {
  const sealed = writer.seal();
  if (sealed === undefined) return new Uint8Array(0);
  const copy = Uint8Array.from(sealed.bytes);
  sealed.done();
  return copy;
}

/** Writes a stream of any length, sealing whenever the run is full. */
function sealAll(plaintext: Uint8Array, writer = new FrameWriter(aead.sealer(key), new RunPool(2))): Uint8Array {
  const out: Uint8Array[] = [];
  for (let at = 0; at < plaintext.length;) {
    const count = Math.min(writer.room, plaintext.length - at);
    writer.write(plaintext, at, at + count);
    out.push(drain(writer));
    at += count;
  }
  return Uint8Array.from(Buffer.concat(out));
}

describe('a writer', () => {
  test('fills frames to the last byte, states the length of the last one and clears its padding', () => {
    const pool = new RunPool(1);
    const dirty = pool.take();
    dirty.bytes.fill(0xee);
    pool.give(dirty);
    const writer = new FrameWriter(aead.sealer(key), pool);
    writer.write(pattern(1_500));
    writer.writeByte(0x55);
    expect(writer.pending).toBe(1_501);
    const sealed = Uint8Array.from(writer.seal()!.bytes);
    expect(sealed).toHaveLength(2 * frameBytes);
    const run = new FrameRun(2);
    run.bytes.set(sealed);
    expect(aead.opener(key).open(run, 0, 2)).toBe(2);
    expect(run.plain[0]).toEqual(Uint8Array.from([0, 4, 0, 0, ...pattern(1_024)]));
    expect(run.plain[1]).toEqual(Uint8Array.from([0xdd, 1, 0, 0, ...pattern(476, 1_024), 0x55, ...new Uint8Array(547)]));
  });

  test('makes no frame of nothing', () => {
    const pool = new RunPool(1);
    const writer = new FrameWriter(aead.sealer(key), pool);
    writer.write(new Uint8Array(0));
    writer.write(pattern(10), 4, 4);
    expect(writer.seal()).toBeUndefined();
    writer.write(pattern(1_024));
    expect(writer.seal()!.bytes).toHaveLength(frameBytes);
    expect(writer.seal()).toBeUndefined();
  });

  test('seals the same whether bytes come one by one, in pieces or at once', () => {
    const plaintext = pattern(5_000);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 2_500 }), { maxLength: 20 }), (sizes) => {
        const writer = new FrameWriter(aead.sealer(key), new RunPool(1));
        let at = 0;
        for (const size of sizes) {
          const end = Math.min(at + size, plaintext.length);
          writer.write(plaintext, at, end);
          at = end;
        }
        while (at < plaintext.length) writer.writeByte(plaintext[at++]!);
        expect(drain(writer)).toEqual(sealAll(plaintext));
      }),
      { numRuns: 50 },
    );
  });

  test('has room for 64 KiB at first and 2 KiB after every seal, and refuses more than its room', () => {
    const writer = new FrameWriter(aead.sealer(key), new RunPool(1));
    expect(writer.room).toBe(runFrames * frameDataBytes);
    const held: (() => void)[] = [];
    for (let writes = 0; writes < 3 * runFrames; writes += 1) {
      writer.writeByte(1);
      held.push(writer.seal()!.done);
      expect(writer.room).toBeGreaterThanOrEqual(2 * frameDataBytes);
      expect(writer.room % frameDataBytes).toBe(0);
    }
    const room = writer.room;
    expect(() => writer.write(new Uint8Array(room + 1))).toThrow(RangeError);
    expect(writer.pending).toBe(0);
    writer.write(new Uint8Array(room));
    expect(writer.room).toBe(0);
    expect(() => writer.writeByte(0)).toThrow(RangeError);
  });

  test('borrows a run only while it has bytes to seal or in the socket', () => {
    const pool = new RunPool(4);
    pool.give(new FrameRun(runFrames));
    const writer = new FrameWriter(aead.sealer(key), pool);
    expect(pool.free).toBe(1);
    writer.write(pattern(100));
    expect(pool.free).toBe(0);
    const first = writer.seal()!;
    writer.write(pattern(100));
    first.done();
    expect(pool.free).toBe(0);
    const second = writer.seal()!;
    second.done();
    second.done();
    expect(pool.free).toBe(1);
  });

  test('puts small writes of a slow socket into one run', () => {
    let taken = 0;
    class CountingPool extends RunPool {
      override take(): FrameRun {
        taken += 1;
        return super.take();
      }
    }
    const writer = new FrameWriter(aead.sealer(key), new CountingPool(4));
    for (let writes = 0; writes < 4 * (runFrames - 1); writes += 1) {
      writer.write(pattern(10));
      writer.seal();
    }
    expect(taken).toBe(4);
  });

  test('does not touch frames that the socket still holds', () => {
    const pool = new RunPool(4);
    const writer = new FrameWriter(aead.sealer(key), pool);
    const held = [];
    for (let writes = 0; writes < 200; writes += 1) {
      writer.write(pattern(300, writes));
      const sealed = writer.seal()!;
      held.push({ sealed, copy: Uint8Array.from(sealed.bytes) });
      if (writes % 3 === 2) held.shift()!.sealed.done();
    }
    for (const { sealed, copy } of held) expect(sealed.bytes).toEqual(copy);
    for (const { sealed } of held) sealed.done();
    expect(pool.free).toBeGreaterThan(0);
  });

  test('forgets on close what was not sealed, keeps what the socket holds, and takes nothing more', () => {
    const pool = new RunPool(4);
    const writer = new FrameWriter(aead.sealer(key), pool);
    writer.write(pattern(100));
    const sealed = writer.seal()!;
    const copy = Uint8Array.from(sealed.bytes);
    writer.write(pattern(100));
    writer.close();
    writer.close();
    expect(sealed.bytes).toEqual(copy);
    expect(pool.free).toBe(0);
    sealed.done();
    expect(pool.free).toBe(1);
    expect(
      pool
        .take()
        .bytes.subarray(frameBytes)
        .every((byte) => byte === 0),
    ).toBe(true);
    expect(writer.seal()).toBeUndefined();
    expect(() => writer.write(pattern(1))).toThrow(code('ERR_CONNECTION_CLOSED'));
    expect(() => writer.writeByte(1)).toThrow(code('ERR_CONNECTION_CLOSED'));
  });

  test('ends at the last nonce', () => {
    const writer = new FrameWriter(aead.sealer(key, 2n ** 64n - 2n), new RunPool(1));
    writer.write(pattern(1_025));
    expect(() => writer.seal()).toThrow(code('ERR_NONCE_EXHAUSTED'));
  });
});

describe.each(availableAeads())('a reader on $name', (backend) => {
  test('gives back any stream cut into pieces of any size', () => {
    const plaintext = pattern(150_000);
    const wire = sealAll(plaintext);
    fc.assert(
      fc.property(fc.infiniteStream(fc.oneof(fc.integer({ min: 1, max: 65_536 }), fc.integer({ min: 1_000, max: 1_100 }))), (sizes) => {
        const { reader, feed, plaintext: read } = collector(backend.opener(key));
        for (let at = 0; at < wire.length;) {
          const end = at + (sizes.next().value as number);
          feed(wire.subarray(at, end));
          at = end;
          expect(reader.insideFrame).toBe(at < wire.length && at % frameBytes !== 0);
        }
        expect(Buffer.compare(read(), plaintext)).toBe(0);
      }),
      { numRuns: 20 },
    );
  });
});

describe('a reader', () => {
  test('takes a stream that comes byte by byte', () => {
    const wire = sealAll(pattern(3_000));
    const { reader, feed, plaintext } = collector();
    for (let at = 0; at < wire.length; at += 1) {
      feed(wire.subarray(at, at + 1));
      expect(reader.insideFrame).toBe((at + 1) % frameBytes !== 0);
    }
    expect(plaintext()).toEqual(pattern(3_000));
  });

  test('hands over what came together in one piece, whatever the frames hold, so that nothing that lies across them is put together again', () => {
    const seal = stranger();
    const lengths = [1_024, 1_024, 3, 0, 1_024, 500];
    const wire = Buffer.concat(lengths.map((length, index) => seal(length, pattern(length, index * 10_000))));
    const { feed, parts } = collector();
    feed(wire);
    expect(parts).toHaveLength(1);
    expect(Buffer.from(parts[0]!)).toEqual(Buffer.concat(lengths.map((length, index) => pattern(length, index * 10_000))));
  });

  test('hands over what came before a frame that is none, in one piece too', () => {
    const seal = stranger();
    const { feed, parts } = collector();
    expect(() => feed(Buffer.concat([seal(2, pattern(2)), seal(1, pattern(1)), seal(1_025), seal(9)]))).toThrow(
      code('ERR_FRAME_MALFORMED'),
    );
    expect(parts.map((part) => part.length)).toEqual([3]);
  });

  test('does work in proportion to the stream: each frame is opened once, each run filled once', () => {
    const work = (frames: number, size: number): { opened: number; taken: number } => {
      const count = { opened: 0, taken: 0 };
      const opener = aead.opener(key);
      const counting: Opener = {
        open: (run, first, wanted) => {
          const opened = opener.open(run, first, wanted);
          count.opened += opened;
          return opened;
        },
        wipe: () => opener.wipe(),
      };
      class CountingPool extends RunPool {
        override take(): FrameRun {
          count.taken += 1;
          return super.take();
        }
      }
      const { feed } = collector(counting, new CountingPool(1));
      const wire = sealAll(pattern(frames * frameDataBytes));
      for (let at = 0; at < wire.length; at += size) feed(wire.subarray(at, at + size));
      return count;
    };
    for (const size of [7, 1_044, 65_536]) {
      const [once, twice] = [work(256, size), work(512, size)];
      expect(once.opened).toBe(256);
      expect(twice.opened).toBe(512);
      expect(twice.taken).toBeLessThanOrEqual(2 * once.taken);
    }
  });

  test('leaves the piece as it was and keeps no view of it', () => {
    const wire = sealAll(pattern(2_000));
    const before = Uint8Array.from(wire);
    const { feed, plaintext } = collector();
    const piece = Uint8Array.from(wire.subarray(0, 1_500));
    feed(piece);
    expect(piece).toEqual(before.subarray(0, 1_500));
    piece.fill(0);
    feed(wire.subarray(1_500));
    expect(plaintext()).toEqual(pattern(2_000));
  });

  test('does not look at padding', () => {
    const seal = stranger();
    const { feed, plaintext } = collector();
    feed(seal(5, pattern(5), 0xaa));
    expect(plaintext()).toEqual(pattern(5));
  });

  test.each([1_025, 0x8000_0000, 0xffff_ffff])('refuses a frame that states %d bytes', (length) => {
    const seal = stranger();
    const { feed, parts } = collector();
    expect(() => feed(Buffer.concat([seal(3, pattern(3)), seal(length)]))).toThrow(code('ERR_FRAME_MALFORMED'));
    expect(parts).toHaveLength(1);
  });

  test('takes 100 empty frames in a row for nothing, and refuses the next', () => {
    const seal = stranger();
    const { feed, parts, reader } = collector();
    for (let round = 0; round < 3; round += 1) {
      for (let frame = 0; frame < maxEmptyFrames; frame += 1) feed(seal(0));
      feed(seal(1, pattern(1)));
    }
    expect(parts).toHaveLength(3);
    for (let frame = 0; frame < 100; frame += 1) feed(seal(0));
    expect(() => feed(seal(0))).toThrow(code('ERR_FRAMES_EMPTY'));
    expect(() => reader.feed(seal(1, pattern(1)), () => undefined)).toThrow(code('ERR_FRAMES_EMPTY'));
  });

  test('hands over what came before a bad frame, then fails for ever with the same error', () => {
    const wire = sealAll(pattern(5_000));
    wire[2 * frameBytes + 9]! ^= 4;
    const { feed, plaintext } = collector();
    expect(() => feed(wire)).toThrow(code('ERR_FRAME_UNSEALED'));
    expect(plaintext()).toEqual(pattern(2_048));
    expect(() => feed(new Uint8Array(0))).toThrow(code('ERR_FRAME_UNSEALED'));
    expect(plaintext()).toEqual(pattern(2_048));
  });

  test('knows at every cut whether the stream ended inside a frame', () => {
    const wire = sealAll(pattern(600));
    for (let cut = 0; cut <= frameBytes; cut += 1) {
      const { reader, feed, parts } = collector();
      feed(wire.subarray(0, cut));
      expect(reader.insideFrame).toBe(cut > 0 && cut < frameBytes);
      expect(parts).toHaveLength(cut === frameBytes ? 1 : 0);
    }
  });

  test('stops at once when it is closed by what it hands over to', () => {
    const wire = sealAll(pattern(4_000));
    const pool = new RunPool(2);
    const reader = new FrameReader(aead.opener(key), pool);
    let handed = 0;
    const sink = (): void => {
      handed += 1;
      reader.close();
    };
    expect(() => reader.feed(wire.subarray(0, 3_500), sink)).toThrow(code('ERR_CONNECTION_CLOSED'));
    expect(handed).toBe(1);
    expect(reader.insideFrame).toBe(false);
    expect(pool.free).toBe(1);
    expect(() => reader.feed(wire, sink)).toThrow(code('ERR_CONNECTION_CLOSED'));
  });

  test('passes on what its consumer throws, and is at its end', () => {
    const wire = sealAll(pattern(10));
    const reader = new FrameReader(aead.opener(key), new RunPool(1));
    const fault = new Error('no');
    const sink = (): never => {
      throw fault;
    };
    expect(() => reader.feed(wire, sink)).toThrow(fault);
    expect(() => reader.feed(wire, () => undefined)).toThrow(fault);
  });
});

describe('the pool', () => {
  test('keeps no more than it was told to', () => {
    const pool = new RunPool(2);
    const runs = [pool.take(), pool.take(), pool.take()];
    for (const run of runs) pool.give(run);
    expect(pool.free).toBe(2);
    expect(new Set([pool.take(), pool.take(), pool.take()]).size).toBe(3);
  });
});
