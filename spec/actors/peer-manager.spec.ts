import { describe, expect, test } from '@jest/globals';
import { formatNodeAddress, parseNodeAddress } from '../../proto/address.ts';
import { TroupeError } from '../../proto/errors.ts';
import { memoryStore } from '../../actors/stores/memory.ts';
import { addressOf, digitOf, idOf, managers, never, watch, type ManagerChanges } from '../support/manager.ts';
import { settle } from '../support/virtual-clock.ts';

const start = managers();

describe('adding an address', () => {
  test('makes a peer known; a second address of it is added, a known one is not', async () => {
    const h = start();
    expect(await h.add('a')).toBe(true);
    expect(await h.add('a', 5)).toBe(true);
    expect(await h.add('a')).toBe(false);
    expect(await h.add('b')).toBe(true);
    expect(h.manager.peers.list().map((each) => [each.id[0], each.addresses.length, each.state])).toEqual([
      ['a', 2, 'known'],
      ['b', 1, 'known'],
    ]);
  });

  test('that is no address, or our own, is an error; from a stranger our own is nothing', async () => {
    const h = start();
    await expect(h.manager.peers.add('nonsense')).rejects.toMatchObject({ code: 'ERR_ADDRESS_INVALID' });
    await expect(h.manager.add({ ...addressOf('a'), port: 70_000 }, { kind: 'host' })).rejects.toMatchObject({
      code: 'ERR_ADDRESS_INVALID',
    });
    await expect(h.manager.peers.add(formatNodeAddress(addressOf('5')))).rejects.toMatchObject({ code: 'ERR_PEER_SELF' });
    expect(await h.manager.add(addressOf('5'), { kind: 'gossip', from: idOf('a') })).toBe(false);
  });

  test('resolves once it is durable, and rejects when it cannot be', async () => {
    let finish = (_: Error | undefined): void => undefined;
    const store = memoryStore();
    const h = start({
      store: { ...store, flush: () => new Promise((resolve, reject) => (finish = (error) => (error ? reject(error) : resolve()))) },
    });
    const added = watch(h.add('a'));
    expect(await added()).toBe('waiting');
    finish(undefined);
    expect(await added()).toBe(true);
    const failed = watch(h.add('b'));
    finish(new TroupeError('ERR_STORE_FAILED'));
    expect(await failed()).toBe('ERR_STORE_FAILED');
  });

  test('beyond the size of the store forgets the peers worth least, here and on disk', async () => {
    const h = start({ storeOptions: { maxPeers: 3 }, slots: { inbound: 1, outbound: 2, upgrade: 1 } });
    for (const digit of 'abcd') await h.add(digit);
    expect(h.manager.peers.list()).toHaveLength(3);
    expect(h.store.load()).toHaveLength(3);
  });

  test('never pushes out persistent, dialing or connected peers', async () => {
    const h = start({ storeOptions: { maxPeers: 3 }, slots: { inbound: 1, outbound: 2, upgrade: 1 }, persistent: [addressOf('a')] });
    h.up('b');
    await h.add('c');
    await h.tryDialNext();
    await h.tryDialNext();
    for (const digit of 'def') expect(await h.add(digit)).toBe(false);
    expect(
      h.manager.peers
        .list()
        .map((each) => each.id[0])
        .join(''),
    ).toBe('abc');
  });

  test('by gossip is limited for each source, and by what the source can reach', async () => {
    const h = start({ storeOptions: { maxPeers: 100 } });
    h.up('a', { remoteIp: '9.9.9.9' });
    let taken = 0;
    for (let n = 0; n < 40; n++) {
      const address = parseNodeAddress(`mconn://${n.toString(16).padStart(40, '0')}@8.8.8.${n}:26656`);
      if (await h.manager.add(address, { kind: 'gossip', from: idOf('a') })) taken += 1;
    }
    expect(taken).toBe(5);
    const lan = parseNodeAddress(`mconn://${idOf('d')}@10.0.0.1:26656`);
    expect(await h.manager.add(lan, { kind: 'gossip', from: idOf('b') })).toBe(false);
    expect(await h.manager.add(addressOf('d'), { kind: 'gossip', from: idOf('b') })).toBe(true);
  });

  test('of a peer that said it itself from that host is its own word, from elsewhere only hearsay', async () => {
    const h = start();
    h.up('a', { remoteIp: addressOf('a').host });
    h.up('b', { remoteIp: addressOf('a').host });
    expect(await h.manager.add(addressOf('a', 4), { kind: 'self', from: idOf('a') })).toBe(true);
    expect(await h.manager.add(addressOf('b', 9), { kind: 'self', from: idOf('b') })).toBe(true);
    expect(h.manager.advertise(idOf('f'), 10, '8.8.8.8').map(digitOf)).toEqual(['a']);
  });
});

