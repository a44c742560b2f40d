/** The table of commands: their options, printed from the schema, and the help that goes with them. */
import { Command, CommanderError, Option } from 'commander';
import { version } from '../actors/version.ts';
import { TroupeError } from '../proto/errors.ts';
import { optionNames, range, type OptionName } from '../proto/option-names.ts';
import type { Call } from './call.ts';
import { homeOf, settingsFromEnv, settingsFromFlags } from './config.ts';
import { id, init } from './home.ts';
import { exitCodes, outputOf, type ExitCode } from './output.ts';
import { addPeer, banPeer, dialPeer, disconnectPeer, explainPeer, listPeers, removePeer } from './peers.ts';
import { probe } from './probe.ts';
import type { Shell } from './shell.ts';
import { start } from './start.ts';
import { decidedByTestnet } from './testnet-home.ts';
import { testnet } from './testnet.ts';

type CommandRow = Readonly<{
  name: string;
  summary: string;
  run: (call: Call) => Promise<ExitCode> | ExitCode;
  operands?: readonly (readonly [name: string, description: string])[];
  /** Which options of the schema it takes. */
  takes: (option: OptionName) => boolean;
  extra?: readonly (readonly [flag: string, description: string])[];
  /** Commands below this one. */
  commands?: readonly CommandRow[];
}>;

const all = (): boolean => true;
const none = (): boolean => false;

const peerId = ['<id>', 'id of the peer: 40 lower-case hex characters'] as const;

const peersRow: CommandRow = {
  name: 'peers',
  summary: 'list the peers that a home knows, by its running node if there is one; the commands below act on them',
  run: listPeers,
  takes: none,
  commands: [
    {
      name: 'add',
      summary: 'add an address',
      run: addPeer,
      takes: none,
      operands: [['<address>', 'mconn://id@host:port']],
    },
    {
      name: 'remove',
      summary: 'disconnect a peer and forget it',
      run: removePeer,
      takes: none,
      operands: [peerId],
    },
    {
      name: 'ban',
      summary: 'disconnect a peer and refuse it for a time',
      run: banPeer,
      takes: none,
      operands: [peerId],
      extra: [
        ['--for <time>', 'how long, such as 90s, 10m, 1h or 7d; at most 365d'],
        ['--reason <text>', 'why, for those who ask later'],
      ],
    },
    {
      name: 'dial',
      summary: 'have the running node dial a peer now, and wait until it is up or the dial has failed',
      run: dialPeer,
      takes: none,
      operands: [peerId],
    },
    {
      name: 'disconnect',
      summary: 'have the running node disconnect a peer; a persistent one is left alone until it is dialed or the node restarts',
      run: disconnectPeer,
      takes: none,
      operands: [peerId, ['[reason]', 'why, for those who ask later']],
    },
    {
      name: 'explain',
      summary: 'say in one sentence why a peer is, or is not, connected, with the facts behind it',
      run: explainPeer,
      takes: none,
      operands: [peerId],
    },
  ],
};

const rows: readonly CommandRow[] = [
  { name: 'init', summary: 'make a home: a node key and a config.toml that holds the options given here', run: init, takes: all },
  { name: 'start', summary: 'run a node until it is told to stop', run: start, takes: all },
  {
    name: 'testnet',
    summary: 'run several nodes on loopback, each a process of its own, that find each other from one address',
    run: testnet,
    operands: [['[n]', 'number of nodes, from 2 to 64 (default: 4)']],
    takes: (option) => !decidedByTestnet(option),
  },
  { name: 'id', summary: 'print the node id of a home', run: id, takes: none },
  {
    name: 'probe',
    summary: 'shake hands with any peer and print who it is and whether we would be compatible',
    run: probe,
    operands: [['<address>', 'mconn://id@host:port, or host:port to take whoever answers there']],
    takes: ({ path }) =>
      path.length === 1
        ? ['network', 'moniker', 'aead', 'blockVersion', 'p2pVersion', 'appVersion'].includes(path[0] ?? '')
        : path[0] === 'handshake' || path[0] === 'dialer',
    extra: [['--channels <ids>', 'channels we list, comma separated (default: "0x00,0x77", those of start)']],
  },
  peersRow,
];

