/** The walk of a message as the page tells it, held against one real message between two nodes over encrypted TCP in memory. */
import { existsSync, readFileSync } from 'node:fs';
import { Session, type Profiler } from 'node:inspector';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import pino from 'pino';
import { createNode, type Node } from '../../actors/node.ts';
import type { Channel } from '../../actors/channel.ts';
import { LaneQueue } from '../../actors/queues/lanes.ts';
import { MconnConnection } from '../../transports/mconn/connection.ts';
import { nodeKeyFromSeed } from '../../proto/identity.ts';
import { memorySockets } from '../support/sockets.ts';
import { seededRandom } from '../support/random.ts';
import { VirtualClock, settle } from '../support/virtual-clock.ts';

const root = join(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/life-of-a-message.md'), 'utf8');

/** The numbered steps of a section: the files that each names, in full. */
function stepsOf(heading: string): readonly Readonly<{ number: number; files: readonly string[] }>[] {
  const [, section = ''] = new RegExp(`^## ${heading}$([^]*?)(?=^## |$(?![^]))`, 'm').exec(page) ?? [];
  return [...section.matchAll(/^(\d+)\. ([^:.]*(?:\.ts`[^:.]*)*)/gm)].map(([, number, opening = '']) => {
    const named = [...opening.matchAll(/`([\w/<>-]+\.ts)`/g)].map(([, file = '']) => file);
    const folder = named[0]?.slice(0, named[0].lastIndexOf('/') + 1) ?? '';
    return { number: Number(number), files: named.map((file) => (file.includes('/') ? file : folder + file)) };
  });
}

/** A station: a file of ours, any of the policies, or the transport as a whole. */
const stationOf = (file: string): string =>
  file.replace(/^actors\/queues\/.*/, 'actors/queues/<policy>.ts').replace(/^transports\/mconn\/.*/, 'transports/mconn');

/** The files of ours on the stack, from the outermost call in, each once in a row. */
function stackFiles(): string[] {
  const lines = (new Error().stack ?? '').split('\n').map((line) => /\/((?:actors|transports)\/[\w/-]+\.ts)/.exec(line)?.[1]);
  return lines.filter((file) => file !== undefined).reverse();
}

const withoutRepeats = (names: readonly string[]): string[] => names.filter((name, at) => name !== names[at - 1]);

const running: Node[] = [];
afterEach(() => {
  jest.restoreAllMocks();
});

type Run = Readonly<{ out: string[]; in: string[]; executed: ReadonlySet<string> }>;

/** Sends one message from a node to another and follows it: at each queue, each connection, at the codec and at the reader. */
async function follow(): Promise<Run> {
  const clock = new VirtualClock();
  const random = seededRandom(1);
  const tcp = memorySockets();
  const trace: { out: string[]; in: string[] } = { out: [], in: [] };
  let isTracing = false;
  const before: { out: readonly string[]; in: readonly string[] } = { out: [], in: [] };
  // A call deeper down the same path is the same walk, further on.
  const note = (way: 'out' | 'in', last?: string): void => {
    if (!isTracing) return;
    const path = withoutRepeats([...stackFiles().map(stationOf), ...(last ? [last] : [])]);
    const shared = path.findIndex((file, at) => file !== before[way][at]);
    trace[way].push(...path.slice(shared < 0 ? path.length : shared));
    before[way] = path;
  };
  const type = {
    encode: (n: number) => (note('out'), Uint8Array.of(n)),
    decode: ([n = 0]: Uint8Array) => (note('in'), n),
  };
  const start = async (n: number): Promise<{ node: Node; channel: Channel<number> }> => {
    const node = await createNode({
      network: 'life',
      key: nodeKeyFromSeed(new Uint8Array(32).fill(n)),
      listen: ['mconn://0.0.0.0:26656'],
      monitor: false,
      log: pino({ level: 'silent' }),
      environment: { clock, random, sockets: tcp.host(`10.0.0.${n}`) },
    });
    running.push(node);
    await node.start();
    return { node, channel: node.openChannel({ id: 0x10, type, priority: 1, maxMessageBytes: 8 }) };
  };
  const [from, to] = [await start(1), await start(2)];
  await from.node.peers.add(`mconn://${to.node.nodeId}@10.0.0.2:26656`);
  const isUp = from.node.peers.dial(to.node.nodeId);
  for (let i = 0; i < 30; i++) {
    await settle(10);
    await clock.advanceAsync(10);
  }
  await isUp;
  const reader = to.channel[Symbol.asyncIterator]();
  const pass = async (n: number): Promise<void> => {
    const read = reader.next();
    await from.channel.send({ to: to.node.nodeId, message: n });
    expect((await read).value).toEqual({ from: from.node.nodeId, message: n });
  };
  await pass(1);

  const mailboxes = new WeakSet();
  const { put, take } = LaneQueue.prototype;
  jest.spyOn(LaneQueue.prototype, 'put').mockImplementation(function (this: LaneQueue<object>, ...given) {
    const way = 'from' in given[0].item ? 'in' : 'out';
    if (way === 'in') mailboxes.add(this);
    note(way, 'actors/queues/<policy>.ts');
    return put.apply(this, given);
  });
  jest.spyOn(LaneQueue.prototype, 'take').mockImplementation(function (this: LaneQueue<object>, ...given) {
    const entry = take.apply(this, given);
    if (entry) note(mailboxes.has(this) ? 'in' : 'out');
    return entry;
  });
  const { sendMessage } = MconnConnection.prototype;
  jest.spyOn(MconnConnection.prototype, 'sendMessage').mockImplementation(function (this: MconnConnection, ...given) {
    note('out', 'transports/mconn');
    return sendMessage.apply(this, given);
  });
  // The link that reads has asked the connection for it already.
  trace.in.push('transports/mconn');
  isTracing = true;
  await pass(2);
  isTracing = false;
  const executed = await coverageOf(() => pass(3));
  const stopped = Promise.all(running.splice(0).map((node) => node.stop()));
  for (let i = 0; i < 10; i++) {
    await settle(10);
    await clock.advanceAsync(500);
  }
  await stopped;
  return { out: withoutRepeats(trace.out), in: withoutRepeats(trace.in), executed };
}

/** The files of ours that run anything during some work. */
async function coverageOf(work: () => Promise<void>): Promise<ReadonlySet<string>> {
  const session = new Session();
  session.connect();
  const post = <T>(method: string, params?: object): Promise<T> =>
    new Promise((resolve, reject) => session.post(method, params, (error, result) => (error ? reject(error) : resolve(result as T))));
  await post('Profiler.enable');
  await post('Profiler.startPreciseCoverage', { callCount: true, detailed: false });
  await post('Profiler.takePreciseCoverage');
  await work();
  const { result } = await post<Profiler.TakePreciseCoverageReturnType>('Profiler.takePreciseCoverage');
  await post('Profiler.stopPreciseCoverage');
  session.disconnect();
  const ran = result.filter(({ functions }) => functions.some(({ ranges }) => (ranges[0]?.count ?? 0) > 0));
  return new Set(
    ran.map(({ url }) => /\/((?:actors|transports|machines|proto)\/[\w/-]+\.ts)$/.exec(url)?.[1] ?? '').filter((file) => file !== ''),
  );
}

describe('the life of a message', () => {
  const [out, into] = [stepsOf('Out'), stepsOf('In')];
  /** The stations of a section, in the order of its steps. */
  const walkOf = (steps: typeof out): string[] => withoutRepeats(steps.flatMap(({ files }) => files.map(stationOf)));
  let run: Run;
  beforeAll(async () => {
    run = await follow();
  });

  test('goes out through five files, as the page has it', () => {
    expect(run.out).toEqual(walkOf(out));
    expect(new Set(run.out).size).toBe(5);
  });

  test('comes in through four files, as the page has it', () => {
    expect(run.in).toEqual(walkOf(into));
    expect(new Set(run.in).size).toBe(4);
  });

  test('is told of files that exist, and that run for each message', () => {
    const named = [...out, ...into].flatMap(({ files }) => files).filter((file) => !file.includes('<'));
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((file) => !existsSync(join(root, file)))).toEqual([]);
    expect(named.filter((file) => !run.executed.has(file))).toEqual([]);
  });

  test('is told in numbered steps, each of them in the one diagram', () => {
    const numbers = [...out, ...into].map(({ number }) => number);
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
    const diagrams = [...page.matchAll(/```mermaid\nsequenceDiagram\n([^]*?)```/g)];
    expect(diagrams).toHaveLength(1);
    const drawn = (diagrams[0]?.[1] ?? '')
      .split('\n')
      .flatMap((line) => [...(line.split(': ')[1] ?? '').matchAll(/\b(\d+)\b/g)].map(([, n]) => Number(n)));
    expect(drawn).toEqual(numbers);
  });
});
