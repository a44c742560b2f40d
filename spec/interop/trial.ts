/** One run of one case: what it is given, and what must be cleaned up after it. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  createNode,
  generateNodeKey,
  memoryStore,
  parseNodeId,
  type Connection,
  type CreateNodeOptions,
  type Node,
  type NodeId,
} from '../../index.ts';
import { complaints } from './complaints.ts';
import { GoProgram, type GoEvent } from './go-program.ts';
import { network, Ours, type OursOptions, type Session } from './ours.ts';
import { cache, type Line, type Settings } from './settings.ts';
import { until, within } from './within.ts';

/** Who dials: we (`out`) or the Go side (`in`). */
export const directions = ['out', 'in'] as const;
export type Direction = (typeof directions)[number];

export type Case = Readonly<{
  /** Begins with the item of the list of interop tests that it is about. */
  name: string;
  run(trial: Trial): Promise<void>;
  /** Both unless said otherwise. */
  directions?: readonly Direction[];
  /** Every line unless said otherwise. */
  lines?: readonly Line[];
  /** Somebody breaks rules in it, so what the Go side holds against us proves nothing. */
  rude?: boolean;
  /** What may run at the same time: all cases, because it mostly waits; or those alike, because it waits a lot. By itself unless said otherwise. */
  beside?: 'all' | 'alike';
  deadlineMs?: number;
}>;

/** A connection of a raw peer, before whatever handshake the case makes. */
export type RawConnection = Readonly<{ connection: Connection; conn: number }>;

/** Flags of a Go program without their dashes; true is a flag without a value. */
export type Flags = Readonly<Record<string, string | number | true>>;

const cleanUpMs = 30_000;
/** The load of this process is that of many nodes and of the suite, so none of them may judge itself by it. */
const unpressed = { maxLoopDelayMs: 60_000, softBytes: 2 ** 40, hardBytes: 2 ** 40 };

export class Trial {
  readonly line: Line;
  readonly direction: Direction;
  readonly settings: Settings;
  readonly signal: AbortSignal;
  readonly #stop = new AbortController();
  readonly #home: string;
  readonly #programs: GoProgram[] = [];
  readonly #cleanUps = new Set<() => Promise<unknown>>();
  readonly #stops = new Map<Node, () => Promise<void>>();
  /** Figures that the report prints below the result. */
  readonly notes: string[] = [];

  constructor(given: Readonly<{ line: Line; direction: Direction; settings: Settings; home: string }>) {
    this.line = given.line;
    this.direction = given.direction;
    this.settings = given.settings;
    this.#home = given.home;
    this.signal = this.#stop.signal;
  }

