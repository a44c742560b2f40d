import { afterEach, describe, expect, test } from '@jest/globals';
import { formatNodeAddress, nodeAddressOf } from '../../proto/address.ts';
import { TroupeError } from '../../proto/errors.ts';
import { nodeKeyFromSeed, type NodeId } from '../../proto/identity.ts';
import { hello, other, pair, stopAll, talk, world, type Host } from '../support/router.ts';
import { settle } from '../support/virtual-clock.ts';

afterEach(stopAll);

describe('channels', () => {
  test('opening works without peers; the same id twice is refused, and after a close it is free again', async () => {
    const { host } = world();
    const { router } = await host();
    const channel = router.openChannel(talk);
    expect(() => router.openChannel(talk)).toThrow(expect.objectContaining({ code: 'ERR_CHANNEL_OPEN' }));
    router.openChannel(other);
    expect(await channel.broadcast(hello)).toBe(0);
    await channel.close();
    expect(() => router.openChannel(talk)).not.toThrow();
  });

  test('an id outside a byte, a capacity that is not a number and a seventeenth channel are refused', async () => {
    const { host } = world();
    const { router } = await host();
    for (const id of [-1, 256, 1.5])
      expect(() => router.openChannel({ ...talk, id })).toThrow(expect.objectContaining({ code: 'ERR_CHANNEL_ID_INVALID' }));
    for (const maxMessageBytes of [0, NaN, Infinity])
      expect(() => router.openChannel({ ...talk, maxMessageBytes })).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID' }));
    for (let id = 0; id < 16; id++) router.openChannel({ ...talk, id });
    expect(() => router.openChannel({ ...talk, id: 16 })).toThrow(expect.objectContaining({ code: 'ERR_CHANNEL_ID_INVALID' }));
  });
});

describe('routing', () => {
  test('a message reaches the peer it is for, with its sender, and nobody else', async () => {
    const { host, connect } = world();
    const [a, b, c] = [await host(), await host(), await host()];
    const [toB, atB, atC] = [a, b, c].map(({ router }) => router.openChannel(talk));
    await connect(a, b);
    await connect(a, c);
    expect(await toB!.send({ to: b.key.id, message: hello })).toBe(true);
    expect((await atB![Symbol.asyncIterator]().next()).value).toEqual({ from: a.key.id, message: hello });
    await settle();
    expect((atC as unknown as { waiting: number }).waiting).toBe(0);
  });

  test('a broadcast reaches every peer that lists the channel, never oneself', async () => {
    const { host, connect } = world();
    const [a, b, c] = [await host(), await host(), await host()];
    const [all, atB] = [a, b].map(({ router }) => router.openChannel(talk));
    c.router.openChannel(other);
    a.router.openChannel(other);
    await connect(a, b);
    await connect(a, c);
    expect(await all!.broadcast(hello)).toBe(1);
    expect((await atB![Symbol.asyncIterator]().next()).value).toMatchObject({ message: hello });
  });

  test('to oneself, to a stranger and on a channel the peer does not list, send is false and counted', async () => {
    const { a, b, channels } = await pair();
    expect(await channels.a.send({ to: a.key.id, message: hello })).toBe(false);
    expect(await channels.a.send({ to: nodeKeyFromSeed(new Uint8Array(32).fill(99)).id, message: hello })).toBe(false);
    expect(await channels.other.send({ to: b.key.id, message: hello })).toBe(false);
    expect(Object.fromEntries(a.counters.drops)).toEqual({ self: 1, peerDown: 1, channelNotListed: 1 });
  });

  test('a channel that is closed stays readable for the link: its messages are counted and dropped, the peer stays', async () => {
    const { a, b, channels } = await pair();
    await channels.b.close();
    await channels.a.send({ to: b.key.id, message: hello });
    await settle(10);
    expect(Object.fromEntries(b.counters.drops)).toEqual({ withdrawn: 1 });
    expect(b.manager.heard).toEqual(['route', 'up']);
    expect(a.manager.heard).toEqual(['route', 'up']);
  });

  test('order within a channel holds, whatever the queue and the loops do', async () => {
    const { b, channels } = await pair();
    for (let i = 0; i < 200; i++) void channels.a.send({ to: b.key.id, message: Uint8Array.of(i) });
    const reader = channels.b[Symbol.asyncIterator]();
    for (let i = 0; i < 200; i++) expect((await reader.next()).value).toMatchObject({ message: Uint8Array.of(i) });
  });
});

