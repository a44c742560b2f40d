import { describe, expect, test } from '@jest/globals';
import type { DisconnectReason } from '../../proto/errors.ts';
import { peerMachine } from '../../machines/peer.ts';
import { dueAt } from '../../machines/peer-context.ts';
import { isLive } from '../../machines/peer-live.ts';
import { dialableAt } from '../../machines/policy/retry.ts';
import { blankRow } from '../../machines/peer-row.ts';
import { addressOf, idOf } from '../support/manager.ts';
import { Peer, down, other, refused, route, row, start, up } from '../support/peer.ts';

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

  test('is left alone for a day, all its addresses, when it is incompatible; a persistent one only backs off', () => {
    const peer = new Peer({ row: { ...row, addresses: [...row.addresses, { ...row.addresses[0]!, address: other }] } });
    peer.dial();
    peer.dialFailed(undefined, 'ERR_PEER_INCOMPATIBLE');
    expect(peer.context.row.inactiveUntil).toBe(start + 86_400_000);
    expect(peer.is).toBe('known waiting none none');
    peer.later(86_399_999).due();
    expect(peer.is).toBe('known waiting none none');
    peer.later(1).due();
    expect(peer.is).toBe('known idle none none');
    const persistent = new Peer({ peerClass: 'persistent' });
    persistent.dial();
    persistent.dialFailed(undefined, 'ERR_PEER_INCOMPATIBLE');
    expect(persistent.context.row.inactiveUntil).toBe(0);
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

  test('finds no slot, and is not dialed again at once', () => {
    const peer = new Peer();
    peer.dial();
    expect(peer.dialed('l', { room: 0 })).toEqual(refused('full'));
    expect(peer.is).toBe('known waiting none none');
    expect(isLive(peer.context)).toBe(false);
    expect(dialableAt(peer.context.row, 2_000)).toBe(peer.now + 2_000);
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
  expect(() => (peerMachine.implementations.actions['answer'] as () => void)()).toThrow(
    expect.objectContaining({ code: 'ERR_NOT_PROVIDED' }),
  );
});
