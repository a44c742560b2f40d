import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { maxBodyBytes } from '../../actors/monitor/body.ts';
import { orderLimits, orderNames } from '../../actors/monitor/orders.ts';
import { addressOf, idOf, managers } from '../support/manager.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/operations.md'), 'utf8');
/** First cells of the table under a heading of columns. */
function cellsUnder(heading: string): readonly string[] {
  const lines = page.slice(page.indexOf(`| ${heading}`)).split('\n');
  return lines.slice(2, lines.indexOf('')).map((line) => line.split('|')[1]!.trim());
}

const start = managers();

/** A sentence for each way not to be connected, from a real manager. */
async function sentences(): Promise<readonly string[]> {
  const h = start({ persistent: [addressOf('9')], slots: { outbound: 2 } });
  const { peers } = h.manager;
  const said: string[] = [];
  const say = (digit: string): void => void said.push(peers.explain(idOf(digit)).sentence);
  say('a');
  const stranger = h.up('b');
  h.clock.advance(60_000);
  h.manager.disconnected(idOf('b'), stranger, 'reset');
  say('b');
  await h.tryDialNext();
  say('9');
  h.failed('9');
  say('9');
  h.clock.advance(60_000);
  say('9');
  await peers.disconnect(idOf('9'));
  say('9');
  await h.add('c');
  await h.tryDialNext();
  await h.add('d');
  say('d');
  const { link } = h.dialed('c');
  h.manager.disconnected(idOf('c'), link, 'rejected');
  say('c');
  h.clock.advance(2_000);
  say('c');
  h.manager.disconnected(idOf('d'), h.up('d'), 'reset');
  say('d');
  await peers.disconnect(idOf('d'), 'maintenance');
  say('d');
  await peers.ban(idOf('d'), { forMs: 3_600_000, reason: 'spam' });
  say('d');
  return said;
}

test('docs/operations.md tells of every way not to be connected, and of no other', async () => {
  const beginnings = cellsUnder('the sentence begins with');
  const said = await sentences();
  expect(said.filter((sentence) => !beginnings.some((beginning) => sentence.startsWith(beginning)))).toEqual([]);
  expect(beginnings.filter((beginning) => !said.some((sentence) => sentence.startsWith(beginning)))).toEqual([]);
});

test('docs/operations.md lists the requests that there are, and their limits', () => {
  expect(cellsUnder('request').toSorted()).toEqual(
    ['GET /peers?limit&after', 'GET /peers/<id>', 'POST /peers', ...orderNames.map((name) => `POST /peers/<id>/${name}`)]
      .map((request) => `\`${request}\``)
      .toSorted(),
  );
  expect(page).toContain(`${orderLimits.pending} orders wait`);
  expect(page).toContain(`${orderLimits.answerMs / 1_000} seconds`);
  expect(page).toContain(`(${maxBodyBytes / 1_024} KiB)`);
});
