import { expect, test } from '@jest/globals';
import type { PeerView } from '../../actors/peer-manager.ts';
import { factLines, peersTable } from '../../cli/peers-text.ts';
import { idOf } from '../support/manager.ts';

const view = (digit: string, facts: Partial<PeerView> = {}): PeerView => ({
  id: idOf(digit),
  state: 'known',
  class: 'ordinary',
  score: 0,
  addresses: [],
  channels: [],
  ...facts,
});

test('peers stand under each other, those that are connected first, with a count of each state', () => {
  const [a, b, c] = [idOf('a'), idOf('b'), idOf('c')];
  const lines = peersTable([
    view('a', { addresses: [`mconn://${a}@1.2.3.4:26656`, `mconn://${a}@1.2.3.5:1`], lastReason: 'ERR_DIAL_TIMEOUT' }),
    view('b', { state: 'up', class: 'persistent', score: 12, direction: 'inbound', remoteAddress: '9.8.7.6', connectedForMs: 7_200_000 }),
    view('c', { state: 'banned', score: -50, addresses: [`mconn://${c}@example.com:1`] }),
  ]);
  expect(lines.map((line) => line.replace(/[abc]{40}/, ([digit = '']) => digit.padEnd(40)))).toEqual([
    'ID                                        STATE   FOR  DIRECTION  CLASS       SCORE  ADDRESS           LAST REASON',
    'b                                         up      2h   inbound    persistent  12     9.8.7.6           -',
    'c                                         banned  -    -          ordinary    -50    example.com:1     -',
    'a                                         known   -    -          ordinary    0      1.2.3.4:26656 +1  ERR_DIAL_TIMEOUT',
    '1 up, 1 banned, 1 known',
  ]);
  expect(lines[1]).toContain(b);
});

test('without any peer there is a sentence', () => {
  expect(peersTable([])).toEqual(['no peers are known']);
});

test('facts are one a line: times as dates, lists item by item', () => {
  expect(
    factLines({
      state: 'known',
      bannedUntil: 0,
      now: 1_700_000_000_000,
      lastConnected: 1e300,
      lastReason: '',
      reports: [],
      addresses: [
        { address: 'x', lastFailure: 1_700_000_000_000, failures: 2 },
        { address: 'y', lastFailure: 0, failures: 0 },
      ],
      outbound: { used: 1, slots: 12 },
    }),
  ).toEqual([
    '  state          known',
    '  bannedUntil    never',
    '  now            2023-11-14T22:13:20.000Z',
    '  lastConnected  1e+300',
    '  lastReason     -',
    '  reports        none',
    '  addresses      address x, lastFailure 2023-11-14T22:13:20.000Z, failures 2',
    '                 address y, lastFailure never, failures 0',
    '  outbound       used 1, slots 12',
  ]);
});
