import { createSocket } from 'node:dgram';
import { describe, expect, test } from '@jest/globals';
import { parseNodeAddress, type NodeAddress } from '../../proto/address.ts';
import { formatEndpoint, parseEndpoint, type Endpoint } from '../../proto/endpoint.ts';
import { TroupeError } from '../../proto/errors.ts';
import type { NodeId } from '../../proto/identity.ts';
import { dialEndpoints, dnsLookup, resolver, type Lookup } from '../../transports/resolve.ts';
import { settle, VirtualClock } from '../../transports/simulated.ts';
import type { Connection, Transport } from '../../transports/transport.ts';
import { expectCode, failureOf, keyOf, live, staysPending } from '../support/transport-bench.ts';

const { id } = keyOf('a');

/** A lookup that answers from a table, or when told to. */
function fakeLookup(table: Readonly<Record<string, readonly string[]>> = {}) {
  const asked: string[] = [];
  const open = new Map<string, (ips: readonly string[]) => void>();
  const signals = new Map<string, AbortSignal>();
  const lookup: Lookup = (host, signal) => {
    asked.push(host);
    signals.set(host, signal);
    const answer = table[host];
    return answer ? Promise.resolve(answer) : new Promise((resolve) => open.set(host, resolve));
  };
  return { lookup, asked, signals, answer: (host: string, ips: readonly string[]): void => open.get(host)!(ips) };
}

function setUp(table?: Readonly<Record<string, readonly string[]>>, timeoutMs = 3_000) {
  const clock = new VirtualClock();
  const fake = fakeLookup(table);
  const resolve = resolver({ clock, timeoutMs, lookup: fake.lookup });
  const texts = async (address: string, signal = live()): Promise<readonly string[]> =>
    (await resolve(parseNodeAddress(address), signal)).map(formatEndpoint);
  return { clock, resolve, texts, ...fake };
}

