/** From a node address to a connection: names become endpoints, and endpoints race (RFC 8305). Shaking hands is not its affair. */
import { Resolver } from 'node:dns/promises';
import { isIPv6 } from 'node:net';
import { defaultPort, normalizeIp, type NodeAddress } from '../proto/address.ts';
import type { Endpoint } from '../proto/endpoint.ts';
import { TroupeError } from '../proto/errors.ts';
import { ipFromText } from '../proto/ip.ts';
import { parseHost } from '../proto/uri.ts';
import { withDeadline, type Clock } from './clock.ts';
import type { Connection, Transport } from './transport.ts';
import { waitFor, type Waiter } from './waiter.ts';

/** Endpoints taken from one name; each may cost a dial. */
const maxEndpoints = 8;
/** Names looked up at once; each holds a DNS socket. */
const maxLookups = 2;
/** Addresses that wait for their turn to be looked up; the dialer never has that many dials in flight. */
const maxWaiting = 1_000;

/** Looks a host name up: IP literals, in any order, none when there are none. Must settle soon after its signal aborts. */
export type Lookup = (host: string, signal: AbortSignal) => Promise<readonly string[]>;

/** What a resolver needs. */
export type ResolverOptions = Readonly<{
  clock: Clock;
  /** Longest wait for one address, in milliseconds, from the call: waiting for a turn counts. */
  timeoutMs: number;
  /** In place of the system's DNS servers. */
  lookup?: Lookup;
}>;

/** Turns an address into the endpoints to try, best first; 1 to 8 of them. Looks names up afresh each time. */
export type Resolve = (address: NodeAddress, signal: AbortSignal) => Promise<readonly Endpoint[]>;

/**
 * Makes a `Resolve`: IP literals pass as they are, names are looked up (two at once, IPv6 and IPv4 in turn), and an address without
 * a host (`memory:<id>`) becomes the endpoint whose path is its node id. A missing port is 26656.
 * It throws TroupeError `ERR_RESOLVE_FAILED`, or the signal's reason.
 */
export function resolver({ clock, timeoutMs, lookup = dnsLookup() }: ResolverOptions): Resolve {
  const turns = new Turns(maxLookups, maxWaiting);
  return async (address, signal) => {
    signal.throwIfAborted();
    if (address.protocol === '') throw new TroupeError('ERR_RESOLVE_FAILED', 'no protocol');
    if (address.host === '') return [localEndpoint(address)];
    const literal = ipFromText(address.host);
    if (literal !== undefined) return [endpointOf(address, literal)];
    const host = parseHost(address.host);
    if (host === undefined) throw new TroupeError('ERR_RESOLVE_FAILED', `not a host name: ${JSON.stringify(address.host.slice(0, 64))}`);
    const found = await withDeadline(clock, timeoutMs, 'ERR_RESOLVE_FAILED', signal, (deadline) =>
      turns.take(deadline, () => abandonable(deadline, lookUp(lookup, host, deadline))),
    );
    return found.map((ip) => endpointOf(address, ip));
  };
}

async function lookUp(lookup: Lookup, host: string, signal: AbortSignal): Promise<readonly string[]> {
  let found: readonly string[];
  try {
    found = await lookup(host, signal);
  } catch (cause) {
    throw new TroupeError('ERR_RESOLVE_FAILED', host, { cause });
  }
  const ips = interleave(found);
  if (ips.length === 0) throw new TroupeError('ERR_RESOLVE_FAILED', `${host} has no address`);
  return ips;
}

/** IPv6 and IPv4 in turn (RFC 8305, section 4), each once, at most eight. What is no IP literal is left out. */
function interleave(found: readonly string[]): readonly string[] {
  const families: readonly [Set<string>, Set<string>] = [new Set(), new Set()];
  for (const text of found) {
    const ip = ipFromText(text);
    if (ip === undefined) continue;
    const family = isIPv6(ip) ? families[0] : families[1];
    if (family.size < maxEndpoints) family.add(normalizeIp(ip));
  }
  const [six, four] = families.map((family) => [...family]) as [string[], string[]];
  const mixed: string[] = [];
  for (let index = 0; index < Math.max(six.length, four.length); index++) {
    for (const ip of [six[index], four[index]]) if (ip !== undefined) mixed.push(ip);
  }
  return mixed.slice(0, maxEndpoints);
}

function endpointOf({ protocol, port, path }: NodeAddress, ip: string): Endpoint {
  return { protocol, ip, port: port || defaultPort, path };
}

function localEndpoint({ protocol, nodeId }: NodeAddress): Endpoint {
  if (nodeId.length === 0) throw new TroupeError('ERR_RESOLVE_FAILED', 'neither host nor node id');
  return { protocol, ip: '', port: 0, path: nodeId };
}

/**
 * A lookup that asks DNS servers (`ip` or `ip:port`, by default the system's) with a resolver of its own, which unlike `dns.lookup` keeps no
 * thread of the pool. The hosts file is not read; `localhost` is loopback (RFC 6761).
 */
export function dnsLookup(servers?: readonly string[]): Lookup {
  return async (host, signal) => {
    const name = host.endsWith('.') ? host.slice(0, -1) : host;
    if (name === 'localhost' || name.endsWith('.localhost')) return ['127.0.0.1', '::1'];
    const dns = new Resolver();
    if (servers) dns.setServers(servers);
    const cancel = (): void => dns.cancel();
    signal.addEventListener('abort', cancel, { once: true });
    try {
      const answers = await Promise.allSettled([dns.resolve6(host), dns.resolve4(host)]);
      const found = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
      const failed = answers.find((answer) => answer.status === 'rejected');
      if (found.length === 0 && failed) throw failed.reason;
      return found;
    } finally {
      signal.removeEventListener('abort', cancel);
    }
  };
}

