/** `troupe peers`: what a home knows of its peers, and orders about them. */
import type { PeerView } from '../actors/peer-manager.ts';
import { TroupeError } from '../proto/errors.ts';
import { parseNodeId, type NodeId } from '../proto/identity.ts';
import type { Call } from './call.ts';
import { parseDuration } from './duration.ts';
import { exitCodes, type ExitCode } from './output.ts';
import { openDesk, type PeersDesk } from './peers-desk.ts';
import { factLines, peersTable } from './peers-text.ts';

type Command = (call: Call) => Promise<ExitCode>;
type Tell = () => void;

/** Opens the desk for one command and closes it, whatever happens, before a word is told: a reader of ours that is slow must not keep the home. */
const at =
  (act: (desk: PeersDesk, call: Call) => Promise<Tell>): Command =>
  async (call) => {
    const desk = await openDesk(call);
    let tell: Tell;
    try {
      tell = await act(desk, call);
    } finally {
      await desk.close();
    }
    tell();
    return exitCodes.success;
  };

/** An order about one peer: carried out, then told as `event`, with a sentence on it. */
const order = (event: string, act: (desk: PeersDesk, id: NodeId, call: Call) => Promise<Told>): Command =>
  at(async (desk, call) => {
    const id = idOf(call);
    const { facts = {}, sentence } = await act(desk, id, call);
    const { isRunning } = desk;
    return () => call.output.event({ event, id, ...facts, isRunning }, `${sentence}${isRunning ? '' : '; the node is not running'}`);
  });
type Told = Readonly<{ sentence: string; facts?: Readonly<Record<string, unknown>> }>;

/** `troupe peers`. */
export const listPeers = at(async (desk, { output, shell }) => {
  const peers: PeerView[] = [];
  for await (const peer of desk.list()) peers.push(peer);
  const heading = desk.isRunning ? [] : ['the node is not running: this is what its home knows'];
  return () => {
    if (shell.terminal) for (const line of [...heading, ...peersTable(peers)]) output.event({}, line);
    else for (const peer of peers) output.event({ event: 'peer', ...peer });
  };
});

/** `troupe peers explain <id>`. */
export const explainPeer = at(async (desk, call) => {
  const { id, sentence, facts } = await desk.explain(idOf(call));
  const { isRunning } = desk;
  const heading = isRunning ? [] : ['The node is not running. By what its home knows:'];
  return () => call.output.event({ event: 'explain', id, sentence, facts, isRunning }, ...heading, sentence, '', ...factLines(facts));
});

/** `troupe peers add <address>`. */
export const addPeer = at(async (desk, { operands: [address = ''], output }) => {
  const added = await desk.add(address);
  const { isRunning } = desk;
  return () =>
    output.event(
      { event: 'added', address, added, isRunning },
      `${added ? 'added' : 'known already'}: ${address}${isRunning ? '' : '; the node is not running'}`,
    );
});

/** `troupe peers remove <id>`. */
export const removePeer = order('removed', async (desk, id) => {
  await desk.remove(id);
  return { sentence: `removed ${id}` };
});

/** `troupe peers ban <id> --for <time>`. */
export const banPeer = order('banned', async (desk, id, { extra }) => {
  const { for: span, reason = '' } = extra;
  if (span === undefined) throw new TroupeError('ERR_OPTION_INVALID', '--for is missing: how long the ban lasts, such as 1h');
  const forMs = parseDuration(span, '--for');
  await desk.ban(id, { forMs, reason });
  return { sentence: `banned ${id} for ${span}`, facts: { forMs, reason } };
});

/** `troupe peers dial <id>`. */
export const dialPeer = order('dialed', async (desk, id) => {
  await desk.dial(id);
  return { sentence: `${id} is up` };
});

/** `troupe peers disconnect <id> [reason]`. */
export const disconnectPeer = order('disconnected', async (desk, id, { operands: [, reason = ''] }) => {
  await desk.disconnect(id, reason);
  return { sentence: `disconnected ${id}`, facts: { reason } };
});

const idOf = ({ operands: [id = ''] }: Call): NodeId => parseNodeId(id);
