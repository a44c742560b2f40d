import { expect, test } from '@jest/globals';
import { peerId } from '../support/reactor-context.ts';
import { pexNetwork, strangers } from '../support/pex-context.ts';
import { settle } from '../support/virtual-clock.ts';

const a = peerId(1);
const b = peerId(2);

/** A network whose process stands still when told to: time goes on, timers and readers do not. */
async function stopped() {
  const net = await pexNetwork();
  const now = net.clock.now.bind(net.clock);
  let lostMs = 0;
  net.clock.now = () => now() + lostMs;
  return { ...net, standStill: (ms: number) => (lostMs += ms) };
}

test('requests that piled up while we stood still are no flooding, whether a tick came first or not', async () => {
  for (const ticked of [false, true]) {
    const net = await stopped();
    await net.up(a, { direction: 'inbound' });
    await net.request(a);
    await net.clock.advanceAsync(900);
    net.standStill(30_000);
    if (ticked) await net.clock.advanceAsync(100);
    for (let piled = 0; piled < 3; piled++) await net.request(a);
    expect(net.pex.reports).toEqual([]);
    expect(net.pex.sent.filter(({ to, message }) => to === a && message.kind === 'response').length).toBeGreaterThan(1);
  }
});

test('requests that lie behind much else, so that they are read only later, are no flooding either', async () => {
  const net = await stopped();
  await net.up(a, { direction: 'inbound' });
  await net.request(a);
  await net.clock.advanceAsync(900);
  net.standStill(30_000);
  await net.clock.advanceAsync(100);
  for (let piled = 0; piled < 3; piled++) {
    await net.request(a);
    await net.clock.advanceAsync(150);
  }
  expect(net.pex.reports).toEqual([]);
});

test('no more of them than can have been sent meanwhile, and by none who came only then', async () => {
  const net = await stopped();
  await net.up(a, { direction: 'inbound' });
  await net.clock.advanceAsync(900);
  net.standStill(2_000);
  await net.clock.advanceAsync(100);
  // Three seconds have passed since the last tick in time: sixteen requests at 200 ms from one another.
  for (let piled = 0; piled < 16; piled++) await net.request(a);
  expect(net.pex.reports).toEqual([]);
  await net.request(a);
  expect(net.reportsOf('flooding')).toHaveLength(1);
  await net.up(b, { direction: 'inbound' });
  await net.request(b);
  await net.request(b);
  expect(net.reportsOf('flooding').map(({ from }) => from)).toEqual([a, b]);
});

test('once it has caught up, requests as close as that are flooding again', async () => {
  const net = await stopped();
  await net.up(a, { direction: 'inbound' });
  net.standStill(30_000);
  await net.clock.advanceAsync(11_000);
  await net.request(a);
  await net.request(a);
  expect(net.reportsOf('flooding')).toHaveLength(1);
});

test('unasked answers that piled up cost no more than one each would have', async () => {
  const net = await stopped();
  await net.up(a, { direction: 'inbound' });
  await net.up(b, { direction: 'inbound' });
  await net.clock.advanceAsync(500);
  net.standStill(30_000);
  for (let piled = 0; piled < 2; piled++) await net.response(a, strangers(1));
  expect([net.reportsOf('flooding').length, net.reportsOf('unhelpful').length]).toEqual([0, 2]);
});

test('a peer that stood still is blamed for each request it did not answer in time, and for no late answer', async () => {
  const net = await stopped();
  await net.up(a);
  expect(await net.asked(46_000)).toHaveLength(2);
  expect(net.reportsOf('unhelpful')).toHaveLength(2);
  for (let piled = 0; piled < 2; piled++) await net.response(a, strangers(1));
  expect([net.reportsOf('unhelpful').length, net.reportsOf('flooding').length]).toEqual([2, 0]);
  await net.response(a, strangers(1));
  expect(net.reportsOf('unhelpful')).toHaveLength(3);
});

test('nobody is blamed for a silence of ours: the answer that came meanwhile is read first', async () => {
  const net = await stopped();
  await net.up(a);
  await net.clock.advanceAsync(1_000);
  expect(net.pex.sent.map(({ message }) => message.kind)).toEqual(['request']);
  net.standStill(60_000);
  await net.clock.advanceAsync(1_000);
  await net.response(a, strangers(2));
  await net.clock.advanceAsync(1_000);
  await settle();
  expect(net.reportsOf('unhelpful')).toEqual([]);
  expect(net.added).toHaveLength(2);
});

test('who is silent beyond that is blamed at the first tick after what came meanwhile has been read', async () => {
  const net = await stopped();
  await net.up(a);
  await net.clock.advanceAsync(1_000);
  net.standStill(60_000);
  await net.clock.advanceAsync(10_900);
  expect(net.reportsOf('unhelpful')).toEqual([]);
  await net.clock.advanceAsync(100);
  expect(net.reportsOf('unhelpful')).toHaveLength(1);
});