describe('resolving an address', () => {
  test.each([
    [`mconn://${id}@127.0.0.1:80`, 'mconn://127.0.0.1:80'],
    [`mconn://${id}@127.0.0.1`, 'mconn://127.0.0.1:26656'],
    [`tcp://${id}@8.8.8.8:1/path`, 'tcp://8.8.8.8:1/path'],
    [`mconn://${id}@[::1]:7`, 'mconn://[::1]:7'],
    [`mconn://${id}@[2001:0db8:0:0::1]`, 'mconn://[2001:db8::1]:26656'],
    [`mconn://${id}@[::ffff:1.2.3.4]:5`, 'mconn://1.2.3.4:5'],
  ])('an IP literal stays what it is, and nothing is looked up: %s', async (address, endpoint) => {
    const { texts, asked } = setUp();
    expect(await texts(address)).toEqual([endpoint]);
    expect(asked).toEqual([]);
  });

  test.each([[`memory:${id}`], [`memory://${id}@/other`]])('without a host, the node id is the path: %s', async (address) => {
    const { resolve, asked } = setUp();
    expect(await resolve(parseNodeAddress(address), live())).toEqual([{ protocol: 'memory', ip: '', port: 0, path: id }]);
    expect(asked).toEqual([]);
  });

  test('a name gives IPv6 and IPv4 in turn, each once, what is no IP left out', async () => {
    const { texts } = setUp({
      'host.example': ['1.1.1.1', '1.1.1.1', 'name', '2.2.2.2', '3.3.3.3', '::1:1', '0::1:1', '::ffff:2.2.2.2', 'fe80::1%eth0'],
    });
    expect(await texts(`mconn://${id}@host.example:9`)).toEqual([
      'mconn://[::1:1]:9',
      'mconn://1.1.1.1:9',
      'mconn://2.2.2.2:9',
      'mconn://3.3.3.3:9',
    ]);
  });

  test('a name gives at most eight endpoints, of both families if it has both', async () => {
    const four = Array.from({ length: 1_000 }, (_, index) => `10.0.${index >> 8}.${index & 255}`);
    const six = Array.from({ length: 1_000 }, (_, index) => `2001:db8::${(index + 1).toString(16)}`);
    const { resolve } = setUp({ 'many.example': [...four, ...six], 'four.example': four });
    const many = await resolve(parseNodeAddress(`mconn://${id}@many.example`), live());
    expect(many.map(({ ip }) => ip.includes(':'))).toEqual([true, false, true, false, true, false, true, false]);
    expect(await resolve(parseNodeAddress(`mconn://${id}@four.example`), live())).toHaveLength(8);
  });

  test('a name is looked up afresh each time', async () => {
    const { texts, asked } = setUp({ 'host.example': ['1.1.1.1'] });
    await texts(`mconn://${id}@host.example`);
    await texts(`mconn://${id}@host.example`);
    expect(asked).toEqual(['host.example', 'host.example']);
  });

  test.each<[string, Partial<NodeAddress>]>([
    ['no protocol', { protocol: '', host: 'host.example' }],
    ['neither host nor id', { protocol: 'memory', nodeId: '' as NodeId }],
    ['only a path', { protocol: 'memory', nodeId: '' as NodeId, path: 'path' }],
    ['a host with a port inside', { host: '127.0.0.1:80' }],
    ['an emoji', { host: '👋' }],
    ['a short form of an IP', { host: '127.1' }],
    ['a number', { host: '2130706433' }],
    ['blanks', { host: 'a host' }],
    ['an empty label', { host: 'a..example' }],
  ])('is refused without asking anybody: %s', async (_what, part) => {
    const { resolve, asked } = setUp();
    await expectCode(() => resolve({ protocol: 'mconn', nodeId: id, host: '', port: 0, path: '', ...part }, live()), 'ERR_RESOLVE_FAILED');
    expect(asked).toEqual([]);
  });

  test('a name without an address, or whose lookup fails, is an error that says why', async () => {
    const { texts } = setUp({ 'none.example': [] });
    await expectCode(() => texts(`mconn://${id}@none.example`), 'ERR_RESOLVE_FAILED');
    const cause = new Error('SERVFAIL');
    const resolve = resolver({ clock: new VirtualClock(), timeoutMs: 1, lookup: () => Promise.reject(cause) });
    const failure = (await failureOf(() => resolve(parseNodeAddress(`mconn://${id}@host.example`), live()))) as TroupeError;
    expect([failure.code, failure.cause]).toEqual(['ERR_RESOLVE_FAILED', cause]);
  });

  test('takes no longer than its deadline, and leaves no timer', async () => {
    const { clock, texts, signals } = setUp({}, 3_000);
    const failure = failureOf(() => texts(`mconn://${id}@slow.example`));
    await clock.advanceAsync(2_999);
    expect(await staysPending(failure)).toBe(true);
    await clock.advanceAsync(1);
    expect(await failure).toMatchObject({ code: 'ERR_RESOLVE_FAILED' });
    expect(signals.get('slow.example')!.aborted).toBe(true);
    expect(clock.pending).toBe(0);
  });

  test('rejects with exactly the reason of its signal, before and during the lookup', async () => {
    const { clock, texts, asked } = setUp();
    const reason = new Error('enough');
    expect(await failureOf(() => texts(`mconn://${id}@host.example`, AbortSignal.abort(reason)))).toBe(reason);
    expect(await failureOf(() => texts(`mconn://${id}@1.1.1.1`, AbortSignal.abort(reason)))).toBe(reason);
    expect(asked).toEqual([]);
    const stop = new AbortController();
    const failure = failureOf(() => texts(`mconn://${id}@host.example`, stop.signal));
    await settle();
    stop.abort(reason);
    expect(await failure).toBe(reason);
    expect(clock.pending).toBe(0);
  });

  test('looks up two names at once, the others in turn; waiting counts towards the deadline', async () => {
    const { clock, texts, asked, answer } = setUp({}, 1_000);
    const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => texts(`mconn://${id}@${name}.example`));
    await settle();
    expect(asked).toEqual(['a.example', 'b.example']);
    answer('b.example', ['2.2.2.2']);
    expect(await b).toEqual(['mconn://2.2.2.2:26656']);
    await settle();
    expect(asked).toEqual(['a.example', 'b.example', 'c.example']);
    const failures = [a, c, d].map((waiting) => failureOf(() => waiting));
    await clock.advanceAsync(1_000);
    for (const failure of failures) expect(await failure).toMatchObject({ code: 'ERR_RESOLVE_FAILED' });
    const next = texts(`mconn://${id}@e.example`);
    await settle();
    answer('e.example', ['5.5.5.5']);
    expect(await next).toEqual(['mconn://5.5.5.5:26656']);
  });

  test('a lookup given up while it waits for its turn leaves the turn to the next', async () => {
    const { texts, asked, answer } = setUp();
    const stop = new AbortController();
    const first = [texts(`mconn://${id}@a.example`), texts(`mconn://${id}@b.example`)];
    const given = failureOf(() => texts(`mconn://${id}@c.example`, stop.signal));
    const last = texts(`mconn://${id}@d.example`);
    await settle();
    stop.abort(new Error('enough'));
    await given;
    answer('a.example', ['1.1.1.1']);
    await settle();
    expect(asked).toEqual(['a.example', 'b.example', 'd.example']);
    answer('b.example', ['1.1.1.1']);
    answer('d.example', ['1.1.1.1']);
    await Promise.all([...first, last]);
  });

  test('localhost is loopback, without a question to any server', async () => {
    const resolve = resolver({ clock: new VirtualClock(), timeoutMs: 1_000 });
    for (const host of ['localhost', 'localhost.', 'a.localhost']) {
      const endpoints = await resolve({ protocol: 'mconn', nodeId: id, host, port: 1, path: '' }, live());
      expect(endpoints.map(({ ip }) => ip)).toEqual(['::1', '127.0.0.1']);
    }
  });
});

