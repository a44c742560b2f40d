/** Ends of connections: with everything delivered, without, by half, and by force. */
import { bulk, echo, fast } from '../ours.ts';
import { filler, sha256 } from '../payload.ts';
import type { Case, Trial } from '../trial.ts';
import { check, codeOf, same, until, within } from '../within.ts';

const gone = ['ERR_CONNECTION_CLOSED', 'ERR_CONNECTION_RESET'];

/** Everything they have queued comes before their end. */
async function theyFlush(trial: Trial): Promise<void> {
  const peer = await trial.peer({ silent: true, queue: 50, 'send-rate': 300_000 });
  const ours = await trial.ours();
  const session = await trial.connect(ours, peer);
  const count = 30;
  const sent = await peer.order('send', { to: ours.key.id, channel: bulk, size: 20_000, count, seed: 1 });
  // In 0.35 only what has reached the connection is flushed; what waits in the router does not count.
  const flushed = peer.order('flushstop', { id: ours.key.id });
  const read: string[] = [];
  const end = within(40_000, 'the end of our connection', session.connection.ended);
  for (;;) {
    const message = await Promise.race([session.receive(bulk, 40_000).catch(() => undefined), end.then(() => undefined)]);
    if (!message) break;
    read.push(sha256(message.bytes));
  }
  await flushed;
  same(codeOf(await end), 'ERR_CONNECTION_CLOSED', 'why we ended');
  same(read, (sent.sha256 as readonly string[]).slice(0, read.length), 'what came, in order');
  check(trial.line === 'tm035' ? read.length > 0 : read.length === count, `${read.length} of ${count} messages came`);
}

/** A plain stop of theirs may lose what is queued, but gives no half message. */
async function theyStop(trial: Trial): Promise<void> {
  const peer = await trial.peer({ silent: true, queue: 50, 'send-rate': 300_000 });
  const ours = await trial.ours();
  const session = await trial.connect(ours, peer);
  const sent = await peer.order('send', { to: ours.key.id, channel: bulk, size: 20_000, count: 30, seed: 1 });
  const read = [sha256((await session.receive(bulk)).bytes)];
  await peer.order('disconnect', { id: ours.key.id });
  for (;;) {
    const message = await session.receive(bulk).catch(() => undefined);
    if (!message) break;
    read.push(sha256(message.bytes));
  }
  check(gone.includes(codeOf(await session.end())), 'it ended otherwise');
  same(read, (sent.sha256 as readonly string[]).slice(0, read.length), 'what came, in order');
  same(ours.transport.status?.().reassemblyBytes, 0, 'bytes kept of what did not come whole');
}

async function weFlush(trial: Trial): Promise<void> {
  const peer = await trial.peer({ codec: 'raw', silent: true, 'recv-rate': fast });
  const ours = await trial.ours({ link: { sendRate: 500_000 } });
  const session = await trial.connect(ours, peer);
  const [large, small] = [filler(1_048_576, 1), filler(100, 2)];
  void session.send(bulk, large).catch(() => undefined);
  void session.send(echo, small).catch(() => undefined);
  await within(20_000, 'our flush', session.close({ flush: true }));
  same((await peer.take('message', ({ channel }) => channel === echo)).sha256, sha256(small), 'the small message');
  same((await peer.take('message', ({ channel }) => channel === bulk)).sha256, sha256(large), 'the large message');
  await peer.take('peer_down');
}

async function weStop(trial: Trial): Promise<void> {
  const peer = await trial.peer({ codec: 'raw', silent: true, 'recv-rate': fast });
  const ours = await trial.ours({ link: { sendRate: 500_000 } });
  const session = await trial.connect(ours, peer);
  void session.send(bulk, filler(1_048_576, 1)).catch(() => undefined);
  await session.close();
  await peer.take('peer_down');
  same(peer.takeAll('message').length, 0, 'messages they had of a part');
  const next = await trial.ours();
  await trial.connect(next, peer);
}

/** There is no half-open mode: a FIN of theirs is answered with a close. */
async function halfClose(trial: Trial): Promise<void> {
  const raw = await trial.raw();
  const ours = await trial.ours();
  const { session, conn } = await trial.shakeRaw(ours, raw);
  await raw.order('message', { conn, channel: echo, size: 5_000 });
  await raw.order('close', { conn, how: 'half' });
  same((await session.receive(echo)).bytes.length, 5_000, 'what came before');
  same(codeOf(await session.end()), 'ERR_CONNECTION_CLOSED', 'why we ended');
  const { reason } = await raw.take('closed', (event) => event.conn === conn, 5_000);
  check(reason === 'EOF' || /reset/.test(String(reason)), `they saw ${reason}`);
}

async function reset(trial: Trial): Promise<void> {
  const raw = await trial.raw();
  const ours = await trial.ours();
  const { session: bystander } = await trial.shakeRaw(ours, await trial.raw());
  for (let round = 0; round < trial.times(3); round++) {
    const { session, conn } = await trial.shakeRaw(ours, raw);
    await raw.order('packet', { conn, channel: bulk, eof: false, size: 1_000, count: 500 });
    await until(5_000, 'part of a message', () => Number(ours.transport.status?.().reassemblyBytes) > 0);
    await raw.order('close', { conn, how: 'rst' });
    // The operating system may show a reset as an end of the stream, here at the edge of a frame.
    check(gone.includes(codeOf(await session.end())), 'it ended otherwise');
    same(ours.transport.status?.().reassemblyBytes, 0, 'bytes kept of a message that will never come');
  }
  check(bystander.isOpen, 'somebody else ended too');
}

export const endingCases: readonly Case[] = [
  { name: '18 they flush and stop', run: theyFlush },
  { name: '18 they stop', run: theyStop },
  { name: '18 we flush and stop', run: weFlush },
  { name: '18 we stop inside a message', run: weStop },
  { name: '18 they close by half', run: halfClose, rude: true },
  { name: '18 they reset inside a message', run: reset, rude: true },
];
