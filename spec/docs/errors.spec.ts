import { expect, test } from '@jest/globals';
import { exitCodeOf } from '../../cli/output.ts';
import { disconnectReason, disconnectReasons, dropReasons, errorCodes, TroupeError, type ErrorCode } from '../../proto/errors.ts';
import { expectPage, markdownTable } from '../support/page.ts';

const codes = Object.keys(errorCodes) as ErrorCode[];

const page = () => `# Errors and reasons

Printed from \`proto/errors.ts\` by \`npm run docs\`; a spec compares the two.

Everything we throw is a \`TroupeError\` with a \`code\` from this table and the \`fault\` that goes with it: whose doing it was. Match the code,
never the text: a code keeps its meaning and is never used for another. \`fault\` is \`peer\` for what the remote did, \`network\` for what happened on
the way, \`local\` for this host, its configuration or its caller, \`internal\` for a defect of ours. A cause, where there was one, is in \`cause\`.

\`\`\`ts
try {
  await node.peers.dial(id);
} catch (error) {
  if (error instanceof TroupeError && error.code === 'ERR_DIAL_TIMEOUT') return later(id);
  throw error;
}
\`\`\`

## Codes

*Exit* is the exit code of a command that ends with this error. *Counted as* is the reason under which \`disconnects\` counts a connection that ended with it.

${markdownTable(
  ['code', 'fault', 'says', 'exit', 'counted as'],
  codes.map((code) => {
    const error = new TroupeError(code);
    return [`\`${code}\``, error.fault, error.message, String(exitCodeOf(error)), disconnectReason(error)];
  }),
)}

## Reasons for the end of a connection

\`disconnects\` in \`/status\` counts under exactly these words. What an operator or a reactor wrote is kept beside the reason as detail, and never becomes a reason of its own.

${markdownTable(
  ['reason', 'what happened'],
  disconnectReasons.map((reason) => [`\`${reason}\``, disconnects[reason]]),
)}

## Reasons for dropping a message

\`drops\` in \`/status\` counts under exactly these words.

${markdownTable(
  ['reason', 'what happened'],
  dropReasons.map((reason) => [`\`${reason}\``, drops[reason]]),
)}
`;

const disconnects: Readonly<Record<(typeof disconnectReasons)[number], string>> = {
  operator: 'the operator or the host asked for it, or holds this peer disconnected',
  shutdown: 'this node is stopping',
  duplicate: 'another connection to the same peer was kept',
  full: 'no slot, or no room for another handshake',
  displaced: 'a better peer took its place; no blame',
  banned: 'the peer is banned',
  self: 'it was this node itself',
  incompatible: 'another network or block protocol, or no channel in common',
  filtered: 'a filter of the host refused it',
  rejected: 'the peer closed right after NodeInfo, before any packet',
  handshake: 'the handshake was malformed, or the key or signature no good',
  wrongId: 'the peer is not the one that was dialed',
  remoteClosed: 'the peer closed the connection',
  reset: 'the connection broke',
  silent: 'nothing came for too long',
  stalled: 'the peer stopped reading',
  frame: 'a sealed frame did not open or was malformed',
  packet: 'a packet was too large or did not decode',
  unknownChannel: 'a packet named a channel that this connection does not have',
  oversize: 'a message was above the capacity of its channel, or partial messages above theirs',
  parked: 'a partial message was left unfinished',
  flooding: 'too many pings or empty packets',
  flapping: 'the peer connected five times within a minute and is left alone for a while',
  misbehaved: 'its reports added up to a disconnect',
  overloaded: 'this node had too little memory left to keep or accept it; no blame',
  restart: 'the part of this node that held the connection restarted',
  timeout: 'it did not connect or shake hands in time',
  internal: 'a fault of ours',
};

const drops: Readonly<Record<(typeof dropReasons)[number], string>> = {
  queueFull: 'the queue of the peer was full and policy, or a broadcast, does not wait',
  rateLimited: 'its peer sent, or was sent, more on the channel than its rate allows',
  peerDown: 'the peer is not up',
  channelNotListed: 'the peer does not list the channel',
  self: 'it was addressed to this node itself',
  mailboxFull: 'the mailbox of the channel was full and its reactor stalled, or policy does not wait',
  mailboxClosed: 'the channel was closed while the message waited',
  malformed: 'it did not decode',
  withdrawn: 'its channel is no longer open here',
  unencodable: 'it could not be encoded',
  linkClosed: 'the connection ended while the message waited',
  shutdown: 'this node stopped before the message was written',
};

test('docs/errors.md lists every code and reason that the code has', () => {
  expectPage('docs/errors.md', page());
});

test('every code is named ERR_SUBJECT_PROBLEM, and no two say the same', () => {
  expect(codes.filter((code) => !/^ERR(_[A-Z0-9]+)+$/.test(code))).toEqual([]);
  const sentences = codes.map((code) => errorCodes[code].message);
  expect(new Set(sentences).size).toBe(codes.length);
});
