import { beforeEach, describe, expect, test } from '@jest/globals';
import { nodeLog, visible } from '../../actors/log.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

let clock: VirtualClock;
let lines: string[];
const parsed = (from = 0): unknown[] => lines.slice(from).map((line) => JSON.parse(line) as unknown);
const log = (level = 'info') => nodeLog({ level, clock, destination: { write: (line) => lines.push(line) } });
beforeEach(() => {
  clock = new VirtualClock(5_000);
  lines = [];
});

test('a line is one JSON object with level, time of the clock and text', () => {
  clock.advance(7);
  log().child({ actor: 'router' }).warn({ id: 1 }, 'closed');
  expect(parsed()).toEqual([{ level: 40, time: 5_007, actor: 'router', id: 1, msg: 'closed' }]);
  expect(lines[0]?.endsWith('\n')).toBe(true);
});

describe('a flood of one kind of event', () => {
  test('writes ten lines a second, whatever differs in its fields, and states how many it kept back', () => {
    const child = log().child({ actor: 'acceptor' });
    for (let i = 0; i < 10_000; i++) child.info({ remote: `10.0.0.${i}` }, 'handshake failed');
    expect(lines).toHaveLength(10);
    clock.advance(1_000);
    child.info({ remote: 'x' }, 'handshake failed');
    child.info({ remote: 'y' }, 'handshake failed');
    expect(parsed(10)).toEqual([
      expect.objectContaining({ remote: 'x', suppressed: 9_990 }),
      expect.not.objectContaining({ suppressed: expect.anything() }),
    ]);
  });

  test('does not silence another kind', () => {
    for (let i = 0; i < 100; i++) log().info('handshake failed');
    lines = [];
    log().info('peer is up');
    expect(lines).toHaveLength(1);
  });

  test('of ever new texts shares one bucket after 1,024 of them', () => {
    const flooded = log();
    for (let i = 0; i < 5_000; i++) flooded.info(`text ${i}`);
    expect(lines.length).toBe(1_024 + 10);
  });

  test('keeps errors and plain texts intact when it resumes', () => {
    const flooded = log();
    for (let i = 0; i < 12; i++) flooded.error(new Error('broken'), 'failed');
    for (let i = 0; i < 12; i++) flooded.error('plain');
    clock.advance(1_000);
    lines = [];
    flooded.error(new Error('broken'), 'failed');
    flooded.error('plain');
    expect(parsed()).toEqual([
      expect.objectContaining({ msg: 'failed', suppressed: 2, err: expect.objectContaining({ message: 'broken' }) }),
      expect.objectContaining({ msg: 'plain', suppressed: 2 }),
    ]);
  });
});

test('levels below the one asked for are not written', () => {
  log('warn').info('quiet');
  log('silent').fatal('quiet');
  expect(lines).toEqual([]);
});

test('what a remote sent cannot steer a terminal or forge a line', () => {
  log().info({ moniker: '\u001b[2J\u009b31m\n{"level":60}\u202e\u007f' }, 'peer');
  expect(lines).toHaveLength(1);
  expect(lines[0]).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ moniker: '\u001b[2J\u009b31m\n{"level":60}\u202e\u007f' });
});

test('text without such characters stays as it is', () => {
  expect(visible('Zürich 日本 🙂')).toBe('Zürich 日本 🙂');
});
