/** What the manager does for the operator: one function for each order. */
import type { NodeId } from '../proto/identity.ts';
import { rowOf } from './peer-book.ts';

import { classOf, type Answer, type Decision, type ManagerStimulus } from './peer-manager-context.ts';
import { deliver, forgetUrgency, livePeerOf } from './peer-manager-peers.ts';
import { roomOf } from './peer-manager-slots.ts';
import { longestBanMs } from './policy/retry.ts';
import { isBanned } from './policy/score.ts';

type On<T extends ManagerStimulus['type']> = Extract<ManagerStimulus, { type: T }>;
const done: Answer = { kind: 'done' };

export function dialNow(decision: Decision, { id, request, now }: On<'operator.dial'>): void {
  const { setup, book } = decision.context;
  if (id === setup.ownId) return decision.fail(request, 'ERR_PEER_SELF', id);
  const row = rowOf(book, id);
  if (!row) return decision.fail(request, 'ERR_PEER_UNKNOWN', id);
  if (isBanned(row, now)) return decision.fail(request, 'ERR_PEER_BANNED', id);
  const link = livePeerOf(decision.context, id)?.context.link;
  if (link && link.upSince > 0) return decision.reply(request, done);
  if (!link && row.addresses.length === 0) return decision.fail(request, 'ERR_DIAL_FAILED', `no address of ${id} is known`);
  const isDialing = livePeerOf(decision.context, id)?.context.dialing;
  if (!link && !isDialing && classOf(setup, id) !== 'persistent' && roomOf(decision.context, 'outbound') < 1) {
    return decision.fail(request, 'ERR_SLOTS_FULL', 'outbound');
  }
  decision.change({
    urgent: [...decision.context.urgent.filter((each) => each.id !== id), { id, triesLeft: row.addresses.length }],
    upWaiters: [...decision.context.upWaiters, { id, request }],
  });
  deliver(decision, id, { type: 'peer.release', now });
}

export function disconnectNow(decision: Decision, { id, reason, request, now }: On<'operator.disconnect'>): void {
  const { setup, book } = decision.context;
  if (!rowOf(book, id)) return decision.fail(request, 'ERR_PEER_UNKNOWN', id);
  forgetUrgency(decision, id, (each) => decision.fail(each, 'ERR_PEER_HELD', id));
  awaitDown(decision, id, request);
  const hold = setup.persistentIds.has(id);
  deliver(decision, id, { type: 'peer.dismiss', hold, until: now + setup.options.dialer.maxRetryMs, reason, now });
}

export function banNow(decision: Decision, { id, forMs, reason, request, now }: On<'operator.ban'>): void {
  if (id === decision.context.setup.ownId) return decision.fail(request, 'ERR_PEER_SELF', id);
  if (!Number.isSafeInteger(forMs) || forMs < 1 || forMs > longestBanMs) {
    return decision.fail(request, 'ERR_OPTION_INVALID', `forMs: a ban lasts from 1 to ${longestBanMs} ms`);
  }
  forgetUrgency(decision, id, (each) => decision.fail(each, 'ERR_PEER_BANNED', id));
  deliver(decision, id, { type: 'peer.ban', forMs, reason, now });
  decision.reply(request, done);
}

export function removeNow(decision: Decision, { id, request, now }: On<'operator.remove'>): void {
  const { setup, book } = decision.context;
  if (!rowOf(book, id)) return decision.fail(request, 'ERR_PEER_UNKNOWN', id);
  forgetUrgency(decision, id, (each) => decision.fail(each, 'ERR_PEER_UNKNOWN', id));
  awaitDown(decision, id, request);
  deliver(decision, id, { type: 'peer.forget', hold: setup.persistentIds.has(id), now });
}

/** Answers once the peer has neither link nor dial; at once, but after what comes next, when it has none now. */
function awaitDown(decision: Decision, id: NodeId, request: number): void {
  const live = livePeerOf(decision.context, id);
  if (live && (live.context.link || live.context.dialing)) {
    decision.change({ downWaiters: [...decision.context.downWaiters, { id, request }] });
  } else {
    decision.reply(request, done);
  }
}
