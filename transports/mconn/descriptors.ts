/** How many files this process may have open, as the system says. */
import { readFileSync } from 'node:fs';

/** The limit; undefined where the system does not tell, or has none. */
export function descriptorLimit(read: () => string = () => readFileSync('/proc/self/limits', 'utf8')): number | undefined {
  try {
    const soft = /^Max open files\s+(\d+)/m.exec(read())?.[1];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}
