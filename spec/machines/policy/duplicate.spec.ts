import fc from 'fast-check';
import { describe, expect, test } from '@jest/globals';
import { contest, isHeldKept, type Contest, type Direction } from '../../../machines/policy/duplicate.ts';

const facts: Contest = {
  older: 'inbound',
  younger: 'outbound',
  olderAgeMs: 1_000,
  sinceReplacedMs: Infinity,
  ours: true,
  ownIdLower: true,
};

describe('two connections to one id', () => {
  test.each<[string, Partial<Contest>, string]>([
    ['the younger wins at once when the older has lasted for more than 40 s', { olderAgeMs: 40_001, ownIdLower: false }, 'replace'],
    ['at 40 s the older still counts', { olderAgeMs: 40_000, ownIdLower: false }, 'refuse'],
    ['of one direction the younger wins', { younger: 'inbound' }, 'replace'],
    ['of one direction the younger wins once in ten seconds', { younger: 'inbound', sinceReplacedMs: 9_999 }, 'refuse'],
    ['of one direction the younger wins again after ten seconds', { younger: 'inbound', sinceReplacedMs: 10_000 }, 'replace'],
    ['with our own kind the one we dialed is kept when our id is lower', {}, 'replace'],
    ['with our own kind the one they dialed is kept when theirs is lower', { ownIdLower: false }, 'refuse'],
    [
      'with our own kind, accepted later: theirs is kept when theirs is lower',
      { older: 'outbound', younger: 'inbound', ownIdLower: false },
      'replace',
    ],
    ['with our own kind, accepted later: ours is kept when ours is lower', { older: 'outbound', younger: 'inbound' }, 'refuse'],
    ['with any other the younger is held', { ours: false }, 'hold'],
    ['with any other the younger of one direction replaces', { ours: false, older: 'outbound' }, 'replace'],
  ])('%s', (_, changes, verdict) => {
    expect(contest({ ...facts, ...changes })).toBe(verdict);
  });
});

test('both ends of our own kind keep the same one of two, in whatever order they saw them', () => {
  fc.assert(
    fc.property(fc.boolean(), fc.boolean(), fc.boolean(), (aIsLower, aSawItsOwnFirst, bSawItsOwnFirst) => {
      // A connection is named by who dialed it.
      const keeps = (self: 'a' | 'b', sawItsOwnFirst: boolean): string => {
        const other = self === 'a' ? 'b' : 'a';
        const [older, younger]: Direction[] = sawItsOwnFirst ? ['outbound', 'inbound'] : ['inbound', 'outbound'];
        const verdict = contest({ ...facts, older: older!, younger: younger!, ownIdLower: aIsLower === (self === 'a') });
        return (verdict === 'replace' ? younger : older) === 'outbound' ? self : other;
      };
      expect(keeps('a', aSawItsOwnFirst)).toBe(keeps('b', bSawItsOwnFirst));
    }),
  );
});

test('when the remote closes neither, the one dialed by the lower id is kept; of one direction the younger', () => {
  expect(isHeldKept('inbound', 'outbound', true)).toBe(true);
  expect(isHeldKept('inbound', 'outbound', false)).toBe(false);
  expect(isHeldKept('outbound', 'inbound', true)).toBe(false);
  expect(isHeldKept('outbound', 'inbound', false)).toBe(true);
  expect(isHeldKept('inbound', 'inbound', true)).toBe(true);
});
