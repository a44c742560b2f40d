import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { run } from '../../cli/program.ts';
import { optionNames } from '../../proto/option-names.ts';
import { fakeShell } from '../support/shell.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'troupe-program-'));
});
afterEach(() => {
  rmSync(home, { recursive: true });
});

describe('help', () => {
  test.each([
    ['--help'],
    ['init', '--help'],
    ['start', '--help'],
    ['testnet', '--help'],
    ['id', '--help'],
    ['probe', '--help'],
    ['peers', '--help'],
    ['peers', 'add', '--help'],
    ['peers', 'remove', '--help'],
    ['peers', 'ban', '--help'],
    ['peers', 'dial', '--help'],
    ['peers', 'disconnect', '--help'],
    ['peers', 'explain', '--help'],
  ])('of %s %s %s is printed, with success', async (...argv) => {
    const shell = fakeShell();
    expect(await run(argv.filter(Boolean), shell)).toBe(0);
    expect(shell.out).toMatch(new RegExp(`^Usage: troupe ${argv.filter((word) => word && !word.startsWith('-')).join(' ')}`));
  });

  test('of start lists every option of the schema once, in groups', async () => {
    const shell = fakeShell({ columns: 120 });
    await run(['start', '--help'], shell);
    for (const { flag } of optionNames()) expect(shell.out.match(new RegExp(`^  ${flag} [<[]`, 'gm'))).toHaveLength(1);
    expect(shell.out).toMatch(/^Peer queue:$/m);
  });

  test('of testnet leaves out what each node has of its own', async () => {
    const shell = fakeShell();
    await run(['testnet', '--help'], shell);
    expect(shell.out).not.toMatch(/^ {2}--(listen|monitor|bootstrap-peers) /m);
  });
});

test('the version is printed', async () => {
  const shell = fakeShell();
  expect(await run(['--version'], shell)).toBe(0);
  expect(shell.out).toMatch(/^\d+\.\d+\.\d+\n$/);
});

describe('a command line that makes no sense is refused:', () => {
  test.each([
    [[], /a command is missing/],
    [['strat'], /unknown command 'strat'.*start/],
    [['start', '--slots-inbuond', '3'], /unknown option '--slots-inbuond'.*--slots-inbound/],
    [['start', '--slots-inbound', '0'], /--slots-inbound: a whole number from 1 to 10000, not 0/],
    [['start', '--slots-inbound'], /--slots-inbound <number>.*argument missing/],
    [['start', '--loopback-is-public', 'maybe'], /--loopback-is-public: true or false, not "maybe"/],
    [['start', 'extra'], /too many arguments/],
    [['id', '--network', 'x'], /unknown option '--network'/],
    [['probe'], /missing required argument 'address'/],
    [['testnet', '1'], /from 2 to 64/],
    [['testnet', '65'], /from 2 to 64/],
    [['testnet', 'four'], /from 2 to 64/],
    [['testnet', '--listen', 'x'], /unknown option '--listen'/],
    [['peers', 'ad', 'x'], /too many arguments|unknown command/],
    [['peers', 'add'], /missing required argument 'address'/],
    [['peers', 'ban', 'x', '--fro', '1h'], /unknown option '--fro'/],
    [['peers', '--network', 'x'], /unknown option '--network'/],
    [['peers', 'dial', 'x', 'y'], /too many arguments/],
  ])('%j', async (argv, message) => {
    const shell = fakeShell();
    await expect(run(argv, shell)).rejects.toMatchObject({
      code: 'ERR_OPTION_INVALID',
      message: expect.stringMatching(message) as unknown,
    });
    expect(shell.out).toBe('');
  });

  test('a variable that is no option', async () => {
    await expect(run(['id'], fakeShell({ env: { TROUPE_FOO: '1' } }))).rejects.toMatchObject({
      code: 'ERR_OPTION_INVALID',
      message: expect.stringContaining('TROUPE_FOO') as unknown,
    });
  });

  test('a variable that a testnet chooses for each node', async () => {
    await expect(run(['testnet', '--home', home], fakeShell({ env: { TROUPE_LISTEN: 'mconn://127.0.0.1:1' } }))).rejects.toMatchObject({
      code: 'ERR_OPTION_INVALID',
      message: expect.stringContaining('TROUPE_LISTEN') as unknown,
    });
  });
});

test('the home comes from the flag, else from the environment', async () => {
  const made = fakeShell({ env: { TROUPE_HOME: join(home, 'b') } });
  await run(['init', '--home', join(home, 'a')], made);
  await run(['init'], made);
  expect(made.events()).toMatchObject([{ home: join(home, 'a') }, { home: join(home, 'b') }]);
});
