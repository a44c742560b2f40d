import { expect, test } from '@jest/globals';
import { exitCodes } from '../../cli/output.ts';
import { helpPages } from '../../cli/program.ts';
import { fakeShell } from '../support/shell.ts';
import { expectPage, markdownTable } from '../support/page.ts';

const meaning: Readonly<Record<keyof typeof exitCodes, string>> = {
  success: 'success',
  usage: 'usage or configuration: an unknown option, a value out of range, a key or address that is no good',
  homeInUse: 'the home is in use by another process',
  addressUnavailable: 'an address to listen on, or that of the monitor, is unavailable',
  peerUnreachable: 'the peer is unreachable or refused us (`probe`, `peers dial`), or so is the node that was to act (`peers`)',
  internal: 'an internal fault',
};

const help = [...helpPages(fakeShell({ columns: 100 }))];

const page = () => `# Command line

The help below is printed from the code by \`npm run docs\`; a spec compares the two.

## What it prints

On a terminal commands write sentences, and those that run for long keep a status line. Everywhere else each line of standard output is one JSON
object. The log goes to standard error, as JSON (readable where standard error is a terminal).

${markdownTable(
  ['command', 'object', 'when'],
  [
    ['`init`', '`{"event":"initialised","nodeId","home","key","config"}`', 'the home is made'],
    ['`id`', '`{"event":"id","nodeId"}`', ''],
    [
      '`start`',
      '`{"event":"ready","nodeId","listen":[…],"home","pid","monitor":"http://127.0.0.1:…","token"}`',
      'first line; without a monitor the last two are missing',
    ],
    [
      '',
      '`{"event":"up","id","channels":[…]}`, `{"event":"down","id","channels":[…],"reason"}`',
      'a peer came up or went down; reasons are those of [errors.md](errors.md)',
    ],
    ['', '`{"event":"echo","answers","meanMs","maxMs"}`', 'with `echo.ask`: how many peers answered the last question, and after how long'],
    ['', '`{"event":"stopped"}`', 'last line of a clean stop'],
    ['`testnet`', '`{"event":"testnet","nodes","home"}`', 'first line'],
    ['', '`{"event":"started","node","pid","home","command"}`', 'a process was started; `command` starts the node again by hand'],
    ['', '`{"node", …}`', 'what a node said, with its name'],
    ['', '`{"event":"status","node","up"}`', 'the number of peers that its monitor shows changed; null when it does not answer'],
    ['', '`{"event":"complete","afterMs"}`', 'every node has every other one up, for the first time'],
    ['', '`{"event":"exited","node","code","signal","command"}`', 'a process ended by itself or was killed; it is not restarted'],
    ['', '`{"event":"stopped"}`', 'last line of a clean stop'],
    [
      '`probe`',
      '`{"event":"probe","nodeId","endpoint","compatible","reason"?,"networkLearned","handshakeMs","roundTripMs","nodeInfo"}`',
      'the handshake is done; \`roundTripMs\` is null when the peer answered no ping',
    ],
    [
      '`peers`',
      '`{"event":"peer","id","state","class","score","addresses":[…],"channels":[…], …}`',
      'a line a peer, in the order of their ids',
    ],
    [
      '`peers add`',
      '`{"event":"added","address","added","isRunning"}`',
      'durable; `added` is false when the address was known, `isRunning` is false when no node runs',
    ],
    ['`peers remove`', '`{"event":"removed","id","isRunning"}`', 'disconnected, and forgotten for good'],
    ['`peers ban`', '`{"event":"banned","id","forMs","reason","isRunning"}`', 'durable'],
    ['`peers dial`', '`{"event":"dialed","id","isRunning"}`', 'the peer is up'],
    ['`peers disconnect`', '`{"event":"disconnected","id","reason","isRunning"}`', 'the peer is down'],
    ['`peers explain`', '`{"event":"explain","id","sentence","facts":{…},"isRunning"}`', ''],
    ['any', '`{"event":"error","code","message","exit"}` on standard error', 'the command failed'],
  ],
)}

## Signals

SIGINT, SIGTERM and SIGHUP stop a node cleanly: reactors, then channels flushed, then connections, then the store, in at most \`stop.totalMs\` (5 s). A
second signal ends the process at once. A reader of standard output that went away is ignored.

## Exit codes

${markdownTable(
  ['code', 'meaning'],
  Object.entries(exitCodes).map(([name, code]) => [String(code), meaning[name as keyof typeof exitCodes]]),
)}

${help.map(([name, text]) => `## ${name}\n\n\`\`\`text\n${text.trimEnd()}\n\`\`\``).join('\n\n')}
`;

test('docs/cli.md shows the help of every command as it is printed', () => {
  const peers = ['add', 'remove', 'ban', 'dial', 'disconnect', 'explain'].map((name) => `troupe peers ${name}`);
  expect(help.map(([name]) => name)).toEqual([
    'troupe',
    'troupe init',
    'troupe start',
    'troupe testnet',
    'troupe id',
    'troupe probe',
    'troupe peers',
    ...peers,
  ]);
  expectPage('docs/cli.md', page());
});
