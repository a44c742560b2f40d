import { afterEach, describe, expect, test } from '@jest/globals';
import type { Envelope } from '../../actors/channel.ts';
import type { MessageType } from '../../proto/codec.ts';
import { hello, other, pair, stopAll, talk, world } from '../support/router.ts';
import { settle } from '../support/virtual-clock.ts';

afterEach(stopAll);

describe('a channel opened while peers are up', () => {
  test('is told at the next handshake: until then nothing is sent on it, even to a peer that lists it, and no link suffers', async () => {
    const { host, connect } = world();
    const [a, b] = [await host(), await host()];
    for (const options of [talk, other]) b.router.openChannel(options);
    a.router.openChannel(talk);
    await connect(a, b);
    const late = a.router.openChannel(other);
    expect(await late.send({ to: b.key.id, message: hello })).toBe(false);
    expect(await late.broadcast(hello)).toBe(0);
    expect(Object.fromEntries(a.counters.drops)).toEqual({ channelNotListed: 1 });
    await settle(10);
    expect(a.manager.heard).toEqual(['route', 'up']);
    expect(b.manager.arrivals[0]!.channels).toEqual([talk.id]);

    a.manager.evict(a.manager.arrivals[0]!, 'operator');
    await settle(10);
    await connect(a, b);
    expect(b.manager.arrivals[1]!.channels).toEqual([talk.id, other.id]);
    expect(await late.send({ to: b.key.id, message: hello })).toBe(true);
  });
});

describe('a channel that is closed and opened anew while peers are up', () => {
  test('goes on over the links that had it', async () => {
    const { a, b, channels } = await pair();
    await channels.a.close();
    const again = a.router.openChannel(talk);
    expect(await again.send({ to: b.key.id, message: hello })).toBe(true);
    expect((await channels.b[Symbol.asyncIterator]().next()).value).toMatchObject({ message: hello });
  });

  test('with a larger capacity does not break a link that was told a smaller one', async () => {
    const { a, b, channels } = await pair();
    await channels.a.close();
    const larger = a.router.openChannel({ ...talk, maxMessageBytes: talk.maxMessageBytes * 2 });
    expect(await larger.send({ to: b.key.id, message: new Uint8Array(talk.maxMessageBytes + 1) })).toBe(false);
    expect(await larger.send({ to: b.key.id, message: hello })).toBe(true);
    await settle(10);
    expect(Object.fromEntries(a.counters.drops)).toEqual({ channelNotListed: 1 });
    expect(a.manager.heard).toEqual(['route', 'up']);
  });

  test('with a smaller capacity reads nothing larger from a link that was told a larger one', async () => {
    const { b, channels } = await pair();
    await channels.b.close();
    const smaller = b.router.openChannel({ ...talk, maxMessageBytes: 2 });
    await channels.a.send({ to: b.key.id, message: hello });
    await channels.a.send({ to: b.key.id, message: Uint8Array.of(1, 2) });
    expect((await smaller[Symbol.asyncIterator]().next()).value).toMatchObject({ message: Uint8Array.of(1, 2) });
    expect(Object.fromEntries(b.counters.drops)).toEqual({ withdrawn: 1 });
    expect(b.manager.heard).toEqual(['route', 'up']);
  });
});

test('a channel that is closed while senders wait fails them, typed and counted; what was taken before is still sent', async () => {
  const { a, b, channels } = await pair({ bufferMessages: 1, peerQueue: { maxMessages: 2 }, mailbox: { maxMessages: 1 } });
  const sent = Array.from({ length: 9 }, (_, n) =>
    channels.a.send({ to: b.key.id, message: Uint8Array.of(n) }).catch((error: unknown) => error),
  );
  await settle(10);
  await channels.a.close();
  const became = await Promise.all(sent);
  const taken = became.filter((each) => each === true).length;
  expect(became.slice(taken)).toEqual(became.slice(taken).map(() => expect.objectContaining({ code: 'ERR_CHANNEL_CLOSED' })));
  expect([taken > 0, taken < 9]).toEqual([true, true]);
  expect(Object.fromEntries(a.counters.drops)).toEqual({ withdrawn: 9 - taken });
  const reader = channels.b[Symbol.asyncIterator]();
  for (let n = 0; n < taken; n++) expect((await reader.next()).value).toMatchObject({ message: Uint8Array.of(n) });
  expect(a.manager.heard).toEqual(['route', 'up']);
});

