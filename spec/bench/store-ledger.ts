/** What a writer has said, and so what its store must hold: the judge of every soak that ends a writer by force. */
import type { PeerRow } from '../../actors/peer-store.ts';
import { idAt } from './store-setup.ts';

/** Of one peer: its state at the last look or acknowledgement, and the changes on their way since. A version is a row, undefined is none. */
type Expectation = { sure: number | undefined; since: { version: number; isGone: boolean }[] };

export class Ledger {
  readonly #peers = new Map<number, Expectation>();
  issued = 0;
  acknowledged = 0;

  /** Takes a line of a writer: `put` and `delete` before a change, `ack` after it. */
  hear(line: string): void {
    const [word, number = '', peer = ''] = line.split(' ');
    if (word === 'put' || word === 'delete') {
      this.issued++;
      this.#of(Number(peer)).since.push({ version: Number(number), isGone: word === 'delete' });
    }
    if (word !== 'ack') return;
    this.acknowledged++;
    const expected = this.#of(Number(peer));
    const at = expected.since.findIndex(({ version }) => version === Number(number));
    // Nothing, when a later change of the same peer was acknowledged first.
    if (at < 0) return;
    const { version, isGone } = expected.since[at]!;
    expected.sure = isGone ? undefined : version;
    expected.since = expected.since.slice(at + 1);
  }

  /** Compares what a store holds with what it must hold, and goes on from there. Gives a line for each peer that is not as it was acknowledged. */
  check(rows: readonly PeerRow[]): readonly string[] {
    const found = new Map(rows.map((row) => [row.id, row.lastConnected]));
    const lost: string[] = [];
    for (const [peer, { sure, since }] of this.#peers) {
      const version = found.get(idAt(peer));
      const isRight = version === sure || since.some((each) => (each.isGone ? undefined : each.version) === version);
      if (!isRight) lost.push(`peer ${peer}: found ${version}, sure of ${sure}, on their way ${JSON.stringify(since)}`);
      this.#peers.set(peer, { sure: version, since: [] });
    }
    return lost;
  }

  #of(peer: number): Expectation {
    const known = this.#peers.get(peer);
    if (known) return known;
    const made: Expectation = { sure: undefined, since: [] };
    this.#peers.set(peer, made);
    return made;
  }
}
