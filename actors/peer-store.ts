/** What the peer manager keeps across restarts, and the contract of the stores that keep it. One writer. */
import { fromCallback } from 'xstate';
import type { PeerRow } from '../machines/peer-row.ts';
import type { NodeId } from '../proto/identity.ts';

export type { AddressRow, PeerRow, ReportRow } from '../machines/peer-row.ts';

/** `ok`: on disk. `degraded`: the disk fails, rows are kept in memory and written when it recovers. `memory`: there is no disk. */
export type StoreState = 'ok' | 'degraded' | 'memory';

/** The contract of a peer store; `stores/memory.ts` and `stores/sqlite.ts` pass the same suite. */
export interface PeerStore {
  readonly state: StoreState;
  /** Rows that could not be read, since it was opened. */
  readonly skipped: number;
  /** Opens the file, or opens it again after `close`. Idempotent. @throws TroupeError `ERR_HOME_IN_USE`, `ERR_STORE_TOO_NEW`, `ERR_STORE_FAILED`. */
  open(): void;
  /** Every good row, those put but not yet on disk included; damaged ones are skipped and counted. @throws TroupeError `ERR_STORE_CLOSED`. */
  load(): readonly PeerRow[];
  /**
   * Writes a row; resolves once it, or a later one of its peer, would survive a power loss, or at once in memory.
   * A peer written a moment ago waits for its turn (`store.spacingMs`), unless `flush` hurries it.
   * Rejects with `ERR_STORE_FAILED` when the disk fails, and with `ERR_STORE_CLOSED` after `close`; after the first the row is kept and written when the disk recovers.
   */
  put(row: PeerRow): Promise<void>;
  /** Forgets a row, on the same terms. */
  delete(id: NodeId): Promise<void>;
  /** Makes what was put so far, of these peers or of all, durable with the next commits and resolves then; rejects when it cannot. */
  flush(ids?: readonly NodeId[]): Promise<void>;
  /** Writes what waits and releases the file before it returns; what the disk does not take is kept for the next `open`. Idempotent. */
  close(): Promise<void>;
}

/** The logic of the supervised actor `store`: open while it runs. */
export const storeLogic = ({ store }: Readonly<{ store: PeerStore }>) => {
  const held = fromCallback(() => () => void store.close().catch(() => undefined));
  const logic = Object.create(held) as typeof held;
  // Its supervisor makes all children, in their order, before it starts the first: the peer manager reads rows when it is made.
  logic.getInitialSnapshot = (scope, input) => {
    store.open();
    return held.getInitialSnapshot(scope, input);
  };
  return logic;
};
