/** Messages of every size, channels that interleave, and packets that are out of the ordinary. */
import { pexMessage } from '../../../proto/pex.ts';
import type { Message } from '../../../index.ts';
import type { GoEvent, GoProgram } from '../go-program.ts';
import { bulk, echo, fast, high, plainChannels, type Session } from '../ours.ts';
import { filler, sha256 } from '../payload.ts';
import type { Case, Flags, Trial } from '../trial.ts';
import { check, codeOf, failure, same } from '../within.ts';

const capacity = 1_500_000;
const sizes = [0, 1, 1_023, 1_024, 1_025, 1_400, 1_401, 65_536, 1_048_576, capacity];
const quick: Flags = { 'send-rate': fast, 'recv-rate': fast, 'flush-ms': 2 };

/** There and back, byte for byte. A Go node may lose an empty message that it sends, so no answer to one is waited for. */
async function roundTrip(peer: GoProgram, session: Session, channel: number, bytes: Uint8Array): Promise<void> {
  await session.send(channel, bytes);
  const read = await peer.take('message', (event) => event.from !== undefined && event.channel === channel && event.size === bytes.length);
  same(read.sha256, sha256(bytes), `what they read of ${bytes.length} bytes`);
  if (bytes.length === 0) return;
  for (;;) {
    const answer = await session.receive(channel);
    if (answer.bytes.length === 0) continue;
    same([answer.bytes.length, sha256(answer.bytes)], [bytes.length, read.sha256], 'their answer');
    return;
  }
}

function everySize(payload: number | undefined) {
  return async (trial: Trial): Promise<void> => {
    const peer = await trial.peer({ codec: 'raw', capacity, ...quick, ...(payload && { payload }) });
    await peer.order('echo', { channels: [echo, high] });
    const ours = await trial.ours({ channels: plainChannels(capacity), ...(payload && { link: { maxSendPayloadBytes: payload } }) });
    const session = await trial.connect(ours, peer);
    for (const [index, size] of sizes.entries()) await roundTrip(peer, session, echo, filler(size, index + 1));
    // A channel whose id takes two bytes: the last packet of a message would be a byte too long if it were full.
    // Theirs is, which ends a connection between two of them; ours too, where their payload is as large as our limit allows.
    const theirs = payload ?? (trial.line === 'tm035' ? 1_400 : 1_024);
    for (const size of [1_022, 1_023, 1_024, 1_025, 1_399, 1_400, 1_401, 2_047, 2_048, 2_049]) {
      if (theirs < 1_400 || size !== theirs) await roundTrip(peer, session, high, filler(size, size));
    }
    same(codeOf(await failure('a message above our limit', session.send(echo, filler(capacity + 1, 1)))), 'ERR_SEND_TOO_LARGE', 'it');
    await roundTrip(peer, session, echo, filler(10, 99));
  };
}

async function oneTooMany(trial: Trial): Promise<void> {
  const peer = await trial.peer({ codec: 'raw', capacity, ...quick });
  const ours = await trial.ours({ channels: plainChannels(capacity) });
  const session = await trial.connect(ours, peer);
  await peer.order('send', { to: ours.key.id, channel: bulk, size: capacity + 1 });
  same(codeOf(await session.end()), 'ERR_MESSAGE_TOO_LARGE', 'why we ended');
  same(ours.transport.status?.().reassemblyBytes, 0, 'bytes kept of it');
  await peer.take('peer_down');
  const generous = await trial.ours({ channels: plainChannels(capacity + 1) });
  const other = await trial.connect(generous, peer);
  other.send(bulk, filler(capacity + 1, 1)).catch(() => undefined);
  const down = await peer.take('peer_down', ({ id }) => id === generous.key.id);
  check(/capacity/i.test(String(down.reason)), `why they ended: ${down.reason}`);
  await other.end();
}

