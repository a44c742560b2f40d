/** The table of commands: their options, printed from the schema, and the help that goes with them. */
import { Command, CommanderError, Option } from 'commander';
import { version } from '../actors/version.ts';
import { TroupeError } from '../proto/errors.ts';
import { optionNames, range, type OptionName } from '../proto/option-names.ts';
import type { Call } from './call.ts';
import { homeOf, settingsFromEnv, settingsFromFlags } from './config.ts';
import { id, init } from './home.ts';
import { exitCodes, outputOf, type ExitCode } from './output.ts';
import { probe } from './probe.ts';
import type { Shell } from './shell.ts';
import { start } from './start.ts';
import { decidedByTestnet } from './testnet-home.ts';
import { testnet } from './testnet.ts';

type CommandRow = Readonly<{
  name: string;
  summary: string;
  run: (call: Call) => Promise<ExitCode> | ExitCode;
  operand?: readonly [name: string, description: string];
  /** Which options of the schema it takes. */
  takes: (option: OptionName) => boolean;
  extra?: readonly (readonly [flag: string, description: string])[];
}>;

const all = (): boolean => true;
const none = (): boolean => false;

const rows: readonly CommandRow[] = [
  { name: 'init', summary: 'make a home: a node key and a config.toml that holds the options given here', run: init, takes: all },
  { name: 'start', summary: 'run a node until it is told to stop', run: start, takes: all },
  {
    name: 'testnet',
    summary: 'run several nodes on loopback, each a process of its own, that find each other from one address',
    run: testnet,
    operand: ['[n]', 'number of nodes, from 2 to 64 (default: 4)'],
    takes: (option) => !decidedByTestnet(option),
  },
  { name: 'id', summary: 'print the node id of a home', run: id, takes: none },
  {
    name: 'probe',
    summary: 'shake hands with any peer and print who it is and whether we would be compatible',
    run: probe,
    operand: ['<address>', 'mconn://id@host:port, or host:port to take whoever answers there'],
    takes: ({ path }) =>
      path.length === 1
        ? ['network', 'moniker', 'aead', 'blockVersion', 'p2pVersion', 'appVersion'].includes(path[0] ?? '')
        : path[0] === 'handshake' || path[0] === 'dialer',
    extra: [['--channels <ids>', 'channels we list, comma separated (default: "0x00,0x77", those of start)']],
  },
];

/** Builds the commands; `act` is called with the one that was asked for. */
function build(shell: Shell, act: (row: CommandRow, call: Call) => Promise<void>): Command {
  const program = configured(new Command('troupe'), shell)
    .description("Tendermint's peer-to-peer stack as supervised actors.")
    .version(version, '--version', 'print the version')
    .helpOption('--help', 'print this help')
    .helpCommand(false);
  for (const row of rows) {
    const command = configured(program.command(row.name), shell).description(row.summary).helpOption('--help', 'print this help');
    if (row.operand) command.argument(...row.operand);
    command.addOption(new Option('--home <dir>', 'folder of the node: key, configuration, peers (default: ~/.troupe)'));
    for (const [flag, description] of row.extra ?? []) command.addOption(new Option(flag, description));
    for (const option of optionNames().filter(row.takes)) command.addOption(flagOf(option));
    command.action(() => act(row, callOf(shell, command)));
  }
  return program;
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
  const given = command.opts<Record<string, string | true>>();
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
  return new Map([
    ['troupe', program.helpInformation()],
    ...program.commands.map((command) => [`troupe ${command.name()}`, command.helpInformation()] as const),
  ]);
}
