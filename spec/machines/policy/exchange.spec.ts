/** Peer exchange with paper and pencil, by tables. */
import { describe, expect, test } from '@jest/globals';
import { formatNodeAddress, parseNodeAddress } from '../../../proto/address.ts';
import type { Endpoint } from '../../../proto/endpoint.ts';
import { askDelay, draw, isWorthKeeping, refilled, selfAddress, type Discovery } from '../../../machines/policy/exchange.ts';
import { peerId } from '../../support/reactor-context.ts';
import { seededRandom } from '../../support/random.ts';

const id = peerId(1);
const protocols = ['mconn', 'tcp', 'memory'];

describe('hearsay', () => {
  test.each([
    // address, told by a peer at, kept
    [`mconn://${id}@1.2.3.4:26656`, '5.6.7.8', true],
    [`tcp://${id}@1.2.3.4:26656`, '5.6.7.8', true],
    [`mconn://${id}@[2600::1]:26656`, '5.6.7.8', true],
    [`mconn://${id}@1.2.3.4:26656`, '127.0.0.1', true],
    [`mconn://${id}@127.0.0.1:26656`, '127.0.0.1', true],
    [`mconn://${id}@127.0.0.1:26656`, '::1', true],
    [`mconn://${id}@127.0.0.1:26656`, '5.6.7.8', false],
    [`mconn://${id}@127.0.0.1:26656`, '10.0.0.1', false],
    [`mconn://${id}@127.0.0.1:26656`, '', false],
    [`mconn://${id}@10.0.0.2:26656`, '10.0.0.1', true],
    [`mconn://${id}@10.0.0.2:26656`, '5.6.7.8', false],
    [`mconn://${id}@[::ffff:127.0.0.1]:26656`, '5.6.7.8', false],
    [`mconn://${id}@169.254.1.1:26656`, '169.254.1.2', false],
    [`mconn://${id}@[fe80::1]:26656`, 'fe80::2', false],
    [`mconn://${id}@224.0.0.1:26656`, '5.6.7.8', false],
    [`mconn://${id}@0.0.0.0:26656`, '127.0.0.1', false],
    [`mconn://${id}@192.0.2.1:26656`, '5.6.7.8', false],
    [`mconn://${id}@example.com:26656`, '5.6.7.8', false],
    [`mconn://${id}@1.2.3.4:1024`, '5.6.7.8', true],
    [`mconn://${id}@1.2.3.4:1023`, '5.6.7.8', false],
    [`mconn://${id}@1.2.3.4:22`, '5.6.7.8', false],
    [`mconn://${id}@1.2.3.4`, '5.6.7.8', false],
    [`mconn://${id}@1.2.3.4:26656/path`, '5.6.7.8', false],
    [`quic://${id}@1.2.3.4:26656`, '5.6.7.8', false],
    [`memory:${id}`, '', true],
    [`memory:${id}`, '5.6.7.8', false],
  ])('%s from a peer at "%s" is kept: %s', (text, remoteIp, kept) => {
    expect(isWorthKeeping(parseNodeAddress(text), remoteIp, protocols)).toBe(kept);
  });
});

describe('what a peer says of itself', () => {
  const at = (ip: string): Endpoint => ({ protocol: 'mconn', ip, port: ip === '' ? 0 : 51_234, path: '' });
  test.each([
    // listen address, connected from, passed on
    ['tcp://1.2.3.4:26656', '1.2.3.4', `mconn://${id}@1.2.3.4:26656`],
    ['1.2.3.4:80', '1.2.3.4', `mconn://${id}@1.2.3.4:80`],
    ['tcp://0.0.0.0:26656', '1.2.3.4', `mconn://${id}@1.2.3.4:26656`],
    ['tcp://[::]:26656', '2600::1', `mconn://${id}@[2600::1]:26656`],
    ['tcp://[::]:26656', '1.2.3.4', `mconn://${id}@1.2.3.4:26656`],
    ['tcp://[::ffff:1.2.3.4]:26656', '1.2.3.4', `mconn://${id}@1.2.3.4:26656`],
    ['127.0.0.1:26656', '127.0.0.1', `mconn://${id}@127.0.0.1:26656`],
    ['10.0.0.1:26656', '10.0.0.1', `mconn://${id}@10.0.0.1:26656`],
    ['tcp://1.2.3.5:26656', '1.2.3.4', undefined],
    ['127.0.0.1:26656', '1.2.3.4', undefined],
    ['tcp://example.com:26656', '1.2.3.4', undefined],
    ['tcp://1.2.3.4:0', '1.2.3.4', undefined],
    ['0.0.0.0:26656', '169.254.0.1', undefined],
    ['1.2.3.4', '1.2.3.4', undefined],
  ])('%s from %s is passed on as %s', (listenAddr, ip, expected) => {
    const address = selfAddress({ nodeId: id, listenAddr }, at(ip));
    expect(address && formatNodeAddress(address)).toBe(expected);
  });

  test('a peer without an IP is dialed by its id, if that is where it is', () => {
    const listenAddr = '0.0.0.0:26656';
    const remote = { protocol: 'memory', ip: '', port: 0, path: id as string };
    expect(formatNodeAddress(selfAddress({ nodeId: id, listenAddr }, remote)!)).toBe(`memory:${id}`);
    expect(selfAddress({ nodeId: id, listenAddr }, { ...remote, path: '/socket' })).toBeUndefined();
  });
});

describe('tokens', () => {
  test('a bucket fills with time, up to its limit', () => {
    expect(refilled(0, 10_000, 0.1, 250)).toBe(1);
    expect(refilled(100, 0, 0.1, 250)).toBe(100);
    expect(refilled(249.5, 10_000, 0.1, 250)).toBe(250);
  });

  test('a draw takes as many as allowed, none twice, and by chance', () => {
    const list = Array.from({ length: 20 }, (_, n) => n);
    const random = seededRandom(1);
    const drawn = draw(list, 5, random);
    expect(new Set(drawn).size).toBe(5);
    expect(drawn).not.toEqual(draw(list, 5, random));
    expect([...draw(list, 50, random)].sort((a, b) => a - b)).toEqual(list);
    expect(draw(list, 0, random)).toEqual([]);
    expect(draw(list, -1, random)).toEqual([]);
    const first = new Array<number>(4).fill(0);
    for (let n = 0; n < 4_000; n++) first[draw([0, 1, 2, 3], 1, random)[0]!]!++;
    expect(Math.min(...first)).toBeGreaterThan(850);
  });
});

describe('when to ask next', () => {
  const usual: Discovery = { leastMs: 1_000, mostMs: 600_000, available: 1, added: 0, total: 0, known: 10, capacity: 1_000 };
  test.each([
    ['soon after an answer that was all new', { added: 9, total: 9 }, 2_000],
    ['sooner with more peers to ask', { added: 9, total: 9, available: 10 }, 1_100],
    ['later when nothing is new', { total: 9 }, 101_000],
    ['never later than ten minutes', { total: 1_000 }, 600_000],
    ['never later than the caller allows', { total: 1_000, mostMs: 30_000 }, 30_000],
    ['at the least interval when nobody is there to ask', { available: 0, total: 1_000 }, 1_000],
    ['normally just below 95 % of the store', { known: 949 }, 2_000],
    ['in ten minutes once the store is 95 % full', { known: 950, mostMs: 30_000 }, 600_000],
  ])('%s', (_, facts, expected) => {
    expect(askDelay({ ...usual, ...facts })).toBe(expected);
  });
});
