/** The peer exchange reactor over fakes: peers that come, ask and answer on the virtual clock. */
import { nodeOptions, parseOptions, type NodeOptionsInput } from '../../proto/options.ts';
import { formatNodeAddress, parseNodeAddress, type NodeAddress } from '../../proto/address.ts';
import type { NodeId } from '../../proto/identity.ts';
import type { NodeInfo } from '../../proto/node-info.ts';
import type { PexDialect, PexMessage } from '../../proto/pex.ts';
import { pexReactor } from '../../actors/pex.ts';
import type { AddressSource } from '../../actors/peer-manager.ts';
import type { InternalContext } from '../../actors/reactor.ts';
import { peerId, runReactor, surroundings, type FakeChannel } from './reactor-context.ts';
import { settle } from './virtual-clock.ts';

type Facts = { direction?: 'inbound' | 'outbound'; ip?: string; listenAddr?: string; channels?: number[] };

/** The text of an address of the n-th stranger, public unless said otherwise. */
export function stranger(n: number, host = `8.8.${Math.floor(n / 250)}.${1 + (n % 250)}`, port = 26_656): string {
  return `mconn://${peerId(1_000_000 + n)}@${host}:${port}`;
}

export function strangers(count: number): NodeAddress[] {
  return Array.from({ length: count }, (_, n) => parseNodeAddress(stranger(n)));
}

/** Everything around one peer exchange reactor, running. */
export async function pexNetwork(options: NodeOptionsInput = {}) {
  const reactor = pexReactor();
  const around = surroundings(reactor);
  const pex = around.channels['pex'] as FakeChannel<PexMessage>;
  const added: { address: string; source: AddressSource }[] = [];
  const book = new Set<string>();
  const samples: { asker: NodeId; limit: number; remoteIp: string | undefined }[] = [];
  const links = new Map<NodeId, ReturnType<InternalContext['link']>>();
  const fakes = {
    /** What the manager tells whoever asks. */
    tell: [] as readonly NodeAddress[],
    known: 0,
    caught: 0,
    onAdd: undefined as ((address: NodeAddress) => Promise<boolean>) | undefined,
  };
  const manager: InternalContext['manager'] = {
    add: async (address, source) => {
      const text = formatNodeAddress(address);
      added.push({ address: text, source });
      if (fakes.onAdd) return fakes.onAdd(address);
      return !book.has(text) && !!book.add(text);
    },
    advertise: (asker, limit, remoteIp) => {
      samples.push({ asker, limit, remoteIp });
      return fakes.tell;
    },
    counts: () => ({ known: fakes.known, dialing: 0, connected: 0, up: 0, banned: 0 }),
  };
  const input = {
    ...around.input,
    manager,
    options: parseOptions(nodeOptions, options),
    link: (id: NodeId) => links.get(id),
    onCaught: () => fakes.caught++,
  };
  let running = runReactor(reactor, input);
  await settle();
  return {
    ...around,
    pex,
    added,
    samples,
    links,
    fakes,
    get outcome() {
      return running.outcome;
    },
    stop: () => running.actor.stop(),
    /** A new run of the same reactor, as its supervisor would start it. */
    restart: async () => {
      running.actor.stop();
      await settle();
      running = runReactor(reactor, input);
      await settle();
    },
    /** A peer comes up: outbound, on a public address, unless said otherwise. */
    async up(id: NodeId, { direction = 'outbound', ip = '9.9.9.9', listenAddr = 'tcp://0.0.0.0:26656', channels = [0x00] }: Facts = {}) {
      links.set(id, {
        direction,
        remoteEndpoint: { protocol: ip ? 'mconn' : 'memory', ip, port: ip ? 40_000 : 0, path: ip ? '' : id },
        nodeInfo: { nodeId: id, listenAddr } as NodeInfo,
      });
      around.peers.up(id, channels);
      await settle();
    },
    async down(id: NodeId) {
      links.delete(id);
      around.peers.down(id);
      await settle();
    },
    async request(from: NodeId, dialect: PexDialect = 'ip') {
      pex.deliver(from, { kind: 'request', dialect, addresses: [] });
      await settle();
    },
    async response(from: NodeId, addresses: readonly NodeAddress[] = [], more: Partial<PexMessage> = {}) {
      pex.deliver(from, { kind: 'response', dialect: 'ip', addresses, ...more });
      await settle();
    },
    /** When, in milliseconds, each of our requests to a peer left, as long as the clock runs on. */
    async asked(ms: number): Promise<{ to: NodeId; at: number }[]> {
      const seen: { to: NodeId; at: number }[] = [];
      for (let step = 0; step < ms; step += 1_000) {
        const before = pex.sent.length;
        await around.clock.advanceAsync(1_000);
        for (const { to, message } of pex.sent.slice(before)) {
          if (message.kind === 'request') seen.push({ to: to as NodeId, at: around.clock.now() });
        }
      }
      return seen;
    },
    reportsOf: (behaviour: string) => pex.reports.filter((report) => report.behaviour === behaviour),
  };
}
