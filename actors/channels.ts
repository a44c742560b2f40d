/** The open channels of a router: at most as many as NodeInfo can list, each id once. They outlive restarts of the router's actor. */
import { TroupeError } from '../proto/errors.ts';
import type { ChannelDescriptor } from '../transports/transport.ts';
import { RoutedChannel, type ChannelDeps, type ChannelOptions } from './channel.ts';
import { checkRate } from './rate.ts';

/** NodeInfo carries at most this many channels (Go peers refuse more). */
const maxChannels = 16;
const highestChannel = 255;

export class Channels {
  readonly #open = new Map<number, RoutedChannel<unknown>>();

  [Symbol.iterator](): IterableIterator<RoutedChannel<unknown>> {
    return this.#open.values();
  }

  get(id: number): RoutedChannel<unknown> | undefined {
    return this.#open.get(id);
  }

  /** @throws TroupeError `ERR_CHANNEL_OPEN`, `ERR_CHANNEL_ID_INVALID`, `ERR_OPTION_INVALID`. */
  open<M>(options: ChannelOptions<M>, deps: ChannelDeps): RoutedChannel<M> {
    this.#check(options);
    const channel = new RoutedChannel<M>(options, deps);
    this.#open.set(options.id, channel as RoutedChannel<unknown>);
    return channel;
  }

  withdraw(id: number): void {
    this.#open.delete(id);
  }

  ids(): readonly number[] {
    return [...this.#open.keys()];
  }

  descriptors(): readonly ChannelDescriptor[] {
    return [...this.#open.values()].map(({ descriptor }) => descriptor);
  }

  #check<M>({ id, priority, maxMessageBytes, receiveRate, sendRate }: ChannelOptions<M>): void {
    if (!Number.isInteger(id) || id < 0 || id > highestChannel) throw new TroupeError('ERR_CHANNEL_ID_INVALID', String(id));
    if (this.#open.has(id)) throw new TroupeError('ERR_CHANNEL_OPEN', `0x${id.toString(16)}`);
    if (this.#open.size >= maxChannels) throw new TroupeError('ERR_CHANNEL_ID_INVALID', `${maxChannels} channels are open`);
    for (const [name, value] of Object.entries({ priority, maxMessageBytes })) {
      if (!Number.isSafeInteger(value) || value < 1)
        throw new TroupeError('ERR_OPTION_INVALID', `${name} of channel ${id} must be a whole number from 1`);
    }
    checkRate(receiveRate, `receiveRate of channel ${id}`);
    checkRate(sendRate, `sendRate of channel ${id}`);
  }
}