  /** A folder of its own. */
  folder(name: string): string {
    const path = join(this.#home, name);
    mkdirSync(path, { recursive: true });
    return path;
  }

  /** How often to repeat something that is done `full` times in a full run; at least once. */
  times(full: number): number {
    return Math.max(1, Math.round(full * this.settings.scale));
  }

  /** A real peer of the line. */
  async peer(flags: Flags = {}): Promise<GoProgram> {
    const name = `peer${this.#programs.length}`;
    const all: Flags = { network, home: this.folder(name), ...flags };
    const args = Object.entries(all).flatMap(([flag, value]) => (value === true ? [`--${flag}`] : [`--${flag}`, String(value)]));
    return this.hold(await GoProgram.start(`${this.line} ${name}`, join(cache, this.line, 'peer'), args));
  }

  /** A peer that does on each connection exactly what it is told. */
  raw(flags: Flags = {}): Promise<GoProgram> {
    return this.peer({ raw: true, ...flags });
  }

  /** Stops a program with the trial, and looks through what it says. */
  hold(program: GoProgram): GoProgram {
    this.#programs.push(program);
    this.defer(() => program.stop());
    return program;
  }

  /** Our transport and an identity, listening. */
  async ours(options: OursOptions = {}): Promise<Ours> {
    const ours = new Ours(options, this.signal);
    this.defer(() => ours.transport.close());
    await ours.listen();
    return ours;
  }

  /** A whole node of ours, started. */
  async node(options: CreateNodeOptions = {}): Promise<Node> {
    const node = await createNode({
      network,
      moniker: 'ours',
      store: memoryStore(),
      key: generateNodeKey(),
      listen: ['mconn://127.0.0.1:0'],
      monitor: false,
      logLevel: 'silent',
      pressure: unpressed,
      ...options,
    });
    const stop = (): Promise<void> => node.stop();
    this.#stops.set(node, stop);
    this.defer(stop);
    return node;
  }

  /** Stops a node and lets it go, before the case is over. */
  async dismiss(node: Node): Promise<void> {
    await node.stop();
    this.#cleanUps.delete(this.#stops.get(node)!);
    this.#stops.delete(node);
  }

  /** Makes a started node of ours and a real peer meet, whoever's turn it is to dial; gives the peer's id. */
  async meet(node: Node, peer: GoProgram): Promise<NodeId> {
    const up = peer.take('peer_up', ({ id }) => id === node.nodeId);
    up.catch(() => undefined);
    if (this.direction === 'in') await peer.order('dial', { address: dialable(node) });
    else {
      await node.peers.add(`mconn://${peer.address}`);
      await node.peers.dial(peer.id).catch((error: unknown) => {
        // It may have been dialed already, just because it is known.
        if (!isUp(node, peer.id)) throw error;
      });
    }
    await up;
    await until(10_000, 'the peer to be up', () => isUp(node, peer.id));
    return parseNodeId(peer.id);
  }

  defer(cleanUp: () => Promise<unknown>): void {
    this.#cleanUps.add(cleanUp);
  }

  /** Connects a real peer and us, whoever's turn it is to dial, until both know each other. */
  async connect(ours: Ours, peer: GoProgram): Promise<Session> {
    const up = peer.take('peer_up', ({ id }) => id === ours.key.id);
    up.catch(() => undefined);
    let session: Session;
    if (this.direction === 'out') session = await ours.shake(await ours.dial(peer.listen), peer.id);
    else {
      const dial = peer.order('dial', { address: ours.address });
      dial.catch(() => undefined);
      session = await ours.shake(await Promise.race([ours.accept(), failed(dial)]));
      await dial;
    }
    this.defer(() => session.close());
    await up;
    return session;
  }

  /** A TCP connection between a raw peer and us on which nothing has been said. */
  async connectRaw(ours: Ours, raw: GoProgram): Promise<RawConnection> {
    let connection: Connection;
    if (this.direction === 'out') connection = await ours.dial(raw.listen);
    else [connection] = await Promise.all([ours.accept(), raw.order('connect', { address: ours.endpoint })]);
    this.defer(() => connection.close());
    const { conn } = await raw.take('open');
    return { connection, conn: conn! };
  }

  /** As `connectRaw`, up to and including NodeInfo of both. */
  async shakeRaw(ours: Ours, raw: GoProgram, preset: Readonly<{ pong?: 'never'; node_info?: object }> = {}): Promise<RawSession> {
    const { connection, conn } = await this.connectRaw(ours, raw);
    if (preset.pong) await raw.order('pong_mode', { conn, pong: preset.pong });
    const shaken = ours.shake(connection, raw.id);
    shaken.catch(() => undefined);
    await raw.order('secret', { conn });
    await raw.order('node_info', { conn, node_info: preset.node_info });
    return { session: await shaken, conn };
  }

  /** What the Go side held against us. */
  complaints(): readonly string[] {
    return this.#programs.flatMap((program) => complaints(program.said).map((text) => `${program.name} ${text}`));
  }

  /** Ends everything that the case has begun, last things first. */
  async cleanUp(): Promise<void> {
    for (const cleanUp of [...this.#cleanUps].reverse()) await within(cleanUpMs, 'a clean end', cleanUp());
    this.#stop.abort(new Error('the case is over'));
  }
}

export type RawSession = Readonly<{ session: Session; conn: number }>;

/** The address of a node as Go peers write it. */
export function dialable(node: Node): string {
  return node.addresses[0]!.replace('mconn://', '');
}

export function isUp(node: Node, id: string): boolean {
  return node.peers.list().some((peer) => peer.id === id && peer.state === 'up');
}

/** Rejects when `reply` does, and never resolves. */
function failed(reply: Promise<GoEvent>): Promise<never> {
  return reply.then(() => new Promise<never>(() => undefined));
}
