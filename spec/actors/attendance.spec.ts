/** The order in which a reactor hears of peers and from them. */
import { describe, expect, test } from '@jest/globals';
import { Attendance } from '../../actors/attendance.ts';
import type { PeerUpdate } from '../../actors/peer-manager.ts';
import { peerId } from '../support/reactor-context.ts';
import { seededRandom } from '../support/random.ts';
import { settle, VirtualClock } from '../support/virtual-clock.ts';

const a = peerId(1);
const b = peerId(2);
const up = (id = a): PeerUpdate => ({ id, status: 'up', channels: [1] });
const down = (id = a): PeerUpdate => ({ id, status: 'down', channels: [] });

function attendance(tell?: (update: PeerUpdate) => void | Promise<void>) {
  const clock = new VirtualClock();
  const told: string[] = [];
  const stop = new AbortController();
  const room = new Attendance(clock, (update) => {
    told.push(`${update.status} ${Number(update.id)}`);
    return tell?.(update);
  });
  const running = room.run(stop.signal);
  return { clock, told, stop, room, running };
}

describe('attendance', () => {
  test('a message waits for the update that announces its sender', async () => {
    const { room, told } = attendance();
    let entered: boolean | undefined;
    void Promise.resolve(room.enter(a)).then((result) => (entered = result));
    await settle();
    expect(entered).toBeUndefined();
    void room.announce(up());
    await settle();
    expect([entered, told]).toEqual([true, ['up 1']]);
  });

  test('a message waits until the update about its sender has been handled', async () => {
    let release = (): void => undefined;
    const { room } = attendance(() => new Promise<void>((resolve) => (release = resolve)));
    void room.announce(up());
    await settle();
    let entered: boolean | undefined;
    void Promise.resolve(room.enter(a)).then((result) => (entered = result));
    await settle();
    expect(entered).toBeUndefined();
    release();
    await settle();
    expect(entered).toBe(true);
  });

  test('a message of a present peer is handled at once', async () => {
    const { room } = attendance();
    void room.announce(up());
    await settle();
    expect(room.enter(a)).toBe(true);
  });

  test('a down waits for every message that is being handled', async () => {
    const { room, told } = attendance();
    void room.announce(up());
    await settle();
    expect([room.enter(a), room.enter(a)]).toEqual([true, true]);
    void room.announce(down());
    room.leave(a);
    await settle();
    expect(told).toEqual(['up 1']);
    room.leave(a);
    await settle();
    expect(told).toEqual(['up 1', 'down 1']);
  });

  test('a down waits for the messages that waited for the up', async () => {
    let release = (): void => undefined;
    const { room, told } = attendance(({ id }) => (id === b ? new Promise<void>((resolve) => (release = resolve)) : undefined));
    void room.announce(up(b));
    await settle();
    void room.announce(up());
    const entering = room.enter(a);
    void room.announce(down());
    release();
    expect(await entering).toBe(true);
    await settle();
    expect(told).toEqual(['up 2', 'up 1']);
    room.leave(a);
    await settle();
    expect(told).toEqual(['up 2', 'up 1', 'down 1']);
  });

  test('a message of a later life waits until the earlier one is over', async () => {
    const { room, told } = attendance();
    void room.announce(up());
    await settle();
    expect(room.enter(a)).toBe(true);
    void room.announce(down());
    void room.announce(up());
    let entered: boolean | undefined;
    void Promise.resolve(room.enter(a)).then((result) => (entered = result));
    await settle();
    expect([entered, told]).toEqual([undefined, ['up 1']]);
    room.leave(a);
    await settle();
    expect([entered, told]).toEqual([true, ['up 1', 'down 1', 'up 1']]);
  });

  test('a down that waits does not hold up what concerns other peers', async () => {
    const { room, told } = attendance();
    void room.announce(up());
    await settle();
    expect(room.enter(a)).toBe(true);
    void room.announce(down());
    void room.announce(up(b));
    await settle();
    expect(told).toEqual(['up 1', 'up 2']);
    expect(room.enter(b)).toBe(true);
  });

  test('what repeats is not told twice', async () => {
    const { room, told } = attendance();
    void room.announce(down());
    void room.announce(up());
    void room.announce(up());
    void room.announce(down());
    void room.announce(down());
    await settle();
    expect(told).toEqual(['up 1', 'down 1']);
  });

  test('a message of a peer that is never announced is given up after a second', async () => {
    const { room, clock } = attendance();
    let entered: boolean | undefined;
    void Promise.resolve(room.enter(a)).then((result) => (entered = result));
    await clock.advanceAsync(999);
    expect(entered).toBeUndefined();
    await clock.advanceAsync(1);
    expect([entered, clock.pending]).toEqual([false, 0]);
  });

  test('a message of an announced peer is not given up, however slow the reactor is', async () => {
    let release = (): void => undefined;
    const { room, clock } = attendance(() => new Promise<void>((resolve) => (release = resolve)));
    void room.announce(up());
    let entered: boolean | undefined;
    void Promise.resolve(room.enter(a)).then((result) => (entered = result));
    await clock.advanceAsync(60_000);
    expect(entered).toBeUndefined();
    release();
    await settle();
    expect(entered).toBe(true);
  });

  test('with 1,024 updates untold it asks to read no further, until there is room', async () => {
    let release = (): void => undefined;
    const { room } = attendance(() => new Promise<void>((resolve) => (release = resolve)));
    void room.announce(up(peerId(9_999)));
    await settle();
    for (let n = 0; n < 1_023; n++) expect(room.announce(up(peerId(n)))).toBeUndefined();
    let room1024 = false;
    void Promise.resolve(room.announce(up(peerId(1_023)))).then(() => (room1024 = true));
    await settle();
    expect(room1024).toBe(false);
    release();
    await settle();
    expect(room1024).toBe(true);
  });

  test('stopping releases whoever waits, and leaves no timer', async () => {
    const { room, clock, stop, running } = attendance();
    const entering = room.enter(a);
    stop.abort();
    expect([await entering, await running, clock.pending]).toEqual([false, undefined, 0]);
    expect(room.enter(a)).toBe(false);
  });

  test('it fails with what the reactor throws', async () => {
    const { room, running } = attendance(() => {
      throw new Error('cannot');
    });
    void room.announce(up());
    await expect(running).rejects.toThrow('cannot');
    expect(room.enter(a)).toBe(false);
  });

  test('whatever happens in whatever order, each peer is heard between its up and its down', async () => {
    const random = seededRandom(42);
    const dice = (sides: number): number => Math.floor(random() * sides);
    for (let round = 0; round < 40; round++) {
      const log: string[] = [];
      const { room, stop, running } = attendance(async ({ id, status }) => {
        log.push(`${status} ${Number(id)}`);
        for (let turns = dice(6); turns > 0; turns--) await Promise.resolve();
      });
      const isUp = [false, false, false];
      const handling: Promise<void>[] = [];
      const lost: number[] = [];
      let sent = 0;
      for (let step = 0; step < 120; step++) {
        const n = dice(3);
        if (dice(4) === 0) {
          // The router sends a down once the mailboxes are empty of the peer, and the loops have what they took.
          if (isUp[n]) for (let turns = 0; turns < 4; turns++) await Promise.resolve();
          isUp[n] = !isUp[n];
          void room.announce(isUp[n] ? up(peerId(n)) : down(peerId(n)));
        } else if (isUp[n]) {
          sent++;
          handling.push(
            (async () => {
              if (!(await room.enter(peerId(n)))) return void lost.push(n);
              log.push(`message ${n}`);
              for (let turns = dice(9); turns > 0; turns--) await Promise.resolve();
              log.push(`handled ${n}`);
              room.leave(peerId(n));
            })(),
          );
        } else await Promise.resolve();
      }
      await Promise.all(handling);
      await settle();
      stop.abort();
      await running;
      expect([lost, log.filter((line) => line.startsWith('handled')).length]).toEqual([[], sent]);
      for (let n = 0; n < 3; n++) {
        const own = log.filter((line) => line.endsWith(` ${n}`)).map((line) => line.split(' ')[0]);
        let present = false;
        let busy = 0;
        for (const word of own) {
          if (word === 'up' || word === 'down') {
            expect([present, busy]).toEqual([word === 'down', 0]);
            present = word === 'up';
          } else {
            expect(present).toBe(true);
            busy += word === 'message' ? 1 : -1;
          }
        }
        expect(present).toBe(isUp[n]);
      }
    }
  });
});
