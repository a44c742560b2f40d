import { expect, test } from '@jest/globals';
import { idOf, managers, never } from '../support/manager.ts';

const make = managers();
const often = { minRetryMs: 1, maxRetryMs: 1, maxRetryPersistentMs: 1, cooldownMs: 1 };

test('a peer that has refused us time and again within a minute is let in when it comes by itself', async () => {
  const harness = make({ dialer: often });
  await harness.add('a');
  for (let refusal = 0; refusal < 8; refusal++) {
    await harness.manager.dialNext(never);
    const { verdict, link } = harness.dialed('a');
    expect(verdict).toBe('route');
    harness.manager.ready(idOf('a'), link);
    harness.manager.disconnected(idOf('a'), link, 'rejected');
    harness.clock.advance(2_100);
  }
  expect(harness.accepted('a').verdict).toBe('route');
});

test('one that comes and goes as often is left alone', async () => {
  const harness = make({ dialer: often });
  for (let visit = 0; visit < 4; visit++) {
    harness.manager.disconnected(idOf('a'), harness.up('a'), 'remoteClosed');
    harness.clock.advance(2_100);
  }
  expect(harness.accepted('a')).toMatchObject({ verdict: 'refuse', reason: 'flapping' });
});