/** Two channels with a large message each: their packets take turns by priority, as a raw peer sees them come. */
function fairness(priorities: readonly [number, number]) {
  return async (trial: Trial): Promise<void> => {
    const size = 1_048_576;
    const raw = await trial.raw({ codec: 'raw' });
    const channels = [echo, bulk].map((id, index) => ({ id, priority: priorities[index]!, maxMessageBytes: size }));
    const ours = await trial.ours({ channels });
    const { session, conn } = await trial.shakeRaw(ours, raw);
    const messages = channels.map(({ id }) => filler(size, id));
    await Promise.all(channels.map(({ id }, index) => session.send(id, messages[index]!)));
    for (const [index, { id }] of channels.entries()) {
      const read = await raw.take('message', (event) => event.conn === conn && event.channel === id);
      same(read.sha256, sha256(messages[index]!), `the message on ${id}`);
    }
    const packets = raw.takeAll('packet', (event) => event.kind === 'msg');
    const end = packets.findIndex(({ eof }) => eof === true);
    const sent = (id: number): number =>
      packets.slice(0, end).reduce((sum, { channel, size: bytes = 0 }) => sum + (channel === id ? bytes : 0), 0);
    const [first, last] = [sent(echo), sent(bulk)];
    const share = (last / first) * (priorities[0] / priorities[1]);
    check(share > 0.85 && share < 1.15, `${first} and ${last} bytes at priorities ${priorities.join(':')}`);
    check(
      packets.every(({ body = 0 }) => body <= 1_034),
      'a packet is larger than a Go peer reads',
    );
    // A long stretch of one channel would hold the other up.
    let stretch = 0;
    for (const [at, { channel }] of packets.slice(0, end).entries()) {
      stretch = at > 0 && channel === packets[at - 1]!.channel ? stretch + 1 : 1;
      check(stretch <= 12, `${stretch} packets of one channel in a row`);
    }
  };
}

/** Many messages on two channels from us: order within a channel is kept, and the small ones do not wait for the large ones. */
async function weInterleave(trial: Trial): Promise<void> {
  const peer = await trial.peer({ codec: 'raw', silent: true, 'recv-rate': fast });
  const ours = await trial.ours({ link: { sendRate: 2_000_000 } });
  const session = await trial.connect(ours, peer);
  const large = Array.from({ length: 4 }, (_, index) => filler(1_048_576, index));
  const small = Array.from({ length: 40 }, (_, index) => filler(200 + index, index));
  const sendAll = async (channel: number, list: readonly Uint8Array[]): Promise<void> => {
    for (const bytes of list) await session.send(channel, bytes);
  };
  await Promise.all([sendAll(bulk, large), sendAll(echo, small)]);
  const read: GoEvent[] = [];
  for (let index = 0; index < large.length + small.length; index++) read.push(await peer.take('message'));
  const of = (id: number): unknown[] => read.filter(({ channel }) => channel === id).map((event) => event.sha256);
  same(of(bulk), large.map(sha256), 'large messages in order');
  same(of(echo), small.map(sha256), 'small messages in order');
  const lastSmall = read.map(({ channel }) => channel).lastIndexOf(echo);
  check(read.slice(0, lastSmall).filter(({ channel }) => channel === bulk).length <= 1, 'small messages waited for large ones');
}

async function theyInterleave(trial: Trial): Promise<void> {
  const peer = await trial.peer({ codec: 'raw', silent: true, quiet: true, queue: 40, 'send-rate': 2_000_000, priorities: '77=5,78=1' });
  const ours = await trial.ours();
  const session = await trial.connect(ours, peer);
  const to = ours.key.id;
  const large = peer.order('send', { to, channel: bulk, size: 1_048_576, count: 4, seed: 1 });
  const small = peer.order('send', { to, channel: echo, size: 300, count: 40, seed: 50 });
  const read: Message[] = [];
  for (let index = 0; index < 44; index++) read.push(await session.receive());
  const of = (id: number): unknown[] => read.filter(({ channelId }) => channelId === id).map(({ bytes }) => sha256(bytes));
  same(of(bulk), (await large).sha256, 'large messages in order');
  same(of(echo), (await small).sha256, 'small messages in order');
  // In 0.35 all channels share one queue to a peer, so there the small ones do wait.
  const lastSmall = read.map(({ channelId }) => channelId).lastIndexOf(echo);
  const before = read.slice(0, lastSmall).filter(({ channelId }) => channelId === bulk).length;
  check(trial.line === 'tm035' || before <= 2, 'small messages waited for large ones');
}

