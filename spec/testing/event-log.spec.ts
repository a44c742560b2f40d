import { createHash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { EventLog, formatEvent } from '../../testing/event-log.ts';

const dial = (atMs: number) => ({ atMs, type: 'dial', node: 1, peer: 2 });

describe('an event log', () => {
  test('hashes one line for each event, however many there are and whenever it is asked', () => {
    const log = new EventLog(10);
    const empty = log.hash;
    const lines: string[] = [];
    for (let atMs = 0; atMs < 1_500; atMs++) {
      log.add(dial(atMs));
      lines.push(`${formatEvent(dial(atMs))}\n`);
      if (atMs % 7 === 0) expect(log.hash).toHaveLength(64);
    }
    expect(empty).toBe(createHash('sha256').digest('hex'));
    expect(log.hash).toBe(createHash('sha256').update(lines.join('')).digest('hex'));
  });

  test('keeps the latest, and counts all', () => {
    const log = new EventLog(3);
    for (let atMs = 0; atMs < 20; atMs++) log.add(dial(atMs));
    log.add({ atMs: 20, type: 'heal' });
    expect(log.events.map(({ atMs }) => atMs)).toEqual([18, 19, 20]);
    expect([log.count, log.countOf('dial'), log.countOf('heal'), log.countOf('up')]).toEqual([21, 20, 1, 0]);
  });

  test.each([
    [{ atMs: 0, type: 'heal' }, '0.000 heal - -'],
    [{ atMs: 1_234.56789, type: 'down', node: 0, peer: 12, detail: 'silent' }, '1234.568 down 0 12 silent'],
    [{ atMs: 5, type: 'up', node: 3, peer: 'ab'.repeat(20), detail: '' }, `5.000 up 3 ${'ab'.repeat(20)}`],
  ])('writes %j as a line', (event, line) => {
    expect(formatEvent(event)).toBe(line);
  });
});
