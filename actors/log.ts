/** A node's log: pino, with a bound on how much one kind of event can write and nothing in a line that a terminal would obey. */
import pino, { type Logger } from 'pino';
import type { Clock } from '../transports/clock.ts';

/** Lines of one kind (one text) a second; what is above is counted and stated on the next line of its kind. */
const linesPerSecond = 10;
/** Kinds told apart; any further ones share the last bucket. Texts are ours and constant, so a healthy program stays far below. */
const maxKinds = 1_024;

type Kind = { since: number; lines: number; suppressed: number };

export type LogOptions = Readonly<{
  level: string;
  clock: Clock;
  /** Where lines go: standard error by default. */
  destination?: Readonly<{ write(line: string): unknown }>;
}>;

/** Makes the root logger of a node; actors take children of it. */
export function nodeLog({ level, clock, destination = process.stderr }: LogOptions): Logger {
  const kinds = new Map<string, Kind>();
  const kindOf = (text: string): Kind => {
    const name = kinds.has(text) || kinds.size < maxKinds ? text : '';
    let kind = kinds.get(name);
    if (!kind) kinds.set(name, (kind = { since: clock.now(), lines: 0, suppressed: 0 }));
    return kind;
  };
  return pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":${Math.round(clock.wallNow())}`,
      hooks: {
        logMethod(args, method) {
          const kind = kindOf(textOf(args));
          if (clock.now() - kind.since >= 1_000) Object.assign(kind, { since: clock.now(), lines: 0 });
          if (kind.lines >= linesPerSecond) {
            kind.suppressed++;
            return;
          }
          kind.lines++;
          const line = kind.suppressed > 0 ? withSuppressed(args, kind.suppressed) : args;
          kind.suppressed = 0;
          method.apply(this, line as Parameters<typeof method>);
        },
      },
    },
    { write: (line) => void destination.write(visible(line)) },
  );
}

/** The text of a call: its message, which names its kind. */
function textOf(args: readonly unknown[]): string {
  const text = typeof args[0] === 'string' ? args[0] : args[1];
  return typeof text === 'string' ? text : '';
}

function withSuppressed(args: readonly unknown[], suppressed: number): readonly unknown[] {
  const [first, ...rest] = args;
  if (typeof first === 'string') return [{ suppressed }, ...args];
  return [first instanceof Error ? { err: first, suppressed } : { ...(first as object), suppressed }, ...rest];
}

/** Text with every character escaped that a terminal could obey or that hides others: DEL, C1 controls, line separators, direction marks. JSON stays the same JSON. */
export function visible(text: string): string {
  return text.replace(
    /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
    (mark) => `\\u${mark.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
