import { describe, expect, test } from '@jest/globals';
import { TroupeError } from '../../proto/errors.ts';
import { checkOption, didYouMean, optionFromText, optionNames, reservedEnv } from '../../proto/option-names.ts';
import { nodeOptions, parseOptions } from '../../proto/options.ts';

const names = optionNames();
const named = (flag: string) => names.find((option) => option.flag === flag)!;

describe('the name of an option', () => {
  test('is made by one rule for flag, environment and file', () => {
    expect(named('--slots-inbound')).toMatchObject({
      path: ['slots', 'inbound'],
      env: 'TROUPE_SLOTS_INBOUND',
      table: 'slots',
      key: 'inbound',
    });
    expect(named('--peer-queue-max-bytes')).toMatchObject({ env: 'TROUPE_PEER_QUEUE_MAX_BYTES', table: 'peer_queue', key: 'max_bytes' });
    expect(named('--loopback-is-public')).toMatchObject({ env: 'TROUPE_LOOPBACK_IS_PUBLIC', table: '', key: 'loopback_is_public' });
  });

  test('is unique in each place and never a reserved one', () => {
    for (const place of ['flag', 'env'] as const) expect(new Set(names.map((option) => option[place])).size).toBe(names.length);
    expect(new Set(names.map(({ table, key }) => `${table}.${key}`)).size).toBe(names.length);
    expect(names.filter(({ env }) => reservedEnv.includes(env))).toEqual([]);
  });

  test('comes with the default that the schema has, a description, and limits for numbers', () => {
    const defaults = parseOptions(nodeOptions, {}) as Readonly<Record<string, unknown>>;
    for (const option of names) {
      const value = option.path.reduce<unknown>((at, name) => (at as Record<string, unknown>)[name], defaults);
      expect([option.flag, option.default]).toEqual([option.flag, value]);
      expect(option.description).toMatch(/\S\.$/);
      if (option.kind === 'integer' || option.kind === 'number') {
        expect(option.least).toBeLessThanOrEqual(option.default as number);
        expect(option.most).toBeGreaterThanOrEqual(option.default as number);
      }
    }
    expect(named('--slots-inbound')).toMatchObject({ kind: 'integer', least: 1, most: 10_000, default: 40 });
    expect(named('--pex-intake-per-second')).toMatchObject({ kind: 'number', least: 0.001 });
    expect(named('--aead')).toMatchObject({ kind: 'choice', choices: ['auto', 'sodium', 'node', 'noble'] });
  });
});

describe('a text', () => {
  test.each([
    ['--slots-inbound', '7', 7],
    ['--pex-intake-per-second', '0.5', 0.5],
    ['--listen', 'mconn://127.0.0.1:1, mconn://127.0.0.1:2', ['mconn://127.0.0.1:1', 'mconn://127.0.0.1:2']],
    ['--persistent-peers', '', []],
    ['--loopback-is-public', 'true', true],
    ['--pex-enabled', '0', false],
    ['--network', '12', '12'],
    ['--aead', 'noble', 'noble'],
  ])('for %s of %p means %p', (flag, text, value) => {
    expect(optionFromText(named(flag), text, flag)).toEqual(value);
  });

  test.each([
    ['--slots-inbound', '0'],
    ['--slots-inbound', '10001'],
    ['--slots-inbound', ''],
    ['--slots-inbound', '1.5'],
    ['--slots-inbound', '1e3'],
    ['--slots-inbound', 'Infinity'],
    ['--slots-inbound', 'NaN'],
    ['--loopback-is-public', 'yes'],
    ['--aead', 'openssl'],
  ])('for %s of %p is refused by its name', (flag, text) => {
    expect(() => optionFromText(named(flag), text, flag)).toThrow(
      expect.objectContaining({ code: 'ERR_OPTION_INVALID', message: expect.stringContaining(flag) }),
    );
  });
});

test.each([[null], [Number.NaN], [Number.POSITIVE_INFINITY], ['40'], [[]]])('a value of %p is no number of slots', (value) => {
  expect(() => checkOption(named('--slots-inbound'), value, 'x')).toThrow(TroupeError);
});

test('a value that is refused is quoted at a bounded length', () => {
  expect(() => checkOption(named('--slots-inbound'), 'x'.repeat(10_000), 'here')).toThrow(
    expect.objectContaining({ message: expect.stringMatching(/^.{0,200}$/) }),
  );
});

test('an unknown name gets the closest known one as a hint, or none', () => {
  expect(
    didYouMean(
      '--slot-inbound',
      names.map(({ flag }) => flag),
    ),
  ).toBe('; did you mean --slots-inbound?');
  expect(
    didYouMean(
      'TROUPE_NETWROK',
      names.map(({ env }) => env),
    ),
  ).toBe('; did you mean TROUPE_NETWORK?');
  expect(
    didYouMean(
      'zzzzzzzzzzzz',
      names.map(({ flag }) => flag),
    ),
  ).toBe('');
});
