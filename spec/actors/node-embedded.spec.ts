/** The node as logic in a host's own actor system: supervised by the host, seen by its inspector, gone when the host ends it. */
import { describe, expect, test } from '@jest/globals';
import { assign, createActor, setup, stopChild, type InspectionEvent } from 'xstate';
import { nodeLogic } from '../../actors/node.ts';
import { echoReactor } from '../../actors/echo.ts';
import { reactor } from '../../actors/reactor.ts';
import { guarded, supervisorMachine, type SupervisorInput } from '../../machines/supervisor.ts';
import { nodes, settle, updatesOf } from '../support/nodes.ts';

const intensity = { maxRestarts: 3, withinMs: 600_000, minBackoffMs: 100, maxBackoffMs: 1_000, watchdogMs: 10_000, maxMissed: 3 };
/** A reactor that the node cannot live without, and that breaks when told to. */
function vital() {
  const broken = { now: false };
  const made = reactor({
    name: 'vital',
    channels: {},
    essential: true,
    every: [
      [
        100,
        () => {
          if (broken.now) throw new Error('broke in a timer');
        },
      ],
    ],
  });
  return { broken, made };
}

describe('a node in a host’s system', () => {
  test('is started again by the host’s own supervisor when it gives up', async () => {
    const { clock, options, start, stop, net } = nodes();
    const { broken, made } = vital();
    const { key, ...given } = options({ reactors: [echoReactor(), made] });
    const faults: unknown[] = [];
    const input: SupervisorInput = {
      name: 'host',
      strategy: 'one_for_one',
      intensity,
      now: () => clock.now(),
      random: () => 0,
      // A transport serves one life.
      children: [
        { key: 'node', logic: nodeLogic, input: () => ({ ...given, key, transports: [net.transport(key!.id)] }), restart: 'permanent' },
      ],
      onEnded: (each) => faults.push(each),
    };
    const host = createActor(guarded(supervisorMachine), { input, clock }).start();
    await settle(10);
    const peer = await start({ persistentPeers: [`memory:${key!.id}`], reactors: [echoReactor()] });
    await clock.advanceAsync(1_000);
    expect(peer.status().peers.up).toBe(1);
    broken.now = true;
    await clock.advanceAsync(120_000);
    broken.now = false;
    expect(faults.length).toBeGreaterThan(0);
    await clock.advanceAsync(60_000);
    expect(peer.status().peers.up).toBe(1);
    expect(host.getSnapshot().status).toBe('active');
    host.stop();
    await stop();
    expect([net.counts().listening, net.counts().connections, clock.pending]).toEqual([0, 0, 0]);
  });

  test('tells its host why it ended, and which reactor was isolated', async () => {
    const { clock, options } = nodes();
    const failing = reactor({ name: 'failing', channels: {}, onStart: () => Promise.reject(new Error('broke at start')) });
    const seen: unknown[] = [];
    const { broken, made } = vital();
    const actor = createActor(nodeLogic, { input: options({ reactors: [failing, made] }), clock });
    actor.on('reactor.isolated', (event) => seen.push(event));
    actor.start();
    await clock.advanceAsync(30_000);
    expect(seen).toEqual([{ type: 'reactor.isolated', reactor: 'failing', error: expect.stringContaining('broke at start') }]);
    broken.now = true;
    await clock.advanceAsync(300_000);
    expect(actor.getSnapshot()).toMatchObject({ status: 'done', output: { error: { code: 'ERR_SUPERVISOR_GAVE_UP' } } });
  });

  test('is seen by the host’s inspector, actor by actor', async () => {
    const { clock, options } = nodes();
    const ids: string[] = [];
    const inspect = (event: InspectionEvent): void => {
      if (event.type === '@xstate.actor') ids.push((event.actorRef as { id?: string }).id ?? '');
    };
    const actor = createActor(nodeLogic, { id: 'mine', input: options({ reactors: [echoReactor()] }), clock, inspect }).start();
    await settle(10);
    expect(ids).toEqual(
      expect.arrayContaining([
        'mine',
        'store',
        'peerManager',
        'router',
        'dialer',
        'evictor',
        'acceptor:memory',
        'reactors',
        'echo',
        'channel:echo.echo',
      ]),
    );
    actor.stop();
    await settle(10);
  });

  test.each([
    ['stops its root', (host: { stop(): void }) => host.stop()],
    ['stops the child', (host: { send(event: { type: 'away' }): void }) => host.send({ type: 'away' })],
  ])('leaves nothing behind when the host %s without asking', async (_, end) => {
    const { clock, options, start, stop, net } = nodes();
    const given = options({ reactors: [echoReactor({ everyMs: 50 })] });
    const host = setup({ actors: { node: nodeLogic } }).createMachine({
      context: {},
      entry: assign(({ spawn }) => ({ node: spawn('node', { id: 'node', input: given }) })),
      on: { away: { actions: stopChild('node') } },
    });
    const actor = createActor(host, { clock }).start();
    await settle(10);
    const peer = await start({ persistentPeers: [`memory:${given.key!.id}`], reactors: [echoReactor()] });
    await clock.advanceAsync(1_000);
    expect(peer.status().peers.up).toBe(1);
    end(actor);
    await settle(10);
    expect(peer.status().peers.up).toBe(0);
    expect(net.counts()).toMatchObject({ listening: 1, connections: 0 });
    await stop();
    expect([net.counts().listening, clock.pending]).toEqual([0, 0]);
  });

  test('leaves nothing behind when the host ends it while it starts', async () => {
    for (let turn = 0; turn < 6; turn++) {
      const { clock, options, net } = nodes();
      const actor = createActor(nodeLogic, { input: options({ reactors: [echoReactor()] }), clock }).start();
      await settle(turn);
      actor.stop();
      await settle(10);
      expect([net.counts().listening, clock.pending]).toEqual([0, 0]);
    }
  });
});

