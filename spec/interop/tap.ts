/** Looks at what a reactor's channel carries without changing it. */
import type { MessageType, Reactor } from '../../index.ts';
import type { PexMessage } from '../../proto/pex.ts';

/** Messages of peer exchange that a node has sent and received. */
export type PexCounts = { asked: number; answered: number; wasAsked: number; gotAnswer: number };

/** The reactor, and counts of what passes on its channel 0. An encoding that is dropped afterwards counts as sent. */
export function tapPex(reactor: Reactor): Readonly<{ reactor: Reactor; counts: PexCounts }> {
  const counts: PexCounts = { asked: 0, answered: 0, wasAsked: 0, gotAnswer: 0 };
  const channels = Object.entries(reactor.channels).map(([name, channel]) => {
    const type = channel.type as MessageType<PexMessage>;
    const tapped: MessageType<PexMessage> = {
      ...type,
      encode: (message) => {
        counts[message.kind === 'request' ? 'asked' : 'answered']++;
        return type.encode(message);
      },
      decode: (bytes) => {
        const message = type.decode(bytes);
        if (message.kind !== 'unknown') counts[message.kind === 'request' ? 'wasAsked' : 'gotAnswer']++;
        return message;
      },
    };
    return [name, { ...channel, type: tapped }] as const;
  });
  return { reactor: { ...reactor, channels: Object.fromEntries(channels) }, counts };
}
