import { describe, expect, test } from '@jest/globals';
import { transition } from 'xstate';
import { formatNodeAddress } from '../../proto/address.ts';
import type { DisconnectReason } from '../../proto/errors.ts';
import { peerMachine, restingSnapshot, type PeerSnapshot } from '../../machines/peer.ts';
import { dueAt, type PeerEffects, type PeerEvent, type PeerInput } from '../../machines/peer-context.ts';
import { effectsOf, isLive, type PeerEffect } from '../../machines/peer-live.ts';
import { blankRow, type PeerRow } from '../../machines/peer-row.ts';
import { addressOf, idOf } from '../support/manager.ts';

const start = 1_700_000_000_000;
const address = formatNodeAddress(addressOf('a'));
const other = formatNodeAddress(addressOf('a', 5));
const row: PeerRow = {
  ...blankRow(idOf('a')),
  addresses: [{ address, lastSuccess: 0, lastFailure: 0, failures: 0, notBefore: 0, source: 'host' }],
};

/** One peer driven by hand, with time that moves when told to. */
class Peer {
  snapshot: PeerSnapshot;
  now = start;

  constructor(input: Partial<PeerInput> = {}) {
    this.snapshot = restingSnapshot({
      row,
      peerClass: 'ordinary',
      ownIdLower: true,
      addressLimit: 4,
      durable: true,
      held: false,
      now: start,
      retry: { minRetryMs: 250, maxRetryMs: 1_800_000, maxRetryPersistentMs: 30_000, cooldownMs: 2_000 },
      ...input,
    });
  }

  go(event: PeerEvent): readonly PeerEffect[] {
    const [next, actions] = transition(peerMachine, this.snapshot, event);
    this.snapshot = next;
    return effectsOf(actions);
  }

  later(ms: number): this {
    this.now += ms;
    return this;
  }

  dial = () => this.go({ type: 'peer.dial', address, now: this.now });
  dialFailed = (at = address) => this.go({ type: 'peer.dialFailed', address: at, code: 'ERR_DIAL_TIMEOUT', now: this.now, roll: 0.5 });
  dialed = (link: string, options: Readonly<{ ours?: boolean; room?: number; at?: string }> = {}) =>
    this.arrive('peer.dialed', link, options.at ?? address, options);
  accepted = (link: string, options: Readonly<{ ours?: boolean; room?: number }> = {}) => this.arrive('peer.accepted', link, '', options);
  ready = (link: string) => this.go({ type: 'peer.ready', link, now: this.now });
  ended = (link: string, reason: DisconnectReason = 'reset') =>
    this.go({ type: 'peer.disconnected', link, reason, detail: '', now: this.now, roll: 0.5 });
  report = (behaviour: Extract<PeerEvent, { type: 'peer.reported' }>['behaviour']) =>
    this.go({ type: 'peer.reported', behaviour, reason: 'why', now: this.now });
  due = () => this.go({ type: 'peer.due', now: this.now, roll: 0.5 });

  private arrive(
    type: 'peer.dialed' | 'peer.accepted',
    link: string,
    at: string,
    { ours = false, room = 1 }: Readonly<{ ours?: boolean; room?: number }>,
  ) {
    return this.go({
      type,
      arrival: { id: row.id, link, remoteIp: '1.2.3.4', ours, channels: [1, 7] },
      address: at,
      room,
      request: 9,
      now: this.now,
    });
  }

  /** Accepted and up. */
  up(link: string): this {
    this.accepted(link);
    this.ready(link);
    return this;
  }

  get is(): string {
    const { knowledge, dial, connection, eviction } = this.snapshot.value;
    const live =
      typeof connection === 'string' ? connection : `${connection.live.routing}${connection.live.rival === 'held' ? '+held' : ''}`;
    return [knowledge, dial, live, eviction].join(' ');
  }

  get context() {
    return this.snapshot.context;
  }
}

