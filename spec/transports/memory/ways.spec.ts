import { describe, expect, test } from '@jest/globals';
import { Ways, type ConditionChange } from '../../../transports/memory/ways.ts';
import { a, b, c } from '../../support/memory-world.ts';

const plain = { latencyMs: 20, jitterMs: 5, loss: 0, reorder: 0, duplicate: 0 };
const ways = (): Ways => new Ways(plain);

describe('the conditions of a way', () => {
  test('are the general ones, unless something was said of either node, of its sender last', () => {
    const some = ways();
    some.change({ loss: 0.5 });
    some.change({ latencyMs: 100, jitterMs: 0 }, b.id);
    some.change({ latencyMs: 300 }, c.id);
    expect(some.of(a.id, a.id)).toEqual({ ...plain, loss: 0.5 });
    expect(some.of(a.id, b.id)).toEqual({ ...plain, loss: 0.5, latencyMs: 100, jitterMs: 0 });
    expect(some.of(b.id, a.id)).toEqual(some.of(a.id, b.id));
    expect(some.of(b.id, c.id)).toMatchObject({ latencyMs: 100, jitterMs: 0 });
    expect(some.of(c.id, b.id)).toMatchObject({ latencyMs: 300, jitterMs: 0 });
  });

  test('change by what is said; what is left out or undefined stays, but for a rate, which undefined lifts', () => {
    const some = ways();
    some.change({ bytesPerSecond: 10, latencyMs: 1 });
    some.change({ latencyMs: undefined, jitterMs: 7 });
    expect(some.of(a.id, b.id)).toEqual({ ...plain, latencyMs: 1, jitterMs: 7, bytesPerSecond: 10 });
    some.change({ bytesPerSecond: undefined });
    expect(some.of(a.id, b.id).bytesPerSecond).toBeUndefined();
  });

  test.each([[{ loss: 2 }], [{ latencyMs: NaN }], [{ bytesPerSecond: 0 }], [{ duplicate: -1 }], [{ delay: 5 }]])('refuse %j', (change) => {
    expect(() => ways().change(change as ConditionChange)).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID' }));
  });
});

describe('a way', () => {
  test('is cut between groups, both ways, and never from a node to itself', () => {
    const some = ways();
    some.partition([[a.id], [b.id]]);
    expect([some.isCut(a.id, b.id), some.isCut(b.id, a.id), some.isCut(b.id, c.id), some.isCut(a.id, a.id)]).toEqual([
      true,
      true,
      true,
      false,
    ]);
    some.heal();
    expect(some.isCut(a.id, b.id)).toBe(false);
  });

  test('is cut in one direction besides others; a partition takes the place of all that', () => {
    const some = ways();
    some.cut([a.id], [b.id]);
    some.cut([b.id], [c.id]);
    expect([some.isCut(a.id, b.id), some.isCut(b.id, a.id), some.isCut(b.id, c.id)]).toEqual([true, false, true]);
    some.partition([[a.id, b.id], [c.id]]);
    expect([some.isCut(a.id, b.id), some.isCut(c.id, b.id)]).toEqual([false, true]);
  });

  test('is closed to a frozen reader, and open from it', () => {
    const some = ways();
    some.freeze(b.id);
    expect([some.isClosed(a.id, b.id), some.isClosed(b.id, a.id), some.isFrozen(b.id)]).toEqual([true, false, true]);
    some.thaw(b.id);
    expect(some.isClosed(a.id, b.id)).toBe(false);
  });
});