/** Builds the commands; `act` is called with the one that was asked for. */
function build(shell: Shell, act: (row: CommandRow, call: Call) => Promise<void>): Command {
  const program = configured(new Command('troupe'), shell)
    .description("Tendermint's peer-to-peer stack as supervised actors.")
    .version(version, '--version', 'print the version')
    .helpOption('--help', 'print this help')
    .helpCommand(false);
  addCommands(program, rows, shell, act);
  return program;
}

function addCommands(
  parent: Command,
  rows: readonly CommandRow[],
  shell: Shell,
  act: (row: CommandRow, call: Call) => Promise<void>,
): void {
  for (const row of rows) {
    const command = configured(parent.command(row.name), shell)
      .description(row.summary)
      .helpOption('--help', 'print this help')
      .helpCommand(false);
    for (const operand of row.operands ?? []) command.argument(...operand);
    command.addOption(new Option('--home <dir>', 'folder of the node: key, configuration, peers (default: ~/.troupe)'));
    for (const [flag, description] of row.extra ?? []) command.addOption(new Option(flag, description));
    for (const option of optionNames().filter(row.takes)) command.addOption(flagOf(option));
    command.action(() => act(row, callOf(shell, command)));
    addCommands(command, row.commands ?? [], shell, act);
  }
}

function configured(command: Command, shell: Shell): Command {
  const width = (): number => Math.min(shell.columns, 120);
  return command
    .exitOverride()
    .allowExcessArguments(false)
    .configureOutput({
      writeOut: (text) => void shell.stdout.write(text),
      writeErr: () => undefined,
      getOutHelpWidth: width,
      getErrHelpWidth: width,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
}

function flagOf(option: OptionName): Option {
  const group = option.path.length > 1 ? `${option.table.replaceAll('_', ' ')}:` : 'node:';
  const value = { integer: '<number>', number: '<number>', text: '<text>', list: '<a,b>', choice: '<word>', flag: '[true|false]' }[
    option.kind
  ];
  return new Option(`${option.flag} ${value}`, describe(option)).helpGroup(`${group[0]?.toUpperCase()}${group.slice(1)}`);
}

function describe(option: OptionName): string {
  const limits =
    option.kind === 'choice' ? `one of ${(option.choices ?? []).join(', ')}; ` : option.least === undefined ? '' : `${range(option)}; `;
  const fallback = Array.isArray(option.default) ? option.default.join(',') : option.default;
  return `${option.description} (${limits}default: ${fallback === '' ? 'none' : String(fallback)})`;
}

function callOf(shell: Shell, command: Command): Call {
  // A flag of a command may stand before the name of one below it.
  const given = command.optsWithGlobals<Record<string, string | true>>();
  const texts: Record<string, string> = {};
  const extra: Record<string, string> = {};
  for (const option of command.options) {
    const value = given[option.attributeName()];
    if (value === undefined) continue;
    const named = optionNames().find(({ flag }) => flag === option.long);
    if (named) texts[named.path.join('.')] = value === true ? 'true' : value;
    else extra[option.attributeName()] = String(value);
  }
  return {
    shell,
    output: outputOf(shell),
    home: homeOf(extra['home'], shell.env),
    homeGiven: (extra['home'] ?? shell.env['TROUPE_HOME']) !== undefined,
    flags: settingsFromFlags(texts),
    env: settingsFromEnv(shell.env),
    operands: command.args,
    extra,
  };
}

/** Runs one command line. @throws TroupeError for what went wrong; `ERR_OPTION_INVALID` for a command line that makes no sense. */
export async function run(argv: readonly string[], shell: Shell): Promise<ExitCode> {
  let exit: ExitCode = exitCodes.success;
  const program = build(shell, async (row, call) => {
    exit = await row.run(call);
  });
  try {
    if (argv.length === 0) throw new TroupeError('ERR_OPTION_INVALID', 'a command is missing; troupe --help lists them');
    await program.parseAsync(argv, { from: 'user' });
    return exit;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return exitCodes.success;
    throw new TroupeError('ERR_OPTION_INVALID', error.message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' '), { cause: error });
  }
}

/** The help of the program and of each command, as `--help` prints it. */
export function helpPages(shell: Shell): ReadonlyMap<string, string> {
  const program = build(shell, () => Promise.resolve());
  return new Map(helpOf(program, ''));
}

function* helpOf(command: Command, above: string): Generator<readonly [string, string]> {
  const name = `${above}${command.name()}`;
  yield [name, command.helpInformation()];
  for (const below of command.commands) yield* helpOf(below, `${name} `);
}
