/** The name of every option in each place it can be set, made from the schema tree by one rule, and how text becomes its value. */
import * as v from 'valibot';
import { TroupeError } from './errors.ts';
import { nodeOptions } from './options.ts';

/** What an option holds: whole numbers, any number, one text, yes or no, several texts, or one of a few words. */
export type OptionKind = 'integer' | 'number' | 'text' | 'flag' | 'list' | 'choice';

/** One option as a user meets it. */
export type OptionName = Readonly<{
  /** Where it stands in code: `['slots', 'inbound']`. */
  path: readonly string[];
  /** `--slots-inbound`. */
  flag: string;
  /** `TROUPE_SLOTS_INBOUND`. */
  env: string;
  /** Table (empty for the top one) and key of the configuration file. */
  table: string;
  key: string;
  kind: OptionKind;
  default: unknown;
  description: string;
  least?: number;
  most?: number;
  choices?: readonly string[];
  /** The part of the schema that checks a value of this option alone. */
  schema: v.GenericSchema;
}>;

/** Names that begin with `TROUPE_` and are no options: `TROUPE_HOME` belongs to every command, `TROUPE_SCALE` to test suites. */
export const reservedEnv: readonly string[] = ['TROUPE_HOME', 'TROUPE_SCALE'];

/** `maxPerIp` with its words joined by a separator: `max-per-ip`. */
const joined = (name: string, separator: string): string => name.replace(/[A-Z]/g, (letter) => separator + letter.toLowerCase());

function* walk(schema: v.GenericSchema, path: readonly string[]): Generator<OptionName> {
  const inner = unwrapped(schema);
  if ('entries' in inner) {
    for (const [name, entry] of Object.entries(inner.entries as Record<string, v.GenericSchema>)) yield* walk(entry, [...path, name]);
    return;
  }
  yield Object.freeze({
    path,
    flag: `--${path.map((name) => joined(name, '-')).join('-')}`,
    env: `TROUPE_${path.map((name) => joined(name, '_').toUpperCase()).join('_')}`,
    table: path
      .slice(0, -1)
      .map((name) => joined(name, '_'))
      .join('.'),
    key: joined(path[path.length - 1] ?? '', '_'),
    default: v.getDefault(schema as never),
    description: v.getDescription(schema as never) ?? '',
    schema,
    ...kindOf(inner),
  });
}

/** The schema under `optional`, whose own pipe holds the description. */
function unwrapped(schema: v.GenericSchema): v.GenericSchema {
  return 'wrapped' in schema ? unwrapped(schema.wrapped as v.GenericSchema) : schema;
}

function kindOf(schema: v.GenericSchema): Pick<OptionName, 'kind' | 'least' | 'most' | 'choices'> {
  if (schema.type === 'boolean') return { kind: 'flag' };
  if (schema.type === 'array') return { kind: 'list' };
  if (schema.type === 'picklist') return { kind: 'choice', choices: (schema as unknown as { options: readonly string[] }).options };
  if (schema.type === 'string') return { kind: 'text' };
  if (schema.type !== 'number') throw new TroupeError('ERR_INTERNAL', `an option of type ${schema.type} has no form in a flag`);
  const checks = ('pipe' in schema ? schema.pipe : []) as readonly Readonly<{ type: string; requirement?: unknown }>[];
  const limit = (type: string): number | undefined => checks.find((check) => check.type === type)?.requirement as number | undefined;
  const [least, most] = [limit('min_value'), limit('max_value')];
  return {
    kind: checks.some((check) => check.type === 'safe_integer') ? 'integer' : 'number',
    ...(least === undefined ? {} : { least }),
    ...(most === undefined ? {} : { most }),
  };
}

/** The value that a text from a flag or the environment means; lists are separated by commas. @throws TroupeError `ERR_OPTION_INVALID` naming `source`. */
export function optionFromText(option: OptionName, text: string, source: string): unknown {
  return checkOption(option, valueOf(option, text), source);
}

function valueOf(option: OptionName, text: string): unknown {
  if (option.kind === 'list')
    return text
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== '');
  if (option.kind === 'flag') return text === 'true' || text === '1' ? true : text === 'false' || text === '0' ? false : text;
  if (option.kind === 'integer' || option.kind === 'number') return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
  return text;
}

/** The value itself when the option takes it. @throws TroupeError `ERR_OPTION_INVALID` naming `source`. */
export function checkOption(option: OptionName, value: unknown, source: string): unknown {
  const result = v.safeParse(option.schema, value);
  if (result.success) return result.output;
  throw new TroupeError('ERR_OPTION_INVALID', `${source}: ${expected(option)}, not ${shown(value)}`);
}

const expected = (option: OptionName): string => {
  if (option.kind === 'choice') return `one of ${(option.choices ?? []).join(', ')}`;
  if (option.kind === 'integer') return `a whole number ${range(option)}`;
  if (option.kind === 'number') return `a number ${range(option)}`;
  return { text: 'a text', flag: 'true or false', list: 'a list of texts' }[option.kind];
};

/** The limits of a number in words. */
export const range = ({ least, most }: Pick<OptionName, 'least' | 'most'>): string => `from ${least ?? 'any'} to ${most ?? 'any'}`;

function shown(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

/** A hint for a name nobody knows: `; did you mean X?` for the closest known one, or nothing when none is close. */
export function didYouMean(name: string, known: Iterable<string>): string {
  let best: string | undefined;
  let least = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    const steps = distance(name.slice(0, 100), candidate, least);
    if (steps < least) [best, least] = [candidate, steps];
  }
  return best === undefined ? '' : `; did you mean ${best}?`;
}

/** Insertions, deletions and replacements between two texts; `limit` when it would be that or more. */
function distance(from: string, to: string, limit: number): number {
  if (Math.abs(from.length - to.length) >= limit) return limit;
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return Math.min(limit, row[to.length]!);
}

const all: readonly OptionName[] = Object.freeze([...walk(nodeOptions, [])]);

/** Every option of a node, in the order of the schema: always the same objects, so that they can be keys. */
export function optionNames(): readonly OptionName[] {
  return all;
}
