/** Peers that read slowly, flood, come and go: what they cost the others. */
import { afterEach, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Channel } from '../../actors/channel.ts';
import { hello, other, stopAll, talk, world, type Host } from '../support/router.ts';
import { settle } from '../support/virtual-clock.ts';

afterEach(stopAll);

const seed = Number(process.env.SEED ?? 4_711);

/** Reads a channel for ever, and counts. */
function reading(channel: Channel<Uint8Array>): { count: number; from: Map<string, number> } {
  const read = { count: 0, from: new Map<string, number>() };
  void (async () => {
    for await (const { from } of channel) {
      read.count++;
      read.from.set(from, (read.from.get(from) ?? 0) + 1);
    }
  })();
  return read;
}

test('one peer that reads nothing costs the others nothing: a broadcast waits for nobody, and what it misses is counted', async () => {
  const { network, host, connect } = world();
  const sender = await host({ peerQueue: { maxMessages: 16 } });
  const peers = await Promise.all(Array.from({ length: 6 }, () => host()));
  const all = sender.router.openChannel(talk);
  const reads = peers.map(({ router }) => reading(router.openChannel(talk)));
  for (const peer of peers) await connect(sender, peer);
  network.pause(peers[0]!.key.id);
  const messages = 2_000;
  let taken = 0;
  for (let sent = 0; sent < messages; sent++) {
    taken += await all.broadcast(Uint8Array.of(sent & 255));
    if (sent % 8 === 7) await settle(1);
  }
  await settle(10);
  expect(reads.slice(1).map(({ count }) => count)).toEqual([1, 2, 3, 4, 5].map(() => messages));
  const missed = sender.counters.peerDrops(peers[0]!.key.id).get(talk.id)?.get('queueFull') ?? 0;
  expect(missed).toBeGreaterThan(messages / 2);
  expect(taken + missed).toBe(messages * 6);
  // What waits for it is bounded, whatever was sent.
  expect(sender.router.link(peers[0]!.key.id)?.queued.messages).toBeLessThanOrEqual(16);
});

test('one peer that floods a channel costs the others nothing: they have their share of its mailbox and their turns', async () => {
  const { host, connect, clock } = world();
  const at = await host({ mailbox: { maxMessages: 64 } });
  const [flood, ...honest] = await Promise.all(Array.from({ length: 4 }, () => host()));
  const channel = at.router.openChannel({ ...talk, drop: 'newest' });
  const outs = [flood!, ...honest].map(({ router }) => router.openChannel(talk));
  for (const peer of [flood!, ...honest]) await connect(peer, at);
  const over = new AbortController();
  void (async () => {
    while (!over.signal.aborted) {
      for (let burst = 0; burst < 100; burst++) await outs[0]!.send({ to: at.key.id, message: hello });
      await settle(1);
    }
  })();
  // A reader that takes a message every 5 ms, while each honest peer sends one every 100 ms.
  const from = new Map<string, number>();
  const reader = channel[Symbol.asyncIterator]();
  let sent = 0;
  for (let ms = 0; ms < 2_500; ms += 5) {
    if (ms % 100 === 0) {
      for (const out of outs.slice(1)) await out.send({ to: at.key.id, message: hello });
      sent++;
    }
    await clock.advanceAsync(5);
    const { value } = (await reader.next()) as { value: { from: string } };
    from.set(value.from, (from.get(value.from) ?? 0) + 1);
  }
  over.abort();
  for (const { key } of honest) expect((from.get(key.id) ?? 0) / sent).toBeGreaterThanOrEqual(0.99 - 1 / sent);
  expect(at.counters.peerDrops(flood!.key.id).get(talk.id)?.get('mailboxFull')).toBeGreaterThan(100);
  for (const { key } of honest) expect(at.counters.peerDrops(key.id).size).toBe(0);
}, 60_000);

test('whatever is sent while peers come and go, each message is taken or refused with a reason, and each taken one arrives or is counted', async () => {
  const step = fc.oneof(
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('connect' as const), peer: fc.nat(2) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('evict' as const), peer: fc.nat(2) }) },
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('send' as const), peer: fc.nat(4), listed: fc.boolean() }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('broadcast' as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('reopen' as const) }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('settle' as const) }) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const { host, connect, clock } = world(4);
      const sender = await host({ peerQueue: { maxMessages: 6 } });
      const peers: Host[] = [await host(), await host(), await host()];
      // Two that are never up: one unknown, and ourselves.
      const ids = [...peers.map(({ key }) => key.id), (await host()).key.id, sender.key.id];
      let channel = sender.router.openChannel(talk);
      const unlisted = sender.router.openChannel(other);
      const reads = peers.map(({ router }) => reading(router.openChannel(talk)));
      let asked = 0;
      let taken = 0;
      let refused = 0;
      const pending: Promise<unknown>[] = [];
      for (const each of steps) {
        if (each.kind === 'connect' && !sender.router.link(ids[each.peer]!)) await connect(sender, peers[each.peer]!);
        const link = each.kind === 'evict' && sender.manager.arrivals.findLast(({ id }) => id === ids[each.peer]);
        if (link) sender.manager.evict(link, 'operator');
        if (each.kind === 'send') {
          asked++;
          const out = each.listed ? channel : unlisted;
          pending.push(
            out.send({ to: ids[each.peer]!, message: hello }).then(
              (was) => (was ? taken++ : refused++),
              () => refused++,
            ),
          );
        }
        if (each.kind === 'broadcast') {
          const up = peers.filter(({ key }) => sender.router.link(key.id)).length;
          asked += up;
          pending.push(channel.broadcast(hello).then((count) => ((taken += count), (refused += up - count))));
        }
        if (each.kind === 'reopen') {
          await channel.close();
          channel = sender.router.openChannel(talk);
        }
        if (each.kind === 'settle') await settle(2);
      }
      await settle(10);
      await Promise.all(pending);
      await sender.router.drain(new AbortController().signal);
      await clock.advanceAsync(5_000);
      const drops = [...sender.counters.drops.values()].reduce((sum, count) => sum + count, 0);
      const arrived = reads.reduce((sum, { count }) => sum + count, 0);
      const lostThere = peers.reduce((sum, { counters }) => sum + [...counters.drops.values()].reduce((all, count) => all + count, 0), 0);
      expect(taken + refused).toBe(asked);
      expect(drops - refused).toBeGreaterThanOrEqual(0);
      // Nothing arrives twice; what was taken and neither arrived nor was counted was on its way when a link ended.
      expect(arrived + lostThere).toBeLessThanOrEqual(taken);
      await stopAll();
    }),
    { seed, numRuns: 60 },
  );
}, 120_000);
