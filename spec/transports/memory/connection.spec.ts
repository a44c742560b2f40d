import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { settle } from '../../../transports/simulated.ts';
import { b, connect, drain, label, world } from '../../support/memory-world.ts';
import { live, pattern, receive, staysPending } from '../../support/transport-bench.ts';

describe('a buffer', () => {
  test('holds so many messages and no more, on the way and unread together', async () => {
    const { clock, network } = world({ bufferMessages: 3, latencyMs: 10 });
    const { near, far } = await connect(network, clock);
    for (let size = 1; size <= 3; size++) expect(near.sendMessage({ channelId: 0x01, bytes: pattern(size) }, live())).toBeUndefined();
    const fourth = near.sendMessage({ channelId: 0x01, bytes: pattern(4) }, live()) as Promise<void>;
    const other = near.sendMessage({ channelId: 0x77, bytes: pattern(5) }, live()) as Promise<void>;
    await clock.advanceAsync(1_000);
    expect(await staysPending(fourth)).toBe(true);
    await receive(far, 1);
    await fourth;
    expect(await staysPending(other)).toBe(true);
    await receive(far, 1);
    await other;
    expect((await drain(clock, far)).map(label)).toEqual(['1:3', '1:4', '119:5']);
  });

  test('holds so many bytes; a message larger than all of it goes alone', async () => {
    const { clock, network } = world({ bufferBytes: 1_000 });
    const { near, far } = await connect(network, clock);
    expect(near.sendMessage({ channelId: 0x01, bytes: pattern(5_000) }, live())).toBeUndefined();
    const next = near.sendMessage({ channelId: 0x01, bytes: pattern(1) }, live()) as Promise<void>;
    expect(await staysPending(next)).toBe(true);
    await receive(far, 1);
    await next;
  });
});

describe('a connection under any order of calls', () => {
  type Step = Readonly<{ kind: 'send' | 'receive' | 'give up' | 'pause' | 'resume' | 'advance' | 'settle'; channel: number; ms: number }>;
  const step: fc.Arbitrary<Step> = fc.record({
    kind: fc.constantFrom<Step['kind']>('send', 'send', 'send', 'receive', 'receive', 'give up', 'pause', 'resume', 'advance', 'settle'),
    channel: fc.constantFrom(0x01, 0x77, 0xff),
    ms: fc.integer({ min: 0, max: 30 }),
  });
  const line = fc.record({
    latencyMs: fc.constantFrom(0, 5),
    jitterMs: fc.constantFrom(0, 20),
    reorder: fc.constantFrom(0, 0.5),
    bufferMessages: fc.integer({ min: 1, max: 4 }),
    bufferBytes: fc.constantFrom(10, 1_000_000),
  });

  test('delivers everything once, in order within each channel, and never holds more than its buffer', async () => {
    await fc.assert(
      fc.asyncProperty(line, fc.array(step, { maxLength: 80 }), fc.integer({ min: 0, max: 1_000 }), async (options, steps, seed) => {
        const { clock, network } = world(options, seed);
        const { near, far } = await connect(network, clock);
        const sent: string[] = [];
        const received: string[] = [];
        const busy = new Set<number>();
        let reading: AbortController | undefined;
        const read = (): void => {
          if (reading) return;
          const mine = (reading = new AbortController());
          const take = async (): Promise<void> => void received.push(label(await far.receiveMessage(mine.signal)));
          void take()
            .catch(() => undefined)
            .finally(() => (reading = undefined));
        };
        const act: Readonly<Record<Step['kind'], (given: Step) => unknown>> = {
          send: ({ channel }) => {
            if (busy.has(channel)) return;
            const message = { channelId: channel, bytes: pattern(sent.length + 1) };
            sent.push(label(message));
            const room = near.sendMessage(message, live());
            if (!room) return;
            busy.add(channel);
            void room.then(() => busy.delete(channel));
          },
          receive: read,
          'give up': () => reading?.abort(new Error('enough')),
          pause: () => network.pause(b.id),
          resume: () => network.resume(b.id),
          advance: ({ ms }) => clock.advance(ms),
          settle: () => settle(1),
        };
        for (const given of steps) {
          await act[given.kind](given);
          const { sent: handedOver, delivered } = network.counts();
          expect(handedOver - delivered).toBeLessThanOrEqual(options.bufferMessages + busy.size);
        }
        network.resume(b.id);
        reading?.abort(new Error('enough'));
        await settle();
        const closing = near.close({ flush: true });
        received.push(...(await drain(clock, far)).map(label));
        await closing;
        for (const channel of ['1:', '119:', '255:']) {
          const of = (labels: readonly string[]): readonly string[] => labels.filter((text) => text.startsWith(channel));
          expect(of(received)).toEqual(of(sent));
        }
        expect(received).toHaveLength(sent.length);
        expect(await far.ended).toMatchObject({ code: 'ERR_CONNECTION_CLOSED' });
        expect(clock.pending).toBe(0);
      }),
      { numRuns: Number(process.env['FUZZ_RUNS'] ?? 200), seed: 20_240 },
    );
  });
});
