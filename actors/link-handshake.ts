/** How a link begins: the filters of the host, the handshake, the peer manager's verdict, and the wait of a connection held beside an older one. */
import { asTroupeError, disconnectReason, TroupeError } from '../proto/errors.ts';
import { compatibility } from '../proto/node-info.ts';
import type { Outcome } from '../machines/link.ts';
import { withDeadline } from '../transports/clock.ts';
import type { ChannelDescriptor, RemotePeer } from '../transports/transport.ts';
import type { Link, LinkDeps } from './link.ts';
import type { Arrival } from './peer-manager.ts';

/** A version that begins so is this runtime's: two of us settle a duplicate at once. */
const oursPrefix = 'troupe/';
/** How long an older link has to answer while another waits beside it: less than the peer manager waits, more than the least time between pings and a slow way there and back. */
const probeMs = 4_000;

/** Resolves with what the peer manager says of the connection. A dial is answered exactly once, also when our own stop cuts it short. */
export async function shakeHands(deps: LinkDeps, link: Link, signal: AbortSignal): Promise<Outcome> {
  try {
    await introduce(deps, link, signal);
  } catch (error) {
    if (link.address) deps.manager.dialFailed(link.address, asTroupeError(error, 'ERR_DIAL_FAILED'));
    throw error;
  }
  const arrival = arrivalOf(link);
  const admission = link.address ? deps.manager.dialed(link.address, arrival) : deps.manager.accepted(arrival);
  link.admitted = admission.verdict !== 'refuse';
  if (admission.verdict === 'hold') link.older = admission.older;
  return admission;
}

/** Address, handshake, compatibility, id: in this order, so that a stranger is not read before its address passes, nor named to the host before it is who it says. */
async function introduce(deps: LinkDeps, link: Link, signal: AbortSignal): Promise<void> {
  const { connection, direction, address } = link;
  const { remoteEndpoint: endpoint } = connection;
  // What we dial was asked for before the dial.
  const passing = direction === 'inbound' && deps.filter.address({ endpoint, direction }, signal);
  if (passing) await passing;
  const own = deps.nodeInfo();
  const descriptors = deps.descriptors();
  const began = deps.clock.now();
  const expected = address && { expectedId: address.nodeId };
  const remote = await connection
    .handshake({ key: deps.key, nodeInfo: own, channels: descriptors, beforeNodeInfo: deps.introduction, ...expected }, signal)
    .catch((error: unknown) => {
      deps.traffic.handshakeFailed(direction, signal.aborted ? 'cancelled' : disconnectReason(error));
      throw error;
    });
  deps.traffic.shookHands(connection, remote.nodeId, deps.clock.now() - began);
  link.remote = remote;
  link.channels = carried(descriptors, remote);
  link.introducedAt = deps.clock.now();
  const problem = compatibility(own, remote.nodeInfo);
  if (problem) throw new TroupeError('ERR_PEER_INCOMPATIBLE', problem);
  const asked = deps.filter.id({ id: remote.nodeId, nodeInfo: remote.nodeInfo, endpoint, direction }, signal);
  if (asked) await asked;
}

/** Both ends keep what they said in the handshake for the life of the connection, whatever is opened or closed later. */
function carried(descriptors: readonly ChannelDescriptor[], { nodeInfo }: RemotePeer): ReadonlyMap<number, ChannelDescriptor> {
  const theirs = new Set(nodeInfo.channels);
  return new Map(descriptors.filter(({ id }) => theirs.has(id)).map((descriptor) => [descriptor.id, descriptor]));
}

function arrivalOf(link: Link): Arrival {
  const { nodeId, nodeInfo } = link.remote!;
  const { ip } = link.connection.remoteEndpoint;
  return {
    id: nodeId,
    link: link.handle,
    ours: nodeInfo.version.startsWith(oursPrefix),
    channels: nodeInfo.channels,
    ...(ip && { remoteIp: ip }),
  };
}

/** Held beside an older link: whichever of the two the remote closes decides. An older one that does not answer meanwhile has been lost, and ends. */
export async function settleRival(deps: LinkDeps, link: Link, signal: AbortSignal): Promise<Outcome> {
  const older = link.older === undefined ? undefined : deps.find(link.older);
  const stop = new AbortController();
  const onAbort = (): void => stop.abort(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  const lost = link.connection.ended.then((error) => {
    throw error ?? new TroupeError('ERR_CONNECTION_CLOSED');
  });
  if (older) void probe(deps, older, stop.signal);
  try {
    return await Promise.race([deps.manager.settled(link.handle, stop.signal), lost]);
  } finally {
    signal.removeEventListener('abort', onAbort);
    stop.abort(new TroupeError('ERR_CONNECTION_CLOSED'));
  }
}

/** Ends a link whose remote answers no ping in time, unless the signal comes first. */
async function probe({ clock }: LinkDeps, older: Link, signal: AbortSignal): Promise<void> {
  const { connection } = older;
  if (!connection.ping) return;
  try {
    await withDeadline(clock, probeMs, 'ERR_CONNECTION_SILENT', signal, (deadline) => connection.ping!(deadline));
  } catch (error) {
    if (!signal.aborted && disconnectReason(error) === 'silent') older.close('silent');
  }
}
