import { expect, test } from '@jest/globals';
import { Counters } from '../../../actors/metrics.ts';
import { facts, maxLabelledPeers } from '../../../actors/monitor/facts.ts';
import { Traffic } from '../../../actors/monitor/traffic.ts';
import type { LinkView } from '../../../actors/router.ts';
import type { NodeId } from '../../../proto/identity.ts';
import type { Connection } from '../../../transports/transport.ts';
import { quiet } from '../../support/metric-facts.ts';

const endpoint = (port: number) => ({ protocol: 'mconn', ip: '192.0.2.1', port, path: '' });
const idOf = (number: number): NodeId => number.toString(16).padStart(40, '0') as NodeId;

function world() {
  const traffic = new Traffic();
  const routed = new Map<NodeId, LinkView>();
  const connect = (direction: Connection['direction'], port: number, remote?: NodeId): void => {
    const status = () => ({ bytesSent: port, bytesReceived: 0, messagesSent: 0, messagesReceived: 0, idleMs: 0 });
    const connection = { direction, remoteEndpoint: endpoint(port), ended: new Promise(() => undefined), status } as unknown as Connection;
    traffic.opened(connection);
    if (remote) traffic.shookHands(connection, remote, 1);
  };
  const route = (id: NodeId, direction: Connection['direction'], port: number): unknown =>
    routed.set(id, { id, direction, remoteEndpoint: endpoint(port) } as LinkView);
  const look = () =>
    facts({ status: () => quiet.status, counters: new Counters(), traffic, mailboxes: () => [], link: (id) => routed.get(id) });
  return { connect, route, look };
}

test('a peer is up over the connection that is routed, not over one that is held beside it or still shakes hands', () => {
  const { connect, route, look } = world();
  connect('inbound', 1, idOf(1));
  connect('outbound', 2, idOf(1));
  connect('inbound', 3, idOf(2));
  connect('inbound', 4);
  route(idOf(1), 'outbound', 2);
  const { up, traffic } = look();
  expect(traffic.connections.length).toBe(4);
  expect(up.map(({ id, totals }) => [id, totals.bytesSent])).toEqual([[idOf(1), 2]]);
});

test('a peer is up once, even if two of its connections have the same ends', () => {
  const { connect, route, look } = world();
  connect('inbound', 1, idOf(1));
  connect('inbound', 1, idOf(1));
  route(idOf(1), 'inbound', 1);
  expect(look().up.length).toBe(1);
});

test('the peers with series of their own are those that connected first', () => {
  const { connect, route, look } = world();
  for (let number = 0; number < maxLabelledPeers + 5; number++) {
    connect('inbound', number + 1, idOf(number));
    route(idOf(number), 'inbound', number + 1);
  }
  const { up, labelled } = look();
  expect([up.length, labelled.length]).toEqual([maxLabelledPeers + 5, maxLabelledPeers]);
  expect(labelled[0]?.id).toBe(idOf(0));
});

test('the process tells of itself', () => {
  const { process } = world().look();
  expect(process.cpuUserSeconds).toBeGreaterThan(0);
  expect(process.heapTotalBytes).toBeGreaterThan(0);
  expect(process.openFiles === undefined || process.openFiles > 0).toBe(true);
});
