import { beforeEach, describe, expect, test } from '@jest/globals';
import type { Peers, PeerView } from '../../index.ts';
import type { NodeId } from '../../proto/identity.ts';
import { EventLog, formatEvent } from '../../testing/event-log.ts';
import type { SimulatedNode } from '../../testing/simulated-node.ts';
import { Witness } from '../../testing/witness.ts';

const id = (index: number): NodeId => String(index).padStart(40, '0') as NodeId;
let log: EventLog;
let witness: Witness;
beforeEach(() => {
  log = new EventLog(100);
  witness = new Witness({ log, now: () => 5, indexOf: (each) => (Number(each) < 10 ? Number(each) : each) });
});
const lines = (): string[] => log.events.map((event) => formatEvent(event).replace('5.000 ', ''));

describe('a witness', () => {
  test('writes down what happens, each in its own words', () => {
    const [from, to, at, remote] = [id(1), id(2), id(1), id(2)];
    witness.network({ type: 'dial', from, to });
    witness.network({ type: 'dialFailed', from, to, code: 'ERR_DIAL_FAILED' });
    witness.network({ type: 'greeted', at, remote, direction: 'inbound' });
    witness.network({ type: 'ended', at, remote, direction: 'inbound', greeted: true });
    witness.network({ type: 'ended', at, remote, direction: 'inbound', greeted: true, code: 'ERR_CONNECTION_RESET' });
    witness.network({ type: 'delivered', from, to, channelId: 7, bytes: Uint8Array.of(1, 2) });
    witness.network({ type: 'lost', from: id(77), to, channelId: 7, bytes: Uint8Array.of() });
    witness.update(3, { id: id(2), status: 'up', channels: [0, 96] });
    witness.update(3, { id: id(2), status: 'down', channels: [], reason: 'silent' });
    witness.counted(4, { what: 'drop', reason: 'peerDown', place: { channelId: 96, peer: id(2) } });
    witness.counted(4, { what: 'restart', reason: 'pex' });
    expect(lines()).toEqual([
      'dial 1 2',
      'dialFailed 1 2 ERR_DIAL_FAILED',
      'greeted 1 2 inbound',
      'ended 1 2 inbound by itself',
      'ended 1 2 inbound ERR_CONNECTION_RESET',
      `delivered 2 1 7 2 ${digest(1, 2)}`,
      `lost 2 ${id(77)} 7 0 811c9dc5`,
      'up 3 2 0,96',
      'down 3 2 silent',
      'drop 4 2 96 peerDown',
      'restart 4 - pex',
    ]);
  });

  test('counts the dials of each node from the call to the end of the handshake, whichever way that goes', () => {
    const [from, to] = [id(1), id(2)];
    for (let count = 0; count < 3; count++) witness.network({ type: 'dial', from, to });
    witness.network({ type: 'connected', from, to });
    expect(witness.mostDials(1)).toBe(3);
    witness.network({ type: 'dialFailed', from, to, code: 'ERR_DIAL_FAILED' });
    witness.network({ type: 'greeted', at: from, remote: to, direction: 'outbound' });
    witness.network({ type: 'greeted', at: from, remote: to, direction: 'inbound' });
    for (let count = 0; count < 2; count++) witness.network({ type: 'dial', from, to });
    expect(witness.mostDials(1)).toBe(3);
    witness.network({ type: 'dial', from, to });
    expect([witness.mostDials(1), witness.mostDials(2), witness.mostDials()]).toEqual([4, 0, 4]);
    witness.forget(1);
    for (let count = 0; count < 4; count++) witness.network({ type: 'dial', from, to });
    expect(witness.mostDials()).toBe(4);
  });

  test('knows how many connections join two nodes', () => {
    const greeted = { at: id(1), remote: id(2), direction: 'outbound' } as const;
    witness.network({ type: 'greeted', ...greeted });
    witness.network({ type: 'greeted', at: id(2), remote: id(1), direction: 'inbound' });
    witness.network({ type: 'greeted', at: id(2), remote: id(1), direction: 'outbound' });
    expect([...witness.links().values()]).toEqual([2]);
    witness.network({ type: 'ended', ...greeted, greeted: true });
    witness.network({ type: 'ended', ...greeted, greeted: false });
    expect([...witness.links().values()]).toEqual([1]);
  });
});

describe('a violation', () => {
  const peer = (over: Partial<PeerView>): PeerView => ({
    id: id(9),
    state: 'up',
    class: 'ordinary',
    score: 0,
    addresses: [],
    channels: [],
    ...over,
  });
  const nodeWith = (...peers: PeerView[]): SimulatedNode =>
    ({
      index: 1,
      id: id(1),
      isRunning: true,
      limits: { inbound: 1, outbound: 2, upgrade: 1, known: 3 },
      node: { peers: peersOf(peers) },
    }) as unknown as SimulatedNode;
  const peersOf = (peers: readonly PeerView[]): Pick<Peers, 'live' | 'counts' | 'list'> => ({
    live: () => peers.filter(({ direction, state }) => direction || state === 'dialing'),
    counts: () => ({ known: peers.length, dialing: 0, connected: 0, up: 0, banned: 0 }),
    list: ({ after = '', limit = Infinity } = {}) => peers.filter((each) => each.id > after).slice(0, limit),
  });
  const inbound = peer({ direction: 'inbound' });
  const outbound = peer({ direction: 'outbound' });
  const dialing = peer({ state: 'dialing' });
  const known = peer({ state: 'known' });

  test.each([
    ['nothing', [inbound, outbound, dialing, known], undefined],
    [
      'inbound peers above their slots and those for upgrades',
      [inbound, inbound, inbound],
      'has 3 inbound and 0 outbound peers, 2 beyond its slots',
    ],
    ['nothing while one is exchanged', [inbound, inbound, outbound, outbound], undefined],
    [
      'one too many in each direction',
      [inbound, inbound, outbound, outbound, outbound],
      'has 2 inbound and 3 outbound peers, 2 beyond its slots',
    ],
    [
      'outbound peers above theirs, those being dialed included',
      [outbound, outbound, dialing, dialing],
      'has 0 inbound and 4 outbound peers, 2 beyond its slots',
    ],
    ['more known than may be', [known, known, known, known], 'knows 4 peers of 3'],
    ['itself', [peer({ id: id(0) }), peer({ id: id(1), state: 'known' }), known], 'knows itself as a peer'],
    ['no inbound peer that the operator named', [inbound, peer({ direction: 'inbound', class: 'persistent' })], undefined],
  ])('is %s', (_, peers, problem) => {
    expect(witness.violations([nodeWith(...peers)])).toEqual(problem === undefined ? [] : [`at 5 ms: node 1 ${problem}`]);
  });

  test('is kept, a hundred of them at most', () => {
    for (let count = 0; count < 150; count++) witness.violated(`no ${count}`);
    expect(witness.violations([])).toHaveLength(100);
  });
});

function digest(...values: number[]): string {
  let hash = 0x811c9dc5n;
  for (const value of values) hash = ((hash ^ BigInt(value)) * 0x01000193n) & 0xffffffffn;
  return hash.toString(16).padStart(8, '0');
}