const answer = (ruling: PeerEffects['answer']['ruling']): PeerEffect => ({ type: 'answer', request: 9, ruling });
const route = answer({ verdict: 'route' });
const refused = (reason: DisconnectReason): unknown => [
  expect.objectContaining({ type: 'answer', ruling: expect.objectContaining({ verdict: 'refuse', reason }) }),
];
const up: PeerEffect = { type: 'publish', status: 'up', channels: [1, 7] };
const down = (reason: DisconnectReason): PeerEffect => ({ type: 'publish', status: 'down', channels: [], reason });
const duplicate = { verdict: 'refuse', reason: 'duplicate', code: 'ERR_PEER_DUPLICATE' } as const;

describe('a peer that is dialed', () => {
  test('is dialing until the dial is answered, and goes through connected to up', () => {
    const peer = new Peer();
    expect(peer.dial()).toEqual([]);
    expect(peer.is).toBe('known dialing none none');
    expect(peer.dialed('l')).toEqual([route]);
    expect(peer.is).toBe('known idle connected none');
    expect(peer.context.row).toMatchObject({ lastConnected: start, addresses: [{ lastSuccess: start, failures: 0 }] });
    expect(peer.ready('l')).toEqual([up]);
    expect(peer.is).toBe('known idle up none');
  });

  test('waits after a failure, until its time', () => {
    const peer = new Peer();
    peer.dial();
    expect(peer.dialFailed()).toEqual([]);
    expect(peer.is).toBe('known waiting none none');
    expect(peer.context.row.addresses[0]).toMatchObject({ failures: 1, lastFailure: start, notBefore: start + 125 });
    peer.later(124).due();
    expect(peer.is).toBe('known waiting none none');
    peer.later(1).due();
    expect(peer.is).toBe('known idle none none');
  });

  test('is idle after a failure while another address is due', () => {
    const peer = new Peer({ row: { ...row, addresses: [...row.addresses, { ...row.addresses[0]!, address: other }] } });
    peer.dial();
    peer.dialFailed();
    expect(peer.is).toBe('known idle none none');
  });

  test('a failure at an unknown address ends the dial and counts nowhere', () => {
    const peer = new Peer();
    peer.dial();
    peer.dialFailed(other);
    expect(peer.is).toBe('known idle none none');
    expect(peer.context.row.addresses).toEqual(row.addresses);
  });

  test('a failure that nobody waits for changes nothing', () => {
    const peer = new Peer();
    peer.dialFailed();
    expect(peer.context.row).toBe(row);
  });

  test('a success without a dial is a connection all the same', () => {
    expect(new Peer().dialed('l')).toEqual([route]);
  });

  test('finds no slot', () => {
    const peer = new Peer();
    peer.dial();
    expect(peer.dialed('l', { room: 0 })).toEqual(refused('full'));
    expect(peer.is).toBe('known idle none none');
    expect(isLive(peer.context)).toBe(false);
  });

  test('a dial does not reset what accepted connections may not either: only a success of that address does', () => {
    const failed = { ...row, addresses: [{ ...row.addresses[0]!, failures: 4, notBefore: start + 9 }] };
    const peer = new Peer({ row: failed });
    peer.up('l');
    expect(peer.context.row.addresses[0]).toMatchObject({ failures: 4 });
  });
});

describe('an update', () => {
  test('is sent once when the peer comes up and once when it goes down', () => {
    const peer = new Peer().up('l');
    expect(peer.ready('l')).toEqual([]);
    expect(peer.ended('l')).toEqual([down('reset')]);
    expect(peer.ended('l')).toEqual([]);
    expect(peer.is).toBe('known waiting none none');
  });

  test('is not sent for a connection that never came up', () => {
    const peer = new Peer();
    peer.accepted('l');
    expect(peer.ended('l')).toEqual([]);
  });

  test('does not come from a link that is not the one', () => {
    const peer = new Peer();
    peer.accepted('l');
    expect(peer.ready('stranger')).toEqual([]);
    expect(peer.ended('stranger')).toEqual([]);
    expect(peer.is).toBe('known idle connected none');
  });
});

