/** What every transport must do (ADR 062, Transport and Connection), as a suite that each implementation runs. */
import { afterEach, beforeEach, describe } from '@jest/globals';
import { TransportBench, type TransportKind, type TransportRig } from '../support/transport-bench.ts';
import { closingRules } from './transport/closing.ts';
import { dialingRules } from './transport/dialing.ts';
import { handshakeRules } from './transport/handshake.ts';
import { listeningRules } from './transport/listening.ts';
import { messageRules } from './transport/messages.ts';
import { pressureRules } from './transport/pressure.ts';

/** Runs the suite for a kind of transport. Each test gets a rig of its own; after it everything is closed, and nothing may be left on the clock or in the process. */
export function transportContract(name: string, kind: TransportKind, makeRig: () => TransportRig | Promise<TransportRig>): void {
  describe(`the ${name} transport`, () => {
    let bench: TransportBench;
    beforeEach(async () => {
      bench = new TransportBench(kind, await makeRig());
    });
    afterEach(() => bench.aftermath());

    const current = (): TransportBench => bench;
    describe('listening and accepting', () => listeningRules(current));
    describe('dialing', () => dialingRules(kind, current));
    describe('the handshake', () => handshakeRules(current));
    describe('messages', () => messageRules(current));
    describe('back-pressure', () => pressureRules(current));
    describe('closing', () => closingRules(current));
  });
}
