import { describe, expect, test } from '@jest/globals';
import { dueAt } from '../../machines/peer-context.ts';
import { isLive } from '../../machines/peer-live.ts';
import { Peer, answer, down, duplicate, refused, row, start, up } from '../support/peer.ts';

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
    expect(peer.ended('new')).toEqual([]);
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
      { type: 'settle', link: 'new', ruling: { verdict: 'refuse', reason: 'banned', code: 'ERR_PEER_BANNED' } },
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