describe('an actor that takes no events any more, here because an inspector of the host threw in it', () => {
  test.each([
    ['peerManager', ['up', 'down remoteClosed', 'up']],
    ['router', ['up', 'down remoteClosed', 'up']],
    ['reactors', ['up']],
  ])('is found by the watchdog when it is %s, and replaced within 40 s', async (id, expected) => {
    const { clock, options, start, stop } = nodes();
    const given = options({ reactors: [echoReactor()] });
    const wedge = { id: '', starts: 0, probes: 0 };
    const inspect = (event: InspectionEvent): void => {
      const actor = event.actorRef as { id?: string };
      if (event.type === '@xstate.actor' && actor.id?.replace(/#\d$/, '') === id) wedge.starts++;
      if (event.type === '@xstate.event' && event.event.type === 'watchdog.probe' && actor.id === id) wedge.probes++;
      if (event.type !== '@xstate.snapshot' || actor.id !== wedge.id) return;
      wedge.id = '';
      throw new Error('a viewer that throws');
    };
    const actor = createActor(nodeLogic, { input: given, clock, inspect }).start();
    await settle(10);
    const peer = await start({ persistentPeers: [`memory:${given.key!.id}`], reactors: [echoReactor()] });
    const updates = updatesOf(peer);
    await clock.advanceAsync(25_000);
    expect([wedge.starts, wedge.probes, peer.status().peers.up]).toEqual([1, 2, 1]);
    wedge.id = id;
    await clock.advanceAsync(4_000).catch(() => undefined);
    await clock.advanceAsync(40_000).catch(() => undefined);
    expect(wedge.id).toBe('');
    await clock.advanceAsync(40_000);
    expect([wedge.starts, updates]).toEqual([2, expected]);
    actor.send({ type: 'node.stop' });
    await clock.advanceAsync(10_000);
    await stop();
  });
});

describe('an inspector that throws', () => {
  test('harms nobody: the node goes on, and says so in its log', async () => {
    const { clock, start, stop } = nodes();
    let told = 0;
    const inspect = (): void => {
      told++;
      throw new Error('a viewer that throws');
    };
    const node = await start({ inspect, reactors: [echoReactor({ everyMs: 100 })] });
    const peer = await start({ persistentPeers: [...node.addresses], inspect: { next: inspect }, reactors: [echoReactor()] });
    await clock.advanceAsync(60_000);
    expect(told).toBeGreaterThan(100);
    expect([node.status().peers.up, peer.status().peers.up, node.status().restarts]).toEqual([1, 1, {}]);
    await stop();
  });
});
