/** All cases of the suite but full nodes, in the order in which they run. */
import type { Case } from '../trial.ts';
import { crossingCases } from './crossing.ts';
import { endingCases } from './ending.ts';
import { handshakeCases } from './handshake.ts';
import { livenessCases } from './liveness.ts';
import { messageCases } from './messages.ts';
import { nodeInfoCases } from './node-info.ts';
import { peerCases } from './peers.ts';
import { pressureCases } from './pressure.ts';

export const cases: readonly Case[] = [
  ...handshakeCases,
  ...nodeInfoCases,
  ...messageCases,
  ...livenessCases,
  ...pressureCases,
  ...endingCases,
  ...peerCases,
  ...crossingCases,
];