/** A name server on loopback that answers questions by their type (1 is A, 28 is AAAA) and is silent about types it has nothing on. */
async function nameServer(answers: Readonly<Record<number, readonly Uint8Array[] | 'none'>>) {
  const socket = createSocket('udp4');
  const asked: number[] = [];
  socket.on('message', (question, { port }) => {
    const end = question.indexOf(0, 12) + 5;
    const type = question.readUInt16BE(end - 4);
    asked.push(type);
    const records = answers[type];
    if (!records) return;
    const header = Buffer.from(question.subarray(0, end));
    header.writeUInt16BE(records === 'none' ? 0x8183 : 0x8180, 2);
    header.writeUInt16BE(records === 'none' ? 0 : records.length, 6);
    header.writeUInt32BE(0, 8);
    const found =
      records === 'none' ? [] : records.map((ip) => Buffer.concat([Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 60, 0, ip.length]), ip]));
    socket.send(Buffer.concat([header, ...found]), port);
  });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  return {
    asked,
    lookup: dnsLookup([`127.0.0.1:${socket.address().port}`]),
    close: () => new Promise<void>((resolve) => socket.close(resolve)),
  };
}

describe('asking DNS', () => {
  const ipv4 = Uint8Array.of(1, 2, 3, 4);
  const ipv6 = Uint8Array.from({ length: 16 }, (_, index) => (index === 15 ? 9 : index === 0 ? 0x20 : 0));

  test('asks for both families', async () => {
    const server = await nameServer({ 1: [ipv4], 28: [ipv6] });
    expect([...(await server.lookup('host.example', live()))].sort()).toEqual(['1.2.3.4', '2000::9']);
    expect([...server.asked].sort((a, b) => a - b)).toEqual([1, 28]);
    await server.close();
  });

  test('is content with one family', async () => {
    const server = await nameServer({ 1: [ipv4], 28: 'none' });
    expect(await server.lookup('host.example', live())).toEqual(['1.2.3.4']);
    await server.close();
  });

  test('fails for a name that does not exist', async () => {
    const server = await nameServer({ 1: 'none', 28: 'none' });
    const resolve = resolver({ clock: new VirtualClock(), timeoutMs: 1_000, lookup: server.lookup });
    await expectCode(() => resolve(parseNodeAddress(`mconn://${id}@host.example`), live()), 'ERR_RESOLVE_FAILED');
    await server.close();
  });

  test('lets go of a silent server at once when its signal aborts', async () => {
    const server = await nameServer({});
    const stop = new AbortController();
    const failure = failureOf(() => server.lookup('host.example', stop.signal));
    stop.abort(new Error('enough'));
    expect(await failure).toMatchObject({ code: 'ECANCELLED' });
    await server.close();
  });
});

/** A transport whose dials end when told to. */
function fakeTransport() {
  const dials: {
    endpoint: Endpoint;
    signal: AbortSignal;
    succeed: () => Promise<void>;
    fail: (error?: Error) => Promise<void>;
    closed: boolean;
  }[] = [];
  const transport = {
    dial: (endpoint: Endpoint, signal: AbortSignal) =>
      new Promise<Connection>((resolve, reject) => {
        const dial = {
          endpoint,
          signal,
          closed: false,
          succeed: () => {
            resolve({ remoteEndpoint: endpoint, close: () => Promise.resolve(void (dial.closed = true)) } as Connection);
            return settle();
          },
          fail: (error: Error = new TroupeError('ERR_DIAL_FAILED', formatEndpoint(endpoint))) => {
            reject(error);
            return settle();
          },
        };
        dials.push(dial);
      }),
  } as unknown as Transport;
  return { transport, dials };
}

