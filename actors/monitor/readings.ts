/** How metrics are read from the facts of a scrape: the series of each, with their labels. */
import { dropReasons } from '../../proto/errors.ts';
import type { NodeStatus } from '../status.ts';
import type { Facts, UpPeer } from './facts.ts';
import type { ConnectionView, Direction } from './traffic.ts';

/** The labels of one series, and its value. */
export type Sample = readonly [labels: Readonly<Record<string, string>>, value: number];

export const directions: readonly Direction[] = ['inbound', 'outbound'];
export const storeStates: readonly NodeStatus['store']['state'][] = ['ok', 'degraded', 'memory'];
export const loopStates: readonly NodeStatus['pressure']['loop'][] = ['keptUp', 'delayed'];
export const memoryStates: readonly NodeStatus['pressure']['memory'][] = ['enough', 'short', 'spent'];

/** 1 for the state that holds now, 0 for the others. */
export const holding = <S extends string>(states: readonly S[], now: S): readonly Sample[] =>
  states.map((state) => [{ state }, state === now ? 1 : 0]);

export const one = (value: number | undefined): readonly Sample[] => (value === undefined ? [] : [[{}, value]]);

/** A series for each key that was counted. */
export function* by(
  label: string,
  counts: Iterable<readonly [string, number]>,
  others: Readonly<Record<string, string>> = {},
): Iterable<Sample> {
  for (const [key, count] of counts) yield [{ ...others, [label]: key }, count];
}

/** A series for each word of a closed list, 0 for what has not happened: a rate needs a start. */
export const each = (label: string, words: readonly string[], counts: Readonly<Record<string, number>>): readonly Sample[] =>
  words.map((word) => [{ [label]: word }, counts[word] ?? 0]);

export const byDirection = (value: (direction: Direction) => number): readonly Sample[] =>
  directions.map((direction) => [{ direction }, value(direction)]);

const inDirection = (views: readonly ConnectionView[], direction: Direction): number =>
  views.filter(({ connection }) => connection.direction === direction).length;

/** Numbers that transports tell of themselves under one key. */
export const ofTransports = (facts: Facts, key: string): readonly Sample[] =>
  Object.entries(facts.status.transports).flatMap(([transport, told]): Sample[] => {
    const value = told[key];
    return typeof value === 'number' ? [[{ transport }, value]] : [];
  });

export const refusedByTransports = (facts: Facts): readonly Sample[] =>
  Object.values(facts.status.transports).flatMap((told) =>
    Object.entries(told).flatMap(([key, value]): Sample[] =>
      key.startsWith('rejected.') && typeof value === 'number' ? [[{ stage: 'accept', reason: key.slice('rejected.'.length) }, value]] : [],
    ),
  );

export const channelLabel = (id: number): string => `0x${id.toString(16).padStart(2, '0')}`;

export const ofChannels =
  (field: 'bytesSent' | 'bytesReceived' | 'messagesSent' | 'messagesReceived') =>
  ({ traffic }: Facts): readonly Sample[] =>
    traffic.channels.map((channel) => [{ channel: channelLabel(channel.id) }, channel[field]]);

export const ofPeers =
  (value: (peer: UpPeer) => number | undefined) =>
  ({ labelled }: Facts): readonly Sample[] =>
    labelled.flatMap((peer): Sample[] => {
      const read = value(peer);
      return read === undefined ? [] : [[{ peer_id: peer.id }, read]];
    });

/** Every reason from the start, for what belongs to no channel; then what each channel has dropped. */
export function* dropsByChannel({ status, channelDrops }: Facts): Iterable<Sample> {
  for (const reason of dropReasons) {
    const placed = [...channelDrops.values()].reduce((sum, counts) => sum + (counts.get(reason) ?? 0), 0);
    yield [{ channel: 'none', reason }, Math.max(0, (status.drops[reason] ?? 0) - placed)];
  }
  for (const [id, counts] of channelDrops) yield* by('reason', counts, { channel: channelLabel(id) });
}

export function* dropsByPeer({ labelled }: Facts): Iterable<Sample> {
  for (const { id, link } of labelled) {
    for (const reason of dropReasons) {
      const count = [...link.drops.values()].reduce((sum, counts) => sum + (counts.get(reason) ?? 0), 0);
      if (count > 0) yield [{ peer_id: id, reason }, count];
    }
  }
}

export function* peersByState({ status: { peers }, traffic, up }: Facts): Iterable<Sample> {
  const shaken = traffic.connections.filter(({ remote }) => remote !== undefined);
  yield [{ state: 'known', direction: 'none' }, peers.known];
  yield [{ state: 'banned', direction: 'none' }, peers.banned];
  yield [{ state: 'dialing', direction: 'outbound' }, peers.dialing];
  for (const direction of directions) {
    yield [{ state: 'connected', direction }, inDirection(shaken, direction)];
    yield [{ state: 'up', direction }, inDirection(up, direction)];
  }
}

export function* connectionsByState({ traffic: { connections } }: Facts): Iterable<Sample> {
  for (const direction of directions) {
    const all = inDirection(connections, direction);
    const shaking = connections.filter((view) => view.remote === undefined && view.connection.direction === direction).length;
    yield [{ direction, state: 'handshaking' }, shaking];
    yield [{ direction, state: 'open' }, all - shaking];
  }
}
