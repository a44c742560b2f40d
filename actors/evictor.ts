/** The evictor: closes the links that the peer manager wants closed. */
import { fromPromise } from 'xstate';
import type { DisconnectReason } from '../proto/errors.ts';
import type { LinkHandle, PeerManager } from './peer-manager.ts';

export type EvictorDeps = Readonly<{ manager: PeerManager; close(link: LinkHandle, reason: DisconnectReason): void }>;

/** Runs until it is stopped (ADR 062, Router: evicting peers). An eviction reaches the link in whatever state it is. */
export const evictorLogic = (deps: EvictorDeps) =>
  fromPromise<void>(async ({ signal }) => {
    while (!signal.aborted) {
      const { link, reason } = await deps.manager.evictNext(signal);
      deps.close(link, reason);
    }
  });
