/** The peer exchange reactor, rule by rule, over a fake channel and the virtual clock. */
import { describe, expect, test } from '@jest/globals';
import { encodeMessage } from '../../proto/codec.ts';
import { TroupeError } from '../../proto/errors.ts';
import { pexMessage } from '../../proto/pex.ts';
import { pexReactor } from '../../actors/pex.ts';
import { peerId } from '../support/reactor-context.ts';
import { pexNetwork, stranger, strangers } from '../support/pex-context.ts';
import { settle } from '../support/virtual-clock.ts';

const a = peerId(1);
const b = peerId(2);
const c = peerId(3);

describe('the channel of peer exchange', () => {
  test('has the id, priority and capacity of every release', () => {
    expect(pexReactor()).toMatchObject({ name: 'pex', channels: { pex: { id: 0x00, name: 'pex', priority: 1, maxMessageBytes: 64_000 } } });
  });
});

describe('asking', () => {
  test('an outbound peer is asked soon after it came up, in the dialect of the network', async () => {
    const net = await pexNetwork();
    await net.up(a);
    await net.clock.advanceAsync(1_000);
    expect(net.pex.sent).toEqual([{ to: a, message: { kind: 'request', dialect: 'ip', addresses: [] } }]);
    const url = await pexNetwork({ pex: { dialect: 'url' } });
    await url.up(a);
    await url.clock.advanceAsync(1_000);
    expect(url.pex.sent.map(({ message }) => Buffer.from(encodeMessage(pexMessage, message)).toString('hex'))).toEqual(['1a00']);
  });

  test('a peer without the channel is never asked', async () => {
    const net = await pexNetwork();
    await net.up(a, { channels: [0x40] });
    expect(await net.asked(120_000)).toEqual([]);
  });

  test('one peer is asked at most every 30 seconds, for an hour', async () => {
    const net = await pexNetwork();
    await net.up(a);
    const at: number[] = [];
    for (let minute = 0; minute < 60; minute++) {
      for (let second = 0; second < 60; second++) {
        const [asked] = await net.asked(1_000);
        if (!asked) continue;
        at.push(asked.at);
        await net.response(a, strangers(at.length));
      }
    }
    const gaps = at.slice(1).map((time, index) => time - at[index]!);
    expect(Math.min(...gaps)).toBe(30_000);
    expect(at.length).toBeGreaterThan(100);
    expect(net.pex.reports.filter(({ behaviour }) => behaviour !== 'useful')).toEqual([]);
  });

  test('one peer is asked a tick, and outbound peers before inbound ones', async () => {
    const net = await pexNetwork();
    await net.up(a, { direction: 'inbound' });
    await net.up(b);
    await net.up(c);
    const asked = await net.asked(3_000);
    expect(asked.map(({ at }) => at)).toEqual([1_000, 2_000, 3_000]);
    expect(
      asked
        .slice(0, 2)
        .map(({ to }) => to)
        .sort(),
    ).toEqual([b, c]);
    expect(asked[2]?.to).toBe(a);
  });

  test('inbound peers are asked when there are no others', async () => {
    const net = await pexNetwork();
    await net.up(a, { direction: 'inbound' });
    expect((await net.asked(2_000)).map(({ to }) => to)).toEqual([a]);
  });

  test('a silent peer is unhelpful at the deadline, and asked again when it is due', async () => {
    const net = await pexNetwork();
    await net.up(a);
    await net.asked(1_000);
    await net.clock.advanceAsync(14_999);
    expect(net.pex.reports).toEqual([]);
    await net.clock.advanceAsync(1);
    expect(net.pex.reports).toEqual([{ from: a, behaviour: 'unhelpful', reason: 'a request for addresses was not answered' }]);
    expect(await net.asked(20_000)).toEqual([{ to: a, at: 31_000 }]);
    expect(net.pex.reports).toHaveLength(1);
  });

  test('silent peers do not stop discovery: the others are asked meanwhile', async () => {
    const net = await pexNetwork();
    await net.up(a);
    await net.up(b);
    await net.up(c);
    const asked = await net.asked(3_000);
    expect(new Set(asked.map(({ to }) => to))).toEqual(new Set([a, b, c]));
  });

  test('a request that finds no queue blames nobody', async () => {
    const net = await pexNetwork();
    net.pex.onSend = () => false;
    await net.up(a);
    await net.asked(60_000);
    expect([net.pex.reports, net.outcome]).toEqual([[], {}]);
  });

  test('a send that throws is logged, and asking goes on', async () => {
    const net = await pexNetwork();
    net.pex.onSend = () => {
      throw new TroupeError('ERR_SEND_INVALID');
    };
    await net.up(a);
    expect(await net.asked(40_000)).toHaveLength(2);
    expect(net.lines).toContainEqual(expect.objectContaining({ level: 50, msg: 'peer exchange message not sent', to: a, kind: 'request' }));
    expect([net.pex.reports, net.outcome]).toEqual([[], {}]);
  });

  test('a peer that reconnects is not asked again before its interval is over', async () => {
    const net = await pexNetwork();
    await net.up(a);
    await net.asked(1_000);
    for (let flap = 0; flap < 5; flap++) {
      await net.down(a);
      await net.up(a);
    }
    expect(await net.asked(29_000)).toEqual([]);
    expect(await net.asked(1_000)).toEqual([{ to: a, at: 31_000 }]);
    expect(net.pex.reports).toEqual([]);
  });

  test('a restart of the reactor neither asks again nor takes the answer for unasked', async () => {
    const net = await pexNetwork();
    await net.up(a);
    await net.asked(1_000);
    await net.restart();
    await net.up(a);
    expect(await net.asked(5_000)).toEqual([]);
    await net.response(a, strangers(1));
    expect(net.added.map(({ address }) => address)).toEqual([stranger(0)]);
    expect(net.reportsOf('unhelpful')).toEqual([]);
  });

  test('the next request is early while answers bring new addresses, and late when they do not', async () => {
    const net = await pexNetwork({ slots: { outbound: 1 } });
    for (let n = 1; n <= 40; n++) await net.up(peerId(n));
    await net.asked(1_000);
    await net.response(net.pex.sent[0]!.to as never, strangers(20));
    expect(await net.asked(2_000)).toHaveLength(1);
    await net.response(net.pex.sent[1]!.to as never, []);
    // 1,000 / 39 x 21 squared + 1,000 = 12.3 s after the last request.
    expect(await net.asked(12_000)).toEqual([]);
    expect(await net.asked(1_000)).toHaveLength(1);
  });

  test('whatever answers say, the wait is at most ten minutes, and 30 seconds while outbound slots are free', async () => {
    const full = await pexNetwork({ slots: { outbound: 1 }, store: { maxPeers: 100 } });
    full.fakes.known = 95;
    await full.up(a);
    await full.up(b);
    const [first] = await full.asked(1_000);
    await full.response(first!.to, []);
    expect(await full.asked(599_000)).toEqual([]);
    expect(await full.asked(1_000)).toHaveLength(1);

    const looking = await pexNetwork();
    await looking.up(a);
    for (let n = 0; n < 4; n++) {
      await looking.asked(n === 0 ? 1_000 : 30_000);
      await looking.response(a, n === 0 ? strangers(200) : []);
    }
    expect(looking.pex.sent).toHaveLength(4);
  });
});

