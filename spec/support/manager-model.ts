/** The peer manager's chart with its peers' charts below it as a model that `graph.ts` explores: three peers, a slot each way, and what a router does with them. */
import { formatNodeAddress, parseNodeAddress } from '../../proto/address.ts';
import { dialerOptions, parseOptions, slotsOptions, storeOptions } from '../../proto/options.ts';
import { effectsOf } from '../../machines/peer-live.ts';
import { peerManagerMachine, type ManagerSnapshot } from '../../machines/peer-manager.ts';
import type { Answer, ManagerContext, ManagerEvent, ManagerSetup } from '../../machines/peer-manager-context.ts';
import type { PeerEvent, PeerInput } from '../../machines/peer-context.ts';
import { purePeer, restingSnapshot, type PeerSnapshot } from '../../machines/peer.ts';
import { blankRow, type PeerRow } from '../../machines/peer-row.ts';
import { epochOf, type Behaviour } from '../../machines/policy/score.ts';
import { itemsOf } from '../../machines/policy/tree.ts';
import { pure } from '../../machines/pure.ts';
import { memoryStore } from '../../actors/stores/memory.ts';
import type { PeerStore } from '../../actors/peer-store.ts';
import type { Model } from './graph.ts';
import { addressOf, idOf } from './manager.ts';

export type ManagerStory = Readonly<{
  name: string;
  /** Peers at the start, all known and due: the digit of the id, and the score. */
  peers: Readonly<Record<string, number>>;
  persistent?: string;
  slots: Readonly<{ inbound: number; outbound: number; upgrade: number }>;
  /** Who may arrive by itself, who may be reported, how often, and how. */
  arriving: readonly string[];
  reports: readonly Readonly<{ digit: string; behaviour: Behaviour }>[];
  mostReports: number;
  ticks: number;
  tickMs: number;
}>;

export type ManagerAct =
  | Readonly<{ type: 'dialNext' | 'evictNext' | 'tick' }>
  | Readonly<{ type: 'dialFailed' | 'dialed' | 'accepted' | 'ready' | 'ended'; digit: string }>
  | Readonly<{ type: 'reported'; digit: string; behaviour: Behaviour }>;

/** What a router knows of one connection. */
export type RouterLink = Readonly<{ direction: 'inbound' | 'outbound'; stage: 'routed' | 'up' }>;
/** The manager, the peers that live, and what the router knows, at one moment. */
export type ManagerMoment = Readonly<{
  manager: ManagerSnapshot;
  children: ReadonlyMap<string, PeerSnapshot>;
  links: Readonly<Record<string, RouterLink>>;
  dialing: readonly string[];
  now: number;
  ticks: number;
  reports: number;
  /** The answer to the last act. */
  answer: Answer | undefined;
}>;

export const own = '5';
export const start = 1_700_000_000_000;
export const roll = 0.5;
export const linkOf = (digit: string, direction: RouterLink['direction']): string => `${digit} ${direction}`;
const request = 1;

export function rowsOf({ peers }: ManagerStory): readonly PeerRow[] {
  return Object.entries(peers).map(([digit, score]) => ({
    ...blankRow(idOf(digit)),
    addresses: [
      { address: formatNodeAddress(addressOf(digit)), lastSuccess: 0, lastFailure: 0, failures: 0, notBefore: 0, source: 'host' },
    ],
    score,
    scoreEpoch: epochOf(start),
  }));
}

/** A store that a manager of this story starts from. */
export function storeOf(story: ManagerStory): PeerStore {
  const store = memoryStore();
  store.open();
  for (const row of rowsOf(story)) void store.put(row);
  return store;
}

function setupOf({ slots, persistent }: ManagerStory): ManagerSetup {
  return {
    ownId: idOf(own),
    options: {
      slots: parseOptions(slotsOptions, slots),
      dialer: parseOptions(dialerOptions, {}),
      store: parseOptions(storeOptions, {}),
      loopbackIsPublic: false,
    },
    persistent: persistent ? [addressOf(persistent)] : [],
    bootstrap: [],
    persistentIds: new Set(persistent ? [idOf(persistent)] : []),
    unconditionalIds: new Set(),
  };
}

const pureManager = pure(peerManagerMachine);
type Params = Readonly<{ id: string; targetId: string; input: PeerInput; event: PeerEvent; answer: Answer }>;

