/** Handshakes with real peers: coalesced, broken off, and with identities that are not what they should be. */
import { createHash } from 'node:crypto';
import { connect as connectTcp } from 'node:net';
import { once } from 'node:events';
import { generateNodeKey, nodeKeyFromSeed } from '../../../index.ts';
import { echo } from '../ours.ts';
import { sha256 } from '../payload.ts';
import type { Case, Trial } from '../trial.ts';
import { check, codeOf, failure, pause, same, until, within } from '../within.ts';

/** Errors that say no more than that the remote is gone. */
const gone = ['ERR_CONNECTION_CLOSED', 'ERR_CONNECTION_RESET'];

/** AuthSig, NodeInfo and a packet, as one plaintext chunk or as one TCP segment. */
async function coalesced(trial: Trial, how: 'plaintext' | 'segment'): Promise<void> {
  const raw = await trial.raw();
  const ours = await trial.ours();
  const { connection, conn } = await trial.connectRaw(ours, raw);
  const shaken = ours.shake(connection, raw.id);
  shaken.catch(() => undefined);
  if (how === 'plaintext') {
    await raw.order('hold', { conn });
    await raw.order('secret', { conn, engine: 'forge' });
  } else {
    await raw.order('secret', { conn });
    await raw.order('shape', { conn, on: true });
  }
  await raw.order('node_info', { conn });
  const sent = await raw.order('packet', { conn, channel: echo, size: 100, seed: 7 });
  await raw.order(how === 'plaintext' ? 'flush' : 'shape', { conn });
  const session = await shaken;
  same(session.remote.nodeId, raw.id, 'the id of the remote');
  const message = await session.receive(echo);
  same(sha256(message.bytes), sent.sha256, 'the message behind NodeInfo');
  await session.send(echo, message.bytes);
  const back = await raw.take('message', (event) => event.conn === conn);
  same(back.sha256, sent.sha256, 'our answer');
}

/** What the remote has said when it closes, in the order of a handshake. */
const stages: readonly (readonly [stage: string, steps: readonly (readonly [command: string, members: object])[]])[] = [
  ['no bytes', []],
  ['after the key', [['secret', { engine: 'forge', forge: { stop_after: 'key' } }]]],
  ['inside the frame of AuthSig', [['secret', { engine: 'forge', forge: { cut_auth: 500 } }]]],
  ['after AuthSig', [['secret', {}]]],
  [
    'after NodeInfo',
    [
      ['secret', {}],
      ['node_info', {}],
    ],
  ],
];

async function theyClose(trial: Trial): Promise<void> {
  const raw = await trial.raw();
  const ours = await trial.ours();
  for (const [stage, steps] of stages) {
    for (const how of ['fin', 'rst']) {
      const { connection, conn } = await trial.connectRaw(ours, raw);
      const shaken = ours.shake(connection, raw.id).then(
        (session) => session,
        (error: unknown) => codeOf(error),
      );
      for (const [command, members] of steps) await raw.order(command, { conn, ...members });
      const began = performance.now();
      await raw.order('close', { conn, how });
      const outcome = await shaken;
      if (stage === 'after NodeInfo' && typeof outcome !== 'string') {
        check(gone.includes(codeOf(await outcome.end())), `${stage}, ${how}: ended otherwise`);
      } else check(typeof outcome === 'string' && gone.includes(outcome), `${stage}, ${how}: ${JSON.stringify(outcome)}`);
      check(performance.now() - began < 2_500, `${stage}, ${how}: noticed too late`);
    }
  }
  same(ours.transport.status?.().pendingHandshakes, 0, 'handshakes under way afterwards');
  const { session } = await trial.shakeRaw(ours, raw);
  check(session.isOpen, 'the connection after those is closed');
}

