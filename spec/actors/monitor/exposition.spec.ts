import { describe, expect, test } from '@jest/globals';
import { maxSeries, metrics, omittedSeries } from '../../../actors/metrics-table.ts';
import { Exposition } from '../../../actors/monitor/exposition.ts';
import { maxLabelledPeers, type Facts } from '../../../actors/monitor/facts.ts';
import { disconnectReasons } from '../../../proto/errors.ts';
import { boundless, crowded, peer, quiet } from '../../support/metric-facts.ts';

/** Every series of a text, by its name with labels. */
function seriesOf(text: string): ReadonlyMap<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]));
}

async function scrape(facts: Facts): Promise<ReadonlyMap<string, number>> {
  return seriesOf(await new Exposition(() => facts).text());
}

describe('a scrape', () => {
  test('has a help and a type for every metric of the table, and none besides', async () => {
    const text = await new Exposition(() => quiet).text();
    const typed = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, kind]) => [name, kind]);
    expect(typed.sort()).toEqual(metrics.map(({ name, kind }) => [name, kind]).sort());
    for (const { name, help } of metrics) expect(text).toContain(`# HELP ${name} ${help}\n`);
  });

  test('says what the node says, in the base units of Prometheus', async () => {
    const series = await scrape({
      ...quiet,
      status: {
        ...quiet.status,
        drops: { self: 2, queueFull: 5 },
        disconnects: { stalled: 3 },
        pressure: { loop: 'delayed', memory: 'short' },
        restarts: { dialer: 4 },
        caught: { mine: 6 },
      },
      channelDrops: new Map([[0x77, new Map([['queueFull', 5]])]]),
      rejections: new Map([['full', 7]]),
      traffic: {
        ...quiet.traffic,
        totals: { bytesSent: 1, bytesReceived: 2, messagesSent: 3, messagesReceived: 4 },
        channels: [{ id: 5, bytesSent: 10, bytesReceived: 20, messagesSent: 30, messagesReceived: 40 }],
        handshakeFailures: { inbound: new Map([['timeout', 8]]), outbound: new Map() },
        roundTripsMs: [20, 300],
      },
      mailboxes: [{ id: 5, waiting: 11 }],
    });
    expect(Object.fromEntries(series)).toMatchObject({
      'p2p_peer_state_peers{state="known",direction="none"}': 3,
      'p2p_message_drops_total{channel="none",reason="self"}': 2,
      'p2p_message_drops_total{channel="none",reason="queueFull"}': 0,
      'p2p_message_drops_total{channel="0x77",reason="queueFull"}': 5,
      'p2p_connection_disconnects_total{reason="stalled"}': 3,
      'p2p_connection_rejections_total{stage="accept",reason="startRate"}': 4,
      'p2p_connection_rejections_total{stage="router",reason="full"}': 7,
      'p2p_connection_handshake_failures_total{direction="inbound",reason="timeout"}': 8,
      'p2p_actor_restarts_total{actor="dialer"}': 4,
      'p2p_reactor_errors_total{reactor="mine"}': 6,
      p2p_connection_send_bytes_total: 1,
      p2p_connection_receive_messages_total: 4,
      'p2p_channel_receive_bytes_total{channel="0x05"}': 20,
      'p2p_channel_send_messages_total{channel="0x05"}': 30,
      'p2p_channel_mailbox_messages{channel="0x05"}': 11,
      p2p_node_uptime_seconds: 1.5,
      'p2p_loop_delay_seconds{quantile="0.99"}': 0.002,
      'p2p_store_state_info{state="ok"}': 1,
      'p2p_store_state_info{state="degraded"}': 0,
      'p2p_pressure_loop_info{state="delayed"}': 1,
      'p2p_pressure_loop_info{state="keptUp"}': 0,
      'p2p_pressure_memory_info{state="short"}': 1,
      'p2p_pressure_memory_info{state="spent"}': 0,
      'p2p_transport_aead_info{aead="node"}': 1,
      'p2p_transport_pending_handshakes{transport="mconn"}': 2,
      'p2p_connection_round_trip_seconds_bucket{le="0.025"}': 1,
      p2p_connection_round_trip_seconds_sum: 0.32,
      p2p_connection_round_trip_seconds_count: 2,
      process_resident_memory_bytes: 200,
      process_open_fds: 6,
    });
  });

  test('counts every reason for a disconnect from the start, so that a rate has one', async () => {
    const series = await scrape(quiet);
    for (const reason of disconnectReasons) expect(series.get(`p2p_connection_disconnects_total{reason="${reason}"}`)).toBe(0);
  });

  test('counts each thing once, however often one scrapes', async () => {
    const traffic = { ...quiet.traffic, totals: { bytesSent: 10, bytesReceived: 0, messagesSent: 0, messagesReceived: 0 } };
    const exposition = new Exposition(() => ({ ...quiet, traffic }));
    await Promise.all([exposition.text(), exposition.text()]);
    expect(seriesOf(await exposition.text()).get('p2p_connection_send_bytes_total')).toBe(10);
  });

  test('leaves out what is not known, and what is no number, without failing', async () => {
    const transports = { own: { pendingHandshakes: Number.NaN, acceptErrors: -1, reassemblyBytes: Infinity, 'rejected.x': 'many' } };
    const series = await scrape({
      ...quiet,
      status: { ...quiet.status, transports },
      process: { ...quiet.process, openFiles: undefined },
    });
    expect([...series.keys()].filter((key) => /"own"|"many"|_fds/.test(key))).toEqual([]);
    expect(series.get('p2p_node_uptime_seconds')).toBe(1.5);
  });

  test('escapes what a host named', async () => {
    const text = await new Exposition(() => ({ ...quiet, status: { ...quiet.status, network: 'a"b\\c\nd' } })).text();
    expect(text).toContain('network="a\\"b\\\\c\\nd"');
  });

  test('has handshakes as they happened, by direction', async () => {
    const exposition = new Exposition(() => quiet);
    exposition.observeHandshake('inbound', 0.04);
    exposition.observeHandshake('inbound', 60);
    const series = seriesOf(await exposition.text());
    expect(series.get('p2p_connection_handshake_seconds_bucket{le="0.05",direction="inbound"}')).toBe(1);
    expect(series.get('p2p_connection_handshake_seconds_bucket{le="+Inf",direction="inbound"}')).toBe(2);
  });
});

