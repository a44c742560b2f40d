/** Options from where an operator sets them: flags, then environment, then `config.toml` in the home, then defaults. */
import { readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { parse } from 'smol-toml';
import { asTroupeError, TroupeError } from '../proto/errors.ts';
import { checkOption, didYouMean, optionFromText, optionNames, reservedEnv, type OptionName } from '../proto/option-names.ts';
import type { NodeOptionsInput } from '../proto/options.ts';

/** Name of the configuration file in a home. */
export const configFile = 'config.toml';
/** A configuration file above this is a mistake, not a configuration. */
const maxConfigBytes = 1_048_576;

/** Values by option; what is not set is not in it. */
export type Settings = ReadonlyMap<OptionName, unknown>;
/** What the shell gave us: `process.env` or a fake. */
export type Environment = Readonly<Record<string, string | undefined>>;

const names = optionNames();
const byEnv = new Map(names.map((option) => [option.env, option]));
const byToml = new Map(names.map((option) => [tomlName(option), option]));
const tables = new Set(names.map(({ table }) => table));

/** `slots.inbound`: how an option is called in the file. */
export function tomlName({ table, key }: Pick<OptionName, 'table' | 'key'>): string {
  return table === '' ? key : `${table}.${key}`;
}

/** The home of a command: `--home`, else `TROUPE_HOME`, else `.troupe` in the user's own; absolute. */
export function homeOf(flag: string | undefined, env: Environment): string {
  return resolve(flag ?? env['TROUPE_HOME'] ?? join(homedir(), '.troupe'));
}

/** What `config.toml` says, nothing if there is none. @throws TroupeError `ERR_CONFIG_UNREADABLE`, `ERR_OPTION_INVALID`. */
export function settingsFromFile(home: string): Settings {
  const path = join(home, configFile);
  let text: string;
  try {
    if (statSync(path).size > maxConfigBytes) throw new TroupeError('ERR_CONFIG_UNREADABLE', `${path} is above ${maxConfigBytes} bytes`);
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Map();
    throw asTroupeError(error, 'ERR_CONFIG_UNREADABLE');
  }
  return settingsFromToml(text, path);
}

/** What a text in TOML says; `source` names it in errors. @throws TroupeError `ERR_CONFIG_UNREADABLE`, `ERR_OPTION_INVALID`. */
export function settingsFromToml(text: string, source: string): Settings {
  let document: Record<string, unknown>;
  try {
    document = parse(text, { unsafeKeyBehaviour: 'throw' });
  } catch (error) {
    throw new TroupeError('ERR_CONFIG_UNREADABLE', `${source}: ${(error as Error).message.split('\n')[0]}`, { cause: error });
  }
  return new Map(fromTable(document, '', source));
}

function* fromTable(table: Record<string, unknown>, at: string, source: string): Generator<[OptionName, unknown]> {
  for (const [key, value] of Object.entries(table)) {
    const name = tomlName({ table: at, key });
    const option = byToml.get(name);
    if (option) yield [option, checkOption(option, value, `${source}: ${name}`)];
    else if (at === '' && tables.has(key) && isTable(value)) yield* fromTable(value, key, source);
    else if (at === '' && tables.has(key)) throw new TroupeError('ERR_OPTION_INVALID', `${source}: ${name} is a table, not a value`);
    else throw new TroupeError('ERR_OPTION_INVALID', `${source}: unknown option ${name}${didYouMean(name, byToml.keys())}`);
  }
}

const isTable = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);

/** What the variables that begin with `TROUPE_` say. @throws TroupeError `ERR_OPTION_INVALID`, also for a name that is no option. */
export function settingsFromEnv(env: Environment): Settings {
  const settings = new Map<OptionName, unknown>();
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith('TROUPE_') || text === undefined || reservedEnv.includes(name)) continue;
    const option = byEnv.get(name);
    if (!option) throw new TroupeError('ERR_OPTION_INVALID', `unknown variable ${name}${didYouMean(name, byEnv.keys())}`);
    settings.set(option, optionFromText(option, text, name));
  }
  return settings;
}

/** What flags say, given as a text for each path joined by dots (`slots.inbound`). @throws TroupeError `ERR_OPTION_INVALID`. */
export function settingsFromFlags(flags: Readonly<Record<string, string>>): Settings {
  const settings = new Map<OptionName, unknown>();
  for (const option of names) {
    const text = flags[option.path.join('.')];
    if (text !== undefined) settings.set(option, optionFromText(option, text, option.flag));
  }
  return settings;
}

/** The options of a node from every source; the first settings win. */
export function optionsFrom(...sources: readonly Settings[]): NodeOptionsInput {
  const options: Record<string, unknown> = {};
  for (const [option, value] of sources.toReversed().flatMap((settings) => [...settings])) {
    let at = options;
    for (const group of option.path.slice(0, -1)) at = (at[group] ??= {}) as Record<string, unknown>;
    at[option.path.at(-1) ?? ''] = value;
  }
  return options;
}

/** A configuration file with every option: those in `settings` set, the others as comments with their defaults. */
export function configText(settings: Settings = new Map()): string {
  const lines = [
    '# Configuration of a Troupe node. Flags and TROUPE_* variables win over this file; what is commented out has the value shown.',
  ];
  let table = '';
  for (const option of names) {
    if (option.table !== table) lines.push('', `[${option.table}]`);
    table = option.table;
    const line = `${option.key} = ${tomlValue(settings.has(option) ? settings.get(option) : option.default)}`;
    lines.push('', `# ${option.description}`, settings.has(option) ? line : `# ${line}`);
  }
  return `${lines.join('\n')}\n`;
}

/** Texts as basic strings (JSON escapes are valid there, save U+007F, which TOML wants escaped), lists, numbers and booleans. */
function tomlValue(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(tomlValue).join(', ')}]`;
  return JSON.stringify(value).replaceAll('\u007f', '\\u007f');
}
