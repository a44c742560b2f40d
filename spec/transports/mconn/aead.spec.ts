import { describe, expect, test } from '@jest/globals';
import { chacha20poly1305 } from '@noble/ciphers/chacha.js';
import fc from 'fast-check';
import {
  aeadLoaders,
  aeadNames,
  availableAeads,
  frameBytes,
  framePlainBytes,
  FrameRun,
  selectAead,
} from '../../../transports/mconn/aead.ts';

const key = Uint8Array.from({ length: 32 }, (_, at) => at * 7 + 1);
const unsealed: unknown = expect.objectContaining({ code: 'ERR_FRAME_UNSEALED' });
const exhausted: unknown = expect.objectContaining({ code: 'ERR_NONCE_EXHAUSTED' });
const closed: unknown = expect.objectContaining({ code: 'ERR_CONNECTION_CLOSED' });

/** A run whose frames all differ. */
function filledRun(frames: number): FrameRun {
  const run = new FrameRun(frames);
  run.plain.forEach((plain, frame) => plain.forEach((_, at) => (plain[at] = (at * 31 + frame * 17) & 0xff)));
  return run;
}

/** What one frame must become: another way to write the nonce, another way to seal. */
function reference(plain: Uint8Array, counter: bigint): Uint8Array {
  const nonce = Buffer.alloc(12);
  nonce.writeBigUInt64LE(counter, 4);
  return chacha20poly1305(key, nonce).encrypt(Uint8Array.from(plain));
}

test('every backend loads where the tests run, fastest first', () => {
  expect(availableAeads().map(({ name }) => name)).toEqual([...aeadNames]);
  expect(selectAead('auto').name).toBe('sodium');
});

test('a backend that does not load is passed over, and refused to who asks for it', () => {
  const cause = new Error('no binary for this platform');
  const missing = (): never => {
    throw cause;
  };
  const some = { ...aeadLoaders, sodium: missing };
  expect(availableAeads(some).map(({ name }) => name)).toEqual(['node', 'noble']);
  expect(selectAead('auto', some).name).toBe('node');
  expect(selectAead('auto', { ...some, node: missing }).name).toBe('noble');
  const unavailable: unknown = expect.objectContaining({ code: 'ERR_AEAD_UNAVAILABLE', cause });
  expect(() => selectAead('sodium', some)).toThrow(unavailable);
});

