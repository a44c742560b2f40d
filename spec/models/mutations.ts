/**
 * Faults made by hand, each a small wrong turn in a machine or a policy that a model must notice. `npm run mutate` makes them one by one in a copy of the
 * sources; a spec checks that each still fits its source, in one place.
 */

export type Mutation = Readonly<{
  name: string;
  file: string;
  /** Exactly this, once in the file, becomes that. */
  from: string;
  to: string;
}>;

export const mutations: readonly Mutation[] = [
  // slots and claims
  {
    name: 'one slot more each way',
    file: 'machines/peer-manager-slots.ts',
    from: 'slotsOf(context, direction) - context.usage[direction];',
    to: 'slotsOf(context, direction) + 1 - context.usage[direction];',
  },
  {
    name: 'no slot set aside for persistent peers',
    file: 'machines/peer-manager-slots.ts',
    from: 'slots.outbound - setup.persistentIds.size;',
    to: 'slots.outbound;',
  },
  {
    name: 'upgrades without limit',
    file: 'machines/peer-manager-slots.ts',
    from: "return context.setup.options.slots.upgrade - beyond('inbound') - beyond('outbound');",
    to: 'return context.setup.options.slots.upgrade;',
  },
  {
    name: 'an upgrade for a peer that is no better',
    file: 'machines/policy/evict.ts',
    from: 'export const upgradePoints = 10;',
    to: 'export const upgradePoints = 0;',
  },
  {
    name: 'a claim is not freed',
    file: 'machines/peer-manager-peers.ts',
    from: 'if (!claims.every(isKept)) decision.change({ claims: claims.filter(isKept) });',
    to: '',
  },
  {
    name: 'a victim is claimed twice',
    file: 'machines/peer-manager-slots.ts',
    from: 'if (id === row.id || context.claims.some((each) => each.victim === id)) continue;',
    to: 'if (id === row.id) continue;',
  },
  {
    name: 'nobody leaves for a better peer',
    file: 'machines/peer-manager-calls.ts',
    from: 'if (isAdmitted) displace(decision, victim);',
    to: '',
  },
  {
    name: 'who made room is dialed again at once',
    file: 'machines/peer-changes.ts',
    from: "displacedAt: event.reason === 'displaced' ? event.now : row.displacedAt,",
    to: 'displacedAt: row.displacedAt,',
  },
  // dialing
  {
    name: 'persistent peers are not first',
    file: 'machines/peer-manager-dials.ts',
    from: 'const target = persistentToDial(book) ?? (hasRoom ?',
    to: 'const target = (hasRoom ?',
  },
  {
    name: 'the cool-down is ignored',
    file: 'machines/policy/retry.ts',
    from: 'const cool = row.lastDisconnected > 0 ? row.lastDisconnected + cooldownMs : 0;',
    to: 'const cool = 0 * cooldownMs;',
  },
  {
    name: 'the back-off grows without limit',
    file: 'machines/policy/retry.ts',
    from: 'const span = Math.min(capMs, options.minRetryMs',
    to: 'const span = Math.max(0 * capMs, options.minRetryMs',
  },
  {
    name: 'the back-off does not grow',
    file: 'machines/policy/retry.ts',
    from: 'options.minRetryMs * 2 ** Math.min(',
    to: 'options.minRetryMs * 1 ** Math.min(',
  },
  {
    name: 'the cap of a rejection is that of a failure',
    file: 'machines/policy/retry.ts',
    from: 'return rejected ? Math.min(maxRejectedMs, options.maxRetryPersistentMs) : options.maxRetryPersistentMs;',
    to: 'return rejected ? options.maxRetryPersistentMs : options.maxRetryPersistentMs;',
  },
  {
    name: 'a success does not reset the failures',
    file: 'machines/policy/retry.ts',
    from: '{ ...each, failures: 0, notBefore: 0, lastSuccess: now }',
    to: '{ ...each, notBefore: 0, lastSuccess: now }',
  },
  {
    name: 'a held peer is dialed',
    file: 'machines/peer-manager-peers.ts',
    from: 'decision.change({ book: rested(decision.context.book, row, { held, now }) });',
    to: 'decision.change({ book: rested(decision.context.book, row, { held: false && held, now }) });',
  },
  {
    name: 'a cancelled dial connects',
    file: 'machines/peer-admission.ts',
    from: "|| (context.cancelled && direction === 'outbound')",
    to: '',
  },
  {
    name: 'a dial is lost when a connection came up meanwhile',
    file: 'machines/peer-changes.ts',
    from: "if (context.link) return { dialing: '', cancelled: false };",
    to: '',
  },
  {
    name: 'a rejection counts at once',
    file: 'machines/peer-context.ts',
    from: 'export const rejectionMs = 2_000;',
    to: 'export const rejectionMs = 1;',
  },
  {
    name: 'a short life is no failure',
    file: 'machines/peer-context.ts',
    from: 'export const shortLifeMs = 10_000;',
    to: 'export const shortLifeMs = 0;',
  },
  // two connections
  {
    name: 'the higher id wins',
    file: 'machines/policy/duplicate.ts',
    from: "return (direction === 'outbound') === ownIdLower;",
    to: "return (direction === 'outbound') !== ownIdLower;",
  },
  {
    name: 'a held connection is held for longer',
    file: 'machines/policy/duplicate.ts',
    from: 'export const holdMs = 8_000;',
    to: 'export const holdMs = 12_000;',
  },
  {
    name: 'a third connection restarts the clock',
    file: 'machines/peer-changes.ts',
    from: 'rivalUntil: context.rival ? context.rivalUntil : event.now + holdMs',
    to: 'rivalUntil: event.now + holdMs',
  },
  {
    name: 'a link is replaced as often as the remote likes',
    file: 'machines/policy/duplicate.ts',
    from: "return facts.sinceReplacedMs >= replaceIntervalMs ? 'replace' : 'refuse';",
    to: "return 'replace';",
  },
  {
    name: 'a link never goes stale',
    file: 'machines/policy/duplicate.ts',
    from: "if (facts.olderAgeMs > staleLinkMs) return 'replace';",
    to: '',
  },
  {
    name: 'the rival of a link that ended is not told',
    file: 'machines/peer.ts',
    from: "{ guard: and(['isLink', 'hasRival']), actions: [routeRival, 'promoteRival'] },",
    to: "{ guard: and(['isLink', 'hasRival']), actions: 'promoteRival' },",
  },
  // updates
  {
    name: 'down is not told',
    file: 'machines/peer.ts',
    from: "{ guard: 'isLink', target: '#peer.connection.none', actions: [publishDown, 'endLink'] },",
    to: "{ guard: 'isLink', target: '#peer.connection.none', actions: 'endLink' },",
  },
  {
    name: 'up is told twice',
    file: 'machines/peer.ts',
    from: "{ guard: 'isLink', target: 'up', actions: ['markUp', publishUp] },",
    to: "{ guard: 'isLink', target: 'up', actions: ['markUp', publishUp, publishUp] },",
  },
  // evictions
  {
    name: 'a link is closed twice',
    file: 'machines/peer.ts',
    from: 'handedOut: { on: relieved },',
    to: "handedOut: { on: { ...relieved, 'peer.evict': { guard: 'hasLink', target: 'scheduled', actions: closeLink } } },",
  },
  {
    name: 'an eviction outlives its link',
    file: 'machines/peer-manager-calls.ts',
    from: 'if (evictions.some((each) => each.link === link)) decision.change({ evictions: evictions.filter((each) => each.link !== link) });',
    to: '',
  },
  // bans and scores
  {
    name: 'a ban never ends',
    file: 'machines/policy/score.ts',
    from: 'export const isBanned = (row: PeerRow, now: number): boolean => now < row.bannedUntil;',
    to: 'export const isBanned = (row: PeerRow, now: number): boolean => row.bannedUntil > 0 * now;',
  },
  {
    name: 'a banned peer is let in',
    file: 'machines/peer-admission.ts',
    from: 'if (isBanned(context.row, event.now)) return refusals.banned;',
    to: '',
  },
  {
    name: 'a score never fades',
    file: 'machines/policy/score.ts',
    from: 'Math.trunc(score / 2 ** halvings)',
    to: 'Math.trunc(score / 1 ** halvings)',
  },
  {
    name: 'standing buys tolerance',
    file: 'machines/policy/score.ts',
    from: 'const base = Math.min(before, 0);',
    to: 'const base = before;',
  },
  {
    name: 'an hour pays without anything useful',
    file: 'machines/peer-changes.ts',
    from: 'const rewardedRow = link.isUseful ? rewarded(',
    to: 'const rewardedRow = link.isUseful || true ? rewarded(',
  },
  {
    name: 'who connects too often is let in',
    file: 'machines/peer-admission.ts',
    from: 'if (!link && event.now < Math.max(context.row.dampedUntil, event.dampedUntil ?? 0)) return refusals.flapping;',
    to: '',
  },
  // what is known
  {
    name: 'a peer that was removed is kept',
    file: 'machines/peer-manager-peers.ts',
    from: 'if (context.durable && !context.forgotten) {',
    to: 'if (context.durable) {',
  },
  {
    name: 'a stranger earns its row at once',
    file: 'machines/peer-context.ts',
    from: 'export const earnedMs = 60_000;',
    to: 'export const earnedMs = 1;',
  },
  {
    name: 'one source fills the store',
    file: 'machines/peer-manager-dials.ts',
    from: 'shareOf(book, gossip) >= share(sourcePercent) ||',
    to: '',
  },
  {
    name: 'private peers are told of',
    file: 'machines/policy/advertise.ts',
    from: 'privateIds.has(row.id) || ',
    to: '',
  },
  {
    name: 'a peer is told its own address',
    file: 'machines/policy/advertise.ts',
    from: 'row.id === asker.id || ',
    to: '',
  },
];
