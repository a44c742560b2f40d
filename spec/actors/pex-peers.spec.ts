/** What the peer exchange reactor tells, and what it takes from whom. */
import { describe, expect, test } from '@jest/globals';
import { parseNodeAddress } from '../../proto/address.ts';
import { encodeMessage } from '../../proto/codec.ts';
import { TroupeError } from '../../proto/errors.ts';
import { pexMessage } from '../../proto/pex.ts';
import { peerId } from '../support/reactor-context.ts';
import { pexNetwork, stranger, strangers } from '../support/pex-context.ts';
import { settle } from '../support/virtual-clock.ts';

const a = peerId(1);
const b = peerId(2);

describe('answering', () => {
  test.each(['ip', 'url'] as const)('a request in dialect %s is answered in it', async (dialect) => {
    const net = await pexNetwork();
    net.fakes.tell = strangers(3);
    await net.up(a, { direction: 'inbound' });
    await net.request(a, dialect);
    expect(net.pex.sent).toEqual([{ to: a, message: { kind: 'response', dialect, addresses: strangers(3) } }]);
    expect(net.samples).toEqual([{ asker: a, limit: 100, remoteIp: '9.9.9.9' }]);
  });

  test('with nothing to tell the answer is empty', async () => {
    const net = await pexNetwork();
    await net.up(a);
    await net.request(a);
    expect(net.pex.sent.map(({ message }) => Buffer.from(encodeMessage(pexMessage, message)).toString('hex'))).toEqual(['1200']);
  });

  test('at most 100 addresses are told', async () => {
    const net = await pexNetwork();
    net.fakes.tell = strangers(110);
    await net.up(a);
    await net.request(a);
    expect(net.pex.sent[0]?.message.addresses).toHaveLength(100);
  });

  test('the ip dialect tells no address of another protocol, which it could not name', async () => {
    const net = await pexNetwork();
    net.fakes.tell = [parseNodeAddress(stranger(1)), parseNodeAddress(stranger(2).replace('mconn', 'quic'))];
    await net.up(a);
    await net.request(a, 'ip');
    await net.clock.advanceAsync(200);
    await net.request(a, 'url');
    expect(net.pex.sent.map(({ message }) => message.addresses.length)).toEqual([1, 2]);
  });

  test('requests 200 ms apart are all answered, from one sample in five seconds', async () => {
    const net = await pexNetwork();
    await net.up(a, { direction: 'inbound' });
    net.fakes.tell = strangers(2);
    for (let n = 0; n < 25; n++) {
      await net.request(a);
      net.fakes.tell = strangers(5);
      await net.clock.advanceAsync(200);
    }
    const answers = () => net.pex.sent.filter(({ message }) => message.kind === 'response').map(({ message }) => message.addresses.length);
    expect(answers()).toEqual(new Array(25).fill(2));
    expect(net.samples).toHaveLength(1);
    await net.request(a);
    expect(answers().at(-1)).toBe(5);
    expect([net.samples.length, net.pex.reports]).toEqual([2, []]);
  });

  test('a request within 200 ms of the last is flooding, is not answered and does not move the time', async () => {
    const net = await pexNetwork();
    await net.up(a, { direction: 'inbound' });
    await net.request(a);
    await net.clock.advanceAsync(199);
    await net.request(a);
    expect(net.pex.reports).toEqual([{ from: a, behaviour: 'flooding', reason: 'asked for addresses again within 200 ms' }]);
    expect(net.pex.sent).toHaveLength(1);
    await net.clock.advanceAsync(1);
    await net.request(a);
    expect([net.pex.sent.length, net.pex.reports.length]).toEqual([2, 1]);
  });

  test('a flood costs one sample in five seconds and is reported request by request', async () => {
    const net = await pexNetwork();
    await net.up(a, { direction: 'inbound' });
    for (let n = 0; n < 1_000; n++) {
      await net.request(a);
      net.clock.advance(10);
    }
    expect(net.samples).toHaveLength(2);
    expect(net.reportsOf('flooding')).toHaveLength(950);
    expect(net.fakes.caught).toBe(0);
  }, 20_000);

  test('reconnecting gives no fresh allowance', async () => {
    const net = await pexNetwork();
    await net.up(a, { direction: 'inbound' });
    await net.request(a);
    await net.down(a);
    await net.up(a, { direction: 'inbound' });
    await net.request(a);
    expect(net.reportsOf('flooding')).toHaveLength(1);
  });

  test('each peer has limits of its own', async () => {
    const net = await pexNetwork();
    await net.up(a);
    await net.up(b);
    await net.request(a);
    await net.request(b);
    expect([net.pex.sent.length, net.pex.reports]).toEqual([2, []]);
  });

  test('a peer that does not read holds up nobody, and one answer serves all it asked meanwhile', async () => {
    const net = await pexNetwork();
    const release: (() => void)[] = [];
    net.pex.onSend = (to) => (to === a ? new Promise<boolean>((resolve) => release.push(() => resolve(true))) : true);
    await net.up(a, { direction: 'inbound' });
    await net.up(b, { direction: 'inbound' });
    await net.request(a);
    for (let n = 0; n < 4; n++) {
      await net.clock.advanceAsync(200);
      await net.request(a, 'url');
    }
    await net.request(b);
    expect(net.pex.sent.map(({ to }) => to)).toEqual([a, b]);
    release[0]!();
    await settle();
    expect(net.pex.sent.map(({ to, message }) => [to, message.dialect])).toEqual([
      [a, 'ip'],
      [b, 'ip'],
      [a, 'url'],
    ]);
    release[1]!();
    await settle();
    expect(net.pex.sent).toHaveLength(3);
  });

  test('a request of a peer that does not list the channel is ignored', async () => {
    const net = await pexNetwork();
    await net.up(a, { channels: [0x40] });
    await net.request(a);
    await net.response(a, strangers(1));
    expect([net.pex.sent, net.pex.reports, net.added]).toEqual([[], [], []]);
  });
});

