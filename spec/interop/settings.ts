/** What a run of the interop suite was asked to do: its flags, its release lines, its folders. */
import { join } from 'node:path';
import { parseArgs } from 'node:util';

/** The release lines, as the folders of `peers` call them. */
export const lines = ['tm034', 'tm035', 'cmt038', 'cmt040', 'cmt1'] as const;
export type Line = (typeof lines)[number];

const here = import.meta.dirname;

/** Script that builds the Go programs; it builds nothing that is up to date. */
export const buildScript = join(here, 'peers', 'build.sh');
/** Where the programs are: `<line>/peer`, `<line>/node`, `full/full`. */
export const cache = process.env.TROUPE_INTEROP_CACHE ?? join(here, '.build');
/** Least Go release that builds every line. */
export const leastGo = [1, 25] as const;

export type Settings = Readonly<{
  lines: readonly Line[];
  /** Only cases whose name contains it. */
  filter: string;
  /** Where Go is missing, end well instead of failing. */
  skipWithoutGo: boolean;
  /** Less of what takes long. */
  ci: boolean;
  /** Where chance comes from; printed by the cases that use it. */
  seed: number;
  /** How long full nodes must keep us. */
  stayMs: number;
  /** Multiplies repeats; 1 unless `TROUPE_SCALE` says otherwise. */
  scale: number;
}>;

export const usage = `npm run interop -- [options]

  --ci               full nodes keep us for 130 s instead of 3 minutes; nothing is skipped
  --line <name>      one release line of ${lines.join(', ')}; may be repeated
  --case <text>      only cases whose name contains the text
  --skip-without-go  end with 0 where Go ${leastGo.join('.')} or later is missing
  --help

TROUPE_SCALE scales repeats. TROUPE_INTEROP_CACHE is the folder of the Go programs.
`;

/** Reads the command line. Throws on what it does not know. */
export function parseSettings(argv: readonly string[]): Settings | 'help' {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      ci: { type: 'boolean', default: false },
      line: { type: 'string', multiple: true, default: [] },
      case: { type: 'string', default: '' },
      'skip-without-go': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return 'help';
  if (values.ci && values['skip-without-go']) throw new Error('--ci never skips: leave --skip-without-go out');
  const scale = Number(process.env.TROUPE_SCALE ?? 1);
  if (!(scale > 0)) throw new Error('TROUPE_SCALE must be a positive number');
  const seed = Number(process.env.TROUPE_SEED ?? 118);
  if (!Number.isSafeInteger(seed)) throw new Error('TROUPE_SEED must be a whole number');
  const chosen = values.line.map((name) => {
    const line = lines.find((each) => each === name);
    if (!line) throw new Error(`unknown line ${name}: one of ${lines.join(', ')}`);
    return line;
  });
  return {
    lines: chosen.length > 0 ? [...new Set(chosen)] : lines,
    filter: values.case.toLowerCase(),
    skipWithoutGo: values['skip-without-go'],
    ci: values.ci,
    seed,
    stayMs: values.ci ? 130_000 : 180_000,
    scale,
  };
}
