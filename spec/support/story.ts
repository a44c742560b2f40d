/** A small simulation in which a bit of everything happens. As a program it prints the hash of its event log. */
import { bytes, pexReactor } from '../../index.ts';
import { simulate, type Simulation } from '../../testing.ts';

export async function tell(seed: number): Promise<Simulation> {
  const sim = await simulate({ nodes: 5, seed, topology: 'ring', bootstrap: () => [0], reactors: () => [pexReactor()] });
  const channel = sim.openChannel({ id: 0x60, type: bytes, priority: 1, maxMessageBytes: 10 });
  await sim.linked();
  sim.loss(0.3);
  for (let count = 0; count < 20; count++) await channel.broadcast(sim.pick().index, Uint8Array.of(count));
  await sim.crash(2);
  await channel.send(1, 2, Uint8Array.of(99));
  sim.partition([0, 1], [3, 4]);
  await sim.run(95_000);
  sim.heal();
  await channel.send(0, 2, Uint8Array.of(100));
  await sim.restart(2);
  await sim.run(20_000);
  return sim;
}

if (process.argv[1] === import.meta.filename) {
  const sim = await tell(Number(process.argv[2]));
  process.stdout.write(`${sim.eventLog.hash}\n`);
  await sim.stop();
}
