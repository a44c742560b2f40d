/** A thousand live peers in one peer manager: what one more costs, and what an event to one of them costs, told by the face and booked. */
import { createActor } from 'xstate';
import { nodeLog } from '../../actors/log.ts';
import { createPeerManager, type Arrival, type RunnablePeerManager } from '../../actors/peer-manager.ts';
import { memoryStore } from '../../actors/stores/memory.ts';
import { generateNodeKey, parseNodeId, type NodeId } from '../../proto/identity.ts';
import { nodeOptions, parseOptions } from '../../proto/options.ts';
import { realClock } from '../../actors/environment.ts';
import { slack } from './setup.ts';

const livePeers = 1_000;
const further = 200;
const events = 4_000;
const eventRounds = 8;
const rounds = 4;
const bounds = { furtherMs: 1, eventMs: 0.05 * slack };

const idOf = (n: number): NodeId => parseNodeId(n.toString(16).padStart(40, '0'));
const arrivalOf = (n: number): Arrival => ({
  id: idOf(n),
  link: `link:${n}`,
  remoteIp: `${20 + (n % 200)}.${n >> 8}.${n & 255}.1`,
  ours: false,
  channels: [0x77],
});

type Rig = Readonly<{ manager: RunnablePeerManager; connect(n: number): void; disconnect(n: number): void; stop(): void }>;

function rig(): Rig {
  const clock = realClock();
  const { slots, dialer, store, loopbackIsPublic } = parseOptions(nodeOptions, {
    slots: { inbound: 2 * livePeers },
    store: { maxPeers: 4 * livePeers },
  });
  const rows = memoryStore();
  rows.open();
  const manager = createPeerManager({
    ownId: generateNodeKey().id,
    options: { slots, dialer, store, loopbackIsPublic },
    persistent: [],
    bootstrap: [],
    privateIds: [],
    unconditionalIds: [],
    store: rows,
    clock,
    random: Math.random,
    log: nodeLog({ level: 'error', clock }),
  });
  const actor = createActor(manager.logic).start();
  return {
    manager,
    connect(n) {
      const arrival = arrivalOf(n);
      const { verdict } = manager.accepted(arrival);
      if (verdict !== 'route') throw new Error(`peer ${n}: ${verdict}`);
      manager.ready(arrival.id, arrival.link);
    },
    disconnect: (n) => manager.disconnected(idOf(n), `link:${n}`, 'remoteClosed'),
    stop() {
      actor.stop();
      manager.close();
    },
  };
}

/** Milliseconds a call over many calls. */
function timed(times: number, run: (i: number) => void): number {
  const began = performance.now();
  for (let i = 0; i < times; i++) run(i);
  return (performance.now() - began) / times;
}

function round(): Readonly<{ furtherMs: number; eventMs: number; leavingMs: number }> {
  const { manager, connect, disconnect, stop } = rig();
  timed(livePeers, connect);
  const furtherMs = timed(further, (i) => connect(livePeers + i));
  const leavingMs = timed(further, (i) => disconnect(livePeers + i));
  // Each counts: half of them take away what the others give.
  const report = (i: number): void => manager.report(idOf((i * 7) % livePeers), i % 3 === 0 ? 'unhelpful' : 'useful', '');
  // Asked for its counts the manager first books what has become of everybody.
  const reports = (): number => timed(1, () => void (timed(events, report), manager.counts())) / events;
  const eventMs = Math.min(...Array.from({ length: eventRounds }, reports));
  const { up } = manager.counts();
  if (up !== livePeers) throw new Error(`${up} peers are up`);
  stop();
  return { furtherMs, eventMs, leavingMs };
}

const results = Array.from({ length: rounds }, round);
const best = (pick: (result: (typeof results)[number]) => number): number => Math.min(...results.map(pick));
const rows = [
  ['one more live peer: accepted and up', best((each) => each.furtherMs), bounds.furtherMs],
  ['one live peer less', best((each) => each.leavingMs), undefined],
  ['an event to a live peer: a report', best((each) => each.eventMs), bounds.eventMs],
] as const;
process.stdout.write(
  `\n${livePeers} live peers: best of ${rounds} rounds of ${further} further peers, and of ${rounds * eventRounds} of ${events} reports\n\n`,
);
let failures = 0;
for (const [name, value, bound] of rows) {
  const past = bound !== undefined && !(value < bound);
  if (past) failures++;
  process.stdout.write(
    `${name.padEnd(38)}${value.toFixed(4).padStart(10)} ms${bound === undefined ? '' : `  (bound: under ${bound} ms)`}${past ? '  PAST ITS BOUND' : ''}\n`,
  );
}
process.exit(failures > 0 ? 1 : 0);