describe('a second connection', () => {
  test('of the same direction replaces the first, which goes down when it has ended', () => {
    const peer = new Peer().up('old').later(1_000);
    expect(peer.accepted('new')).toEqual([answer({ verdict: 'route', replaces: 'old' })]);
    expect(peer.is).toBe('known idle connected none');
    expect(peer.ended('old', 'duplicate')).toEqual([down('duplicate')]);
    expect(peer.ready('new')).toEqual([up]);
    expect(peer.ended('old', 'duplicate')).toEqual([]);
  });

  test('goes up only after a down, even when the end of the replaced link is never reported', () => {
    const peer = new Peer().up('old');
    peer.accepted('new');
    expect(peer.ready('new')).toEqual([down('duplicate'), up]);
  });

  test('that replaces and ends before it is up takes the first one down with it', () => {
    const peer = new Peer().up('old');
    peer.accepted('new');
    expect(peer.ended('new')).toEqual([down('reset')]);
    expect(peer.ended('old', 'duplicate')).toEqual([]);
  });

  test('of the same direction is refused when the last one was replaced less than ten seconds ago', () => {
    const peer = new Peer().up('1');
    peer.accepted('2');
    expect(peer.later(9_999).accepted('3')).toEqual([answer(duplicate)]);
    expect(peer.later(1).accepted('4')).toEqual([answer({ verdict: 'route', replaces: '2' })]);
  });

  test('wins at once when the first is older than forty seconds', () => {
    const peer = new Peer({ ownIdLower: false }).up('old').later(40_001);
    expect(peer.dialed('new')).toEqual([answer({ verdict: 'route', replaces: 'old' })]);
  });

  test('of our own kind is decided at once by the lower id', () => {
    expect(new Peer({ ownIdLower: true }).up('old').dialed('new', { ours: true })).toEqual([answer({ verdict: 'route', replaces: 'old' })]);
    expect(new Peer({ ownIdLower: false }).up('old').dialed('new', { ours: true })).toEqual([answer(duplicate)]);
  });

  test('costs a refused dial nothing', () => {
    const peer = new Peer({ ownIdLower: false }).up('old');
    peer.dial();
    peer.dialed('new', { ours: true });
    expect(peer.is).toBe('known idle up none');
    expect(peer.context.row).toMatchObject({ score: 0, addresses: [{ failures: 0, lastSuccess: start }] });
  });

  test('finds no slot in its direction', () => {
    expect(new Peer().up('old').dialed('new', { room: 0 })).toEqual(refused('full'));
    expect(new Peer().up('old').dialed('new', { room: 0, ours: true })).toEqual(refused('full'));
    // The slot of the replaced link is free for one of its direction.
    expect(new Peer().up('old').accepted('new', { room: 0 })).toEqual([answer({ verdict: 'route', replaces: 'old' })]);
  });
});

