/** Reads what the Go side said for reasons to drop us. In a run in which we behave, there must be none. */
import type { GoEvent } from './go-program.ts';

/** What an end of ours looks like from the other side: no complaint. */
const plainEnd =
  /^(EOF|unexpected EOF)$|\bEOF\b|connection reset by peer|broken pipe|use of closed network connection|closed pipe|context canceled|^<nil>$/i;

/** Texts by which Go nodes say, at any level, that they drop, refuse or punish a peer. */
export const complaintTexts = [
  'stopping peer for error',
  'pong timeout',
  'unknown channel',
  'exceeds max',
  'exceeds available capacity',
  'too soon',
  'unsolicited',
  'received multiple requests',
  'too many requests',
  'peer rejected',
  'ignoring inbound',
  'handshake failed',
  'failed to accept connection',
  'failed to handshake',
  'rate limiting incoming',
  'filtered by',
  'peer error',
  'peer failure',
  'evicting peer',
  'banned',
  'auth failure',
  'invalid peer',
  'unmarshal',
  'decoding message',
  'panic',
] as const;

/** Lines that speak of something else. */
const harmless = [
  // It asks only peers that list channel 0x60 for snapshots, and says so for each that has but part of what it needs.
  /could not use peer for statesync/i,
  // A stop that was asked for and the end of the stream that follows it both stop the peer.
  /error (while stopping peer|stopping connection).*already stopped/i,
];

/** What a Go program held against its peers, one sentence each. */
export function complaints(said: readonly GoEvent[]): readonly string[] {
  return said.map(complaint).filter((text) => text !== undefined);
}

function complaint(event: GoEvent): string | undefined {
  const { error, fields = {}, level = '', message = '', reason } = event;
  const cause = [fields.err, fields.error, reason].find((each) => typeof each === 'string') ?? '';
  switch (event.event) {
    case 'peer_down':
      return event.requested || reason === null || plainEnd.test(String(reason)) ? undefined : `dropped us: ${reason}`;
    case 'rejected':
      return plainEnd.test(cause) ? undefined : `refused us: ${message} ${cause}`;
    case 'log': {
      const text = `${message} ${JSON.stringify(fields)}`;
      if (harmless.some((pattern) => pattern.test(text)) || plainEnd.test(cause)) return undefined;
      const speaks = complaintTexts.some((each) => text.toLowerCase().includes(each));
      return speaks || level === 'error' || level === 'panic' ? `logged: ${text.slice(0, 400)}` : undefined;
    }
    case 'echo_failed':
      return `could not echo: ${error}`;
    case 'error':
    case 'fatal':
      return `${event.event}: ${error}`;
    default:
      return undefined;
  }
}
