/** What counts as a sign of life. */
import { describe, expect, test } from '@jest/globals';
import { createActor, fromCallback, setup, type AnyActorRef, type InspectionEvent } from 'xstate';
import { inboxProbe, Pulse, Work } from '../../actors/pulse.ts';

const never = new Promise<void>(() => undefined);
/** How many looks it takes until something hangs, at most 20. */
function looksUntilHung(pulse: Pulse, before: (look: number) => void = () => undefined): number | undefined {
  for (let look = 1; look <= 20; look++) {
    before(look);
    if (pulse.hung()) return look;
  }
  return undefined;
}

describe('a pulse', () => {
  test('work that does not end is missed from the second look that finds it, and hangs with the third miss', () => {
    const pulse = new Pulse(3);
    void pulse.watch(new Work('a handler')).during(never);
    expect(looksUntilHung(pulse)).toBe(4);
  });

  test('says what hangs, and whether a remote can bring it about', () => {
    for (const provoked of [true, false]) {
      const pulse = new Pulse(1);
      void pulse.watch(new Work('a handler', provoked)).during(never);
      pulse.hung();
      const error = pulse.hung();
      expect(error).toMatchObject({ code: 'ERR_ACTOR_HUNG', message: 'an actor shows no sign of life: a handler' });
      expect(pulse.isProvoked(error)).toBe(provoked);
    }
  });

  test('work that ends and begins again between looks is alive, however often a look finds it busy', async () => {
    const pulse = new Pulse(3);
    const work = pulse.watch(new Work('a handler'));
    for (let look = 0; look < 20; look++) {
      await work.during(undefined);
      void work.during(never);
      expect(pulse.hung()).toBeUndefined();
    }
  });

  test('work that ends with an error has ended', async () => {
    const pulse = new Pulse(3);
    await expect(pulse.watch(new Work('a handler')).during(Promise.reject(new Error('broke')))).rejects.toThrow('broke');
    expect(looksUntilHung(pulse)).toBeUndefined();
  });

  test('two slow pieces of work that take turns being slow are no hung one', () => {
    const pulse = new Pulse(3);
    const works = [pulse.watch(new Work('one')), pulse.watch(new Work('other'))];
    expect(looksUntilHung(pulse, (look) => void works[look % 2]?.during(never))).toBeUndefined();
  });

  test('nothing to do, a beat, and a wait where somebody else keeps the time are signs of life', () => {
    let waiting = true;
    const idle = new Pulse(3);
    idle.watch({ what: 'reading', provoked: true, progress: () => undefined });
    expect(looksUntilHung(idle)).toBeUndefined();
    const beating = new Pulse(3);
    void beating.watch(new Work('a handler')).during(never);
    expect(looksUntilHung(beating, () => beating.beat())).toBeUndefined();
    const sending = new Pulse(3, () => waiting);
    void sending.watch(new Work('a handler')).during(never);
    expect(looksUntilHung(sending)).toBeUndefined();
    waiting = false;
    expect(looksUntilHung(sending)).toBe(4);
  });
});

describe('an inbox', () => {
  const idle = setup({}).createMachine({ initial: 'waiting', states: { waiting: {} } });

  /** An actor below a root whose inspector can be made to throw, after which the actor's inbox stands still. */
  function below(child: Parameters<typeof createActor>[0]) {
    const inspector = { throws: false };
    const inspect = (event: InspectionEvent): void => {
      if (inspector.throws && event.type === '@xstate.snapshot' && (event.actorRef as AnyActorRef).id === 'child')
        throw new Error('a viewer that throws');
    };
    const host = setup({ actors: { child } }).createMachine({ invoke: { id: 'child', src: 'child' } });
    const root = createActor(host, { inspect }).start();
    return { inspector, child: root.getSnapshot().children['child'] as AnyActorRef };
  }

  test.each([
    ['machine', idle],
    ['callback', fromCallback(() => undefined)],
  ])('of a %s answers each probe', (_, logic) => {
    const hung = inboxProbe(3);
    const { child } = below(logic as never);
    for (let look = 0; look < 20; look++) expect(hung(child)).toBeUndefined();
  });

  test('that takes no events hangs with the third probe in a row', () => {
    const hung = inboxProbe(3);
    const { child, inspector } = below(idle);
    expect(hung(child)).toBeUndefined();
    inspector.throws = true;
    expect(() => child.send({ type: 'anything' })).toThrow('a viewer that throws');
    inspector.throws = false;
    expect([hung(child), hung(child)]).toEqual([undefined, undefined]);
    expect(hung(child)).toMatchObject({ code: 'ERR_ACTOR_HUNG' });
    expect(hung(below(idle).child)).toBeUndefined();
  });
});
