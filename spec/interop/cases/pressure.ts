/** Slow readers on either side: the sender waits, nothing is lost, and the connection lives. */
import type { GoProgram } from '../go-program.ts';
import { bulk, echo, fast, type Session } from '../ours.ts';
import { filler, sha256 } from '../payload.ts';
import type { Case, Trial } from '../trial.ts';
import { check, codeOf, failure, pause, same, until } from '../within.ts';

const piece = 65_536;
/** More than the buffers of both sockets and both programs take. */
const mostBytes = 64_000_000;

/** Sends until nothing more is taken for a second; how many messages were handed over, and the promise of the last. */
async function fillUp(session: Session): Promise<{ count: number; last: Promise<void> }> {
  for (let count = 1; count * piece < mostBytes; count++) {
    const last = session.send(bulk, filler(piece, count));
    last.catch(() => undefined);
    const isTaken = await Promise.race([last.then(() => true), pause(1_000).then(() => false)]);
    if (!isTaken) return { count, last };
  }
  throw new Error(`${mostBytes} bytes were taken for a peer that does not read`);
}

/** They stop reading, which we feel as waiting, and go on. */
async function theyStopReading(trial: Trial): Promise<void> {
  const peer = await trial.peer({ codec: 'raw', silent: true, 'recv-rate': fast });
  const ours = await trial.ours();
  const session = await trial.connect(ours, peer);
  await peer.order('pause_read');
  const { count, last } = await fillUp(session);
  await pause(2_000);
  check(session.isOpen, 'we ended it');
  await peer.order('pause_read', { on: false });
  await last;
  for (let index = 1; index <= count; index++) {
    const read = await peer.take('message');
    same(read.sha256, sha256(filler(piece, index)), `message ${index} of ${count}`);
  }
}

async function theyReadSlowly(trial: Trial): Promise<void> {
  const peer = await trial.peer({ codec: 'raw', silent: true, 'recv-rate': fast });
  const ours = await trial.ours();
  const session = await trial.connect(ours, peer);
  await peer.order('slow', { ms: 5 });
  const count = trial.times(300);
  for (let index = 0; index < count; index++) await session.send(bulk, filler(10_000, index));
  for (let index = 0; index < count; index++) same((await peer.take('message')).sha256, sha256(filler(10_000, index)), `message ${index}`);
}

/** Whoever takes nothing for too long is dropped, and only that one. */
async function theyNeverRead(trial: Trial): Promise<void> {
  const raw = await trial.raw();
  const ours = await trial.ours({ link: { stallMs: 1_500 } });
  const { session, conn } = await trial.shakeRaw(ours, raw);
  const { session: bystander } = await trial.shakeRaw(ours, await trial.raw());
  await raw.order('pause_read', { conn });
  const began = performance.now();
  const sendOn = async (): Promise<void> => {
    for (let sent = 0; sent < mostBytes; sent += piece) await session.send(bulk, filler(piece, 1));
  };
  same(codeOf(await failure('sending to them', sendOn())), 'ERR_CONNECTION_STALLED', 'why we ended');
  check(performance.now() - began < 30_000, 'it took too long');
  check(bystander.isOpen, 'somebody else was dropped too');
}

/** Sends with try_send until it is refused for some seconds, for one refusal may only mean that the socket is slow. */
async function fillThem(peer: GoProgram, to: string): Promise<number> {
  let taken = 0;
  for (let refusedSince: number | undefined; ;) {
    const reply = await peer.ask('try_send', { to, channel: bulk, size: piece });
    if (reply.ok) {
      taken += reply.sent!;
      refusedSince = undefined;
      check(taken * piece < mostBytes, `they sent ${taken * piece} bytes to us who do not read`);
    } else {
      refusedSince ??= performance.now();
      if (performance.now() - refusedSince > 2_000) return taken;
      await pause(20);
    }
  }
}

