/** A peer store without a disk: what is put lives as long as the store object. */
import { TroupeError } from '../../proto/errors.ts';
import type { NodeId } from '../../proto/identity.ts';
import type { PeerRow, PeerStore } from '../peer-store.ts';

/** Makes a store that holds these rows. Rows survive `close` and a later `open`, so a restarted node finds them again. */
export function memoryStore(from: readonly PeerRow[] = []): PeerStore {
  const rows = new Map<NodeId, PeerRow>(from.map((row) => [row.id, row]));
  let isOpen = false;
  const whenOpen = async (run: () => void): Promise<void> => {
    if (!isOpen) throw new TroupeError('ERR_STORE_CLOSED');
    run();
  };
  return {
    state: 'memory',
    skipped: 0,
    open() {
      isOpen = true;
    },
    load() {
      if (!isOpen) throw new TroupeError('ERR_STORE_CLOSED');
      return [...rows.values()];
    },
    put: (row) => whenOpen(() => void rows.set(row.id, row)),
    delete: (id) => whenOpen(() => void rows.delete(id)),
    flush: () => whenOpen(() => undefined),
    async close() {
      isOpen = false;
    },
  };
}