/** One stimulus with all that it sets off: the manager's effects, the events of its peers, and what they tell it. */
function given(moment: ManagerMoment, stimulus: object): ManagerMoment {
  let { manager } = moment;
  let answer: Answer | undefined;
  const children = new Map(moment.children);
  const queue = [{ ...stimulus, now: moment.now, roll } as ManagerEvent];
  for (const event of queue) {
    const [next, actions] = pureManager.step(manager, event);
    manager = next;
    for (const action of actions) {
      const params = action.params as unknown as Params;
      if (action.type === 'xstate.spawnChild') children.set(params.id, restingSnapshot(params.input));
      else if (action.type === 'xstate.sendTo') queue.push(...told(children, params));
      else if (action.type === 'reply') ({ answer } = params);
    }
  }
  for (const id of children.keys()) if (!manager.children[id]) children.delete(id);
  return { ...moment, manager, children, answer };
}

/** A live peer gets an event; what it tells the manager because of it. */
function told(children: Map<string, PeerSnapshot>, { targetId, event }: Params): readonly ManagerEvent[] {
  const [peer, actions] = purePeer.step(children.get(targetId)!, event);
  children.set(targetId, peer);
  const asked = effectsOf(actions).map((effect) => ({ type: 'peer.asked' as const, id: peer.context.row.id, effect }));
  return [...asked, { type: 'peer.changed', context: peer.context, isAnswer: true }];
}

function without<T>(record: Readonly<Record<string, T>>, key: string): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(record).filter(([each]) => each !== key));
}

function arrived(moment: ManagerMoment, digit: string, direction: RouterLink['direction']): ManagerMoment {
  const arrival = { id: idOf(digit), link: linkOf(digit, direction), ours: true, channels: [1], remoteIp: addressOf(digit).host };
  const next =
    direction === 'outbound'
      ? given(moment, { type: 'link.dialed', address: addressOf(digit), arrival, request })
      : given(moment, { type: 'link.accepted', arrival, request });
  if (next.answer?.kind !== 'ruling' || next.answer.ruling.verdict !== 'route') return next;
  const { replaces } = next.answer.ruling;
  // The router closes what is replaced before it routes what replaces it.
  const after =
    replaces === undefined ? next : given(next, { type: 'link.ended', id: idOf(digit), link: replaces, reason: 'duplicate', detail: '' });
  return { ...after, answer: next.answer, links: { ...moment.links, [digit]: { direction, stage: 'routed' } } };
}

/** A request that waits is withdrawn again. */
function asked(moment: ManagerMoment, requested: string, withdrawn: string): ManagerMoment {
  const next = given(moment, { type: requested, request });
  return next.answer ? next : given(next, { type: withdrawn, request });
}

function after(moment: ManagerMoment, act: ManagerAct, story: ManagerStory): ManagerMoment {
  const { links, dialing } = moment;
  switch (act.type) {
    case 'dialNext': {
      const next = asked(moment, 'dial.requested', 'dial.withdrawn');
      if (next.answer?.kind !== 'address') return next;
      return { ...next, dialing: [...dialing, parseNodeAddress(next.answer.address).nodeId[0]!] };
    }
    case 'evictNext':
      return asked(moment, 'eviction.requested', 'eviction.withdrawn');
    case 'dialFailed':
      return {
        ...given(moment, { type: 'dial.failed', address: addressOf(act.digit), code: 'ERR_DIAL_FAILED' }),
        dialing: dialing.filter((each) => each !== act.digit),
      };
    case 'dialed':
      return arrived({ ...moment, dialing: dialing.filter((each) => each !== act.digit) }, act.digit, 'outbound');
    case 'accepted':
      return arrived(moment, act.digit, 'inbound');
    case 'ready': {
      const link = links[act.digit]!;
      const next = given(moment, { type: 'link.ready', id: idOf(act.digit), link: linkOf(act.digit, link.direction) });
      return { ...next, links: { ...links, [act.digit]: { ...link, stage: 'up' } } };
    }
    case 'ended': {
      const link = linkOf(act.digit, links[act.digit]!.direction);
      const next = given(moment, {
        type: 'link.ended',
        id: idOf(act.digit),
        link,
        reason: reasonOf(moment.manager.context, act.digit),
        detail: '',
      });
      return { ...next, links: without(links, act.digit) };
    }
    case 'reported':
      return {
        ...given(moment, { type: 'behaviour.reported', id: idOf(act.digit), behaviour: act.behaviour, reason: '' }),
        reports: moment.reports + 1,
      };
    case 'tick': {
      const end = moment.now + story.tickMs;
      let next = moment;
      for (let at = next.manager.context.timerAt; at <= end; at = next.manager.context.timerAt)
        next = given({ ...next, now: Math.max(at, next.now) }, { type: 'clock.due' });
      return { ...next, now: end, ticks: moment.ticks + 1, answer: undefined };
    }
  }
}

