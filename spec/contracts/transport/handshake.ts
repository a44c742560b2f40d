/** The contract's rules on the handshake. */
import { expect, test } from '@jest/globals';
import { withDeadline } from '../../../transports/clock.ts';
import { TroupeError } from '../../../proto/errors.ts';
import {
  expectCode,
  failureOf,
  handshakeOf,
  keyOf,
  live,
  nodeInfoOf,
  receive,
  sendAll,
  staysPending,
  type TransportBench,
} from '../../support/transport-bench.ts';

export function handshakeRules(bench: () => TransportBench): void {
  test('each side learns the id and key of the other, and its NodeInfo in every field', async () => {
    const ours = nodeInfoOf(keyOf('a'), {
      protocolVersion: { p2p: 1n, block: 2n ** 63n, app: 0n },
      listenAddr: 'tcp://1.2.3.4:5',
      network: 'another network',
      version: '',
      channels: [0x00, 0xff],
      moniker: 'the near one',
      other: { txIndex: '', rpcAddress: '' },
    });
    const theirs = nodeInfoOf(keyOf('b'));
    const { nearRemote, farRemote } = await bench().open({ nodeInfo: ours }, { nodeInfo: theirs });
    expect(farRemote).toEqual({ nodeId: keyOf('a').id, publicKey: keyOf('a').publicKey, nodeInfo: ours });
    expect(nearRemote).toEqual({ nodeId: keyOf('b').id, publicKey: keyOf('b').publicKey, nodeInfo: theirs });
  });

  test('it waits for the other side', async () => {
    const { near, far } = await bench().ends();
    const handshake = near.handshake(handshakeOf(keyOf('a')), live());
    expect(await staysPending(handshake)).toBe(true);
    await far.handshake(handshakeOf(keyOf('b')), live());
    expect((await handshake).nodeId).toBe(keyOf('b').id);
  });

  test('with an aborted signal it rejects with exactly the reason, and the connection ends', async () => {
    const { near, far } = await bench().ends();
    const reason = new Error('enough');
    expect(await failureOf(() => near.handshake(handshakeOf(keyOf('a')), AbortSignal.abort(reason)))).toBe(reason);
    await near.ended;
    await expectCode(() => far.handshake(handshakeOf(keyOf('b')), live()), 'ERR_CONNECTION_CLOSED', 'ERR_CONNECTION_RESET');
  });

  test('aborted while the other side never answers, it rejects with exactly the reason, and both ends end', async () => {
    const { near, far } = await bench().ends();
    const reason = new Error('enough');
    const stop = new AbortController();
    const handshake = near.handshake(handshakeOf(keyOf('a')), stop.signal);
    expect(await staysPending(handshake)).toBe(true);
    stop.abort(reason);
    expect(await failureOf(() => handshake)).toBe(reason);
    await near.ended;
    // Whether the far side still finishes on what was sent before is a matter of who is faster.
    await far.handshake(handshakeOf(keyOf('b')), live()).catch(() => undefined);
    expect(await far.ended).toBeInstanceOf(TroupeError);
  });

  test('past its deadline while the other side never answers, it rejects with exactly the deadline error', async () => {
    const { near } = await bench().ends();
    const { clock } = bench().rig;
    const handshake = withDeadline(clock, 1_000, 'ERR_HANDSHAKE_TIMEOUT', undefined, (signal) =>
      near.handshake(handshakeOf(keyOf('a')), signal),
    );
    const failure = failureOf(() => handshake);
    await clock.advanceAsync(1_000);
    expect(await failure).toMatchObject({ code: 'ERR_HANDSHAKE_TIMEOUT' });
    expect(await near.ended).toMatchObject({ code: 'ERR_HANDSHAKE_TIMEOUT' });
  });

  test('using a connection before it fails, and does no harm', async () => {
    const { near, far } = await bench().ends();
    await expectCode(() => near.sendMessage({ channelId: 0x01, bytes: Buffer.from('early') }, live()), 'ERR_HANDSHAKE_STATE');
    await expectCode(() => near.receiveMessage(live()), 'ERR_HANDSHAKE_STATE');
    const [remote] = await Promise.all([near.handshake(handshakeOf(keyOf('a')), live()), far.handshake(handshakeOf(keyOf('b')), live())]);
    expect(remote.nodeId).toBe(keyOf('b').id);
  });

  test('a second one fails, and does no harm', async () => {
    const { near, far } = await bench().open();
    await expectCode(() => near.handshake(handshakeOf(keyOf('a')), live()), 'ERR_HANDSHAKE_STATE');
    await expectCode(() => far.handshake(handshakeOf(keyOf('b')), live()), 'ERR_HANDSHAKE_STATE');
    await sendAll(near, [{ channelId: 0x01, bytes: Buffer.from('fine') }]);
    expect(Buffer.from((await receive(far, 1))[0]!.bytes).toString()).toBe('fine');
  });

  test('a remote that is not the one dialed is refused', async () => {
    const { near, far } = await bench().ends();
    const theirs = failureOf(() => far.handshake(handshakeOf(keyOf('b')), live()));
    await expectCode(() => near.handshake(handshakeOf(keyOf('a'), { expectedId: keyOf('c').id }), live()), 'ERR_HANDSHAKE_WRONG_ID');
    expect(await near.ended).toMatchObject({ code: 'ERR_HANDSHAKE_WRONG_ID' });
    // Whether the remote had finished its side already is a matter of who was faster.
    const outcome = await Promise.race([theirs, far.ended]);
    expect(outcome).toBeInstanceOf(TroupeError);
  });

  test('a remote that is this node itself is refused', async () => {
    const { transport } = await bench().listening('a');
    const { near, far } = await bench().join(transport, transport);
    const failures = await Promise.all([near, far].map((end) => failureOf(() => end.handshake(handshakeOf(keyOf('a')), live()))));
    expect(failures).toContainEqual(expect.objectContaining({ code: 'ERR_HANDSHAKE_SELF' }));
    await Promise.all([near.ended, far.ended]);
  });

  test('a NodeInfo with the id of somebody else is refused', async () => {
    const { near, far } = await bench().ends();
    const ours = near.handshake(handshakeOf(keyOf('a'), { nodeInfo: nodeInfoOf(keyOf('c')) }), live()).catch(() => undefined);
    await expectCode(() => far.handshake(handshakeOf(keyOf('b')), live()), 'ERR_HANDSHAKE_WRONG_ID', 'ERR_NODE_INFO_INVALID');
    await ours;
    await near.ended;
  });

  test('a remote without the key it claims is refused', async () => {
    const { near, far } = await bench().ends();
    const forged = { ...keyOf('a'), seed: keyOf('c').seed, sign: keyOf('c').sign };
    const ours = near.handshake(handshakeOf(forged, { nodeInfo: nodeInfoOf(keyOf('a')) }), live()).catch(() => undefined);
    await expectCode(() => far.handshake(handshakeOf(keyOf('b')), live()), 'ERR_HANDSHAKE_SIGNATURE');
    await ours;
    await near.ended;
  });

  test('it fails on a connection that has ended', async () => {
    const { near } = await bench().ends();
    await near.close();
    await expectCode(() => near.handshake(handshakeOf(keyOf('a')), live()), 'ERR_CONNECTION_CLOSED');
  });

  test('closing during it makes it fail', async () => {
    const { near } = await bench().ends();
    const handshake = failureOf(() => near.handshake(handshakeOf(keyOf('a')), live()));
    await near.close();
    expect(await handshake).toMatchObject({ code: 'ERR_CONNECTION_CLOSED' });
  });

  test('the status can be read before it, and counts after it', async () => {
    const { near, far } = await bench().ends();
    expect(near.status()).toMatchObject({ messagesSent: 0, messagesReceived: 0 });
    await Promise.all([near.handshake(handshakeOf(keyOf('a')), live()), far.handshake(handshakeOf(keyOf('b')), live())]);
    await sendAll(near, [{ channelId: 0x01, bytes: Buffer.alloc(100) }]);
    await receive(far, 1);
    expect(near.status().messagesSent).toBe(1);
    expect(near.status().bytesSent).toBeGreaterThanOrEqual(100);
    expect(far.status().messagesReceived).toBe(1);
    expect(far.status().bytesReceived).toBeGreaterThanOrEqual(100);
    bench().rig.clock.advance(5);
    expect(far.status().idleMs).toBe(5);
    await near.close();
    expect(near.status().messagesSent).toBe(1);
  });
}
