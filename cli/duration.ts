/** Spans of time as an operator writes them, and as he reads them. */
import { TroupeError } from '../proto/errors.ts';

const units = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
type Unit = keyof typeof units;

/** Milliseconds in `90s`, `10m`, `1h` or `7d`; `name` says in errors what was wrong. @throws TroupeError `ERR_OPTION_INVALID`. */
export function parseDuration(text: string, name: string): number {
  const [, digits, unit] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  if (digits === undefined || Number(digits) === 0) {
    throw new TroupeError(
      'ERR_OPTION_INVALID',
      `${name}: a whole number with its unit, such as 90s, 10m, 1h or 7d, not ${JSON.stringify(text.slice(0, 20))}`,
    );
  }
  return Number(digits) * units[unit as Unit];
}

/** The span in the largest unit that leaves two digits to read: `45s`, `12m`, `30h`, `9d`. */
export function formatDuration(ms: number): string {
  const unit = (['d', 'h', 'm'] as const).find((each) => ms >= 2 * units[each]) ?? 's';
  return `${Math.floor(ms / units[unit])}${unit}`;
}