/** A link that was asked to go ends for that reason, another one is reset. */
export function reasonOf({ live }: ManagerContext, digit: string): 'displaced' | 'reset' {
  const peer = [...itemsOf(live)].find(({ id }) => id === idOf(digit));
  return peer?.evicting === undefined ? 'reset' : 'displaced';
}

function actsOf({ links, dialing, ticks, reports }: ManagerMoment, story: ManagerStory): readonly ManagerAct[] {
  const acts: ManagerAct[] = [{ type: 'dialNext' }, { type: 'evictNext' }];
  for (const digit of Object.keys(story.peers)) {
    const link = links[digit];
    if (dialing.includes(digit)) acts.push({ type: 'dialFailed', digit }, { type: 'dialed', digit });
    if (story.arriving.includes(digit) && !link) acts.push({ type: 'accepted', digit });
    if (link?.stage === 'routed') acts.push({ type: 'ready', digit });
    if (link) acts.push({ type: 'ended', digit });
  }
  if (reports < story.mostReports)
    acts.push(...story.reports.filter(({ digit }) => links[digit]).map((each) => ({ type: 'reported', ...each }) as const));
  if (ticks < story.ticks) acts.push({ type: 'tick' });
  return acts;
}

/** The model of a story. */
export function managerModel(story: ManagerStory): Model<ManagerMoment, ManagerAct> {
  return {
    initial: () => ({
      manager: pureManager.initial({ setup: setupOf(story), rows: rowsOf(story), now: start }),
      children: new Map(),
      links: {},
      dialing: [],
      now: start,
      ticks: 0,
      reports: 0,
      answer: undefined,
    }),
    events: (moment) => actsOf(moment, story),
    next: (moment, act) => after({ ...moment, answer: undefined }, act, story),
    key: (moment) => keyOf(moment, story),
  };
}

/** As coarse as `keyOf` of a peer: how long each peer has to wait, what it has, and who is to make room for whom. */
function keyOf({ manager: { context }, now, ticks, reports, links, dialing }: ManagerMoment, { tickMs }: ManagerStory): string {
  const live = new Map([...itemsOf(context.live)].map((each) => [each.id, each]));
  const peers = [...itemsOf(context.book.rows)].map((row) => {
    const peer = live.get(row.id);
    const rests = Math.max(
      row.lastDisconnected > 0 ? row.lastDisconnected + 2_000 : 0,
      row.inactiveUntil,
      row.bannedUntil,
      row.dampedUntil,
    );
    const until = Math.max(rests, Math.min(...row.addresses.map(({ notBefore }) => notBefore)));
    return [
      Math.min(3, Math.max(0, Math.ceil((until - now) / tickMs))),
      [row.displacedAt > 0, row.score < 0],
      peer && [peer.evicting !== undefined, peer.context.leaving !== undefined, peer.context.rejection !== undefined],
    ];
  });
  return JSON.stringify([ticks, reports, peers, links, dialing, context.claims, context.evictions.map(({ id }) => id)]);
}

/** All that the manager knows, as text. */
export function viewOf({
  book,
  live,
  usage,
  evictions,
  claims,
  urgent,
  picks,
  unanswered,
  timerAt,
  crowd,
  rulings,
}: ManagerContext): string {
  const peers = [...itemsOf(live)].map(({ slot: _, ...peer }) => peer);
  const indexes = [book.targets.waiting, book.targets.persistent, book.targets.due, book.targets.displaced].map((each) =>
    [...itemsOf(each)].map(({ row }) => row.id),
  );
  return JSON.stringify([
    [...itemsOf(book.rows)],
    peers,
    indexes,
    usage,
    evictions,
    claims,
    urgent,
    picks,
    unanswered,
    timerAt,
    crowd,
    rulings,
  ]);
}
