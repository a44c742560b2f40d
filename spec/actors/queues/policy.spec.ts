import { expect, test } from '@jest/globals';
import { makeQueue } from '../../../actors/queues/policy.ts';
import { nodeOptions, parseOptions, queuePolicies } from '../../../proto/options.ts';

test('each policy of the options makes a queue of its own', () => {
  const orderOf = (policy: (typeof queuePolicies)[number]): string => {
    const queue = makeQueue<{ name: string }>(policy, { maxBytes: 1_000, maxMessages: 10 }, { weightOf: ({ lane }) => lane });
    for (const [lane, name] of [
      [1, 'a'],
      [1, 'b'],
      [2, 'x'],
      [2, 'y'],
      [2, 'z'],
    ] as const)
      void queue.put({ lane, bytes: 100, item: { name } }, 'wait');
    return Array.from({ length: 5 }, () => queue.take()!.item.name).join('');
  };
  expect(queuePolicies.map((policy) => [policy, orderOf(policy)])).toEqual([
    ['fifo', 'abxyz'],
    ['priority', 'xyzab'],
    ['wdrr', 'xayzb'],
  ]);
});

test('what is no policy is refused by the name of its option, and wdrr is what is meant when nothing is said', () => {
  for (const [group, path] of [
    [{ peerQueue: { queue: 'simple-priority' } }, 'peerQueue.queue'],
    [{ mailbox: { queue: '' } }, 'mailbox.queue'],
  ] as const) {
    expect(() => parseOptions(nodeOptions, group)).toThrow(
      expect.objectContaining({ code: 'ERR_OPTION_INVALID', message: expect.stringContaining(path) }),
    );
  }
  const { peerQueue, mailbox } = parseOptions(nodeOptions, {});
  expect([peerQueue.queue, mailbox.queue]).toEqual(['wdrr', 'wdrr']);
});
