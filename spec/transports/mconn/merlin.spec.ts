import { describe, expect, test } from '@jest/globals';
import { __tests } from '@scure/sr25519';
import fc from 'fast-check';
import { Transcript } from '../../../transports/mconn/merlin.ts';

const { Merlin } = __tests;
const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('the Merlin transcript', () => {
  test('gives the challenge of the published vector', () => {
    const transcript = new Transcript('test protocol');
    transcript.append('some label', ascii('some data'));
    expect(hex(transcript.extract('challenge', 32))).toBe('d5a21972d0d5fe320c0d263fac7fffb8145aa640af6e9bca177c03c7efcf0615');
  });

  test('agrees with another implementation on any series of messages and challenges, across the edge of its block', () => {
    const step = fc.record({
      extract: fc.boolean(),
      label: fc.stringMatching(/^[a-zA-Z_]{1,40}$/),
      data: fc.uint8Array({ maxLength: 700 }),
    });
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z ]{1,60}$/), fc.array(step, { maxLength: 8 }), (protocol, steps) => {
        const ours = new Transcript(protocol);
        const theirs = new Merlin(protocol);
        for (const { extract, label, data } of steps) {
          if (extract) expect(hex(ours.extract(label, data.length + 1))).toBe(hex(theirs.challengeBytes(label, data.length + 1)));
          else {
            ours.append(label, data);
            theirs.appendMessage(label, data);
          }
        }
        expect(hex(ours.extract('end', 32))).toBe(hex(theirs.challengeBytes('end', 32)));
      }),
    );
  });

  test('agrees with it wherever in the block a challenge begins', () => {
    for (let length = 0; length <= 2 * 166; length += 1) {
      const ours = new Transcript('edge');
      const theirs = new Merlin('edge');
      ours.append('filler', new Uint8Array(length));
      theirs.appendMessage('filler', new Uint8Array(length));
      expect(hex(ours.extract('challenge', 32))).toBe(hex(theirs.challengeBytes('challenge', 32)));
    }
  });

  test('depends on every bit of every message', () => {
    const challenge = (data: Uint8Array): string => {
      const transcript = new Transcript('bits');
      transcript.append('first', data.subarray(0, 32));
      transcript.append('second', data.subarray(32));
      return hex(transcript.extract('challenge', 32));
    };
    const data = new Uint8Array(64).map((_, at) => at * 3);
    const seen = new Set([challenge(data)]);
    for (let bit = 0; bit < 512; bit += 1) {
      const changed = Uint8Array.from(data);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      seen.add(challenge(changed));
    }
    expect(seen.size).toBe(513);
  });
});
