import { test } from '@jest/globals';
import { configText } from '../../cli/config.ts';
import { optionNames, type OptionName } from '../../proto/option-names.ts';
import { expectPage, markdownTable } from '../support/page.ts';

const groups = [...new Set(optionNames().map(({ table }) => table))];

const value = (given: unknown): string => `\`${JSON.stringify(given)}\``;
const limits = ({ kind, least, most, choices }: OptionName): string =>
  kind === 'choice' ? (choices ?? []).join(', ') : least === undefined ? kind : `${kind}, ${least} to ${most ?? 'any'}`;

const section = (table: string): string => {
  const options = optionNames().filter((option) => option.table === table);
  const rows = options.map((option) => [`\`${option.path.join('.')}\``, limits(option), value(option.default), option.description]);
  return `## ${table === '' ? 'Node' : `\`${table}\``}\n\n${markdownTable(['option', 'value', 'default', 'what it is'], rows)}`;
};

const page = () => `# Configuration

Printed from \`proto/options.ts\` by \`npm run docs\`; a spec compares the two.

Every option has one name, written as each place writes names:

${markdownTable(
  ['place', 'rule', 'example'],
  [
    ['code', 'camelCase, groups are objects', '`createNode({ slots: { inbound: 20 } })`'],
    ['flag', 'kebab-case, group first', '`--slots-inbound 20`'],
    ['environment', '`TROUPE_` and upper snake case', '`TROUPE_SLOTS_INBOUND=20`'],
    ['`config.toml` in the home', 'snake_case, groups are tables', '`[slots]`, below it `inbound = 20`'],
  ],
)}

Flags win over the environment, the environment over the file, the file over the defaults. Lists are separated by commas in flags and in the environment.
A name that is no option, or a value outside its limits, ends a command with exit code 2 and \`ERR_OPTION_INVALID\`. No limit can be switched off by 0.
\`TROUPE_HOME\` is the environment's name for \`--home\`; \`TROUPE_SCALE\` belongs to test suites and is left alone.

${groups.map(section).join('\n\n')}

## A configuration file

What \`troupe init\` writes:

\`\`\`toml
${configText()}\`\`\`
`;

test('docs/configuration.md lists every option as the schema has it', () => {
  expectPage('docs/configuration.md', page());
});