describe('taking addresses', () => {
  async function asked(options = {}, facts = {}) {
    const net = await pexNetwork(options);
    await net.up(a, facts);
    await net.asked(1_000);
    return net;
  }

  test('what was asked for goes to the peer manager with its source, and was useful', async () => {
    const net = await asked();
    await net.response(a, strangers(2));
    expect(net.added).toHaveLength(2);
    expect(new Set(net.added.map(({ address }) => address))).toEqual(new Set([stranger(0), stranger(1)]));
    expect(net.added.map(({ source }) => source)).toEqual(new Array(2).fill({ kind: 'gossip', from: a }));
    expect(net.pex.reports).toEqual([{ from: a, behaviour: 'useful', reason: 'sent addresses' }]);
  });

  test('the answer may come in either dialect', async () => {
    const net = await asked();
    await net.response(a, strangers(1), { dialect: 'url' });
    expect(net.added).toHaveLength(1);
  });

  test('an empty answer is normal', async () => {
    const net = await asked();
    await net.response(a);
    expect(net.pex.reports).toEqual([]);
  });

  test('an answer nobody asked for is unhelpful, and nothing is taken from it', async () => {
    const net = await pexNetwork();
    await net.up(a);
    await net.response(a, strangers(2));
    expect([net.added, net.pex.reports]).toEqual([[], [{ from: a, behaviour: 'unhelpful', reason: 'sent addresses without being asked' }]]);
  });

  test('a second answer to one request is one nobody asked for', async () => {
    const net = await asked();
    await net.response(a, strangers(1));
    await net.response(a, strangers(2));
    expect([net.added.length, net.reportsOf('unhelpful').length]).toEqual([1, 1]);
  });

  test('unasked answers within 200 ms of each other are flooding', async () => {
    const net = await pexNetwork();
    await net.up(a);
    await net.response(a);
    net.clock.advance(200);
    await net.response(a);
    net.clock.advance(199);
    await net.response(a);
    expect(net.pex.reports.map(({ behaviour }) => behaviour)).toEqual(['unhelpful', 'unhelpful', 'flooding']);
  });

  test('a late answer is taken and blamed only for being late', async () => {
    const net = await asked();
    await net.clock.advanceAsync(16_000);
    await net.response(a, strangers(1));
    expect([net.added.length, net.pex.reports.map(({ behaviour }) => behaviour)]).toEqual([1, ['unhelpful', 'useful']]);
  });

  test('the most addresses an answer may hold are read, one more is a violation and none is taken', async () => {
    const most = await asked({ pex: { maxReceived: 120 } });
    await most.response(a, strangers(119), { skipped: 1 });
    expect(most.reportsOf('protocolViolation')).toEqual([]);
    expect(most.added.length).toBeGreaterThan(0);
    const more = await asked({ pex: { maxReceived: 120 } });
    await more.response(a, strangers(119), { skipped: 2 });
    expect(more.pex.reports).toEqual([{ from: a, behaviour: 'protocolViolation', reason: 'sent 121 addresses, at most 120 are read' }]);
    expect(more.added).toEqual([]);
  });

  test('too many addresses are a violation whether or not they were asked for', async () => {
    const net = await pexNetwork({ pex: { maxReceived: 1 } });
    await net.up(a);
    await net.response(a, strangers(2));
    expect(net.pex.reports.map(({ behaviour }) => behaviour)).toEqual(['protocolViolation']);
  });

  test('a request is worth 100 addresses, chosen by chance from an answer of 250', async () => {
    const net = await asked();
    await net.response(a, strangers(250));
    expect(net.added).toHaveLength(100);
    expect(new Set(net.added.map(({ address }) => address)).size).toBe(100);
    expect(net.added.map(({ address }) => address)).not.toEqual(Array.from({ length: 100 }, (_, n) => stranger(n)));
  });

  test('beyond its requests a peer gains a tenth of an address a second', async () => {
    const net = await asked();
    await net.response(a, strangers(250));
    await net.asked(30_000);
    net.added.length = 0;
    await net.response(a, strangers(250));
    // 100 for the second request, 3 for 30 seconds.
    expect(net.added).toHaveLength(103);
  });

  test('a request that did not leave is worth nothing', async () => {
    const net = await pexNetwork();
    net.pex.onSend = () => false;
    await net.up(a);
    await net.asked(1_000);
    await net.response(a, strangers(250));
    expect(net.added).toEqual([]);
  });

  test('an address is passed on once however often an answer repeats it', async () => {
    const net = await asked();
    await net.response(a, [...strangers(2), ...strangers(2), ...strangers(2)]);
    expect(net.added).toHaveLength(2);
  });

  test.each([
    ['9.9.9.9', '127.0.0.1', false],
    ['9.9.9.9', '10.0.0.1', false],
    ['127.0.0.1', '127.0.0.1', true],
    ['10.0.0.9', '10.0.0.1', true],
    ['10.0.0.9', '127.0.0.1', false],
    ['9.9.9.9', '169.254.0.1', false],
    ['9.9.9.9', '8.8.8.8', true],
  ])('from a peer at %s the address %s is taken: %s', async (ip, host, taken) => {
    const net = await asked({}, { ip });
    await net.response(a, [parseNodeAddress(stranger(1, host))]);
    expect([net.added.length, net.pex.reports.length]).toEqual(taken ? [1, 1] : [0, 0]);
  });

  test('an answer that was read after its peer closed still counts for where it came from', async () => {
    const net = await asked({}, { ip: '127.0.0.1' });
    net.links.delete(a);
    await net.response(a, [parseNodeAddress(stranger(1, '127.0.0.1'))]);
    await net.down(a);
    expect(net.added).toHaveLength(1);
    expect(net.reportsOf('unhelpful')).toEqual([]);
  });

  test('addresses that the manager refuses are no fault of anybody', async () => {
    const net = await asked();
    net.fakes.onAdd = () => Promise.reject(new TroupeError('ERR_PEER_SELF'));
    await net.response(a, strangers(3));
    expect([net.fakes.caught, net.reportsOf('unhelpful'), net.outcome]).toEqual([0, [], {}]);
  });

  test('a slow store holds up neither answers nor other peers', async () => {
    const net = await asked();
    net.fakes.onAdd = () => new Promise(() => undefined);
    await net.response(a, strangers(3));
    await net.request(a);
    expect(net.pex.sent.at(-1)?.message.kind).toBe('response');
  });

  test('a message of a kind we do not know changes nothing', async () => {
    const net = await asked();
    net.pex.deliver(a, { kind: 'unknown', dialect: 'ip', addresses: [] });
    await settle();
    await net.response(a, strangers(1));
    expect([net.added.length, net.reportsOf('unhelpful'), net.fakes.caught]).toEqual([1, [], 0]);
  });
});

