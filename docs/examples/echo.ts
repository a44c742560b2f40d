/** Two nodes in one process over encrypted TCP: one asks, the other answers. */
import { createNode, echoMessage, echoReactor, generateNodeKey, memoryStore } from 'troupe';

const options = { network: 'example', listen: ['mconn://127.0.0.1:0'], monitor: false, logLevel: 'silent' } as const;
const own = () => ({ ...options, listen: [...options.listen], store: memoryStore(), key: generateNodeKey() });

const answering = await createNode({ ...own(), reactors: [echoReactor()] });
await answering.start();

const asking = await createNode(own());
const channel = asking.openChannel({ id: 0x77, type: echoMessage, priority: 5, maxMessageBytes: 1 << 20 });
await asking.start();

// An address is known as soon as it is added; dialing it resolves when the peer is up.
await asking.peers.add(answering.addresses[0]!);
await asking.peers.dial(answering.nodeId);

const question = { payload: new TextEncoder().encode('is anybody there?'), reply: false };
const answer = await channel.request({ to: answering.nodeId, message: question, timeoutMs: 5_000 });
console.log(new TextDecoder().decode(answer.payload), answer.reply ? 'came back' : 'was asked');

await asking.stop();
await answering.stop();
