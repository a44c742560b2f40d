import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import {
  configText,
  homeOf,
  optionsFrom,
  settingsFromEnv,
  settingsFromFile,
  settingsFromFlags,
  settingsFromToml,
} from '../../cli/config.ts';
import { optionNames } from '../../proto/option-names.ts';
import { nodeOptions, parseOptions } from '../../proto/options.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'troupe-config-'));
});
afterEach(() => {
  rmSync(home, { recursive: true });
});

const refusal = (code: string, text: RegExp) => expect.objectContaining({ code, message: expect.stringMatching(text) });

test('flags win over the environment, the environment over the file, the file over defaults', () => {
  writeFileSync(join(home, 'config.toml'), 'network = "file"\nmoniker = "file"\n[slots]\ninbound = 1\noutbound = 1\nper_net = 1\n');
  const env = settingsFromEnv({ TROUPE_MONIKER: 'env', TROUPE_SLOTS_OUTBOUND: '2', TROUPE_SLOTS_PER_NET: '2', PATH: '/bin' });
  const flags = settingsFromFlags({ 'slots.perNet': '3' });
  const options = parseOptions(nodeOptions, optionsFrom(flags, env, settingsFromFile(home)));
  expect(options).toMatchObject({
    network: 'file',
    moniker: 'env',
    slots: { inbound: 1, outbound: 2, perIp: 2, perNet: 3 },
    logLevel: 'info',
  });
});

test('a home without a file has no settings', () => {
  expect(settingsFromFile(home).size).toBe(0);
});

test('the home is the flag, else TROUPE_HOME, else .troupe in the home of the user', () => {
  expect(homeOf('/a', { TROUPE_HOME: '/b' })).toBe('/a');
  expect(homeOf(undefined, { TROUPE_HOME: '/b' })).toBe('/b');
  expect(homeOf(undefined, {})).toMatch(/[\\/]\.troupe$/);
});

describe('the environment', () => {
  test('with an unknown TROUPE_ name is refused with a hint', () => {
    expect(() => settingsFromEnv({ TROUPE_NETWROK: 'x' })).toThrow(
      refusal('ERR_OPTION_INVALID', /TROUPE_NETWROK; did you mean TROUPE_NETWORK\?/),
    );
  });

  test('may hold TROUPE_SCALE and TROUPE_HOME, which are no options', () => {
    expect(settingsFromEnv({ TROUPE_SCALE: '9', TROUPE_HOME: '/x' }).size).toBe(0);
  });
});

describe('a configuration file', () => {
  test.each([
    ['[slots]\ninbuond = 3', 'ERR_OPTION_INVALID', /unknown option slots\.inbuond; did you mean slots\.inbound\?/],
    ['[slot]\ninbound = 3', 'ERR_OPTION_INVALID', /unknown option slot/],
    ['slots = 3', 'ERR_OPTION_INVALID', /slots is a table/],
    ['slots = 1979-05-27', 'ERR_OPTION_INVALID', /slots is a table/],
    ['[slots]\ninbound = "3"', 'ERR_OPTION_INVALID', /slots\.inbound: a whole number from 1 to 10000, not "3"/],
    ['[slots.inbound]\nx = 1', 'ERR_OPTION_INVALID', /slots\.inbound/],
    ['listen = "mconn://127.0.0.1:1"', 'ERR_OPTION_INVALID', /listen: a list of texts/],
    ['listen = [1]', 'ERR_OPTION_INVALID', /listen: a list of texts/],
    ['__proto__ = 1', 'ERR_CONFIG_UNREADABLE', /here/],
    ['[pex]\nintake_per_second = nan', 'ERR_OPTION_INVALID', /pex\.intake_per_second/],
    ['network = ', 'ERR_CONFIG_UNREADABLE', /here: /],
  ])('that says %p is refused as %s', (text, code, message) => {
    expect(() => settingsFromToml(text, 'here')).toThrow(refusal(code, message));
  });

  test('that is a directory, or above 1 MiB, is refused', () => {
    writeFileSync(join(home, 'config.toml'), `# ${' '.repeat(1_048_576)}`);
    expect(() => settingsFromFile(home)).toThrow(refusal('ERR_CONFIG_UNREADABLE', /above 1048576 bytes/));
    mkdirSync(join(home, 'sub', 'config.toml'), { recursive: true });
    expect(() => settingsFromFile(join(home, 'sub'))).toThrow(refusal('ERR_CONFIG_UNREADABLE', /EISDIR/));
  });

  test('that was printed sets nothing, shows every option and reads back once its comments are removed', () => {
    const text = configText();
    expect(settingsFromToml(text, 'printed').size).toBe(0);
    const open = settingsFromToml(text.replace(/^# ([a-z0-9_]+ = )/gm, '$1'), 'printed');
    expect(open.size).toBe(optionNames().length);
    expect(parseOptions(nodeOptions, optionsFrom(open))).toEqual(parseOptions(nodeOptions, {}));
  });

  test('that was printed with settings holds exactly those', () => {
    const settings = settingsFromFlags({ moniker: 'a "quoted" \u007f\n name', listen: 'a,b', 'pex.enabled': 'false', 'link.stallMs': '5' });
    expect([...settingsFromToml(configText(settings), 'printed')]).toEqual(expect.arrayContaining([...settings]));
    expect(settingsFromToml(configText(settings), 'printed').size).toBe(4);
  });
});
