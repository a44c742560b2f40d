import { describe, expect, test } from '@jest/globals';
import { blankRow } from '../../machines/peer-row.ts';
import { Disk } from '../../testing/disk.ts';
import { keyOf } from '../support/transport-bench.ts';

const row = (name: string) => blankRow(keyOf(name).id);
const ids = (rows: readonly { id: string }[]): string[] => rows.map(({ id }) => id);

describe('a disk', () => {
  test('keeps what a process wrote for the next one', async () => {
    const disk = new Disk();
    const first = disk.mount();
    first.open();
    await first.put(row('a'));
    await first.put(row('b'));
    await first.delete(row('a').id);
    await first.flush();
    disk.unmount();
    expect(ids(disk.mount().load())).toEqual([row('b').id]);
    expect(disk.size).toBe(1);
  });

  test('takes nothing more from a process that is gone, which does not notice', async () => {
    const disk = new Disk();
    const gone = disk.mount();
    await gone.put(row('a'));
    disk.unmount();
    await gone.put(row('b'));
    const next = disk.mount();
    await gone.put(row('c'));
    await gone.delete(row('a').id);
    await gone.close();
    expect(ids(next.load())).toEqual([row('a').id]);
    await next.put(row('d'));
    expect(disk.size).toBe(2);
  });
});
