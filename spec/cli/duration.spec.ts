import { expect, test } from '@jest/globals';
import { formatDuration, parseDuration } from '../../cli/duration.ts';

test.each([
  ['1s', 1_000],
  ['90s', 90_000],
  ['10m', 600_000],
  ['1h', 3_600_000],
  ['7d', 604_800_000],
  ['365d', 31_536_000_000],
])('%s is %d ms', (text, ms) => {
  expect(parseDuration(text, '--for')).toBe(ms);
});

test.each(['', '0s', '1', 's', '1.5h', '-1h', '1h30m', '1 h', '1H', '1w', '1ms', '1e3s', '9999999999s', '١h'])('%j is no span', (text) => {
  expect(() => parseDuration(text, '--for')).toThrow(
    expect.objectContaining({ code: 'ERR_OPTION_INVALID', message: expect.stringContaining('--for') }),
  );
});

test.each([
  [0, '0s'],
  [1_999, '1s'],
  [119_999, '119s'],
  [120_000, '2m'],
  [7_199_999, '119m'],
  [7_200_000, '2h'],
  [172_800_000, '2d'],
])('%d ms read %s', (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});
