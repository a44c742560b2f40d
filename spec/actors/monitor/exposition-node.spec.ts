import { afterEach, expect, test } from '@jest/globals';
import pino from 'pino';
import type { CreateNodeOptions } from '../../../actors/assembly.ts';
import { createNode, type Node } from '../../../actors/node.ts';
import { reactor } from '../../../actors/reactor.ts';
import { bytes } from '../../../proto/codec.ts';
import { nodeKeyFromSeed } from '../../../proto/identity.ts';
import { memoryNetwork } from '../../../transports/memory.ts';
import { seededRandom, settle, VirtualClock } from '../../../transports/simulated.ts';

const talk = { id: 0x10, type: bytes, priority: 1, maxMessageBytes: 1_000 };
const running: { node: Node; clock: VirtualClock }[] = [];
afterEach(async () => {
  for (const { node, clock } of running.splice(0)) {
    const stopped = node.stop();
    await clock.advanceAsync(6_000); // deadlines of a stop while somebody reads nothing
    await stopped;
  }
});

function world() {
  const clock = new VirtualClock();
  const random = seededRandom(1);
  const net = memoryNetwork({ clock, random });
  let made = 0;
  const start = async (more: CreateNodeOptions = {}): Promise<Node> => {
    const key = nodeKeyFromSeed(new Uint8Array(32).fill(++made));
    const log = pino({ level: 'silent' });
    const node = await createNode({
      network: 'sim',
      key,
      transports: [net.transport(key.id)],
      monitor: '127.0.0.1:0',
      environment: { clock, random },
      log,
      ...more,
    });
    running.push({ node, clock });
    await node.start();
    return node;
  };
  return { start };
}

async function scrape(node: Node): Promise<{ type: string | null; text: string; value(series: string): number | undefined }> {
  const response = await fetch(`${node.monitorUrl}/metrics`, { headers: { connection: 'close' } });
  const text = await response.text();
  expect(response.status).toBe(200);
  const value = (series: string): number | undefined => {
    const line = text.split('\n').find((each) => each.startsWith(`${series} `));
    return line === undefined ? undefined : Number(line.slice(series.length + 1));
  };
  return { type: response.headers.get('content-type'), text, value };
}

test('a node tells Prometheus of its peers, its traffic, its queues and its drops, and forgets a peer that has gone', async () => {
  const { start } = world();
  const idle = reactor({ name: 'idle', channels: { talk }, onMessage: () => undefined });
  const a = await start({ reactors: [idle] });
  const b = await start();
  const atB = b.openChannel(talk);
  await b.peers.add(a.addresses[0]!);
  await settle(30);
  expect(a.status().peers.up).toBe(1);

  for (const size of [1, 2, 3]) await atB.send({ to: a.nodeId, message: new Uint8Array(size) });
  await atB.send({ to: b.nodeId, message: new Uint8Array(1) });
  await settle(10);
  const atRest = await scrape(a);
  expect(atRest.type).toBe('text/plain; version=0.0.4; charset=utf-8');
  expect(atRest.value('p2p_peer_state_peers{state="up",direction="inbound"}')).toBe(1);
  expect(atRest.value('p2p_peer_state_peers{state="known",direction="none"}')).toBe(1);
  expect(atRest.value('p2p_connection_live_connections{direction="inbound",state="open"}')).toBe(1);
  expect(atRest.value('p2p_connection_handshake_seconds_count{direction="inbound"}')).toBe(1);
  expect(atRest.value('p2p_channel_receive_messages_total{channel="0x10"}')).toBe(3);
  expect(atRest.value('p2p_channel_receive_bytes_total{channel="0x10"}')).toBe(6);
  expect(atRest.value('p2p_connection_receive_messages_total')).toBe(3);
  expect(atRest.value(`p2p_peer_receive_messages_total{peer_id="${b.nodeId}"}`)).toBe(3);
  expect(atRest.value('p2p_channel_mailbox_messages{channel="0x10"}')).toBe(0);
  expect(atRest.value('p2p_queue_waiting_messages')).toBe(0);
  expect(atRest.value('p2p_store_state_info{state="memory"}')).toBe(1);
  expect(atRest.value('p2p_actor_live_actors')).toBe(a.status().actors);

  const sender = await scrape(b);
  expect(sender.value('p2p_connection_dials_total{result="connected"}')).toBe(1);
  expect(sender.value('p2p_channel_send_messages_total{channel="0x10"}')).toBe(3);
  expect(sender.value('p2p_message_drops_total{channel="0x10",reason="self"}')).toBe(1);
  expect(sender.value('p2p_message_drops_total{channel="none",reason="self"}')).toBe(0);
  expect(sender.text).not.toContain(`peer_id="${b.nodeId}"`);

  await b.peers.disconnect(a.nodeId);
  await settle(30);
  const after = await scrape(a);
  expect(after.text).not.toContain(b.nodeId);
  expect(after.value('p2p_connection_receive_messages_total')).toBe(3);
  expect(after.value('p2p_connection_disconnects_total{reason="remoteClosed"}')).toBe(1);
  expect(after.value('p2p_peer_state_peers{state="up",direction="inbound"}')).toBe(0);
});

