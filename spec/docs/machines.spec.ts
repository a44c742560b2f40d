import { describe, expect, test } from '@jest/globals';
import type { AnyStateMachine } from 'xstate';
import { linkMachine } from '../../machines/link.ts';
import { nodeMachine } from '../../machines/node.ts';
import { peerManagerMachine } from '../../machines/peer-manager.ts';
import { peerMachine } from '../../machines/peer.ts';
import { pexMachine } from '../../machines/pex.ts';
import { supervisorMachine } from '../../machines/supervisor.ts';
import { expectPage } from '../support/page.ts';
import { edgesOf, nameless, regionsOf, statechartPage } from '../support/statechart.ts';

/** What fits a screen. */
const mostStates = 25;
const mostEdges = 60;

const machines: Readonly<Record<string, readonly [AnyStateMachine, string]>> = {
  peer: [
    peerMachine,
    'The life of one peer. A live peer runs this chart as an actor; for one at rest it decides each event from the row, and is not kept. Its four regions change together.',
  ],
  'peer-manager': [peerManagerMachine, 'Who is known, who is connected, whom to dial and whom to evict: parent of the live peers.'],
  link: [linkMachine, 'The life of one connection, from its handshake to its end.'],
  node: [nodeMachine, 'The life of a node, from its start to why it ended.'],
  supervisor: [
    supervisorMachine,
    'Starts children in order, restarts what fails, gives up beyond its intensity, stops children in reverse.',
  ],
  pex: [pexMachine, 'Asking one peer for addresses.'],
};

describe.each(Object.entries(machines))('%s', (name, [machine, intro]) => {
  test('its diagram is the machine', () => {
    expectPage(`docs/machines/${name}.md`, statechartPage(machine, `machines/${name}.ts`, intro));
  });

  test(`each picture is small enough to draw: at most ${mostStates} states and ${mostEdges} edges`, () => {
    const regions = regionsOf(machine);
    expect(regions.length).toBeGreaterThan(0);
    expect(regions.filter(({ states, edges }) => states > mostStates || edges > mostEdges)).toEqual([]);
  });

  test('every guard and action has a name, and every transition a name of its own', () => {
    const edges = edgesOf(machine);
    expect(edges.map(({ label }) => label).filter((label) => nameless.test(label))).toEqual([]);
    expect(new Set(edges.map((edge) => edge.name)).size).toBe(edges.length);
  });

  test('its pictures are Mermaid', () => {
    const id = '(?!end |note |state |direction )[a-zA-Z][a-zA-Z0-9_]*';
    const label = '[^:;#{}<>%"\\n]+';
    const statement = new RegExp(`^  (state "${label}" as ${id}|${id} : ${label}|(\\[\\*\\]|${id}) --> (\\[\\*\\]|${id})( : ${label})?)$`);
    for (const { text } of regionsOf(machine)) {
      const [head, ...lines] = text.split('\n');
      expect(head).toBe('stateDiagram-v2');
      expect(lines.filter((line) => !statement.test(line))).toEqual([]);
    }
  });
});
