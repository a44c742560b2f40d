import { execFile } from 'node:child_process';
import { describe, expect, test } from '@jest/globals';
import { stopOf } from '../../cli/shell.ts';
import { fakeShell } from '../support/shell.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

describe('asked to stop', () => {
  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('by %s, a command ends cleanly', (signal) => {
    const shell = fakeShell();
    const stop = stopOf(shell);
    expect(stop.signal.aborted).toBe(false);
    shell.stop(signal);
    expect(stop.signal.aborted).toBe(true);
    expect(shell.deaths).toEqual([]);
  });

  test('because the process that started us has gone, a command ends cleanly', () => {
    const shell = fakeShell();
    const stop = stopOf(shell);
    shell.stop();
    shell.stop();
    expect(stop.signal.aborted).toBe(true);
    expect(shell.deaths).toEqual([]);
  });

  test('twice, the process dies at once, by the second signal', () => {
    const clock = new VirtualClock();
    const shell = fakeShell({ clock });
    stopOf(shell);
    shell.stop('SIGINT');
    clock.advance(500);
    shell.stop('SIGTERM');
    expect(shell.deaths).toEqual(['SIGTERM']);
  });

  test('twice by one key press, as a terminal and npm both deliver it, it counts once', () => {
    const clock = new VirtualClock();
    const shell = fakeShell({ clock });
    stopOf(shell);
    shell.stop('SIGINT');
    clock.advance(499);
    shell.stop('SIGINT');
    expect(shell.deaths).toEqual([]);
  });

  test('after its end, a command hears nothing more', () => {
    const shell = fakeShell();
    const stop = stopOf(shell);
    stop[Symbol.dispose]();
    shell.stop('SIGINT');
    expect(stop.signal.aborted).toBe(false);
  });
});

test.each([
  ['throws', 'setTimeout(() => { throw new Error("stray"); }, 1);'],
  ['rejects', 'void Promise.reject(new Error("stray"));'],
])('a process in which something stray %s says so and ends with 70, whatever keeps it alive', async (_, fault) => {
  const script = `
    import { processShell } from './cli/shell.ts';
    processShell().onCrash((thrown) => process.stderr.write(thrown.message));
    setInterval(() => undefined, 1_000);
    ${fault}`;
  const args = ['--import', './scripts/ts.js', '--input-type=module', '--eval', script];
  const ended = await new Promise<readonly unknown[]>((resolve) => {
    const child = execFile(process.execPath, args, (_error, _out, said) => resolve([child.exitCode, said]));
  });
  expect(ended).toEqual([70, 'stray']);
});