describe('what peers say of themselves', () => {
  test.each([
    ['inbound', '9.9.9.9', 'tcp://9.9.9.9:26656', `mconn://${a}@9.9.9.9:26656`],
    ['inbound', '9.9.9.9', 'tcp://0.0.0.0:26656', `mconn://${a}@9.9.9.9:26656`],
    ['inbound', '127.0.0.1', '127.0.0.1:26656', `mconn://${a}@127.0.0.1:26656`],
    ['inbound', '', '0.0.0.0:26656', `memory:${a}`],
    ['inbound', '9.9.9.9', 'tcp://8.8.8.8:26656', undefined],
    ['inbound', '9.9.9.9', 'tcp://example.com:26656', undefined],
    ['outbound', '9.9.9.9', 'tcp://9.9.9.9:26656', undefined],
  ] as const)('an %s peer from "%s" that listens on %s is passed on as %s', async (direction, ip, listenAddr, address) => {
    const net = await pexNetwork();
    await net.up(a, { direction, ip, listenAddr });
    expect(net.added).toEqual(address ? [{ address, source: { kind: 'self', from: a } }] : []);
  });

  test('this holds for a peer without the channel too', async () => {
    const net = await pexNetwork();
    await net.up(a, { direction: 'inbound', channels: [0x40] });
    expect(net.added).toHaveLength(1);
  });

  test('a peer whose link is gone before we hear of it does no harm', async () => {
    const net = await pexNetwork();
    net.peers.up(a, [0x00]);
    await settle();
    expect([net.added, net.outcome]).toEqual([[], {}]);
  });
});
