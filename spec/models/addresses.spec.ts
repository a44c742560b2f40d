/** Addresses from anybody, kept and told: no source fills the store, and who asks is told what may be told. */
import fc from 'fast-check';
import { expect, test } from '@jest/globals';
import { parseNodeAddress } from '../../proto/address.ts';
import { parseNodeId, type NodeId } from '../../proto/identity.ts';
import { ManagerHarness, addressOf, idOf } from '../support/manager.ts';
import { seededRandom } from '../support/random.ts';
import { trials } from '../support/trials.ts';

const { seed, runs, named } = trials(13, 40);
const maxPeers = 60;
/** A twentieth of the store. */
const share = 3;
const sources = ['a', 'b'] as const;
const privateDigit = 'c';
const strangers = 30;

const strangerId = (n: number): NodeId => parseNodeId(`e${n.toString(16).padStart(39, '0')}`);
const hearsay = (n: number) => parseNodeAddress(`mconn://${strangerId(n)}@${60 + n}.2.3.4:26656`);

type Act =
  | Readonly<{ type: 'gossip'; source: (typeof sources)[number]; stranger: number }>
  | Readonly<{ type: 'reach' | 'ban'; digit: string }>
  | Readonly<{ type: 'ask'; digit: string; limit: number }>;

const known = [...sources, privateDigit, 'd'];
const digit = fc.constantFrom(...known);
const acts: fc.Arbitrary<readonly Act[]> = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ type: fc.constant('gossip' as const), source: fc.constantFrom(...sources), stranger: fc.nat(strangers - 1) }),
    },
    { weight: 2, arbitrary: fc.record({ type: fc.constant('reach' as const), digit }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('ban' as const), digit }) },
    { weight: 2, arbitrary: fc.record({ type: fc.constant('ask' as const), digit, limit: fc.nat(6) }) },
  ),
  { maxLength: 40, size: 'max' },
);

test(`hearsay stays within the share of its source, and nothing is told that may not be ${named}`, async () => {
  await fc.assert(
    fc.asyncProperty(acts, fc.nat(), async (list, dice) => {
      const self = addressOf('5');
      const harness = new ManagerHarness({
        random: seededRandom(dice),
        storeOptions: { maxPeers },
        privateIds: [idOf(privateDigit)],
        selfAddress: () => self,
      });
      const { manager } = harness;
      for (const each of known) await harness.add(each);
      for (const source of sources) harness.up(source, { remoteIp: addressOf(source).host });
      const reached = new Set<string>();
      const banned = new Set<string>();
      for (const act of list) {
        if (act.type === 'gossip') await manager.add(hearsay(act.stranger), { kind: 'gossip', from: idOf(act.source) });
        if (act.type === 'reach') {
          const { verdict } = harness.dialed(act.digit);
          if (verdict === 'route' || !banned.has(act.digit)) reached.add(act.digit);
        }
        if (act.type === 'ban') {
          await manager.peers.ban(idOf(act.digit), { forMs: 1_000_000, reason: '' });
          banned.add(act.digit);
        }
        const rows = harness.store.load();
        for (const source of sources) {
          const told = rows.flatMap(({ addresses }) => addresses).filter((each) => each.source === `gossip:${idOf(source)}`);
          expect(told.length).toBeLessThanOrEqual(share);
        }
        if (act.type === 'ask')
          expectTold(manager.advertise(idOf(act.digit), act.limit, '8.8.8.8'), act, { reached, banned, self: self.nodeId });
      }
      harness.stop();
    }),
    { seed, numRuns: runs },
  );
}, 60_000);

function expectTold(
  told: ReturnType<ManagerHarness['manager']['advertise']>,
  { digit: asker, limit }: Extract<Act, { type: 'ask' }>,
  facts: Readonly<{ reached: ReadonlySet<string>; banned: ReadonlySet<string>; self: NodeId }>,
): void {
  const ids = told.map(({ nodeId }) => nodeId);
  const tellable = [...facts.reached].filter((each) => each !== asker && each !== privateDigit && !facts.banned.has(each));
  expect(new Set(ids).size).toBe(ids.length);
  // Ourselves first, then as many as there are and as fit.
  expect(ids.length).toBe(Math.min(limit, 1 + tellable.length));
  if (limit > 0) expect(ids[0]).toBe(facts.self);
  for (const id of ids.slice(1)) expect(tellable.map(idOf)).toContain(id);
}