describe('a held connection', () => {
  const held = (ownIdLower = true): Peer => {
    const peer = new Peer({ ownIdLower }).up('old');
    expect(peer.dialed('new')).toEqual([answer({ verdict: 'hold', older: 'old' })]);
    expect(peer.is).toBe('known idle up+held none');
    expect(dueAt(peer.context)).toBe(start + 8_000);
    return peer;
  };

  test('is routed when the older link ends', () => {
    const peer = held();
    expect(peer.later(10).ended('old')).toEqual([down('reset'), { type: 'settle', link: 'new', ruling: { verdict: 'route' } }]);
    expect(peer.is).toBe('known idle connected none');
    expect(peer.ready('new')).toEqual([up]);
  });

  test('leaves without a trace when it ends first', () => {
    const peer = held();
    expect(peer.ended('new')).toEqual([{ type: 'settle', link: 'new', ruling: duplicate }]);
    expect(peer.is).toBe('known idle up none');
    expect(peer.context).toMatchObject({ rival: undefined, row: { lastDisconnected: 0 } });
  });

  test('is kept after eight seconds when it was dialed by the lower id', () => {
    const peer = held(true);
    expect(peer.later(7_999).due()).toEqual([]);
    expect(peer.later(1).due()).toEqual([{ type: 'settle', link: 'new', ruling: { verdict: 'route', replaces: 'old' } }]);
    expect(peer.is).toBe('known idle connected none');
    expect(peer.ended('old', 'duplicate')).toEqual([down('duplicate')]);
    expect(peer.ready('new')).toEqual([up]);
  });

  test('is refused after eight seconds when it was dialed by the higher id', () => {
    const peer = held(false);
    expect(peer.later(8_000).due()).toEqual([{ type: 'settle', link: 'new', ruling: duplicate }]);
    expect(peer.is).toBe('known idle up none');
    expect(peer.context.row.score).toBe(0);
  });

  test('gives way to a third one, whose time is not longer for it', () => {
    const peer = held(false).later(5_000);
    expect(peer.dialed('third')).toEqual([answer({ verdict: 'hold', older: 'old' }), { type: 'settle', link: 'new', ruling: duplicate }]);
    expect(peer.context).toMatchObject({ rival: { handle: 'third' }, rivalUntil: start + 8_000 });
    expect(peer.later(3_000).due()).toEqual([{ type: 'settle', link: 'third', ruling: duplicate }]);
  });

  test('of the same direction as the link, as a third one can be, is kept in the end', () => {
    const peer = held(false);
    peer.accepted('third');
    expect(peer.later(8_000).due()).toEqual([{ type: 'settle', link: 'third', ruling: { verdict: 'route', replaces: 'old' } }]);
  });

  test('is refused when the peer has to go', () => {
    const peer = held();
    expect(peer.report('fatal')).toEqual([
      { type: 'settle', link: 'new', ruling: { verdict: 'refuse', reason: 'banned', code: 'ERR_PEER_HELD' } },
      { type: 'closeLink', link: 'old', reason: 'banned' },
    ]);
  });
});

describe('a connection closed right after NodeInfo', () => {
  const rejected = (): Peer => {
    const peer = new Peer();
    peer.dial();
    peer.dialed('l');
    peer.ready('l');
    peer.ended('l', 'rejected');
    return peer;
  };

  test('counts as a failed dial, two seconds later', () => {
    const peer = rejected();
    expect(peer.is).toBe('known settling none none');
    expect(isLive(peer.context)).toBe(true);
    expect(dueAt(peer.context)).toBe(start + 2_000);
    peer.later(1_999).due();
    expect(peer.is).toBe('known settling none none');
    peer.later(1).due();
    expect(peer.is).toBe('known waiting none none');
    expect(peer.context.row).toMatchObject({ lastReason: 'rejected', addresses: [{ failures: 1, notBefore: peer.now + 125 }] });
    expect(isLive(peer.context)).toBe(false);
  });

  test('adds to the failures there were before', () => {
    const peer = new Peer({ row: { ...row, addresses: [{ ...row.addresses[0]!, failures: 6 }] } });
    peer.dial();
    peer.dialed('l');
    peer.ended('l', 'rejected');
    peer.later(2_000).due();
    expect(peer.context.row.addresses[0]).toMatchObject({ failures: 7 });
  });

  test('backs a persistent peer off for thirty seconds at most', () => {
    const retry = { minRetryMs: 250, maxRetryMs: 1_800_000, maxRetryPersistentMs: 300_000, cooldownMs: 2_000 };
    const peer = new Peer({ retry, peerClass: 'persistent', row: { ...row, addresses: [{ ...row.addresses[0]!, failures: 60 }] } });
    peer.dial();
    peer.dialed('l');
    peer.ended('l', 'rejected');
    peer.later(2_000).due();
    expect(peer.context.row.addresses[0]!.notBefore - peer.now).toBe(15_000);
  });

  test('is forgiven when the peer comes up meanwhile', () => {
    const peer = rejected().later(1_000);
    peer.up('again');
    expect(peer.is).toBe('known waiting up none');
    peer.later(5_000).due();
    expect(peer.is).toBe('known idle up none');
    expect(peer.context.row.addresses[0]).toMatchObject({ failures: 0 });
  });

  test('waits for a connection that is under way, and counts if that comes to nothing', () => {
    const peer = rejected().later(1_000);
    peer.accepted('again');
    peer.later(5_000).due();
    expect(peer.is).toBe('known settling connected none');
    peer.ended('again');
    peer.due();
    expect(peer.context.row.addresses[0]).toMatchObject({ failures: 1 });
  });

  test('does not count when another was held beside it', () => {
    const peer = new Peer();
    peer.dial();
    peer.dialed('l');
    peer.ready('l');
    peer.accepted('other');
    expect(peer.ended('l', 'rejected')).toEqual([down('rejected'), { type: 'settle', link: 'other', ruling: { verdict: 'route' } }]);
    expect(peer.is).toBe('known idle connected none');
  });

  test('does not count when the remote dialed', () => {
    const peer = new Peer().up('l');
    peer.ended('l', 'rejected');
    expect(peer.is).toBe('known waiting none none');
    expect(isLive(peer.context)).toBe(false);
  });
});

