/** A reactor of one's own: greets each peer that comes up, and blames a peer that does not keep to the protocol. */
import { bytes, createNode, generateNodeKey, memoryStore, PeerFault, reactor } from 'troupe';

const hello = { id: 0x60, type: bytes, priority: 1, maxMessageBytes: 64 };
const encode = (text: string) => new TextEncoder().encode(text);

const greeter = (name: string, onGreeted: (text: string) => void) =>
  reactor({
    name: 'greeter',
    channels: { hello },
    async onPeerUpdate({ id, status }, { channels }) {
      if (status === 'up') await channels.hello.send({ to: id, message: encode(`hello from ${name}`) });
    },
    onMessage({ message }) {
      const text = new TextDecoder().decode(message);
      if (!text.startsWith('hello')) throw new PeerFault('protocolViolation', 'greets without hello');
      onGreeted(text);
    },
  });

const start = async (name: string, onGreeted: (text: string) => void) => {
  const node = await createNode({
    network: 'example',
    store: memoryStore(),
    key: generateNodeKey(),
    listen: ['mconn://127.0.0.1:0'],
    monitor: false,
    logLevel: 'silent',
    reactors: [greeter(name, onGreeted)],
  });
  await node.start();
  return node;
};

const greetings: string[] = [];
let done: () => void;
const both = new Promise<void>((resolve) => (done = resolve));
const onGreeted = (text: string) => {
  if (greetings.push(text) === 2) done();
};

const alice = await start('alice', onGreeted);
const bob = await start('bob', onGreeted);
await bob.peers.add(alice.addresses[0]!);
await both;
console.log(greetings.sort().join('\n'));

await bob.stop();
await alice.stop();
