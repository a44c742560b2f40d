/** A network of five nodes in memory, with a partition and a crash, tested without waiting for anything. */
import { bytes } from 'troupe';
import { simulate } from 'troupe/testing';

const encode = (text: string) => new TextEncoder().encode(text);

async function story(seed: number): Promise<string> {
  const sim = await simulate({ nodes: 5, seed });
  const chat = sim.openChannel({ id: 0x60, type: bytes, priority: 1, maxMessageBytes: 100 });
  await sim.linked();

  await chat.broadcast(0, encode('hello'));
  for (const index of [1, 2, 3, 4]) await chat.expectDelivered(index, { from: 0, message: encode('hello') });

  sim.partition([0, 1], [2, 3, 4]);
  await chat.send(0, 2, encode('is anybody there?'));
  await chat.expectNothing(2, { withinMs: 30_000 });
  sim.heal();
  await chat.expectDelivered(2, { from: 0, message: encode('is anybody there?') });

  await sim.crash(4);
  await sim.expectUpdates(0, [{ peer: 4, status: 'down' }]);
  await sim.restart(4);
  await sim.linked();

  const { hash } = sim.eventLog;
  await sim.stop();
  return hash;
}

const [first, second, other] = [await story(1), await story(1), await story(2)];
console.log(`the same seed gives the same log: ${first === second}`);
console.log(`another seed gives another: ${first !== other}`);