/** Lets a few go at once and the others wait in line, each no longer than its signal allows. */
class Turns {
  readonly #limit: number;
  readonly #maxWaiting: number;
  readonly #line = new Set<Waiter<void>>();
  #running = 0;

  constructor(limit: number, maxWaiting: number) {
    this.#limit = limit;
    this.#maxWaiting = maxWaiting;
  }

  async take<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    if (this.#running < this.#limit) this.#running++;
    else await this.#queue(signal);
    try {
      return await work();
    } finally {
      this.#pass();
    }
  }

  /** Resolves with the turn already taken over from whoever has finished. */
  async #queue(signal: AbortSignal): Promise<void> {
    if (this.#line.size >= this.#maxWaiting) throw new TroupeError('ERR_RESOLVE_FAILED', 'too many lookups wait');
    let turn: Waiter<void> | undefined;
    try {
      await waitFor<void>(signal, (waiter) => this.#line.add((turn = waiter)));
    } catch (error) {
      if (turn) this.#line.delete(turn);
      throw error;
    }
  }

  #pass(): void {
    for (const next of this.#line) {
      this.#line.delete(next);
      if (!next.waiting) continue;
      next.settle();
      return;
    }
    this.#running--;
  }
}

/** Settles as `work` does, or rejects with the signal's reason as soon as that aborts. */
function abandonable<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  work.catch(() => undefined); // nobody hears of it once the signal has aborted
  return waitFor<T>(signal, ({ settle, fail }) => void work.then(settle, fail));
}

/** What a race of endpoints needs. */
export type DialRace = Readonly<{
  endpoints: readonly Endpoint[];
  transportOf: (protocol: string) => Transport | undefined;
  clock: Clock;
  /** Head start of one endpoint over the next, in milliseconds; 250 by default, as in RFC 8305. */
  delayMs?: number;
  signal: AbortSignal;
  /** Told how each attempt ended. */
  onAttempt?: (result: AttemptResult) => void;
}>;

/** How a dial of one endpoint ended; `cancelled` when another endpoint was faster, or its time was up. */
export type AttemptResult = 'connected' | 'failed' | 'cancelled';

/**
 * Dials endpoints, each a little after the one before or as soon as that has failed; the first connection wins and the other attempts are
 * called off, their connections closed. There is one handshake a dial, so it is not raced.
 * @throws TroupeError of the one endpoint, `ERR_DIAL_FAILED` with all their errors as cause, `ERR_TRANSPORT_UNKNOWN`, or the signal's reason.
 */
export function dialEndpoints(options: DialRace): Promise<Connection> {
  const { endpoints, transportOf, clock, delayMs = 250, signal, onAttempt } = options;
  return new Promise((resolve, reject) => {
    const race = new AbortController();
    const errors: unknown[] = [];
    let started = 0;
    let timer: unknown;
    let over = false;

    const finish = (settle: () => void, reason: unknown): void => {
      over = true;
      clock.clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      settle();
      race.abort(reason);
    };
    const onAbort = (): void => finish(() => reject(signal.reason as Error), signal.reason);
    const onConnection = (connection: Connection): void => {
      if (over) void connection.close();
      else finish(() => resolve(connection), new TroupeError('ERR_CONNECTION_CLOSED', 'another endpoint was faster'));
    };
    const onFailure = (error: unknown): void => {
      errors.push(error);
      if (over) return;
      if (errors.length === endpoints.length) finish(() => reject(raceError(errors)), undefined);
      else startNext();
    };
    const startNext = (): void => {
      clock.clearTimeout(timer);
      const endpoint = endpoints[started++];
      if (!endpoint) return;
      if (started < endpoints.length) timer = clock.setTimeout(startNext, delayMs);
      attempt(endpoint, transportOf, race.signal, onAttempt).then(onConnection, onFailure);
    };

    if (signal.aborted) return reject(signal.reason as Error);
    if (endpoints.length === 0) return reject(new TroupeError('ERR_DIAL_FAILED', 'no endpoint'));
    signal.addEventListener('abort', onAbort, { once: true });
    startNext();
  });
}

async function attempt(
  endpoint: Endpoint,
  transportOf: DialRace['transportOf'],
  signal: AbortSignal,
  onAttempt: DialRace['onAttempt'],
): Promise<Connection> {
  const transport = transportOf(endpoint.protocol);
  if (!transport) throw new TroupeError('ERR_TRANSPORT_UNKNOWN', endpoint.protocol);
  try {
    const connection = await transport.dial(endpoint, signal);
    onAttempt?.('connected');
    return connection;
  } catch (error) {
    onAttempt?.(signal.aborted ? 'cancelled' : 'failed');
    throw error;
  }
}

function raceError(errors: readonly unknown[]): Error {
  const [first] = errors;
  if (errors.length === 1 && first instanceof Error) return first;
  const details = errors.map((error) => (error instanceof Error ? error.message : String(error)));
  return new TroupeError('ERR_DIAL_FAILED', details.join('; '), { cause: new AggregateError(errors) });
}
