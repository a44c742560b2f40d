import fc from 'fast-check';
import { expect, test } from '@jest/globals';
import { PeerUpdates, type PeerEvent } from '../../actors/peer-updates.ts';
import { idOf } from '../support/manager.ts';

const up = (digit: string, channels: readonly number[] = [1]) => ({ id: idOf(digit), status: 'up' as const, channels });
const down = (digit: string) => ({ id: idOf(digit), status: 'down' as const, channels: [], reason: 'reset' as const });
const textOf = (event: PeerEvent): string => ('snapshotEnd' in event ? '|' : `${event.status === 'up' ? '+' : '-'}${event.id[0]}`);

/** A read that had to wait, taken up by the next one. */
const unread = new WeakMap<AsyncIterator<PeerEvent>, Promise<IteratorResult<PeerEvent>>>();

/** What a reader gets without waiting. */
async function read(iterator: AsyncIterator<PeerEvent>, most = 100): Promise<string> {
  let text = '';
  for (let n = 0; n < most; n++) {
    const asked = unread.get(iterator) ?? iterator.next();
    unread.set(iterator, asked);
    const next = await Promise.race([asked, new Promise<undefined>((resolve) => setImmediate(() => resolve(undefined)))]);
    if (!next) return text;
    unread.delete(iterator);
    if (next.done) return `${text}.`;
    text += textOf(next.value);
  }
  return text;
}
const open = (updates: PeerUpdates, signal?: AbortSignal): AsyncIterator<PeerEvent> => updates.subscribe(signal)[Symbol.asyncIterator]();

test('a subscriber is told who is up, then where that ends, then what changes', async () => {
  const updates = new PeerUpdates();
  updates.publish(up('a'));
  updates.publish(up('b'));
  const reader = open(updates);
  expect(await read(reader, 3)).toBe('+a+b|');
  updates.publish(down('a'));
  updates.publish(up('c'));
  expect(await read(reader, 2)).toBe('-a+c');
});

test('an update that says nothing new is not told', async () => {
  const updates = new PeerUpdates();
  const reader = open(updates);
  updates.publish(down('a'));
  updates.publish(up('a'));
  updates.publish(up('a'));
  updates.publish(up('b'));
  expect(await read(reader, 3)).toBe('|+a+b');
});

test('a slow reader gets the latest of each peer, still in turn', async () => {
  const updates = new PeerUpdates();
  updates.publish(up('a'));
  const reader = open(updates);
  expect(await read(reader, 2)).toBe('+a|');
  for (const each of [down('a'), up('a'), down('a'), up('a', [7]), up('b'), down('b'), up('c')]) updates.publish(each);
  const events = [await reader.next(), await reader.next(), await reader.next()].map((each) => each.value as PeerEvent);
  expect(events.map(textOf).join('')).toBe('-a+a+c');
  expect(events[1]).toMatchObject({ channels: [7] });
});

test('a peer that goes down before the snapshot is read is not in it', async () => {
  const updates = new PeerUpdates();
  updates.publish(up('a'));
  updates.publish(up('b'));
  const reader = open(updates);
  updates.publish(down('a'));
  updates.publish(up('a'));
  expect(await read(reader, 3)).toBe('+b|+a');
});

test('every subscriber gets everything, and one that ends leaves the others served', async () => {
  const updates = new PeerUpdates();
  const readers = [open(updates), open(updates), open(updates)];
  await readers[1]!.return!();
  updates.publish(up('a'));
  expect(await Promise.all(readers.map((reader) => read(reader, 2)))).toEqual(['|+a', '.', '|+a']);
});

test('a signal, a break and a close end a subscription, waiting or not', async () => {
  const updates = new PeerUpdates();
  const abort = new AbortController();
  const reader = open(updates, abort.signal);
  await reader.next();
  const waiting = reader.next();
  abort.abort();
  expect(await waiting).toMatchObject({ done: true });
  expect(await read(open(updates, abort.signal))).toBe('.');
  const seen: string[] = [];
  updates.publish(up('a'));
  for await (const event of updates.subscribe()) {
    seen.push(textOf(event));
    if (seen.length === 2) break;
  }
  expect(seen).toEqual(['+a', '|']);
  const last = open(updates);
  updates.close();
  expect(await read(last)).toBe('.');
  expect(await read(open(updates))).toBe('.');
});

test('a reset takes down all that are up', async () => {
  const updates = new PeerUpdates();
  updates.publish(up('a'));
  const reader = open(updates);
  await read(reader, 2);
  updates.reset('restart');
  expect((await reader.next()).value).toMatchObject({ status: 'down', reason: 'restart' });
});

const action = fc.oneof(
  fc.record({ do: fc.constant('publish' as const), digit: fc.constantFrom('a', 'b', 'c', 'd'), isUp: fc.boolean() }),
  fc.record({ do: fc.constant('read' as const) }),
);

test('for each peer ups and downs alternate, the last one read is what is, and the buffer is bounded', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(action, { maxLength: 60 }),
      fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 4 }),
      async (actions, first) => {
        const updates = new PeerUpdates();
        const present = new Set<string>();
        const publish = (digit: string, isUp: boolean): void => {
          updates.publish(isUp ? up(digit) : down(digit));
          if (isUp) present.add(digit);
          else present.delete(digit);
        };
        for (const digit of first) publish(digit, true);
        const reader = open(updates);
        let text = '';
        for (const each of actions) {
          if (each.do === 'publish') publish(each.digit, each.isUp);
          else text += await read(reader, 1);
        }
        const rest = await read(reader);
        // Four peers, a down and an up each, and the end of the snapshot.
        expect(rest.length).toBeLessThanOrEqual(4 * 2 * 2 + 1);
        text += rest;
        expect(text.split('|')).toHaveLength(2);
        for (const digit of 'abcd') {
          const own = [...text.matchAll(new RegExp(`([+-])${digit}`, 'g'))].map((match) => match[1]).join('');
          expect(own).toMatch(/^(\+-)*\+?$/);
          expect(own.endsWith('+')).toBe(present.has(digit));
        }
        await reader.return!();
      },
    ),
  );
});