/** The same from our side: the real peer must still take us afterwards. In some stages there is nobody but a socket. */
async function weClose(trial: Trial): Promise<void> {
  const peer = await trial.peer();
  const [host = '', port] = peer.listen.split(':');
  for (const bytes of [Buffer.alloc(0), Buffer.concat([Buffer.from('220a20', 'hex'), generateNodeKey().publicKey])]) {
    const socket = connectTcp({ host, port: Number(port) });
    await once(socket, 'connect');
    if (bytes.length > 0) socket.write(bytes);
    await pause(20);
    socket.destroy();
  }
  const early = await trial.ours();
  await (await early.shake(await early.dial(peer.listen), peer.id)).close();
  const ours = await trial.ours();
  await trial.connect(ours, peer);
}

async function wrongId(trial: Trial): Promise<void> {
  const peer = await trial.peer();
  const ours = await trial.ours();
  const other = generateNodeKey().id;
  if (trial.direction === 'out') {
    const error = await failure(
      'the handshake',
      ours.dial(peer.listen).then((connection) => ours.shake(connection, other)),
    );
    same(codeOf(error), 'ERR_HANDSHAKE_WRONG_ID', 'our handshake');
  } else {
    const dial = peer.ask('dial', { address: `${other}@${ours.endpoint}` });
    const shaken = ours.accept().then((connection) => ours.shake(connection));
    // Some lines send NodeInfo before they look, some do not.
    const outcome = await shaken.then(
      async (session) => codeOf(await session.end()),
      (error: unknown) => codeOf(error),
    );
    check(gone.includes(outcome), `our side: ${outcome}`);
    same((await dial).ok, false, 'their dial');
  }
  await pause(200);
  same(peer.takeAll('peer_up').length, 0, 'times we came up');
  // In 0.35 the wrong id stays known at our port, and is tried again.
  const next = await trial.ours();
  await trial.connect(next, peer);
}

/** Both ends hold one key: each meets itself. */
async function self(trial: Trial): Promise<void> {
  const seed = `${trial.line} ${trial.direction}`;
  const peer = await trial.peer({ 'key-seed': seed });
  const ours = await trial.ours({ key: nodeKeyFromSeed(createHash('sha256').update(seed).digest()) });
  same(ours.key.id, peer.id, 'the id of one key on both sides');
  let connection;
  if (trial.direction === 'out') connection = await ours.dial(peer.listen);
  else {
    // They refuse to dial their own id, so they dial another and find themselves.
    const dial = peer.ask('dial', { address: `${generateNodeKey().id}@${ours.endpoint}` });
    dial.catch(() => undefined);
    connection = await ours.accept();
  }
  same(codeOf(await failure('the handshake', ours.shake(connection))), 'ERR_HANDSHAKE_SELF', 'our handshake');
  same(codeOf(await within(5_000, 'the end of it', connection.ended)), 'ERR_HANDSHAKE_SELF', 'why it ended');
  await pause(200);
  same(peer.takeAll('peer_up').length, 0, 'times they came up to themselves');
}

/** The one that registered first stays, and works. */
async function second(trial: Trial): Promise<void> {
  const peer = await trial.peer();
  const ours = await trial.ours();
  const first = await trial.connect(ours, peer);
  if (trial.direction === 'out') {
    const later = await ours.shake(await ours.dial(peer.listen), peer.id);
    check(gone.includes(codeOf(await later.end())), 'the second ended otherwise');
    await until(5_000, 'word of the refusal', () => peer.takeAll('rejected').length > 0);
  } else same((await peer.ask('dial', { address: ours.address })).ok, false, 'their second dial');
  check(first.isOpen, 'the first is closed');
  await first.send(echo, Buffer.from('0a0161', 'hex'));
  await first.receive(echo);
  same((await peer.order('status')).peers!.length, 1, 'peers they have');
}

export const handshakeCases: readonly Case[] = [
  { name: '5 AuthSig, NodeInfo and a packet in one chunk', run: (trial) => coalesced(trial, 'plaintext') },
  { name: '5 NodeInfo and a packet in one TCP segment', run: (trial) => coalesced(trial, 'segment') },
  { name: '6 they close at each stage', run: theyClose, rude: true },
  { name: '6 we close at each stage', run: weClose, rude: true },
  { name: '10 wrong expected id', run: wrongId, rude: true },
  { name: '10 one key on both sides', run: self, rude: true },
  { name: '10 second connection of one id', run: second, rude: true },
];
