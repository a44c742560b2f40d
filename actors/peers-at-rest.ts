/** The peers of a home whose node does not run: the same manager over the same store, without anything that dials or listens. */
import { join } from 'node:path';
import type { Logger } from 'pino';
import { createActor } from 'xstate';
import { parseNodeAddress } from '../proto/address.ts';
import { TroupeError } from '../proto/errors.ts';
import { nodeIdFromText } from '../proto/identity.ts';
import type { NodeOptions } from '../proto/options.ts';
import type { Environment } from './environment.ts';
import { loadNodeKey } from './node-key.ts';
import { createPeerManager, type Peers } from './peer-manager.ts';
import { sqliteStore } from './stores/sqlite.ts';

export type PeersAtRestDeps = Readonly<{ home: string; options: NodeOptions; environment: Environment; log: Logger }>;

/** What can be known of peers, and done about them, while nobody is connected. */
export type PeersAtRest = Omit<Peers, 'dial' | 'disconnect' | 'updates' | 'live' | 'counts'> &
  Readonly<{
    /** Writes what waits and lets go of the home. Idempotent. */
    close(): Promise<void>;
  }>;

/** Opens the peers of a home, which is then taken until `close`. @throws TroupeError `ERR_HOME_IN_USE`, `ERR_NODE_KEY_UNREADABLE`, `ERR_NODE_KEY_INVALID`, `ERR_STORE_TOO_NEW`, `ERR_OPTION_INVALID`. */
export async function openPeersAtRest({ home, options, environment, log }: PeersAtRestDeps): Promise<PeersAtRest> {
  const { clock, random } = environment;
  const { key } = await loadNodeKey(join(home, 'node_key.json'));
  const store = sqliteStore({ path: join(home, 'peers.db'), options: options.store, clock, log });
  const manager = createPeerManager({
    ownId: key.id,
    options: { slots: options.slots, dialer: options.dialer, store: options.store, loopbackIsPublic: options.loopbackIsPublic },
    persistent: options.persistentPeers.map(parseNodeAddress),
    bootstrap: [],
    privateIds: [],
    unconditionalIds: options.unconditionalPeers.map(nodeIdFromText),
    store,
    clock,
    random,
    log,
  });
  store.open();
  const actor = createActor(manager.logic);
  const close = async (): Promise<void> => {
    actor.stop();
    manager.close();
    await store.close();
  };
  let failure: unknown;
  actor.subscribe({ error: (error) => (failure = error) });
  actor.start();
  if (failure !== undefined) {
    await close();
    throw failure instanceof TroupeError ? failure : new TroupeError('ERR_INTERNAL', 'the peer manager failed', { cause: failure });
  }
  const { list, explain, add, ban, remove } = manager.peers;
  return { list, explain, add, ban, remove, close };
}
