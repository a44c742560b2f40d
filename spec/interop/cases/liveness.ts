/** Pings and pongs, with timers short enough to watch. */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { echo, type Ours } from '../ours.ts';
import { filler } from '../payload.ts';
import type { Case, Flags, Trial } from '../trial.ts';
import { check, codeOf, failure, pause, same, until } from '../within.ts';

/** Frequent pings of theirs, and little time to answer; in 0.35 that time counts from any packet, so it is longer. */
const hurried = ({ line }: Trial): Flags => ({ 'ping-ms': 1_500, 'pong-ms': line === 'tm035' ? 2_800 : 1_200 });

async function weAnswer(trial: Trial): Promise<void> {
  const peer = await trial.peer(hurried(trial));
  const ours = await trial.ours();
  const session = await trial.connect(ours, peer);
  await pause(6_500);
  check(session.isOpen, 'we ended it');
  same((await peer.order('status')).peers!.length, 1, 'peers they have after four of their pings');
}

async function theyAnswer(trial: Trial): Promise<void> {
  const peer = await trial.peer();
  const ours = await trial.ours({ link: { pingIntervalMs: 400, pongTimeoutMs: 1_000, silenceMs: 2_500 } });
  const session = await trial.connect(ours, peer);
  const roundTripMs = await session.connection.ping!(trial.signal);
  check(roundTripMs >= 0 && roundTripMs < 5_000, `a round trip of ${roundTripMs} ms`);
  await pause(4_000);
  check(session.isOpen, 'we ended it');
}

/** As many pings at once as we take; one pong answers them. */
async function burst(trial: Trial): Promise<void> {
  const raw = await trial.raw();
  const ours = await trial.ours();
  const { session, conn } = await trial.shakeRaw(ours, raw);
  await raw.order('ping', { conn, count: 25 });
  await until(5_000, 'a pong', async () => (await raw.order('stats', { conn })).pongs! > 0);
  await pause(2_500);
  const { pongs } = await raw.order('stats', { conn });
  check(pongs! >= 1 && pongs! <= 3, `${pongs} pongs to 25 pings in one write`);
  check(session.isOpen, 'we ended it');
}

/** Above 30 pings in a minute a peer is flooding. */
async function flood(trial: Trial): Promise<void> {
  const raw = await trial.raw();
  const ours = await trial.ours();
  const { session, conn } = await trial.shakeRaw(ours, raw);
  await raw.order('ping', { conn, count: 50 });
  same(codeOf(await session.end()), 'ERR_PINGS_FLOODING', 'why we ended');
}

async function unasked(trial: Trial): Promise<void> {
  const raw = await trial.raw();
  const ours = await trial.ours();
  const { session, conn } = await trial.shakeRaw(ours, raw);
  await raw.order('pong', { conn, count: 5 });
  await raw.order('message', { conn, channel: echo, size: 100 });
  await session.receive(echo);
  check(session.isOpen, 'we ended it');
}

const impatient = { pingIntervalMs: 300, pongTimeoutMs: 400, silenceMs: 1_500 };

async function neverAnswered(trial: Trial): Promise<void> {
  const raw = await trial.raw();
  const ours = await trial.ours({ link: impatient });
  const { session, conn } = await trial.shakeRaw(ours, raw, { pong: 'never' });
  const began = performance.now();
  same(codeOf(await session.end()), 'ERR_CONNECTION_SILENT', 'why we ended');
  const tookMs = performance.now() - began;
  check(tookMs > 1_300, `it ended after ${Math.round(tookMs)} ms`);
  const { pings } = await raw.order('stats', { conn });
  check(pings! >= 2, `${pings} pings came`);
}

/** A way to an address (host:port) on which our words can be cut off without an end. */
async function way(trial: Trial, to: () => string, ours: Ours): Promise<{ endpoint: string; mute(): void }> {
  let muted = false;
  const sockets: Socket[] = [];
  const ourPort = Number(ours.endpoint.split(':')[1]);
  const server = createServer((near) => {
    const [host, port] = to().split(':');
    const far = connect({ host: host!, port: Number(port) });
    // The end that is ours is the one that listens at our port, or else the one that dialed.
    const [here, there] = Number(port) === ourPort ? [far, near] : [near, far];
    here.on('data', (piece) => muted || there.write(piece));
    there.on('data', (piece) => here.write(piece));
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      socket.on('error', () => undefined);
      socket.on('close', () => other.destroy());
      sockets.push(socket);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  trial.defer(async () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { endpoint: `127.0.0.1:${(server.address() as AddressInfo).port}`, mute: () => (muted = true) };
}

/** The real peer drops us when nothing of ours arrives any more, and takes us again. */
async function theyMissUs(trial: Trial): Promise<void> {
  const peer = await trial.peer(hurried(trial));
  const ours = await trial.ours();
  const outbound = trial.direction === 'out';
  const { endpoint, mute } = await way(trial, () => (outbound ? peer.listen : ours.endpoint), ours);
  let session;
  if (outbound) session = await ours.shake(await ours.dial(endpoint), peer.id);
  else {
    const dial = peer.order('dial', { address: `${ours.key.id}@${endpoint}` });
    session = await ours.shake(await ours.accept());
    await dial;
  }
  await peer.take('peer_up');
  mute();
  const down = await peer.take('peer_down', () => true, 10_000);
  check(/pong timeout/i.test(String(down.reason)), `they dropped us for ${down.reason}`);
  check(['ERR_CONNECTION_CLOSED', 'ERR_CONNECTION_RESET'].includes(codeOf(await session.end())), 'it ended otherwise for us');
  await failure('a message on the dead connection', session.send(echo, filler(1, 1)));
  const again = await trial.ours();
  await trial.connect(again, peer);
}

/** No pong ever, but data all the time: that is alive. */
async function onlyData(trial: Trial): Promise<void> {
  const raw = await trial.raw();
  const ours = await trial.ours({ link: impatient });
  const { session, conn } = await trial.shakeRaw(ours, raw, { pong: 'never' });
  for (let count = 0; count < 20; count++) {
    await raw.order('message', { conn, channel: echo, size: 100 });
    await session.receive(echo);
    await pause(200);
  }
  check(session.isOpen, 'we ended it');
}

/** Pings of theirs are answered while nobody reads our messages. */
async function unread(trial: Trial): Promise<void> {
  const peer = await trial.peer({ ...hurried(trial), silent: true });
  const ours = await trial.ours();
  const session = await trial.connect(ours, peer);
  await peer.order('send', { to: ours.key.id, channel: echo, size: 10_000, count: 20 });
  await pause(3_500);
  same((await peer.order('status')).peers!.length, 1, 'peers they have');
  for (let count = 0; count < 20; count++) await session.receive(echo);
  await session.send(echo, filler(0, 0));
}

export const livenessCases: readonly Case[] = [
  { name: '16 we answer pings', run: weAnswer },
  { name: '16 they answer pings', run: theyAnswer },
  { name: '16 pings while we read no messages', run: unread },
  { name: '16 a burst of pings', run: burst },
  { name: '16 more pings than we take', run: flood, rude: true },
  { name: '16 pongs that nobody asked for', run: unasked, rude: true },
  { name: '16 never answered by them', run: neverAnswered, rude: true },
  { name: '16 never answered by us', run: theyMissUs, rude: true },
  { name: '16 data but no pong', run: onlyData, rude: true },
];
