/** The monitor: what a node knows about itself, as JSON over HTTP, and for Prometheus; and, for those who have the token, orders about its peers. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Logger } from 'pino';
import { fromPromise } from 'xstate';
import { asTroupeError, TroupeError, type ErrorCode } from '../../proto/errors.ts';
import type { Clock } from '../../transports/clock.ts';
import type { Peers } from '../peer-manager.ts';
import { isDirectHost, isLoopback, monitorUrl } from './address.ts';
import { readBody } from './body.ts';
import { orderLimits, Orders } from './orders.ts';
import { pageOf, refusal, type Answer, type Health } from './pages.ts';

/** Bounds on clients: 64 connections of at most 8 KiB of headers each, 10 s for a request or for silence, looked after each second. */
const limits = {
  connections: 64,
  headerBytes: 8_192,
  headersMs: 5_000,
  requestMs: 10_000,
  keepAliveMs: 5_000,
  lookMs: 1_000,
} as const;

export type MonitorOptions = Readonly<{
  /** An IP address or a name; off loopback every request needs the token. */
  host: string;
  /** 0 for any free port. */
  port: number;
  /** What orders must show, and off loopback everything. */
  token: string;
  status(): object;
  health(): Health;
  /** The text of `/metrics`, and its content type. */
  metrics: Readonly<{ type: string; text(): Promise<string> }>;
  peers: Omit<Peers, 'updates' | 'live' | 'counts'>;
  clock: Clock;
  log: Logger;
}>;

/** The HTTP server; can listen again after a close. */
export interface MonitorServer {
  /** Starts listening; resolves with the URL. @throws TroupeError `ERR_MONITOR_UNAVAILABLE`. */
  listen(): Promise<string>;
  /** Resolves when the server has ended: with undefined after `close`, else with what broke it. */
  readonly ended: Promise<Error | undefined>;
  /** Ends every connection and frees the port. Idempotent. */
  close(): Promise<void>;
}

/** Makes the server; nothing listens yet. */
export function monitorServer(options: MonitorOptions): MonitorServer {
  let server: Server | undefined;
  let ended = Promise.resolve<Error | undefined>(undefined);
  const desk: Desk = { options, guarded: !isLoopback(options.host), orders: new Orders(options) };
  const close = async (): Promise<void> => {
    const closing = server;
    server = undefined;
    if (!closing?.listening) return;
    const closed = new Promise((resolve) => closing.close(resolve));
    closing.closeAllConnections();
    await closed;
  };
  return {
    get ended() {
      return ended;
    },
    async listen() {
      const opened = httpServer((request, response) => void serve(desk, request, response));
      const ending = new Promise<Error | undefined>((resolve) => {
        opened.once('close', () => resolve(undefined));
        opened.on('error', resolve);
      });
      const port = await bound(opened, options.host, options.port);
      server = opened;
      ended = ending;
      return monitorUrl({ host: options.host, port });
    },
    close,
  };
}

/**
 * The monitor as a supervised actor: listens until it is stopped, fails if the server breaks. Await `server.close()` after stopping it.
 * `onListening` is told the URL and returns what undoes it, which is called at once when the actor stops.
 */
export const monitorLogic = (deps: Readonly<{ server: MonitorServer; onListening(url: string): () => void }>) =>
  fromPromise<void>(async ({ signal }) => {
    let undo = (): void => undefined;
    // Once only, and not late: by then the actor that comes after this one may have told its own URL.
    const withdraw = (): void => {
      undo();
      undo = () => undefined;
    };
    const stop = (): void => {
      withdraw();
      void deps.server.close();
    };
    signal.addEventListener('abort', stop, { once: true });
    try {
      undo = deps.onListening(await deps.server.listen());
      if (signal.aborted) stop();
      const error = await deps.server.ended;
      if (error) throw new TroupeError('ERR_MONITOR_UNAVAILABLE', error.message, { cause: error });
    } finally {
      signal.removeEventListener('abort', stop);
      withdraw();
      await deps.server.close();
    }
  });

function httpServer(onRequest: (request: IncomingMessage, response: ServerResponse) => void): Server {
  const server = createServer(
    {
      maxHeaderSize: limits.headerBytes,
      headersTimeout: limits.headersMs,
      requestTimeout: limits.requestMs,
      keepAliveTimeout: limits.keepAliveMs,
      connectionsCheckingInterval: limits.lookMs,
    },
    onRequest,
  );
  server.setTimeout(limits.requestMs);
  server.maxConnections = limits.connections;
  return server;
}

function bound(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const onError = (error: Error): void => reject(new TroupeError('ERR_MONITOR_UNAVAILABLE', error.message, { cause: error }));
    server.once('error', onError);
    server.listen({ host, port }, () => {
      server.removeListener('error', onError);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

/** What every request is answered from. */
type Desk = Readonly<{ options: MonitorOptions; guarded: boolean; orders: Orders }>;

async function serve(desk: Desk, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const gone = new AbortController();
  response.once('close', () => gone.abort(new TroupeError('ERR_CONNECTION_CLOSED', 'nobody waits for this answer any more')));
  const given = await answer(desk, request, gone.signal);
  try {
    write(response, given);
  } catch (error) {
    // What a host's own transport tells of itself may not print; it costs this answer and nothing else.
    desk.options.log.error({ err: error }, 'monitor answer failed');
    response.destroy();
  }
}

async function answer({ options, guarded, orders }: Desk, request: IncomingMessage, signal: AbortSignal): Promise<Answer> {
  const { method, headers } = request;
  try {
    if (!guarded && !isDirectHost(headers.host)) return refused('ERR_HOST_REFUSED');
    if (guarded && !hasToken(request, options.token)) return unauthorised();
    const [path, query] = (request.url ?? '/').split('?', 2) as [string, string?];
    const page = pageOf(options, orders, path, new URLSearchParams(query));
    if (!page) return refused('ERR_PATH_UNKNOWN');
    if (method === 'GET' && page.GET) return await page.GET();
    if (method !== 'POST' || !page.POST) return refused('ERR_METHOD_REFUSED', { allow: Object.keys(page).join(', ') });
    if (!hasToken(request, options.token)) return unauthorised();
    // An order may be silent for as long as it takes; its connection ends with its answer.
    request.socket.setTimeout(orderLimits.answerMs + limits.requestMs);
    const given = await page.POST(await readBody(request), signal);
    options.log.info({ path, status: given.status }, 'operator order');
    return given;
  } catch (thrown) {
    const error = asTroupeError(thrown);
    if (error.fault === 'internal') options.log.error({ err: thrown }, 'monitor request failed');
    return refusal(error);
  }
}

const refused = (code: ErrorCode, headers?: Answer['headers']): Answer => refusal(new TroupeError(code), headers);
const unauthorised = (): Answer => refused('ERR_TOKEN_REQUIRED', { 'www-authenticate': 'Bearer' });

/** Compares digests, so that neither length nor time says how much of a guess was right. */
function hasToken(request: IncomingMessage, token: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(request.headers.authorization ?? ''), digest(`Bearer ${token}`));
}

/** Whoever sends more than a question is answered and its connection closed, instead of reading on. */
function write(response: ServerResponse, { status, body, type, headers }: Answer): void {
  const { 'content-length': length, 'transfer-encoding': encoding } = response.req.headers;
  const isQuestion = response.req.method === 'GET' && length === undefined && encoding === undefined;
  const text = type === undefined ? JSON.stringify(body) : String(body);
  response.writeHead(status, {
    ...headers,
    ...(isQuestion ? {} : { connection: 'close' }),
    'content-type': type ?? 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  response.end(text);
}