describe('racing endpoints', () => {
  const endpoints = ['mconn://[::1]:1', 'mconn://1.1.1.1:1', 'mconn://[::2]:1'].map(parseEndpoint);

  function race(given: Partial<Parameters<typeof dialEndpoints>[0]> = {}) {
    const clock = new VirtualClock();
    const { transport, dials } = fakeTransport();
    const stop = new AbortController();
    const result = dialEndpoints({ endpoints, transportOf: () => transport, clock, delayMs: 250, signal: stop.signal, ...given });
    result.catch(() => undefined);
    return { clock, dials, stop, result };
  }

  test('dials the first alone, and the next each after its head start', async () => {
    const { clock, dials, result } = race();
    const dialed = (): readonly string[] => dials.map(({ endpoint }) => formatEndpoint(endpoint));
    expect(dialed()).toEqual(['mconn://[::1]:1']);
    clock.advance(249);
    expect(dialed()).toHaveLength(1);
    clock.advance(1);
    expect(dialed()).toEqual(['mconn://[::1]:1', 'mconn://1.1.1.1:1']);
    clock.advance(250);
    expect(dialed()).toHaveLength(3);
    expect(clock.pending).toBe(0);
    await dials[1]!.succeed();
    expect((await result).remoteEndpoint).toEqual(endpoints[1]);
  });

  test('calls off the others once one has won, and closes what they still bring', async () => {
    const { clock, dials, result } = race();
    clock.advance(250);
    await dials[1]!.succeed();
    await result;
    expect(dials[0]!.signal.aborted).toBe(true);
    expect(clock.pending).toBe(0);
    await dials[0]!.succeed();
    expect(dials.map(({ closed }) => closed)).toEqual([true, false]);
    clock.advance(10_000);
    expect(dials).toHaveLength(2);
  });

  test('goes on to the next at once when one fails', async () => {
    const { clock, dials, result } = race();
    await dials[0]!.fail();
    expect(dials).toHaveLength(2);
    clock.advance(249);
    expect(dials).toHaveLength(2);
    clock.advance(1);
    expect(dials).toHaveLength(3);
    await dials[2]!.succeed();
    expect((await result).remoteEndpoint).toEqual(endpoints[2]);
  });

  test('fails when all have failed, with all their errors', async () => {
    const { clock, dials, result } = race();
    for (const index of [0, 1, 2]) await dials[index]!.fail();
    const failure = (await failureOf(() => result)) as TroupeError;
    expect(failure.code).toBe('ERR_DIAL_FAILED');
    expect((failure.cause as AggregateError).errors).toHaveLength(3);
    expect(clock.pending).toBe(0);
  });

  test('of one endpoint fails as that one failed', async () => {
    const error = new TroupeError('ERR_ENDPOINT_INVALID');
    const { dials, result } = race({ endpoints: endpoints.slice(0, 1) });
    await dials[0]!.fail(error);
    expect(await failureOf(() => result)).toBe(error);
  });

  test('rejects with exactly the reason of its signal, and calls every attempt off', async () => {
    const reason = new Error('enough');
    const { clock, dials, stop, result } = race();
    clock.advance(250);
    stop.abort(reason);
    expect(await failureOf(() => result)).toBe(reason);
    expect(dials.map(({ signal }) => signal.reason as unknown)).toEqual([reason, reason]);
    expect(clock.pending).toBe(0);
    await dials[0]!.succeed();
    expect(dials[0]!.closed).toBe(true);
    const before = race({ signal: AbortSignal.abort(reason) });
    expect(await failureOf(() => before.result)).toBe(reason);
    expect(before.dials).toEqual([]);
  });

  test('needs an endpoint, and a transport for it', async () => {
    await expectCode(() => race({ endpoints: [] }).result, 'ERR_DIAL_FAILED');
    await expectCode(() => race({ endpoints: endpoints.slice(0, 1), transportOf: () => undefined }).result, 'ERR_TRANSPORT_UNKNOWN');
  });
});