describe('dialNext', () => {
  test('gives an address, marks its peer dialing, and gives it once', async () => {
    const h = start();
    await h.add('a');
    await h.add('a', 5);
    expect(digitOf(await h.tryDialNext())).toBe('a');
    expect(h.stateOf('a')).toBe('dialing');
    expect(await h.tryDialNext()).toBeUndefined();
  });

  test('waits, and rejects with exactly the reason of its signal', async () => {
    const h = start();
    const abort = new AbortController();
    const next = h.manager.dialNext(abort.signal);
    const reason = new Error('enough');
    abort.abort(reason);
    await expect(next).rejects.toBe(reason);
    await expect(h.manager.dialNext(abort.signal)).rejects.toBe(reason);
    await h.add('a');
    expect(h.stateOf('a')).toBe('known');
  });

  test('wakes when an address is added', async () => {
    const h = start();
    const next = watch(h.manager.dialNext(never).then(digitOf));
    expect(await next()).toBe('waiting');
    await h.add('a');
    expect(await next()).toBe('a');
  });

  test('wakes when a failed dial frees a slot', async () => {
    const h = start({ slots: { outbound: 1 } });
    await h.add('a');
    await h.tryDialNext();
    await h.add('b');
    const next = watch(h.manager.dialNext(never).then(digitOf));
    expect(await next()).toBe('waiting');
    h.failed('a');
    expect(await next()).toBe('b');
  });

  test('wakes at the moment a back-off ends, and not before', async () => {
    const h = start({ random: () => 0.5 });
    await h.add('a');
    await h.tryDialNext();
    h.failed('a');
    const next = watch(h.manager.dialNext(never).then(digitOf));
    h.clock.advance(124);
    expect(await next()).toBe('waiting');
    h.clock.advance(1);
    expect(await next()).toBe('a');
  });

  test('doubles the back-off of an address that keeps failing, and never gives up', async () => {
    const h = start({ random: () => 0.999_999 });
    await h.add('a');
    const waits: number[] = [];
    for (let n = 0; n < 16; n++) {
      const next = h.manager.dialNext(never);
      await settle(1);
      h.clock.advance(2_000_000);
      await next;
      h.failed('a');
      const row = h.store.load()[0]!.addresses[0]!;
      waits.push(row.notBefore - row.lastFailure);
    }
    expect(waits.slice(0, 5)).toEqual([250, 500, 1_000, 2_000, 4_000]);
    expect(waits.slice(-2)).toEqual([1_799_999, 1_799_999]);
  });

  test('wakes when a peer has disconnected and cooled down', async () => {
    const h = start();
    await h.add('a');
    const link = h.up('a');
    const next = watch(h.manager.dialNext(never).then(digitOf));
    h.manager.disconnected(idOf('a'), link, 'reset');
    h.clock.advance(1_999);
    expect(await next()).toBe('waiting');
    h.clock.advance(1);
    expect(await next()).toBe('a');
  });

  test('gives persistent peers first, and the best of the rest', async () => {
    const h = start({ persistent: [addressOf('d')] });
    for (const digit of 'abc') await h.add(digit);
    h.manager.report(idOf('b'), 'useful', 'knew something');
    h.manager.report(idOf('a'), 'unhelpful', 'knew nothing');
    expect([digitOf(await h.tryDialNext()), digitOf(await h.tryDialNext())]).toEqual(['d', 'b']);
  });

  test('keeps to the outbound slots, which inbound peers never take', async () => {
    const h = start({ slots: { outbound: 2, inbound: 3 } });
    for (const digit of 'abc') await h.add(digit);
    for (const digit of 'def') h.up(digit);
    const [first, second] = [await h.tryDialNext(), await h.tryDialNext()];
    expect(await h.tryDialNext()).toBeUndefined();
    h.dialed(digitOf(first)!);
    expect(await h.tryDialNext()).toBeUndefined();
    h.manager.dialFailed(second!, new TroupeError('ERR_DIAL_FAILED'));
    expect(await h.tryDialNext()).toBeDefined();
  });

  test('sets slots aside for persistent peers, so that others cannot keep them out', async () => {
    const h = start({ slots: { outbound: 2 }, persistent: [addressOf('e')] });
    await h.tryDialNext();
    h.failed('e');
    for (const digit of 'ab') await h.add(digit);
    expect(digitOf(await h.tryDialNext())).toBeDefined();
    expect(await h.tryDialNext()).toBeUndefined();
    h.clock.advance(60_000);
    expect(digitOf(await h.tryDialNext())).toBe('e');
  });

  test('serves those who wait in order, each with another peer', async () => {
    const h = start();
    const waiting = [h.manager.dialNext(never), h.manager.dialNext(never)];
    await h.add('a');
    await h.add('b');
    expect((await Promise.all(waiting)).map(digitOf)).toEqual(['a', 'b']);
  });

  test('does not miss a peer whose back-off and whose slot come at the same moment', async () => {
    const h = start({ slots: { outbound: 1 }, random: () => 0.5 });
    await h.add('a');
    await h.tryDialNext();
    h.failed('a');
    const next = watch(h.manager.dialNext(never).then(digitOf));
    h.clock.advance(100_000);
    expect(await next()).toBe('a');
  });

  test('the thirtieth day of a ban and failures without number wait their time', async () => {
    const h = start();
    await h.add('a');
    await h.manager.peers.ban(idOf('a'), { forMs: 30 * 86_400_000, reason: 'spam' });
    const next = watch(h.manager.dialNext(never).then(digitOf));
    h.clock.advance(30 * 86_400_000 - 1);
    expect(await next()).toBe('waiting');
    h.clock.advance(1);
    expect(await next()).toBe('a');
  });
});