/** We stop reading: their try-send is refused at once, their blocking send after ten seconds, and the link survives both. */
async function weStopReading(trial: Trial): Promise<void> {
  const peer = await trial.peer({ silent: true, quiet: true, 'send-rate': fast });
  const ours = await trial.ours();
  const session = await trial.connect(ours, peer);
  const to = ours.key.id;
  let wanted = await fillThem(peer, to);
  const began = performance.now();
  same((await peer.ask('try_send', { to, channel: bulk, size: piece })).ok, false, 'a try-send to a full queue');
  check(performance.now() - began < 2_000, 'the refusal was not at once');
  const send = await peer.ask('send', { to, channel: bulk, size: piece });
  if (trial.line === 'tm035') {
    // There a send is over once the router has it.
    same(send.ok, true, 'a send to a full queue');
    await pause(3_000);
  } else {
    same(send.ok, false, 'a blocking send to a full queue');
    check(send.elapsed_ms! > 9_000 && send.elapsed_ms! < 20_000, `it failed after ${send.elapsed_ms} ms`);
  }
  if (send.ok) wanted++;
  check(session.isOpen, 'the link did not survive');
  for (let count = 0; count < wanted; count++) same((await session.receive(bulk)).bytes.length, piece, 'a message');
  await peer.order('echo', {});
  const probe = Buffer.concat([Buffer.from('0a64', 'hex'), filler(100, 5)]);
  await session.send(echo, probe);
  same(sha256((await session.receive(echo)).bytes), sha256(probe), 'an echo afterwards');
}

async function weReadSlowly(trial: Trial): Promise<void> {
  const peer = await trial.peer({ silent: true, quiet: true, 'send-rate': fast });
  const ours = await trial.ours({ link: { receiveRate: 3_000_000 } });
  const session = await trial.connect(ours, peer);
  const count = trial.times(200);
  const sent = peer.order('send', { to: ours.key.id, channel: bulk, size: 20_000, count });
  for (let index = 0; index < count; index++) {
    await session.receive(bulk);
    if (index % 10 === 0) await pause(20);
  }
  same((await sent).sent, count, 'messages that they sent');
}

/** A whole node: what policy may drop is dropped at once, what must wait waits, and the peer stays up. */
async function fullQueue(trial: Trial): Promise<void> {
  const peer = await trial.peer({ codec: 'raw', silent: true, quiet: true, 'recv-rate': fast });
  const node = await trial.node({ link: { sendRate: fast }, peerQueue: { maxBytes: 1_000_000 } });
  const bytesType = { encode: (message: Uint8Array) => message, decode: (message: Uint8Array) => message };
  const open = (id: number, drop: 'newest' | 'wait') =>
    node.openChannel({ id, type: bytesType, priority: 1, maxMessageBytes: 1_000_000, drop });
  const [dropping, waiting] = [open(bulk, 'newest'), open(echo, 'wait')];
  await node.start();
  const to = await trial.meet(node, peer);
  await peer.order('pause_read');
  let sent = 0;
  for (let refused = 0; refused < 20;) {
    check(sent * piece < mostBytes, `${sent * piece} bytes were taken for a peer that does not read`);
    if (await dropping.send({ to, message: filler(piece, 1) })) {
      sent++;
      refused = 0;
    } else {
      refused++;
      await pause(50);
    }
  }
  let last = Promise.resolve(true);
  for (let waits = false; !waits; sent++) {
    check(sent * piece < mostBytes, `${sent * piece} bytes were taken for a peer that does not read`);
    last = waiting.send({ to, message: filler(piece, 2) });
    waits = await Promise.race([last.then(() => false), pause(1_000).then(() => true)]);
  }
  await peer.order('pause_read', { on: false });
  same(await last, true, 'the send that waited');
  await until(20_000, `${sent} messages`, async () => (await peer.order('status')).messages === sent);
  check((node.status().drops.queueFull ?? 0) > 0, 'no drop was counted');
}

export const pressureCases: readonly Case[] = [
  { name: '17 they stop reading and go on', run: theyStopReading },
  { name: '17 they read slowly', run: theyReadSlowly },
  { name: '17 they never read again', run: theyNeverRead, rude: true },
  { name: '17 we stop reading and go on', run: weStopReading },
  { name: '17 we read slowly', run: weReadSlowly },
  { name: '17 a full queue of ours', run: fullQueue },
];
