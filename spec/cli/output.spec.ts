import { describe, expect, test } from '@jest/globals';
import { exitCodeOf, fail, outputOf, plain } from '../../cli/output.ts';
import { TroupeError } from '../../proto/errors.ts';
import { fakeShell } from '../support/shell.ts';

describe('without a terminal', () => {
  test('each line is one JSON object, in which nothing steers a terminal', () => {
    const shell = fakeShell();
    outputOf(shell).event({ event: 'up', moniker: '\u009b2J\n\u001b[31m\u202e' }, 'never shown');
    expect(shell.out).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
    expect(shell.events()).toEqual([{ event: 'up', moniker: '\u009b2J\n\u001b[31m\u202e' }]);
  });

  test('there is no status line', () => {
    const shell = fakeShell();
    outputOf(shell).status('3 up');
    expect(shell.out).toBe('');
  });
});

describe('on a terminal', () => {
  test('sentences and log lines go above the status line, which stays last and fits', () => {
    const shell = fakeShell({ terminal: true, columns: 10 });
    const output = outputOf(shell);
    output.status('a status line that is too long');
    output.event({ event: 'up' }, 'one', 'two');
    output.write('log\n');
    expect(shell.err).toBe('log\n');
    expect(shell.out.split('\r\u001b[K')).toEqual(['', 'a status ', 'one\ntwo\na status ', 'a status ']);
  });

  test('text of a remote is shown, not obeyed', () => {
    expect(plain('\u001b[2J\r\nmoniker\u0007\u009b\u202e')).toBe('\\u001b[2J\\r\\nmoniker\\u0007\\u009b\\u202e');
  });
});

test.each([
  ['ERR_OPTION_INVALID', 2],
  ['ERR_NODE_KEY_INVALID', 2],
  ['ERR_NODE_KEY_UNREADABLE', 2],
  ['ERR_ADDRESS_INVALID', 2],
  ['ERR_HOME_EXISTS', 2],
  ['ERR_HOME_IN_USE', 3],
  ['ERR_LISTEN_UNAVAILABLE', 4],
  ['ERR_MONITOR_UNAVAILABLE', 4],
  ['ERR_NODE_NOT_RUNNING', 5],
  ['ERR_NODE_UNREACHABLE', 5],
  ['ERR_ORDER_TIMEOUT', 5],
  ['ERR_ORDERS_PENDING', 2],
  ['ERR_DIAL_FAILED', 5],
  ['ERR_DIAL_TIMEOUT', 5],
  ['ERR_HANDSHAKE_WRONG_ID', 5],
  ['ERR_SUPERVISOR_GAVE_UP', 70],
  ['ERR_INTERNAL', 70],
] as const)('%s ends a command with %d', (code, exit) => {
  expect(exitCodeOf(new TroupeError(code))).toBe(exit);
});

test('a failure is told on standard error, as an object or as a sentence, with a stack only for our own faults', () => {
  const pipe = fakeShell();
  expect(fail(pipe, new TroupeError('ERR_HOME_IN_USE', '/x'))).toBe(3);
  expect(JSON.parse(pipe.err)).toEqual({ event: 'error', code: 'ERR_HOME_IN_USE', message: expect.stringContaining('/x'), exit: 3 });
  expect(pipe.out).toBe('');
  const terminal = fakeShell({ terminal: true });
  expect(fail(terminal, new TroupeError('ERR_HOME_IN_USE', '\u001b[2J'))).toBe(3);
  expect(terminal.err).toBe('troupe: another process uses this home: \\u001b[2J (ERR_HOME_IN_USE)\n');
  const broken = fakeShell();
  expect(fail(broken, new TypeError('x is undefined'))).toBe(70);
  expect(JSON.parse(broken.err)).toMatchObject({ code: 'ERR_INTERNAL', stack: expect.stringContaining('TypeError') as unknown });
});