describe('the options together', () => {
  test.each<[string, ManagerChanges, string]>([
    [
      'more persistent peers than outbound slots',
      { slots: { outbound: 1 }, persistent: [addressOf('a'), addressOf('b')] },
      'ERR_OPTION_INVALID',
    ],
    ['a persistent address twice', { persistent: [addressOf('a'), addressOf('a')] }, 'ERR_OPTION_INVALID'],
    ['more inbound slots than stored peers', { slots: { inbound: 30 }, storeOptions: { maxPeers: 20 } }, 'ERR_OPTION_INVALID'],
    [
      'more outbound slots than stored peers',
      { slots: { inbound: 1, outbound: 21 }, storeOptions: { maxPeers: 20 } },
      'ERR_OPTION_INVALID',
    ],
    ['a longest back-off below the shortest', { dialer: { minRetryMs: 7_000, maxRetryMs: 5_000 } }, 'ERR_OPTION_INVALID'],
    ['a longest persistent back-off below the shortest', { dialer: { minRetryMs: 31_000 } }, 'ERR_OPTION_INVALID'],
    ['our own id among the persistent peers', { persistent: [addressOf('5')] }, 'ERR_PEER_SELF'],
    ['our own id among the bootstrap peers', { bootstrap: [addressOf('5')] }, 'ERR_PEER_SELF'],
  ])('refuse %s', (_, changes, code) => {
    expect(() => start(changes)).toThrow(expect.objectContaining({ code }));
  });

  test('refuse everything that is wrong at once', () => {
    expect(() =>
      start({ slots: { outbound: 1 }, persistent: [addressOf('a'), addressOf('b')], dialer: { minRetryMs: 7_000, maxRetryMs: 5_000 } }),
    ).toThrow(/persistentPeers.*maxRetryMs/);
  });

  test('accept as many persistent peers as slots, and a longest back-off that is the shortest', () => {
    start({
      slots: { outbound: 2 },
      persistent: [addressOf('a'), addressOf('b'), addressOf('b', 9)],
      dialer: { minRetryMs: 500, maxRetryMs: 500 },
    });
  });
});

describe('advertise', () => {
  test('tells what was reached, our own address first, to who can use it', async () => {
    const own = parseNodeAddress(`mconn://${idOf('5')}@9.9.9.9:26656`);
    const h = start({ selfAddress: () => own, privateIds: [idOf('c')] });
    for (const digit of 'abc') {
      await h.add(digit);
      await h.tryDialNext();
      h.dialed(digit);
    }
    await h.add('d');
    const told = (asker: string, limit = 10): string => h.manager.advertise(idOf(asker), limit, '8.8.8.8').map(digitOf).join('');
    expect(Array.from(told('f')).sort().join('')).toBe('5ab');
    expect(told('f')[0]).toBe('5');
    expect(told('a')).toBe('5b');
    expect(told('f', 2)).toHaveLength(2);
    expect(told('f', 0)).toBe('');
  });
});
