/** Who answers for the peers of a home: the node that runs in it, asked through its monitor; or, where none runs, the home itself. */
import { nodeLog } from '../actors/log.ts';
import { isHomeInUse } from '../actors/monitor/whereabouts.ts';
import type { Explanation, PeerView } from '../actors/peer-manager.ts';
import { openPeersAtRest } from '../actors/peers-at-rest.ts';
import { TroupeError } from '../proto/errors.ts';
import { nodeOptions, parseOptions } from '../proto/options.ts';
import type { NodeId } from '../proto/identity.ts';
import type { Call } from './call.ts';
import { optionsFrom, settingsFromFile } from './config.ts';
import { idOfHome } from './home.ts';
import { monitorClient } from './monitor-client.ts';

/** `node.peers` as a command has it. What changes something resolves once durable. */
export interface PeersDesk {
  /** A node runs; without one nobody is connected and nobody can be dialed. */
  readonly isRunning: boolean;
  /** Every known peer, in the order of ids. */
  list(): AsyncIterable<PeerView>;
  explain(id: NodeId): Promise<Explanation>;
  /** False when the address was known. */
  add(address: string): Promise<boolean>;
  ban(id: NodeId, ban: Readonly<{ forMs: number; reason: string }>): Promise<void>;
  remove(id: NodeId): Promise<void>;
  /** @throws TroupeError `ERR_NODE_NOT_RUNNING`, and what became of the dial. */
  dial(id: NodeId): Promise<void>;
  /** @throws TroupeError `ERR_NODE_NOT_RUNNING`. */
  disconnect(id: NodeId, reason: string): Promise<void>;
  close(): Promise<void>;
}

/** Peers asked for at once. */
const pageSize = 500;

/** Finds who answers. @throws TroupeError `ERR_HOME_MISSING`, `ERR_HOME_IN_USE` for one that is taken by what cannot be asked, and what opening a home throws. */
export async function openDesk(call: Call): Promise<PeersDesk> {
  // Says what is wrong with a home that was never made, before anything in it is.
  await idOfHome(call.home);
  return isHomeInUse(call.home) ? deskOfNode(call) : deskOfHome(call);
}

function deskOfNode({ home, shell }: Call): PeersDesk {
  const { get, post } = monitorClient(home, shell.clock);
  const order = async (id: NodeId, name: string, body: Readonly<Record<string, unknown>> = {}): Promise<void> => {
    await post(`/peers/${id}/${name}`, body);
  };
  return {
    isRunning: true,
    async *list() {
      for (let after: string | null = ''; after !== null;) {
        const page = (await get(`/peers?limit=${pageSize}&after=${after}`)) as Readonly<{
          peers: readonly PeerView[];
          next: string | null;
        }>;
        yield* page.peers;
        after = page.next;
      }
    },
    explain: async (id) => (await get(`/peers/${id}`)) as Explanation,
    add: async (address) => ((await post('/peers', { address })) as Readonly<{ added: boolean }>).added,
    ban: (id, ban) => order(id, 'ban', ban),
    remove: (id) => order(id, 'remove'),
    dial: (id) => order(id, 'dial'),
    disconnect: (id, reason) => order(id, 'disconnect', { reason }),
    close: () => Promise.resolve(),
  };
}

async function deskOfHome({ home, shell, output, flags, env }: Call): Promise<PeersDesk> {
  const peers = await openPeersAtRest({
    home,
    options: parseOptions(nodeOptions, optionsFrom(flags, env, settingsFromFile(home))),
    environment: shell,
    log: nodeLog({ level: 'warn', clock: shell.clock, destination: { write: (line) => output.write(line) } }),
  });
  const nobody = (): Promise<never> => Promise.reject(new TroupeError('ERR_NODE_NOT_RUNNING', `${home}; start it with: troupe start`));
  return {
    isRunning: false,
    async *list() {
      for (let after = '', page = peers.list({ limit: pageSize }); page.length > 0; page = peers.list({ after, limit: pageSize })) {
        yield* page;
        after = page.at(-1)?.id ?? '';
      }
    },
    explain: async (id) => peers.explain(id),
    add: (address) => peers.add(address),
    ban: (id, ban) => peers.ban(id, ban),
    remove: (id) => peers.remove(id),
    dial: nobody,
    disconnect: nobody,
    close: () => peers.close(),
  };
}