test('what waits in a mailbox is told, and gone when its channel is closed', async () => {
  const { start } = world();
  const [a, b] = [await start(), await start()];
  const [atA, atB] = [a.openChannel(talk), b.openChannel(talk)];
  await b.peers.add(a.addresses[0]!);
  await settle(30);
  for (let sent = 0; sent < 5; sent++) await atB.send({ to: a.nodeId, message: new Uint8Array(1) });
  await settle(10);
  expect((await scrape(a)).value('p2p_channel_mailbox_messages{channel="0x10"}')).toBe(5);
  await atA.close();
  await settle();
  const after = await scrape(a);
  expect(after.value('p2p_channel_mailbox_messages{channel="0x10"}')).toBeUndefined();
  expect(after.value('p2p_message_drops_total{channel="0x10",reason="mailboxClosed"}')).toBe(5);
});

test('what waits for a peer that reads nothing is told, for it and for all', async () => {
  const { start } = world();
  const a = await start({ mailbox: { maxMessages: 4, peerShare: 100 } });
  const b = await start();
  a.openChannel(talk);
  const atB = b.openChannel(talk);
  await b.peers.add(a.addresses[0]!);
  await settle(30);
  const message = new Uint8Array(1_000);
  for (let sent = 0; sent < 3_000; sent++) await atB.broadcast(message);
  await settle(10);
  const { value } = await scrape(b);
  const waiting = value('p2p_queue_waiting_messages')!;
  expect(waiting).toBeGreaterThan(0);
  expect(value(`p2p_peer_queue_messages{peer_id="${a.nodeId}"}`)).toBe(waiting);
  expect(value('p2p_queue_waiting_bytes')).toBe(waiting * 1_000);
  const dropped = value('p2p_message_drops_total{channel="0x10",reason="queueFull"}')!;
  expect(dropped).toBeGreaterThan(0);
  expect(value(`p2p_peer_drops_total{peer_id="${a.nodeId}",reason="queueFull"}`)).toBe(dropped);
  expect(dropped + waiting + value('p2p_channel_send_messages_total{channel="0x10"}')!).toBe(3_000);
});

test('two nodes of one process each tell their own', async () => {
  const { start } = world();
  const [one, other] = [await start({ network: 'one' }), await start({ network: 'other' })];
  const [first, second] = [await scrape(one), await scrape(other)];
  expect(first.value('p2p_node_build_info{version="0.1.0",network="one"}')).toBe(1);
  expect(second.value('p2p_node_build_info{version="0.1.0",network="other"}')).toBe(1);
  expect(second.text).not.toContain('network="one"');
});
