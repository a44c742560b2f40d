/** What is known of a live peer from its link, for those above the router. */
import type { Endpoint } from '../proto/endpoint.ts';
import type { NodeId } from '../proto/identity.ts';
import type { NodeInfo } from '../proto/node-info.ts';
import type { Link } from './link.ts';
import type { DropsByChannel } from './metrics.ts';

/** Facts about a peer that is up. */
export type LinkView = Readonly<{
  id: NodeId;
  direction: 'inbound' | 'outbound';
  remoteEndpoint: Endpoint;
  nodeInfo: NodeInfo;
  connectedForMs: number;
  roundTripMs?: number;
  /** What waits for it. */
  queued: Readonly<{ messages: number; bytes: number }>;
  /** Messages for it and from it that were dropped since it came up. */
  drops: DropsByChannel;
}>;

/** The facts at the time `now` of a link that is routed. */
export function viewOf({ connection, direction, queue, remote, upAt }: Link, now: number, drops: DropsByChannel): LinkView {
  const { nodeId: id, nodeInfo } = remote!;
  const { roundTripMs } = connection.status();
  return {
    id,
    direction,
    remoteEndpoint: connection.remoteEndpoint,
    nodeInfo,
    connectedForMs: now - (upAt ?? now),
    ...(roundTripMs !== undefined && { roundTripMs }),
    queued: { messages: queue.size, bytes: queue.bytes },
    drops,
  };
}
