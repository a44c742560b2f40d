import { describe, expect, test } from '@jest/globals';
import { Inbox, maxInboxBytes, maxInboxMessages } from '../../../transports/mconn/inbox.ts';
import { Waits } from '../../../transports/mconn/waits.ts';

const message = (size: number) => ({ channelId: 1, bytes: new Uint8Array(size) });
const live = new AbortController().signal;

describe('the inbox', () => {
  test('hands messages out in order, however long it has been used', () => {
    const inbox = new Inbox(new Waits());
    let [put, taken] = [0, 0];
    for (let round = 0; round < 50; round++) {
      for (let index = 0; index < 37; index++) inbox.put(message(put++));
      for (let index = 0; index < 36; index++) expect(inbox.take()!.bytes.length).toBe(taken++);
    }
    expect(inbox.size).toBe(put - taken);
    while (inbox.size > 0) expect(inbox.take()!.bytes.length).toBe(taken++);
    expect(inbox.take()).toBeUndefined();
  });

  test('gives a message straight to a reader that waits, but not to one that gave up', async () => {
    const inbox = new Inbox(new Waits());
    const waiting = inbox.next(live);
    inbox.put(message(1));
    expect((await waiting).bytes.length).toBe(1);
    expect(inbox.size).toBe(0);
    const stop = new AbortController();
    const aborted = inbox.next(stop.signal);
    stop.abort('enough');
    await expect(aborted).rejects.toBe('enough');
    inbox.put(message(2));
    expect(inbox.take()!.bytes.length).toBe(2);
  });

  test('is full beyond 256 messages or 1 MiB, until half of it is free', () => {
    const inbox = new Inbox(new Waits());
    for (let index = 0; index < maxInboxMessages; index++) inbox.put(message(0));
    expect(inbox.isFull).toBe(false);
    inbox.put(message(0));
    expect(inbox.isFull).toBe(true);
    while (inbox.size > maxInboxMessages / 2 + 1) inbox.take();
    expect(inbox.isFull).toBe(true);
    inbox.take();
    expect(inbox.isFull).toBe(false);

    inbox.clear();
    inbox.put(message(maxInboxBytes));
    expect(inbox.isFull).toBe(false);
    inbox.put(message(1));
    expect(inbox.isFull).toBe(true);
    inbox.take();
    expect(inbox.isFull).toBe(false);
  });

  test('has one reader', () => {
    const inbox = new Inbox(new Waits());
    void inbox.next(live);
    expect(() => inbox.next(live)).toThrow(expect.objectContaining({ code: 'ERR_INTERNAL' }));
  });
});
