/** A node inside a host's own actor system: the host supervises it, starts it again when it gives up, and looks at it with its own inspector. */
import { createActor, setup, type InspectionEvent } from 'xstate';
import { echoReactor, generateNodeKey, memoryStore, nodeLogic, reactor, type CreateNodeOptions, type NodeOutput } from 'troupe';

/** A reactor that the host cannot do without, and that breaks as long as its ledger is closed. */
let isLedgerOpen = false;
const ledger = reactor({
  name: 'ledger',
  channels: {},
  essential: true,
  onStart() {
    if (!isLedgerOpen) throw new Error('the ledger is closed');
  },
});

// These outlive a node, so that the next one has the same id and knows the same peers.
const [key, store] = [generateNodeKey(), memoryStore()];
const options = (): CreateNodeOptions => ({
  network: 'example',
  key,
  store,
  listen: ['mconn://127.0.0.1:0'],
  monitor: false,
  logLevel: 'silent',
  // Little patience, so that the example is short.
  supervision: { maxRestarts: 1, minBackoffMs: 5 },
  reactors: [ledger, echoReactor()],
});

const host = setup({
  types: { events: {} as { type: 'leave' } },
  actors: { node: nodeLogic },
  guards: { gaveUp: (_, { error }: NodeOutput) => error !== undefined },
  actions: {
    say: (_, text: string) => console.log(text),
    openLedger: () => (isLedgerOpen = true),
    stopNode: ({ self }) => self.getSnapshot().children['node']?.send({ type: 'node.stop' }),
  },
}).createMachine({
  id: 'host',
  initial: 'running',
  on: { leave: { actions: 'stopNode' } },
  states: {
    running: {
      invoke: {
        id: 'node',
        src: 'node',
        input: options,
        onDone: [
          {
            guard: { type: 'gaveUp', params: ({ event }) => event.output },
            target: 'mending',
            actions: { type: 'say', params: ({ event }) => `the node gave up: ${event.output.error?.message}` },
          },
          { target: 'over', actions: { type: 'say', params: 'the node has stopped' } },
        ],
        onError: 'mending',
      },
    },
    mending: { entry: 'openLedger', after: { 20: 'running' } },
    over: { type: 'final' },
  },
});

/** Everything below the host is seen: here, how often each actor was made. */
const made = new Map<string, number>();
const inspect = (event: InspectionEvent): void => {
  if (event.type !== '@xstate.actor' || !('id' in event.actorRef)) return;
  const id = String(event.actorRef.id).replace(/#\d+$/, '');
  made.set(id, (made.get(id) ?? 0) + 1);
};

const actor = createActor(host, { inspect });
const ready = new Promise<void>((resolve) => {
  actor.subscribe(({ children }) => void children['node']?.on('node.ready', () => isLedgerOpen && resolve()));
});
const over = new Promise<void>((resolve) => void actor.subscribe({ complete: resolve }));
actor.start();

await ready;
console.log('the next one is ready');
actor.send({ type: 'leave' });
await over;
for (const id of ['node', 'store', 'router', 'reactors', 'ledger', 'echo']) console.log(id.padEnd(8), 'was made', made.get(id), 'times');