type Odd = readonly [what: string, command: string, members: object, outcome: { channel: number; size: number } | readonly string[]];
const odd: readonly Odd[] = [
  ['channel 0, its field left out', 'packet', { channel: 0, hex: '0a00' }, { channel: 0, size: 2 }],
  ['a message of no bytes', 'packet', { channel: echo, size: 0 }, { channel: echo, size: 0 }],
  ['a full last packet on a channel of two bytes', 'packet', { channel: high, size: 1_024 }, { channel: high, size: 1_024 }],
  ['a full last packet of 1,400 bytes', 'packet', { channel: echo, size: 1_400 }, { channel: echo, size: 1_400 }],
  ['a packet with an unknown field', 'body', { body: '1a0d087710011a070a0561626364657a0100' }, { channel: echo, size: 7 }],
  ['an unknown channel', 'packet', { channel: 0x99, size: 10 }, ['ERR_CHANNEL_UNKNOWN']],
  ['channel 256', 'packet', { channel: 256, size: 10 }, ['ERR_CHANNEL_UNKNOWN']],
  ['a negative channel', 'packet', { channel: -1, size: 10 }, ['ERR_CHANNEL_UNKNOWN', 'ERR_PACKET_MALFORMED']],
  ['a packet of no bytes', 'write', { hex: '00' }, ['ERR_PACKET_MALFORMED']],
  ['an unknown member of the oneof', 'body', { body: '2200' }, ['ERR_PACKET_MALFORMED']],
  ['a packet above the limit', 'packet', { channel: echo, eof: false, size: 1_500 }, ['ERR_PACKET_TOO_LARGE']],
];

async function oddPackets(trial: Trial): Promise<void> {
  const raw = await trial.raw({ codec: 'raw' });
  const channels = [{ id: 0, priority: 1, maxMessageBytes: 64_000 }, ...plainChannels()];
  const ours = await trial.ours({ channels });
  const { session: bystander, conn: other } = await trial.shakeRaw(ours, await trial.raw({ codec: 'raw' }));
  for (const [what, command, members, outcome] of odd) {
    const { session, conn } = await trial.shakeRaw(ours, raw);
    await raw.order(command, { conn, ...members });
    if ('channel' in outcome) {
      const message = await session.receive();
      same([message.channelId, message.bytes.length], [outcome.channel, outcome.size], what);
      await session.send(outcome.channel, filler(1_024, 3));
      const back = await raw.take('message', (event) => event.conn === conn);
      same([back.channel, back.sha256], [outcome.channel, sha256(filler(1_024, 3))], `our answer to ${what}`);
      await session.close();
    } else {
      const code = codeOf(await session.end());
      check(outcome.includes(code), `${what}: ended with ${code}`);
    }
    await raw.take('closed', (event) => event.conn === conn);
  }
  check(bystander.isOpen, `connection ${other} of somebody else ended too`);
}

/** Channel 0 from us, as a real reactor of theirs reads it. */
async function channelZero(trial: Trial): Promise<void> {
  const peer = await trial.peer({ pex: true });
  const ours = await trial.ours({ channels: [{ id: 0, priority: 1, maxMessageBytes: 64_000 }, ...plainChannels()] });
  const session = await trial.connect(ours, peer);
  const encode = (kind: 'request' | 'response'): Uint8Array => pexMessage.encode({ kind, dialect: 'ip', addresses: [] }) as Uint8Array;
  await session.send(0, encode('request'));
  // They may ask as well, and must be answered once if they do.
  for (let answered = false; ;) {
    const { kind } = pexMessage.decode((await session.receive(0)).bytes);
    if (kind === 'request' && !answered) {
      await session.send(0, encode('response'));
      answered = true;
    }
    if (kind === 'response') break;
  }
  await roundTrip(peer, session, echo, new Uint8Array(0));
}

export const messageCases: readonly Case[] = [
  { name: '12 every size, payload as the line has it', run: everySize(undefined) },
  { name: '12 every size, payload 1024', run: everySize(1_024) },
  { name: '12 every size, payload 1400', run: everySize(1_400) },
  { name: '12 a byte above capacity', run: oneTooMany, rude: true },
  { name: '13 packets take turns, priorities 1:1', run: fairness([1, 1]) },
  { name: '13 packets take turns, priorities 5:1', run: fairness([5, 1]) },
  { name: '13 we send on two channels', run: weInterleave },
  { name: '13 they send on two channels', run: theyInterleave },
  { name: '15 odd packets of theirs', run: oddPackets, rude: true },
  { name: '15 channel 0 of ours', run: channelZero },
];
