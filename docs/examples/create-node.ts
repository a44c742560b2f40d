/** A node as an object: started, watched through its updates, and stopped; time, chance, names and sockets could be replaced in `environment`. */
import { createNode, echoReactor, generateNodeKey, memoryStore } from 'troupe';

const create = () =>
  createNode({
    network: 'example',
    store: memoryStore(),
    key: generateNodeKey(),
    listen: ['mconn://127.0.0.1:0'],
    monitor: false,
    logLevel: 'silent',
    reactors: [echoReactor()],
  });

const [here, there] = [await create(), await create()];
await there.start();
await here.start();

const watching = (async () => {
  for await (const update of here.peers.updates()) {
    if ('snapshotEnd' in update) console.log('everybody who was up has been told of');
    else console.log(update.status, ...update.channels.map((id) => `0x${id.toString(16)}`));
    if ('status' in update && update.status === 'down') return;
  }
})();

await here.peers.add(there.addresses[0]!);
await here.peers.dial(there.nodeId);
const { peers, restarts, isolated } = here.status();
console.log(`${peers.up} peer is up, ${Object.keys(restarts).length} restarts, ${isolated.length} reactors isolated`);

await there.stop();
await watching;
await here.stop();
console.log('ended with', await here.ended);