describe('the queue of a peer', () => {
  const drops = ({ router }: Host, { key }: Host) =>
    [...(router.link(key.id)?.drops ?? [])].map(([id, counts]) => [id, Object.fromEntries(counts)]);

  test('is not filled by one channel, so that a broadcast on another gets in; what was dropped shows in the view of the peer', async () => {
    const { host, connect } = world();
    const [a, b] = [await host({ peerQueue: { maxMessages: 4, channelShare: 50 } }), await host()];
    const [bulk, votes] = [a.router.openChannel(talk), a.router.openChannel(other)];
    for (const channel of [talk, other]) b.router.openChannel(channel);
    await connect(a, b);
    // Nothing leaves the queue within one turn.
    const taken = Array.from({ length: 10 }, () => bulk.broadcast(hello));
    const vote = votes.broadcast(hello);
    expect(a.router.link(b.key.id)?.queued).toEqual({ messages: 3, bytes: 9 });
    expect((await Promise.all(taken)).reduce((sum, count) => sum + count, 0)).toBe(2);
    expect(await vote).toBe(1);
    expect(drops(a, b)).toEqual([[talk.id, { queueFull: 8 }]]);
    await settle(10);
    expect(a.router.link(b.key.id)?.queued).toEqual({ messages: 0, bytes: 0 });
  });

  test.each([
    ['bytes', { maxTotalBytes: 12 }],
    ['messages', { maxTotalMessages: 4 }],
  ])('shares a limit in %s with those of all other peers, in which a broadcast counts once', async (_, peerQueue) => {
    const { host, connect } = world();
    const [a, b, c] = [await host({ peerQueue }), await host(), await host()];
    const [channel] = [a, b, c].map(({ router }) => router.openChannel(talk));
    await connect(a, b);
    await connect(a, c);
    // Nothing leaves the queues within one turn. Three bytes each: four fit, whoever they are for.
    const broadcasts = [channel!.broadcast(hello), channel!.broadcast(hello)];
    const sent = [b, b, c].map(({ key }) => channel!.send({ to: key.id, message: Uint8Array.from(hello) }));
    const late = channel!.broadcast(Uint8Array.from(hello));
    expect([b, c].map(({ key }) => a.router.link(key.id)?.queued.messages)).toEqual([4, 2]);
    expect(await late).toBe(0);
    expect(await Promise.all(broadcasts)).toEqual([2, 2]);
    // The third waited for the room that the others left.
    expect(await Promise.all(sent)).toEqual([true, true, true]);
    expect(Object.fromEntries(a.counters.drops)).toEqual({ queueFull: 2 });
  });

  test('shares its limit with what its connection holds, and gives it back with the link', async () => {
    const { a, b, channels, connect } = await pair({ bufferMessages: 1, mailbox: { maxMessages: 1 }, peerQueue: { maxTotalMessages: 3 } });
    const sent = Array.from({ length: 20 }, () => channels.a.send({ to: b.key.id, message: Uint8Array.from(hello) }));
    await settle(10);
    // One is in the connection.
    expect(a.router.link(b.key.id)?.queued.messages).toBe(2);
    a.manager.evict(a.manager.arrivals[0]!, 'operator');
    await settle(10);
    expect((await Promise.all(sent)).filter((taken) => !taken).length).toBeGreaterThan(0);
    await connect(a, b);
    const broadcasts = await Promise.all(Array.from({ length: 4 }, () => channels.a.broadcast(Uint8Array.from(hello))));
    expect(broadcasts).toEqual([1, 1, 1, 0]);
  });

  test('drops of a peer are forgotten with its link, those of the channel are not', async () => {
    const { a, b, channels } = await pair();
    expect(await channels.other.send({ to: b.key.id, message: hello })).toBe(false);
    expect(drops(a, b)).toEqual([[other.id, { channelNotListed: 1 }]]);
    a.manager.evict(a.manager.arrivals[0]!, 'operator');
    await settle(10);
    expect(await channels.other.send({ to: b.key.id, message: hello })).toBe(false);
    expect(a.counters.peerDrops(b.key.id).size).toBe(0);
    expect(a.counters.channelDrops.get(other.id)).toEqual(
      new Map([
        ['channelNotListed', 1],
        ['peerDown', 1],
      ]),
    );
  });

  test('a priority mailbox prefers the peers that the operator named', async () => {
    const { host, connect } = world();
    const [stranger, named] = [await host(), await host()];
    const address = formatNodeAddress(nodeAddressOf({ protocol: 'memory', ip: '', port: 0, path: named.key.id }, named.key.id));
    const at = await host({ persistentPeers: [address] });
    const channel = at.router.openChannel({ ...talk, queue: 'priority' });
    for (const from of [stranger, named]) {
      const out = from.router.openChannel(talk);
      await connect(from, at);
      for (let count = 0; count < 2; count++) await out.send({ to: at.key.id, message: hello });
      await settle(10);
    }
    const reader = channel[Symbol.asyncIterator]();
    const senders: NodeId[] = [];
    for (let count = 0; count < 4; count++) senders.push(((await reader.next()).value as { from: NodeId }).from);
    expect(senders).toEqual([named.key.id, named.key.id, stranger.key.id, stranger.key.id]);
  });
});

