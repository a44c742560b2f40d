/** The other process of a bench: takes what comes, answers when asked, and says where it listens. */
import { createServer } from 'node:net';
import { benchNode, dataChannel, echoChannel, type Backend } from './setup.ts';

const [mode] = process.argv.slice(2);
const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
process.stdin.on('end', () => process.exit(0)).resume();

if (mode === 'tcp') {
  // Counts what comes; the first eight bytes say how much to expect before it answers.
  const server = createServer((socket) => {
    let left = -1;
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      if (left < 0) left = Number(chunk.readBigUInt64LE(0)) + 8;
      left -= chunk.length;
      if (left === 0) {
        left = -1;
        socket.write('.');
      }
    });
  });
  server.listen(0, '127.0.0.1', () => say({ port: (server.address() as { port: number }).port }));
} else {
  const node = await benchNode(mode as Backend);
  const data = node.openChannel(dataChannel);
  const echo = node.openChannel(echoChannel);
  await node.start();
  say({ address: node.addresses[0] });
  const count = async (): Promise<void> => {
    // The last message of a series is marked, and answered.
    for await (const { from, message } of data)
      if (message.reply) await data.send({ to: from, message: { payload: new Uint8Array(0), reply: true } });
  };
  const answer = async (): Promise<void> => {
    for await (const { from, message } of echo) await echo.send({ to: from, message });
  };
  await Promise.all([count(), answer()]);
}
