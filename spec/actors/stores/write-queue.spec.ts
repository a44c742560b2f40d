import fc from 'fast-check';
import { expect, test } from '@jest/globals';
import { WriteQueue } from '../../../actors/stores/write-queue.ts';
import type { PeerRow } from '../../../actors/peer-store.ts';
import type { NodeId } from '../../../proto/identity.ts';
import { rowOf } from '../../contracts/peer-store.ts';
import { settle } from '../../support/virtual-clock.ts';

const spacingMs = 1_000;
const id = (digit: string): NodeId => rowOf(digit).id;
const put = (queue: WriteQueue, digit: string, score: number, now: number): void =>
  queue.put({ id: id(digit), row: rowOf(digit, { score }) }, { isNew: false, now });
const due = (queue: WriteQueue, now: number): string =>
  [...queue.due(now)].map(({ id: [digit], row }) => `${digit}${row?.score ?? ''}`).join(' ');
const write = (queue: WriteQueue, now: number): void => queue.done([...queue.due(now)], now);
const outcome = async (promise: Promise<void>): Promise<string> => {
  let known = 'pending';
  promise.then(
    () => (known = 'done'),
    (error: unknown) => (known = (error as Error).message),
  );
  await settle();
  return known;
};

test('the latest change of each peer is due, in the order in which the peers came', () => {
  const queue = new WriteQueue(spacingMs);
  expect(queue.dueAt()).toBe(Infinity);
  put(queue, 'a', 1, 0);
  put(queue, 'b', 2, 0);
  put(queue, 'a', 3, 0);
  expect(queue.dueAt()).toBe(0);
  expect(due(queue, 0)).toBe('a3 b2');
  expect(queue.size).toBe(2);
});

test('a peer that was written is due again when the spacing is over, whatever happens to it meanwhile', () => {
  const queue = new WriteQueue(spacingMs);
  put(queue, 'a', 1, 0);
  write(queue, 10);
  for (const score of [2, 3, 4]) put(queue, 'a', score, 20);
  expect(due(queue, 20)).toBe('');
  expect(queue.dueAt()).toBe(10 + spacingMs);
  expect(due(queue, 9 + spacingMs)).toBe('');
  expect(due(queue, 10 + spacingMs)).toBe('a4');
});

test('others do not wait for a peer that has to', () => {
  const queue = new WriteQueue(spacingMs);
  put(queue, 'a', 1, 0);
  write(queue, 0);
  put(queue, 'a', 2, 1);
  put(queue, 'b', 3, 1);
  expect(due(queue, 1)).toBe('b3');
});

test('hurry makes due what waits: of all, or of the peers it names', () => {
  const queue = new WriteQueue(spacingMs);
  for (const digit of ['a', 'b', 'c']) put(queue, digit, 1, 0);
  write(queue, 0);
  for (const digit of ['a', 'b', 'c']) put(queue, digit, 2, 1);
  queue.hurry([id('b'), id('f')]);
  expect(due(queue, 1)).toBe('b2');
  queue.hurry();
  expect(due(queue, 1)).toBe('b2 a2 c2');
});

test('who waits is told once the row is on disk, or a later one', async () => {
  const queue = new WriteQueue(spacingMs);
  put(queue, 'a', 1, 0);
  const first = queue.written(id('a'));
  put(queue, 'a', 2, 0);
  expect(await outcome(first)).toBe('pending');
  write(queue, 0);
  expect(await outcome(first)).toBe('done');
  put(queue, 'a', 3, 1);
  const held = queue.written(id('a'));
  write(queue, 2);
  expect(await outcome(held)).toBe('pending');
  write(queue, spacingMs);
  expect(await outcome(held)).toBe('done');
  expect(await outcome(queue.written(id('a')))).toBe('done');
  expect(await outcome(queue.settled())).toBe('done');
});

test('settled waits for the peers it names, or for everything that is due', async () => {
  const queue = new WriteQueue(spacingMs);
  put(queue, 'a', 1, 0);
  put(queue, 'b', 1, 0);
  const [a, all] = [queue.settled([id('a')]), queue.settled()];
  queue.done([...queue.due(0)].slice(0, 1), 0);
  expect([await outcome(a), await outcome(all)]).toEqual(['done', 'pending']);
  write(queue, 0);
  expect(await outcome(all)).toBe('done');
});

