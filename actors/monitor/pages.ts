/** What the monitor answers: for each path the methods it takes and what they give. It knows of requests no more than their path, query and body. */
import { TroupeError, errorCodes, type ErrorCode } from '../../proto/errors.ts';
import { parseNodeId } from '../../proto/identity.ts';
import type { Peers, PeerView } from '../peer-manager.ts';
import type { Body } from './body.ts';
import { orderOf, type Orders } from './orders.ts';

/** What `/health` says; 503 unless ok. */
export type Health = Readonly<{ ok: boolean } & Record<string, unknown>>;

/** What the pages are made from. */
export type PageSources = Readonly<{
  status(): object;
  health(): Health;
  /** The text of `/metrics`, and its content type. */
  metrics: Readonly<{ type: string; text(): Promise<string> }>;
  peers: Pick<Peers, 'list' | 'explain'>;
}>;

/** An answer: a status and a body to print as JSON, or as the text it is when it names a type of its own. */
export type Answer = Readonly<{ status: number; body: unknown; type?: string; headers?: Readonly<Record<string, string>> }>;

/** What one path takes: a question changes nothing; an order has a body, and a signal that aborts when nobody waits for its answer any more. */
export type Page = Readonly<{ GET?: () => Answer | Promise<Answer>; POST?: (body: Body, signal: AbortSignal) => Promise<Answer> }>;

/** Peers on a page: unless asked otherwise, and at most. */
const pageSize = { usual: 100, most: 1_000 } as const;

/** Finds what a path takes; undefined when there is no such path. @throws TroupeError for a path that can be none, such as one with a bad id. */
export function pageOf(sources: PageSources, orders: Orders, path: string, query: URLSearchParams): Page | undefined {
  const { status, health, metrics, peers } = sources;
  switch (path) {
    case '/status':
      return { GET: () => ok(status()) };
    case '/health':
      return {
        GET: () => {
          const body = health();
          return { status: body.ok ? 200 : 503, body };
        },
      };
    case '/metrics':
      return { GET: async () => ({ status: 200, body: await metrics.text(), type: metrics.type }) };
    case '/peers':
      return {
        GET: () => ok(peersPage(peers, query)),
        POST: async (body, signal) => {
          const added = await orders.add(body, signal);
          return { status: added ? 201 : 200, body: { added } };
        },
      };
    default:
      return path.startsWith('/peers/') ? peerPage(peers, orders, path.slice('/peers/'.length)) : undefined;
  }
}

function peerPage(peers: PageSources['peers'], orders: Orders, path: string): Page | undefined {
  const asked = orderOf(path);
  if (asked) {
    const { id, order } = asked;
    return {
      POST: async (body, signal) => {
        await orders.carryOut(order, id, body, signal);
        return ok({ id, done: order });
      },
    };
  }
  if (path.includes('/')) return undefined;
  const id = parseNodeId(path);
  return { GET: () => ok(peers.explain(id)) };
}

const ok = (body: unknown): Answer => ({ status: 200, body });

/** Peers in the order of their ids, from after `after`; `next` is what to pass as `after` for more, null at the end. */
function peersPage(peers: PageSources['peers'], query: URLSearchParams): Readonly<{ peers: readonly PeerView[]; next: string | null }> {
  const after = query.get('after') ?? '';
  const limit = Number(query.get('limit') ?? pageSize.usual);
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > pageSize.most) {
    throw new TroupeError('ERR_OPTION_INVALID', `limit: a whole number from 1 to ${pageSize.most}`);
  }
  const rows = peers.list({ after, limit: limit + 1 });
  const page = rows.slice(0, limit);
  return { peers: page, next: rows.length > limit ? (page.at(-1)?.id ?? null) : null };
}

/** An error as an answer, with its code. */
export function refusal({ code, message }: Readonly<{ code: ErrorCode; message: string }>, headers: Answer['headers'] = {}): Answer {
  return { status: statusOf(code), headers, body: { error: { code, message } } };
}

const statuses: Partial<Record<ErrorCode, number>> = {
  ERR_TOKEN_REQUIRED: 401,
  ERR_HOST_REFUSED: 403,
  ERR_PATH_UNKNOWN: 404,
  ERR_PEER_UNKNOWN: 404,
  ERR_METHOD_REFUSED: 405,
  ERR_PEER_SELF: 409,
  ERR_PEER_BANNED: 409,
  ERR_PEER_HELD: 409,
  ERR_PEER_CONNECTED: 409,
  ERR_PEER_DUPLICATE: 409,
  ERR_PEER_FILTERED: 409,
  ERR_SLOTS_FULL: 409,
  ERR_BODY_TOO_LARGE: 413,
  ERR_CONTENT_TYPE_REFUSED: 415,
  ERR_ORDERS_PENDING: 429,
  ERR_NODE_STATE: 503,
  ERR_STORE_CLOSED: 503,
  ERR_STORE_FAILED: 503,
  ERR_ORDER_TIMEOUT: 504,
};

/** What no row of the table names is told apart by whose fault it is: a remote that did not come up, ourselves, or the request. */
function statusOf(code: ErrorCode): number {
  const { fault } = errorCodes[code];
  return statuses[code] ?? (fault === 'internal' ? 500 : fault === 'local' ? 400 : 504);
}