describe('the life of a link', () => {
  test('a peer comes up on both sides and goes down on both when one evicts it', async () => {
    const { a, b } = await pair();
    a.manager.evict(a.manager.arrivals[0]!, 'displaced');
    await settle(10);
    expect(a.manager.heard).toEqual(['route', 'up', 'down displaced']);
    expect(b.manager.heard.slice(0, 2)).toEqual(['route', 'up']);
    expect(b.manager.heard[2]).toMatch(/^down /);
    expect([a.router.linkCount, b.router.linkCount]).toEqual([0, 0]);
  });

  test('a peer is down only after its last message has been read', async () => {
    const { a, b, channels, clock } = await pair();
    await channels.a.send({ to: b.key.id, message: hello });
    await settle(10);
    a.manager.evict(a.manager.arrivals[0]!, 'operator');
    await settle(10);
    expect(b.manager.heard).toEqual(['route', 'up']);
    await channels.b[Symbol.asyncIterator]().next();
    await clock.advanceAsync(10);
    expect(b.manager.heard[2]).toMatch(/^down /);
    expect(b.counters.drops.size).toBe(0);
  });

  test('what nobody reads is dropped after the flush time, and the peer goes down', async () => {
    const { a, b, channels, clock } = await pair();
    await channels.a.send({ to: b.key.id, message: hello });
    await settle(10);
    a.manager.evict(a.manager.arrivals[0]!, 'operator');
    await settle(10);
    await clock.advanceAsync(2_100);
    await settle(10);
    expect(b.manager.heard[2]).toMatch(/^down /);
    expect(Object.fromEntries(b.counters.drops)).toEqual({ peerDown: 1 });
  });

  test('a refused connection is closed and never up', async () => {
    const { host, connect } = world();
    const [a, b] = [await host(), await host()];
    a.router.openChannel(talk);
    b.router.openChannel(talk);
    b.manager.admission = () => ({ verdict: 'refuse', reason: 'full', error: new TroupeError('ERR_SLOTS_FULL') });
    await connect(a, b);
    expect(b.manager.heard).toEqual(['refuse']);
    expect(Object.fromEntries(b.counters.disconnects)).toEqual({ full: 1 });
    // The dialer may believe it is connected until the close arrives: then it is a rejection.
    expect(a.manager.heard).toEqual(['route', 'up', 'down rejected']);
  });

  test('a peer of another network is refused by both, and the dial is answered once', async () => {
    const { host, connect } = world();
    const [a, b] = [await host({ network: 'one' }), await host({ network: 'two' })];
    await connect(a, b);
    expect(a.manager.heard).toEqual(['dialFailed ERR_PEER_INCOMPATIBLE']);
    expect(b.manager.heard).toEqual([]);
    expect([a.router.linkCount, b.router.linkCount]).toEqual([0, 0]);
  });

  test('a newer link replaces the older: down comes before up', async () => {
    const { a, b, connect } = await pair();
    b.manager.admission = () => ({ verdict: 'route', replaces: b.manager.arrivals[0]!.link });
    await connect(a, b);
    expect(b.manager.heard).toEqual(['route', 'up', 'route', 'down duplicate', 'up']);
    expect(b.router.linkCount).toBe(1);
  });

  test('a held link is routed when the manager says so, and closed when it does not', async () => {
    const { a, b, connect } = await pair();
    b.manager.admission = () => ({ verdict: 'hold', older: b.manager.arrivals[0]!.link });
    await connect(a, b);
    expect(b.manager.heard).toEqual(['route', 'up', 'hold']);
    b.manager.settlement!({ verdict: 'refuse', reason: 'duplicate', error: new TroupeError('ERR_PEER_DUPLICATE') });
    await settle(10);
    expect(b.manager.heard).toEqual(['route', 'up', 'hold', 'down duplicate']);
    expect(b.router.linkCount).toBe(1);
  });

  test('when the router stops, no connection outlives it and every admitted link is reported down', async () => {
    const { a, b } = await pair();
    a.actor.stop();
    await settle(10);
    expect(a.manager.heard.at(-1)).toBe('down restart');
    expect([a.router.linkCount, b.router.linkCount]).toEqual([0, 0]);
  });

  test('a graceful stop flushes what is queued', async () => {
    const { a, b, channels } = await pair();
    for (let i = 0; i < 50; i++) void channels.a.send({ to: b.key.id, message: Uint8Array.of(i) });
    const drained = a.router.drain(new AbortController().signal);
    const reader = channels.b[Symbol.asyncIterator]();
    for (let i = 0; i < 50; i++) expect((await reader.next()).value).toMatchObject({ message: Uint8Array.of(i) });
    await drained;
    expect(a.manager.heard.at(-1)).toBe('down shutdown');
    expect(a.router.linkCount).toBe(0);
  });

  test('a flush goes on where a connection that was full left off', async () => {
    const { a, b, channels } = await pair({ bufferMessages: 2, mailbox: { maxMessages: 4, peerShare: 100 } });
    for (let i = 0; i < 30; i++) void channels.a.send({ to: b.key.id, message: Uint8Array.of(i) });
    await settle(10);
    const drained = a.router.drain(new AbortController().signal);
    await settle(10);
    const reader = channels.b[Symbol.asyncIterator]();
    for (let i = 0; i < 30; i++) expect((await reader.next()).value).toMatchObject({ message: Uint8Array.of(i) });
    await drained;
    expect(a.counters.drops.size).toBe(0);
  });
});