test('when the disk fails whoever waits hears of it, and the changes stay', async () => {
  const queue = new WriteQueue(spacingMs);
  put(queue, 'a', 1, 0);
  write(queue, 0);
  put(queue, 'a', 2, 1);
  put(queue, 'b', 3, 1);
  const [held, ready] = [queue.written(id('a')), queue.written(id('b'))];
  queue.fail(new Error('full'));
  expect([await outcome(held), await outcome(ready)]).toEqual(['full', 'full']);
  queue.hurry();
  expect(due(queue, 1)).toBe('b3 a2');
});

test('while the disk fails, what comes and goes leaves nothing behind; what the disk has is still to be deleted', () => {
  const queue = new WriteQueue(spacingMs);
  queue.put({ id: id('a'), row: undefined }, { isNew: false, now: 0 });
  for (let n = 0; n < 1_000; n++) {
    const row = rowOf(n.toString(16).padStart(8, '0'));
    queue.put({ id: row.id, row }, { isNew: true, now: 0 });
    queue.put({ id: row.id, row: undefined }, { isNew: false, now: 0 });
  }
  expect(due(queue, 0)).toBe('a');
});

test('a deletion for which somebody waits is kept until the disk fails', () => {
  const queue = new WriteQueue(spacingMs);
  queue.put({ id: id('a'), row: rowOf('a') }, { isNew: true, now: 0 });
  queue.written(id('a')).catch(() => undefined);
  queue.put({ id: id('a'), row: undefined }, { isNew: false, now: 0 });
  expect(due(queue, 0)).toBe('a');
  queue.fail(new Error('full'));
  expect(queue.size).toBe(0);
});

test('what is restored does not undo what is newer', () => {
  const queue = new WriteQueue(spacingMs);
  put(queue, 'a', 1, 0);
  queue.restore({ id: id('a'), row: rowOf('a', { score: 9 }) });
  queue.restore({ id: id('b'), row: rowOf('b', { score: 8 }) });
  expect(due(queue, 0)).toBe('a1 b8');
});

/** What a queue is told to do, with the time that passes before. */
const steps = fc.array(
  fc.record({ wait: fc.nat(700), peer: fc.constantFrom('a', 'b', 'c'), what: fc.constantFrom('put', 'delete', 'commit', 'hurry') }),
  { maxLength: 60 },
);

test('whatever happens, the disk ends as memory is, and no peer is written twice within the spacing unless hurried', () => {
  fc.assert(
    fc.property(steps, (given) => {
      const queue = new WriteQueue(spacingMs);
      const [memory, disk] = [new Map<NodeId, PeerRow>(), new Map<NodeId, PeerRow>()];
      const writtenAt = new Map<NodeId, number>();
      let hurried = new Set<NodeId>();
      let now = 0;
      const commit = (): void => {
        const changes = [...queue.due(now)];
        for (const { id: each, row } of changes) {
          if (!hurried.has(each)) expect(now - (writtenAt.get(each) ?? -Infinity)).toBeGreaterThanOrEqual(spacingMs);
          writtenAt.set(each, now);
          if (row) disk.set(each, row);
          else disk.delete(each);
        }
        queue.done(changes, now);
        hurried = new Set();
      };
      for (const [n, { wait, peer, what }] of given.entries()) {
        now += wait;
        const row = what === 'put' ? rowOf(peer, { strikes: n % 16 }) : undefined;
        if (what === 'commit') commit();
        else if (what === 'hurry') {
          queue.hurry([id(peer)]);
          hurried.add(id(peer));
        } else {
          queue.put({ id: id(peer), row }, { isNew: !memory.has(id(peer)), now });
          if (row) memory.set(row.id, row);
          else memory.delete(id(peer));
        }
        expect(queue.size).toBeLessThanOrEqual(3);
      }
      now += spacingMs;
      commit();
      expect(queue.size).toBe(0);
      expect(disk).toEqual(memory);
    }),
  );
});
