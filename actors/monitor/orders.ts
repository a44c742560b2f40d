/** What an operator may have done through the monitor: each order is one call of `node.peers`, answered once it is carried out and durable, or late. */
import { TroupeError, type ErrorCode } from '../../proto/errors.ts';
import { parseNodeId, type NodeId } from '../../proto/identity.ts';
import { withDeadline, type Clock } from '../../transports/clock.ts';
import type { Peers } from '../peer-manager.ts';
import { onlyFields, textField, type Body } from './body.ts';

/** Bounds on orders: how many are answered at once, how many peers are being dialed for operators, and how long an answer may take. */
export const orderLimits = { pending: 16, dials: 64, answerMs: 30_000 } as const;

/** Orders about one peer: the last word of `POST /peers/<id>/<order>`. */
export const orderNames = ['dial', 'disconnect', 'ban', 'remove'] as const;
export type OrderName = (typeof orderNames)[number];

export type OrderDeps = Readonly<{
  peers: Pick<Peers, 'add' | OrderName>;
  clock: Clock;
}>;

/** Carries out orders. What is asked for goes on when its answer is late or nobody waits for it any more. */
export class Orders {
  readonly #deps: OrderDeps;
  /** Dials that are not decided yet: one a peer, however many ask for it. */
  readonly #dials = new Map<NodeId, Promise<void>>();
  #pending = 0;

  constructor(deps: OrderDeps) {
    this.#deps = deps;
  }

  /** `POST /peers`: false when the address was known. @throws TroupeError as `peers.add`, and as `carryOut`. */
  async add(body: Body, signal: AbortSignal): Promise<boolean> {
    const address = textField(onlyFields(body, 'address'), 'address');
    return this.#answered('ERR_ORDER_TIMEOUT', signal, () => this.#deps.peers.add(address));
  }

  /** `POST /peers/<id>/<order>`. @throws TroupeError `ERR_BODY_INVALID`, `ERR_ORDERS_PENDING`, `ERR_ORDER_TIMEOUT` (`ERR_DIAL_TIMEOUT` of a dial), and what `peers` throws. */
  async carryOut(order: OrderName, id: NodeId, body: Body, signal: AbortSignal): Promise<void> {
    const run = this.#runOf(order, id, body);
    await this.#answered(order === 'dial' ? 'ERR_DIAL_TIMEOUT' : 'ERR_ORDER_TIMEOUT', signal, run);
  }

  /** What to do, its fields checked already. */
  #runOf(order: OrderName, id: NodeId, body: Body): () => Promise<void> {
    const { peers } = this.#deps;
    switch (order) {
      case 'dial':
        onlyFields(body);
        return () => this.#dial(id);
      case 'disconnect': {
        const reason = textField(onlyFields(body, 'reason'), 'reason', '');
        return () => peers.disconnect(id, reason);
      }
      case 'ban': {
        const { forMs } = onlyFields(body, 'forMs', 'reason');
        const reason = textField(body, 'reason', '');
        if (typeof forMs !== 'number') throw new TroupeError('ERR_BODY_INVALID', 'forMs: a number of milliseconds');
        return () => peers.ban(id, { forMs, reason });
      }
      case 'remove':
        onlyFields(body);
        return () => peers.remove(id);
    }
  }

  #dial(id: NodeId): Promise<void> {
    const known = this.#dials.get(id);
    if (known) return known;
    if (this.#dials.size >= orderLimits.dials) throw pending(`${this.#dials.size} peers are being dialed`);
    const forget = (): void => void this.#dials.delete(id);
    const dial = this.#deps.peers.dial(id);
    this.#dials.set(id, dial);
    dial.then(forget, forget);
    return dial;
  }

  async #answered<T>(lateCode: ErrorCode, signal: AbortSignal, run: () => Promise<T>): Promise<T> {
    if (this.#pending >= orderLimits.pending) throw pending(`${this.#pending} wait for their answers`);
    this.#pending += 1;
    try {
      return await withDeadline(this.#deps.clock, orderLimits.answerMs, lateCode, signal, (until) => Promise.race([run(), aborted(until)]));
    } finally {
      this.#pending -= 1;
    }
  }
}

/** The id and the order of a path below `/peers/`; undefined when it names no order. @throws TroupeError `ERR_NODE_ID_INVALID`. */
export function orderOf(path: string): Readonly<{ id: NodeId; order: OrderName }> | undefined {
  const slash = path.indexOf('/');
  const order = orderNames.find((name) => name === path.slice(slash + 1));
  return order && slash >= 0 ? { id: parseNodeId(path.slice(0, slash)), order } : undefined;
}

const pending = (detail: string): TroupeError => new TroupeError('ERR_ORDERS_PENDING', detail);

const aborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason as Error);
    else signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
