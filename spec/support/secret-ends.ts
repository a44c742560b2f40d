/** Two ends of a secret connection with pinned keys, and a peer with the right keys that says whatever it likes. */
import { createHash } from 'node:crypto';
import { encodeEphemeral } from '../../proto/handshake.ts';
import { nodeKeyFromSeed } from '../../proto/identity.ts';
import { frameHeaderBytes, FrameRun, selectAead } from '../../transports/mconn/aead.ts';
import { RunPool } from '../../transports/mconn/frame.ts';
import { handshakeSecrets, type SecretHandshake, type SecretSession } from '../../transports/mconn/secret.ts';
import { keyAgreement } from '../../transports/mconn/x25519.ts';
import { BytePipe } from './byte-pipe.ts';

export const hash = (data: string | Uint8Array): Uint8Array => Uint8Array.from(createHash('sha256').update(data).digest());
export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
export const fromHex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));

/** Two ends whose keys are pinned, and what they put on the wire: computed by another implementation. */
const ends = {
  a: {
    key: nodeKeyFromSeed(hash('node-a')),
    ephemeral: hash('eph-a'),
    ephemeralPublic: '23799be2df5326eec9070e81e4a5b38cf1aa45a942fd403c33aa5688cfe47b79',
    publicKey: '3e7d04d3813a4c90546bf2dec79da711152dbdc5f927f152485c6555887f2dde',
    id: '14b96f94f2da287f69f0be16cbf94215950c8879',
    sendKey: '5a217415fd656c4005c09c2c02768131f65604bc779d6e8bf7bbb778786a7cef',
    signature:
      '93068ed3de927e45cfb5cf30d745aa0a5756d2fc8c5f440aab5f3071cfbf4ee611bd3174a72a83383ed9d163c40eabb6ddc0d12e8ab57cfddde9cfc5b4b6b50e',
    proof: {
      start: 'dcc397c5c61f975bb38ffb123e85fe3f88849613101c47572034610fc930985e',
      tag: '26762ccf5759ab6e2726707cedad9ff1',
      sha256: '2c7ca173ba1de53c8e21ca6c3aee229d6c5fa7a7f7c7a760b0c5b8aeb1e5f72e',
    },
  },
  b: {
    key: nodeKeyFromSeed(hash('node-b')),
    ephemeral: hash('eph-b'),
    ephemeralPublic: '8c8930c2a6b68ecca53c4625ef571352b68ad455a5ca06f280f7828c76c9e448',
    publicKey: '86f14770b6f56d58727d65f274104d73ecf947c2e0ed1330d09818fad8b8fa05',
    id: '359b83366014748e0079c8ddff5ae6dcf1aab755',
    sendKey: 'e33cb89b8a3b56326d17887e6e2feb0f72c4f1293bf43bf3a9abd26cb69f6994',
    signature:
      '1cbded0286629683ef1cfa0a30243f17356f4bc01401a6ec8bfbadcb6b3678f72f2ffbe4403dd05ee85e6e5b3bffba6b3b34c943e69f792c2fdb1e75bc97cd0f',
    proof: {
      start: 'e8abfbc7a0880664ead4d36ca5bccd237732bacbdb70683d66c1d1a539c7c0c8',
      tag: 'c5a2a9770f819b7352d8b7ec2f5fd74f',
      sha256: '55cdaeb549954ceb568a7e7e64ce99d9ad1b0bf3a8922c6afdab8be57b6b39ff',
    },
  },
};
export const sharedSecret = '3aed4b05c9aa966e6afd4e15fec998a92becd797396321fe6aba9b7e2888eb31';
export const challenge = '27602e5c8c50895ecf0db0eb035cb96db812090d79f39116f694719b0e6dafc4';
export const { a, b } = ends;

export const never = new AbortController().signal;
export type Given = Partial<SecretHandshake>;

/** A handshake of our end `a` over two pipes, unless the test gives something else. */
export const begin = (from: BytePipe, to: BytePipe, given: Given = {}): Promise<SecretSession> =>
  handshakeSecrets({
    key: a.key,
    ephemeral: a.ephemeral,
    aead: selectAead('auto'),
    pool: new RunPool(2),
    send: to.send,
    read: from.read,
    signal: never,
    ...given,
  });

/** Both ends at once, over pipes that record. */
export async function pair(left: Given, right: Given) {
  const toLeft = new BytePipe();
  const toRight = new BytePipe();
  const sessions = await Promise.all([
    begin(toLeft, toRight, left),
    begin(toRight, toLeft, { key: b.key, ephemeral: b.ephemeral, ...right }),
  ]);
  return { left: sessions[0], right: sessions[1], fromLeft: toRight, fromRight: toLeft };
}

/** A peer with the right keys that says whatever it likes: each part is one frame with a length of its own choice. */
export async function hostile(
  say: (challenge: Uint8Array, proofOfOurs: Uint8Array) => readonly (Uint8Array | number)[],
  given: Given = {},
) {
  const from = new BytePipe();
  const out = new BytePipe();
  from.send(encodeEphemeral(keyAgreement.publicKey(b.ephemeral)));
  const pool = new RunPool(1);
  const outcome = begin(from, out, { pool, ...given }).then(
    (session) => ({ session, error: undefined }),
    (error: unknown) => ({ session: undefined, error: error as Error & { code: string } }),
  );
  while (out.written.length < 2) await new Promise((resolve) => setImmediate(resolve));
  const aead = selectAead('auto');
  const ours = new FrameRun(1);
  ours.bytes.set(out.written[1]!);
  aead.opener(fromHex(a.sendKey)).open(ours, 0, 1);
  const sealer = aead.sealer(fromHex(b.sendKey));
  for (const part of say(fromHex(challenge), ours.bytes.slice(frameHeaderBytes, frameHeaderBytes + 103))) {
    const run = new FrameRun(1);
    const data = typeof part === 'number' ? new Uint8Array(0) : part;
    new DataView(run.bytes.buffer).setUint32(0, typeof part === 'number' ? part : part.length, true);
    run.bytes.set(data, frameHeaderBytes);
    sealer.seal(run, 0, 1);
    from.send(run.bytes);
  }
  from.end();
  return { ...(await outcome), pool };
}