describe.each(availableAeads())('$name', (aead) => {
  test('seals a run in place, each frame with the next nonce', () => {
    const run = filledRun(5);
    const plain = run.plain.map((view) => Uint8Array.from(view));
    const sealer = aead.sealer(key);
    sealer.seal(run, 1, 2);
    sealer.seal(run, 3, 1);
    expect(run.plain[0]).toEqual(plain[0]);
    expect(run.plain[4]).toEqual(plain[4]);
    [1, 2, 3].forEach((frame, counter) => expect(run.sealed[frame]).toEqual(reference(plain[frame]!, BigInt(counter))));
  });

  test('opens in place what it sealed', () => {
    const run = filledRun(4);
    const plain = run.plain.map((view) => Uint8Array.from(view));
    aead.sealer(key).seal(run, 0, 4);
    const opener = aead.opener(key);
    expect(opener.open(run, 0, 3)).toBe(3);
    expect(opener.open(run, 3, 1)).toBe(1);
    run.plain.forEach((view, frame) => expect(view).toEqual(plain[frame]));
  });

  test('seals and opens nothing when asked for no frames', () => {
    const run = filledRun(1);
    const before = Uint8Array.from(run.bytes);
    aead.sealer(key).seal(run, 0, 0);
    expect(aead.opener(key).open(run, 1, 0)).toBe(0);
    expect(run.bytes).toEqual(before);
  });

  test.each([2n ** 31n - 1n, 2n ** 32n - 1n, 2n ** 53n - 1n, 2n ** 64n - 5n])('counts on exactly from %s', (start) => {
    const run = filledRun(4);
    const plain = run.plain.map((view) => Uint8Array.from(view));
    aead.sealer(key, start).seal(run, 0, 4);
    run.sealed.forEach((sealed, frame) => expect(sealed).toEqual(reference(plain[frame]!, start + BigInt(frame))));
    expect(aead.opener(key, start).open(run, 0, 4)).toBe(4);
    run.plain.forEach((view, frame) => expect(view).toEqual(plain[frame]));
  });

  test('ends at the last nonce rather than use it or begin again', () => {
    const run = filledRun(2);
    const before = Uint8Array.from(run.bytes);
    const sealer = aead.sealer(key, 2n ** 64n - 2n);
    expect(() => sealer.seal(run, 0, 2)).toThrow(exhausted);
    expect(run.bytes).toEqual(before);
    sealer.seal(run, 0, 1);
    expect(run.sealed[0]).toEqual(reference(before.subarray(0, framePlainBytes), 2n ** 64n - 2n));
    expect(() => sealer.seal(run, 1, 1)).toThrow(exhausted);

    const opener = aead.opener(key, 2n ** 64n - 2n);
    expect(opener.open(run, 0, 2)).toBe(1);
    expect(() => opener.open(run, 1, 1)).toThrow(exhausted);
    expect(() => aead.sealer(key, 2n ** 64n - 1n).seal(run, 0, 1)).toThrow(exhausted);
    expect(() => aead.sealer(key, 2n ** 64n)).toThrow(RangeError);
    expect(() => aead.opener(key, -1n)).toThrow(RangeError);
  });

  test('refuses a frame with any one of its 8,352 bits flipped', () => {
    const run = filledRun(1);
    aead.sealer(key).seal(run, 0, 1);
    const sealed = Uint8Array.from(run.bytes);
    let refused = 0;
    for (let bit = 0; bit < frameBytes * 8; bit += 1) {
      run.bytes.set(sealed);
      run.bytes[bit >> 3]! ^= 1 << (bit & 7);
      try {
        aead.opener(key).open(run, 0, 1);
      } catch (error) {
        if ((error as { code?: unknown }).code === 'ERR_FRAME_UNSEALED') refused += 1;
      }
    }
    expect(refused).toBe(8_352);
  });

  test('stops before the first frame that does not open, and never tries again', () => {
    const run = filledRun(4);
    aead.sealer(key).seal(run, 0, 4);
    run.bytes[2 * frameBytes]! ^= 1;
    const bad = Uint8Array.from(run.sealed[2]!);
    const opener = aead.opener(key);
    expect(opener.open(run, 0, 4)).toBe(2);
    bad[0]! ^= 1;
    run.sealed[2]!.set(bad);
    expect(() => opener.open(run, 2, 1)).toThrow(unsealed);
    expect(() => opener.open(run, 3, 1)).toThrow(unsealed);
  });

  test('has a key of its own, and none once it is wiped', () => {
    const run = filledRun(1);
    const plain = Uint8Array.from(run.plain[0]!);
    const given = Uint8Array.from(key);
    const sealer = aead.sealer(given);
    const opener = aead.opener(given);
    given.fill(0);
    sealer.seal(run, 0, 1);
    expect(run.sealed[0]).toEqual(reference(plain, 0n));
    opener.open(run, 0, 1);
    expect(run.plain[0]).toEqual(plain);
    sealer.wipe();
    opener.wipe();
    opener.wipe();
    for (const direction of [sealer, opener]) expect(direction).toMatchObject({ key: new Uint8Array(32) });
    expect(() => sealer.seal(run, 0, 1)).toThrow(closed);
    expect(() => opener.open(run, 0, 1)).toThrow(closed);
    expect(run.plain[0]).toEqual(plain);
  });

  test('refuses frames that the run does not have, and a key of another length', () => {
    const run = filledRun(2);
    expect(() => aead.sealer(key).seal(run, 1, 2)).toThrow(RangeError);
    expect(() => aead.opener(key).open(run, -1, 1)).toThrow(RangeError);
    expect(() => aead.opener(key).open(run, 0, -1)).toThrow(RangeError);
    expect(() => aead.sealer(key.subarray(1))).toThrow(RangeError);
  });

  test('opens recorded frames in no order but their own', () => {
    const count = 10;
    const run = filledRun(count);
    aead.sealer(key).seal(run, 0, count);
    const recorded = run.sealed.map((sealed) => Uint8Array.from(sealed));
    const anyOrder = fc.oneof(
      fc.shuffledSubarray([...recorded.keys()], { minLength: 1 }),
      fc.array(fc.nat(count - 1), { minLength: 1, maxLength: count }),
    );
    fc.assert(
      fc.property(anyOrder, (order) => {
        const replay = new FrameRun(order.length);
        order.forEach((frame, at) => replay.sealed[at]!.set(recorded[frame]!));
        const wrong = order.findIndex((frame, at) => frame !== at);
        const opener = aead.opener(key);
        if (wrong === 0) expect(() => opener.open(replay, 0, order.length)).toThrow(unsealed);
        else expect(opener.open(replay, 0, order.length)).toBe(wrong < 0 ? order.length : wrong);
      }),
    );
  });
});
