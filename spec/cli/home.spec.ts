import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { optionsFrom, settingsFromFile } from '../../cli/config.ts';
import { idOfHome } from '../../cli/home.ts';
import { run } from '../../cli/program.ts';
import { nodeKeyFromJson } from '../../proto/identity.ts';
import { fakeShell } from '../support/shell.ts';

let folder: string;
let home: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'troupe-home-'));
  home = join(folder, 'node');
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

describe('init', () => {
  test('makes a key that only its owner reads, and a configuration with the options that were given', async () => {
    const shell = fakeShell();
    expect(await run(['init', '--home', home, '--network', 'chain', '--slots-inbound', '7'], shell)).toBe(0);
    const key = nodeKeyFromJson(readFileSync(join(home, 'node_key.json'), 'utf8'));
    expect(shell.events()).toEqual([
      { event: 'initialised', nodeId: key.id, home, key: join(home, 'node_key.json'), config: join(home, 'config.toml') },
    ]);
    expect(statSync(join(home, 'node_key.json')).mode & 0o777).toBe(0o600);
    expect(optionsFrom(settingsFromFile(home))).toEqual({ network: 'chain', slots: { inbound: 7 } });
  });

  test.each(['node_key.json', 'config.toml'])('touches nothing when there is a %s', async (file) => {
    await run(['init', '--home', home], fakeShell());
    rmSync(join(home, file === 'config.toml' ? 'node_key.json' : 'config.toml'));
    const before = readFileSync(join(home, file), 'utf8');
    await expect(run(['init', '--home', home], fakeShell())).rejects.toMatchObject({ code: 'ERR_HOME_EXISTS' });
    expect(readFileSync(join(home, file), 'utf8')).toBe(before);
    expect(existsSync(join(home, file === 'config.toml' ? 'node_key.json' : 'config.toml'))).toBe(false);
  });

  test('where nothing can be written is a clear error with a code', async () => {
    writeFileSync(home, 'a file');
    await expect(run(['init', '--home', join(home, 'below')], fakeShell())).rejects.toMatchObject({ code: 'ERR_CONFIG_UNREADABLE' });
  });
});

describe('id', () => {
  test('is that of the key, as an object or, on a terminal, alone', async () => {
    await run(['init', '--home', home], fakeShell());
    const nodeId = await idOfHome(home);
    const [pipe, terminal] = [fakeShell(), fakeShell({ terminal: true })];
    await run(['id', '--home', home], pipe);
    await run(['id', '--home', home], terminal);
    expect(pipe.events()).toEqual([{ event: 'id', nodeId }]);
    expect(terminal.out).toBe(`${nodeId}\n`);
  });

  test('of a home that is not there, or whose key is no good, is a clear error with a code', async () => {
    await expect(run(['id', '--home', home], fakeShell())).rejects.toMatchObject({
      code: 'ERR_HOME_MISSING',
      message: expect.stringContaining('troupe init') as unknown,
    });
    await run(['init', '--home', home], fakeShell());
    writeFileSync(join(home, 'node_key.json'), '{"priv_key":');
    await expect(run(['id', '--home', home], fakeShell())).rejects.toMatchObject({ code: 'ERR_NODE_KEY_INVALID' });
  });
});
