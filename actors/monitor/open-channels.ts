/** The channels that are open, for those who look at their mailboxes: a router that keeps a list of what it opens. */
import type { Channel, ChannelOptions, RoutedChannel } from '../channel.ts';
import { Router } from '../router.ts';

/** What waits in each mailbox now. */
export interface OpenChannels {
  list(): readonly Readonly<{ id: number; waiting: number }>[];
}

/** What the router's own channels tell besides. */
type Open = Pick<RoutedChannel<unknown>, 'id' | 'waiting' | 'over'>;

/** A router whose open channels can be listed. */
export class ListingRouter extends Router implements OpenChannels {
  /** No larger than the number of channels that a router opens. */
  readonly #open = new Set<Open>();

  override openChannel<M>(options: ChannelOptions<M>): Channel<M> {
    const channel = super.openChannel(options);
    const open = channel as unknown as Open;
    this.#open.add(open);
    void open.over.then(() => this.#open.delete(open));
    return channel;
  }

  list(): readonly Readonly<{ id: number; waiting: number }>[] {
    return [...this.#open].map(({ id, waiting }) => ({ id, waiting }));
  }
}