describe('series by peer', () => {
  test('are there while the peer is up, and gone with it', async () => {
    let facts = crowded([peer(1), peer(2)]);
    const exposition = new Exposition(() => facts);
    const both = await exposition.text();
    expect(seriesOf(both).get(`p2p_peer_queue_bytes{peer_id="${peer(1).id}"}`)).toBe(7);
    expect(seriesOf(both).get(`p2p_peer_drops_total{peer_id="${peer(1).id}",reason="queueFull"}`)).toBe(8);
    facts = crowded([peer(2)]);
    const left = await exposition.text();
    expect(left).not.toContain(peer(1).id);
    expect(left).toContain(peer(2).id);
  });

  test('are back at what they were after ten thousand peers came and went', async () => {
    let facts = quiet;
    const exposition = new Exposition(() => facts);
    const before = [...seriesOf(await exposition.text()).keys()];
    for (let first = 0; first < 10_000; first += 100) {
      facts = crowded(Array.from({ length: 100 }, (_, index) => peer(first + index)));
      await exposition.text();
    }
    facts = quiet;
    expect([...seriesOf(await exposition.text()).keys()]).toEqual(before);
  });

  test('are for so many peers at most, the oldest, and how many are left out is told', async () => {
    const series = await scrape(crowded(Array.from({ length: maxLabelledPeers + 10 }, (_, number) => peer(number))));
    const labelled = new Set([...series.keys()].map((key) => /peer_id="([^"]+)"/.exec(key)?.[1]).filter((id) => id !== undefined));
    expect(labelled.size).toBe(maxLabelledPeers);
    expect(labelled).toContain(peer(0).id);
    expect(series.get(omittedSeries)).toBe(10 * metrics.filter(({ perPeer }) => perPeer).length);
    expect(series.get('p2p_queue_waiting_messages')).toBe(6 * (maxLabelledPeers + 10));
  });

  test('of as many peers as may have them all fit', async () => {
    const peers = Array.from({ length: maxLabelledPeers }, (_, number) => peer(number));
    const channels = Array.from({ length: 16 }, (_, id) => ({ id, bytesSent: 1, bytesReceived: 1, messagesSent: 1, messagesReceived: 1 }));
    const facts = crowded(peers);
    const mailboxes = channels.map(({ id }) => ({ id, waiting: 0 }));
    const series = await scrape({ ...facts, mailboxes, traffic: { ...facts.traffic, channels } });
    expect(series.get(omittedSeries)).toBe(0);
    expect(series.size).toBeLessThanOrEqual(maxSeries);
  });
});

test('whatever there is to say, a scrape has at most 2,000 series, and what is cut is what grows with peers and channels', async () => {
  const exposition = new Exposition(boundless);
  exposition.observeHandshake('inbound', 1);
  exposition.observeHandshake('outbound', 1);
  const series = seriesOf(await exposition.text());
  expect(maxSeries).toBe(2_000);
  expect(series.size).toBeLessThanOrEqual(maxSeries);
  expect(series.get(omittedSeries)).toBeGreaterThan(10_000);
  expect(series.get('p2p_connection_disconnects_total{reason="reset"}')).toBe(0);
});

test('two nodes of one process share no metric', async () => {
  const one = new Exposition(() => quiet);
  const other = new Exposition(() => ({ ...quiet, status: { ...quiet.status, network: 'other' } }));
  one.observeHandshake('outbound', 1);
  expect(await one.text()).toContain('network="spec"');
  const text = await other.text();
  expect(text).toContain('network="other"');
  expect(text).not.toMatch(/handshake_seconds_count\{/);
});