describe('a dialed connection that lasts less than ten seconds', () => {
  const lasting = (ms: number, reason: DisconnectReason): number => {
    const peer = new Peer({ row: { ...row, addresses: [{ ...row.addresses[0]!, failures: 3 }] } });
    peer.dial();
    peer.dialed('l');
    peer.ready('l');
    peer.later(ms).ended('l', reason);
    return peer.context.row.addresses[0]!.failures;
  };
  test('counts as a failed dial, unless it is nobody’s fault', () => {
    expect(lasting(9_999, 'remoteClosed')).toBe(4);
    expect(lasting(10_000, 'remoteClosed')).toBe(0);
    for (const reason of ['duplicate', 'operator', 'shutdown', 'displaced', 'restart', 'full'] as const) expect(lasting(1, reason)).toBe(0);
  });
});

describe('a report', () => {
  test('that costs the connection closes it once', () => {
    const peer = new Peer().up('l');
    expect(peer.report('protocolViolation')).toEqual([{ type: 'closeLink', link: 'l', reason: 'misbehaved' }]);
    expect(peer.is).toBe('known idle up scheduled');
    peer.go({ type: 'peer.evicting', now: peer.now });
    expect(peer.is).toBe('known idle up handedOut');
    expect(peer.report('protocolViolation')).toEqual([]);
    expect(peer.ended('l', 'misbehaved')).toEqual([down('misbehaved')]);
    expect(peer.is).toBe('banned waiting none none');
  });

  test('of a peer without a connection is not remembered when it connects', () => {
    const peer = new Peer();
    expect(peer.report('protocolViolation')).toEqual([]);
    peer.accepted('l');
    expect(peer.is).toBe('known idle connected none');
  });

  test('bans, and the ban ends by itself', () => {
    const peer = new Peer();
    peer.report('fatal');
    expect(peer.is).toBe('banned waiting none none');
    expect(peer.accepted('l')).toEqual(refused('banned'));
    expect(peer.dialed('l')).toEqual(refused('banned'));
    peer.later(3_600_000).due();
    expect(peer.is).toBe('known idle none none');
    expect(peer.accepted('l')).toEqual([route]);
  });

  test('does not lower a banned peer further', () => {
    const peer = new Peer();
    peer.report('fatal');
    const { row: before } = peer.context;
    peer.report('fatal');
    expect(peer.context.row).toBe(before);
  });

  test('of use counts twenty times an hour', () => {
    const peer = new Peer();
    for (let n = 0; n < 50; n++) peer.report('useful');
    expect(peer.context.row.score).toBe(20);
    peer.later(3_600_000);
    for (let n = 0; n < 50; n++) peer.report('useful');
    expect(peer.context.row.score).toBe(40);
  });

  test('of use is worth two points more for each hour it came in', () => {
    const peer = new Peer().up('l');
    peer.report('useful');
    peer.later(3_600_000).due();
    expect(peer.context.row.score).toBe(3);
    peer.later(3_600_000).due();
    expect(peer.context.row.score).toBe(3);
  });

  test('of a replaced link does not close the one that replaced it', () => {
    const peer = new Peer().up('old');
    peer.report('protocolViolation');
    peer.accepted('new');
    expect(peer.is).toBe('known idle connected none');
  });
});

