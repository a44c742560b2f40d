/** How a link ends: what is queued is flushed if there is time, readers take what the peer left behind, then the peer manager hears of it, with the reason. */
import { setMaxListeners } from 'node:events';
import { TroupeError, type DisconnectReason } from '../proto/errors.ts';
import { sleep } from '../transports/clock.ts';
import { waitFor } from '../transports/waiter.ts';
import type { Link, LinkDeps } from './link.ts';

/** A close within this time of NodeInfo, before any message, is a rejection. */
const rejectionMs = 2_000;
const closeMs = 1_000;
/** How long to wait between looks at a mailbox that still holds messages of a peer that is gone. */
const drainPollMs = 10;

type Ending = Readonly<{ reason: DisconnectReason; error: Error | undefined; flush: boolean }>;

/** Closes the connection and tells the manager: down comes after the last message. */
export async function endLink(deps: LinkDeps, link: Link, { reason, error, flush }: Ending): Promise<void> {
  const { connection, queue, slot, id } = link;
  link.ending = true;
  const deadline = new AbortController();
  setMaxListeners(0, deadline.signal);
  const timer = deps.clock.setTimeout(
    () => deadline.abort(new TroupeError('ERR_CONNECTION_CLOSED')),
    flush ? deps.options.stop.flushMs : closeMs,
  );
  try {
    if (flush) await flushQueue(deps, link, deadline.signal).catch(() => undefined);
    await connection.close({ flush, signal: deadline.signal, ...(error && { reason: error }) });
  } finally {
    deps.clock.clearTimeout(timer);
    queue.close('linkClosed');
  }
  for (const channelId of link.busy.keys()) countLost(deps, link, channelId);
  if (id && link.upAt !== undefined) {
    await drainMailboxes(deps, slot);
    for (const channel of deps.channels()) channel.forget(id, slot);
  }
  const final = finalReason(deps, link, reason);
  deps.counters.disconnect(final);
  deps.log.debug({ peer: id, link: link.handle, direction: link.direction, reason: final, error: error?.message }, 'link ended');
  if (id && link.admitted) deps.manager.disconnected(id, link.handle, final, error?.message);
  link.finish();
  deps.ended(link);
}

/** Ends a link whose actor is no more, at once: its connection, its queue, what waits in mailboxes. */
export function abandonLink(deps: LinkDeps, link: Link, reason: DisconnectReason): void {
  const { connection, queue, slot, id, handle } = link;
  link.ending = true;
  queue.close('linkClosed');
  void connection.close();
  if (id && link.upAt !== undefined) for (const channel of deps.channels()) channel.forget(id, slot);
  deps.counters.disconnect(reason);
  deps.log.debug({ peer: id, link: handle, direction: link.direction, reason }, 'link abandoned');
  if (id && link.admitted) deps.manager.disconnected(id, handle, reason);
  link.finish();
  deps.ended(link);
}

/** Writes what is still queued, in order, until the deadline. */
async function flushQueue(deps: LinkDeps, link: Link, signal: AbortSignal): Promise<void> {
  const { queue, busy } = link;
  const inTime = (work: Promise<unknown>): Promise<void> => {
    work.catch(() => undefined); // nobody hears of it once time is up
    return waitFor(signal, ({ settle, fail }) => void work.then(() => settle(), fail));
  };
  for (let entry = queue.takeOver(); entry; entry = queue.takeOver()) {
    const { channelId, bytes } = entry.item;
    try {
      const before = busy.get(channelId);
      if (before) {
        await inTime(before).catch((error: unknown) => {
          queue.done(entry);
          throw error;
        });
      }
      void link.hand(entry);
      deps.traffic.sent(channelId, bytes.length);
    } catch (error) {
      countLost(deps, link, channelId);
      throw error;
    }
  }
  await inTime(Promise.all(busy.values()));
}

function countLost({ counters }: LinkDeps, { id }: Link, channelId: number): void {
  counters.drop('linkClosed', { channelId, ...(id && { peer: id }) });
}

async function drainMailboxes(deps: LinkDeps, slot: number): Promise<void> {
  const deadline = deps.clock.now() + deps.options.stop.flushMs;
  const pending = (): boolean => [...deps.channels()].some((channel) => channel.pendingFrom(slot) > 0);
  while (pending() && deps.clock.now() < deadline) await sleep(deps.clock, drainPollMs, new AbortController().signal);
}

/** The wire has no acceptance message: a remote that hangs up at once has refused us, or kept another connection of the two of us. */
function finalReason(deps: LinkDeps, link: Link, reason: DisconnectReason): DisconnectReason {
  if (reason !== 'remoteClosed' && reason !== 'reset') return reason;
  const { introducedAt, connection } = link;
  if (introducedAt === undefined || deps.clock.now() - introducedAt >= rejectionMs) return reason;
  if (connection.status().messagesReceived > 0) return reason;
  return deps.hasRival(link) ? 'duplicate' : 'rejected';
}