test('up is told only once messages can be sent: one sent from the telling itself arrives', async () => {
  const { host, connect } = world();
  const [a, b] = [await host(), await host()];
  const [atA, atB] = [a, b].map(({ router }) => router.openChannel(talk));
  const sent: Promise<boolean>[] = [];
  a.manager.ready = (id) => sent.push(atA!.send({ to: id, message: hello }));
  await connect(a, b);
  expect(await Promise.all(sent)).toEqual([true]);
  expect((await atB![Symbol.asyncIterator]().next()).value).toEqual({ from: a.key.id, message: hello });
});

test('down is told only once nothing is sent any more', async () => {
  const { a, b, channels } = await pair();
  const sent: Promise<boolean>[] = [];
  a.manager.disconnected = (id) => sent.push(channels.a.send({ to: id, message: hello }));
  a.manager.evict(a.manager.arrivals[0]!, 'operator');
  await settle(10);
  expect(await Promise.all(sent)).toEqual([false]);
  expect([a.router.link(b.key.id), Object.fromEntries(a.counters.drops)]).toEqual([undefined, { peerDown: 1 }]);
});

test('a broadcast is encoded once, for however many peers', async () => {
  let encoded = 0;
  const type: MessageType<Uint8Array> = { encode: (message) => (encoded++, message), decode: (from) => from };
  const { host, connect } = world();
  const hosts = [await host(), await host(), await host(), await host()];
  const [all] = hosts.map(({ router }) => router.openChannel({ ...talk, type }));
  for (const peer of hosts.slice(1)) await connect(hosts[0]!, peer);
  expect(await all!.broadcast(hello)).toBe(3);
  expect(encoded).toBe(1);
});

describe('a wrapper', () => {
  type Wrapped = Readonly<{ text: string }>;
  const text = new TextEncoder();
  /** Marks what it wraps and unwraps; takes no message without text, and one that is wrapped already as it is. */
  const marking: MessageType<Wrapped> = {
    encode: ({ text: said }) => text.encode(said),
    decode: (encoded) => ({ text: new TextDecoder().decode(encoded) }),
    wrap: (inner) => {
      if (inner.text === '') throw new TypeError('not of this channel');
      return inner.text.startsWith('outer ') ? { text: inner.text.slice(6) } : { text: `wrap:${inner.text}` };
    },
    unwrap: (outer) => ({ text: `unwrap:${outer.text}` }),
  };

  async function wrapped() {
    const { host, connect } = world();
    const [a, b] = [await host(), await host()];
    const [atA, atB] = [a, b].map(({ router }) => router.openChannel({ ...talk, type: marking }));
    await connect(a, b);
    const reader = atB![Symbol.asyncIterator]();
    const next = async (): Promise<string> => ((await reader.next()).value as Envelope<Wrapped>).message.text;
    return { a, b, atA: atA!, next };
  }

  test('is put around each message and taken off again, unseen by both ends', async () => {
    const { b, atA, next } = await wrapped();
    await atA.send({ to: b.key.id, message: { text: 'foo' } });
    expect(await next()).toBe('unwrap:wrap:foo');
    await atA.broadcast({ text: 'bar' });
    expect(await next()).toBe('unwrap:wrap:bar');
  });

  test('may be sent itself, and is then only taken off', async () => {
    const { b, atA, next } = await wrapped();
    await atA.send({ to: b.key.id, message: { text: 'outer foo' } });
    expect(await next()).toBe('unwrap:foo');
  });

  test('that does not take a message costs that message alone: false for the sender, counted, and nobody disconnects', async () => {
    const { a, b, atA, next } = await wrapped();
    expect(await atA.send({ to: b.key.id, message: { text: '' } })).toBe(false);
    expect(await atA.broadcast({ text: '' })).toBe(0);
    expect(Object.fromEntries(a.counters.drops)).toEqual({ unencodable: 2 });
    await expect(atA.request({ to: b.key.id, message: { text: '' }, timeoutMs: 100 })).rejects.toMatchObject({
      code: 'ERR_REQUEST_FAILED',
    });
    await atA.send({ to: b.key.id, message: { text: 'foo' } });
    expect(await next()).toBe('unwrap:wrap:foo');
    expect([a.manager.heard, b.manager.heard]).toEqual([
      ['route', 'up'],
      ['route', 'up'],
    ]);
  });
});
