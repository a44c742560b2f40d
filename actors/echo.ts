/** The echo reactor of ADR 062: sends back what it is sent and, if asked to, measures how long its own questions take to return. */
import { TroupeError } from '../proto/errors.ts';
import { echoMessage, type Echo } from '../proto/echo.ts';
import type { NodeId } from '../proto/identity.ts';
import type { ChannelOptions } from './channel.ts';
import type { PeerUpdate } from './peer-manager.ts';
import { reactorLogic, type Incoming, type Reactor, type ReactorContext } from './reactor.ts';

export type EchoOptions = Readonly<{
  /** Channel id; 0x77 by default. */
  id?: number;
  /** Asks every peer that is up this often, in milliseconds; never if left out. */
  everyMs?: number;
  /** Told of each question that came back: after how many milliseconds, and from whom. */
  onRoundTrip?: (ms: number, from: NodeId) => void;
}>;

const defaultId = 0x77;
const maxMessageBytes = 1 << 20;
/** Longest payload whose marked answer still fits. */
const maxPayloadBytes = maxMessageBytes - 6;
/** Questions remembered; what returns later than the last of them is not measured. */
const maxQuestions = 16;

type Channels = Readonly<{ echo: ChannelOptions<Echo> }>;

/**
 * Makes an echo reactor. An answer is marked and never answered, nor is a question of our own that an unmarked echo sends back.
 * An answer that finds no room in its peer's queue is dropped, so that a peer that does not read holds up nobody.
 * @throws TroupeError `ERR_OPTION_INVALID` when `everyMs` is not a whole number from 1.
 */
export function echoReactor(options: EchoOptions = {}): Reactor {
  const { id = defaultId, everyMs } = options;
  if (everyMs !== undefined && (!Number.isSafeInteger(everyMs) || everyMs < 1))
    throw new TroupeError('ERR_OPTION_INVALID', `everyMs: ${everyMs}`);
  const channels: Channels = { echo: { id, type: echoMessage, priority: 5, maxMessageBytes, drop: 'newest' } };
  return {
    name: 'echo',
    channels,
    logic: reactorLogic<Channels>((context) => {
      const echo = new Echoes(context, id, options.onRoundTrip);
      return {
        onMessage: (incoming) => echo.onMessage(incoming),
        ...(everyMs !== undefined && {
          onPeerUpdate: (update) => echo.onPeerUpdate(update),
          every: [[everyMs, () => echo.ask()]] as const,
        }),
      };
    }),
  };
}

/** A question of ours under way: when it left, and who has not answered. */
type Question = Readonly<{ at: number; unanswered: Set<NodeId> }>;

class Echoes {
  readonly #context: ReactorContext<Channels>;
  readonly #id: number;
  readonly #onRoundTrip: (ms: number, from: NodeId) => void;
  readonly #up = new Set<NodeId>();
  /** By payload, oldest first. */
  readonly #questions = new Map<string, Question>();

  constructor(context: ReactorContext<Channels>, id: number, onRoundTrip: EchoOptions['onRoundTrip']) {
    this.#context = context;
    this.#id = id;
    this.#onRoundTrip = onRoundTrip ?? (() => undefined);
  }

  async onMessage({ from, message }: Incoming<Channels>): Promise<void> {
    if (this.#isOurs(from, message.payload) || message.reply || message.payload.length > maxPayloadBytes) return;
    const { channels, signal } = this.#context;
    await channels.echo.send({ to: from, message: { payload: message.payload, reply: true } }, { signal });
  }

  onPeerUpdate({ id, status, channels }: PeerUpdate): void {
    if (status === 'up' && channels.includes(this.#id)) this.#up.add(id);
    if (status === 'up') return;
    this.#up.delete(id);
    for (const { unanswered } of this.#questions.values()) unanswered.delete(id);
  }

  async ask(): Promise<void> {
    const { channels, clock, random } = this.#context;
    // By chance, so that a peer cannot answer what it was not asked.
    const payload = Uint8Array.from({ length: 16 }, () => Math.floor(random() * 256));
    this.#questions.set(keyOf(payload), { at: clock.now(), unanswered: new Set(this.#up) });
    if (this.#questions.size > maxQuestions) this.#questions.delete(this.#questions.keys().next().value!);
    await channels.echo.broadcast({ payload, reply: false });
  }

  /** Whether this is a question of ours coming back; measures it if the peer had not answered before. */
  #isOurs(from: NodeId, payload: Uint8Array): boolean {
    const question = payload.length === 16 ? this.#questions.get(keyOf(payload)) : undefined;
    if (question?.unanswered.delete(from)) this.#onRoundTrip(this.#context.clock.now() - question.at, from);
    return question !== undefined;
  }
}

function keyOf(payload: Uint8Array): string {
  return Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('hex');
}