describe('a hostile network', () => {
  test('a seed that answers and closes is fine, every time', async () => {
    const net = await pexNetwork();
    for (let life = 0; life < 3; life++) {
      await net.up(a);
      for (let seconds = 0; (await net.asked(1_000)).length === 0; seconds++) expect(seconds).toBeLessThan(31);
      net.pex.deliver(a, { kind: 'response', dialect: 'ip', addresses: strangers(3) });
      await net.down(a);
    }
    expect(net.reportsOf('useful')).toHaveLength(3);
    expect(net.reportsOf('unhelpful')).toHaveLength(0);
  });

  test('of peers that come, ask and go 1,024 are remembered, and one that is up is never forgotten', async () => {
    const net = await pexNetwork();
    await net.up(a, { direction: 'inbound' });
    await net.request(a);
    for (let n = 0; n < 1_500; n++) {
      await net.up(peerId(100 + n), { direction: 'inbound' });
      await net.request(peerId(100 + n));
      await net.down(peerId(100 + n));
    }
    const isRemembered = async (n: number): Promise<boolean> => {
      const before = net.reportsOf('flooding').length;
      await net.up(peerId(100 + n), { direction: 'inbound' });
      await net.request(peerId(100 + n));
      return net.reportsOf('flooding').length > before;
    };
    expect(net.reportsOf('flooding')).toEqual([]);
    expect([await isRemembered(1_499), await isRemembered(477), await isRemembered(476)]).toEqual([true, true, false]);
    await net.request(a);
    expect(net.reportsOf('flooding').at(-1)?.from).toBe(a);
  }, 20_000);

  test('a manager that fails is our fault and costs one answer', async () => {
    const net = await pexNetwork();
    await net.up(a);
    await net.asked(1_000);
    net.fakes.onAdd = undefined;
    Object.defineProperty(net.fakes, 'known', {
      get: () => {
        throw new TroupeError('ERR_NODE_STATE');
      },
    });
    await net.response(a, strangers(1));
    expect([net.fakes.caught, net.reportsOf('unhelpful'), net.outcome]).toEqual([1, [], {}]);
  });

  test('stopping in the middle of everything leaves no timer and no reader', async () => {
    const net = await pexNetwork();
    net.pex.onSend = (_to, _message, signal) =>
      new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error)));
    await net.up(a);
    await net.up(b);
    await net.asked(2_000);
    await net.request(a);
    net.stop();
    await settle();
    expect([net.clock.pending, net.pex.mailbox.readers, net.peers.feed.readers]).toEqual([0, 0, 0]);
    expect(net.lines.filter(({ level }) => Number(level) >= 50)).toEqual([]);
  });
});
