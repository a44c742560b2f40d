/** What a command is given when it runs: where it runs, where it speaks, and what was set for it. */
import type { Settings } from './config.ts';
import type { Output } from './output.ts';
import type { Shell } from './shell.ts';

export type Call = Readonly<{
  shell: Shell;
  output: Output;
  /** Folder of the node, absolute. */
  home: string;
  /** The home was named by a flag or the environment, not taken by default. */
  homeGiven: boolean;
  flags: Settings;
  env: Settings;
  /** Operands, in order. */
  operands: readonly string[];
  /** Flags that belong to one command alone, by their names in camelCase. */
  extra: Readonly<Record<string, string | undefined>>;
}>;