describe('a stranger that connected to us', () => {
  const stranger = (): Peer => new Peer({ durable: false, row: blankRow(idOf('a')) });

  test('earns its row by a minute up', () => {
    const peer = stranger().up('l');
    expect(dueAt(peer.context)).toBe(start + 60_000);
    peer.later(59_999).due();
    expect(peer.context.durable).toBe(false);
    peer.later(1).due();
    expect(peer.context.durable).toBe(true);
    expect(dueAt(peer.context)).toBe(start + 3_600_000);
  });

  test('earns none while its score is negative', () => {
    const peer = stranger().up('l');
    peer.report('unhelpful');
    peer.later(60_000).due();
    expect(peer.context.durable).toBe(false);
    expect(dueAt(peer.context)).toBe(start + 3_600_000);
  });

  test('has a row when it is banned, so that the ban lasts', () => {
    const peer = stranger().up('l');
    peer.report('fatal');
    expect(peer.context.durable).toBe(true);
  });

  test('earns no row by what it says of itself, but by what others say or by a dial', () => {
    const peer = stranger().up('l');
    peer.go({ type: 'peer.addressAdded', address: addressOf('a'), source: 'self', now: start });
    expect(peer.context).toMatchObject({ durable: false, row: { addresses: [{ source: 'self' }] } });
    peer.go({ type: 'peer.addressAdded', address: addressOf('a', 7), source: 'host', now: start });
    expect(peer.context.durable).toBe(true);
  });
});

describe('the operator', () => {
  test('holds a peer until he releases it', () => {
    const peer = new Peer({ peerClass: 'persistent' }).up('l');
    expect(peer.go({ type: 'peer.dismiss', hold: true, until: 0, reason: 'why not', now: start })).toEqual([
      { type: 'closeLink', link: 'l', reason: 'operator' },
    ]);
    expect(peer.is).toBe('held idle up scheduled');
    peer.ended('l', 'operator');
    expect(peer.context.row.lastReason).toBe('operator: why not');
    expect(peer.accepted('2')).toEqual(refused('operator'));
    peer.go({ type: 'peer.release', now: start });
    expect(peer.is).toBe('known idle none none');
    expect(peer.accepted('3')).toEqual([route]);
  });

  test('sends an ordinary peer away for a time, and the remote may come back before', () => {
    const peer = new Peer();
    peer.go({ type: 'peer.dismiss', hold: false, until: start + 9, reason: '', now: start });
    expect(peer.is).toBe('known waiting none none');
    expect(peer.accepted('l')).toEqual([route]);
  });

  test('gives up a dial that is under way', () => {
    const peer = new Peer();
    peer.dial();
    peer.go({ type: 'peer.dismiss', hold: false, until: start + 9, reason: '', now: start });
    expect(peer.dialed('l')).toEqual(refused('operator'));
    expect(peer.context.cancelled).toBe(false);
  });

  test('bans, for as long as he says', () => {
    const peer = new Peer().up('l');
    expect(peer.go({ type: 'peer.ban', forMs: 50, reason: 'spam', now: start })).toEqual([
      { type: 'closeLink', link: 'l', reason: 'banned' },
    ]);
    expect(peer.is).toBe('banned waiting up scheduled');
    peer.ended('l', 'banned');
    peer.later(2_000).due();
    expect(peer.is).toBe('known idle none none');
  });

  test('makes us forget a peer, once its link has ended', () => {
    const peer = new Peer().up('l');
    expect(peer.go({ type: 'peer.forget', hold: false, now: start })).toEqual([{ type: 'closeLink', link: 'l', reason: 'operator' }]);
    expect(peer.is).toBe('forgotten idle up scheduled');
    expect(peer.accepted('2')).toEqual(refused('operator'));
  });

  test('changes his mind before it has ended', () => {
    const peer = new Peer().up('l');
    peer.go({ type: 'peer.forget', hold: false, now: start });
    peer.go({ type: 'peer.release', now: start });
    expect(peer.context.forgotten).toBe(false);
  });
});

test('without its effects the chart says so', () => {
  expect(() => peerMachine.implementations.actions['answer']!({} as never, {} as never)).toThrow(
    expect.objectContaining({ code: 'ERR_NOT_PROVIDED' }),
  );
});
