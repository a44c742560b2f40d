/** A peer's chart driven by hand: pure transitions, with time that moves when told to, and the effects as values. */
import { expect } from '@jest/globals';
import { transition } from 'xstate';
import { formatNodeAddress } from '../../proto/address.ts';
import type { DisconnectReason, ErrorCode } from '../../proto/errors.ts';
import { peerMachine, restingSnapshot, type PeerSnapshot } from '../../machines/peer.ts';
import type { PeerEffects, PeerEvent, PeerInput } from '../../machines/peer-context.ts';
import { effectsOf, type PeerEffect } from '../../machines/peer-live.ts';
import { blankRow, type PeerRow } from '../../machines/peer-row.ts';
import { addressOf, idOf } from './manager.ts';

export const start = 1_700_000_000_000;
export const address = formatNodeAddress(addressOf('a'));
export const other = formatNodeAddress(addressOf('a', 5));
export const row: PeerRow = {
  ...blankRow(idOf('a')),
  addresses: [{ address, lastSuccess: 0, lastFailure: 0, failures: 0, notBefore: 0, source: 'host' }],
};

/** One peer driven by hand, with time that moves when told to. */
export class Peer {
  snapshot: PeerSnapshot;
  now = start;

  constructor(input: Partial<PeerInput> = {}) {
    this.snapshot = restingSnapshot({
      row,
      peerClass: 'ordinary',
      ownIdLower: true,
      addressLimit: 4,
      durable: true,
      held: false,
      now: start,
      retry: { minRetryMs: 250, maxRetryMs: 1_800_000, maxRetryPersistentMs: 30_000, cooldownMs: 2_000 },
      ...input,
    });
  }

  go(event: PeerEvent): readonly PeerEffect[] {
    const [next, actions] = transition(peerMachine, this.snapshot, event);
    this.snapshot = next;
    return effectsOf(actions);
  }

  later(ms: number): this {
    this.now += ms;
    return this;
  }

  dial = () => this.go({ type: 'peer.dial', address, now: this.now });
  dialFailed = (at = address, code: ErrorCode = 'ERR_DIAL_TIMEOUT') =>
    this.go({ type: 'peer.dialFailed', address: at, code, now: this.now, roll: 0.5 });
  dialed = (link: string, options: Readonly<{ ours?: boolean; room?: number; at?: string }> = {}) =>
    this.arrive('peer.dialed', link, options.at ?? address, options);
  accepted = (link: string, options: Readonly<{ ours?: boolean; room?: number }> = {}) => this.arrive('peer.accepted', link, '', options);
  ready = (link: string) => this.go({ type: 'peer.ready', link, now: this.now });
  ended = (link: string, reason: DisconnectReason = 'reset') =>
    this.go({ type: 'peer.disconnected', link, reason, detail: '', now: this.now, roll: 0.5 });
  report = (behaviour: Extract<PeerEvent, { type: 'peer.reported' }>['behaviour']) =>
    this.go({ type: 'peer.reported', behaviour, reason: 'why', now: this.now });
  due = () => this.go({ type: 'peer.due', now: this.now, roll: 0.5 });

  private arrive(
    type: 'peer.dialed' | 'peer.accepted',
    link: string,
    at: string,
    { ours = false, room = 1 }: Readonly<{ ours?: boolean; room?: number }>,
  ) {
    return this.go({
      type,
      arrival: { id: row.id, link, remoteIp: '1.2.3.4', ours, channels: [1, 7] },
      address: at,
      room,
      request: 9,
      now: this.now,
    });
  }

  /** Accepted and up. */
  up(link: string): this {
    this.accepted(link);
    this.ready(link);
    return this;
  }

  get is(): string {
    const { knowledge, dial, connection, eviction } = this.snapshot.value;
    const live =
      typeof connection === 'string' ? connection : `${connection.live.routing}${connection.live.rival === 'held' ? '+held' : ''}`;
    return [knowledge, dial, live, eviction].join(' ');
  }

  get context() {
    return this.snapshot.context;
  }
}

export const answer = (ruling: PeerEffects['answer']['ruling']): PeerEffect => ({ type: 'answer', request: 9, ruling });
export const route = answer({ verdict: 'route' });
export const refused = (reason: DisconnectReason): unknown => [
  expect.objectContaining({ type: 'answer', ruling: expect.objectContaining({ verdict: 'refuse', reason }) }),
];
export const up: PeerEffect = { type: 'publish', status: 'up', channels: [1, 7] };
export const down = (reason: DisconnectReason): PeerEffect => ({ type: 'publish', status: 'down', channels: [], reason });
export const duplicate = { verdict: 'refuse', reason: 'duplicate', code: 'ERR_PEER_DUPLICATE' } as const;
