/** Memory networks for specs: one with its clock, connections on it, and ways to run the clock until something has happened. */
import { parseEndpoint } from '../../proto/endpoint.ts';
import { memoryNetwork, type MemoryNetwork, type MemoryNetworkOptions } from '../../transports/memory.ts';
import { seededRandom, settle, VirtualClock } from '../../transports/simulated.ts';
import type { Connection, Message } from '../../transports/transport.ts';
import { handshakeOf, keyOf, live } from './transport-bench.ts';

export const [a, b, c] = [keyOf('a'), keyOf('b'), keyOf('c')];

/** A network with its clock. */
export function world(options: Partial<MemoryNetworkOptions> = {}, seed = 1) {
  const clock = new VirtualClock();
  return { clock, network: memoryNetwork({ clock, random: seededRandom(seed), ...options }) };
}

/** Runs the clock from timer to timer until a promise has settled. */
export async function during<T>(clock: VirtualClock, promise: Promise<T>): Promise<T> {
  const outcome = { settled: false };
  const done = (): void => void (outcome.settled = true);
  promise.then(done, done);
  await settle();
  while (!outcome.settled && clock.nextAt !== undefined) await clock.advanceAsync(clock.nextAt - clock.now());
  return promise;
}

export async function connect(
  network: MemoryNetwork,
  clock: VirtualClock,
  from = a,
  to = b,
): Promise<{ near: Connection; far: Connection }> {
  const listener = network.transport(to.id);
  await listener.listen(parseEndpoint(`memory:${to.id}`));
  const [near, far] = await during(
    clock,
    Promise.all([network.transport(from.id).dial(parseEndpoint(`memory:${to.id}`), live()), listener.accept(live())]),
  );
  await during(clock, Promise.all([near.handshake(handshakeOf(from), live()), far!.handshake(handshakeOf(to), live())]));
  return { near, far: far! };
}

/** Everything that can be received until nothing more is on the way. */
export async function drain(clock: VirtualClock, connection: Connection): Promise<Message[]> {
  const received: Message[] = [];
  const stop = new AbortController();
  const reading = (async () => {
    for (;;) received.push(await connection.receiveMessage(stop.signal));
  })().catch(() => undefined);
  await clock.advanceAsync(100_000);
  stop.abort(new Error('drained'));
  await reading;
  return received;
}

export const label = ({ channelId, bytes }: Message): string => `${channelId}:${bytes.length}`;
