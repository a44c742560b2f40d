/** The monitor: what a node knows about itself, as JSON over HTTP, and for Prometheus, for operators and their tools. It changes nothing. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Logger } from 'pino';
import { fromPromise } from 'xstate';
import { asTroupeError, TroupeError, type ErrorCode } from '../../proto/errors.ts';
import { parseNodeId } from '../../proto/identity.ts';
import type { Peers, PeerView } from '../peer-manager.ts';
import { isDirectHost, isLoopback, monitorUrl } from './address.ts';

/** Bounds on clients: 64 connections of at most 8 KiB of headers each, 10 s for a request or for silence, no bodies. */
const limits = {
  connections: 64,
  headerBytes: 8_192,
  headersMs: 5_000,
  requestMs: 10_000,
  keepAliveMs: 5_000,
  page: 100,
  maxPage: 1_000,
} as const;

/** What `/health` says; 503 unless ok. */
export type Health = Readonly<{ ok: boolean } & Record<string, unknown>>;

export type MonitorOptions = Readonly<{
  /** An IP address or a name; off loopback every request needs the token. */
  host: string;
  /** 0 for any free port. */
  port: number;
  token: string;
  status(): object;
  health(): Health;
  /** The text of `/metrics`, and its content type. */
  metrics: Readonly<{ type: string; text(): Promise<string> }>;
  peers: Pick<Peers, 'list' | 'explain'>;
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

/** An answer: a status and a body to print as JSON, or as the text it is when it names a type of its own. */
type Answer = Readonly<{ status: number; body: unknown; type?: string; headers?: Readonly<Record<string, string>> }>;

/** Makes the server; nothing listens yet. */
export function monitorServer(options: MonitorOptions): MonitorServer {
  let server: Server | undefined;
  let ended = Promise.resolve<Error | undefined>(undefined);
  const guarded = !isLoopback(options.host);
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
      const opened = httpServer((request, response) => void answer(options, guarded, request).then((given) => write(response, given)));
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

/** The monitor as a supervised actor: listens until it is stopped, fails if the server breaks. Await `server.close()` after stopping it. */
export const monitorLogic = (deps: Readonly<{ server: MonitorServer; onListening(url: string): void }>) =>
  fromPromise<void>(async ({ signal }) => {
    const stop = (): void => void deps.server.close();
    signal.addEventListener('abort', stop, { once: true });
    try {
      deps.onListening(await deps.server.listen());
      if (signal.aborted) stop();
      const error = await deps.server.ended;
      if (error) throw new TroupeError('ERR_MONITOR_UNAVAILABLE', error.message, { cause: error });
    } finally {
      signal.removeEventListener('abort', stop);
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

async function answer(options: MonitorOptions, guarded: boolean, request: IncomingMessage): Promise<Answer> {
  try {
    if (!guarded && !isDirectHost(request.headers.host)) return refusal(403, 'ERR_HOST_REFUSED');
    if (guarded && !hasToken(request, options.token)) return refusal(401, 'ERR_TOKEN_REQUIRED', { 'www-authenticate': 'Bearer' });
    if (request.method !== 'GET') return refusal(405, 'ERR_METHOD_REFUSED', { allow: 'GET' });
    const [path, query] = (request.url ?? '/').split('?', 2) as [string, string?];
    return await page(options, path, new URLSearchParams(query));
  } catch (error) {
    const { code, message, fault } = asTroupeError(error);
    if (fault === 'internal') options.log.error({ err: error }, 'monitor request failed');
    return { status: code === 'ERR_PEER_UNKNOWN' ? 404 : fault === 'internal' ? 500 : 400, body: { error: { code, message } } };
  }
}

async function page({ status, health, metrics, peers }: MonitorOptions, path: string, query: URLSearchParams): Promise<Answer> {
  if (path === '/status') return { status: 200, body: status() };
  if (path === '/health') {
    const body = health();
    return { status: body.ok ? 200 : 503, body };
  }
  if (path === '/metrics') return { status: 200, body: await metrics.text(), type: metrics.type };
  if (path === '/peers') return { status: 200, body: peersPage(peers.list(), query) };
  if (path.startsWith('/peers/')) return { status: 200, body: peers.explain(parseNodeId(path.slice('/peers/'.length))) };
  return refusal(404, 'ERR_PATH_UNKNOWN');
}

/** Peers in the order of their ids, from after `after`; `next` is what to pass as `after` for more, null at the end. */
function peersPage(rows: readonly PeerView[], query: URLSearchParams): Readonly<{ peers: readonly PeerView[]; next: string | null }> {
  const after = query.get('after') ?? '';
  const limit = Number(query.get('limit') ?? limits.page);
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > limits.maxPage) {
    throw new TroupeError('ERR_OPTION_INVALID', `limit: a whole number from 1 to ${limits.maxPage}`);
  }
  const rest = rows.filter(({ id }) => id > after).sort((one, other) => (one.id < other.id ? -1 : 1));
  const peers = rest.slice(0, limit);
  return { peers, next: rest.length > limit ? (peers.at(-1)?.id ?? null) : null };
}

function refusal(status: number, code: ErrorCode, headers: Readonly<Record<string, string>> = {}): Answer {
  return { status, headers, body: { error: { code, message: new TroupeError(code).message } } };
}

/** Compares digests, so that neither length nor time says how much of a guess was right. */
function hasToken(request: IncomingMessage, token: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(request.headers.authorization ?? ''), digest(`Bearer ${token}`));
}

/** A request that announces a body is answered, and its connection closed instead of reading the body. */
function write(response: ServerResponse, { status, body, type, headers }: Answer): void {
  const { 'content-length': length, 'transfer-encoding': encoding } = response.req.headers;
  const text = type === undefined ? JSON.stringify(body) : String(body);
  response.writeHead(status, {
    ...headers,
    ...(length === undefined && encoding === undefined ? {} : { connection: 'close' }),
    'content-type': type ?? 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  response.end(text);
}
