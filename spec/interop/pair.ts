/** A node of ours and a real peer that dial each other, and what both say of the connection between them. */
import { nodeIdFromText, pexReactor, type Channel, type Node } from '../../index.ts';
import type { Crowd, Member } from './crowd.ts';
import type { GoPeerInfo } from './go-program.ts';
import { echo } from './ours.ts';
import { filler, sha256 } from './payload.ts';
import { Relay } from './relay.ts';
import { isUp, type Trial } from './trial.ts';
import { check, pause, same, until } from './within.ts';
import { Watched } from './watched.ts';

const bytesType = { encode: (message: Uint8Array) => message, decode: (message: Uint8Array) => message };
/** How long both must agree on one connection for it to count. */
const steadyMs = 1_000;
/** The longer it takes, the less often we look: at a fortieth of the time that has passed, between these. */
const lookMs = { least: 25, most: 500 };
/** What Go nodes say when they punish a peer, or are about to. */
const punishment = /\bban|unsolicited|too soon|multiple requests|too many/i;

export type Begun = Readonly<{ ours: number; theirs: number }>;
type Parts = Readonly<{ trial: Trial; node: Node; member: Member; sockets: Watched; ourWay: Relay; theirWay: Relay }>;

/** Each side reaches the other through a relay. */
export class Pair {
  readonly node: Node;
  readonly member: Member;
  readonly sockets: Watched;
  /** What we dial, and what they dial. */
  readonly ourWay: Relay;
  readonly theirWay: Relay;
  /** Why the peer went down for subscribers of ours, each time. */
  readonly downs: string[] = [];
  readonly #trial: Trial;
  readonly #channel: Channel<Uint8Array>;

  private constructor({ trial, node, member, sockets, ourWay, theirWay }: Parts) {
    this.#trial = trial;
    this.node = node;
    this.member = member;
    this.sockets = sockets;
    this.ourWay = ourWay;
    this.theirWay = theirWay;
    this.#channel = node.openChannel({ id: echo, name: 'echo', type: bytesType, priority: 5, maxMessageBytes: 1_000_000 });
  }

  /** Both with fresh keys and peer exchange, started; neither has dialed. */
  static async open(trial: Trial, crowd: Crowd): Promise<Pair> {
    const sockets = new Watched();
    const member = await crowd.open();
    const ourWay = await Relay.open(() => member.listen);
    const theirWay = await Relay.open(() => sockets.listen);
    const node = await trial.node({ transports: [sockets.transport], reactors: [pexReactor()], externalAddress: theirWay.endpoint });
    const pair = new Pair({ trial, node, member, sockets, ourWay, theirWay });
    await node.start();
    void pair.#watch(trial.signal);
    return pair;
  }

  /** The address of ours that they dial. */
  get ourAddress(): string {
    return `${this.node.nodeId}@${this.theirWay.endpoint}`;
  }

  /** How many connections we have begun so far, and how many they have: all that we accept is theirs. */
  get begun(): Begun {
    return { ours: this.sockets.dialed, theirs: this.sockets.accepted };
  }

  weDial(): Promise<unknown> {
    return this.node.peers.add(`mconn://${this.member.id}@${this.ourWay.endpoint}`);
  }

  /** From now on they dial us whenever they lose us. */
  async theyKeepUs(): Promise<void> {
    await this.member.order('keep', { address: this.ourAddress });
  }

  theyDial(): Promise<unknown> {
    return this.member.ask('dial', { address: this.ourAddress });
  }

  /** As soon as they have noticed that their link is gone. */
  async theyDialAgain(): Promise<void> {
    await until(5_000, 'them to notice', async () => (await this.member.peers()).length === 0);
    void this.theyDial();
  }

  /** Waits until both sides agree on one connection and go on to; gives the milliseconds until they first did, and fails when those pass the bound. */
  async settled(boundMs: number, began = performance.now()): Promise<number> {
    let since: number | undefined;
    let connection: unknown;
    for (;;) {
      const theirs = await this.member.peers();
      const isAgreed = this.#isAgreed(theirs) && (since === undefined || connection === this.sockets.open[0]);
      const now = performance.now();
      since = isAgreed ? (since ?? now) : undefined;
      connection = this.sockets.open[0];
      if (since !== undefined && now - since >= steadyMs) return since - began;
      if (now - began > boundMs && (since === undefined || since - began > boundMs))
        throw new Error(this.#account(`no one connection within ${boundMs} ms`, theirs));
      await pause(Math.min(lookMs.most, Math.max(lookMs.least, (now - began) / 40)));
    }
  }

  /** A message of ours comes back on the connection that we take messages from. */
  async echoes(): Promise<void> {
    const probe = Buffer.concat([Buffer.from('0a64', 'hex'), filler(100, 5)]);
    const to = nodeIdFromText(this.member.id);
    try {
      same(sha256(await this.#channel.request({ to, message: probe, timeoutMs: 5_000 })), sha256(probe), 'an echo');
    } catch (error) {
      throw new Error(this.#account((error as Error).message, await this.member.peers()), { cause: error });
    }
  }

  /** Neither side holds anything against the other. */
  blameless(): void {
    check(this.node.status().peers.banned === 0, 'we banned them');
    const said = this.member.said().filter((event) => punishment.test(JSON.stringify(event)));
    check(said.length === 0, `they punished us: ${JSON.stringify(said).slice(0, 600)}`);
  }

  async close(): Promise<void> {
    await Promise.all([this.#trial.dismiss(this.node), this.member.close()]);
    this.ourWay.close();
    this.theirWay.close();
  }

  #isAgreed(theirs: readonly GoPeerInfo[]): boolean {
    const { node, member, sockets } = this;
    const { links, peers } = node.status();
    const [connection, ...others] = sockets.open;
    const [peer, ...more] = theirs;
    if (!connection || others.length > 0 || links !== 1 || peers.connected !== 1 || !isUp(node, member.id)) return false;
    if (!peer || more.length > 0 || peer.id !== node.nodeId || peer.direction === connection.direction) return false;
    // Of a connection that they dialed they show the port of ours that they reached, so its being our only one has to do.
    if (connection.direction === 'inbound') return true;
    const { port } = connection.localEndpoint;
    return [port, this.ourWay.portBeyond(port)].some((each) => peer.address.endsWith(`:${each}`));
  }

  #account(what: string, theirs: readonly GoPeerInfo[]): string {
    const { node, member, sockets, downs } = this;
    const { links, disconnects } = node.status();
    const ours = { links, open: sockets.open.map(({ direction }) => direction), dialed: sockets.dialed, accepted: sockets.accepted };
    const they = theirs.map(({ direction, address }) => [direction, address]);
    const facts = { ...ours, disconnects, downs, explanation: node.peers.explain(member.id).sentence, they, said: member.said().slice(-8) };
    return `${what}: ${JSON.stringify(facts)}`;
  }

  async #watch(signal: AbortSignal): Promise<void> {
    try {
      for await (const update of this.node.peers.updates(signal)) {
        if (!('snapshotEnd' in update) && update.status === 'down') this.downs.push(update.reason ?? '');
      }
    } catch {
      // The case is over.
    }
  }
}
