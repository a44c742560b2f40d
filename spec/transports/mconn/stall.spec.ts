import { expect, test } from '@jest/globals';
import { StallWatch } from '../../../transports/mconn/stall.ts';
import { settle, VirtualClock } from '../../../transports/simulated.ts';

/** A watch of ten seconds over a socket that a spec fills and empties. */
function rig() {
  const clock = new VirtualClock();
  const socket = { backlogBytes: 100, taken: 0 };
  const failures: unknown[] = [];
  const outlet = {
    get backlogBytes() {
      return socket.backlogBytes;
    },
    write: () => undefined,
    progress: () => socket.taken,
  };
  const watch = new StallWatch(clock, 10_000, outlet, (error) => failures.push(error));
  watch.watch();
  return { clock, socket, failures, watch };
}

test('a remote that takes nothing for the time is called stalled', async () => {
  const { clock, failures } = rig();
  await clock.advanceAsync(9_999);
  expect(failures).toEqual([]);
  await clock.advanceAsync(1);
  await settle();
  expect(failures).toEqual([expect.objectContaining({ code: 'ERR_CONNECTION_STALLED' })]);
});

test('what it took while the process itself stood still is seen before it is judged', async () => {
  const { clock, socket, failures } = rig();
  // Time has gone by, and the timer fires before the event loop looks at the socket.
  clock.advance(30_000);
  socket.taken++;
  await settle();
  expect(failures).toEqual([]);
  await clock.advanceAsync(10_000);
  await settle();
  expect(failures).toHaveLength(1);
});

test('an empty socket is not watched', async () => {
  const { clock, socket, failures } = rig();
  socket.backlogBytes = 0;
  await clock.advanceAsync(60_000);
  await settle();
  expect([failures, clock.pending]).toEqual([[], 0]);
});
