import { describe, expect, test } from '@jest/globals';
import * as v from 'valibot';
import { nodeOptions, parseOptions, type NodeOptions } from '../../proto/options.ts';

type Path = readonly string[];

const defaults: NodeOptions = parseOptions(nodeOptions, {});

/** Every option that is a number, by its path. */
function numbersIn(values: object, at: Path = []): Path[] {
  return Object.entries(values).flatMap(([name, value]: [string, unknown]) => {
    if (typeof value === 'number') return [[...at, name]];
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? numbersIn(value, [...at, name]) : [];
  });
}
const withValue = ([name = '', ...rest]: Path, value: unknown): object => ({ [name]: rest.length > 0 ? withValue(rest, value) : value });
const refusalOf = (input: unknown): string => {
  try {
    parseOptions(nodeOptions, input);
    return '';
  } catch (error) {
    return `${(error as { code: string }).code}: ${(error as Error).message}`;
  }
};

/** Versions are numbers too, but bound nothing. */
const versions = ['blockVersion', 'p2pVersion', 'appVersion'];
const limits = numbersIn(defaults).filter(([name = '']) => !versions.includes(name));

describe('a limit', () => {
  test.each(limits.map((path) => [path.join('.'), path] as const))(
    '%s is no zero, nothing negative, not endless and not a number that is none',
    (name, path) => {
      for (const value of [0, -1, NaN, Infinity, -Infinity, '1', null])
        expect(refusalOf(withValue(path, value))).toMatch(new RegExp(`^ERR_OPTION_INVALID: .*${name.replaceAll('.', '\\.')}`));
    },
  );

  test('that is left out, or undefined, has its default', () => {
    for (const path of limits) expect(parseOptions(nodeOptions, withValue(path, undefined))).toEqual(defaults);
  });

  test('of time fits a timer of Node', () => {
    for (const path of limits.filter((each) => each.at(-1)!.endsWith('Ms')))
      expect(refusalOf(withValue(path, 2 ** 31))).toContain('ERR_OPTION_INVALID');
  });
});

test('every problem is listed, with the option it concerns', () => {
  const message = refusalOf({ slots: { inbound: 0, outbound: -3 }, network: 7, dialer: { unknown: 1 } });
  for (const name of ['slots.inbound', 'slots.outbound', 'network', 'dialer.unknown']) expect(message).toContain(name);
});

test('what comes out cannot be changed, at any depth', () => {
  expect(() => Object.assign(defaults.slots, { inbound: 1 })).toThrow(TypeError);
  expect(() => defaults.listen.push('x')).toThrow(TypeError);
});

test('every option says what it is for', () => {
  const undescribed = (schema: object, at: string): string[] => {
    const inner = 'wrapped' in schema ? (schema.wrapped as object) : schema;
    if ('entries' in inner)
      return Object.entries(inner.entries as Record<string, object>).flatMap(([name, entry]) =>
        undescribed(entry, at ? `${at}.${name}` : name),
      );
    return v.getDescription(schema as never) ? [] : [at];
  };
  expect(undescribed(nodeOptions, '')).toEqual([]);
});
