/** Every edge of what three peers and two slots can come to in three ticks of the clock, by shortest paths over the manager's chart, walked by the real manager. */
import { describe, expect, test } from '@jest/globals';
import { explore, walkEveryEdge } from '../support/graph.ts';
import { managerModel, type ManagerStory } from '../support/manager-model.ts';
import { ManagerWalker } from '../support/manager-walker.ts';

type Sized = ManagerStory & Readonly<{ atLeast: readonly [states: number, edges: number] }>;
const slots = { inbound: 1, outbound: 1, upgrade: 1 };
const stories: readonly Sized[] = [
  {
    name: 'three equals, of whom one comes by itself too',
    atLeast: [450, 2_400],
    peers: { a: 0, b: 0, c: 0 },
    slots,
    arriving: ['a'],
    reports: [],
    mostReports: 0,
    ticks: 3,
    tickMs: 2_000,
  },
  {
    name: 'one that is better than the others, and takes their place',
    atLeast: [360, 1_800],
    peers: { a: 0, b: 0, c: 20 },
    slots,
    arriving: ['c'],
    reports: [],
    mostReports: 0,
    ticks: 1,
    tickMs: 2_000,
  },
  {
    name: 'one that is persistent',
    atLeast: [160, 900],
    peers: { a: 0, b: 0, c: 0 },
    persistent: 'c',
    slots: { ...slots, outbound: 2 },
    arriving: ['c'],
    reports: [],
    mostReports: 0,
    ticks: 0,
    tickMs: 2_000,
  },
  {
    name: 'two that misbehave',
    atLeast: [310, 1_500],
    peers: { a: 0, b: 0, c: 0 },
    slots,
    arriving: ['a'],
    reports: [
      { digit: 'a', behaviour: 'protocolViolation' },
      { digit: 'b', behaviour: 'fatal' },
    ],
    mostReports: 1,
    ticks: 0,
    tickMs: 2_000,
  },
];

describe('a manager that knows three peers:', () => {
  test.each(stories)(
    '$name',
    async (story) => {
      const graph = explore(managerModel(story), 40_000);
      await walkEveryEdge(graph, () => new ManagerWalker(story));
      const [states, edges] = story.atLeast;
      expect(graph.states).toBeGreaterThanOrEqual(states);
      expect(graph.edges).toBeGreaterThanOrEqual(edges);
    },
    120_000,
  );
});
